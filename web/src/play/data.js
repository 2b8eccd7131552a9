// The column of data: which points, how many, how noisy; own ones from a file; and how the network learns from them.
import { html, useEffect, useRef } from "../shared/ui.js";
import { onThemeChange } from "../shared/theme.js";
import { classColour, signColour } from "./colours.js";
import { Choice, NumberBox, Select, Slider, random, useNews } from "./controls.js";
import { mark } from "./plane.js";

const LOSS_TEXTS = { mse: "squared error", cross_entropy: "cross-entropy", bce: "binary cross-entropy", hinge: "hinge" };

function Thumbnail({ problem, chosen, onPick }) {
  const canvas = useRef();
  useEffect(() => {
    const draw = () => {
      if (!canvas.current) return;
      const context = canvas.current.getContext("2d");
      context.clearRect(0, 0, 80, 80);
      for (const [x, y, target] of problem.points) {
        const regression = problem.kind === "regression";
        mark(context, 0, 40 + 34 * x, 40 - 34 * y, 3.4, regression ? signColour(target) : classColour(target));
      }
    };
    draw();
    return onThemeChange(draw);
  }, [problem]);
  return html`<button class="thumbnail" aria-pressed=${chosen} title=${problem.name} data-problem=${problem.name}
    onClick=${onPick}><canvas ref=${canvas} width="80" height="80"></canvas><span>${problem.name}</span></button>`;
}

export function Data({ run, set, setAll, choices, upload }) {
  useNews(run, "state");
  const file = useRef();
  const { settings: s, edited, points } = run.state;
  const { meanings: words, most } = choices;
  const own = s.problem === "own";
  const fixed = own || edited;
  const test = points.held.reduce((sum, each) => sum + each, 0);
  return html`<section class="data" aria-label="Data">
    <h2>Data</h2>
    <div class="thumbnails" role="group" aria-label="Problem">
      ${choices.problems.filter((each) => each.kind === s.kind).map((each) => html`<${Thumbnail} key=${each.name}
        problem=${each} chosen=${s.problem === each.name} onPick=${() => set({ problem: each.name })} />`)}
      <button class="thumbnail own" aria-pressed=${own} data-problem="own" title="An empty plane: paint points on it, at the right"
        onClick=${() => set({ problem: "own" })}><span class="plus" aria-hidden="true">✎</span><span>own</span></button>
    </div>
    <div class="row">
      <button id="upload" onClick=${() => file.current.click()}
        title="Two columns of numbers, then one of labels, or of numbers for regression">Load CSV …</button>
      <input ref=${file} id="csv" class="unseen" type="file" accept=".csv,.tsv,.txt,text/csv" tabindex="-1" aria-label="CSV file"
        onChange=${(event) => event.target.files[0] && upload(event.target.files[0], event.target)} />
      <button id="regenerate" disabled=${fixed} onClick=${() => setAll({ seed: random() })} title="Other points of the same problem">New points</button>
    </div>
    ${own && s.kind === "classification" && html`<${Select} label="Classes" id="classes" value=${s.classes}
      options=${Array.from({ length: most.classes - 1 }, (_, i) => [i + 2, String(i + 2)])} title=${words.classes}
      onPick=${(classes) => set({ classes: Number(classes) })} />`}
    <p class="quiet">${points.y.length - test} to train on, ${test} to test</p>
    ${!fixed && html`<${Slider} label="Points" id="samples" value=${s.samples} min=${8} max=${1000} boxMax=${most.points}
      title=${words.samples} onPick=${(samples) => set({ samples })} />
    <${Slider} label="Noise" id="noise" value=${s.noise} min=${0} max=${1} step=${0.01} title=${words.noise}
      onPick=${(noise) => set({ noise })} />`}
    <${Slider} label="Test share, %" id="test_share" value=${s.test_share} min=${0} max=${90} title=${words.test_share}
      show=${(share) => Math.round(100 * share)} read=${(n) => n / 100} onPick=${(share) => set({ test_share: share })} />
    <${Slider} label="Batch size" id="batch" value=${s.batch} min=${0} max=${100} boxMax=${most.points} title=${words.batch}
      onPick=${(batch) => set({ batch })} />
    <h2>Learning</h2>
    <${Select} label="Loss" id="loss" value=${s.loss} title=${words.loss}
      options=${choices.losses[s.kind].map((name) => [name, LOSS_TEXTS[name] ?? name])} onPick=${(loss) => set({ loss })} />
    <${Select} label="Optimiser" id="optimizer" value=${s.optimizer} options=${choices.optimizers} title=${words.optimizer}
      onPick=${(optimizer) => set({ optimizer })} />
    <${Choice} label="Momentum" id="momentum" value=${s.momentum} options=${[0, 0.5, 0.8, 0.9, 0.95, 0.99]}
      disabled=${!["sgd", "rmsprop"].includes(s.optimizer)} title=${words.momentum} onPick=${(momentum) => set({ momentum })} />
    <${Select} label="Schedule" id="schedule" value=${s.schedule} options=${choices.schedules} title=${words.schedule}
      onPick=${(schedule) => set({ schedule })} />
    ${s.schedule !== "constant" && html`<${NumberBox} label="over epochs" id="horizon" value=${s.horizon} min=${1}
      title=${words.horizon} onPick=${(horizon) => set({ horizon })} />`}
    <details open=${!!(s.stop_epochs || s.stop_loss || s.stop_accuracy || s.patience)}>
      <summary>Stop rules <span class="quiet">(0 for none)</span></summary>
      <${NumberBox} label="after epochs" id="stop_epochs" value=${s.stop_epochs} min=${0} title=${words.stop_epochs}
        onPick=${(stop_epochs) => set({ stop_epochs })} />
      <${NumberBox} label="at loss" id="stop_loss" value=${s.stop_loss} min=${0} title=${words.stop_loss}
        onPick=${(stop_loss) => set({ stop_loss })} />
      <${NumberBox} label=${s.kind === "regression" ? "at R²" : "at accuracy, %"} id="stop_accuracy" value=${100 * s.stop_accuracy}
        min=${0} max=${100} title=${words.stop_accuracy} onPick=${(n) => set({ stop_accuracy: n / 100 })} />
      <${NumberBox} label="patience, epochs" id="patience" value=${s.patience} min=${0} title=${words.patience}
        onPick=${(patience) => set({ patience })} />
    </details>
    <details>
      <summary>Seeds</summary>
      <${NumberBox} label="of the points" id="seed" value=${s.seed} min=${0} title=${words.seed} onPick=${(seed) => set({ seed })} />
      <${NumberBox} label="of the weights" id="init_seed" value=${s.init_seed} min=${0} title=${words.init_seed}
        onPick=${(seed) => set({ init_seed: seed })} />
      <${Select} label="first weights" id="init" value=${s.init} options=${choices.inits} title=${words.init}
        onPick=${(init) => set({ init })} />
    </details>
  </section>`;
}
