// The controls of which the page is made. Each has a label; what it does is asked of the server, which checks it.
import { html, useEffect, useRef, useState } from "../shared/ui.js";
import { words } from "./numbers.js";

/** A list to pick from. `options` are names, or [value, text]. */
export function Select({ label, value, options, onPick, title, disabled, id }) {
  const pairs = options.map((option) => (Array.isArray(option) ? option : [option, words(option)]));
  return html`<label class="field" title=${title}><span>${label}</span>
    <select id=${id} disabled=${disabled} value=${String(value)} onChange=${(event) => onPick(event.target.value)}>
      ${pairs.map(([key, text]) => html`<option value=${String(key)} selected=${String(key) === String(value)}>${text}</option>`)}
    </select></label>`;
}

/** A number: text that is sent when it is left or at Enter. What the server refuses comes back as it was. */
export function NumberBox({ label, value, onPick, title, disabled, id, min, max, step = "any", bare }) {
  const [text, edit] = useState(null);
  const send = () => {
    if (text !== null && text !== "" && Number(text) !== value) onPick(Number(text));
    edit(null);
  };
  const box = html`<input id=${id} type="number" disabled=${disabled} min=${min} max=${max} step=${step}
    aria-label=${bare ? label : undefined} value=${text ?? value} onInput=${(event) => edit(event.target.value)}
    onBlur=${send} onKeyDown=${(event) => event.key === "Enter" && send()}
    onChange=${(event) => document.activeElement !== event.target && send()} />`;
  return bare ? box : html`<label class="field" title=${title}><span>${label}</span>${box}</label>`;
}

/** A number with a slider for its usual range and a box for any. */
export function Slider({ label, value, min, max, step = 1, onPick, title, id, show = (n) => n, read = (n) => n, boxMax }) {
  const [held, hold] = useState(null);
  const shown = held ?? show(value);
  const move = (event) => {
    hold(Number(event.target.value));
    onPick(read(Number(event.target.value)));
  };
  return html`<div class="slider" title=${title}>
    <div class="over"><label for=${id}>${label}</label>
      <${NumberBox} bare label=${`${label}, as a number`} value=${shown} min=${min} max=${boxMax} step="any"
        onPick=${(n) => onPick(read(n))} /></div>
    <input id=${id} type="range" min=${min} max=${max} step=${step} value=${shown} onInput=${move}
      onChange=${() => hold(null)} onBlur=${() => hold(null)} /></div>`;
}

/** A number that is mostly one of a few; "other" asks for any. */
export function Choice({ label, value, options, onPick, title, id, disabled, texts = {} }) {
  const [other, ask] = useState(false);
  const box = useRef();
  useEffect(() => other && box.current?.querySelector("input")?.focus(), [other]);
  if (other) {
    const pick = (n) => {
      ask(false);
      onPick(n);
    };
    return html`<div ref=${box} onFocusOut=${() => setTimeout(() => ask(false))}>
      <${NumberBox} label=${label} value=${value} onPick=${pick} title=${title} id=${id} /></div>`;
  }
  const all = [...new Set([...options, value])].sort((a, b) => a - b);
  const shown = all.map((n) => [n, texts[n] ?? String(n)]);
  return html`<${Select} label=${label} value=${value} title=${title} id=${id} disabled=${disabled}
    options=${[...shown, ["other", "other …"]]} onPick=${(text) => (text === "other" ? ask(true) : onPick(Number(text)))} />`;
}

/** A box to tick. */
export function Check({ label, value, onPick, title, id }) {
  return html`<label class="check" title=${title}><input id=${id} type="checkbox" checked=${value}
    onChange=${(event) => onPick(event.target.checked)} /> ${label}</label>`;
}

/** A seed for other points or other weights. */
export const random = () => Math.floor(Math.random() * 2 ** 31);

/** Draw this component again whenever the run has news of one kind, at most so often a second. */
export function useNews(run, kind, most = 60) {
  const [, again] = useState(0);
  useEffect(() => {
    let last = 0;
    let timer = 0;
    const stop = run.listen((what) => {
      if (what !== kind || timer) return;
      const wait = Math.max(0, last + 1000 / most - performance.now());
      timer = setTimeout(() => {
        timer = 0;
        last = performance.now();
        again((n) => n + 1);
      }, wait);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [run, kind, most]);
}
