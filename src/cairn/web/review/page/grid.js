// The grid: thousands of tiles of which only those in sight exist; focus, selection, mouse, finger.

import { h, number, thumbnailOf } from "./dom.js";
import { Band, LongPress } from "./dragging.js";

const GAP = 10;
const EDGE = 14;
const SPARE_ROWS = 2;

/** hooks: detail(row), need(rows, {isInstead}), code(row), mark(row), label(row), isPair(row), onFocus(row), onSelection(), onOpen(). */
export class Grid {
  constructor(box, sheet, band, hooks) {
    Object.assign(this, { box, sheet, hooks, order: new Int32Array(0), focus: -1, anchor: -1 });
    this.selected = new Set();
    this.tiles = new Map();
    this.spare = [];
    this.columns = 1;
    this.isDrawing = false;
    box.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.measure()).observe(box);
    new Band(this, band);
    new LongPress(this);
    box.addEventListener("click", (event) => this.clicked(event));
    box.addEventListener("dblclick", () => hooks.onOpen());
  }

  get focusedRow() {
    return this.focus >= 0 && this.focus < this.order.length ? this.order[this.focus] : -1;
  }

  /** The rows that a verdict would be about, in the order shown. */
  get chosenRows() {
    if (!this.selected.size) return this.focusedRow >= 0 ? [this.focusedRow] : [];
    return [...this.order].filter((row) => this.selected.has(row));
  }

  /** Shows these rows, which ascend; the focus stays with its row, or goes to the next that is still there. */
  show(order, { focusRow = -1 } = {}) {
    this.order = order;
    const place = focusRow >= 0 ? order.findIndex((row) => row >= focusRow) : -1;
    const there = new Set(order);
    for (const row of this.selected) if (!there.has(row)) this.selected.delete(row);
    this.focus = place >= 0 ? place : order.length ? 0 : -1;
    this.anchor = this.focus;
    this.measure();
    this.box.scrollTop = 0;
    this.reveal();
    this.refresh();
    this.hooks.onFocus(this.focusedRow);
    this.hooks.onSelection();
  }

  measure() {
    const width = this.box.clientWidth - 2 * EDGE;
    if (width <= 0) return;
    const wanted = width < 480 ? 104 : width < 760 ? 132 : 158;
    this.columns = Math.max(2, Math.floor((width + GAP) / (wanted + GAP)));
    this.side = Math.floor((width + GAP) / this.columns) - GAP;
    this.step = this.side + GAP;
    const rows = Math.ceil(this.order.length / this.columns);
    this.sheet.style.height = `${rows * this.step + GAP + EDGE}px`;
    this.refresh();
  }

  /** Draws once in the next frame, however often it is called. */
  draw() {
    if (this.isDrawing) return;
    this.isDrawing = true;
    requestAnimationFrame(() => {
      this.isDrawing = false;
      this.drawNow();
    });
  }

  /** Draws everything in sight anew. */
  refresh() {
    for (const tile of this.tiles.values()) tile.drawn = "";
    this.draw();
  }

  drawNow() {
    const top = Math.floor(this.box.scrollTop / this.step) - SPARE_ROWS;
    const bottom = Math.ceil((this.box.scrollTop + this.box.clientHeight) / this.step) + SPARE_ROWS;
    const first = Math.max(0, top * this.columns);
    const last = Math.min(this.order.length, bottom * this.columns);
    for (const [place, tile] of this.tiles) {
      if (place >= first && place < last) continue;
      this.tiles.delete(place);
      tile.element.remove();
      this.spare.push(tile);
    }
    for (let place = first; place < last; place += 1) this.drawTile(place, this.order[place]);
    this.hooks.need(this.order.slice(first, last), { isInstead: true });
    const active = this.focus >= 0 && this.tiles.has(this.focus) ? `tile-${this.focus}` : "";
    if (active) this.box.setAttribute("aria-activedescendant", active);
    else this.box.removeAttribute("aria-activedescendant");
  }

  drawTile(place, row) {
    let tile = this.tiles.get(place);
    if (!tile) {
      tile = this.spare.pop() ?? newTile();
      tile.drawn = "";
      tile.element.id = `tile-${place}`;
      tile.element.setAttribute("aria-posinset", place + 1);
      this.tiles.set(place, tile);
      this.sheet.append(tile.element);
    }
    const detail = this.hooks.detail(row);
    const isFocused = place === this.focus;
    const state = `${row} ${detail ? 1 : 0} ${this.hooks.code(row)} ${this.selected.has(row)} ${isFocused} ${this.order.length} ${this.step} ${this.columns}`;
    if (tile.drawn === state) return;
    tile.drawn = state;
    const { element } = tile;
    const [x, y] = this.cornerOf(place);
    element.style.transform = `translate(${x}px, ${y}px)`;
    element.style.width = element.style.height = `${this.side}px`;
    element.setAttribute("aria-setsize", this.order.length);
    element.setAttribute("aria-selected", this.selected.has(row));
    element.setAttribute("aria-label", this.hooks.label(row));
    element.classList.toggle("is-focused", isFocused);
    element.classList.toggle("is-selected", this.selected.has(row));
    element.classList.toggle("is-decided", this.hooks.code(row) > 0);
    element.dataset.place = place;
    element.dataset.row = row;
    this.drawPhotos(tile, detail, row);
    const mark = this.hooks.mark(row);
    tile.mark.hidden = !mark;
    if (mark) [tile.mark.textContent, tile.mark.className] = [mark.text, `mark ${mark.style}`];
    tile.kind.textContent = this.hooks.tag(row);
    tile.kind.hidden = !tile.kind.textContent;
  }

  drawPhotos(tile, detail, row) {
    const other = detail && this.hooks.isPair(row) ? detail.evidence[0] : null;
    setPhoto(tile.photo, detail?.image, tile.element);
    tile.inset.hidden = !other?.v;
    if (other?.v) setPhoto(tile.inset, other, null);
  }

  /** Photos that did not come are asked for again. */
  retryPhotos() {
    for (const photo of this.sheet.querySelectorAll("img[data-failed]")) {
      delete photo.dataset.failed;
      photo.closest(".tile").classList.remove("is-gone");
      photo.src = `${photo.dataset.source}&again=${Date.now()}`;
    }
  }

  cornerOf(place) {
    return [EDGE + (place % this.columns) * this.step, GAP / 2 + Math.floor(place / this.columns) * this.step];
  }

  /** The place of the tile at a point of the sheet, or -1. */
  placeAt(x, y) {
    const column = Math.floor((x - EDGE) / this.step);
    const place = Math.floor((y - GAP / 2) / this.step) * this.columns + column;
    return column >= 0 && column < this.columns && place >= 0 && place < this.order.length ? place : -1;
  }

  /** The places of all tiles that a frame on the sheet touches. */
  placesIn({ left, top, right, bottom }) {
    const [first, last] = [Math.max(0, Math.floor((left - EDGE + GAP) / this.step)), Math.min(this.columns - 1, Math.floor((right - EDGE) / this.step))];
    const places = [];
    for (let line = Math.max(0, Math.floor((top + GAP / 2) / this.step)); line <= Math.floor((bottom - GAP / 2) / this.step); line += 1) {
      for (let column = first; column <= last; column += 1) {
        const place = line * this.columns + column;
        if (place < this.order.length) places.push(place);
      }
    }
    return places;
  }

  /** Moves the focus to a place; `extend` selects all from where the selection began. */
  goTo(place, { extend = false } = {}) {
    if (!this.order.length) return;
    const there = Math.max(0, Math.min(this.order.length - 1, place));
    if (extend) {
      this.selected.clear();
      const [from, to] = [Math.min(this.anchor, there), Math.max(this.anchor, there)];
      for (let one = from; one <= to; one += 1) this.selected.add(this.order[one]);
      this.hooks.onSelection();
    } else this.anchor = there;
    const [before, moved] = [this.focus, there !== this.focus];
    this.focus = there;
    this.reveal();
    this.draw();
    if (moved || before < 0) this.hooks.onFocus(this.focusedRow);
  }

  /** Scrolls as little as shows the focused tile. */
  reveal() {
    if (this.focus < 0 || !this.step) return;
    const top = this.cornerOf(this.focus)[1] - GAP / 2;
    const { scrollTop, clientHeight } = this.box;
    if (top < scrollTop) this.box.scrollTop = top;
    else if (top + this.step + GAP > scrollTop + clientHeight) this.box.scrollTop = top + this.step + GAP - clientHeight;
  }

  linesInSight() {
    return Math.max(1, Math.floor(this.box.clientHeight / this.step) - 1);
  }

  toggle(place) {
    const row = this.order[place];
    if (!this.selected.delete(row)) this.selected.add(row);
    this.anchor = place;
    this.hooks.onSelection();
    this.draw();
  }

  select(rows) {
    this.selected = new Set(rows);
    this.hooks.onSelection();
    this.draw();
  }

  clicked(event) {
    const tile = event.target.closest(".tile");
    if (!tile || this.wasDragged) {
      this.wasDragged = false;
      return;
    }
    const place = Number(tile.dataset.place);
    this.box.focus({ preventScroll: true });
    if (event.shiftKey) return this.goTo(place, { extend: true });
    const isAdding = event.ctrlKey || event.metaKey || (this.isByFinger && this.selected.size > 0);
    if (isAdding) this.toggle(place);
    else if (this.selected.size) this.select([]);
    this.goTo(place);
  }

  words() {
    return `${number(this.focus + 1)} of ${number(this.order.length)}`;
  }
}

function newTile() {
  const photo = h("img", { alt: "", decoding: "async", draggable: "false" });
  const inset = h("img", { alt: "", decoding: "async", draggable: "false", class: "inset" });
  const mark = h("span", { class: "mark", hidden: true });
  const kind = h("span", { class: "kind", hidden: true });
  return { element: h("div", { class: "tile", role: "option" }, photo, inset, kind, mark), photo, inset, mark, kind, drawn: "" };
}

function setPhoto(photo, image, tile) {
  const source = image?.v ? thumbnailOf(image) : "";
  if (tile) tile.classList.toggle("is-gone", Boolean(image) && !image.v);
  if (photo.dataset.source === source && !photo.dataset.failed) return;
  photo.dataset.source = source;
  delete photo.dataset.failed;
  // The photo that was there before is not to stand for this one while it loads.
  photo.removeAttribute("src");
  photo.style.visibility = "hidden";
  photo.onload = () => (photo.style.visibility = "");
  photo.onerror = () => {
    photo.dataset.failed = "1";
    tile?.classList.add("is-gone");
  };
  if (source) photo.src = source;
}
