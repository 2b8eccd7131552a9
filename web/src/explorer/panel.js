// What stands beside the graph: the sentence of the step, and all that can be said about the number that was chosen.

import { html, useEffect, useState } from "../shared/ui.js";
import { span } from "./picture.js";
import { argumentTexts, bracketed, forwardTexts, formula, number, slopeTexts, terms } from "./words.js";

const MOST_LISTED = 8;

/** The sentence of the step: what happens, the formula with its numbers, and why. */
export function Sentence({ said }) {
  return html`<section class="sentence" data-phase=${said.phase} aria-label="What happens in this step">
    <p class="phase">${said.phase}</p>
    <h2>${said.headline}</h2>
    ${said.formula.length > 0 && html`<div class="formula">${said.formula.map((line) => html`<p>${line}</p>`)}</div>`}
    ${said.reasons.map((line) => html`<p class="reason">${line}</p>`)}
  </section>`;
}

/** The groups around an item, from the outside; each button folds one. */
function Place({ fold, item, onFold }) {
  const groups = fold.around(item).reverse();
  if (!groups.length) return null;
  return html`<nav class="place" aria-label="Where it is; each button folds what is around">
    ${groups.map((g) => html`<button class="link" onClick=${() => onFold(g)} title="Fold ${fold.titles[g]}">${fold.titles[g]}</button>`)}
  </nav>`;
}

/** A group that is folded: what is in it. */
export function GroupPanel({ graph, numbers, fold, group, onOpen, onFold, scene }) {
  const members = fold.members(group);
  const item = scene.byId.get(graph.count + group);
  const operations = new Map();
  for (const i of members) {
    const name = graph.rule(i)?.name ?? (graph.parameters.has(i) ? "parameter" : "given number");
    operations.set(name, (operations.get(name) ?? 0) + 1);
  }
  const most = [...operations].sort((a, b) => b[1] - a[1]).slice(0, 6);
  return html`<section class="node" aria-label="The chosen group">
    <${Place} fold=${fold} item=${graph.count + group} onFold=${onFold} />
    <h2>${fold.titles[group]}</h2>
    <p>${members.length.toLocaleString("en")} numbers are folded into this box.</p>
    <p><button class="main" onClick=${() => onOpen(group, false)}>Unfold</button> <button onClick=${() => onOpen(group, true)}>Unfold all in it</button></p>
    <table class="facts"><tbody>
      ${item?.shown.length > 0 && html`<tr><th scope="row">read by others</th><td>${item.shown.length.toLocaleString("en")}</td></tr>
      <tr><th scope="row">their values</th><td>${span(item.shown, numbers.data)}</td></tr>
      <tr><th scope="row">their gradients</th><td>${span(item.shown, numbers.grad)}</td></tr>`}
      ${most.map(([name, many]) => html`<tr><th scope="row">${name}</th><td>${many.toLocaleString("en")}</td></tr>`)}
    </tbody></table>
  </section>`;
}

/** One Value: its numbers, where they come from, where they go, and the check by differences. */
export function ValuePanel(props) {
  const { graph, numbers, fold, i, onFold, onEdit, onReset, onPick, record, steps, t } = props;
  const kind = { parameter: "parameter", input: "input", output: "output", value: "computed number" }[graph.kind(i)];
  const rule = graph.rule(i);
  const label = graph.label(i);
  const pending = !steps.hasValue(i, t) || !steps.hasGrad(i, t);
  return html`<section class="node" aria-label="The chosen number" key=${i}>
    <${Place} fold=${fold} item=${i} onFold=${onFold} />
    <h2>${label || graph.name(i)} <span class="kind">${kind}${label && label !== graph.name(i) ? `, ${graph.name(i)} for short` : ""}</span></h2>
    <dl class="numbers">
      <div><dt>value</dt><dd>${rule ? number(numbers.data[i]) : html`<${Edit} graph=${graph} numbers=${numbers} i=${i} onEdit=${onEdit} onReset=${onReset} />`}</dd></div>
      <div><dt>gradient</dt><dd>${number(numbers.grad[i])}</dd></div>
    </dl>
    ${pending && html`<p class="reason">At this step of the scrubber not all of this is computed yet; here it stands as it will be.</p>`}
    ${rule && html`<${Made} graph=${graph} numbers=${numbers} i=${i} onPick=${onPick} />`}
    <${Used} graph=${graph} numbers=${numbers} i=${i} onPick=${onPick} />
    <${Part} graph=${graph} numbers=${numbers} i=${i} />
    ${record && record.column(i) >= 0 && html`<${Course} record=${record} i=${i} label=${label || graph.name(i)} />`}
  </section>`;
}

