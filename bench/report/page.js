"use strict";
// Draws the charts and switches mode and view. A peer that was hidden by a click in a legend stays hidden.
(function () {
  const NARROW = 720; // pixels: below, the legend stands under the chart
  // the buttons are named one by one: what a newer plotly adds may want a network
  const buttons = [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]];
  const config = { responsive: true, displaylogo: false, modeBarButtons: buttons };
  const charts = Array.from(document.querySelectorAll(".chart"), (place) => ({
    place,
    ...JSON.parse(document.getElementById(place.dataset.figure).textContent),
  }));

  function chosen(name) {
    const input = document.querySelector(`input[name="${name}"]:checked`);
    return input ? input.value : null;
  }

  function belongs(trace) {
    const view = chosen("view") || "best";
    return trace.meta.mode === chosen("mode") && trace.meta.views.includes(view);
  }

  // a data set that was not measured in the chosen mode has no chart
  function isShown(chart) {
    return chosen("mode") in chart.ranges;
  }

  function isNarrow(chart) {
    return chart.place.clientWidth < NARROW;
  }

  function legend(chart) {
    return isNarrow(chart)
      ? { "legend.orientation": "h", "legend.x": 0, "legend.y": -0.2, "legend.yanchor": "top" }
      : { "legend.orientation": "v", "legend.x": 1.02, "legend.y": 1, "legend.yanchor": "top" };
  }

  async function show(chart) {
    chart.place.hidden = !isShown(chart);
    if (chart.place.hidden) return;
    await fit(chart);
    for (const trace of chart.place.data) {
      if (trace.visible === "legendonly") chart.hidden.add(trace.legendgroup);
      else if (trace.visible === true) chart.hidden.delete(trace.legendgroup);
    }
    const visible = chart.place.data.map(
      (trace) => belongs(trace) && (chart.hidden.has(trace.legendgroup) ? "legendonly" : true)
    );
    const ranges = chart.ranges[chosen("mode")];
    return Plotly.update(chart.place, { visible }, { "xaxis.range": ranges.x, "yaxis.range": ranges.y });
  }

  async function fit(chart) {
    if (!isShown(chart) || chart.narrow === isNarrow(chart)) return;
    chart.narrow = isNarrow(chart);
    chart.place.classList.toggle("narrow", chart.narrow);
    await Plotly.relayout(chart.place, legend(chart));
    await Plotly.Plots.resize(chart.place);
  }

  // `data-drawn` says that everything is drawn as it was chosen, to whoever looks at the page by a program
  async function showAll() {
    document.documentElement.dataset.drawn = "";
    for (const part of document.querySelectorAll("[data-mode]")) {
      part.hidden = part.dataset.mode !== chosen("mode");
    }
    await Promise.all(charts.map(show));
    document.documentElement.dataset.drawn = "yes";
  }

  async function start() {
    for (const chart of charts) {
      chart.hidden = new Set();
      await Plotly.newPlot(chart.place, chart.figure.data, chart.figure.layout, config);
    }
    await showAll();
    for (const input of document.querySelectorAll("nav input")) input.addEventListener("change", showAll);
    addEventListener("resize", () => charts.forEach(fit));
  }

  start();
})();
