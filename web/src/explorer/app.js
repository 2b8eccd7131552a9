// The page: the graph, its panel, and the bar that goes through the steps. All that happens is a change of `state`.

import { ThemeSwitch, onThemeChange } from "../shared/theme.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../shared/ui.js";
import { Fold, MOST_VISIBLE } from "./fold.js";
import { Graph } from "./graph.js";
import { Numbers, updated } from "./numbers.js";
import { Curve, GroupPanel, Sentence, ValuePanel } from "./panel.js";
import { SvgPen } from "./pens.js";
import { paintScene, paletteNow } from "./picture.js";
import { Record } from "./record.js";
import { extent, sceneOf } from "./scene.js";
import { Steps } from "./steps.js";
import { Table, nameOf, whatIs } from "./table.js";
import { View } from "./view.js";
import { number, plain, sentence, spoken } from "./words.js";

const SPEEDS = [["0.5", "slow"], ["1.5", "walking"], ["6", "brisk"], ["40", "fast"], ["0", "all in 15 s"]];
const FOLDS = { network: "layer, neuron", depth: "depth", family: "family" };
const FEW_STEPS = 400; // of more, the bar goes from box to box at first
const MOST_FOUND = 5000;

export function App({ data, arithmetic }) {
  const fixed = useMemo(() => {
    const graph = new Graph(data);
    const numbers = new Numbers(graph, arithmetic);
    const record = data.record && new Record(data.record, graph, arithmetic);
    return { graph, numbers, record, steps: new Steps(graph), folds: data.folds.map((fold) => new Fold(fold, graph)), update: data.update };
  }, []);
  const { graph, numbers, record, steps, folds, update } = fixed;
  const [state, setState] = useState(() => {
    const selected = data.select >= 0 ? data.select : -1;
    const open = folds[0].firstOpen();
    return {
      fold: 0, open: selected >= 0 ? folds[0].openTo(selected, open) : open, selected, t: steps.ends[1], idle: true, playing: false,
      speed: "1.5", byBox: steps.last > FEW_STEPS, tab: "graph", query: "", found: 0, version: 0, losses: [], said: "", help: false,
    };
  });
  const set = (change) => setState((before) => ({ ...before, ...(typeof change === "function" ? change(before) : change) }));
  const fold = folds[state.fold];
  const scene = useMemo(() => sceneOf(graph, fold, state.open), [fold, state.open]);
  const step = state.idle ? { kind: "end", value: -1 } : steps.at(state.t);
  const current = step.value >= 0 ? scene.itemOf[step.value] : undefined;
  const phase = step.kind;
  const selected = state.selected < 0 ? undefined : state.selected < graph.count ? scene.itemOf[state.selected] : state.selected;
  const said = useMemo(() => sentence(graph, numbers, step, update), [step.kind, step.value, state.version]);
  const moment = { graph, numbers, steps, t: state.t, selected, current, about: current ?? selected, phase: current === undefined ? "backward" : phase,
    updated: (i) => updated(update, numbers, i).value };

  const canvas = useRef();
  const view = useRef();
  const anchor = useRef();
  const actions = useRef();

  const boxOf = state.byBox ? (i) => (i < 0 ? -1 : scene.itemOf[i]) : undefined;
  const go = (t) => set({ t: Math.max(0, Math.min(steps.last, t)), idle: false });
  const move = (direction) => set((before) => ({ t: steps.next(before.idle && direction > 0 ? 0 : before.t, direction, boxOf), idle: false }));
  const play = () => set((before) => before.playing ? { playing: false }
    : { playing: true, idle: false, t: before.idle || before.t >= steps.last ? 0 : before.t });

  const unfold = (g, all) => {
    anchor.current = (within) => within.byId.get(graph.count + g) ?? middleOf(within, fold, graph, g);
    set((before) => {
      const open = all ? fold.allOpen(new Set([...before.open, g]), g) : new Set([...before.open, g]);
      return { open, said: `${fold.titles[g]} unfolded` };
    });
  };
  const refold = (g) => {
    anchor.current = (within) => within.byId.get(graph.count + g) ?? middleOf(within, fold, graph, g);
    set((before) => ({ open: fold.foldedAt(g, before.open), selected: graph.count + g, said: `${fold.titles[g]} folded` }));
  };
  const pick = (item) => {
    if (item === undefined) return;
    if (item < graph.count) set((before) => ({ selected: item, open: fold.openTo(item, before.open) }));
    else set({ selected: item });
  };
  const pickAndShow = (item) => {
    pick(item);
    anchor.current = undefined;
    requestAnimationFrame(() => requestAnimationFrame(() => {
      const box = actions.current.scene.byId.get(item);
      if (box) view.current?.reveal(box);
    }));
  };
  const edit = (i, value) => {
    numbers.data[i] = value;
    numbers.compute();
    set((before) => ({ version: before.version + 1 }));
  };
  const takeOver = () => {
    const loss = numbers.total();
    const news = steps.changed.map((i) => [i, updated(update, numbers, i)]);
    for (const [i, { value, memory }] of news) {
      numbers.data[i] = value;
      update.memory[i] = memory;
    }
    update.step++;
    numbers.compute();
    set((before) => ({ version: before.version + 1, losses: [...(before.losses.length ? before.losses : [loss]), numbers.total()], t: 0, idle: false, playing: false }));
  };
  const reset = () => {
    graph.leaves.forEach((i) => (numbers.data[i] = graph.given[i]));
    if (record) record.at = record.epochs.length - 1;
    numbers.compute();
    set((before) => ({ version: before.version + 1, losses: [] }));
  };
  const toEpoch = (k) => {
    record.at = k;
    record.put(k, numbers);
    numbers.compute();
    set((before) => ({ version: before.version + 1 }));
  };
  actions.current = { scene, unfold, refold, pick, pickAndShow, go, move, play, state, set, fold };

  useLayoutEffect(() => {
    const made = new View(canvas.current, {
      pick: ({ item, frame }) => {
        const { unfold: open, refold: close, pick: choose, set: change } = actions.current;
        if (frame) close(frame.group);
        else if (item?.group >= 0) {
          change({ selected: -1 });
          open(item.group, false);
        } else if (item) choose(item.id);
        else change({ selected: -1 });
        canvas.current.parentElement.focus({ preventScroll: true });
      },
    });
    view.current = made;
    made.show(scene);
    made.tell(moment);
    made.begin(scene.byId.get(selected ?? scene.itemOf[graph.outputs[0]]));
    globalThis.explorer = { view: made, graph, numbers, steps, actions, opened: performance.now() };
    const resized = new ResizeObserver(() => made.draw());
    resized.observe(canvas.current);
    const stop = onThemeChange(() => made.recolour());
    return () => {
      resized.disconnect();
      stop();
    };
  }, []);
  useLayoutEffect(() => {
    if (view.current.scene !== scene) view.current.show(scene, anchor.current);
  }, [scene]);
  useLayoutEffect(() => view.current.tell(moment));
  useEffect(() => {
    const box = current !== undefined && scene.byId.get(current);
    if (box && state.tab === "graph") view.current.reveal(box);
  }, [current, scene]);
  usePlay(state, actions, steps);
  useKeys(actions, view);
  usePrint(() => picture(view.current, moment, graph, true, true));

  const searched = useMemo(() => search(graph, state.query), [state.query]);
  const find = (direction) => {
    if (!searched.length) return;
    const k = (state.found + direction + searched.length) % searched.length;
    set({ found: k, said: `${k + 1} of ${searched.length}` });
    pickAndShow(searched[k]);
  };
  const changed = graph.leaves.some((i) => numbers.data[i] !== graph.given[i]);
  const atEnd = !state.idle && state.t === steps.last;
  const chosen = state.selected >= graph.count && !scene.byId.has(state.selected) ? -1 : state.selected;

  return html`
    <header>
      <h1 title=${graph.title}>${graph.title || "How it is computed"}</h1>
      <span class="search" role="search">
        <input type="search" placeholder="Search" aria-label="Search by label or operation; Enter goes to the next" value=${state.query}
          onInput=${(event) => set({ query: event.target.value, found: -1 })} onKeyDown=${(event) => event.key === "Enter" && find(event.shiftKey ? -1 : 1)} id="search" />
        ${state.query && html`<output>${searched.length ? `${state.found < 0 ? "" : `${state.found + 1} of `}${searched.length.toLocaleString("en")}${searched.length === MOST_FOUND ? " or more" : ""}` : "none"}</output>
          <button onClick=${() => find(-1)} aria-label="Previous found">‹</button><button onClick=${() => find(1)} aria-label="Next found">›</button>`}
      </span>
      ${folds.length > 1 && html`<label>Fold by <select id="fold" value=${state.fold} onChange=${(event) => {
        const next = Number(event.target.value);
        anchor.current = undefined;
        set({ fold: next, open: folds[next].firstOpen(), selected: -1 });
        requestAnimationFrame(() => requestAnimationFrame(() => view.current.fit()));
      }}>${folds.map((each, k) => html`<option value=${k} selected=${k === state.fold}>${FOLDS[each.name]}</option>`)}</select></label>`}
      ${fold.count > 0 && html`<button onClick=${() => set({ open: fold.allOpen(state.open), said: "unfolded" })} title="As many as can be drawn at once: ${MOST_VISIBLE.toLocaleString("en")}">Unfold all</button>
      <button onClick=${() => { anchor.current = undefined; set({ open: new Set(), selected: -1, said: "all folded" }); requestAnimationFrame(() => requestAnimationFrame(() => view.current.fit())); }}>Fold all</button>`}
      <span class="group" role="group" aria-label="Zoom"><button onClick=${() => view.current.zoom(1.3)} aria-label="Zoom in">+</button><button onClick=${() => view.current.zoom(1 / 1.3)} aria-label="Zoom out">−</button><button onClick=${() => view.current.fit()}>Fit</button></span>
      <span class="group" role="group" aria-label="Show as"><button aria-pressed=${state.tab === "graph"} onClick=${() => set({ tab: "graph" })}>Graph</button><button aria-pressed=${state.tab === "table"} onClick=${() => set({ tab: "table" })}>Table</button></span>
      <button onClick=${() => download(picture(view.current, moment, graph))} title="Save the picture as SVG">Save SVG</button>
      <button aria-expanded=${state.help} onClick=${() => set({ help: !state.help })}>Help</button>
      <${ThemeSwitch} />
    </header>
    <main>
      <div class="graph" hidden=${state.tab !== "graph"} tabindex="0" role="application" aria-roledescription="graph" aria-describedby="keys"
        aria-label="Graph of ${graph.count.toLocaleString("en")} numbers, ${scene.items.length.toLocaleString("en")} boxes to be seen">
        <canvas ref=${canvas}></canvas>
        <${Legend} graph=${graph} scene=${scene} />
        ${state.help && html`<${Help} />`}
      </div>
      ${state.tab === "table" && html`<${Table} graph=${graph} numbers=${numbers} scene=${scene} steps=${steps} t=${state.t} selected=${selected} onPick=${pick} onOpen=${(g) => unfold(g, false)} fold=${fold} />`}
      <aside>
        <${Sentence} said=${said} />
        ${atEnd && html`<p><button class="main" id="take-over" onClick=${takeOver}>Take over the new numbers, and go round again</button></p>`}
        ${state.losses.length > 0 && html`<p class="reason">${graph.end} after each update: ${state.losses.slice(-6).map(number).join(" → ")}</p>`}
        ${changed && html`<p><button id="reset" onClick=${reset}>Back to the numbers it was opened with</button></p>`}
        ${chosen >= graph.count && html`<${GroupPanel} graph=${graph} numbers=${numbers} fold=${fold} group=${chosen - graph.count} scene=${scene} onOpen=${unfold} onFold=${refold} />`}
        ${chosen >= 0 && chosen < graph.count && html`<${ValuePanel} graph=${graph} numbers=${numbers} fold=${fold} i=${chosen} onFold=${refold} onEdit=${edit} onReset=${(i) => edit(i, graph.given[i])} onPick=${pickAndShow} record=${record} steps=${steps} t=${state.t} />`}
        ${chosen < 0 && record && html`<h3>The training</h3><${Curve} numbers=${record.losses} epochs=${record.epochs} at=${record.at} what="loss of the training" />`}
      </aside>
    </main>
    <footer>
      <${Transport} state=${state} steps=${steps} said=${said} go=${go} move=${move} play=${play} set=${set} folded=${scene.items.some((item) => item.group >= 0)}
        update=${update} onRate=${(rate) => { update.lr = rate; set((before) => ({ version: before.version + 1 })); }} />
      ${record && html`<label class="epochs"><span>Epoch ${record.epochs[record.at]} of ${record.epochs.at(-1)}</span>
        <input id="epoch" type="range" min="0" max=${record.epochs.length - 1} value=${record.at} aria-valuetext="epoch ${record.epochs[record.at]}" onInput=${(event) => toEpoch(Number(event.target.value))} />
        <span class="now">${graph.end} here ${number(numbers.total())}</span></label>`}
    </footer>
    <p class="unseen" aria-live="polite" id="spoken">${state.playing ? "" : spokenOf(state, said, chosen, graph, numbers, scene)}</p>
    <p class="unseen" id="keys">Arrow keys go from number to number along the edges, Enter folds and unfolds, Space plays, full stop and comma step.</p>
    <div class="print"></div>`;
}

