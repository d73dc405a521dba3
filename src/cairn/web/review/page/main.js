// The page as a whole: begins, joins its parts, and turns keys and buttons into verdicts.

import { announce, byId, h, recall, remember, toast } from "./dom.js";
import { showEmpty } from "./empty.js";
import { Grid } from "./grid.js";
import { listenToKeys, pressedWhileLarge, showHelp } from "./keys.js";
import { Large } from "./large.js";
import { Log } from "./log.js";
import { askName } from "./name.js";
import { News } from "./news.js";
import { Outbox } from "./outbox.js";
import { isPair, Panel } from "./panel.js";
import { Queues } from "./queues.js";
import { Saving } from "./saving.js";
import { Chooser } from "./chooser.js";
import { Decider } from "./decider.js";
import { Details, Rows } from "./rows.js";
import { decideAs, get, patiently } from "./server.js";
import { AGREEING, QUEUE_NOTES, VERDICTS } from "./words.js";

const FOCUS_KEY = "cairn-review-focus";
const waiting = (words) => (byId("view-title").textContent = words);

begin();

async function begin() {
  const session = await patiently(() => get("/api/session"), waiting);
  const reviewer = await askName(session);
  decideAs(reviewer);
  byId("who").textContent = reviewer;
  const rows = new Rows(session);
  const log = new Log(session.n_rows, session.verdicts);
  const page = new Page(rows, log, `${session.work}:${reviewer}`);
  await page.news.learnEvents();
  const isSame = await rows.load(() => page.rowsCame());
  if (!isSame) return location.reload();
  page.ready();
  if (session.n_gone) toast(`${session.n_gone} findings are about images that are no longer kept; run cairn scrub again`);
  return undefined;
}

class Page {
  constructor(rows, log, whose) {
    Object.assign(this, { rows, log, waiting });
    this.details = new Details((came) => this.detailsCame(came));
    this.saving = new Saving();
    this.large = new Large({ onKey: (event) => pressedWhileLarge(this, event) });
    this.panel = new Panel({
      onLarge: (...shown) => this.large.open(...shown),
      onEnlarge: () => this.enlarge(),
      onOthers: () => this.decider.decide("several", { isAsking: true }),
    });
    this.chooser = new Chooser();
    this.grid = new Grid(byId("grid"), byId("sheet"), byId("band"), {
      detail: (row) => this.details.get(row),
      need: (inSight, how) => this.details.need(inSight, how),
      code: (row) => log.codeOf(row),
      mark: (row) => this.markOf(row),
      tag: (row) => (this.queues.isOfOneKind ? "" : rows.kindOf(row)),
      label: (row) => this.labelOf(row),
      isPair: (row) => isPair(rows.kindOf(row)),
      onFocus: (row) => this.focused(row),
      onSelection: () => this.selectionChanged(),
      onOpen: () => this.enlarge(),
    });
    this.queues = new Queues(rows, log, { onChoice: () => this.showView(), onLandmark: () => this.decider.pickLandmark() });
    this.news = new News(this);
    this.outbox = new Outbox(log, rows, whose, {
      onState: (state) => this.savedChanged(state),
      onSaved: (events) => this.saved(events),
      onForeign: () => this.news.learnEvents(),
      onRefused: (refused) => this.refused(refused),
      onOtherVersion: () => this.otherVersion(),
    });
    this.decider = new Decider(this);
    this.wire();
  }

  wire() {
    byId("verdicts").append(...VERDICTS.map(({ verdict, key, label, style, help }) =>
      h("button", { class: `verdict ${style}`, "data-verdict": verdict, "aria-pressed": "false", "aria-keyshortcuts": key.toUpperCase(), title: help,
        onclick: () => this.decider.decide(verdict) }, h("span", {}, label), h("kbd", { "aria-hidden": "true" }, key.toUpperCase()))),
      h("button", { class: "verdict", id: "agree", "aria-keyshortcuts": "A", title: "the finding is right", onclick: () => this.decider.agree() },
        h("span", {}, "agree"), h("kbd", { "aria-hidden": "true" }, "A")));
    byId("undo").addEventListener("click", () => this.decider.undo());
    byId("redo").addEventListener("click", () => this.decider.redo());
    byId("help").addEventListener("click", showHelp);
    byId("select-group").addEventListener("click", () => this.decider.selectGroup());
    byId("clear-selection").addEventListener("click", () => this.grid.select([]));
    byId("open-queues").addEventListener("click", () => this.openQueues(!byId("queues").classList.contains("is-open")));
    byId("queue-list").addEventListener("click", () => this.openQueues(false));
    byId("panel").addEventListener("click", () => this.openQueues(false));
    byId("grid").addEventListener("click", () => this.openQueues(false));
    window.addEventListener("beforeunload", (event) => (this.log.pending.length ? event.preventDefault() : undefined));
    window.addEventListener("online", () => this.outbox.send());
    listenToKeys(this);
  }

  openQueues(isOpen) {
    byId("queues").classList.toggle("is-open", isOpen);
    byId("open-queues").setAttribute("aria-expanded", isOpen);
  }

  /** Another page of rows is here: the first ones are shown while the others come. */
  rowsCame() {
    if (this.grid.order.length < 500) this.showView();
  }

  ready() {
    this.outbox.recover();
    this.showView();
    byId("grid").focus({ preventScroll: true });
    document.body.dataset.ready = "yes";
    this.news.keepAsking();
  }

