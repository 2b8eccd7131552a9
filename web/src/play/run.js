// One run: the session on the server that trains it, and what has been heard of it.
import { bytes, floats } from "./numbers.js";

const TOKEN = new URLSearchParams(location.search).get("token") ?? "";

/** Ask the server; return what it answers, or throw an Error with its sentence. */
export async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { "X-Token": TOKEN, ...options.headers } });
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Error(told.error ?? `the server answers with ${answer.status}`);
}

/** Show somebody what went wrong. */
export const trouble = (error) => dispatchEvent(new CustomEvent("trouble", { detail: error.message ?? String(error) }));

export const withToken = (path) => `${path}${path.includes("?") ? "&" : "?"}token=${encodeURIComponent(TOKEN)}`;

const json = (body) => ({ method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

export class Run {
  state = null; // as the server told it last
  newest = null; // frame, as it came
  frame = null; // the newest one, unpacked
  due = null; // the drawing of it
  rows = []; // of the history: epoch, loss, accuracy, test loss, test accuracy, learning rate
  closed = "";
  epochs = 0; // grows with each clear of the history

  /** Open a session: `what` is {query} or a saved session. */
  static async open(what) {
    const answer = await ask("/sessions", json(what));
    return new Run((await answer.json()).name);
  }

  constructor(name) {
    this.name = name;
    this.path = `/sessions/${name}`;
    this.listeners = new Set();
    this.waiting = new Map(); // newest fields for a message that is under way
    this.source = new EventSource(withToken(`${this.path}/stream`));
    this.source.onmessage = (event) => this.hear(JSON.parse(event.data));
  }

  /** Call `listener(what)` with "state", "frame" or "closed"; return how to stop. */
  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell(what) {
    for (const listener of this.listeners) listener(what, this);
  }

  hear({ state, frame, closed }) {
    if (closed) {
      this.closed = closed;
      this.source.close();
      this.tell("closed");
      return;
    }
    if (state) {
      const { x, y, held } = state.points;
      this.state = { ...state, points: { x: floats(x), y: floats(y), held: bytes(held) } };
    }
    if (frame) {
      if (frame.clear) this.rows = [];
      this.rows.push(...frame.rows);
      this.newest = frame;
      if (state) this.unpack(); // they belong together
      this.due ??= requestAnimationFrame(() => this.draw()); // frames that come faster than that are let go
    }
    if (state) this.tell("state");
  }

  /** Tell of the newest frame. */
  draw() {
    this.due = null;
    this.unpack();
    this.tell("frame");
  }

  unpack() {
    const frame = this.newest;
    this.frame = {
      ...frame,
      weights: frame.weights ? floats(frame.weights) : null,
      units: frame.units ? bytes(frame.units) : null,
      map: frame.map ? bytes(frame.map) : null,
      winner: frame.winner ? bytes(frame.winner) : null,
    };
  }

  /** Send a message and wait until it is done. */
  post(message, fields = {}) {
    return ask(`${this.path}/${message}`, json(fields));
  }

  /** Send a message; while one of the same key is under way keep only the newest. */
  async send(message, fields, key = message) {
    if (this.waiting.has(key)) {
      this.waiting.set(key, fields);
      return;
    }
    this.waiting.set(key, null);
    try {
      for (let next = fields; next; next = this.waiting.get(key), this.waiting.set(key, null)) {
        await this.post(message, next);
      }
    } finally {
      this.waiting.delete(key);
    }
  }

  /** End the session; works while the page goes away. */
  close() {
    this.source.close();
    navigator.sendBeacon(withToken(`${this.path}/close`));
  }

  /** Where each layer's numbers begin among the weights: neuron j has its weights, then its bias. */
  place(layer, neuron, input = null) {
    const { sizes } = this.state;
    let begin = 0;
    for (let l = 0; l < layer; l++) begin += (sizes[l] + 1) * sizes[l + 1];
    return begin + neuron * (sizes[layer] + 1) + (input ?? sizes[layer]);
  }

  /** The number of a unit among all: inputs first, then layer by layer. */
  unit(level, index) {
    return this.state.sizes.slice(0, level).reduce((sum, size) => sum + size, 0) + index;
  }
}