/** What is read out: what was chosen, or else the step. */
function spokenOf(state, said, chosen, graph, numbers, scene) {
  if (chosen < 0) return [state.said, spoken(said)].filter(Boolean).join(". ");
  const item = scene.byId.get(chosen);
  if (!item) return state.said;
  const figures = chosen < graph.count ? `value ${number(numbers.data[chosen])}, gradient ${number(numbers.grad[chosen])}` : "";
  return [state.said, `${nameOf(item, graph)}, ${whatIs(item, graph)}`, figures, `reads ${item.into.length}, read by ${item.out.length}`].filter(Boolean).join(", ");
}

/** The middle of the boxes that are in a group. */
function middleOf(scene, fold, graph, g) {
  const inside = scene.items.filter((item) => fold.around(item.id).includes(g));
  if (!inside.length) return undefined;
  const mean = (axis) => inside.reduce((sum, item) => sum + item[axis], 0) / inside.length;
  return { x: mean("x"), y: mean("y") };
}

/** The Values whose label, name or operation holds the text; first those that are it. */
function search(graph, query) {
  const text = query.trim().toLowerCase();
  if (!text) return [];
  const [whole, partly] = [[], []];
  for (let i = 0; i < graph.count && whole.length + partly.length < MOST_FOUND; i++) {
    const rule = graph.rule(i);
    const words = [graph.label(i), graph.name(i), rule?.name, rule?.symbol].filter(Boolean).map((word) => word.toLowerCase());
    if (words.includes(text)) whole.push(i);
    else if (words.slice(0, -1).some((word) => word.includes(text))) partly.push(i);
  }
  return [...whole, ...partly];
}

