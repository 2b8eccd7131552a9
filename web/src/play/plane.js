// The plane: heat map, points, and what the mouse and the keys do on it.
import { classColour, divergingWords, fadingWords, shownTheme, signColour } from "./colours.js";

const SIDE = 100;
const off = document.createElement("canvas");
off.width = off.height = SIDE;

/** Draw shades of a map into a canvas of its own size in cells. */
export function paintShades(canvas, shades, { winner = null, discretize = false, at = 0, cells = SIDE } = {}) {
  if (!canvas) return; // what it belonged to is no longer shown
  const context = canvas.getContext("2d");
  const image = context.createImageData(cells, cells);
  const words = new Uint32Array(image.data.buffer);
  const plain = divergingWords();
  const fades = winner ? fadingWords() : null;
  for (let i = 0; i < words.length; i++) {
    let shade = shades[at + i];
    if (discretize && shade !== 255) shade = winner ? 220 : shade < 127 ? 0 : 254;
    words[i] = fades ? fades[winner[i]][shade] : plain[shade];
  }
  context.putImageData(image, 0, 0);
}

/** Show the map of a frame in a canvas of 100 by 100; the style makes it larger. */
export function showMap(canvas, frame, discretize) {
  if (!canvas) return; // what it belonged to is no longer shown
  if (frame?.map) paintShades(canvas, frame.map, { winner: frame.winner, discretize });
  else canvas.getContext("2d").clearRect(0, 0, SIDE, SIDE);
}

/** Draw the map of a frame as large as the canvas is. */
export function drawMap(canvas, frame, discretize) {
  if (!canvas) return; // what it belonged to is no longer shown
  const context = canvas.getContext("2d");
  if (!frame?.map) {
    context.clearRect(0, 0, canvas.width, canvas.height);
    return;
  }
  paintShades(off, frame.map, { winner: frame.winner, discretize });
  context.imageSmoothingEnabled = !discretize;
  context.imageSmoothingQuality = "high";
  context.drawImage(off, 0, 0, canvas.width, canvas.height);
}

/** The outline of the mark of a class: circle, square, triangle, diamond and so on. */
function outline(context, k, x, y, r) {
  const polygon = (corners, turn) => {
    for (let i = 0; i < corners; i++) {
      const angle = turn + (2 * Math.PI * i) / corners;
      context[i ? "lineTo" : "moveTo"](x + r * 1.2 * Math.cos(angle), y + r * 1.2 * Math.sin(angle));
    }
    context.closePath();
  };
  context.beginPath();
  if (k === 0) context.arc(x, y, r, 0, 2 * Math.PI);
  else if (k === 1) context.rect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8);
  else if (k === 2) polygon(3, -Math.PI / 2);
  else if (k === 3) polygon(4, 0);
  else polygon(k, -Math.PI / 2);
}

/** Draw one mark; held-out points are hollow. */
export function mark(context, k, x, y, r, colour, hollow = false) {
  const paper = shownTheme() === "dark" ? "#14171c" : "#ffffff";
  outline(context, k, x, y, r);
  context.fillStyle = hollow ? paper : colour;
  context.strokeStyle = hollow ? colour : paper;
  context.lineWidth = hollow ? 1.6 : 0.9;
  context.fill();
  context.stroke();
}

/** Draw all points, the chosen one in a ring, and the cross that the keys move. */
export function drawPoints(canvas, state, { chosen = -1, cross = null, scale = 1 } = {}) {
  if (!canvas) return; // what it belonged to is no longer shown
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  const { x, y, held } = state.points;
  const { settings, reach } = state;
  const at = (value) => ((value / reach + 1) / 2) * canvas.width;
  const radius = (x.length > 2000 ? 2.2 : x.length > 800 ? 3 : 3.8) * scale;
  const classes = settings.kind === "classification";
  for (let i = 0; i < y.length; i++) {
    if (held[i] && !settings.show_test) continue;
    const colour = classes ? classColour(y[i]) : signColour(y[i]);
    mark(context, classes ? y[i] : 0, at(x[2 * i]), at(-x[2 * i + 1]), radius, colour, held[i] === 1);
  }
  context.strokeStyle = shownTheme() === "dark" ? "#ffffff" : "#000000";
  if (chosen >= 0 && chosen < y.length) {
    context.lineWidth = 2 * scale;
    context.beginPath();
    context.arc(at(x[2 * chosen]), at(-x[2 * chosen + 1]), radius + 4 * scale, 0, 2 * Math.PI);
    context.stroke();
  }
  if (cross) {
    const [cx, cy] = [at(cross[0]), at(-cross[1])];
    context.lineWidth = 1.5 * scale;
    context.beginPath();
    context.moveTo(cx - 9 * scale, cy);
    context.lineTo(cx + 9 * scale, cy);
    context.moveTo(cx, cy - 9 * scale);
    context.lineTo(cx, cy + 9 * scale);
    context.stroke();
  }
}

/** The number of the nearest point that is shown, within a distance; -1 if there is none. */
export function nearest(state, [px, py], within = Infinity) {
  const { x, y, held } = state.points;
  let best = -1;
  let least = within * within;
  for (let i = 0; i < y.length; i++) {
    if (held[i] && !state.settings.show_test) continue;
    const distance = (x[2 * i] - px) ** 2 + (x[2 * i + 1] - py) ** 2;
    if (distance <= least) [best, least] = [i, distance];
  }
  return best;
}

/** What a map says at a place, as a number or a class; null where it is no number. */
export function valueAt(state, frame, [px, py]) {
  if (!frame?.map) return null;
  const cell = (value) => Math.min(SIDE - 1, Math.max(0, Math.floor(((value / state.reach + 1) / 2) * SIDE)));
  const i = cell(-py) * SIDE + cell(px);
  if (frame.map[i] === 255) return null;
  return { value: (frame.map[i] - 127) / 127, winner: frame.winner ? frame.winner[i] : null };
}
