// The network: features, layers and output, each unit with its map, each weight a line. Lines and maps are drawn anew
// while training runs, past Preact, which only places them.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../shared/ui.js";
import { onThemeChange } from "../shared/theme.js";
import { lineColour, signColour } from "./colours.js";
import { random, useNews } from "./controls.js";
import { short, words } from "./numbers.js";
import { paintShades } from "./plane.js";

const HEAD = 86; // pixels above the units, for the controls of each layer
const RATE = 12; // times a second that lines and small maps are drawn; the eye follows the large map
const MOST_LINES = 1500; // more are drawn for the chosen unit alone

/** Where everything stands: columns of units with their places and size. */
function layout(state, choices, width) {
  const names = choices.features.map((each) => each.name);
  const columns = [names.length, ...state.settings.hidden, state.outputs];
  const most = Math.max(...columns);
  const size = Math.max(18, Math.min(38, Math.floor(430 / most) - 8));
  const gap = Math.max(4, Math.min(16, Math.floor(460 / most) - size));
  const left = 74;
  const step = Math.max(88, (width - left - size - 44) / (columns.length - 1));
  const at = columns.map((count, c) =>
    Array.from({ length: count }, (_, i) => ({ x: left + c * step, y: HEAD + i * (size + gap) })),
  );
  return { at, size, step, width: Math.max(width, left + (columns.length - 1) * step + size + 44), height: HEAD + most * (size + gap) + 10 };
}

/** The unit of the network at a place of a column; -1 for a feature that is not chosen. */
function levelIndex(state, choices, column, i) {
  return column === 0 ? state.settings.features.indexOf(choices.features[i].name) : i;
}

