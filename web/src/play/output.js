// The output of a run: its numbers, the plane with map and points, and the tools for the points.
import { html, useEffect, useRef, useState } from "../shared/ui.js";
import { onThemeChange } from "../shared/theme.js";
import { classColour, diverging } from "./colours.js";
import { useNews } from "./controls.js";
import { percent, short } from "./numbers.js";
import { drawPoints, nearest, showMap, valueAt } from "./plane.js";
import { trouble } from "./run.js";

const PIXELS = 600; // of the canvas of points, however large it is shown
const TOOLS = [
  ["inspect", "Inspect", "Click a point to choose it for the explorer"],
  ["paint", "Paint", "Click or draw to add points"],
  ["move", "Move", "Drag a point to another place"],
  ["erase", "Erase", "Click or draw to delete points"],
];

/** Losses and accuracies as they are now. */
export function Scores({ run }) {
  useNews(run, "frame", 15);
  const now = run.frame?.now ?? {};
  const regression = run.state.settings.kind === "regression";
  const share = regression ? (n) => short(n) : percent;
  return html`<table class="scores"><thead><tr><td></td><th>loss</th><th>${regression ? "R²" : "accuracy"}</th></tr></thead><tbody>
    <tr><th>training</th><td id="loss_now">${short(now.loss)}</td><td id="accuracy_now">${share(now.accuracy)}</td></tr>
    <tr><th>test</th><td>${short(now.test_loss)}</td><td>${share(now.test_accuracy)}</td></tr></tbody></table>`;
}

/** How often each class was taken for each. */
export function Confusion({ run }) {
  useNews(run, "frame", 5);
  const table = run.frame?.confusion ?? [];
  if (!table.length) return null;
  const { classes } = run.state;
  const tested = run.frame.now?.test_loss !== null;
  return html`<table class="confusion"><caption>${tested ? "Test" : "Training"} points: class, and what it is taken for</caption>
    <thead><tr><td></td>${classes.map((name, k) => html`<th style=${{ color: classColour(k) }}>${name}</th>`)}</tr></thead>
    <tbody>${table.map((row, i) => html`<tr><th style=${{ color: classColour(i) }}>${classes[i]}</th>
      ${row.map((count, j) => html`<td class=${i === j ? "right" : count ? "wrong" : ""}>${count}</td>`)}</tr>`)}</tbody></table>`;
}

/** Which colour means what. */
export function Key({ run }) {
  useNews(run, "state");
  const canvas = useRef();
  const several = run.state.outputs > 1;
  useEffect(() => {
    const draw = () => {
      if (!canvas.current) return;
      const context = canvas.current.getContext("2d");
      for (let shade = 0; shade < 255; shade++) {
        context.fillStyle = `rgb(${diverging()[shade].join(" ")})`;
        context.fillRect(shade, 0, 1, 10);
      }
    };
    draw();
    return onThemeChange(draw);
  }, [several]);
  const { kind, loss } = run.state.settings;
  const probable = kind === "classification" && ["cross_entropy", "bce"].includes(loss);
  if (several) {
    return html`<div class="key">${run.state.classes.map((name, k) => html`<span><i style=${{ background: classColour(k) }}></i>${name}</span>`)}</div>`;
  }
  const ends = probable ? ["0 %", `probability of class ${run.state.classes[1] ?? 1}`, "100 %"] : ["−1", "output", "1"];
  return html`<div class="key"><span>${ends[0]}</span><canvas ref=${canvas} width="255" height="10" title=${ends[1]}></canvas><span>${ends[2]}</span></div>`;
}

