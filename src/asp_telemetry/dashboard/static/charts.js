// Draws the charts that charts.py describes: `<canvas data-chart="ID">` shows the JSON of `<script id="ID">`.
(() => {
  "use strict";

  const SHAPES = ["circle", "triangle", "rect", "rectRot", "star", "cross"];
  const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3], [12, 3], [1, 3]];
  // As formatting.py writes times: from so many ms on in units of so many ms.
  const TIMES = [[172800000, 86400000, "d"], [7200000, 3600000, "h"], [120000, 60000, "min"], [1000, 1000, "s"]];
  const ROUND_TIMES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3, 1.8e6, 3.6e6, 7.2e6, 14.4e6, 21.6e6, 43.2e6, 86.4e6];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const drawn = new Map();

  function theme() {
    const style = getComputedStyle(document.documentElement);
    const variable = (name) => style.getPropertyValue(name).trim();
    return {
      hues: [1, 2, 3, 4, 5, 6].map((number) => variable(`--chart-${number}`)),
      band: variable("--chart-band"),
      grid: variable("--chart-grid"),
      text: variable("--chart-text"),
      back: variable("--chart-back"),
      font: getComputedStyle(document.body).fontFamily,
    };
  }

  const plain = (value, digits) => value.toLocaleString("en", { maximumSignificantDigits: digits });

  function told(value, unit, digits = 4) {
    if (value === null || value === undefined) return "no value";
    const size = Math.abs(value);
    switch (unit) {
      case "USD":
        return `${value < 0 ? "-" : ""}$${plain(size, digits)}`;
      case "share":
        return `${plain(value * 100, digits)} %`;
      case "ms":
        for (const [least, length, name] of TIMES) if (size >= least) return `${plain(value / length, digits)} ${name}`;
        return size === 0 ? "0" : `${plain(value, digits)} ms`;
      case "tokens":
        if (size >= 1e6) return `${plain(value / 1e6, digits)} M`;
        return size >= 1e4 ? `${plain(value / 1e3, digits)} k` : plain(value, digits);
      default:
        return plain(value, digits);
    }
  }

  function withUnit(value, unit) {
    const text = told(value, unit);
    return ["USD", "share", "ms", ""].includes(unit) || value === null ? text : `${text} ${unit}`;
  }

  function axisTitle(axis) {
    // Times choose their unit by their size: it stands at each number.
    const unit = { share: "%", ms: "", USD: "USD" }[axis.unit] ?? axis.unit;
    return unit && unit.toLowerCase() !== axis.title.toLowerCase() ? `${axis.title} (${unit})` : axis.title;
  }

  const shortened = (text) => (text.length > 28 ? `${text.slice(0, 27)}…` : text);

  function scale(axis, look, numbers, dates = false) {
    const found = {
      title: { display: true, text: axisTitle(axis), color: look.text },
      grid: { color: numbers ? look.grid : "transparent" },
      border: { color: look.grid },
      ticks: { color: look.text, maxRotation: 45, autoSkipPadding: 16 },
    };
    if (dates) found.ticks.maxRotation = 0;
    // Powers of ten are no round numbers of minutes.
    if (numbers && axis.unit === "ms")
      found.afterDataLimits = (one) => {
        one.options.ticks.stepSize = ROUND_TIMES.find((step) => (one.max - Math.min(one.min, 0)) / step <= 8);
      };
    if (numbers) found.ticks.callback = (value) => told(value, axis.unit);
    else
      found.ticks.callback = function (value) {
        return shortened(this.getLabelForValue(value));
      };
    return found;
  }

  // Stripes, dots and crosses tell bars apart where hues do not.
  function pattern(index, hue, back) {
    if (index === 0) return hue;
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const brush = tile.getContext("2d");
    brush.fillStyle = hue;
    brush.fillRect(0, 0, 8, 8);
    brush.strokeStyle = brush.fillStyle = back;
    brush.lineWidth = 2;
    brush.beginPath();
    if (index === 1) [-4, 4, 12].forEach((x) => { brush.moveTo(x - 4, 12); brush.lineTo(x + 8, 0); });
    if (index === 2) brush.arc(4, 4, 1.8, 0, 2 * Math.PI);
    if (index === 3) { brush.moveTo(0, 4); brush.lineTo(8, 4); }
    if (index === 4) { brush.moveTo(4, 0); brush.lineTo(4, 8); }
    if (index === 5) { brush.moveTo(0, 4); brush.lineTo(8, 4); brush.moveTo(4, 0); brush.lineTo(4, 8); }
    if (index === 2) brush.fill();
    else brush.stroke();
    return brush.createPattern(tile, "repeat");
  }

  // A value between gaps is part of no line: without a point it would not be seen.
  const alone = ({ dataset, dataIndex }) => ([-1, 1].some((step) => Number.isFinite(dataset.data[dataIndex + step])) ? 0 : 3);

  function line(name, index, hue, points) {
    return {
      label: name,
      borderColor: hue,
      backgroundColor: hue,
      borderWidth: 2,
      borderDash: DASHES[index % 6],
      pointStyle: SHAPES[index % 6],
      pointRadius: points > 60 ? alone : 3,
      pointHoverRadius: 6,
      tension: 0,
    };
  }

  function overLabels(chart, look) {
    const bars = chart.kind !== "line";
    const lying = Boolean(chart.horizontal);
    const dates = chart.labels.every((label) => /^\d{4}-\d\d/.test(label));
    const datasets = chart.series.map((series, index) => {
      const hue = look.hues[index % 6];
      const shape = bars
        ? { label: series.name, backgroundColor: pattern(index % 6, hue, look.back), borderColor: hue, borderWidth: 1, maxBarThickness: 40, order: 1 }
        : line(series.name, index, hue, chart.labels.length);
      return { ...shape, data: series.values };
    });
    const scales = {
      x: scale(lying ? chart.y : chart.x, look, lying, dates && !lying),
      y: scale(lying ? chart.x : chart.y, look, !lying),
    };
    scales[lying ? "x" : "y"].beginAtZero = true;
    // Lying bars have a line each for their names: none need be left out.
    if (lying) scales.y.ticks.autoSkip = false;
    if (chart.stacked) scales.x.stacked = scales.y.stacked = true;
    if (chart.kind === "pareto") {
      datasets.push({ ...line("Share so far", 1, look.hues[1], 0), type: "line", data: chart.shares, backgroundColor: look.back, clip: false, yAxisID: "shares", order: 0 });
      scales.shares = { ...scale({ title: "Share so far", unit: "share" }, look, true), position: "right", min: 0, max: 1 };
      scales.shares.grid = { drawOnChartArea: false };
    }
    const unit = (dataset) => (dataset.yAxisID === "shares" ? "share" : chart.y.unit);
    return {
      type: bars ? "bar" : "line",
      data: { labels: chart.labels, datasets },
      options: {
        indexAxis: lying ? "y" : "x",
        interaction: { mode: "index", axis: lying ? "y" : "x", intersect: false },
        scales,
        plugins: {
          legend: { display: datasets.length > 1 },
          tooltip: {
            callbacks: {
              label: ({ dataset, raw }) => `${dataset.label}: ${withUnit(raw, unit(dataset))}`,
            },
          },
        },
      },
    };
  }

  function fit(chart, look) {
    const edge = { borderColor: look.hues[0], borderWidth: 1, borderDash: [3, 3], pointRadius: 0, pointHitRadius: 0, type: "line", order: 3 };
    const datasets = chart.bands.flatMap((band, index) => {
      const side = { ...edge, borderDash: DASHES[index + 1], isBand: true };
      return [
        { ...side, label: band.name, data: band.high, fill: "+1", backgroundColor: look.band, pointStyle: "rect" },
        { ...side, label: "", data: band.low, fill: false },
      ];
    });
    if (chart.line.length)
      datasets.push({ ...edge, label: chart.line_name, data: chart.line, borderWidth: 2, borderDash: [], pointStyle: "line", order: 2, isBand: true });
    datasets.push({ label: "Measured", data: chart.points, backgroundColor: look.hues[1], borderColor: look.hues[1], pointRadius: 4, pointHoverRadius: 6, order: 1 });
    if (chart.marked)
      datasets.push({ label: chart.marked.name, data: [chart.marked], backgroundColor: look.hues[2], borderColor: look.hues[2], borderWidth: 2, pointStyle: "rectRot", pointRadius: 8, pointHoverRadius: 9, order: 0 });
    return {
      type: "scatter",
      data: { datasets },
      options: {
        interaction: { mode: "nearest", intersect: true },
        scales: { x: scale(chart.x, look, true), y: scale(chart.y, look, true) },
        plugins: {
          legend: { display: true, labels: { filter: (item) => item.text !== "" } },
          tooltip: {
            filter: ({ dataset }) => !dataset.isBand,
            callbacks: {
              label: ({ raw }) => [raw.name, `${chart.x.title}: ${withUnit(raw.x, chart.x.unit)}`, `${chart.y.title}: ${withUnit(raw.y, chart.y.unit)}`],
            },
          },
        },
      },
    };
  }

  function draw(canvas) {
    drawn.get(canvas)?.destroy();
    const chart = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
    const look = theme();
    const config = chart.kind === "fit" ? fit(chart, look) : overLabels(chart, look);
    config.options.responsive = true;
    config.options.maintainAspectRatio = false;
    config.options.animation = still.matches ? false : { duration: 250 };
    config.options.font = { family: look.font };
    const legend = config.options.plugins.legend;
    const points = chart.kind === "line" || chart.kind === "fit";
    legend.labels = { ...legend.labels, color: look.text, usePointStyle: points, boxHeight: points ? 6 : 10, boxWidth: points ? 10 : 28 };
    Object.assign(config.options.plugins.tooltip, { backgroundColor: look.text, titleColor: look.back, bodyColor: look.back });
    canvas.closest(".chart")?.classList.add("chart-drawn");
    drawn.set(canvas, new Chart(canvas, config));
  }

  function drawAll(within) {
    within.querySelectorAll("canvas[data-chart]").forEach(draw);
  }

  function redraw() {
    for (const [canvas, chart] of drawn) {
      if (canvas.isConnected) draw(canvas);
      else {
        chart.destroy();
        drawn.delete(canvas);
      }
    }
  }

  dark.addEventListener("change", redraw);
  still.addEventListener("change", redraw);
  document.addEventListener("htmx:afterSwap", (event) => drawAll(event.target));
  // The script is deferred: the page has been read when it runs.
  drawAll(document);
})();
