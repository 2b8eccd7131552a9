// What a teacher would say: each operation, each gradient and each update as a sentence with its own numbers. The rules
// come from the table of operations, as text and as trees; nothing here knows calculus.

import { evaluate, updated } from "./numbers.js";

const MOST_TERMS = 4;
const BINDS = { add: 1, sub: 1, mul: 2, div: 2, neg: 3, pow: 4 };
const INFIX = { add: " + ", sub: " - ", mul: "·", div: " / ", pow: "^" };

/** A number with four digits after the point, or in the general form where these would hide it or be too many. */
export function number(x) {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (x === 0 || (Math.abs(x) >= 0.001 && Math.abs(x) < 10000)) return (x + 0).toFixed(4);
  return Number(x.toPrecision(Math.abs(x) < 1 ? 4 : 6)).toString();
}

/** A number that stands in code, as short as it is. */
export function plain(x) {
  return Number.isFinite(x) ? String(Number(x.toPrecision(6))) : number(x);
}

/** A text in brackets, if it would be read wrongly beside an operator. */
export function bracketed(text) {
  return /^-/.test(text) || /^[^([]*[ ·+/^]/.test(text) ? `(${text})` : text;
}

/** A tree in writing. `names` holds the text of each variable; with `values`, a choice is written as what is chosen. */
export function write(tree, names, values) {
  return written(tree, names, values).text;
}

function written(tree, names, values) {
  if (typeof tree === "number") return { text: plain(tree), binds: tree < 0 ? 1 : 5 };
  if (typeof tree === "string") {
    const text = names[tree] ?? tree;
    return { text, binds: bracketed(text) === text ? 5 : 0 };
  }
  const [name, ...args] = tree;
  if (name === "where" && values) return written(evaluate(args[0], values) !== 0 ? args[1] : args[2], names, values);
  const parts = args.map((arg) => written(arg, names, values));
  if (name === "where") {
    return { text: `${parts[1].text} if ${parts[0].text} ≠ 0, else ${parts[2].text}`, binds: 0 };
  }
  if (!(name in BINDS)) return { text: `${name}(${parts.map((part) => part.text).join(", ")})`, binds: 5 };
  const binds = BINDS[name];
  const sides = parts.map((part, side) => {
    const tight = side === 0 && name !== "pow" && name !== "neg" ? part.binds >= binds : part.binds > binds;
    return tight ? part.text : `(${part.text})`;
  });
  return { text: name === "neg" ? `-${sides[0]}` : sides.join(INFIX[name]), binds };
}

/** The formula of an operation with these texts for a, b and c: "a * b" becomes "0.5·2.0". */
export function formula(rule, texts) {
  const filled = rule.formula.replace(/\b[a-z]\b/g, (letter) => {
    const text = texts[letter.charCodeAt(0) - 97];
    return text === undefined || letter === "e" ? letter : bracketed(text);
  });
  return filled.replaceAll(" ** ", "^").replaceAll(" * ", "·");
}

/** The names, or the numbers, of the arguments of Value i. */
export function argumentTexts(graph, i, numbers) {
  const places = Array.from({ length: graph.start[i + 1] - graph.start[i] }, (_, place) => graph.start[i] + place);
  return places.map((k) => {
    if (graph.args[k] < 0) return plain(graph.numbers[~graph.args[k]]);
    return numbers ? number(numbers.argument(k)) : graph.name(graph.args[k]);
  });
}

/** The derivative of Value i by its argument at `place`: the rule in letters, in names, and in numbers. */
export function slopeTexts(graph, numbers, i, place) {
  const rule = graph.rule(i);
  const slope = numbers.slopes[graph.start[i] + place];
  if (!rule.partials.length) return { letters: "", names: "", numbers: number(slope), slope };
  const letters = ["a", "b", "c"].slice(0, rule.arity);
  const values = { out: numbers.data[i] };
  const names = { out: graph.name(i) };
  const texts = { out: number(numbers.data[i]) };
  letters.forEach((letter, k) => {
    values[letter] = numbers.argument(graph.start[i] + k);
    names[letter] = argumentTexts(graph, i)[k];
    texts[letter] = argumentTexts(graph, i, numbers)[k];
  });
  const tree = rule.partials[place];
  return {
    letters: write(tree, {}),
    names: write(tree, names, values),
    numbers: write(tree, texts, values),
    slope,
  };
}

/** How Value i is computed: { left, names, numbers, result }. */
export function forwardTexts(graph, numbers, i) {
  const rule = graph.rule(i);
  const result = number(numbers.data[i]);
  return {
    left: graph.name(i),
    names: formula(rule, argumentTexts(graph, i)),
    numbers: formula(rule, argumentTexts(graph, i, numbers)),
    result,
  };
}

/** How the gradient of Value i comes together, one term for each use: [{ user, place, slope, grad, share }]. */
export function terms(graph, numbers, i) {
  return Array.from(graph.usesOf(i), (k) => {
    const user = graph.userOf[k];
    return { k, user, place: k - graph.start[user], slope: numbers.slopes[k], grad: numbers.grad[user], share: numbers.shares[k] };
  });
}

function sum(texts, hidden) {
  const more = hidden ? ` + … (${hidden.toLocaleString("en")} more terms)` : "";
  return texts.join(" + ") + more;
}

function count(many, one) {
  return `${many.toLocaleString("en")} ${one}${many === 1 ? "" : "s"}`;
}

/** "a, b and c", or the first ones and how many more. */
function listed(names) {
  const shown = names.slice(0, MOST_TERMS);
  const more = names.length - shown.length;
  if (more) return `${shown.join(", ")} and ${count(more, "other")}`;
  return shown.length > 1 ? `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}` : shown[0];
}

/** Whether the share of a user was left out because the table says that nothing passes there. */
function isCut(rule, slope) {
  return rule.flat || (rule.selects && !slope);
}

/** The sentence of a step: { phase, headline, formula, reasons }. */
export function sentence(graph, numbers, step, update) {
  return { start: atStart, forward, backward, update: updating, end: atEnd }[step.kind](graph, numbers, step.value, update);
}

function atStart(graph) {
  const leaves = count(graph.leaves.length, "number");
  return {
    phase: "Before the start",
    headline: `${leaves} ${graph.leaves.length === 1 ? "is" : "are"} given: the inputs and the parameters.`,
    formula: [],
    reasons: ["Forward, each operation will compute one more number from those that are there, until the end is reached."],
  };
}

function forward(graph, numbers, i) {
  const rule = graph.rule(i);
  const texts = forwardTexts(graph, numbers, i);
  const reasons = [];
  if (rule.own) reasons.push("An operation of your own: this page takes its result as it was, and does not compute it again.");
  if (!rule.own && rule.note) reasons.push(`A choice: ${rule.note}.`);
  const users = graph.usersOf(i);
  reasons.push(users.length ? `${texts.left} will be used by ${listed(users.map((user) => graph.name(user)))}.`
    : `Nothing uses ${texts.left}: it is an end of the computation.`);
  return {
    phase: "Forward",
    headline: `Compute ${graph.label(i) || texts.left}`,
    formula: [`${texts.left} = ${texts.names}`, `= ${texts.numbers}`, ...(texts.numbers === texts.result ? [] : [`= ${texts.result}`])],
    reasons,
  };
}

function backward(graph, numbers, i) {
  const name = graph.name(i);
  const all = terms(graph, numbers, i);
  const result = number(numbers.grad[i]);
  const said = { phase: "Backward", headline: `The gradient of ${graph.label(i) || name}` };
  if (!all.length || graph.isOutput.has(i)) {
    const own = graph.isOutput.has(i) ? ["1"] : [];
    const rest = all.slice(0, MOST_TERMS).map((term) => `${bracketed(number(term.slope))}·${bracketed(number(term.grad))}`);
    return {
      ...said,
      formula: [`grad(${name}) = ${[...own, ...rest].join(" + ") || "0"}`, ...(rest.length ? [`= ${result}`] : [])],
      reasons: [own.length ? `Here it begins: when ${name} grows, ${graph.end} grows just as fast.` : "Nothing uses it, so nothing changes with it."],
    };
  }
  const shown = all.slice(0, MOST_TERMS);
  const cut = (term) => isCut(graph.rule(term.user), term.slope);
  const hidden = all.length - shown.length;
  const symbols = shown.map((term) => `∂${graph.name(term.user)}/∂${name} · grad(${graph.name(term.user)})`);
  const figures = shown.map((term) => (cut(term) ? "0" : `${bracketed(number(term.slope))}·${bracketed(number(term.grad))}`));
  const reasons = shown.map((term) => reason(graph, numbers, term, name));
  if (all.length > 1) reasons.push(`${count(all.length, "use")}, so ${all.length} terms: what reaches ${graph.end} along different ways adds up.`);
  return {
    ...said,
    formula: [`grad(${name}) = ${sum(symbols, hidden)}`, `= ${sum(figures, hidden)}`, `= ${result}`],
    reasons,
  };
}

/** Why one term of a gradient is what it is. */
function reason(graph, numbers, term, name) {
  const rule = graph.rule(term.user);
  const user = graph.name(term.user);
  if (rule.own && rule.silent) return `${user} passes its gradient on by code of its own, which this page cannot run: the number is not known here.`;
  if (rule.flat) return `${user} = ${rule.formula}: ${rule.note}, nothing passes.`;
  const slope = slopeTexts(graph, numbers, term.user, term.place);
  const made = `${user} = ${formula(rule, argumentTexts(graph, term.user))}`;
  const steps = [slope.names, slope.numbers, number(slope.slope)].filter((text, k, texts) => text && text !== texts[k - 1]);
  const last = steps.length > 1 && Number(steps.at(-1)) === Number(steps.at(-2)) ? steps.slice(0, -1) : steps;
  const note = rule.note && isCut(rule, term.slope) ? ` (${rule.note}: nothing passes)` : "";
  return `${made}, so ∂${user}/∂${name} = ${last.join(" = ")}${note}`;
}

function updating(graph, numbers, i, update) {
  const name = graph.name(i);
  const { values, value } = updated(update, numbers, i);
  const names = { value: name, slope: `grad(${name})`, lr: "rate", step: "step" };
  const texts = Object.fromEntries(Object.entries(values).map(([key, x]) => [key, key === "lr" || key === "step" ? plain(x) : number(x)]));
  const down = values.slope > 0 ? "down" : values.slope < 0 ? "up" : "";
  return {
    phase: "Update",
    headline: `A new number for ${graph.label(i) || name}`,
    formula: [`${name} ← ${write(update.rule.value, names)}`, `= ${write(update.rule.value, texts)}`, `= ${number(value)}`],
    reasons: [
      down
        ? `${graph.end} grows ${values.slope > 0 ? "with it" : "when it falls"}, so it goes ${down}, against its gradient.`
        : "Its gradient is 0: it stays, but for what the optimiser remembers.",
    ],
  };
}

function atEnd(graph, numbers) {
  return {
    phase: "Done",
    headline: "Everything is computed.",
    formula: [`${graph.end} = ${number(numbers.total())}`],
    reasons: ["Press Play to see it happen from the start, or click a number to ask where it comes from."],
  };
}

/** One line of a sentence, to be read out. */
export function spoken({ phase, headline, formula: lines, reasons }) {
  return `${phase}. ${headline}. ${lines.join(" ")}. ${reasons.join(" ")}`.replaceAll("..", ".");
}
