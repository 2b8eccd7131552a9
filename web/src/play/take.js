// What can be taken home: the model, the history, the run as a program, the session, the picture.
import { html, useRef } from "../shared/ui.js";
import { shownTheme } from "./colours.js";
import { drawMap, drawPoints } from "./plane.js";
import { ask, trouble } from "./run.js";

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** The map with its points as a PNG. */
async function picture(run) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 800;
  const points = canvas.cloneNode();
  drawMap(canvas, run.frame, run.state.settings.discretize);
  drawPoints(points, run.state, { scale: 2 });
  const context = canvas.getContext("2d");
  context.globalCompositeOperation = "destination-over";
  context.fillStyle = shownTheme() === "dark" ? "#14171c" : "#ffffff";
  context.fillRect(0, 0, 800, 800);
  context.globalCompositeOperation = "source-over";
  context.drawImage(points, 0, 0);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

export function Take({ run, load }) {
  const file = useRef();
  const get = (what, name) => async () => {
    try {
      save(await (await ask(`${run.path}/get/${what}`)).blob(), name);
    } catch (error) {
      trouble(error);
    }
  };
  return html`<div class="take" role="group" aria-label="Take home">
    <h2>Take home</h2>
    <button data-get="model" title="safetensors, for micrograd-mlp predict, export and explore" onClick=${get("model", "model.safetensors")}>Model</button>
    <button data-get="history" title="CSV: a row for each epoch" onClick=${get("history", "history.csv")}>History</button>
    <button data-get="code" title="This run as a program in Python" onClick=${get("code", "run.py")}>Code</button>
    <button data-get="picture" title="PNG" onClick=${async () => save(await picture(run), "playground.png")}>Picture</button>
    <button data-get="session" title="JSON: settings, points, weights, history" onClick=${get("session", "session.json")}>Session</button>
    <button id="load" title="A session that was saved" onClick=${() => file.current.click()}>Load session …</button>
    <input ref=${file} id="session" class="unseen" type="file" accept=".json,application/json" tabindex="-1" aria-label="Session file"
      onChange=${async (event) => {
        const [chosen] = event.target.files;
        event.target.value = "";
        if (chosen) load(await chosen.text());
      }} />
  </div>`;
}
