// One image as large as the window, with its regions.

import { byId, h, wholeOf } from "./dom.js";
import { altOf, drawn } from "./panel.js";

const MOST_SHARE = 0.94;
const MOST_TIMES = 2;

export class Large {
  constructor() {
    this.dialog = byId("large");
    byId("large-close").addEventListener("click", () => this.dialog.close());
    byId("large-photo").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("keydown", (event) => {
      if (["e", "E", "Enter", " "].includes(event.key)) {
        event.preventDefault();
        this.dialog.close();
      }
    });
  }

  open(image, regions, names) {
    const times = Math.min((MOST_SHARE * innerWidth) / image.width, (MOST_SHARE * innerHeight) / image.height, MOST_TIMES);
    const box = byId("large-photo");
    box.style.width = `${Math.round(image.width * times)}px`;
    box.style.height = `${Math.round(image.height * times)}px`;
    box.replaceChildren(h("img", { src: wholeOf(image), alt: altOf(image) }), ...drawn(regions, image, names));
    this.dialog.showModal();
  }
}
