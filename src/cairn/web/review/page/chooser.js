// Finding landmarks by name: a field, a list under it, and the arrow keys.

import { byId, counted, h, number, soon, thumbnailOf, wait } from "./dom.js";
import { get } from "./server.js";

const LONGEST_WAIT_MS = 3000;

/** What a promise gives, or something else where it takes too long. */
const soonOr = (other, promise) => Promise.race([promise, wait(LONGEST_WAIT_MS).then(() => other)]);

const isByFinger = () => matchMedia("(pointer: coarse)").matches;

/** One search at a time; `open` gives what was chosen. */
export class Chooser {
  constructor() {
    this.dialog = byId("chooser");
    this.words = byId("chooser-words");
    this.list = byId("chooser-list");
    this.words.addEventListener("input", soon(() => this.search(), 70));
    this.dialog.addEventListener("keydown", (event) => this.pressed(event));
    // It is told of a closing later: the next search may be open by then.
    this.dialog.addEventListener("close", () => (this.dialog.open ? undefined : this.finish(null)));
    this.list.addEventListener("click", (event) => this.clicked(event));
    byId("chooser-cancel").addEventListener("click", () => this.finish(null));
    byId("chooser-done").addEventListener("click", () => this.finish(this.chosen));
  }

  /**
   * A promise of the landmarks chosen, or of null where it was closed without a choice.
   * first: a promise of landmarks that stand on top. none: words for a choice of no landmark at all, which gives an empty list.
   * isMany: several are chosen; an empty field and Enter ends it.
   */
  open({ title, first = Promise.resolve([]), none = "", isMany = false }) {
    Object.assign(this, { first: soonOr([], first), none, isMany, chosen: [], places: [], listed: null, active: 0, ahead: null });
    byId("chooser-title").textContent = title;
    byId("chooser-hint").textContent = isByFinger() ? (isMany ? "Tap them one after the other, then done." : "Tap one.") : isMany ? "Enter adds one, Enter on an empty field ends, Backspace takes the last one away." : "Enter chooses.";
    byId("chooser-done").hidden = !isMany;
    this.words.value = "";
    this.list.replaceChildren();
    this.dialog.showModal();
    this.words.focus();
    this.drawChosen();
    this.search();
    return new Promise((done) => (this.done = done));
  }

  async search() {
    const words = this.words.value.trim();
    this.searching = words;
    // What stands on top has come before anything is shown: nobody takes what slipped under the cursor.
    const [found, first] = await Promise.all([this.found(words), words ? [] : this.first]);
    if (this.searching !== words || !this.dialog.open) return;
    const offered = first.filter((landmark) => !this.isChosen(landmark));
    const known = new Set([...offered, ...this.chosen].map((landmark) => landmark.id));
    this.places = [...offered, ...found.filter((landmark) => !known.has(landmark.id))];
    if (!words && this.none) this.places.splice(offered.length, 0, { id: null, name: this.none });
    this.listed = words;
    // With an empty field Enter ends a choice of several, unless an arrow key has led to one.
    this.active = this.isMany && !words && this.chosen.length ? -1 : 0;
    this.draw();
  }

  async found(words) {
    try {
      return await get("/api/landmarks", { words });
    } catch {
      byId("chooser-hint").textContent = "The server does not answer; what is listed can be chosen all the same.";
      return [];
    }
  }

  draw() {
    const options = this.places.map((landmark, place) =>
      h("li", { role: "option", id: `choice-${place}`, "data-place": place, "aria-selected": place === this.active },
        landmark.image?.v ? h("img", { src: thumbnailOf(landmark.image), alt: "" }) : h("span", { class: "blank" }),
        h("span", {}, landmark.name, landmark.country ? h("small", {}, landmark.country) : null),
        landmark.n_images === undefined ? h("small", { class: "note" }, landmark.note ?? "") : h("small", {}, counted(landmark.n_images, "image"))));
    this.list.replaceChildren(...options);
    if (!options.length) this.list.append(h("li", { "aria-disabled": "true" }, h("span"), "No landmark has these words in its name."));
    if (this.active >= 0) this.words.setAttribute("aria-activedescendant", `choice-${this.active}`);
    else this.words.removeAttribute("aria-activedescendant");
    this.list.children[this.active]?.scrollIntoView({ block: "nearest" });
  }

  drawChosen() {
    byId("chosen").replaceChildren(...this.chosen.map((landmark, i) =>
      h("button", { title: "take it away", "aria-label": `take away ${landmark.name}`, onclick: () => this.drop(i) }, `${number(i + 1)}. ${landmark.name} ×`)));
  }

  isChosen(landmark) {
    return this.chosen.some((one) => one.id === landmark.id);
  }

  drop(place) {
    this.chosen.splice(place, 1);
    this.words.focus();
    this.drawChosen();
    this.search();
  }

  pressed(event) {
    event.stopPropagation();
    if (this.ahead && event.key !== "Escape") {
      event.preventDefault();
      this.ahead.push(event);
      return;
    }
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    if (event.key in moves) {
      event.preventDefault();
      this.active = Math.max(0, Math.min(this.places.length - 1, this.active + moves[event.key]));
      this.draw();
    } else if (event.key === "Backspace" && !this.words.value && this.chosen.length) {
      event.preventDefault();
      this.drop(this.chosen.length - 1);
    } else if (event.key === "Escape") {
      // A search field would only be emptied.
      event.preventDefault();
      this.finish(null);
    } else if (event.key === "Enter" && event.target === this.words) {
      event.preventDefault();
      this.entered();
    }
  }

  /** Takes what the words in the field stand for; keys of who types ahead of the list are for what comes after. */
  async entered() {
    this.ahead = [];
    if (this.listed !== this.words.value.trim()) await this.search();
    const ahead = this.ahead ?? [];
    this.ahead = null;
    if (!this.dialog.open) return;
    if (this.active >= 0) this.take(this.places[this.active]);
    else this.finish(this.chosen);
    if (ahead.length) setTimeout(() => this.typed(ahead));
  }

  /** What was typed ahead: into the field where more is asked for, else to the page. */
  typed(keys) {
    if (!this.dialog.open) {
      for (const key of keys) document.body.dispatchEvent(new KeyboardEvent("keydown", key));
      return;
    }
    this.words.value = keys.filter(({ key }) => key.length === 1).map(({ key }) => key).join("");
    this.search();
  }

  clicked(event) {
    const option = event.target.closest("[data-place]");
    if (option) this.take(this.places[Number(option.dataset.place)]);
  }

  take(landmark) {
    if (!landmark) return;
    if (landmark.id === null) return this.finish([]);
    if (!this.isMany) return this.finish([landmark]);
    if (!this.isChosen(landmark)) this.chosen.push(landmark);
    this.words.value = "";
    this.words.focus();
    this.drawChosen();
    this.search();
  }

  finish(chosen) {
    const { done } = this;
    this.done = null;
    if (this.dialog.open) this.dialog.close();
    done?.(chosen);
  }
}
