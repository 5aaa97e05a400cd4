"use strict";
// The page reads well without this: it adds tooltips, the colourings of the chip map, sorting and filtering.
(() => {
  const $ = (name) => document.getElementById(name);
  document.documentElement.classList.add("js");

  // --- tooltips: the text of the nearest data-tip, near the pointer ---
  const tip = $("tip");
  const show = (text, event) => {
    if (!text) { tip.classList.remove("on"); return; }
    tip.textContent = text;
    tip.classList.add("on");
    const box = tip.getBoundingClientRect();
    const x = Math.min(event.clientX + 14, innerWidth - box.width - 8);
    const below = event.clientY + 18 + box.height < innerHeight;
    tip.style.left = Math.max(8, x) + "px";
    tip.style.top = (below ? event.clientY + 18 : event.clientY - box.height - 12) + "px";
  };

  // --- chip map ---
  const source = $("cores");
  const cores = source ? JSON.parse(source.textContent) : null;
  let mode = cores ? Object.keys(cores.modes)[0] : "";
  const corner = (cell) => {
    const router = Math.floor(cell / cores.perRouter), place = cell % cores.perRouter;
    return [
      (router % cores.columns) * (cores.across * cores.pitch + cores.gap) + (place % cores.across) * cores.pitch,
      Math.floor(router / cores.columns) * (cores.down * cores.pitch + cores.gap) + Math.floor(place / cores.across) * cores.pitch,
    ];
  };
  const square = (cell) => { const [x, y] = corner(cell), s = cores.size; return `M${x} ${y}h${s}v${s}h-${s}z`; };
  const step = (value) => value === null ? "un" : value > 1000 ? "ux"
    : "u" + Math.min(cores.steps - 1, Math.floor(value * cores.steps / 1000));
  const recolour = () => {
    for (const svg of document.querySelectorAll("svg[data-panel]")) {
      const panel = cores.panels[svg.dataset.panel], shapes = new Map();
      panel.cells.forEach((cell, i) => {
        const name = step(cores.modes[mode][panel.start + i]);
        shapes.set(name, (shapes.get(name) || "") + square(cell));
      });
      svg.querySelectorAll("path:not(.uf)").forEach((path) => path.remove());
      for (const [name, d] of shapes) {
        const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
        path.setAttribute("class", name);
        path.setAttribute("d", d);
        svg.append(path);
      }
    }
    const layers = mode === cores.layerMode;
    $("ramp-low").textContent = layers ? "0" : "0 %";
    $("ramp-high").textContent = layers ? String(cores.layerTop) : "100 %";
    $("ramp-what").textContent = (layers ? (cores.byChip ? "First layer" : "Layer") : (cores.byChip ? "Mean " : "") + mode)
      + (cores.byChip ? " of a chip" : " of a core");
  };
  const percent = (value) => value === null ? "–" : (value > 1000 ? "over 100" : (value / 10).toFixed(1)) + " %";
  const coreText = (svg, event) => {
    const panel = cores.panels[svg.dataset.panel], box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
    const x = (event.clientX - box.left) / box.width * view.width + view.x;
    const y = (event.clientY - box.top) / box.height * view.height + view.y;
    const column = Math.floor(x / (cores.across * cores.pitch + cores.gap));
    const row = Math.floor(y / (cores.down * cores.pitch + cores.gap));
    if (column < 0 || row < 0 || column >= cores.columns) return "";
    const inX = Math.floor((x - column * (cores.across * cores.pitch + cores.gap)) / cores.pitch);
    const inY = Math.floor((y - row * (cores.down * cores.pitch + cores.gap)) / cores.pitch);
    if (inX >= cores.across || inY >= cores.down) return "";
    const cell = (row * cores.columns + column) * cores.perRouter + inY * cores.across + inX;
    if (cell >= panel.sites) return "";
    panel.index ||= new Map(panel.cells.map((c, i) => [c, panel.start + i]));
    const i = panel.index.get(cell);
    const title = cores.byChip ? "" : `${panel.title}, core ${cell}\n`;
    if (i === undefined) return cores.byChip ? `chip ${cell}: free` : `${title}free`;
    const lines = Object.entries(cores.modes).filter(([name]) => name !== cores.layerMode)
      .map(([name, values]) => `${name} ${percent(values[i])}`);
    return `${title}${cores.names[cores.name[i]]}\n${lines.join("\n")}`;
  };
  if (cores) $("colour-by").addEventListener("change", (event) => { mode = event.target.value; recolour(); });

  document.addEventListener("pointermove", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const svg = target && target.closest("svg[data-panel]");
    if (svg) { show(coreText(svg, event), event); return; }
    const marked = target && target.closest("[data-tip]");
    show(marked ? marked.dataset.tip : "", event);
  });
  document.addEventListener("scroll", () => tip.classList.remove("on"), { passive: true });

  // --- tables: a click on a head sorts, a second one turns the order round ---
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.querySelectorAll("thead th")];
    heads.forEach((head, column) => {
      if (!head.textContent) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const numeric = head.classList.contains("num");
        const up = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "descending" : !numeric;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const key = (row) => { const c = row.cells[column]; return numeric ? Number(c.dataset.v) : c.textContent; };
        const order = (a, b) => numeric ? key(a) - key(b) : key(a).localeCompare(key(b), "en", { numeric: true });
        const rows = [...table.tBodies[0].rows].sort((a, b) => up ? order(a, b) : order(b, a));
        table.tBodies[0].append(...rows);
      });
    });
  }

  // --- areas that scroll: a stop of the keyboard only where there is something to scroll ---
  const areas = [...document.querySelectorAll("[tabindex='0']")];
  const stops = () => areas.forEach((area) => {
    const scrolls = area.scrollWidth > area.clientWidth || area.scrollHeight > area.clientHeight;
    if (scrolls) area.tabIndex = 0; else area.removeAttribute("tabindex");
  });
  stops();
  addEventListener("resize", stops);
  document.addEventListener("toggle", stops, true);
  document.addEventListener("change", stops);

  // --- operations: filter by text and device ---
  const field = $("ops-filter"), device = $("ops-device");
  if (field) {
    const rows = [...$("ops").tBodies[0].rows];
    const filter = () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        const fits = words.every((word) => text.includes(word))
          && (!device.value || row.querySelector(".device").textContent === device.value);
        row.hidden = !fits;
        shown += fits;
      }
      $("ops-count").textContent = shown < rows.length ? `${shown} of ${rows.length} rows` : "";
    };
    field.addEventListener("input", filter);
    device.addEventListener("change", filter);
  }

  // --- print what is folded away ---
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
})();
