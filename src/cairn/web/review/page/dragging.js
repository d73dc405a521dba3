// Selecting by dragging: a frame drawn with the mouse, or a finger that was held down first.

const LEAST_PX = 6;
const EDGE_PX = 44;
const HOLD_MS = 380;

/** Where a pointer is on the sheet, wherever the sheet is scrolled to. */
function onSheet(grid, event) {
  const box = grid.box.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top + grid.box.scrollTop };
}

/** While something is dragged near an edge, the grid scrolls there. */
function scrollNear(grid, clientY) {
  const box = grid.box.getBoundingClientRect();
  const above = box.top + EDGE_PX - clientY;
  const below = clientY - (box.bottom - EDGE_PX);
  if (above > 0) grid.box.scrollTop -= Math.min(24, above / 2);
  if (below > 0) grid.box.scrollTop += Math.min(24, below / 2);
  return above > 0 || below > 0;
}

/** A frame over several tiles, drawn with the mouse. */
export class Band {
  constructor(grid, element) {
    Object.assign(this, { grid, element, start: null });
    grid.box.addEventListener("pointerdown", (event) => this.began(event));
    grid.box.addEventListener("pointermove", (event) => this.moved(event));
    for (const name of ["pointerup", "pointercancel"]) grid.box.addEventListener(name, () => this.ended());
  }

  began(event) {
    this.grid.isByFinger = event.pointerType === "touch";
    const isBar = event.offsetX > this.grid.box.clientWidth && event.target === this.grid.box;
    if (event.pointerType === "touch" || event.button !== 0 || event.shiftKey || isBar) return;
    this.grid.wasDragged = false;
    this.start = onSheet(this.grid, event);
    this.before = event.ctrlKey || event.metaKey ? new Set(this.grid.selected) : new Set();
    this.isDrawn = false;
  }

  moved(event) {
    if (!this.start) return;
    const now = onSheet(this.grid, event);
    const isFar = Math.hypot(now.x - this.start.x, now.y - this.start.y) > LEAST_PX;
    if (!this.isDrawn && !isFar) return;
    if (!this.isDrawn) {
      this.isDrawn = true;
      this.grid.box.setPointerCapture(event.pointerId);
    }
    this.last = event;
    this.draw(now);
    this.keepScrolling();
  }

  draw(now) {
    const frame = {
      left: Math.min(this.start.x, now.x), right: Math.max(this.start.x, now.x),
      top: Math.min(this.start.y, now.y), bottom: Math.max(this.start.y, now.y),
    };
    this.element.hidden = false;
    Object.assign(this.element.style, {
      left: `${frame.left}px`, top: `${frame.top}px`,
      width: `${frame.right - frame.left}px`, height: `${frame.bottom - frame.top}px`,
    });
    const inside = this.grid.placesIn(frame).map((place) => this.grid.order[place]);
    this.grid.select([...this.before, ...inside]);
  }

  keepScrolling() {
    if (this.isScrolling) return;
    this.isScrolling = true;
    const go = () => {
      const goesOn = this.start && this.isDrawn && scrollNear(this.grid, this.last.clientY);
      this.isScrolling = Boolean(goesOn);
      if (!goesOn) return;
      this.draw(onSheet(this.grid, this.last));
      requestAnimationFrame(go);
    };
    requestAnimationFrame(go);
  }

  ended() {
    if (this.start && this.isDrawn) {
      // The click that follows is the end of the frame, not a choice of a tile.
      this.grid.wasDragged = true;
      setTimeout(() => (this.grid.wasDragged = false), 0);
    }
    this.start = null;
    this.element.hidden = true;
  }
}

/** A finger held on a tile begins a selection; while it stays down, it adds what it touches. */
export class LongPress {
  constructor(grid) {
    Object.assign(this, { grid, timer: 0, isOn: false });
    const { box } = grid;
    box.addEventListener("touchstart", (event) => this.began(event), { passive: true });
    // Not passive: once the selection has begun, the finger selects and does not scroll.
    box.addEventListener("touchmove", (event) => this.moved(event), { passive: false });
    for (const name of ["touchend", "touchcancel"]) box.addEventListener(name, (event) => this.ended(event));
    box.addEventListener("contextmenu", (event) => (grid.isByFinger ? event.preventDefault() : undefined));
  }

  began(event) {
    clearTimeout(this.timer);
    const tile = event.target.closest(".tile");
    if (event.touches.length !== 1 || !tile) return;
    this.from = event.touches[0];
    this.timer = setTimeout(() => {
      this.isOn = true;
      this.begin = Number(tile.dataset.place);
      this.before = new Set(this.grid.selected);
      this.reach(this.begin);
      navigator.vibrate?.(15);
    }, HOLD_MS);
  }

  moved(event) {
    const touch = event.touches[0];
    if (!this.isOn) {
      const isFar = this.from && Math.hypot(touch.clientX - this.from.clientX, touch.clientY - this.from.clientY) > LEAST_PX * 2;
      if (isFar) clearTimeout(this.timer);
      return;
    }
    event.preventDefault();
    scrollNear(this.grid, touch.clientY);
    const { x, y } = onSheet(this.grid, touch);
    const place = this.grid.placeAt(x, y);
    if (place >= 0) this.reach(place);
  }

  reach(place) {
    const [from, to] = [Math.min(this.begin, place), Math.max(this.begin, place)];
    this.grid.select([...this.before, ...this.grid.order.slice(from, to + 1)]);
    this.grid.goTo(place);
  }

  ended(event) {
    clearTimeout(this.timer);
    // The tap that browsers make of it would take the selection back.
    if (this.isOn) event.preventDefault();
    this.isOn = false;
  }
}
