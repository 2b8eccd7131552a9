// The order in which things happen: forward through the operations, backward through all Values, then the updates.

export class Steps {
  constructor(graph) {
    this.graph = graph;
    this.forward = [];
    for (let i = 0; i < graph.count; i++) if (graph.codes[i]) this.forward.push(i);
    this.changed = (graph.parameters.size ? [...graph.parameters] : graph.leaves).filter((i) => !graph.frozen.has(i));
    this.ends = [this.forward.length, this.forward.length + graph.count];
    this.last = this.ends[1] + this.changed.length;
    this._forwardAt = new Int32Array(graph.count); // after which step a value is there; leaves from the start
    this.forward.forEach((i, k) => (this._forwardAt[i] = k + 1));
    this._changedAt = new Map(this.changed.map((i, k) => [i, this.ends[1] + k + 1]));
  }

  /** What happens in step t: { kind, value }. Step 0 is the start, after which every step is one operation. */
  at(t) {
    if (t <= 0) return { kind: "start", value: -1 };
    if (t <= this.ends[0]) return { kind: "forward", value: this.forward[t - 1] };
    if (t <= this.ends[1]) return { kind: "backward", value: this.graph.count - (t - this.ends[0]) };
    return { kind: "update", value: this.changed[t - this.ends[1] - 1] };
  }

  /** Whether the value of Value i is there after step t. */
  hasValue(i, t) {
    return this._forwardAt[i] <= t;
  }

  /** Whether its gradient is there. */
  hasGrad(i, t) {
    return t >= this.gradAt(i);
  }

  hasUpdate(i, t) {
    return this._changedAt.has(i) && this._changedAt.get(i) <= t;
  }

  /** The step that computes the value, and that which computes the gradient of Value i. */
  valueAt(i) {
    return this._forwardAt[i];
  }

  gradAt(i) {
    return this.ends[0] + this.graph.count - i;
  }

  /** The next step after t, forwards or backwards, in which something else happens than in the box of step t. */
  next(t, direction, boxOf) {
    const here = boxOf && this.at(t);
    let to = t + direction;
    while (here && to > 0 && to < this.last) {
      const there = this.at(to);
      if (there.kind !== here.kind || boxOf(there.value) !== boxOf(here.value)) break;
      to += direction;
    }
    return Math.max(0, Math.min(this.last, to));
  }
}
