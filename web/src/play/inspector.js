// The numbers of the chosen neuron, to be read and written; and the way into the explorer.
import { html, useState } from "../shared/ui.js";
import { useNews } from "./controls.js";
import { nameOf, titleOf } from "./network.js";
import { short } from "./numbers.js";
import { trouble, withToken } from "./run.js";

/** One weight or bias: its number now; what is written there goes to the server. */
function Weight({ run, label, name, place, chosen, onFocus }) {
  const [text, edit] = useState(null);
  const value = run.frame?.weights?.[place];
  const send = () => {
    if (text !== null && text !== "") run.post("weight", { name, value: Number(text) }).catch(trouble);
    edit(null);
  };
  return html`<label class=${`weight ${chosen ? "chosen" : ""}`}><span>${label}</span>
    <input type="number" step="any" data-weight=${name} value=${text ?? (Number.isFinite(value) ? Number(value.toFixed(4)) : "")}
      onFocus=${onFocus} onInput=${(event) => edit(event.target.value)} onBlur=${send}
      onKeyDown=${(event) => event.key === "Enter" && send()} /></label>`;
}

export function Inspector({ run, chosen, choose, point }) {
  useNews(run, "frame", 8);
  useNews(run, "state");
  const { state } = run;
  const count = state.points.y.length;
  const sample = Math.min(Math.max(point, 0), count - 1);
  const about = () => {
    const [x1, x2] = [state.points.x[2 * sample], state.points.x[2 * sample + 1]];
    const target = state.points.y[sample];
    const what = state.classes.length ? `class ${state.classes[target]}` : `target ${short(target)}`;
    return `point ${sample}: (${short(x1, 2)}, ${short(x2, 2)}), ${what}`;
  };
  const explore = (name) => withToken(`${run.path}/explore?point=${sample}&name=${encodeURIComponent(name)}`);
  if (!chosen || chosen.level >= state.sizes.length || chosen.index >= state.sizes[chosen.level]) {
    return html`<section class="inspector" aria-label="Numbers">
      <h2>Numbers</h2>
      <p class="quiet">Click a neuron or a weight to see its numbers and change them; click a point to choose the sample.
        Then “Why did this weight move?” opens the explorer on the graph of that sample’s loss.</p>
      ${count > 0 && html`<p><a class="button" id="explore" target="_blank" rel="noopener" href=${explore("")}>Explore the loss of ${about()}</a></p>`}
    </section>`;
  }
  const { level, index, weight } = chosen;
  const activation = state.activations[level - 1];
  const name = nameOf(chosen, weight ?? "b");
  const inputs = Array.from({ length: state.sizes[level - 1] }, (_, i) => i);
  const number = run.frame?.weights?.[run.place(level - 1, index, weight === "b" ? null : weight)];
  return html`<section class="inspector" aria-label="Numbers">
    <div class="row"><h2>${titleOf(state, level, index)}</h2>
      <span class="quiet">${activation} · <code>${nameOf(chosen)}</code></span>
      <button id="forget" aria-label="Close" onClick=${() => choose(null)}>×</button></div>
    <div class="weights">
      <${Weight} key=${`${level} ${index} b`} run=${run} label="bias" name=${nameOf(chosen, "b")} place=${run.place(level - 1, index)}
        chosen=${weight === "b"} onFocus=${() => choose({ ...chosen, weight: "b" })} />
      ${inputs.map((i) => html`<${Weight} key=${`${level} ${index} ${i}`} run=${run} label=${`${level === 1 ? "" : "from "}${level === 1 ? state.inputs[i] : `neuron ${i + 1}`}`}
        name=${nameOf(chosen, i)} place=${run.place(level - 1, index, i)} chosen=${weight === i}
        onFocus=${() => choose({ ...chosen, weight: i })} />`)}
    </div>
    <p class="row"><a class="button main" id="why" target="_blank" rel="noopener" href=${explore(name)}>Why did this ${weight === "b" ? "bias" : "weight"} move?</a>
      <a class="button" id="explore" target="_blank" rel="noopener" href=${explore(nameOf(chosen))}>Explore the neuron</a>
      <span class="quiet"><code>${name}</code> = ${short(number, 4)}; at ${about()}</span></p>
  </section>`;
}
