// Which findings are shown: the queues with their counts, the filters, progress, the audit and the agreement.

import { AUDITED, SURE } from "./rows.js";
import { byId, counted, duration, h, number, percent } from "./dom.js";
import { QUEUE_NAMES } from "./words.js";

const MOST_SHOWN = 200_000;

/** The rows of each queue, by its name. */
export class Queues {
  /** onChoice(): another queue or filter was chosen. onLandmark(): a landmark is to be chosen. */
  constructor(rows, log, { onChoice, onLandmark }) {
    Object.assign(this, { rows, log, onChoice, queue: "all", state: "undecided", landmark: null, disputed: new Set(), standing: null });
    this.readAddress();
    for (const input of document.querySelectorAll('input[name="state"]')) {
      input.checked = input.value === this.state;
      input.addEventListener("change", () => this.choose({ state: input.value }));
    }
    byId("pick-landmark").addEventListener("click", onLandmark);
  }

  readAddress() {
    const told = new URLSearchParams(location.hash.slice(1));
    this.queue = told.get("queue") ?? "all";
    this.state = ["undecided", "decided", "all"].includes(told.get("state")) ? told.get("state") : "undecided";
    const [place, ...name] = (told.get("landmark") ?? "").split(" ");
    this.landmark = place ? { place: Number(place), name: name.join(" ") } : null;
  }

  writeAddress() {
    const told = new URLSearchParams({ queue: this.queue, state: this.state });
    if (this.landmark) told.set("landmark", `${this.landmark.place} ${this.landmark.name}`);
    history.replaceState(null, "", `#${told}`);
  }

  choose(change) {
    Object.assign(this, change);
    for (const input of document.querySelectorAll('input[name="state"]')) input.checked = input.value === this.state;
    this.writeAddress();
    this.onChoice();
    this.draw();
  }

  /** Whether a row is in a queue. */
  test(queue) {
    const { kind, flags, kinds } = this.rows;
    const clear = kinds.indexOf("no finding");
    if (queue === "all") return (row) => !(flags[row] & SURE);
    if (queue === "accepted") return (row) => flags[row] & SURE && kind[row] !== clear;
    if (queue === "audit-accepted") return (row) => flags[row] & AUDITED && kind[row] !== clear;
    if (queue === "audit-clear") return (row) => kind[row] === clear;
    if (queue === "disputed") return (row) => this.disputed.has(row);
    const wanted = kinds.indexOf(queue);
    return (row) => kind[row] === wanted && !(flags[row] & SURE);
  }

  /** The rows to show now. In the disputed view others' verdicts are seen, and one's own do not hide a row. */
  order() {
    const isShown = this.shownTest();
    const found = [];
    for (let row = 0; row < this.rows.nLoaded && found.length < MOST_SHOWN; row += 1) if (isShown(row)) found.push(row);
    return Int32Array.from(found);
  }

  /** Whether a row is in the queue and passes the filters. */
  shownTest() {
    const inQueue = this.test(this.queue);
    const isAnyState = this.state === "all" || this.queue === "disputed";
    const wanted = this.state === "decided";
    return (row) => {
      if (!inQueue(row) || (this.landmark && this.rows.landmark[row] !== this.landmark.place)) return false;
      return isAnyState || this.log.codeOf(row) > 0 === wanted;
    };
  }

  /** Whether the view gets empty when all is decided. */
  get isEmptied() {
    return this.state === "undecided" && this.queue !== "disputed";
  }

  /** Whether its name says already of what kind all in it are. */
  get isOfOneKind() {
    return this.queue === "audit-clear" || this.rows.kinds.includes(this.queue);
  }

  /** The next queue with something left to decide, or null. */
  nextLeft() {
    const counts = this.counts();
    const names = this.names.filter((queue) => queue !== "accepted");
    const place = names.indexOf(this.queue) + 1;
    const from = [...names.slice(place), ...names.slice(0, place)];
    return from.find((queue) => queue !== this.queue && counts[queue].left > 0) ?? null;
  }

  get names() {
    return [...this.rows.kinds.filter((kind) => kind !== "no finding"), "audit-accepted", "audit-clear", "disputed", "accepted"];
  }

  title(queue = this.queue) {
    return QUEUE_NAMES[queue] ?? queue;
  }

  /** Goes to the next queue that has something left, or the one before. */
  step(by) {
    const counts = this.counts();
    const wanted = this.state === "undecided" ? "left" : "all";
    // What was accepted waits for nobody.
    const names = ["all", ...this.names].filter((queue) => queue !== "accepted" || wanted === "all");
    const there = names.filter((queue) => counts[queue][wanted] > 0 || queue === this.queue);
    const place = there.indexOf(this.queue);
    this.choose({ queue: there[(place + by + there.length) % there.length] });
  }

  /** How many rows each queue has, and how many of them are undecided. */
  counts() {
    const { kind, flags, kinds, nLoaded } = this.rows;
    const { codes } = this.log;
    const clear = kinds.indexOf("no finding");
    const [open, openLeft, sure, sureLeft, audited, auditedLeft] = Array.from({ length: 6 }, () => new Uint32Array(kinds.length));
    for (let row = 0; row < nLoaded; row += 1) {
      const [one, left] = [kind[row], codes[row] === 0 ? 1 : 0];
      if (flags[row] & AUDITED) {
        audited[one] += 1;
        auditedLeft[one] += left;
      }
      if (flags[row] & SURE) {
        sure[one] += 1;
        sureLeft[one] += left;
      } else {
        open[one] += 1;
        openLeft[one] += left;
      }
    }
    const sum = (of, but = -1) => of.reduce((all, n, one) => (one === but ? all : all + n), 0);
    const counts = Object.fromEntries(kinds.map((name, one) => [name, { all: open[one], left: openLeft[one] }]));
    counts.all = { all: sum(open), left: sum(openLeft) };
    counts.accepted = { all: sum(sure, clear), left: sum(sureLeft, clear) };
    counts["audit-accepted"] = { all: sum(audited, clear), left: sum(auditedLeft, clear) };
    counts["audit-clear"] = { all: audited[clear], left: auditedLeft[clear] };
    // Disputed findings wait for the reviewers to agree, whatever was decided.
    counts.disputed = { all: this.disputed.size, left: this.disputed.size };
    return counts;
  }

