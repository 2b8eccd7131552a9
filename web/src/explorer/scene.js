// From what is visible to boxes with places: sizes, the layout, and the frames around open groups.

import { layout } from "./layout.js";
import { plain } from "./words.js";

const SIGNS = { "*": "×", "/": "÷", "-": "−", "**": "^" };
const [BOX_WIDTH, BOX_HEIGHT] = [132, 64];
const [GROUP_WIDTH, GROUP_HEIGHT] = [186, 92];
const PAD = 12; // between a frame and what is in it
const HEAD = 20; // of a frame, where its title stands

/** What stands in the round sign of an operation: "×", or with a plain number among its arguments "× 2". */
export function signOf(graph, i) {
  const rule = graph.rule(i);
  if (!rule) return "";
  const symbol = SIGNS[rule.symbol] ?? rule.symbol;
  const [k, end] = [graph.start[i], graph.start[i + 1]];
  const constants = [];
  for (let at = k; at < end; at++) if (graph.args[at] < 0) constants.push(plain(graph.numbers[~graph.args[at]]));
  if (!constants.length || end - k !== 2) return symbol;
  return graph.args[k] < 0 ? `${constants[0]} ${symbol}` : `${symbol} ${constants[0]}`;
}

/** The boxes that are visible, with their places; and where each Value and each group is. */
export function sceneOf(graph, fold, open) {
  const visible = fold.visible(open);
  const items = visible.items
    .map((id) => itemOf(graph, fold, visible, id))
    .sort((a, b) => a.first - b.first);
  const place = new Map(items.map((item, k) => [item.id, k]));
  const edges = visible.edges.map(({ tail, head, many }) => ({ tail: place.get(tail), head: place.get(head), many }));
  const { x, y, ways, width, height } = layout(items, edges);
  items.forEach((item, k) => Object.assign(item, { x: x[k], y: y[k], into: [], out: [] }));
  const lines = edges.map((edge, e) => ({ tail: items[edge.tail], head: items[edge.head], many: edge.many, way: ways[e], box: around(ways[e].map(([left, top]) => ({ left, top, right: left, bottom: top }))) }));
  for (const line of lines) {
    line.tail.out.push(line);
    line.head.into.push(line);
  }
  const byId = new Map(items.map((item) => [item.id, item]));
  const scene = { items, lines, byId, itemOf: visible.itemOf, width, height };
  scene.frames = framesOf(fold, open, scene);
  return scene;
}

function itemOf(graph, fold, visible, id) {
  const first = visible.first.get(id);
  if (id < graph.count) {
    const sign = signOf(graph, id);
    const pill = sign ? Math.max(28, 12 + 7.5 * Math.min(sign.length, 12)) : 0;
    return { id, first, group: -1, kind: graph.kind(id), sign, pill, w: BOX_WIDTH + pill / 2, h: BOX_HEIGHT, cluster: fold.of[id] };
  }
  const g = id - graph.count;
  const read = [...(visible.read.get(id) ?? [])];
  const shown = read.filter((i) => !graph.parameters.has(i));
  const kind = fold.kinds[g];
  return { id, first, group: g, kind, sign: kind === "sum" ? "Σ" : "", pill: kind === "sum" ? 28 : 0, w: GROUP_WIDTH, h: GROUP_HEIGHT, cluster: fold.parents[g], title: fold.titles[g], many: fold.sizes[g], shown: shown.length ? shown : read };
}

/** A frame around each open group whose boxes stand together, with nothing else between them; outer ones first. */
function framesOf(fold, open, scene) {
  const inside = new Map();
  for (const item of scene.items) {
    fold.around(item.id).forEach((g) => {
      if (!inside.has(g)) inside.set(g, new Set());
      inside.get(g).add(item);
    });
  }
  const frames = [];
  for (const g of [...inside.keys()].sort((a, b) => b - a)) {
    if (!open.has(g)) continue;
    const box = around([...inside.get(g)].map(edgesOf));
    for (const child of fold.children[g]) {
      const frame = frames.find((each) => each.group === child);
      if (frame) Object.assign(box, around([box, frame]));
    }
    const frame = { group: g, title: fold.titles[g], left: box.left - PAD, top: box.top - PAD - HEAD, right: box.right + PAD, bottom: box.bottom + PAD };
    const foreign = scene.items.some((item) => !inside.get(g).has(item) && overlap(edgesOf(item), frame));
    if (!foreign && !frames.some((other) => overlap(other, frame) && !contains(frame, other))) frames.push(frame);
  }
  return frames.reverse();
}

const edgesOf = ({ x, y, w, h }) => ({ left: x - w / 2, top: y - h / 2, right: x + w / 2, bottom: y + h / 2 });
const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
const contains = (a, b) => a.left <= b.left && a.top <= b.top && a.right >= b.right && a.bottom >= b.bottom;

function around(boxes) {
  const found = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const box of boxes) {
    found.left = Math.min(found.left, box.left);
    found.top = Math.min(found.top, box.top);
    found.right = Math.max(found.right, box.right);
    found.bottom = Math.max(found.bottom, box.bottom);
  }
  return found;
}

/** The part of the scene that holds all boxes and frames. */
export function extent(scene) {
  return around([...scene.items.map(edgesOf), ...scene.frames, ...(scene.items.length ? [] : [{ left: 0, top: 0, right: 1, bottom: 1 }])]);
}

/** The box at a point, or the head of a frame: { item } or { frame }. */
export function hit(scene, x, y) {
  const item = scene.items.find((each) => Math.abs(each.x - x) <= each.w / 2 && Math.abs(each.y - y) <= each.h / 2);
  if (item) return { item };
  const frame = scene.frames.findLast((each) => x >= each.left && x <= each.right && y >= each.top && y <= each.top + HEAD + 4);
  return frame ? { frame } : {};
}
