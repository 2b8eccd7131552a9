// Where the boxes stand: in columns, what is read to the left of what reads it, with few crossings and short ways.
//
// The four steps of Sugiyama, Tagawa and Toda (1981): cycles are cut, each box gets a column by its longest path, the
// order in the columns comes from the mean place of the neighbours (Barth, Mutzel and Jünger count the crossings, 2004),
// and heights from a least-squares fit in that order (the pool of adjacent violators, Ayer et al., 1955).

const COLUMN_GAP = 72;
const ROW_GAP = 18;
const LANE = 10; // the height of a way through a column
const MOST_LANES = 6000;

/**
 * The middle of each box and the way of each edge.
 *
 * `boxes` is [{ w, h, cluster }] in a natural order, `edges` [{ tail, head }] of their indices; `cluster` is the group
 * that a box lies in. Returns { x, y, ways, width, height }; a way is a list of points from the tail to the head.
 */
export function layout(boxes, edges) {
  const arrows = withoutCycles(boxes.length, edges);
  const rank = ranks(boxes.length, arrows);
  const net = withLanes(boxes, arrows, rank);
  order(net);
  const y = heights(net);
  return ways(net, boxes, edges, arrows, columns(net, boxes), y);
}

/** The edges as [tail, head], those turned round that would close a cycle in a walk from each box in order. */
function withoutCycles(count, edges) {
  const out = Array.from({ length: count }, () => []);
  edges.forEach((edge, e) => out[edge.tail].push(e));
  const arrows = edges.map((edge) => [edge.tail, edge.head]);
  const state = new Uint8Array(count); // 1 on the way, 2 done
  for (let root = 0; root < count; root++) {
    if (state[root]) continue;
    const stack = [[root, 0]];
    state[root] = 1;
    while (stack.length) {
      const top = stack.at(-1);
      if (top[1] === out[top[0]].length) {
        state[top[0]] = 2;
        stack.pop();
        continue;
      }
      const e = out[top[0]][top[1]++];
      const head = edges[e].head;
      if (state[head] === 1) arrows[e].reverse();
      else if (!state[head]) {
        state[head] = 1;
        stack.push([head, 0]);
      }
    }
  }
  return arrows;
}

/** The column of each box: the longest path to it; then nearer to its users, if more ways lead out of it than in. */
function ranks(count, arrows) {
  const out = Array.from({ length: count }, () => []);
  const waiting = new Int32Array(count);
  const into = new Int32Array(count);
  for (const [tail, head] of arrows) {
    out[tail].push(head);
    waiting[head]++;
    into[head]++;
  }
  const rank = new Int32Array(count);
  const queue = [];
  for (let i = 0; i < count; i++) if (!waiting[i]) queue.push(i);
  for (let k = 0; k < queue.length; k++) {
    for (const head of out[queue[k]]) {
      rank[head] = Math.max(rank[head], rank[queue[k]] + 1);
      if (!--waiting[head]) queue.push(head);
    }
  }
  for (const i of queue.reverse()) {
    if (out[i].length > into[i]) rank[i] = Math.min(...out[i].map((head) => rank[head])) - 1;
  }
  const lowest = Math.min(0, ...rank);
  return rank.map((each) => each - lowest);
}