function Legend({ graph, scene }) {
  const kinds = new Set(scene.items.map((item) => (item.group >= 0 ? "group" : item.kind)));
  const all = [["input", "given number"], ["parameter", "parameter"], ["value", "computed"], ["output", "the end"], ["group", "folded: click to unfold"]];
  return html`<ul class="legend" aria-label="What the boxes mean">${all.filter(([kind]) => kinds.has(kind)).map(([kind, text]) => html`<li><i class=${kind}></i>${text}</li>`)}
    <li><i class="reads"></i>goes in</li><li><i class="read"></i>goes out</li></ul>`;
}

function Help() {
  const keys = [["Space", "play, pause"], [". and ,", "one step on, one step back"], ["Home, End", "the start, the end"], ["← →", "to what it reads, to who reads it"],
    ["↑ ↓", "the box above, below"], ["Enter", "unfold, or show its steps"], ["Backspace", "fold what is around"], ["v, g", "the step that computes the value, the gradient"], ["+ − 0", "zoom, fit"], ["/", "search"], ["Esc", "choose nothing"]];
  return html`<dl class="help">${keys.map(([key, what]) => html`<div><dt>${key}</dt><dd>${what}</dd></div>`)}</dl>`;
}

function Transport({ state, steps, said, go, move, play, set, folded, update, onRate }) {
  const [forward, backward] = steps.ends;
  const parts = [["Forward", 0, forward], ["Backward", forward, backward], ["Update", backward, steps.last]];
  const total = Math.max(1, steps.last);
  const now = state.idle ? "all computed" : `step ${state.t.toLocaleString("en")} of ${steps.last.toLocaleString("en")}`;
  return html`<div class="transport">
    <span class="group" role="group" aria-label="Steps">
      <button onClick=${() => go(0)} aria-label="To the start" title="To the start (Home)">⇤</button>
      <button onClick=${() => move(-1)} aria-label="One step back" title="One step back (,)">‹ Back</button>
      <button class="main" id="play" onClick=${play} title="Space">${state.playing ? "Pause" : "Play"}</button>
      <button onClick=${() => move(1)} id="step" aria-label="One step on" title="One step on (.)">Step ›</button>
      <button onClick=${() => go(steps.last)} aria-label="To the end" title="To the end (End)">⇥</button>
    </span>
    <div class="scrub">
      <div class="phases">${parts.map(([name, from, to]) => to > from && html`<button style=${{ flexGrow: Math.max((to - from) / total, 0.12) }} aria-pressed=${!state.idle && state.t > from && state.t <= to}
        onClick=${() => go(from + 1)} title="${(to - from).toLocaleString("en")} steps">${name}</button>`)}</div>
      <input id="scrubber" type="range" min="0" max=${steps.last} value=${state.t} aria-label="Steps of the computation" aria-valuetext="${said.phase}: ${said.headline}" onInput=${(event) => go(Number(event.target.value))} />
    </div>
    <output class="now">${now}</output>
    <label>Speed <select value=${state.speed} onChange=${(event) => set({ speed: event.target.value })}>${SPEEDS.map(([value, text]) => html`<option value=${value} selected=${value === state.speed}>${text}</option>`)}</select></label>
    ${folded && html`<label><input type="checkbox" checked=${state.byBox} onChange=${(event) => set({ byBox: event.target.checked })} /> from box to box</label>`}
    <label>Rate <input id="rate" class="number" type="text" inputmode="decimal" value=${plain(update.lr)} title="The learning rate of the update, ${update.name}" onChange=${(event) => {
      const rate = Number(event.target.value);
      if (rate > 0 && Number.isFinite(rate)) onRate(rate);
      else event.target.value = plain(update.lr);
    }} /></label>
  </div>`;
}

