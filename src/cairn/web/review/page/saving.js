// What the page says about saving: a word at the top, and a line that stays as long as something is not saved.

import { announce, byId, toast } from "./dom.js";

export class Saving {
  constructor() {
    this.isUnsaved = false;
  }

  /** state: saved, saving or unsaved. n: decisions that wait. problem: why they do. */
  show({ state, n, problem }) {
    const words = { saved: "saved", saving: `saving ${n}`, unsaved: `not saved: ${n}` };
    const pill = byId("saved");
    pill.dataset.state = state;
    if (pill.textContent !== words[state]) pill.textContent = words[state];
    if (state === "unsaved") {
      this.isUnsaved = true;
      this.tell(`Not saved yet: ${problem}. Go on deciding: what you decide waits in this browser and is sent again and again.`);
    } else if (state === "saved" && this.isUnsaved) {
      this.isUnsaved = false;
      this.tell("");
      toast("All saved again.");
      announce("all saved again");
    }
  }

  tell(words) {
    const line = byId("trouble");
    if (line.textContent !== words) line.textContent = words;
    line.hidden = !words;
  }
}
