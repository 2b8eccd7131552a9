// The picture of a scene at one moment: boxes with what is known by then, edges, and what the moment is about.

import { number } from "./words.js";

const WORDS_FROM = 0.42; // the scale from which on texts can be read
const BIG_WORDS_FROM = 0.26; // from which on a few large ones can
const FRAME_TITLES_FROM = 0.2;
const BOXES_FROM = 0.15; // where it is smaller still, boxes are marks
const NAMES = ["paper", "panel", "ink", "quiet", "fine", "line", "focus", "blue", "orange", "green", "purple", "yellow",
  "blue-soft", "orange-soft", "green-soft", "purple-soft", "yellow-soft", "sans", "mono"];
const LINES = { parameter: "blue", input: "green", output: "orange" };
const FILLS = { parameter: "blue-soft", input: "green-soft", output: "orange-soft", value: "paper" };

/** The colours and fonts of the page now. */
export function paletteNow() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/**
 * Draw with `pen` what lies within `part` of the scene.
 *
 * `moment` says what is known: { graph, numbers, steps, t, selected, current, phase }. `scale` is how large a unit of
 * the scene is on the screen: where it is small, texts are left out.
 */
export function paintScene(pen, scene, moment, part, scale) {
  const colours = pen.palette;
  const seen = ({ x, y, w, h }) => x + w / 2 > part.left && x - w / 2 < part.right && y + h / 2 > part.top && y - h / 2 < part.bottom;
  for (const frame of scene.frames) paintFrame(pen, frame, colours, scale);
  paintLines(pen, scene, moment, part, colours, scale);
  if (scale < BOXES_FROM) paintFar(pen, scene.items.filter(seen), moment, colours);
  else for (const item of scene.items) {
    if (!seen(item)) continue;
    if (item.group >= 0) paintGroup(pen, item, moment, colours, scale);
    else paintValue(pen, item, moment, colours, scale);
  }
  if (scale >= WORDS_FROM) paintSlopes(pen, scene, moment, colours);
}

/** From far away: a mark for each box, all of a kind at once. */
function paintFar(pen, items, moment, colours) {
  const kinds = new Map();
  for (const item of items) {
    if (!kinds.has(item.kind)) kinds.set(item.kind, []);
    const [left, top, right, bottom] = [item.x - item.w / 2, item.y - item.h / 2, item.x + item.w / 2, item.y + item.h / 2];
    kinds.get(item.kind).push([[left, top], [right, top], [right, bottom], [left, bottom]]);
  }
  for (const [kind, shapes] of kinds) pen.shapes(shapes, { fill: colours[FILLS[kind] ?? "panel"], stroke: colours[LINES[kind] ?? "quiet"], width: 3 });
  for (const item of items) paintRings(pen, item, moment, colours, item.x - item.w / 2, item.w);
}

function paintFrame(pen, frame, colours, scale) {
  const { left, top, right, bottom } = frame;
  pen.rect(left, top, right - left, bottom - top, 10, { stroke: colours.fine, width: 1.5, fill: colours.panel });
  if (scale < FRAME_TITLES_FROM) return;
  pen.rect(left + 8, top + 6, 16, 16, 4, { stroke: colours.quiet, fill: colours.paper });
  pen.shapes([[[left + 12, top + 13.2], [left + 20, top + 13.2], [left + 20, top + 14.8], [left + 12, top + 14.8]]], { fill: colours.ink });
  const room = Math.floor((right - left - 36) / 7.2);
  pen.text(shortened(frame.title, room), left + 30, top + 14.5, { size: 12, weight: 600, fill: colours.quiet });
}

function paintLines(pen, scene, moment, part, colours, scale) {
  const ordinary = [];
  const reading = []; // into what the moment is about
  const read = []; // out of it
  for (const line of scene.lines) {
    const { left, top, right, bottom } = line.box;
    if (left > part.right || right < part.left || top > part.bottom || bottom < part.top) continue;
    if (line.head.id === moment.about) reading.push(line);
    else if (line.tail.id === moment.about) read.push(line);
    else ordinary.push(line);
  }
  const heads = scale >= 0.15;
  const ways = (lines) => lines.map((line) => line.way);
  pen.curves(ways(ordinary), { stroke: colours.line, width: 1.2, straight: scale < BOXES_FROM });
  if (heads) pen.shapes(ordinary.map((line) => arrow(line.way, 7)), { fill: colours.line });
  pen.curves(ways(reading), { stroke: colours.blue, width: 2.6 });
  if (heads) pen.shapes(reading.map((line) => arrow(line.way, 10)), { fill: colours.blue });
  pen.curves(ways(read), { stroke: colours.orange, width: 2.6, dash: [8, 4] });
  if (heads) pen.shapes(read.map((line) => arrow(line.way, 10)), { fill: colours.orange });
}

