// The page of the playground: data at the left, the network in the middle, the output at the right, controls on top.
import "../shared/theme.css";
import "./play.css";
import { html, render, useEffect, useState } from "../shared/ui.js";
import { Chart } from "./chart.js";
import { Check, useNews } from "./controls.js";
import { Data } from "./data.js";
import { Inspector } from "./inspector.js";
import { Network } from "./network.js";
import { Confusion, Key, Plane, Scores, Tools } from "./output.js";
import { Run, ask, trouble } from "./run.js";
import { Take } from "./take.js";
import { Top } from "./top.js";

const BETWEEN = "|"; // the two runs of a comparison, in the address

/** Open a run and wait until it has told its state. */
async function opened(what) {
  const run = await Run.open(what);
  await new Promise((done) => {
    const stop = run.listen(() => {
      stop();
      done();
    });
  });
  return run;
}

/** What the server has said that went wrong, for a few seconds. */
function Trouble() {
  const [text, tell] = useState("");
  useEffect(() => {
    let timer = 0;
    const hear = (event) => {
      tell(event.detail);
      clearTimeout(timer);
      timer = setTimeout(() => tell(""), 8000);
    };
    addEventListener("trouble", hear);
    return () => removeEventListener("trouble", hear);
  }, []);
  return html`<div class="trouble" role="alert">${text && html`<p>${text} <button aria-label="Close" onClick=${() => tell("")}>×</button></p>`}</div>`;
}

/** Why training has ended by itself, and what can be done about it. */
function Ended({ run, set, reopen }) {
  useNews(run, "state");
  useNews(run, "closed");
  if (run.closed) {
    return html`<div class="ended bad" role="status"><p>${run.closed}</p><button id="reopen" onClick=${reopen}>Open it again</button></div>`;
  }
  const { ended, message, settings } = run.state;
  if (!ended) return null;
  const gentler = async () => {
    await set({ lr: Number((settings.lr / 10).toPrecision(3)) });
    await run.post("rewind");
    await run.post("play");
  };
  return html`<div class=${`ended ${ended === "diverged" ? "bad" : ""}`} role="status" id="ended"><p>${ended === "diverged" && html`<strong>Diverged. </strong>`}${message}</p>
    ${ended === "diverged" && html`<button id="gentler" onClick=${gentler}>Again with a tenth of the learning rate</button>`}</div>`;
}