/** The boxes and, for edges over several columns, the lanes through these; edges from one box share their lanes. */
function withLanes(boxes, arrows, rank) {
  const nodes = boxes.map((box, i) => ({ rank: rank[i], h: box.h, cluster: box.cluster ?? -1, lane: false, in: [], out: [] }));
  const lanes = new Map();
  const spans = arrows.reduce((sum, [tail, head]) => sum + rank[head] - rank[tail] - 1, 0);
  const routed = spans <= 20 * MOST_LANES;
  const chains = arrows.map(([tail, head]) => {
    const chain = [tail];
    for (let at = rank[tail] + 1; routed && at < rank[head]; at++) {
      const key = `${tail} ${at}`;
      if (!lanes.has(key) && lanes.size < MOST_LANES) {
        lanes.set(key, nodes.length);
        nodes.push({ rank: at, h: LANE, cluster: -1, lane: true, in: [], out: [] });
      }
      if (!lanes.has(key)) break;
      chain.push(lanes.get(key));
    }
    chain.push(head);
    for (let k = 1; k < chain.length; k++) {
      if (nodes[chain[k - 1]].out.includes(chain[k]) && nodes[chain[k]].lane) continue;
      nodes[chain[k - 1]].out.push(chain[k]);
      nodes[chain[k]].in.push(chain[k - 1]);
    }
    return chain;
  });
  const layers = Array.from({ length: Math.max(0, ...rank) + 1 }, () => []);
  nodes.forEach((node, i) => layers[node.rank].push(i));
  return { nodes, layers, chains };
}

/** Put each column into an order in which few edges cross: by the mean place of the neighbours, back and forth. */
function order(net) {
  const { nodes, layers } = net;
  const place = new Float64Array(nodes.length);
  const note = (layer) => layer.forEach((i, k) => (place[i] = k));
  layers.forEach(note);
  const sweeps = nodes.length > 1500 ? 6 : 16;
  let best = layers.map((layer) => layer.slice());
  let fewest = crossings(net, place);
  for (let sweep = 0; sweep < sweeps && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    const side = down ? "in" : "out";
    for (const layer of down ? layers : layers.slice().reverse()) {
      sortBy(layer, nodes, side, place);
      note(layer);
    }
    const crossed = crossings(net, place);
    if (crossed < fewest) {
      fewest = crossed;
      best = layers.map((layer) => layer.slice());
    }
  }
  net.layers = best;
}

/** Sort a column by the mean place of the neighbours; boxes of a cluster stay together. */
function sortBy(layer, nodes, side, place) {
  const mean = new Map();
  const clusters = new Map();
  for (const i of layer) {
    const near = nodes[i][side];
    const at = near.length ? near.reduce((sum, j) => sum + place[j], 0) / near.length : place[i];
    mean.set(i, at);
    const { cluster } = nodes[i];
    if (cluster < 0) continue;
    const sums = clusters.get(cluster) ?? [0, 0];
    clusters.set(cluster, [sums[0] + at, sums[1] + 1]);
  }
  const together = (i) => {
    const sums = clusters.get(nodes[i].cluster);
    return sums ? sums[0] / sums[1] : mean.get(i);
  };
  const keys = new Map(layer.map((i, k) => [i, [together(i), nodes[i].cluster, mean.get(i), k]]));
  layer.sort((i, j) => {
    const [a, b] = [keys.get(i), keys.get(j)];
    for (let k = 0; k < 4; k++) if (a[k] !== b[k]) return a[k] - b[k];
    return 0;
  });
}

/** How many pairs of edges cross: inversions, counted in a tree of partial sums. */
function crossings({ nodes, layers }, place) {
  let total = 0;
  for (const layer of layers) {
    const heads = [];
    let widest = 0;
    for (const i of layer.slice().sort((a, b) => place[a] - place[b])) {
      for (const head of nodes[i].out.map((j) => place[j]).sort((a, b) => a - b)) {
        heads.push(head);
        widest = Math.max(widest, head);
      }
    }
    const tree = new Int32Array(widest + 2);
    heads.forEach((head, k) => {
      let before = 0;
      for (let at = head + 1; at > 0; at -= at & -at) before += tree[at];
      total += k - before;
      for (let at = head + 1; at < tree.length; at += at & -at) tree[at]++;
    });
  }
  return total;
}