  draw() {
    const counts = this.counts();
    const special = new Set(["audit-accepted", "audit-clear", "disputed", "accepted"]);
    const shown = ["all", ...this.names].filter((queue) => counts[queue].all > 0 || queue === this.queue);
    const buttons = shown.map((queue) => this.button(queue, counts[queue]));
    const split = shown.findIndex((queue) => special.has(queue));
    if (split > 0) buttons.splice(split, 0, h("div", { class: "apart" }));
    const hadFocus = document.activeElement?.dataset?.queue;
    byId("queue-list").replaceChildren(...buttons);
    if (hadFocus) byId("queue-list").querySelector(`[data-queue="${hadFocus}"]`)?.focus();
    byId("pick-landmark").textContent = this.landmark ? `only: ${this.landmark.name}` : "any landmark";
    this.drawProgress(counts[this.queue] ?? { all: 0, left: 0 });
  }

  button(queue, { all, left }) {
    const done = all ? (all - left) / all : 0;
    const words = queue === "disputed" || queue === "accepted" ? number(all) : left ? number(left) : `${number(all)} ✓`;
    const current = queue === this.queue;
    return h("button", {
      "aria-label": `${this.title(queue)}: ${number(left)} of ${number(all)} left`, title: `${number(left)} of ${number(all)} left`,
      class: `queue${queue === "disputed" ? " is-alarm" : ""}`, "aria-current": current, "data-queue": queue,
      onclick: () => this.choose({ queue }),
    }, h("span", { class: "name" }, this.title(queue)), h("span", { class: "left" }, words),
      h("span", { class: "done" }, h("i", { style: { width: `${100 * done}%` } })));
  }

  drawProgress({ all, left }) {
    byId("progress").max = Math.max(1, all);
    byId("progress").value = all - left;
    if (this.queue === "disputed") {
      byId("progress-words").textContent = `${counted(all, "finding")} disputed`;
      return;
    }
    if (this.queue === "accepted" || !all) {
      byId("progress-words").textContent = all ? `${number(all)} accepted` : "nothing to decide";
      return;
    }
    const rate = this.log.rate();
    const speed = rate ? ` · ${number(Math.round(rate))} a minute` : "";
    const time = rate && left ? ` · about ${duration((60 * left) / rate)} left` : "";
    byId("progress-words").textContent = `${number(all - left)} of ${number(all)} decided${speed}${time}`;
  }

  /** What the server says of everybody's work. */
  learn(standing) {
    this.standing = standing;
    this.disputed = new Set(standing.disputed);
    this.drawAudits(standing.audits);
    this.drawReviewers(standing);
    this.draw();
  }

  drawAudits(audits) {
    const words = { accepted: "findings accepted automatically", clear: "images without finding" };
    const looked = audits.filter((audit) => audit.n_decided);
    const kinds = looked.filter((audit) => audit.kind).map((audit) =>
      h("li", {}, h("span", {}, audit.kind), h("b", {}, `${number(audit.n_wrong)} of ${number(audit.n_decided)}`),
        h("span", {}, `${percent(audit.low)} to ${percent(audit.high)}`)));
    const cards = looked.filter((audit) => !audit.kind).map((audit) =>
      h("div", { class: "card" },
        h("div", { class: "value" }, percent(audit.n_wrong / audit.n_decided)),
        h("div", { class: "range", role: "presentation" },
          h("span", { style: { left: `${100 * audit.low}%`, width: `${100 * (audit.high - audit.low)}%` } }),
          h("i", { style: { left: `${(100 * audit.n_wrong) / audit.n_decided}%` } })),
        `of ${words[audit.name]} are wrong, ${percent(audit.low)} to ${percent(audit.high)} (95 %): `,
        h("b", {}, `${number(audit.n_wrong)} of ${number(audit.n_decided)}`), ` looked at, ${number(audit.n_all)} in all`,
        audit.name === "accepted" && kinds.length > 1 ? h("ul", { class: "by-kind" }, ...kinds) : null));
    byId("audits").replaceChildren(...(cards.length ? [h("h2", {}, "Audit"), ...cards] : []));
  }

  drawReviewers({ n_decided: decided, agreement, pairs }) {
    const names = Object.entries(decided).filter(([, n]) => n);
    if (names.length < 2) return byId("reviewers").replaceChildren();
    const people = names.map(([name, n]) => h("div", {}, h("b", {}, name), ` ${counted(n, "finding")}`));
    const alike = pairs.map((pair) => {
      const kappa = pair.kappa === null ? "" : `, kappa ${pair.kappa.toFixed(2)}`;
      return h("div", {}, `${pair.reviewers.join(" and ")}: ${percent(pair.share)} alike over ${number(pair.n)}${kappa}`);
    });
    const all = agreement === null ? null : h("div", { class: "value" }, `${percent(agreement)} alike`);
    return byId("reviewers").replaceChildren(h("h2", {}, "Reviewers"), h("div", { class: "card" }, people), h("div", { class: "card" }, all, alike));
  }
}