/** The number of a leaf, to be changed by typing or by dragging. */
function Edit({ graph, numbers, i, onEdit, onReset }) {
  const x = numbers.data[i];
  const given = graph.given[i];
  const reach = Math.max(2, 2 * Math.abs(given));
  const [text, setText] = useState(null); // while it is typed
  const typed = (event) => {
    setText(event.target.value);
    const number_ = Number(event.target.value);
    if (event.target.value.trim() !== "" && !Number.isNaN(number_)) onEdit(i, number_);
  };
  return html`<span class="edit">
    <input class="number" type="text" inputmode="decimal" aria-label="value of ${graph.label(i) || graph.name(i)}" value=${text ?? String(Number(x.toPrecision(6)))}
      onInput=${typed} onBlur=${() => setText(null)} />
    <input type="range" aria-label="value of ${graph.label(i) || graph.name(i)}, by dragging" min=${given - reach} max=${given + reach} step=${reach / 200}
      value=${x} onInput=${(event) => onEdit(i, Number(event.target.value))} />
    ${x !== given && html`<button onClick=${() => onReset(i)}>back to ${number(given)}</button>`}
  </span>`;
}

/** A Value to jump to. */
function Link({ graph, i, onPick }) {
  return html`<button class="link" onClick=${() => onPick(i)} title=${graph.label(i)}>${graph.name(i)}</button>`;
}

function Made({ graph, numbers, i, onPick }) {
  const rule = graph.rule(i);
  const texts = forwardTexts(graph, numbers, i);
  return html`<h3>How it is computed</h3>
    <div class="formula">
      <p>${texts.left} = ${texts.names}</p>
      <p>= ${texts.numbers}</p>
      <p>= ${texts.result}</p>
    </div>
    <p class="reason">Operation ${rule.name}: ${formula(rule, ["a", "b", "c"])}. It reads ${graph.argsOf(i).map((arg, k) => html`${k > 0 && ", "}<${Link} graph=${graph} i=${arg} onPick=${onPick} />`)}.</p>
    ${rule.partials.length > 0 && html`<table class="facts"><caption>Its rules, from the table of operations</caption><tbody>
      ${rule.partials.map((_, place) => {
        const slope = slopeTexts(graph, numbers, i, place);
        const letter = "abc"[place];
        const isConstant = graph.args[graph.start[i] + place] < 0;
        return html`<tr><th scope="row">∂/∂${letter} = ${slope.letters}</th><td>${isConstant ? "a number in the code" : `∂${texts.left}/∂${argumentTexts(graph, i)[place]} = ${number(slope.slope)}`}</td></tr>`;
      })}
    </tbody></table>`}
    ${rule.note && html`<p class="reason">Choice: ${rule.note}.</p>`}`;
}

function Used({ graph, numbers, i, onPick }) {
  const all = terms(graph, numbers, i);
  if (!all.length) return html`<h3>Who uses it</h3><p class="reason">Nothing: it is an end of the computation.</p>`;
  return html`<h3>Who uses it, and what comes back</h3>
    <table class="facts wide"><thead><tr><th scope="col">user</th><th scope="col">slope · its gradient</th><th scope="col">comes back</th></tr></thead><tbody>
      ${all.slice(0, MOST_LISTED).map((term) => html`<tr>
        <td><${Link} graph=${graph} i=${term.user} onPick=${onPick} /></td>
        <td>${bracketed(number(term.slope))}·${bracketed(number(term.grad))}</td>
        <td>${number(term.share)}</td>
      </tr>`)}
      ${all.length > MOST_LISTED && html`<tr><td colspan="2">${(all.length - MOST_LISTED).toLocaleString("en")} more</td><td>${number(all.slice(MOST_LISTED).reduce((sum, term) => sum + term.share, 0))}</td></tr>`}
      <tr class="total"><td colspan="2">gradient${graph.isOutput.has(i) ? " (with the 1 it begins with)" : ", the sum"}</td><td>${number(numbers.grad[i])}</td></tr>
    </tbody></table>`;
}

