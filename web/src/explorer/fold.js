// What is visible of a graph when some groups are open and all others are folded: an item for each Value that lies in no
// folded group, and one for each outermost folded group. Item i is Value i, item count + g is group g.

import { unpack } from "./graph.js";

export const MOST_VISIBLE = 2500; // items that are drawn at once
const FIRST_SHOWN = 48; // items up to which groups are opened at the start

export class Fold {
  constructor(data, graph) {
    this.graph = graph;
    this.name = data.name;
    this.titles = data.titles;
    this.kinds = data.kinds;
    this.parents = data.parents;
    this.of = unpack(data.of);
    this.count = this.titles.length;
    this.children = this.titles.map(() => []); // groups in each group
    this.values = this.titles.map(() => []); // Values that lie in it, but in none of its groups
    this.top = [];
    this.loose = [];
    this.parents.forEach((parent, g) => (parent < 0 ? this.top : this.children[parent]).push(g));
    this.of.forEach((g, i) => (g < 0 ? this.loose : this.values[g]).push(i));
    this.sizes = this.values.map((values) => values.length);
    for (let g = this.count - 1; g >= 0; g--) if (this.parents[g] >= 0) this.sizes[this.parents[g]] += this.sizes[g];
  }

  /** The groups around an item, the innermost first. */
  around(item) {
    const found = [];
    const { count } = this.graph;
    for (let g = item < count ? this.of[item] : this.parents[item - count]; g >= 0; g = this.parents[g]) found.push(g);
    return found;
  }

  /** All Values in a group. */
  members(g) {
    return [...this.values[g], ...this.children[g].flatMap((inner) => this.members(inner))];
  }

  /** The groups in these groups that are opened together with others; a sum is one operation until it is asked for. */
  _inside(groups) {
    return groups.flatMap((g) => this.children[g]).filter((g) => this.kinds[g] !== "sum");
  }

  /** The groups to open at the start: level by level, as long as it stays easy to look at. */
  firstOpen(most = FIRST_SHOWN) {
    const open = new Set();
    let level = this.top.filter((g) => this.kinds[g] !== "sum");
    let shown = this.top.length + this.loose.length;
    while (level.length) {
      const more = level.reduce((sum, g) => sum + this.children[g].length + this.values[g].length - 1, 0);
      if (shown + more > most) break;
      shown += more;
      level.forEach((g) => open.add(g));
      level = this._inside(level);
    }
    return open;
  }

  /** Every group within `from` (all, if undefined), or as many levels of them as can be drawn. */
  allOpen(open, from) {
    const found = new Set(open);
    let level = from === undefined ? this.top : [from];
    let shown = this.visible(found).items.length;
    while (level.length) {
      const more = level.reduce((sum, g) => sum + (found.has(g) ? 0 : this.children[g].length + this.values[g].length - 1), 0);
      if (shown + more > MOST_VISIBLE) break;
      shown += more;
      level.forEach((g) => found.add(g));
      level = this._inside(level);
    }
    return found;
  }

  /** The open groups that are needed to see Value i by itself. */
  openTo(i, open) {
    return new Set([...open, ...this.around(i)]);
  }

  /** The open groups after group g was folded, with all within it. */
  foldedAt(g, open) {
    return new Set([...open].filter((other) => other !== g && !this.around(this.graph.count + other).includes(g)));
  }

  /** The items that are visible, the edges between them, and where each Value is seen. */
  visible(open) {
    const { graph } = this;
    const { count, args, userOf } = graph;
    const seen = new Int32Array(this.count); // the item that shows group g, -1 if it is open and all around it too
    for (let g = 0; g < this.count; g++) {
      const above = this.parents[g] < 0 ? -1 : seen[this.parents[g]];
      seen[g] = above >= 0 ? above : open.has(g) ? -1 : count + g;
    }
    const itemOf = new Int32Array(count);
    const first = new Map(); // item: its first Value
    for (let i = 0; i < count; i++) {
      const item = this.of[i] < 0 || seen[this.of[i]] < 0 ? i : seen[this.of[i]];
      itemOf[i] = item;
      if (!first.has(item)) first.set(item, i);
    }
    const edges = new Map();
    const read = new Map(); // folded item: the Values of it that others read
    const size = count + this.count;
    for (let k = 0; k < args.length; k++) {
      if (args[k] < 0) continue;
      const tail = itemOf[args[k]];
      const head = itemOf[userOf[k]];
      if (tail === head) continue;
      const key = tail * size + head;
      const edge = edges.get(key);
      if (edge) edge.many++;
      else edges.set(key, { tail, head, many: 1 });
      if (tail >= count) {
        if (!read.has(tail)) read.set(tail, new Set());
        read.get(tail).add(args[k]);
      }
    }
    for (const i of graph.outputs) {
      if (itemOf[i] < count) continue;
      if (!read.has(itemOf[i])) read.set(itemOf[i], new Set());
      read.get(itemOf[i]).add(i);
    }
    return { items: [...first.keys()], first, itemOf, edges: [...edges.values()], read };
  }
}
