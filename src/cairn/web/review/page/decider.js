// What a key or a button does: verdicts about the chosen rows, undo, redo, groups, filters.

import { announce, counted, toast } from "./dom.js";
import { newId } from "./outbox.js";
import { AGREEING } from "./words.js";

const noted = (note) => (landmark) => ({ ...landmark, note });

/** What an image shows instead: as scrub suggests, or as its copy is said to show; each with a note of which it is. */
function suggestedIn(detail) {
  const ofCopy = detail?.kind === "under two landmarks" ? detail.evidence[0]?.landmarks : null;
  return (detail?.suggested ?? []).map(noted("suggested")).concat(detail?.suggested ? [] : (ofCopy ?? []).map(noted("said of its copy")));
}

/** page: the Page whose rows are decided about. */
export class Decider {
  constructor(page) {
    this.page = page;
  }

  /** What is suggested for the focused one, as far as it has come. */
  get suggestions() {
    return suggestedIn(this.page.details.get(this.page.grid.focusedRow));
  }

  /** Whether scrub itself suggests which landmarks an image shows, as nearly always where it finds several. */
  isToldWhich(row) {
    const detail = this.page.details.get(row);
    return detail ? (detail.suggested ?? []).length >= 2 : this.page.rows.kindOf(row) === "several landmarks";
  }

  /** The verdict about what is chosen; 'wrong', and 'several' where nothing is suggested, ask which landmarks. */
  async decide(verdict, { isAsking = false } = {}) {
    const rows = this.page.grid.chosenRows;
    if (!rows.length) return;
    if (verdict === "wrong") {
      const first = this.page.details.when(this.page.grid.focusedRow).then(suggestedIn);
      const title = rows.length > 1 ? `Which landmark do these ${rows.length} show?` : "Which landmark does it show?";
      const chosen = await this.page.chooser.open({ title, first, none: "another one, not known which" });
      if (chosen) this.put(verdict, rows, chosen.map((one) => one.id), chosen.map((one) => one.name));
    } else if (verdict === "several" && (isAsking || (rows.length === 1 && !this.isToldWhich(rows[0])))) {
      const first = this.page.details.when(rows[0]).then((detail) => this.saidAndSuggested(detail));
      const chosen = await this.page.chooser.open({ title: "Which landmarks, the main one first?", first, isMany: true });
      if (chosen?.length >= 2) this.put(verdict, rows, chosen.map((one) => one.id), chosen.map((one) => one.name));
      else if (chosen) toast("Several are two or more; nothing was decided.");
    } else this.put(verdict, rows, null, []);
  }

  /** What the catalog says that an image shows, then what is suggested, each landmark once. */
  saidAndSuggested(detail) {
    const said = (detail.image.landmarks ?? []).map((one) => ({ ...noted("said so far")(one), image: this.page.panel.known(one.id)[0] }));
    const all = [...said, ...suggestedIn(detail)];
    return [...new Map(all.map((one) => [one.id, one])).values()];
  }

  /** The finding is right: the verdict of its kind, with what it suggests. */
  agree() {
    const { grid, rows } = this.page;
    const chosen = grid.chosenRows;
    if (!chosen.length) return undefined;
    const verdicts = new Set(chosen.map((row) => AGREEING[rows.kindOf(row)]));
    if (verdicts.size > 1) {
      return toast("These are of several kinds; choose those of one kind.");
    }
    const [verdict] = verdicts;
    if (!verdict) {
      return toast("Of these say which: keep, wrong or several.");
    }
    const isNamed = chosen.length > 1 || this.suggestions.length >= (verdict === "several" ? 2 : 1);
    if ((verdict === "wrong" || verdict === "several") && !isNamed) return this.decide(verdict);
    // Of several images each shows what is suggested for it.
    const names = chosen.length > 1 ? [] : this.suggestions.map((one) => one.name);
    return this.put(verdict, chosen, null, names);
  }

  /** landmarkIds: null: as each finding suggests; empty: not known. */
  put(verdict, rows, landmarkIds, names) {
    const { page } = this;
    page.outbox.put({ event: "decide", id: newId(), at: Date.now() / 1000, verdict, rows, landmark_ids: landmarkIds });
    const where = names.length && verdict !== "keep" ? `: ${names.join(", ")}` : "";
    announce(`${rows.length === 1 ? "" : counted(rows.length, "image")} ${verdict}${where}`);
    if (rows.length > 1) toast(`${counted(rows.length, "image")}: ${verdict}${where}`);
    page.changed();
    this.goOn(rows);
  }

  /** To the next row without a verdict after those just decided. */
  goOn(rows) {
    const { grid, queues } = this.page;
    const wasSelection = grid.selected.size > 0;
    if (wasSelection) grid.select([]);
    const decided = new Set(rows);
    let last = grid.focus;
    if (wasSelection) for (let place = grid.order.length - 1; place >= 0; place -= 1) {
      if (decided.has(grid.order[place])) {
        last = place;
        break;
      }
    }
    const after = this.undecidedFrom(last + 1);
    if (after >= 0) return grid.goTo(after);
    const before = this.undecidedFrom(0);
    if (before >= 0) {
      toast("Back at the first one that is left.");
      return grid.goTo(before);
    }
    if (queues.isEmptied) return this.page.allDecided();
    if (last + 1 >= grid.order.length) toast("This is the last one here.");
    return grid.goTo(Math.min(last + 1, grid.order.length - 1));
  }

  /** The place of the first row without a verdict from `place` on, or -1. */
  undecidedFrom(place) {
    const { grid, log } = this.page;
    for (let one = place; one < grid.order.length; one += 1) if (!log.codeOf(grid.order[one])) return one;
    return -1;
  }

  nextUndecided() {
    this.goOn(this.page.grid.chosenRows);
  }

  undo() {
    this.reverse("undo", this.page.log.toUndo);
  }

  redo() {
    this.reverse("redo", this.page.log.toRedo);
  }

  reverse(what, decision) {
    const { page } = this;
    if (!decision) return toast(`Nothing to ${what}.`);
    page.outbox.put({ event: what, id: newId(), at: Date.now() / 1000, of: decision.id });
    const words = `${what === "undo" ? "undone" : "done again"}: ${decision.verdict}${decision.rows.length > 1 ? ` for ${counted(decision.rows.length, "image")}` : ""}`;
    const row = decision.rows[0];
    // It had left the view, and belongs there again.
    if (!page.grid.order.includes(row) && page.queues.shownTest()(row)) page.showView({ focusRow: row });
    const place = page.grid.order.indexOf(row);
    page.changed();
    if (place >= 0) page.grid.goTo(place);
    toast(place >= 0 ? words : `${words} (not among those shown)`);
    return announce(words);
  }

  /** All that belong to the focused one: the copies of one image, else what is shown of its landmark and kind. */
  selectGroup() {
    const { grid, rows } = this.page;
    const row = grid.focusedRow;
    if (row < 0) return;
    const all = [...grid.order].filter((other) => rows.group[other] === rows.group[row]);
    grid.select(all);
    announce(`${counted(all.length, "image")} selected`);
  }

  async pickLandmark() {
    const chosen = await this.page.chooser.open({ title: "Show only one landmark", none: "any landmark" });
    if (chosen) this.page.queues.choose({ landmark: chosen[0] ? { place: chosen[0].place, name: chosen[0].name } : null });
  }
}
