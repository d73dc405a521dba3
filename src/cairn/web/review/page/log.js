// What the reviewer has done: events in their order, what holds after them, and what undo and redo would do next.

/** The events of one reviewer. `confirmed` are on the server's disk, `pending` are not yet. */
export class Log {
  constructor(nRows, verdicts) {
    this.nRows = nRows;
    this.verdicts = verdicts;
    this.confirmed = [];
    this.pending = [];
    this.replay();
  }

  /** 0: undecided, else one more than the place of the verdict. */
  codeOf(row) {
    return this.codes[row];
  }

  verdictOf(row) {
    return this.codes[row] ? this.verdicts[this.codes[row] - 1] : null;
  }

  /** The decision that holds about a row, or undefined. */
  decisionOf(row) {
    const made = this.about.get(row);
    if (!made) return undefined;
    for (let i = made.length - 1; i >= 0; i -= 1) if (!this.undone.has(made[i].id)) return made[i];
    return undefined;
  }

  /** The decision that undo would take back, or undefined. */
  get toUndo() {
    return this.decisions.get(this.done.at(-1));
  }

  /** The decision that redo would make hold again, or undefined. */
  get toRedo() {
    return this.decisions.get(this.reversed.at(-1));
  }

  /** A new event of this page. */
  add(event) {
    this.pending.push(event);
    this.apply(event);
  }

  /** The server has these pending events on its disk, as its next ones. */
  confirm(events) {
    const ids = new Set(events.map((event) => event.id));
    this.confirmed.push(...events);
    this.pending = this.pending.filter((event) => !ids.has(event.id));
  }

  /** These pending events will never be on the server's disk. */
  drop(ids) {
    this.pending = this.pending.filter((event) => !ids.has(event.id));
    this.replay();
  }

  /** The server's events from number `from` on, which is none after `confirmed`; some are ours, some from another window. */
  learn(from, events) {
    const ids = new Set(events.map((event) => event.id));
    this.confirmed.splice(from, events.length, ...events);
    this.pending = this.pending.filter((event) => !ids.has(event.id));
    this.replay();
  }

  replay() {
    this.codes = new Uint8Array(this.nRows);
    this.decisions = new Map();
    this.about = new Map();
    this.undone = new Set();
    this.done = [];
    this.reversed = [];
    for (const event of this.confirmed) this.apply(event);
    for (const event of this.pending) this.apply(event);
  }

  apply(event) {
    if (event.event === "decide") this.applyDecision(event);
    else this.applyReversal(event);
  }

  applyDecision(event) {
    const code = this.verdicts.indexOf(event.verdict) + 1;
    this.decisions.set(event.id, event);
    this.done.push(event.id);
    this.reversed = [];
    for (const row of event.rows) {
      this.codes[row] = code;
      const made = this.about.get(row);
      if (made) made.push(event);
      else this.about.set(row, [event]);
    }
  }

  applyReversal(event) {
    const decision = this.decisions.get(event.of);
    if (!decision) return;
    const [from, to] = event.event === "undo" ? [this.done, this.reversed] : [this.reversed, this.done];
    const place = from.lastIndexOf(event.of);
    if (place >= 0) to.push(...from.splice(place, 1));
    if (event.event === "undo") this.undone.add(event.of);
    else this.undone.delete(event.of);
    for (const row of decision.rows) {
      const holds = this.decisionOf(row);
      this.codes[row] = holds ? this.verdicts.indexOf(holds.verdict) + 1 : 0;
    }
  }

  /** Rows decided a minute of work lately, pauses left out; null where too little was done to say. */
  rate() {
    const lately = [...this.done].slice(-300).map((id) => this.decisions.get(id));
    let seconds = 0;
    let n = 0;
    for (let i = 1; i < lately.length; i += 1) {
      seconds += Math.min(60, Math.max(0, lately[i].at - lately[i - 1].at));
      n += lately[i].rows.length;
    }
    return lately.length > 5 && seconds > 2 ? (60 * n) / seconds : null;
  }
}
