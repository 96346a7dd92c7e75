"use strict";
// The brand's charts, drawn from the API; colours are those of the style sheet.

const root = () => document.getElementById("brand-live");
const drawn = [];
const hours = (s) => `${s} h`;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function axes(format) {
  const base = {
    stroke: colour("--ink-3"),
    font: "11px Inter, system-ui, sans-serif",
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return [
    { ...base, grid: { show: false }, space: 70, values: [[86400, "{DD} {MMM}", null, null, null, null, null, null, 1], [3600, "{HH}:{mm}", "\n{DD} {MMM}", null, "\n{DD} {MMM}", null, null, null, 1]] },
    { ...base, size: 44, values: (u, ticks) => ticks.map(format) },
  ];
}

// Incidents as shades behind the lines.
function bursts(incidents) {
  return {
    hooks: {
      drawClear: [(u) => {
        for (const each of incidents) {
          const left = u.valToPos(each.started_at, "x", true);
          const right = u.valToPos(each.ended_at || u.scales.x.max, "x", true);
          const from = Math.max(left, u.bbox.left);
          const to = Math.min(Math.max(right, from + 2), u.bbox.left + u.bbox.width);
          u.ctx.fillStyle = colour("--burst");
          u.ctx.fillRect(from, u.bbox.top, Math.max(to - from, 2), u.bbox.height);
        }
      }],
    },
  };
}

function draw(figure, data, options) {
  figure.replaceChildren();
  const size = () => ({ width: figure.clientWidth, height: figure.clientHeight });
  const chart = new uPlot({
    ...size(),
    tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"),
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    ...options,
  }, data, figure);
  const tip = document.createElement("p");
  tip.className = "tip";
  tip.hidden = true;
  figure.append(tip);
  chart.over.addEventListener("mousemove", () => {
    const at = chart.cursor.idx;
    tip.hidden = at === null || at === undefined;
    if (tip.hidden) return;
    const time = new Date(data[0][at] * 1000).toISOString();
    tip.textContent = `${time.slice(5, 10)} ${time.slice(11, 16)} UTC · ${options.tell(at)}`;
  });
  chart.over.addEventListener("mouseleave", () => { tip.hidden = true; });
  const watch = new ResizeObserver(() => chart.setSize(size()));
  watch.observe(figure);
  drawn.push(() => { watch.disconnect(); chart.destroy(); });
}

const share = (value) => (value === null || value === undefined ? "" : `${Math.round(value * 100)} %`);
const amount = (value) => (value === null || value === undefined ? "" : String(Math.round(value * 10) / 10));

function paint(name, told) {
  const figure = document.querySelector(`[data-chart=${name}]`);
  if (!figure) return;
  // A figure of a step holds from its start to its end, so that a burst stands over its incident.
  const paths = uPlot.paths.stepped({ align: 1 });
  const line = { stroke: colour("--accent"), width: 2, points: { show: false } };
  const stepped = { ...line, paths };
  const edge = { stroke: "transparent", points: { show: false }, paths };
  const held = (values) => [...values, values[values.length - 1]];
  const ends = (at) => [...at, Math.max(told.until, at[at.length - 1] + 60)];
  const last = (at) => (i) => Math.min(i, at.length - 1);
  const band = [{ series: [3, 2], fill: colour("--band") }];
  const plugins = [bursts(told.incidents)];
  const x = { range: [told.since, Math.max(told.until, told.since + 3600)] };
  if (name === "volume") {
    const v = told.volume;
    const of = last(v.at);
    draw(figure, [ends(v.at), held(v.count), held(v.low), held(v.high), held(v.median)], {
      plugins, bands: band, axes: axes(amount), scales: { x, y: { range: (u, min, max) => [0, Math.max(max * 1.1, 4)] } },
      series: [{}, stepped, edge, edge, { stroke: colour("--ink-3"), width: 1, dash: [4, 4], points: { show: false }, paths }],
      tell: (j, i = of(j)) => `${v.count[i]} in ${hours(v.hours)}${v.median[i] === null ? "" : `, usual ${amount(v.median[i])} (${amount(v.low[i])} to ${amount(v.high[i])})`}`,
    });
  } else if (name === "negative") {
    const n = told.negative;
    const of = last(n.at);
    draw(figure, [ends(n.at), held(n.share), held(n.low), held(n.high)], {
      plugins, bands: band, axes: axes(share), scales: { x, y: { range: [0, 1] } }, series: [{}, stepped, edge, edge],
      tell: (j, i = of(j)) => (n.share[i] === null ? "nothing said" : `${share(n.share[i])} negative (${share(n.low[i])} to ${share(n.high[i])})`),
    });
  } else {
    const r = told.risk;
    draw(figure, [r.at, r.risk], {
      plugins, axes: axes(amount), scales: { x, y: { range: [0, 100] } }, series: [{}, { ...line, fill: colour("--band") }],
      tell: (i) => `risk ${Math.round(r.risk[i])}, burn of 24 h ${amount(r.burn_24h[i])}×`,
    });
  }
}

async function load() {
  if (!root()) return;
  const { brand, range } = root().dataset;
  const answer = await fetch(`/api/v1/brands/${encodeURIComponent(brand)}?range=${range}`);
  if (!answer.ok) { listener.toast("The charts could not be loaded", true); return; }
  const told = await answer.json();
  while (drawn.length) drawn.pop()();
  for (const name of ["volume", "negative", "risk"]) paint(name, told);
}

const again = listener.later(async () => {
  await htmx.ajax("GET", location.pathname + location.search, { target: "#brand-live .grid3", select: "#brand-live .grid3", swap: "outerHTML" });
  load();
}, 2500);
listener.on((change) => {
  if (change.kind === "theme") load();
  else if (change.kind === "reset" || (change.kind === "brand" && root() && change.key === root().dataset.brand)) again();
});
load();
