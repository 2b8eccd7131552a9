// The graph as it was written: operations, arguments and users in flat arrays. Value i reads args[start[i]] up to
// args[start[i + 1]]: other Values, or by ~k the plain number k.

const KINDS = { B: Uint8Array, i: Int32Array, d: Float64Array };
const PLACE = /layers\[(\d+)\]\.neurons\[(\d+)\]\.(?:(b)|w\[(\d+)\])$/;
const NOT_FINITE = { inf: Infinity, "-inf": -Infinity, nan: NaN };

/** The array of numbers that was packed as base64 of its bytes. */
export function unpack({ kind, bytes }) {
  const raw = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
  return new KINDS[kind](raw.buffer);
}

/** A number that JSON could not hold was written as text. */
export function numberOf(written) {
  return typeof written === "string" ? NOT_FINITE[written] : written;
}

export class Graph {
  constructor(data) {
    this.title = data.title;
    this.count = data.count;
    this.rules = data.rules;
    this.codes = unpack(data.codes);
    this.args = unpack(data.args);
    this.numbers = unpack(data.numbers);
    this.outputs = data.outputs;
    this.isOutput = new Set(data.outputs);
    this.parameters = new Set(data.parameters);
    this.frozen = new Set(data.frozen);
    this.labels = data.labels;
    this.own = data.own;
    this.start = new Int32Array(this.count + 1);
    for (let i = 0; i < this.count; i++) {
      this.start[i + 1] = this.start[i] + (this.codes[i] ? this.rules[this.codes[i] - 1].arity : 0);
    }
    this.leaves = [];
    this.operation = new Int32Array(this.count); // the number of a Value among those computed, or among the leaves
    for (let i = 0; i < this.count; i++) {
      if (!this.codes[i]) this.leaves.push(i);
      this.operation[i] = this.codes[i] ? i + 1 - this.leaves.length : this.leaves.length;
    }
    this.given = new Float64Array(this.count); // what the leaves held when the page was written
    unpack(data.leaves).forEach((number, k) => (this.given[this.leaves[k]] = number));
    this._findUsers();
  }

  /** Find for each Value the places among `args` at which it is read, the last user first, as backward() meets them. */
  _findUsers() {
    const counts = new Int32Array(this.count + 1);
    for (const arg of this.args) if (arg >= 0) counts[arg + 1]++;
    for (let i = 0; i < this.count; i++) counts[i + 1] += counts[i];
    this.useStart = counts.slice();
    this.uses = new Int32Array(counts[this.count]); // indices into args
    this.userOf = new Int32Array(this.args.length);
    const next = counts.slice();
    for (let user = this.count - 1; user >= 0; user--) {
      for (let k = this.start[user]; k < this.start[user + 1]; k++) {
        this.userOf[k] = user;
        if (this.args[k] >= 0) this.uses[next[this.args[k]]++] = k;
      }
    }
  }

  /** What made Value i, a row of the table; undefined for a leaf. */
  rule(i) {
    return this.rules[this.codes[i] - 1];
  }

  /** The places among `args` at which Value i is read. */
  usesOf(i) {
    return this.uses.subarray(this.useStart[i], this.useStart[i + 1]);
  }

  /** The Values that Value i reads, each once. */
  argsOf(i) {
    return [...new Set(this.args.subarray(this.start[i], this.start[i + 1]))].filter((arg) => arg >= 0);
  }

  /** The Values that read Value i, each once. */
  usersOf(i) {
    return [...new Set(Array.from(this.usesOf(i), (k) => this.userOf[k]))];
  }

  /** The whole label, such as layers[0].neurons[3].w[1]; empty if there is none. */
  label(i) {
    return this.labels[i] ?? "";
  }

  /** A short name for formulas: w1[2,0] as the compiler names layers[0].neurons[2].w[0]; else the last part of the label; or v and the number of the operation, n and that of a leaf. */
  name(i) {
    const label = this.labels[i];
    const place = label && PLACE.exec(label);
    if (place) return place[3] === "b" ? `b${+place[1] + 1}[${place[2]}]` : `w${+place[1] + 1}[${place[2]},${place[4]}]`;
    return label ? label.slice(label.lastIndexOf(".") + 1) : this.codes[i] ? `v${this.operation[i]}` : `n${this.operation[i]}`;
  }

  /** parameter, input, output or value. */
  kind(i) {
    if (this.parameters.has(i)) return "parameter";
    if (!this.codes[i]) return "input";
    return this.isOutput.has(i) ? "output" : "value";
  }

  /** The name of what is differentiated. */
  get end() {
    return this.outputs.length === 1 ? this.name(this.outputs[0]) : "the sum of the outputs";
  }
}
