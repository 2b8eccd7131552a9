// The same graph as a table: what is visible, one row each, for whoever reads tables better than pictures.

import { html } from "../shared/ui.js";
import { span } from "./picture.js";
import { number } from "./words.js";

const MOST_ROWS = 400;

export function Table({ graph, numbers, scene, steps, t, selected, onPick, onOpen, fold }) {
  const rows = scene.items.slice(0, MOST_ROWS);
  const named = (lines, side) => {
    const names = lines.map((line) => nameOf(line[side], graph));
    return names.length > 6 ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} others` : names.join(", ");
  };
  return html`<div class="table" tabindex="0" role="region" aria-label="The graph as a table">
    <table>
      <caption>${scene.items.length.toLocaleString("en")} boxes in the order of computation${scene.items.length > MOST_ROWS && `, the first ${MOST_ROWS} of them`}; a question mark is not computed yet at this step.</caption>
      <thead><tr><th scope="col">name</th><th scope="col">what it is</th><th scope="col">reads</th><th scope="col">value</th><th scope="col">gradient</th><th scope="col">read by</th></tr></thead>
      <tbody>${rows.map((item) => html`<tr key=${item.id} aria-selected=${item.id === selected}>
        <th scope="row"><button class="link" onClick=${() => onPick(item.id)}>${nameOf(item, graph)}</button>
          ${item.group >= 0 && html` <button onClick=${() => onOpen(item.group)} aria-label="Unfold ${fold.titles[item.group]}">+</button>`}</th>
        <td>${whatIs(item, graph)}</td>
        <td>${named(item.into, "tail")}</td>
        ${numbersOf(item, numbers, steps, t)}
        <td>${named(item.out, "head")}</td>
      </tr>`)}</tbody>
    </table>
  </div>`;
}

function numbersOf(item, numbers, steps, t) {
  const shown = item.group >= 0 ? item.shown : [item.id];
  const valued = shown.filter((i) => steps.hasValue(i, t));
  const graded = shown.filter((i) => steps.hasGrad(i, t));
  return html`<td class="figure">${valued.length ? span(valued, numbers.data) : "?"}</td><td class="figure">${graded.length ? span(graded, numbers.grad) : "?"}</td>`;
}

/** The name of a box. */
export function nameOf(item, graph) {
  return item.group >= 0 ? item.title : graph.label(item.id) || graph.name(item.id);
}

/** What a box is, in words. */
export function whatIs(item, graph) {
  if (item.group >= 0) return `${item.many.toLocaleString("en")} numbers, folded`;
  return graph.rule(item.id)?.name ?? graph.kind(item.id);
}