/** The height of the middle of each box: near its neighbours, without overlap. */
function heights({ nodes, layers }) {
  const y = new Float64Array(nodes.length);
  const gap = (i, j) => (nodes[i].h + nodes[j].h) / 2 + (nodes[i].lane && nodes[j].lane ? 4 : ROW_GAP);
  const offsets = layers.map((layer) => {
    const at = [0];
    for (let k = 1; k < layer.length; k++) at.push(at[k - 1] + gap(layer[k - 1], layer[k]));
    return at;
  });
  layers.forEach((layer, l) => layer.forEach((i, k) => (y[i] = offsets[l][k] - (offsets[l].at(-1) ?? 0) / 2)));
  const rounds = nodes.length > 3000 ? 8 : 24;
  for (let round = 0; round < rounds; round++) {
    const sides = round >= rounds - 4 ? ["in", "out"] : [round % 2 ? "out" : "in"];
    const down = round % 2 === 0;
    for (let k = 0; k < layers.length; k++) {
      const l = down ? k : layers.length - 1 - k;
      fit(layers[l], offsets[l], nodes, sides, y);
    }
  }
  return y;
}

/** Move a column to where its neighbours pull it, in order and without overlap: the least squares of the moves. */
function fit(layer, offsets, nodes, sides, y) {
  const blocks = [];
  layer.forEach((i, k) => {
    let [sum, weight] = [0, 0];
    for (const side of sides) {
      for (const j of nodes[i][side]) {
        const pull = nodes[i].lane && nodes[j].lane ? 8 : nodes[i].lane || nodes[j].lane ? 2 : 1;
        sum += pull * y[j];
        weight += pull;
      }
    }
    if (!weight) [sum, weight] = [y[i] * 0.1, 0.1];
    const firm = Math.min(weight, 8); // a box with many neighbours is held no harder than a lane
    let block = { sum: (sum / weight - offsets[k]) * firm, weight: firm, size: 1 };
    while (blocks.length && blocks.at(-1).sum / blocks.at(-1).weight >= block.sum / block.weight) {
      const before = blocks.pop();
      block = { sum: before.sum + block.sum, weight: before.weight + block.weight, size: before.size + block.size };
    }
    blocks.push(block);
  });
  let k = 0;
  for (const block of blocks) {
    for (let left = block.size; left; left--, k++) y[layer[k]] = block.sum / block.weight + offsets[k];
  }
}

/** The middle of each column and of its boxes, from left to right; the more edges between two columns, the wider. */
function columns({ nodes, layers }, boxes) {
  const x = new Float64Array(nodes.length);
  const half = new Float64Array(nodes.length); // half the width of the column
  let at = 0;
  for (const layer of layers) {
    const width = Math.max(24, ...layer.filter((i) => !nodes[i].lane).map((i) => boxes[i].w));
    for (const i of layer) [x[i], half[i]] = [at + width / 2, width / 2];
    const out = layer.reduce((sum, i) => sum + nodes[i].out.length, 0);
    at += width + COLUMN_GAP + Math.min(140, out * 1.5);
  }
  return { x, half };
}

/** The result: boxes and ways moved so that all lie right of and under (0, 0). */
function ways(net, boxes, edges, arrows, { x, half }, y) {
  let [top, bottom, right] = [Infinity, -Infinity, 0];
  boxes.forEach((box, i) => {
    top = Math.min(top, y[i] - box.h / 2);
    bottom = Math.max(bottom, y[i] + box.h / 2);
    right = Math.max(right, x[i] + box.w / 2);
  });
  if (!boxes.length) [top, bottom] = [0, 0];
  const made = net.chains.map((chain, e) => {
    const turned = arrows[e][0] !== edges[e].tail;
    const points = chain.flatMap((i, k) => {
      const at = y[i] - top;
      if (k === 0) return [[x[i] + boxes[i].w / 2, at]];
      if (k === chain.length - 1) return [[x[i] - boxes[i].w / 2, at]];
      return [[x[i] - half[i], at], [x[i] + half[i], at]];
    });
    return turned ? points.reverse() : points;
  });
  return {
    x: x.subarray(0, boxes.length),
    y: y.subarray(0, boxes.length).map((each) => each - top),
    ways: made,
    width: right,
    height: bottom - top,
  };
}
