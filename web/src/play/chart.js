// The curves of the losses, on uPlot.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { html, useEffect, useRef } from "../shared/ui.js";
import { colour, onThemeChange } from "../shared/theme.js";
import { short } from "./numbers.js";

/** Epochs that any run has, with the losses of each run where it has them. */
function columns(runs) {
  const tables = [];
  for (const run of runs) {
    const epochs = run.rows.map((row) => row[0]);
    tables.push([epochs, run.rows.map((row) => row[1])], [epochs, run.rows.map((row) => row[3])]);
  }
  return uPlot.join(tables);
}

export function Chart({ runs }) {
  const box = useRef();
  useEffect(() => {
    let plot = null;
    let timer = 0;
    const build = () => {
      plot?.destroy();
      const series = runs.flatMap((run, k) => [
        { label: `${runs.length > 1 ? "AB"[k] + " " : ""}training`, stroke: colour(k ? "--purple" : "--quiet"), width: 1.6, spanGaps: true, points: { show: false } },
        { label: `${runs.length > 1 ? "AB"[k] + " " : ""}test`, stroke: colour(k ? "--green" : "--ink"), width: 1.6, dash: [5, 3], spanGaps: true, points: { show: false } },
      ]);
      const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--fine"), width: 0.5 }, ticks: { show: false }, font: "11px system-ui" };
      plot = new uPlot(
        {
          width: Math.max(150, box.current.clientWidth),
          height: 110,
          legend: { show: false },
          padding: [6, 16, 0, 0],
          cursor: { y: false, points: { show: false } },
          scales: { x: { time: false }, y: { range: (_, low, high) => [Math.min(0, low), high > low ? high * 1.05 : low + 1] } },
          axes: [{ ...axis, size: 22 }, { ...axis, size: 40, values: (_, ticks) => ticks.map((tick) => short(tick, 2)) }],
          series: [{ label: "epoch" }, ...series],
          hooks: {
            setCursor: [
              (u) => {
                const i = u.cursor.idx;
                const values = i === null || i === undefined ? [] : u.data.map((each) => each[i]);
                if (!values.length) return;
                u.root.title = `epoch ${values[0]}: ${series.map((each, k) => `${each.label} ${short(values[k + 1], 4)}`).join(", ")}`;
              },
            ],
          },
        },
        columns(runs),
        box.current,
      );
    };
    const update = () => {
      if (timer) return;
      timer = setTimeout(() => {
        timer = 0;
        plot?.setData(columns(runs));
      }, 200);
    };
    build();
    const resized = new ResizeObserver(() => plot && plot.setSize({ width: Math.max(150, box.current.clientWidth), height: 110 }));
    resized.observe(box.current);
    const stops = [onThemeChange(build), ...runs.map((run) => run.listen((what) => what === "frame" && update()))];
    return () => {
      stops.forEach((stop) => stop());
      resized.disconnect();
      clearTimeout(timer);
      plot.destroy();
    };
  }, [runs]);
  return html`<div class="chart" ref=${box} role="img" aria-label="Curves of the losses"></div>`;
}
