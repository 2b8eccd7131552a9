// Numbers as they come over the wire, and as people read them.

/** The bytes of a text in base64. */
export function bytes(text) {
  const binary = atob(text);
  const out = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) out[i] = binary.charCodeAt(i);
  return out;
}

/** The numbers of a text in base64 that holds 32-bit floats. */
export function floats(text) {
  return new Float32Array(bytes(text).buffer);
}

/** A number in a few characters; a dash for one that there is not. */
export function short(number, digits = 3) {
  if (number === null || number === undefined || Number.isNaN(number)) return "–";
  const size = Math.abs(number);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return number.toExponential(1).replace("-", "−");
  return number.toFixed(digits).replace("-", "−");
}

export const percent = (share) => (share === null || share === undefined ? "–" : `${(100 * share).toFixed(1)} %`);

/** A name as it is shown: `leaky_relu` as "leaky relu". */
export const words = (name) => name.replaceAll("_", " ");