/** What it means for the loss: a nudge, foretold and tried; and the derivative by differences. */
function Part({ graph, numbers, i }) {
  const end = graph.end;
  if (graph.outputs.length === 1 && graph.isOutput.has(i)) {
    return html`<h3>Its part</h3><p class="reason">This is ${end} itself, so its gradient is 1.</p>`;
  }
  const x = numbers.data[i];
  const slope = numbers.grad[i];
  const { central, left, right, h } = numbers.differences(i);
  const nudge = 0.01 * Math.max(1, Math.abs(x));
  const really = numbers.totalAt(i, x + nudge) - numbers.total();
  const near = (a, b) => Math.abs(a - b) <= 1e-4 * Math.max(1e-3, Math.abs(a), Math.abs(b));
  const agrees = near(central, slope) || (Number.isNaN(central) && Number.isNaN(slope));
  const corner = !agrees && !near(left, right);
  return html`<h3>Its part in ${end}</h3>
    <p class="reason">If it grew by ${number(nudge)}, ${end} would ${slope * nudge < 0 ? "fall" : "grow"} by about ${number(Math.abs(slope * nudge))} (gradient · nudge). Tried out: it changes by ${number(really)}.</p>
    <p class="check" data-agrees=${agrees}><span aria-hidden="true">${agrees ? "✓" : "≠"}</span> ${number(central)} by differences, ${number(slope)} by the chain rule.
      ${agrees ? "" : corner ? ` There is a corner here: to the left the slope is ${number(left)}, to the right ${number(right)}.` : " They differ: see the choices among its users, such as a detach."}</p>
    <p class="reason">By differences: ${end} with ${graph.name(i)} ± ${h.toPrecision(1)}, divided by the distance.</p>`;
}

/** A parameter through the epochs of a training: its value and its gradient. */
function Course({ record, i, label }) {
  const [, again] = useState(0);
  useEffect(() => record.fill(() => again((n) => n + 1)), [record]);
  const values = record.values(i);
  const gradients = record.gradients(i);
  return html`<h3>Through the training</h3>
    <${Curve} numbers=${values} epochs=${record.epochs} at=${record.at} what="value of ${label}" />
    <${Curve} numbers=${gradients} epochs=${record.epochs} at=${record.at} what="gradient" />`;
}

export function Curve({ numbers, epochs, at, what }) {
  const [W, H, LEFT] = [330, 74, 58];
  const finite = numbers.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const flat = high - low < 1e-12 || !finite.length;
  const x = (k) => LEFT + ((W - LEFT - 8) * (epochs[k] - epochs[0])) / Math.max(1, epochs.at(-1) - epochs[0]);
  const y = (value) => (flat ? H / 2 : 10 + ((H - 26) * (high - value)) / (high - low));
  const points = numbers.map((value, k) => [x(k), y(value), value]).filter((point) => Number.isFinite(point[2]));
  const now = numbers[at];
  return html`<figure class="curve">
    <svg viewBox="0 0 ${W} ${H}" role="img" aria-label="${what} over ${epochs.length} moments of the training, now ${number(now ?? NaN)}">
      ${!flat && html`<text x=${LEFT - 6} y="13" text-anchor="end">${number(high)}</text><text x=${LEFT - 6} y=${H - 13} text-anchor="end">${number(low)}</text>`}
      ${!flat && low < 0 && high > 0 && html`<line class="zero" x1=${LEFT} x2=${W - 8} y1=${y(0)} y2=${y(0)} />`}
      <polyline points=${points.map((point) => `${point[0].toFixed(1)},${point[1].toFixed(1)}`).join(" ")} />
      ${Number.isFinite(now) && html`<line class="now" x1=${x(at)} x2=${x(at)} y1="4" y2=${H - 14} /><circle cx=${x(at)} cy=${y(now)} r="4.5" />`}
      <text x=${LEFT} y=${H - 1}>epoch ${epochs[0]}</text><text x=${W - 8} y=${H - 1} text-anchor="end">${epochs.at(-1)}</text>
    </svg>
    <figcaption>${what}${Number.isFinite(now) ? `: ${number(now)}` : ""}</figcaption>
  </figure>`;
}
