// Draws each table that has `data-chart` ("bar", "across", "stacked", "line"): the table stays, and says the same.
// "across" has its bars lie, for long names. A table without any number but 0 is not drawn.
// A cell without `data-value` has no number, or one that is not told: the chart has a gap there.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const LIGHT_COLOURS = ["#0b5c6b", "#b3541e", "#5b3fa0", "#7a6a00", "#9c2030", "#1c6537", "#4a5560", "#a03c80"];
const DARK_COLOURS = ["#7fcbd9", "#f0b267", "#c9a3f0", "#e3d26f", "#ff9aa5", "#86d3a0", "#b8c2c8", "#f2a6d8"];
const DASHES = [[], [6, 3], [2, 2], [10, 3, 2, 3]];
const POINTS = ["circle", "rect", "triangle", "rectRot"];
const DENSE = 40;

const text = (cell) => cell.textContent.trim();
const number = (cell) => (cell && cell.dataset.value !== undefined ? Number(cell.dataset.value) : null);

function stripes(colour) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = 2;
  for (const shift of [-3, 3, 9]) {
    pen.moveTo(shift - 4, 7);
    pen.lineTo(shift + 4, -1);
  }
  pen.stroke();
  return pen.createPattern(tile, "repeat");
}

// Neighbours differ by texture, dash or mark as well as by colour.
function series(table, isLine, rows) {
  const headings = [...table.tHead.rows[0].cells].slice(1, 1 + Number(table.dataset.drawn));
  return headings.map((heading, place) => {
    const colour = (dark.matches ? DARK_COLOURS : LIGHT_COLOURS)[place % LIGHT_COLOURS.length];
    return {
      label: text(heading),
      data: rows.map((row) => number(row.cells[place + 1])),
      borderColor: colour,
      backgroundColor: isLine || place % 2 === 0 ? colour : stripes(colour),
      borderWidth: isLine ? 2 : 1,
      borderDash: isLine ? DASHES[place % DASHES.length] : [],
      pointStyle: POINTS[place % POINTS.length],
      pointRadius: rows.length > DENSE ? 0 : 3,
    };
  });
}

function settings(table) {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim(), line = style.getPropertyValue("--line").trim();
  const rows = [...table.tBodies[0].rows].filter((row) => [...row.cells].some((cell) => number(cell) !== null));
  const isLine = table.dataset.chart === "line" && rows.length > 1, isStacked = table.dataset.chart === "stacked";
  const isAcross = table.dataset.chart === "across", unit = table.dataset.unit;
  const axis = { stacked: isStacked, ticks: { color: ink }, grid: { color: line } };
  const names = { ...axis, ticks: { color: ink, autoSkip: !isAcross } };
  const numbers = {
    ...axis,
    beginAtZero: true,
    ticks: unit ? { color: ink } : { color: ink, precision: 0 },
    title: { display: Boolean(unit), text: unit, color: ink },
  };
  return {
    type: isLine ? "line" : "bar",
    data: { labels: rows.map((row) => text(row.cells[0]).split(" (")[0]), datasets: series(table, isLine, rows) },
    options: {
      animation: false,
      maintainAspectRatio: false,
      indexAxis: isAcross ? "y" : "x",
      scales: isAcross ? { x: numbers, y: names } : { x: names, y: numbers },
      plugins: { legend: { labels: { color: ink, usePointStyle: isLine } } },
    },
  };
}

function draw(table) {
  const place = document.createElement("div"), canvas = document.createElement("canvas");
  place.className = "chart";
  if (table.dataset.chart === "across") place.style.height = `${6 + 4 * table.tBodies[0].rows.length}rem`;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Chart: ${text(table.caption)}. The table says the same.`);
  place.append(canvas);
  (table.closest("details") || table.closest(".scroll")).before(place);
  let chart = new Chart(canvas, settings(table));
  dark.addEventListener("change", () => {
    chart.destroy();
    chart = new Chart(canvas, settings(table));
  });
}

for (const table of document.querySelectorAll("table[data-chart]")) {
  if ([...table.querySelectorAll("tbody td")].some((cell) => number(cell))) draw(table);
}