/** Take steps at the speed that was chosen, as long as it plays. */
function usePlay(state, actions, steps) {
  useEffect(() => {
    if (!state.playing) return undefined;
    let [last, owed, frame] = [performance.now(), 0, 0];
    const run = (now) => {
      const { state: here, move, go, set } = actions.current;
      const rate = Number(here.speed) || Math.max(6, steps.last / 15);
      owed += Math.min(1, (now - last) / 1000) * rate;
      last = now;
      if (owed >= 1) {
        if (here.byBox) move(1);
        else go(here.t + Math.floor(owed));
        owed = here.byBox ? 0 : owed - Math.floor(owed);
      }
      if (here.t >= steps.last) set({ playing: false });
      else frame = requestAnimationFrame(run);
    };
    frame = requestAnimationFrame(run);
    return () => cancelAnimationFrame(frame);
  }, [state.playing]);
}

/** The keys; those that move about in the graph only where it has the focus. */
function useKeys(actions, view) {
  useEffect(() => {
    const down = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
        if (event.key === "Escape") event.target.blur();
        return;
      }
      const { play, move, go, set, state } = actions.current;
      const inGraph = event.target.classList?.contains("graph");
      if (event.target.tagName === "BUTTON" && (event.key === " " || event.key === "Enter")) return;
      const everywhere = {
        " ": play, ".": () => move(1), ",": () => move(-1), "/": () => document.getElementById("search").focus(),
        Home: () => go(0), End: () => go(Infinity), Escape: () => set({ selected: -1, help: false }),
        "+": () => view.current.zoom(1.25), "-": () => view.current.zoom(0.8), 0: () => view.current.fit(), "?": () => set({ help: !state.help }),
      };
      const action = everywhere[event.key] ?? (inGraph && inTheGraph(actions.current, view.current, event.key));
      if (!action) return;
      event.preventDefault();
      action();
    };
    addEventListener("keydown", down);
    return () => removeEventListener("keydown", down);
  }, []);
}

