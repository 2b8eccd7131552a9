import "../shared/theme.css";
import { html, render } from "../shared/ui.js";
import { ThemeSwitch } from "../shared/theme.js";

render(html`<${ThemeSwitch} />`, document.getElementById("page") ?? document.body);
