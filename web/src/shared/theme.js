// Dark and light: as the system says, until somebody chooses.
import { html, useState } from "./ui.js";

const KEY = "micrograd-mlp theme";
const CHOICES = { auto: "system", light: "light", dark: "dark" };

/** What was chosen before, here or on another page: "auto", "light" or "dark". */
export function chosenTheme() {
  const given = document.documentElement.dataset.theme;
  try {
    return given ?? localStorage.getItem(KEY) ?? "auto";
  } catch {
    return given ?? "auto"; // a page in a sandbox has no storage
  }
}

/** Show the page in a theme, remember it, and tell whoever draws on a canvas by the event "themechange". */
export function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // as above
  }
  dispatchEvent(new Event("themechange"));
}

/** The value of a custom property of the theme, as "#0072b2" for "--blue". */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Call `redraw` whenever the colours change, by the switch or by the system; return how to stop. */
export function onThemeChange(redraw) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  addEventListener("themechange", redraw);
  system.addEventListener("change", redraw);
  return () => {
    removeEventListener("themechange", redraw);
    system.removeEventListener("change", redraw);
  };
}

/** The choice of colours, a list to pick from. */
export function ThemeSwitch() {
  const [theme, choose] = useState(chosenTheme);
  const change = (event) => {
    choose(event.target.value);
    setTheme(event.target.value);
  };
  return html`<label class="theme-switch"><span class="unseen">Colours</span><select value=${theme} onChange=${change}>
    ${Object.entries(CHOICES).map(([key, text]) => html`<option value=${key} selected=${key === theme}>${text}</option>`)}
  </select></label>`;
}

setTheme(chosenTheme());
