// Draws the map of images: places and names come from the page itself, as JSON; nothing is asked of the network.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("map-data").textContent);
  const find = (id) => document.getElementById(id);
  const canvas = find("map"), box = find("map-box"), tip = find("map-tip"), legend = find("map-legend"), search = find("map-search");
  const brush = canvas.getContext("2d"), n = data.x.length;
  const NONE = -1, UNKNOWN = -2, MOST_ZOOM = 60, PADDING = 26, N_HUES = 60, N_FOUND = 24;
  const sheets = data.sheets.map((source) => { const image = new Image(); image.onload = later; image.src = source; return image; });
  const folded = data.names.map(fold);
  const view = { zoom: 1, x: 0, y: 0 }, held = new Map();
  let size = { width: 1, height: 1 }, fit = 1, chosen = null, shown = -1, moved = 0, waiting = false, withPhotos = false, inks = {}, span = 0;

  function fold(text) { return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase(); }
  function later() { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; draw(); }); } }

  // Hues of neighbouring ranks lie far apart: each goes on by the golden angle.
  function colourOf(landmark) {
    if (landmark < 0) return inks.soft;
    const rank = landmark % N_HUES, light = inks.isDark ? 62 + 9 * (rank % 3 - 1) : 42 + 8 * (rank % 3 - 1);
    return `hsl(${(172 + rank * 137.508) % 360} ${inks.isDark ? 58 : 62}% ${light}%)`;
  }
  function readInks() {
    const style = getComputedStyle(document.documentElement), ink = (name) => style.getPropertyValue(name).trim();
    inks = { soft: ink("--soft"), card: ink("--card"), ink: ink("--ink"), isDark: matchMedia("(prefers-color-scheme: dark)").matches };
  }

  const scale = () => fit * view.zoom;
  const atX = (i) => size.width / 2 + (data.x[i] - view.x) * scale();
  const atY = (i) => size.height / 2 - (data.y[i] - view.y) * scale();
  const isIn = (x, y, room) => x > -room && y > -room && x < size.width + room && y < size.height + room;

  // Images of one ink are drawn in one stroke; those of no landmark lie below all others.
  const inkOf = (landmark) => (landmark < 0 ? landmark : landmark % N_HUES);
  const groups = new Map();
  for (let i = 0; i < n; i++) {
    const ink = inkOf(data.landmark[i]);
    if (!groups.has(ink)) groups.set(ink, []);
    groups.get(ink).push(i);
  }
  const inOrder = [...groups.keys()].sort((a, b) => (a < 0 ? -1 : b < 0 ? 1 : b - a));

  function dots(indices, radius) {
    brush.beginPath();
    for (const i of indices) {
      const x = atX(i), y = atY(i);
      if (isIn(x, y, radius)) { brush.moveTo(x + radius, y); brush.arc(x, y, radius, 0, 2 * Math.PI); }
    }
  }
  function draw() {
    const ratio = devicePixelRatio || 1;
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.clearRect(0, 0, size.width, size.height);
    const radius = Math.min(9, Math.max(1.4, Math.min(5, 0.42 * Math.sqrt(size.width * size.height / n)) * 0.42 * Math.sqrt(view.zoom) + 0.6));
    for (const ink of inOrder) {
      const all = groups.get(ink), picked = chosen ? all.filter((i) => chosen.has(data.landmark[i])) : all;
      if (chosen && picked.length < all.length) {
        brush.globalAlpha = 0.13; brush.fillStyle = inks.soft;
        dots(all.filter((i) => !chosen.has(data.landmark[i])), radius); brush.fill();
      }
      brush.globalAlpha = ink < 0 && !chosen ? 0.5 : 0.85;
      brush.fillStyle = brush.strokeStyle = colourOf(ink);
      dots(picked, chosen ? radius * 1.25 : radius);
      if (ink === UNKNOWN) { brush.lineWidth = 1; brush.stroke(); } else brush.fill();
    }
    brush.globalAlpha = 1;
    if (withPhotos) drawPhotos();
    if (shown >= 0) {
      brush.beginPath(); brush.arc(atX(shown), atY(shown), radius + 4, 0, 2 * Math.PI);
      brush.lineWidth = 2; brush.strokeStyle = inks.ink; brush.stroke();
    }
    canvas.dataset.drawn = n;
  }
  // As many photos as have room without lying on each other; going nearer brings more of them.
  function drawPhotos() {
    const side = Math.min(72, Math.max(34, size.width / 17)), room = side + 4, taken = new Map();
    for (let i = 0; i < n; i++) {
      if (data.tile[i] < 0 || (chosen && !chosen.has(data.landmark[i]))) continue;
      const x = atX(i), y = atY(i);
      if (!isIn(x, y, side / 2)) continue;
      const column = Math.floor(x / room), row = Math.floor(y / room);
      let isFree = true;
      for (let c = column - 1; c <= column + 1 && isFree; c++)
        for (let r = row - 1; r <= row + 1 && isFree; r++)
          for (const [otherX, otherY] of taken.get(`${c} ${r}`) || [])
            if (Math.abs(otherX - x) < room && Math.abs(otherY - y) < room) isFree = false;
      if (!isFree) continue;
      const key = `${column} ${row}`;
      taken.set(key, [...(taken.get(key) || []), [x, y]]);
      const [sheet, left, top] = tileOf(i);
      brush.fillStyle = colourOf(data.landmark[i]);
      brush.fillRect(x - side / 2 - 2, y - side / 2 - 2, side + 4, side + 4);
      if (sheet.complete) brush.drawImage(sheet, left, top, data.tilePx, data.tilePx, x - side / 2, y - side / 2, side, side);
    }
  }
  function tileOf(i) {
    const aSheet = data.tilesASide ** 2, number = data.tile[i] % aSheet;
    return [sheets[Math.floor(data.tile[i] / aSheet)], (number % data.tilesASide) * data.tilePx, Math.floor(number / data.tilesASide) * data.tilePx];
  }

  function nearest(x, y, within) {
    let best = -1, least = within * within;
    for (let i = 0; i < n; i++) {
      if (chosen && !chosen.has(data.landmark[i])) continue;
      const apart = (atX(i) - x) ** 2 + (atY(i) - y) ** 2;
      if (apart < least) { least = apart; best = i; }
    }
    return best;
  }
  function show(i) {
    if (i !== shown) { shown = i; later(); }
    canvas.classList.toggle("near", i >= 0);
    tip.hidden = i < 0;
    if (i < 0) return;
    const landmark = data.landmark[i], [picture, name, what] = tip.children;
    name.textContent = landmark >= 0 ? data.names[landmark] : landmark === NONE ? "no landmark" : "nobody has said";
    what.textContent = (landmark >= 0 ? `${data.counts[landmark].toLocaleString("en")} on the map · ` : "") + data.ids[i];
    picture.hidden = data.tile[i] < 0;
    if (!picture.hidden) {
      const [sheet, left, top] = tileOf(i), grow = 120 / data.tilePx;
      picture.style.backgroundImage = `url("${sheet.src}")`;
      picture.style.backgroundSize = `${data.tilesASide * data.tilePx * grow}px auto`;
      picture.style.backgroundPosition = `${-left * grow}px ${-top * grow}px`;
    }
    const x = atX(i) + canvas.offsetLeft, y = atY(i) + canvas.offsetTop, isRight = x + 24 + tip.offsetWidth > box.clientWidth;
    const left = isRight ? x - 14 - tip.offsetWidth : x + 14, top = y - tip.offsetHeight / 2;
    tip.style.left = `${Math.min(Math.max(6, left), Math.max(6, box.clientWidth - tip.offsetWidth - 6))}px`;
    tip.style.top = `${Math.min(Math.max(6, top), Math.max(6, box.clientHeight - tip.offsetHeight - 6))}px`;
  }

  function zoomTo(zoom, x = size.width / 2, y = size.height / 2) {
    const before = scale();
    view.zoom = Math.min(MOST_ZOOM, Math.max(1, zoom));
    // What lies under the pointer stays there.
    view.x += (x - size.width / 2) * (1 / before - 1 / scale());
    view.y -= (y - size.height / 2) * (1 / before - 1 / scale());
    if (view.zoom === 1) view.x = view.y = 0;
    canvas.classList.toggle("close", view.zoom > 1);
    show(-1); later();
  }
  function move(x, y) { view.x -= x / scale(); view.y += y / scale(); show(-1); later(); }

  // A landmark's images fill the view when it is chosen from afar.
  function choose(landmark) {
    chosen = landmark === null || (chosen && chosen.has(landmark)) ? null : new Set([landmark]);
    show(-1); listLegend(); later();
  }
  function listLegend() {
    const wanted = fold(search.value.trim()), places = [];
    for (let i = 0; i < data.names.length && places.length < (wanted ? N_FOUND : data.nLegend); i++)
      if (!wanted || folded[i].includes(wanted)) places.push(i);
    const kept = chosen ? [...chosen].filter((i) => i >= 0 && !places.includes(i)) : [];
    const extra = wanted ? [] : [NONE, UNKNOWN].filter((kind) => groups.has(kind));
    legend.replaceChildren(...[...kept, ...places, ...extra].map(entry));
    const rest = data.names.length - places.length - kept.length;
    if (wanted ? !places.length : rest > 0) {
      const words = document.createElement("p");
      words.textContent = wanted ? "no landmark on the map is called so" : `and ${rest.toLocaleString("en")} more: find them by name`;
      legend.append(words);
    }
  }
  function entry(landmark) {
    const button = document.createElement("button"), dot = document.createElement("i"), name = document.createElement("b"), count = document.createElement("span");
    button.type = "button";
    button.setAttribute("aria-pressed", String(Boolean(chosen && chosen.has(landmark))));
    dot.style.background = colourOf(landmark);
    name.textContent = landmark >= 0 ? data.names[landmark] : landmark === NONE ? "no landmark" : "nobody has said";
    count.textContent = (landmark >= 0 ? data.counts[landmark] : groups.get(landmark).length).toLocaleString("en");
    button.append(dot, name, count);
    button.addEventListener("click", () => { choose(landmark); legend.querySelector("[aria-pressed=true]")?.focus(); });
    return button;
  }

  const place = (event) => { const edge = canvas.getBoundingClientRect(); return [event.clientX - edge.left, event.clientY - edge.top]; };
  canvas.addEventListener("pointerdown", (event) => {
    held.set(event.pointerId, place(event)); moved = 0; span = 0;
    if (event.pointerType === "mouse" || view.zoom > 1) { canvas.setPointerCapture(event.pointerId); canvas.classList.add("held"); }
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(event), before = held.get(event.pointerId);
    if (!before) { show(nearest(x, y, 16)); return; }
    held.set(event.pointerId, [x, y]);
    if (held.size === 2) {
      const [a, b] = [...held.values()], wide = Math.hypot(a[0] - b[0], a[1] - b[1]);
      if (span) zoomTo(view.zoom * wide / span, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
      span = wide; moved = 99;
    } else {
      moved += Math.hypot(x - before[0], y - before[1]);
      if (moved > 4 && (event.pointerType === "mouse" || view.zoom > 1)) move(x - before[0], y - before[1]);
    }
  });
  canvas.addEventListener("pointerup", (event) => {
    held.delete(event.pointerId); span = 0; canvas.classList.remove("held");
    if (moved <= 4) { const [x, y] = place(event); show(nearest(x, y, 22)); }
  });
  canvas.addEventListener("pointercancel", (event) => { held.delete(event.pointerId); span = 0; canvas.classList.remove("held"); });
  canvas.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && !held.size) show(-1); });
  canvas.addEventListener("dblclick", (event) => { const [x, y] = place(event); zoomTo(view.zoom * 2, x, y); });
  // The wheel scrolls the page, unless the map was clicked into or Ctrl is held.
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
    event.preventDefault();
    zoomTo(view.zoom * Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), ...place(event));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    if (event.key === "+" || event.key === "=") zoomTo(view.zoom * 1.5);
    else if (event.key === "-") zoomTo(view.zoom / 1.5);
    else if (event.key === "0") zoomTo(1);
    else if (event.key === "Escape") choose(null);
    else if (steps[event.key] && view.zoom > 1) move(...steps[event.key]);
    else return;
    event.preventDefault();
  });
  find("map-in").addEventListener("click", () => zoomTo(view.zoom * 1.6));
  find("map-out").addEventListener("click", () => zoomTo(view.zoom / 1.6));
  find("map-all").addEventListener("click", () => { chosen = null; search.value = ""; zoomTo(1); listLegend(); });
  find("map-photos").addEventListener("click", (event) => {
    withPhotos = !withPhotos; event.currentTarget.setAttribute("aria-pressed", String(withPhotos)); show(-1); later();
  });
  search.addEventListener("input", () => { if (!search.value) chosen = null; listLegend(); later(); });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); legend.querySelector("button")?.click(); search.focus(); }
    if (event.key === "Escape") { search.value = ""; chosen = null; listLegend(); later(); }
  });
  find("map-photos").hidden = !sheets.length;

  function measure() {
    size = { width: canvas.clientWidth, height: canvas.clientHeight };
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.round(size.width * ratio); canvas.height = Math.round(size.height * ratio);
    let wide = 1, high = 1;
    for (let i = 0; i < n; i++) { wide = Math.max(wide, Math.abs(data.x[i])); high = Math.max(high, Math.abs(data.y[i])); }
    fit = Math.min((size.width / 2 - PADDING) / wide, (size.height / 2 - PADDING) / high);
    show(-1); draw();
  }
  readInks(); listLegend(); measure();
  new ResizeObserver(measure).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readInks(); listLegend(); draw(); });
})();