function arrow(way, size) {
  const [x, y] = way.at(-1);
  const back = way.at(-2)[0] <= x ? -1 : 1;
  return [[x, y], [x + back * size, y - size * 0.4], [x + back * size, y + size * 0.4]];
}

/** Where the backward pass goes along an edge: the derivative, which the gradient is multiplied by on its way. */
function paintSlopes(pen, scene, { graph, numbers, about, phase }, colours) {
  if (phase !== "backward" || about === undefined) return;
  const item = scene.byId.get(about);
  if (!item || item.group >= 0) return;
  for (const line of item.out) {
    if (line.head.group >= 0 || line.way.length < 2) continue;
    const slopes = Array.from(graph.usesOf(item.id)).filter((k) => graph.userOf[k] === line.head.id).map((k) => number(numbers.slopes[k]));
    label(pen, `× ${slopes.join(" + ")}`, middle(line.way), colours);
  }
}

function middle(way) {
  const [[ax, ay], [bx, by]] = way.slice(-2);
  return [(ax + bx) / 2, (ay + by) / 2];
}

function label(pen, text, [x, y], colours) {
  const w = 12 + 7 * text.length;
  pen.rect(x - w / 2, y - 10, w, 20, 6, { fill: colours.paper, stroke: colours.orange });
  pen.text(text, x, y + 0.5, { size: 12, mono: true, align: "center", fill: colours.ink });
}

/** The rings: a thick one for what the moment is about, a dotted one for what was chosen. */
function paintRings(pen, item, moment, colours, left, w) {
  const [x, y, h] = [left, item.y - item.h / 2, item.h];
  if (item.id === moment.selected) pen.rect(x - 5, y - 5, w + 10, h + 10, 13, { stroke: colours.focus, width: 2.5, dash: [2, 3] });
  if (item.id === moment.current) {
    pen.rect(x - 3, y - 3, w + 6, h + 6, 11, { stroke: moment.phase === "backward" ? colours.orange : colours.blue, width: 4 });
  }
}

function paintValue(pen, item, moment, colours, scale) {
  const { graph, numbers, steps, t } = moment;
  const i = item.id;
  const left = item.x - item.w / 2 + item.pill / 2;
  const w = item.w - item.pill / 2;
  const top = item.y - item.h / 2;
  const known = steps.hasValue(i, t);
  const radius = item.kind === "input" ? 16 : 7;
  const stroke = colours[LINES[item.kind] ?? "quiet"];
  const fill = known ? colours[FILLS[item.kind]] : colours.paper;
  pen.rect(left, top, w, item.h, radius, { fill, stroke, width: item.kind === "parameter" ? 3 : 1.5, dash: known ? undefined : [5, 4] });
  if (item.kind === "output") pen.rect(left + 4, top + 4, w - 8, item.h - 8, 4, { stroke, width: 1 });
  paintRings(pen, item, moment, colours, left, w);
  if (scale < WORDS_FROM) {
    if (scale >= BIG_WORDS_FROM) paintBig(pen, item, moment, colours, left, w);
    return;
  }
  const text = left + (item.pill ? item.pill / 2 + 6 : 12);
  const right = left + w - (item.kind === "output" ? 10 : 9);
  const room = Math.floor((right - text) / 7.4);
  pen.text(shortened(graph.name(i), room), text, top + 14, { size: 13, weight: 650, fill: colours.ink });
  const changed = steps.hasUpdate(i, t) && moment.updated(i);
  const value = !known ? "?" : number(numbers.data[i]);
  row(pen, "value", value, text, right, top + 33, colours);
  row(pen, "grad", changed ? `→ ${number(changed)}` : steps.hasGrad(i, t) ? number(numbers.grad[i]) : "?", text, right, top + 50, colours, changed ? "new" : "grad");
  if (item.sign) paintSign(pen, item, left, colours);
}

