// The parameters after each epoch of a training, and the gradients that this graph has with them.

import { numberOf, unpack } from "./graph.js";
import { Numbers } from "./numbers.js";

export class Record {
  constructor(data, graph, arithmetic) {
    this.epochs = data.epochs;
    this.losses = data.losses.map(numberOf);
    this.parameters = data.parameters;
    this.weights = unpack(data.weights);
    this.at = this.epochs.length - 1; // the moment that is shown
    this._columns = new Map(this.parameters.map((i, column) => [i, column]));
    this._gradients = [];
    this._scratch = () => new Numbers(graph, arithmetic);
  }

  /** The column of a parameter; -1 for what was not recorded. */
  column(i) {
    return this._columns.get(i) ?? -1;
  }

  /** Put the weights of moment k into these numbers; they have to be computed then. */
  put(k, numbers) {
    const many = this.parameters.length;
    this.parameters.forEach((i, column) => (numbers.data[i] = this.weights[k * many + column]));
  }

  values(i) {
    return this.epochs.map((_, k) => this.weights[k * this.parameters.length + this.column(i)]);
  }

  /** The gradient at each moment, as far as they are computed; nan for the others. */
  gradients(i) {
    return this.epochs.map((_, k) => this._gradients[k]?.[this.column(i)] ?? NaN);
  }

  /** Compute the gradients of all moments, a little at a time; `told` is called on the way. Returns how to stop. */
  fill(told) {
    let [stopped, numbers] = [false, null];
    const go = () => {
      if (stopped) return;
      const since = performance.now();
      numbers ??= this._gradients.length < this.epochs.length ? this._scratch() : null;
      while (this._gradients.length < this.epochs.length && performance.now() - since < 12) {
        this.put(this._gradients.length, numbers);
        numbers.compute();
        this._gradients.push(Float64Array.from(this.parameters, (i) => numbers.grad[i]));
      }
      told();
      if (this._gradients.length < this.epochs.length) setTimeout(go);
    };
    const first = setTimeout(go);
    return () => {
      stopped = true;
      clearTimeout(first);
    };
  }
}