function Page({ first, choices }) {
  const [runs, setRuns] = useState(first);
  const [focus, look] = useState(0);
  const [chosen, choose] = useState(null);
  const [point, choosePoint] = useState(0);
  const [tool, pick] = useState("inspect");
  const [brush, take] = useState(1);
  const run = runs[Math.min(focus, runs.length - 1)];
  useNews(run, "state");

  const set = (fields) => {
    const sent = run.send("set", fields, Object.keys(fields).join());
    sent.catch(trouble);
    return sent;
  };
  const act = (what) => Promise.all(runs.map((each) => each.post(what))).catch(trouble); // what is compared runs together
  const setAll = (fields) => Promise.all(runs.map((each) => each.post("set", fields))).catch(trouble);
  const replace = (old, made) => setRuns((all) => all.map((each) => (each === old ? made : each)));

  const compare = async () => {
    if (runs.length > 1) {
      runs[1].close();
      setRuns([runs[0]]);
      look(0);
      return;
    }
    try {
      const saved = await (await ask(`${run.path}/get/session`)).json();
      const second = await opened(saved);
      await second.post("rewind");
      await run.post("rewind");
      setRuns([run, second]);
      look(1);
    } catch (error) {
      trouble(error);
    }
  };
  const load = async (text) => {
    try {
      const made = await opened(JSON.parse(text));
      run.close();
      replace(run, made);
    } catch (error) {
      trouble(error instanceof SyntaxError ? new Error("this file is no saved session: it is no JSON") : error);
    }
  };
  const upload = async (file, input) => {
    try {
      await ask(`${run.path}/data?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
    } catch (error) {
      trouble(error);
    }
    input.value = "";
  };
  const reopen = async () => {
    try {
      replace(run, await opened({ query: run.state.query }));
    } catch (error) {
      trouble(error);
    }
  };

  useEffect(() => {
    const write = () => {
      const hash = `#${runs.map((each) => each.state.query).join(BETWEEN)}`;
      if (hash !== location.hash) history.replaceState(null, "", location.pathname + location.search + (hash === "#" ? "" : hash));
    };
    write();
    const stops = runs.map((each) => each.listen((what) => what === "state" && write()));
    const seen = () => runs.forEach((each) => each.post("view", { visible: !document.hidden }).catch(() => {}));
    const leave = () => runs.forEach((each) => each.close());
    const again = (event) => event.persisted && location.reload();
    const edited = () => location.reload();
    document.addEventListener("visibilitychange", seen);
    addEventListener("pagehide", leave);
    addEventListener("pageshow", again);
    addEventListener("hashchange", edited);
    return () => {
      stops.forEach((stop) => stop());
      document.removeEventListener("visibilitychange", seen);
      removeEventListener("pagehide", leave);
      removeEventListener("pageshow", again);
      removeEventListener("hashchange", edited);
    };
  }, [runs]);

  useEffect(() => {
    const press = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, [role=application]")) return;
      if (event.key === " " && event.target.closest("button, a, summary")) return; // it presses them
      const what = { " ": run.state.playing ? "pause" : "play", s: "step", r: "rewind" }[event.key];
      if (!what) return;
      event.preventDefault();
      act(what);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [run]);

  const { settings: s } = run.state;
  const painted = s.kind === "classification" ? Math.min(brush, run.state.classes.length - 1) : Math.max(-1, Math.min(1, brush));
  return html`<${Top} run=${run} act=${act} set=${set} choices=${choices} compare=${compare} comparing=${runs.length > 1} />
    <main class=${runs.length > 1 ? "two" : ""}>
      <${Data} run=${run} setAll=${setAll} set=${set} choices=${choices} upload=${upload} />
      <div class="middle">
        <${Ended} run=${run} set=${set} reopen=${reopen} />
        <${Network} run=${run} set=${set} setAll=${setAll} choices=${choices} chosen=${chosen} choose=${choose}
          look=${(unit) => run.post("view", { unit }).catch(() => {})} />
        <${Inspector} run=${run} chosen=${chosen} choose=${choose} point=${point} />
      </div>
      <section class="output" aria-label="Output">
        <h2>Output</h2>
        <div class="planes">${runs.map((each, k) => html`<div key=${each.name} class=${runs.length > 1 && each === run ? "in focus" : "in"}>
          ${runs.length > 1 && html`<button class="tab" aria-pressed=${each === run} data-run=${k} onClick=${() => look(k)}>Run ${"AB"[k]}</button>`}
          <${Scores} run=${each} />
          <${Plane} run=${each} tool=${tool} brush=${painted} point=${each === run ? point : -1} choosePoint=${choosePoint} label=${runs.length > 1 ? `Run ${"AB"[k]}` : "Plane"} />
        </div>`)}</div>
        <${Key} run=${run} />
        <${Tools} run=${run} tool=${tool} pick=${pick} brush=${painted} take=${take} />
        <div class="row"><${Check} label="Show test data" id="show_test" value=${s.show_test} onPick=${(show_test) => set({ show_test })} />
          <${Check} label="Discretise output" id="discretize" value=${s.discretize} onPick=${(discretize) => set({ discretize })} /></div>
        <h2>Loss <span class="legend">${runs.map((_, k) => html`<span class=${`train ${"ab"[k]}`}>${runs.length > 1 ? `${"AB"[k]} ` : ""}training</span> <span class=${`test ${"ab"[k]}`}>${runs.length > 1 ? `${"AB"[k]} ` : ""}test</span> `)}</span></h2>
        <${Chart} runs=${runs} />
        <${Confusion} run=${run} />
        <${Take} run=${run} load=${load} />
      </section>
    </main>
    <${Trouble} />`;
}

async function start() {
  const page = document.getElementById("page");
  try {
    const choices = await (await ask("/choices")).json();
    const queries = decodeURI(location.hash.slice(1)).split(BETWEEN).slice(0, 2);
    const runs = [];
    let refused = null;
    for (const query of queries) {
      try {
        runs.push(await opened({ query }));
      } catch (error) {
        refused = error;
      }
    }
    if (!runs.length) runs.push(await opened({ query: "" }));
    page.replaceChildren();
    render(html`<${Page} first=${runs} choices=${choices} />`, page);
    if (refused) setTimeout(() => trouble(refused), 50);
  } catch (error) {
    page.textContent = `The playground cannot be shown: ${error.message}`;
  }
}

start();