/** From a middle distance: the name, and the number that this pass is about, in large letters. */
function paintBig(pen, item, { graph, numbers, steps, t, phase }, colours, left, w) {
  const backward = phase === "backward" && steps.hasGrad(item.id, t);
  const text = backward ? `∇ ${number(numbers.grad[item.id])}` : steps.hasValue(item.id, t) ? number(numbers.data[item.id]) : "?";
  const x = left + (item.pill ? item.pill / 2 + 4 : 8);
  pen.text(shortened(graph.name(item.id), Math.floor((left + w - x) / 14)), x, item.y - 14, { size: 23, weight: 650, fill: colours.ink });
  const size = Math.min(24, ((left + w - x - 4) / text.length) * 1.62);
  pen.text(text, left + w - 7, item.y + 15, { size, mono: true, align: "right", fill: backward ? colours.orange : colours.ink });
  if (item.sign) paintSign(pen, item, left, colours);
}

/** The sign of the operation, on the left side of the box, where its arguments arrive. */
function paintSign(pen, item, left, colours) {
  pen.rect(left - item.pill / 2, item.y - 14, item.pill, 28, 14, { fill: colours.paper, stroke: colours.ink, width: 1.5 });
  pen.text(shortened(item.sign, 12), left, item.y + 0.5, { size: 13, weight: 600, align: "center", fill: colours.ink });
}

function row(pen, what, text, left, right, y, colours, word = what) {
  const wide = (right - left) < 96 + 0.1 && text.length > 8;
  if (!wide) pen.text(word, left, y, { size: 11, fill: colours.quiet });
  pen.text(text, right, y, { size: 12, mono: true, align: "right", fill: text === "?" ? colours.quiet : colours.ink });
}

function paintGroup(pen, item, moment, colours, scale) {
  const { numbers, steps, t } = moment;
  const [left, top] = [item.x - item.w / 2 + item.pill / 2, item.y - item.h / 2];
  const [w, h] = [item.w - item.pill / 2 - 8, item.h - 8]; // the cards behind stick out
  const text = left + (item.pill ? item.pill / 2 + 6 : 12);
  const some = item.shown.filter((i) => steps.hasValue(i, t));
  const stroke = colours[LINES[item.kind] ?? "quiet"];
  for (const shift of [8, 4, 0]) {
    pen.rect(left + shift, top + shift, w, h, 9, { fill: colours.panel, stroke, width: shift ? 1 : 1.5, dash: some.length || shift ? undefined : [5, 4] });
  }
  paintRings(pen, item, moment, colours, left, w);
  if (scale < FRAME_TITLES_FROM) return;
  if (scale < WORDS_FROM) {
    pen.text(shortened(item.title, 16), left + 8, item.y - 4, { size: 19, weight: 650, fill: colours.ink });
    return;
  }
  pen.rect(left + w - 26, top + 8, 18, 18, 5, { fill: colours.paper, stroke: colours.quiet });
  pen.text("+", left + w - 17, top + 17.5, { size: 15, weight: 600, align: "center", fill: colours.ink });
  pen.text(shortened(item.title, Math.floor((w - 40 - (text - left)) / 7.9)), text, top + 17, { size: 13, weight: 650, fill: colours.ink });
  pen.text(`${item.many.toLocaleString("en")} numbers in it`, text, top + 34, { size: 11, fill: colours.quiet });
  const graded = item.shown.filter((i) => steps.hasGrad(i, t));
  row(pen, "value", some.length ? span(some, numbers.data) : "?", text, left + w - 10, top + 52, colours);
  row(pen, "grad", graded.length ? span(graded, numbers.grad) : "?", text, left + w - 10, top + 69, colours);
  if (item.sign) paintSign(pen, item, left, colours);
}

/** The smallest and the largest number, or the only one. */
export function span(places, numbers) {
  let [low, high] = [Infinity, -Infinity];
  let odd = false;
  for (const i of places) {
    if (Number.isNaN(numbers[i])) odd = true;
    low = Math.min(low, Number.isNaN(numbers[i]) ? Infinity : numbers[i]);
    high = Math.max(high, Number.isNaN(numbers[i]) ? -Infinity : numbers[i]);
  }
  if (low > high) return "nan";
  const text = number(low) === number(high) ? number(low) : `${brief(low)} … ${brief(high)}`;
  return odd ? `${text}, nan` : text;
}

function brief(x) {
  const text = number(x);
  return text.length > 7 && Math.abs(x) < 1000 ? x.toFixed(3) : text;
}

function shortened(text, room) {
  return text.length <= room ? text : `${text.slice(0, Math.max(1, room - 1))}…`;
}
