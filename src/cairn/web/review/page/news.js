// What comes from the server unasked: events of another window, everybody's standing, decisions, another version.

import { wait } from "./dom.js";
import { get, patiently } from "./server.js";

const ASK_AGAIN_MS = 12_000;
const AFTER_SAVING_MS = 1500;

/** page: the Page that learns. */
export class News {
  constructor(page) {
    Object.assign(this, { page, isCutOff: false, decisions: undefined, timer: 0 });
  }

  async keepAsking() {
    for (;;) {
      await this.ask();
      await wait(ASK_AGAIN_MS);
    }
  }

  /** Something was saved: what everybody has done is another now. */
  askSoon() {
    if (this.isCutOff) this.ask();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), AFTER_SAVING_MS);
  }

  async ask() {
    const { page } = this;
    try {
      const standing = await get("/api/standing");
      if (standing.version !== page.rows.version) return page.otherVersion();
      if (this.isCutOff) page.serverIsBack();
      this.isCutOff = false;
      this.learnStanding(standing);
      const { confirmed, pending } = page.log;
      if (standing.n_events !== confirmed.length && !pending.length) await this.learnEvents();
    } catch {
      this.isCutOff = true;
    }
    return undefined;
  }

  learnStanding(standing) {
    const { page } = this;
    page.queues.learn(standing);
    // A policy was applied meanwhile: what was told of images is asked for anew.
    if (this.decisions !== undefined && this.decisions !== standing.decisions) page.forgetDetails();
    this.decisions = standing.decisions;
    // The queue of what is disputed is known only now.
    if (page.queues.queue === "disputed" && !page.grid.order.length && standing.disputed.length) page.showView();
  }

  /** Events that this page does not know yet: all at first, later those of another window. */
  async learnEvents() {
    const { page } = this;
    let after = page.log.confirmed.length;
    while (after !== null) {
      const from = after;
      const answer = await patiently(() => get("/api/events", { after: from }), page.waiting);
      page.log.learn(from, answer.events);
      after = answer.next;
    }
    page.eventsCame();
  }
}
