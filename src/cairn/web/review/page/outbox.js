// Decisions on their way to the disk: sent in their order, again and again until the server has them.

import { post, Refused } from "./server.js";
import { recall, remember, wait } from "./dom.js";

const MOST_EVENTS = 200;
const MOST_FINDINGS = 20_000;
const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 6_000;

/** Sends what is pending in `log`; what is not sent yet survives a reload in the browser's own store. */
export class Outbox {
  constructor(log, rows, whose, { onState, onSaved, onForeign, onRefused, onOtherVersion }) {
    Object.assign(this, { log, rows, onState, onSaved, onForeign, onRefused, onOtherVersion });
    this.prefix = `cairn-review:${whose}:`;
    this.order = 0;
    this.isSending = false;
    this.problem = "";
  }

  /** What an earlier page could not send, in its order; those that the server has are forgotten. */
  recover() {
    const names = keysOf(this.prefix).sort();
    const found = names.map((name) => [name, JSON.parse(recall("local", name))]);
    const known = new Set(this.log.confirmed.map((event) => event.id));
    for (const [name, event] of found) {
      this.order = Math.max(this.order, 1 + Number(name.slice(this.prefix.length).split(":")[0]));
      if (known.has(event.id)) forgetName(name);
      else if (!this.log.pending.some((one) => one.id === event.id)) this.log.add(this.withRows(event, name));
    }
    this.tell();
    this.send();
  }

  withRows(event, name) {
    if (event.event !== "decide") return { ...event, name };
    const rows = event.findings.map((id) => this.rows.rowOf(id)).filter((row) => row !== undefined);
    return { ...event, rows, name };
  }

  /** A new event: it holds on the page at once, and is on its way. */
  put(event) {
    const name = `${this.prefix}${String(this.order).padStart(9, "0")}:${event.id}`;
    this.order += 1;
    // Where the browser's store is full or closed, the event waits in this window alone.
    remember("local", name, JSON.stringify(this.asSent(event)));
    this.log.add({ ...event, name });
    this.tell();
    this.send();
  }

  asSent(event) {
    const { event: what, id, at } = event;
    if (what !== "decide") return { event: what, id, at, of: event.of };
    const findings = event.findings ?? event.rows.map((row) => this.rows.ids[row]);
    return { event: what, id, at, verdict: event.verdict, findings, landmark_ids: event.landmark_ids ?? null };
  }

  /** Sends until nothing is pending; one call at a time does the work. */
  async send() {
    if (this.isSending) return;
    this.isSending = true;
    let pause = FIRST_PAUSE_MS;
    while (this.log.pending.length) {
      const batch = this.batch();
      try {
        const events = batch.map((event) => withTime(this.asSent(event)));
        this.take(batch, await post("/api/events", { events }));
        this.problem = "";
        pause = FIRST_PAUSE_MS;
      } catch (error) {
        this.problem = error instanceof Refused ? error.message : "the server does not answer";
        if (error instanceof Refused && error.status === 422 && batch.length === 1) {
          this.forget(batch.map((event) => ({ id: event.id, because: error.message })));
        } else {
          this.tell();
          await wait(pause);
          pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
        }
      }
      this.tell();
    }
    this.isSending = false;
    this.tell();
  }

  batch() {
    const batch = [];
    let n = 0;
    for (const event of this.log.pending) {
      n += event.rows?.length ?? 1;
      if (batch.length && (n > MOST_FINDINGS || batch.length >= MOST_EVENTS || this.problem)) break;
      batch.push(event);
    }
    return batch;
  }

  take(batch, answer) {
    if (answer.refused.length) this.forget(answer.refused);
    const refused = new Set(answer.refused.map((one) => one.id));
    const saved = batch.filter((event) => !refused.has(event.id));
    for (const event of saved) if (event.name) forgetName(event.name);
    if (answer.version !== this.rows.version) {
      // They are saved, and would be sent again without end.
      this.log.pending = this.log.pending.filter((event) => !saved.includes(event));
      this.onOtherVersion();
    } else if (answer.n_events === this.log.confirmed.length + saved.length) this.log.confirm(saved);
    else {
      // Another window has written too: its events are fetched, and ours with them.
      this.log.pending = this.log.pending.filter((event) => !saved.includes(event));
      this.onForeign();
    }
    this.onSaved(saved);
  }

  forget(refused) {
    const ids = new Set(refused.map((one) => one.id));
    for (const event of this.log.pending) if (ids.has(event.id) && event.name) forgetName(event.name);
    this.log.drop(ids);
    this.onRefused(refused);
  }

  tell() {
    const n = this.log.pending.length;
    this.onState({ state: n === 0 ? "saved" : this.problem ? "unsaved" : "saving", n, problem: this.problem });
  }
}

function withTime(event) {
  return { ...event, at: new Date(1000 * event.at).toISOString() };
}

function keysOf(prefix) {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(prefix));
  } catch {
    return [];
  }
}

const forgetName = (name) => remember("local", name, "");

/** An id that no other event has; browsers give randomUUID to encrypted pages only. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
