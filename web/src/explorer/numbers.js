// Every value and every gradient of a graph, computed from its leaves with the arithmetic that was made from the table.

import { numberOf } from "./graph.js";

export class Numbers {
  constructor(graph, arithmetic) {
    this.graph = graph;
    this.data = Float64Array.from(graph.given);
    this.grad = new Float64Array(graph.count);
    this.slopes = new Float64Array(graph.args.length); // of each user by each argument
    this.shares = new Float64Array(graph.args.length); // slope times the gradient of the user
    this._forward = graph.rules.map((rule) => arithmetic.forward[rule.name]);
    this._partials = graph.rules.map((rule) => arithmetic.partials[rule.name]);
    this._own = new Map(Object.entries(graph.own).map(([i, own]) => [Number(i), own.slopes.map(numberOf)]));
    for (const [i, own] of Object.entries(graph.own)) this.data[i] = numberOf(own.data);
    this.compute();
  }

  /** Fill in all values, and then all gradients. */
  compute() {
    this.forward(this.data, 0);
    this.backward();
  }

  /** The number at a place among the arguments. */
  argument(k, data = this.data) {
    const arg = this.graph.args[k];
    return arg >= 0 ? data[arg] : this.graph.numbers[~arg];
  }

  /** Compute the values from Value `first` on; what an operation of one's own made stays. */
  forward(data, first) {
    const { codes, start, args, numbers, count } = this.graph;
    const at = (k) => (args[k] >= 0 ? data[args[k]] : numbers[~args[k]]);
    for (let i = first; i < count; i++) {
      if (!codes[i] || this._own.has(i)) continue;
      const k = start[i];
      const many = start[i + 1] - k;
      data[i] = this._forward[codes[i] - 1](at(k), many > 1 ? at(k + 1) : 0, many > 2 ? at(k + 2) : 0);
    }
  }

  /** Apply the chain rule from the outputs back, in the order and by the rules of the engine. */
  backward() {
    const { codes, start, args, count, rules, outputs } = this.graph;
    const { data, grad, slopes, shares } = this;
    grad.fill(0);
    shares.fill(0);
    const reached = new Uint8Array(count);
    for (const i of outputs) {
      grad[i] += 1;
      reached[i] = 1;
    }
    for (let i = count - 1; i >= 0; i--) {
      if (!codes[i]) continue;
      const rule = rules[codes[i] - 1];
      const [a, b, c] = [0, 1, 2].map((place) => (place < rule.arity ? this.argument(start[i] + place) : 0));
      for (let k = start[i]; k < start[i + 1]; k++) {
        const place = k - start[i];
        const slope = this._own.has(i)
          ? this._own.get(i)[place] ?? NaN
          : this._partials[codes[i] - 1][place](data[i], a, b, c);
        slopes[k] = slope;
        if (!reached[i] || args[k] < 0 || rule.flat) continue;
        shares[k] = slope || !rule.selects ? slope * grad[i] : 0;
        grad[args[k]] += shares[k];
        reached[args[k]] = 1;
      }
    }
  }

  /** What is differentiated: the output, or the sum of them. */
  total(data = this.data) {
    return this.graph.outputs.reduce((sum, i) => sum + data[i], 0);
  }

  /** The output if Value i were another number, and all that depends on it were computed again. */
  totalAt(i, number) {
    const data = Float64Array.from(this.data);
    data[i] = number;
    this.forward(data, i + 1);
    return this.total(data);
  }

  /** The derivative by differences, from both sides and from each: { central, left, right, h }. */
  differences(i) {
    const x = this.data[i];
    const h = 6e-6 * Math.max(1, Math.abs(x)); // about the cube root of the precision
    const [low, here, high] = [this.totalAt(i, x - h), this.total(), this.totalAt(i, x + h)];
    return { h, central: (high - low) / (x + h - (x - h)), left: (here - low) / h, right: (high - here) / h };
  }
}

/** The value of a tree of operations, with numbers for its variables. */
export function evaluate(tree, values, forward = globalThis.arithmetic.forward) {
  if (typeof tree === "number") return tree;
  if (typeof tree === "string") return tree in values ? values[tree] : numberOf(tree);
  const [name, ...args] = tree;
  return forward[name](...args.map((arg) => evaluate(arg, values, forward)));
}

/** What a step of an optimiser makes of parameter i: its next number and memory. */
export function updated(update, numbers, i) {
  const memory = update.memory[i] ?? update.start ?? [0];
  const values = { value: numbers.data[i], slope: numbers.grad[i], lr: update.lr, step: update.step };
  memory.forEach((number, k) => (values[`m${k}`] = numberOf(number)));
  return { values, value: evaluate(update.rule.value, values), memory: update.rule.memory.map((tree) => evaluate(tree, values)) };
}