/** What a key does in the graph: go along the edges, fold and unfold, go to the step of what is chosen. */
function inTheGraph({ scene, state, fold, pickAndShow, unfold, refold, go }, view, key) {
  const { graph, steps } = globalThis.explorer;
  const item = scene.byId.get(state.selected);
  if (key.startsWith("Arrow") && !item) return () => pickAndShow(scene.itemOf[graph.outputs[0]]);
  const nearest = (items) => items.slice().sort((a, b) => Math.abs(a.y - item.y) - Math.abs(b.y - item.y))[0];
  const beside = (sign) => scene.items.filter((other) => Math.abs(other.x - item.x) < 60 && (other.y - item.y) * sign > 0);
  const to = {
    ArrowLeft: () => nearest(item.into.map((line) => line.tail)), ArrowRight: () => nearest(item.out.map((line) => line.head)),
    ArrowUp: () => nearest(beside(-1)), ArrowDown: () => nearest(beside(1)),
  }[key];
  if (to) {
    const found = to();
    return () => found && pickAndShow(found.id);
  }
  if (!item) return undefined;
  const around = fold.around(item.id);
  return {
    Enter: () => (item.group >= 0 ? unfold(item.group, false) : go(steps.gradAt(item.id))),
    Backspace: () => around.length && refold(around[0]),
    v: () => item.group < 0 && go(steps.valueAt(item.id)),
    g: () => item.group < 0 && go(steps.gradAt(item.id)),
  }[key];
}

