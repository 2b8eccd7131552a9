// Orange is below 0 and the first class, blue is above 0 and the second, as users of TensorFlow's Playground know them.
import { chosenTheme, onThemeChange } from "../shared/theme.js";

// The colours of the pictures that the library draws, in the order of the classes.
const CLASSES = {
  light: ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#c08400", "#56b4e9", "#6b6b6b"],
  dark: ["#f0a04b", "#56b4e9", "#2cc59b", "#cc79a7", "#f0e442", "#7d8cff", "#b0b0b0"],
};
const PAPER = { light: "#ffffff", dark: "#14171c" };
const STRENGTH = { light: 0.62, dark: 0.72 };

/** "light" or "dark", as the page is shown. */
export function shownTheme() {
  const chosen = chosenTheme();
  if (chosen !== "auto") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

const parts = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const mix = (a, b, share) => a.map((x, i) => Math.round(x + (b[i] - x) * share));

let made = {};
onThemeChange(() => (made = {}));

/** The colour of a class as "#rrggbb". */
export const classColour = (k) => CLASSES[shownTheme()][k % CLASSES.light.length];

/** The same colours as the words of an image: red in the lowest byte, as every machine with a browser has it. */
function asWords(colours) {
  return Uint32Array.from(colours, ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);
}

/** The colours of `diverging`, and of `fading` for each class, as words. */
export const divergingWords = () => (made.words ??= asWords(diverging()));
export const fadingWords = () => (made.fadingWords ??= [0, 1, 2, 3, 4, 5, 6].map((k) => asWords(fading(k))));

/** 256 colours as [r, g, b] for the shades of a map: orange, paper, blue, and grey for what is no number. */
export function diverging() {
  const theme = shownTheme();
  return (made.diverging ??= Array.from({ length: 256 }, (_, shade) => {
    if (shade === 255) return theme === "dark" ? [90, 90, 90] : [150, 150, 150];
    const value = (shade - 127) / 127;
    return mix(parts(PAPER[theme]), parts(CLASSES[theme][value < 0 ? 0 : 1]), Math.abs(value) * STRENGTH[theme] * 1.1);
  }));
}

/** The same for the map of a class: from paper to its colour. */
export function fading(k) {
  const theme = shownTheme();
  return ((made.fading ??= {})[k] ??= Array.from({ length: 256 }, (_, shade) => {
    if (shade === 255) return theme === "dark" ? [90, 90, 90] : [150, 150, 150];
    const value = Math.max(0, (shade - 127) / 127);
    return mix(parts(PAPER[theme]), parts(classColour(k)), (0.15 + 0.85 * value) * STRENGTH[theme]);
  }));
}

/** The colour of a number from -1 to 1 as CSS. */
export function signColour(value) {
  const index = Number.isFinite(value) ? Math.round(127 + 127 * Math.max(-1, Math.min(1, value))) : 255;
  return `rgb(${diverging()[index].join(" ")})`;
}

/** The colour of a weight's line: by its sign alone. */
export const lineColour = (value) => classColour(value < 0 ? 0 : 1);