  /** What was told of images may hold no more. */
  forgetDetails() {
    this.details.clear();
    if (this.grid.focusedRow >= 0) this.details.need([this.grid.focusedRow]);
    this.grid.draw();
  }

  serverIsBack() {
    this.grid.retryPhotos();
    this.drawPanel();
  }

  eventsCame() {
    this.drawTitle();
    this.grid.refresh();
    this.drawTools();
  }

  /** The row where the focus was in this queue, if it was the last one looked at; else -1. */
  get focusBefore() {
    const [row, queue] = (recall("session", FOCUS_KEY) ?? "").split(" in ");
    return queue === this.queues.queue ? Number(row) : -1;
  }

  showView({ focusRow = this.focusBefore } = {}) {
    const { queues } = this;
    if (this.details.isDisputedView !== (queues.queue === "disputed")) {
      this.details.isDisputedView = queues.queue === "disputed";
      this.details.clear();
    }
    const order = queues.order();
    this.grid.show(order, { focusRow });
    this.drawTitle();
    byId("empty").hidden = order.length > 0;
    byId("verdicts").toggleAttribute("inert", !order.length);
    byId("grid").classList.toggle("is-dimming", queues.state !== "decided" && queues.queue !== "disputed");
    if (!order.length) showEmpty(this);
    byId("view-note").textContent = QUEUE_NOTES[queues.queue] ?? "";
    byId("view-note").hidden = !order.length || !QUEUE_NOTES[queues.queue];
    queues.draw();
    this.drawTools();
    // What had the focus may be gone: a button that led here.
    const at = document.activeElement;
    if (at === document.body || at.closest("[hidden]")) byId("grid").focus({ preventScroll: true });
  }

  drawTitle() {
    const { landmark } = this.queues;
    byId("view-title").textContent = landmark ? `${this.queues.title()}: ${landmark.name}` : this.queues.title();
  }

  /** Nothing undecided is left in the view. */
  allDecided() {
    this.showView({ focusRow: -1 });
    announce("all decided here");
  }

  focused(row) {
    byId("view-count").textContent = row >= 0 ? this.grid.words() : "";
    if (row >= 0) {
      remember("session", FOCUS_KEY, `${row} in ${this.queues.queue}`);
      this.details.need([row]);
    }
    this.drawPanel();
  }

  drawPanel() {
    const row = this.grid.focusedRow;
    const kind = row < 0 ? "" : this.rows.kindOf(row);
    if (row < 0) this.panel.empty();
    else this.panel.show(row, this.details.get(row), kind);
    const verdict = row < 0 ? null : this.log.verdictOf(row);
    const agreeing = AGREEING[kind];
    for (const button of byId("verdicts").querySelectorAll("[data-verdict]")) {
      button.setAttribute("aria-pressed", button.dataset.verdict === verdict);
      button.classList.toggle("is-agreeing", button.dataset.verdict === agreeing);
    }
  }

  detailsCame(came) {
    this.grid.draw();
    if (!came.includes(this.grid.focusedRow)) return;
    this.drawPanel();
    if (this.large.isWaiting) this.enlarge();
  }

  selectionChanged() {
    const n = this.grid.selected.size;
    byId("selection").hidden = n === 0;
    byId("selection-count").textContent = `${n.toLocaleString("en")} selected`;
  }

  /** Something was decided, undone or redone here. */
  changed() {
    this.grid.draw();
    this.drawPanel();
    this.drawTools();
    clearTimeout(this.drawTimer);
    this.drawTimer = setTimeout(() => this.queues.draw(), 60);
  }

  drawTools() {
    byId("undo").disabled = !this.log.toUndo;
    byId("redo").disabled = !this.log.toRedo;
  }

  markOf(row) {
    const verdict = this.log.verdictOf(row);
    return verdict ? { text: verdict, style: VERDICTS.find((one) => one.verdict === verdict).style } : null;
  }

  labelOf(row) {
    const detail = this.details.get(row);
    const shown = detail ? detail.image.landmarks?.map((landmark) => landmark.name).join(" and ") || "no landmark" : "";
    return [this.rows.kindOf(row), shown, this.log.verdictOf(row) ?? "undecided"].filter(Boolean).join(", ");
  }

  enlarge() {
    const row = this.grid.focusedRow;
    if (row < 0) return;
    const detail = this.details.get(row);
    const names = (detail?.suggested ?? []).map((landmark) => landmark.name);
    this.large.open(detail?.image ?? null, detail?.regions ?? [], names, { words: this.labelOf(row) });
  }

  savedChanged(told) {
    if (told.state === "unsaved") this.news.isCutOff = true;
    this.saving.show(told);
  }

  saved(events) {
    const rows = events.flatMap((event) => event.rows ?? this.log.decisions.get(event.of)?.rows ?? []);
    this.details.outdate(rows);
    if (rows.includes(this.grid.focusedRow)) this.details.need([this.grid.focusedRow]);
    this.news.askSoon();
  }

  refused(refused) {
    toast(`${refused.length} of your decisions could not be kept: ${refused[0].because}.`, { isProblem: true });
    announce("a decision could not be kept");
    this.changed();
  }

  /** Scrub has run again: rows have other numbers now. What is on its way names findings, and goes on after loading. */
  otherVersion() {
    if (!this.log.pending.length) location.reload();
  }
}
