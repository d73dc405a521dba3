// One image as large as the window, with its regions; the image in question can be decided about there.

import { byId, h, thumbnailOf, wholeOf } from "./dom.js";
import { altOf, drawn } from "./panel.js";

const MOST_SHARE = 0.94;
const MOST_TIMES = 2;
const CLOSING = new Set(["e", "E", "Enter", " "]);

export class Large {
  /** onKey(event): a key over the image in question. */
  constructor({ onKey }) {
    this.dialog = byId("large");
    byId("large-close").addEventListener("click", () => this.close());
    byId("large-photo").addEventListener("click", () => this.close());
    this.dialog.addEventListener("keydown", (event) => {
      if (CLOSING.has(event.key)) {
        event.preventDefault();
        this.close();
      } else if (this.isInQuestion) onKey(event);
    });
  }

  close() {
    this.dialog.close();
  }

  /** Whether it is open for an image of which nothing has come yet. */
  get isWaiting() {
    return this.dialog.open && !this.image;
  }

  /** image: null where it is not known yet. words: of the image in question, what is known of it; empty for any other image. */
  open(image, regions, names, { words = "" } = {}) {
    Object.assign(this, { image, isInQuestion: words !== "" });
    const box = byId("large-photo");
    box.removeAttribute("style");
    box.classList.toggle("has-none", !image?.v);
    if (image?.v) draw(box, image, regions, names);
    else box.replaceChildren(h("p", {}, image ? "This image is no longer there." : "Loading…"));
    byId("large-words").textContent = words;
    byId("large-words").hidden = !words;
    if (!this.dialog.open) this.dialog.showModal();
  }
}

/** An image with its regions, as large as fits. */
function draw(box, image, regions, names) {
  const times = Math.min((MOST_SHARE * innerWidth) / image.width, (MOST_SHARE * innerHeight) / image.height, MOST_TIMES);
  box.style.width = `${Math.round(image.width * times)}px`;
  box.style.height = `${Math.round(image.height * times)}px`;
  // The small one is there at once, and stands under the large one until that has come.
  box.replaceChildren(h("img", { src: thumbnailOf(image), alt: "" }), h("img", { src: wholeOf(image), alt: altOf(image), class: "whole" }), ...drawn(regions, image, names));
}