/** The picture as an SVG file: what is on the screen, or `whole`; on `light` paper. */
function picture(view, moment, graph, whole = false, light = false) {
  const root = document.documentElement;
  const before = root.dataset.theme;
  if (light) root.dataset.theme = "light";
  const palette = paletteNow();
  if (light && before) root.dataset.theme = before;
  else if (light) delete root.dataset.theme;
  const { left, top, right, bottom } = extent(view.scene);
  const part = { left: left - 16, top: top - 16, right: right + 16, bottom: bottom + 16 };
  if (!whole) {
    const shown = view.part();
    part.left = Math.max(part.left, shown.left);
    part.top = Math.max(part.top, shown.top);
    part.right = Math.max(part.left + 1, Math.min(part.right, shown.right));
    part.bottom = Math.max(part.top + 1, Math.min(part.bottom, shown.bottom));
  }
  const pen = new SvgPen(palette);
  paintScene(pen, view.scene, moment, part, 1);
  return pen.file(part, graph.title || "A graph of numbers");
}

function download(svg) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  link.download = "graph.svg";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** On paper the graph stands as a picture of its own, whole and on white. */
function usePrint(made) {
  const latest = useRef();
  latest.current = made;
  useEffect(() => {
    const before = () => (document.querySelector(".print").innerHTML = latest.current());
    addEventListener("beforeprint", before);
    return () => removeEventListener("beforeprint", before);
  }, []);
}