/** The plane of a run. `tool` is what the mouse and the keys do there. */
export function Plane({ run, tool, brush, point, choosePoint, label }) {
  useNews(run, "state");
  const [map, dots] = [useRef(), useRef()];
  const [told, tell] = useState("");
  const [cross, setCross] = useState(null);
  const held = useRef({ moving: -1, last: null, erased: new Set() });
  const { state } = run;
  const s = state.settings;

  useEffect(() => {
    const draw = () => showMap(map.current, run.frame, run.state.settings.discretize);
    draw();
    const stops = [run.listen((what) => what === "frame" && draw()), onThemeChange(draw)];
    return () => stops.forEach((stop) => stop());
  }, [run, state]);
  useEffect(() => {
    const draw = () => drawPoints(dots.current, run.state, { chosen: point, cross, scale: PIXELS / Math.max(120, dots.current.clientWidth) });
    draw();
    return onThemeChange(draw);
  }, [run, state, point, cross]);

  const placeOf = (event) => {
    const box = dots.current.getBoundingClientRect();
    const inside = (value) => Math.max(-state.reach, Math.min(state.reach, (2 * value - 1) * state.reach));
    return [inside((event.clientX - box.left) / box.width), -inside((event.clientY - box.top) / box.height)];
  };
  const within = (pixels) => (pixels / dots.current.clientWidth) * 2 * state.reach;

  const begin = (place) => {
    const at = held.current;
    if (tool === "inspect") {
      const found = nearest(state, place, within(14));
      if (found >= 0) choosePoint(found);
    } else if (tool === "paint") {
      at.last = place;
      run.post("add", { rows: [[...place, brush]] }).catch(trouble);
    } else if (tool === "move") {
      at.moving = nearest(state, place, within(14));
      if (at.moving >= 0) choosePoint(at.moving);
    } else erase(place);
  };
  const erase = (place) => {
    const found = nearest(state, place, within(12));
    const { x } = state.points;
    const mark = `${x[2 * found]} ${x[2 * found + 1]}`; // a point that was asked for already is gone soon
    if (found < 0 || held.current.erased.has(mark)) return;
    held.current.erased.add(mark);
    run.post("delete", { indices: [found] }).catch(trouble);
  };
  const drag = (place) => {
    const at = held.current;
    if (tool === "paint" && at.last && Math.hypot(place[0] - at.last[0], place[1] - at.last[1]) > within(11)) {
      at.last = place;
      run.post("add", { rows: [[...place, brush]] }).catch(trouble);
    } else if (tool === "move" && at.moving >= 0) {
      run.send("move", { index: at.moving, to: place }, "move").catch(trouble);
    } else if (tool === "erase") erase(place);
  };
  const end = () => (held.current = { moving: -1, last: null, erased: new Set() });

  const hover = (event) => {
    const place = placeOf(event);
    if (event.buttons) drag(place);
    const found = valueAt(state, run.frame, place);
    const { mean, deviation } = state.scaling;
    const [x1, x2] = place.map((value, i) => short(mean[i] + deviation[i] * value, 2));
    const what = !found ? "no number"
      : found.winner !== null ? `class ${state.classes[found.winner]}`
      : s.kind === "classification" && ["cross_entropy", "bce"].includes(s.loss) ? `class ${state.classes[1]} with ${percent((found.value + 1) / 2)}`
      : short(found.value, 2);
    tell(`${state.axes[0]} = ${x1}, ${state.axes[1]} = ${x2}: ${what}`);
  };
  const keys = (event) => {
    const by = (event.shiftKey ? 0.2 : 0.04) * state.reach;
    const steps = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, by], ArrowDown: [0, -by] };
    const place = cross ?? [0, 0];
    if (steps[event.key]) {
      const next = place.map((value, i) => Math.max(-state.reach, Math.min(state.reach, value + steps[event.key][i])));
      setCross(next);
      if (tool === "move" && held.current.moving >= 0) drag(next);
    } else if (event.key === "Enter") {
      if (tool === "move" && held.current.moving >= 0) return end();
      begin(place);
      if (tool !== "move") end();
    } else if (event.key === "Escape") end();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<figure class="plane">
    <div class="square">
      <canvas ref=${map} class=${`map ${s.discretize ? "discrete" : ""}`} width="100" height="100"></canvas>
      <canvas ref=${dots} class=${`dots ${tool}`} width=${PIXELS} height=${PIXELS} tabindex="0" role="application"
        aria-label=${`${label}: arrows move a cross, Enter uses the tool there`}
        onPointerDown=${(event) => { event.target.setPointerCapture(event.pointerId); begin(placeOf(event)); }}
        onPointerMove=${hover} onPointerUp=${end} onPointerCancel=${end} onPointerLeave=${() => tell("")}
        onKeyDown=${keys} onBlur=${() => setCross(null)}></canvas>
    </div>
    <figcaption class="quiet">${told || `${state.axes[0]} to the right, ${state.axes[1]} upwards`}</figcaption>
  </figure>`;
}

/** The tools for points. */
export function Tools({ run, tool, pick, brush, take }) {
  useNews(run, "state");
  const { kind, count } = { ...run.state.settings, count: run.state.classes.length };
  return html`<div class="tools" role="group" aria-label="What the mouse does to points">
    ${TOOLS.map(([name, text, title]) => html`<button data-tool=${name} aria-pressed=${tool === name} title=${title} onClick=${() => pick(name)}>${text}</button>`)}
    ${tool === "paint" && kind === "classification" && html`<span class="brushes" role="group" aria-label="Class to paint">
      ${Array.from({ length: count }, (_, k) => html`<button class="brush" aria-pressed=${brush === k} aria-label=${`class ${run.state.classes[k]}`}
        data-brush=${k} onClick=${() => take(k)}><i style=${{ background: classColour(k) }}></i>${run.state.classes[k]}</button>`)}</span>`}
    ${tool === "paint" && kind === "regression" && html`<label class="field">target <input id="brush" type="number" min="-1" max="1" step="0.1" value=${brush}
      onChange=${(event) => take(Number(event.target.value))} /></label>`}
    ${(tool === "erase" || tool === "paint") && html`<button id="clear" onClick=${() => run.post("clear").catch(trouble)}>Delete all</button>`}
  </div>`;
}
