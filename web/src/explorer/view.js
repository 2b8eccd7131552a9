// The canvas: which part of the scene is on the screen, the moves from one layout to the next, mouse and touch.

import { CanvasPen } from "./pens.js";
import { paintScene, paletteNow } from "./picture.js";
import { extent, hit } from "./scene.js";

const [SMALLEST, LARGEST] = [0.04, 3];
const MOVE_TIME = 260; // milliseconds
const MOST_MOVED = 700; // boxes that move to their new places; more jump
const LEGIBLE = 0.5;

export class View {
  /** `on` has `pick({ item, frame }, again)` for what was clicked, and `moved()` when the part on the screen changes. */
  constructor(canvas, on) {
    this.canvas = canvas;
    this.on = on;
    this.scale = 1;
    this.shift = [0, 0]; // of the scene, on the screen
    this.scene = null;
    this.moment = null;
    this.pointers = new Map();
    this.frames = 0; // drawn so far
    this.palette = paletteNow();
    this._listen();
  }

  /** Show another scene. What lies at `anchor` (a function from a scene to a box) stays where it is on the screen. */
  show(scene, anchor) {
    const before = this.scene;
    const from = before && anchor?.(before);
    const to = anchor?.(scene);
    this.scene = scene;
    if (from && to) {
      this.shift[0] += (from.x - to.x) * this.scale;
      this.shift[1] += (from.y - to.y) * this.scale;
    }
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this._move = null;
    if (from && to && !still && scene.items.length <= MOST_MOVED) {
      const away = [to.x - from.x, to.y - from.y];
      const starts = new Map(scene.items.map((item) => {
        const old = before.byId.get(item.id) ?? from;
        return [item, [old.x + away[0] - item.x, old.y + away[1] - item.y]];
      }));
      this._move = { starts, since: performance.now() };
    }
    this.draw();
  }

  /** Show the scene as it is at another moment. */
  tell(moment) {
    this.moment = moment;
    this.draw();
  }

  recolour() {
    this.palette = paletteNow();
    this.draw();
  }

  /** Draw before the next picture of the screen; once, however often it is asked for. */
  draw() {
    this._asked ??= requestAnimationFrame(() => {
      this._asked = undefined;
      this._draw();
    });
  }

  _draw() {
    const { canvas, scene, moment } = this;
    if (!scene || !moment) return;
    const ratio = devicePixelRatio || 1;
    const [w, h] = this.size();
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(h * ratio);
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = this.palette.paper;
    context.fillRect(0, 0, w, h);
    context.translate(...this.shift);
    context.scale(this.scale, this.scale);
    paintScene(new CanvasPen(context, this.palette), this._moving(scene), moment, this.part(), this.scale);
    this.frames++;
    if (this._move) this.draw();
  }

  /** The scene on its way from the last one. */
  _moving(scene) {
    if (!this._move) return scene;
    const done = Math.min(1, (performance.now() - this._move.since) / MOVE_TIME);
    if (done === 1) {
      this._move = null;
      return scene;
    }
    const left = (1 - done) ** 3;
    const off = (item) => this._move.starts.get(item).map((each) => each * left);
    const items = scene.items.map((item) => ({ ...item, x: item.x + off(item)[0], y: item.y + off(item)[1] }));
    const byId = new Map(items.map((item) => [item.id, item]));
    const lines = scene.lines.map((line) => {
      const [tail, head] = [off(line.tail), off(line.head)];
      const last = line.way.length - 1;
      const way = line.way.map(([x, y], k) => [x + tail[0] + ((head[0] - tail[0]) * k) / last, y + tail[1] + ((head[1] - tail[1]) * k) / last]);
      return { ...line, way, box: { left: -Infinity, top: -Infinity, right: Infinity, bottom: Infinity } };
    });
    return { ...scene, items, lines, byId, frames: [] };
  }

  size() {
    return [this.canvas.clientWidth, this.canvas.clientHeight];
  }

  /** The part of the scene that is on the screen. */
  part() {
    const [w, h] = this.size();
    const [[left, top], [right, bottom]] = [this.at(0, 0), this.at(w, h)];
    return { left, top, right, bottom };
  }

  /** The point of the scene at a point of the canvas. */
  at(x, y) {
    return [(x - this.shift[0]) / this.scale, (y - this.shift[1]) / this.scale];
  }

  /** Bring the whole scene onto the screen. */
  fit() {
    const { left, top, right, bottom } = extent(this.scene);
    const [w, h] = this.size();
    this.scale = Math.max(SMALLEST, Math.min(1.3, (w - 48) / (right - left), (h - 48) / (bottom - top)));
    this.shift = [w / 2 - ((left + right) / 2) * this.scale, h / 2 - ((top + bottom) / 2) * this.scale];
    this._changed();
  }

  /** Bring it all onto the screen if it can be read then; or else this box, large enough. */
  begin(item) {
    this.fit();
    if (this.scale >= LEGIBLE || !item) return;
    this.scale = LEGIBLE + 0.2;
    this.centre(item);
  }

  centre({ x, y }) {
    const [w, h] = this.size();
    this.shift = [w / 2 - x * this.scale, h / 2 - y * this.scale];
    this._changed();
  }

  /** Move just so far that this box is on the screen. */
  reveal({ x, y, w, h }) {
    const size = this.size();
    [[x, w], [y, h]].forEach(([at, extent_], axis) => {
      const [low, high] = [-1, 1].map((side) => (at + (side * extent_) / 2) * this.scale + this.shift[axis]);
      if (low < 24) this.shift[axis] += 24 - low + Math.min(120, size[axis] / 4);
      else if (high > size[axis] - 24) this.shift[axis] -= high - size[axis] + 24 + Math.min(120, size[axis] / 4);
    });
    this._changed();
  }

  /** Zoom by a factor; the point of the canvas stays, which is its middle if none is given. */
  zoom(factor, x = this.size()[0] / 2, y = this.size()[1] / 2) {
    const scale = Math.max(SMALLEST, Math.min(LARGEST, this.scale * factor));
    this.shift = [x - ((x - this.shift[0]) * scale) / this.scale, y - ((y - this.shift[1]) * scale) / this.scale];
    this.scale = scale;
    this._changed();
  }

  pan(dx, dy) {
    this.shift = [this.shift[0] + dx, this.shift[1] + dy];
    this._changed();
  }

  _changed() {
    this.draw();
    this.on.moved?.();
  }

  _listen() {
    const { canvas, pointers } = this;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (event.shiftKey) this.pan(-event.deltaY - event.deltaX, 0);
      else this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), ...place(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, place(event));
      this._moved = false;
    });
    canvas.addEventListener("pointermove", (event) => {
      const was = pointers.get(event.pointerId);
      const now = place(event);
      if (!was) {
        const found = this.scene ? hit(this.scene, ...this.at(...now)) : {};
        canvas.style.cursor = found.item || found.frame ? "pointer" : "grab";
        return;
      }
      if (!this._moved && Math.hypot(now[0] - was[0], now[1] - was[1]) < 4) return;
      this._moved = true;
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      if (other) this.zoom(Math.hypot(now[0] - other[0], now[1] - other[1]) / Math.hypot(was[0] - other[0], was[1] - other[1]), ...other);
      else this.pan(now[0] - was[0], now[1] - was[1]);
      pointers.set(event.pointerId, now);
    });
    const up = (event) => {
      if (pointers.delete(event.pointerId) && !this._moved && event.type === "pointerup") {
        this.on.pick(hit(this.scene, ...this.at(...place(event))));
      }
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
  }
}
