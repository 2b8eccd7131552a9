import "../shared/theme.css";
import "./style.css";
import { html, render } from "../shared/ui.js";
import { App } from "./app.js";

const data = JSON.parse(document.getElementById("data").textContent);
render(html`<${App} data=${data} arithmetic=${globalThis.arithmetic} />`, document.getElementById("page"));
