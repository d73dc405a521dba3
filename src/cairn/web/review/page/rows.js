// Every finding as a few numbers, and the details of those that are looked at.

import { get, Unreachable } from "./server.js";
import { wait } from "./dom.js";

export const SURE = 1;
export const AUDITED = 2;
const PAGE_ROWS = 20_000;
const ASK_AT_ONCE = 100;
const MOST_DETAILS = 6_000;

/** The findings in columns; row numbers stay the same as long as `version` does. */
export class Rows {
  constructor(session) {
    this.n = session.n_rows;
    this.version = session.version;
    this.kinds = session.kinds;
    this.nLoaded = 0;
    this.ids = new Array(this.n);
    this.kind = new Uint8Array(this.n);
    this.flags = new Uint8Array(this.n);
    this.landmark = new Int32Array(this.n);
    this.group = new Int32Array(this.n);
    this.places = null;
  }

  /** Loads page after page; `onPage` is called after each, and tries again where the server does not answer. */
  async load(onPage) {
    let after = 0;
    while (after !== null && after < this.n) {
      let page;
      try {
        page = await get("/api/rows", { after, limit: PAGE_ROWS });
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        await wait(1000);
        continue;
      }
      if (page.version !== this.version) return false;
      this.take(after, page);
      after = page.next;
      onPage();
    }
    return true;
  }

  take(after, page) {
    this.kind.set(page.kinds, after);
    this.flags.set(page.flags, after);
    this.landmark.set(page.landmarks, after);
    this.group.set(page.groups, after);
    for (let i = 0; i < page.ids.length; i += 1) this.ids[after + i] = page.ids[i];
    this.nLoaded = after + page.ids.length;
  }

  kindOf(row) {
    return this.kinds[this.kind[row]];
  }

  /** The row of a finding, or undefined. */
  rowOf(id) {
    this.places ??= new Map(this.ids.map((known, row) => [known, row]));
    return this.places.get(id);
  }
}

/** The details of rows, asked for as they come into view, forgotten when there are too many. */
export class Details {
  constructor(onArrival) {
    this.onArrival = onArrival;
    this.isDisputedView = false;
    this.known = new Map();
    this.wanted = new Set();
    this.stale = new Set();
    this.isAsking = false;
    this.waiting = new Map();
  }

  get(row) {
    return this.known.get(row);
  }

  /** Asks for what is not known yet; `isInstead`: of what was asked for before and is out of sight, no more. */
  need(rows, { isInstead = false } = {}) {
    if (isInstead) this.wanted = new Set(this.waiting.keys());
    for (const row of rows) if (!this.known.has(row) || this.stale.has(row)) this.wanted.add(row);
    if (this.wanted.size && !this.isAsking) this.ask();
  }

  /** A promise of a row's details, as they were first told. */
  when(row) {
    const known = this.known.get(row);
    if (known) return Promise.resolve(known);
    this.need([row]);
    return new Promise((come) => this.waiting.set(row, [...(this.waiting.get(row) ?? []), come]));
  }

  /** What is known of these rows may have changed. */
  outdate(rows) {
    for (const row of rows) if (this.known.has(row)) this.stale.add(row);
  }

  clear() {
    for (const row of this.known.keys()) this.stale.add(row);
  }

  async ask() {
    this.isAsking = true;
    await wait(15);
    while (this.wanted.size) {
      const rows = [...this.wanted].slice(-ASK_AT_ONCE);
      for (const row of rows) this.wanted.delete(row);
      const asked = { rows: rows.join(",") };
      if (this.isDisputedView) asked.is_disputed_view = "true";
      try {
        this.take((await get("/api/details", asked)).rows);
      } catch {
        await wait(800);
        for (const row of rows) this.wanted.add(row);
      }
    }
    this.isAsking = false;
  }

  take(told) {
    for (const detail of told) {
      this.known.delete(detail.row);
      this.known.set(detail.row, detail);
      this.stale.delete(detail.row);
    }
    for (const row of this.known.keys()) {
      if (this.known.size <= MOST_DETAILS) break;
      this.known.delete(row);
    }
    for (const detail of told) {
      for (const come of this.waiting.get(detail.row) ?? []) come(detail);
      this.waiting.delete(detail.row);
    }
    this.onArrival(told.map((detail) => detail.row));
  }
}
