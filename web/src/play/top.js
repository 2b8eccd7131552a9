// The bar on top: what starts and stops, and how the network learns.
import { ThemeSwitch } from "../shared/theme.js";
import { html } from "../shared/ui.js";
import { Choice, Select, useNews } from "./controls.js";

const RATES = [0.00001, 0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const PENALTIES = [0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const SPEEDS = [0, 1, 5, 10, 30, 100, 300];
const SPEED_TEXTS = Object.fromEntries(SPEEDS.map((n) => [n, n ? `${n} epochs/s` : "as fast as it goes"]));

function Epoch({ run }) {
  useNews(run, "frame", 30);
  const count = run.frame?.epoch ?? 0;
  return html`<div class="epoch"><span>Epoch</span>
    <output id="epoch">${String(count).padStart(6, "0").replace(/(?=(\d{3})+$)/g, (_, g, i) => (i ? "," : ""))}</output></div>`;
}

export function Top({ run, act, set, choices, compare, comparing }) {
  useNews(run, "state");
  const { settings: s, playing, ready } = run.state;
  const words = choices.meanings;
  const kindOfRate = s.regularization === "none";
  return html`<header class="top">
    <h1 class="unseen">Micrograd-MLP playground</h1>
    <div class="runs" role="group" aria-label="Training">
      <button id="rewind" title="Back to the same first weights (R)" aria-label="Rewind to the same first weights"
        onClick=${() => act("rewind")}><svg viewBox="0 0 20 20"><path d="M4 4v5h5M4.6 9A6.2 6.2 0 1 1 5 13.5" /></svg></button>
      <button id="play" class="main" disabled=${!ready} title=${playing ? "Pause (space)" : "Train (space)"}
        aria-label=${playing ? "Pause" : "Train"} onClick=${() => act(playing ? "pause" : "play")}>
        <svg viewBox="0 0 20 20">${playing
          ? html`<path class="full" d="M5 3h4v14H5zM11 3h4v14h-4z" />`
          : html`<path class="full" d="M5 2.5 17 10 5 17.5z" />`}</svg></button>
      <button id="step" disabled=${!ready} title="One epoch (S)" aria-label="Train for one epoch" onClick=${() => act("step")}>
        <svg viewBox="0 0 20 20"><path class="full" d="M3 3.5 12 10l-9 6.5zM13.5 3.5h3v13h-3z" /></svg></button>
    </div>
    <${Epoch} run=${run} />
    <${Choice} label="Speed" id="speed" value=${s.speed} options=${SPEEDS} texts=${SPEED_TEXTS} title=${words.speed}
      onPick=${(speed) => set({ speed })} />
    <${Choice} label="Learning rate" id="lr" value=${s.lr} options=${RATES} title=${words.lr} onPick=${(lr) => set({ lr })} />
    <${Select} label="Activation" id="activation" title="of all hidden layers; each layer has its own choice below"
      value=${new Set(s.activation).size > 1 ? "mixed" : s.activation[0]} disabled=${!s.hidden.length}
      options=${[...choices.activations, ...(new Set(s.activation).size > 1 ? ["mixed"] : [])]}
      onPick=${(name) => name !== "mixed" && set({ activation: name })} />
    <${Select} label="Regularization" id="regularization" value=${s.regularization} title=${words.regularization}
      options=${["none", ["l1", "L1"], ["l2", "L2"]]} onPick=${(regularization) => set({ regularization })} />
    <${Choice} label="Regularization rate" id="rate" value=${s.rate} options=${PENALTIES} disabled=${kindOfRate}
      title=${words.rate} onPick=${(rate) => set({ rate })} />
    <${Select} label="Problem type" id="kind" value=${s.kind} options=${choices.kinds} title=${words.kind}
      onPick=${(kind) => set({ kind })} />
    <div class="end">
      <button id="compare" aria-pressed=${comparing} onClick=${compare}
        title="A second run beside this one, from the same weights">${comparing ? "End comparison" : "Compare"}</button>
      <${ThemeSwitch} />
    </div>
  </header>`;
}