function linesOf(state, choices, plan, chosen) {
  const lines = [];
  const active = choices.features.map((_, i) => i).filter((i) => levelIndex(state, choices, 0, i) >= 0);
  const total = state.parameters;
  for (let l = 0; l + 1 < plan.at.length; l++) {
    const from = l === 0 ? active : plan.at[l].map((_, i) => i);
    for (let j = 0; j < plan.at[l + 1].length; j++) {
      from.forEach((place, i) => {
        const near = chosen && ((chosen.level === l + 1 && chosen.index === j) || (chosen.level === l && chosen.index === i));
        if (total > MOST_LINES && !near) return;
        const [a, b] = [plan.at[l][place], plan.at[l + 1][j]];
        const [x1, y1, x2, y2] = [a.x + plan.size, a.y + plan.size / 2, b.x, b.y + plan.size / 2];
        const bend = (x2 - x1) / 2;
        lines.push({ layer: l, neuron: j, input: i, d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` });
      });
    }
  }
  return lines;
}

export const nameOf = (chosen, weight = null) =>
  `layers[${chosen.level - 1}].neurons[${chosen.index}]${weight === null ? "" : weight === "b" ? ".b" : `.w[${weight}]`}`;

/** What a unit is called on the page. */
export function titleOf(state, level, index) {
  if (level === 0) return state.inputs[index];
  if (level === state.sizes.length - 1) return state.outputs === 1 ? "output" : `output ${index}`;
  return `layer ${level}, neuron ${index + 1}`;
}

export function Network({ run, set, setAll, choices, chosen, choose, look }) {
  useNews(run, "state");
  const box = useRef();
  const art = useRef();
  const [width, measure] = useState(600);
  const [tip, tell] = useState(null);
  const { state } = run;
  const { settings: s, sizes } = state;
  const { most } = choices;
  const plan = layout(state, choices, width);
  const last = plan.at.length - 1;
  const lines = linesOf(state, choices, plan, chosen);

  useLayoutEffect(() => {
    const watch = new ResizeObserver(([entry]) => measure(Math.floor(entry.contentRect.width)));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);

  useEffect(() => {
    const draw = () => {
      const { frame } = run;
      if (!frame?.weights || !art.current) return;
      const count = run.state.sizes.reduce((sum, size) => sum + size, 0);
      if (frame.units.length !== count * frame.cells ** 2 || frame.weights.length !== run.state.parameters) return;
      for (const path of art.current.querySelectorAll("path.line")) {
        const value = frame.weights[Number(path.dataset.place)];
        path.style.stroke = lineColour(value);
        path.style.strokeWidth = Math.min(9, 0.5 + 2.2 * Math.abs(value)).toFixed(2);
        path.style.strokeOpacity = Math.min(1, 0.25 + 0.6 * Math.abs(value)).toFixed(2);
      }
      for (const canvas of art.current.querySelectorAll("canvas[data-unit]")) {
        if (canvas.width !== frame.cells) canvas.width = canvas.height = frame.cells;
        const unit = Number(canvas.dataset.unit);
        if ((unit + 1) * frame.cells ** 2 > frame.units.length) continue; // of a network that was there a moment ago
        paintShades(canvas, frame.units, { cells: frame.cells, at: unit * frame.cells ** 2, discretize: s.discretize });
      }
      for (const square of art.current.querySelectorAll(".bias")) {
        square.style.background = signColour(frame.weights[Number(square.dataset.place)]);
      }
    };
    let timer = 0;
    const soon = (what) => {
      if (what !== "frame" || timer) return;
      timer = setTimeout(() => {
        timer = 0;
        draw();
      }, 1000 / RATE);
    };
    draw();
    const stops = [run.listen(soon), onThemeChange(draw)];
    return () => {
      stops.forEach((stop) => stop());
      clearTimeout(timer);
    };
  });

  const toggle = (name) => {
    const features = s.features.includes(name) ? s.features.filter((each) => each !== name) : [...s.features, name];
    set({ features });
  };
  const resize = (layer, by) => set({ hidden: s.hidden.map((size, l) => (l === layer ? size + by : size)) });
  const hover = (event) => {
    const path = event.target.closest?.("[data-line]");
    if (!path || !run.frame?.weights) return tell(null);
    const line = lines[Number(path.dataset.line)];
    const value = run.frame.weights[run.place(line.layer, line.neuron, line.input)];
    const box = art.current.getBoundingClientRect();
    tell({
      x: event.clientX - box.left, y: event.clientY - box.top,
      text: `${titleOf(state, line.layer, line.input)} → ${titleOf(state, line.layer + 1, line.neuron)}: weight ${short(value)}`,
    });
  };
  const pick = (event) => {
    const path = event.target.closest?.("[data-line]");
    if (!path) return;
    const line = lines[Number(path.dataset.line)];
    choose({ level: line.layer + 1, index: line.neuron, weight: line.input });
  };
  const unit = (column, i) => {
    const { x, y } = plan.at[column][i];
    const index = levelIndex(state, choices, column, i);
    const off = index < 0;
    const shown = { level: column, index };
    const is = chosen && chosen.level === column && chosen.index === index;
    const title = column === 0 ? choices.features[i].label : titleOf(state, column, index);
    const place = column && !off ? run.place(column - 1, index) : -1;
    const act = () => (column === 0 ? toggle(choices.features[i].name) : choose({ ...shown, weight: "b" }));
    return html`<button key=${`${column} ${i}`} class=${`unit ${off ? "off" : ""} ${is ? "chosen" : ""}`}
      style=${{ left: `${x}px`, top: `${y}px`, width: `${plan.size}px`, height: `${plan.size}px` }}
      aria-pressed=${column === 0 ? !off : !!is} data-level=${column} data-index=${i}
      aria-label=${column === 0 ? `Feature ${title}` : title} title=${column === 0 ? `${title}: click to ${off ? "add" : "remove"} it` : `${title}: hover to see it large, click for its numbers`}
      onClick=${act} onMouseEnter=${() => !off && look(run.unit(column, index))} onMouseLeave=${() => look(null)}
      onFocus=${() => !off && look(run.unit(column, index))} onBlur=${() => look(null)}>
      ${!off && html`<canvas data-unit=${run.unit(column, index)} width="24" height="24"></canvas>`}
      ${place >= 0 && html`<span class="bias" data-place=${place}></span>`}
    </button>${column === 0 && html`<span class=${`feature ${off ? "off" : ""}`} style=${{ top: `${y + plan.size / 2}px` }}>${title}</span>`}`;
  };

  return html`<section class="network" aria-label="Network" ref=${box}>
    <div class="depth">
      <button id="remove-layer" aria-label="Remove a hidden layer" disabled=${!s.hidden.length}
        onClick=${() => set({ hidden: s.hidden.slice(0, -1) })}>−</button>
      <button id="add-layer" aria-label="Add a hidden layer" disabled=${s.hidden.length >= most.layers}
        onClick=${() => set({ hidden: [...s.hidden, s.hidden.at(-1) ?? 2] })}>+</button>
      <h2>${s.hidden.length} hidden layer${s.hidden.length === 1 ? "" : "s"}</h2>
      <span class="quiet">${state.parameters} weights and biases${lines.length < state.parameters && state.parameters > MOST_LINES ? "; lines of the chosen neuron only" : ""}
        ${" · "}${state.backend === "llvm" ? "native code" : state.backend ? "NumPy" : "no points yet"}</span>
      <button id="reset" title="Other first weights; rewind goes back to the same ones" onClick=${() => setAll({ init_seed: random() })}>New weights</button>
    </div>
    <div class="scroll">
      <div class="art" ref=${art} style=${{ width: `${plan.width}px`, height: `${plan.height}px` }}
        onMouseMove=${hover} onMouseLeave=${() => tell(null)} onClick=${pick}>
        <svg width=${plan.width} height=${plan.height} aria-hidden="true">
          ${lines.map((line, k) => html`<path class="line" data-place=${run.place(line.layer, line.neuron, line.input)} d=${line.d} />
            <path class=${`hit ${chosen?.weight === line.input && chosen.level === line.layer + 1 && chosen.index === line.neuron ? "chosen" : ""}`} data-line=${k} d=${line.d} />`)}
        </svg>
        <div class="layer" style=${{ left: "0px", width: "112px" }}><h3>Features</h3></div>
        ${s.hidden.map((size, l) => html`<div class="layer" key=${l}
          style=${{ left: `${plan.at[l + 1][0].x + plan.size / 2 - 46}px`, width: "92px" }}>
          <div class="sizes">
            <button aria-label=${`Remove a neuron from layer ${l + 1}`} data-layer=${l} class="fewer" disabled=${size <= 1} onClick=${() => resize(l, -1)}>−</button>
            <input type="number" min="1" max=${most.neurons} aria-label=${`Neurons in layer ${l + 1}`} value=${size}
              onChange=${(event) => set({ hidden: s.hidden.map((n, k) => (k === l ? Number(event.target.value) : n)) }).catch(() => (event.target.value = size))} />
            <button aria-label=${`Add a neuron to layer ${l + 1}`} data-layer=${l} class="more" disabled=${size >= most.neurons} onClick=${() => resize(l, 1)}>+</button>
          </div>
          <select class="activation" data-layer=${l} aria-label=${`Activation of layer ${l + 1}`} value=${s.activation[l]}
            onChange=${(event) => set({ activation: s.activation.map((name, k) => (k === l ? event.target.value : name)) })}>
            ${choices.activations.map((name) => html`<option value=${name} selected=${name === s.activation[l]}>${words(name)}</option>`)}
          </select></div>`)}
        <div class="layer" style=${{ left: `${plan.at[last][0].x + plan.size / 2 - 46}px`, width: "92px" }}>
          <h3>Output</h3>
          <select id="output" aria-label="Activation of the output" value=${s.output} onChange=${(event) => set({ output: event.target.value })}>
            ${choices.activations.map((name) => html`<option value=${name} selected=${name === s.output}>${words(name)}</option>`)}
          </select></div>
        ${plan.at.map((column, c) => column.map((_, i) => unit(c, i)))}
        ${tip && html`<div class="tip" role="status" style=${{ left: `${Math.min(tip.x + 12, plan.width - 240)}px`, top: `${tip.y + 12}px` }}>${tip.text}</div>`}
      </div>
    </div>
  </section>`;
}
