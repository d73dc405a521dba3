// The image in question: the photo with its regions, why it is doubted, what speaks for it, what its landmark looks like.

import { byId, h, namesOf, percent, thumbnailOf, wholeOf } from "./dom.js";
import { get } from "./server.js";
import { STYLES } from "./words.js";

const PAIRS = new Set(["exact copy", "near copy", "copy across parts"]);
const SETTLED_MS = 110;
// While the server is away, an empty place says more than a broken picture; the panel is drawn anew when it is back.
const hide = (event) => (event.target.style.visibility = "hidden");

export const isPair = (kind) => PAIRS.has(kind);

export class Panel {
  /** onLarge(image, regions, names): someone wants to see an image large. */
  constructor({ onLarge }) {
    this.box = byId("panel-content");
    this.onLarge = onLarge;
    this.typical = new Map();
    this.timer = 0;
    this.row = -1;
  }

  empty() {
    this.row = -1;
    this.box.replaceChildren();
  }

  /** Shows a row; `detail` undefined: it has not come yet. */
  show(row, detail, kind) {
    clearTimeout(this.timer);
    const isSame = row === this.row;
    this.row = row;
    if (!detail) {
      if (!isSame) this.box.replaceChildren(h("div", { class: "soft" }, kind));
      return;
    }
    const photos = isPair(detail.kind) && detail.evidence.length ? this.pair(detail) : this.photo(detail.image, detail);
    this.below = h("div");
    this.box.replaceChildren(photos, ...this.words(detail), ...this.evidence(detail), this.below);
    byId("panel").scrollTop = isSame ? byId("panel").scrollTop : 0;
    // While someone runs through the images, only the last one fetches more.
    this.timer = setTimeout(() => this.settle(row, detail), SETTLED_MS);
  }

  photo(image, detail = null) {
    if (!image.v) return h("p", { class: "soft" }, "This image is no longer there.");
    const names = (detail?.suggested ?? []).map((landmark) => landmark.name);
    const regions = detail?.regions ?? [];
    const photo = h("img", { src: thumbnailOf(image), alt: altOf(image), "data-whole": wholeOf(image), onerror: hide });
    const style = { "--ratio": String(image.width / image.height || 1) };
    const open = () => this.onLarge(image, regions, names);
    return h("button", { class: "photo", style, title: "see it large (E)", onclick: open }, photo, ...drawn(regions, image, names));
  }

  pair(detail) {
    const stays = detail.evidence[0];
    const said = (image, words) => h("figure", {}, this.photo(image), h("figcaption", {}, words));
    const where = (image) => namesOf(image.landmarks) || "no landmark";
    return h("div", { class: "two-photos" }, said(detail.image, `this one: ${where(detail.image)}`), said(stays, `stays: ${where(stays)}`));
  }

  words(detail) {
    const shown = namesOf(detail.image.landmarks) || "no landmark";
    const suggested = detail.suggested === null ? "" : namesOf(detail.suggested) || "no landmark";
    const score = detail.kind === "no finding" ? "" : `doubt ${percent(detail.score ?? 0)}`;
    const size = detail.image.v ? `${detail.image.width} × ${detail.image.height}` : "";
    const opinions = detail.opinions.map((opinion) => {
      const who = opinion.is_own ? "you" : opinion.reviewer;
      const what = opinion.landmarks?.length ? `${opinion.verdict}: ${namesOf(opinion.landmarks)}` : opinion.verdict;
      return h("li", { class: STYLES[opinion.verdict] }, h("b", {}, who), ` ${what}`);
    });
    return [
      h("h2", { class: "panel-title" }, shown),
      h("p", { class: "panel-kind" }, h("b", {}, detail.kind), h("span", {}, score), h("span", {}, size)),
      h("p", { class: "reason" }, detail.reason, suggested ? h("span", { class: "soft" }, ` Suggested: ${suggested}.`) : ""),
      opinions.length ? h("ul", { class: "opinions", "aria-label": "Verdicts" }, opinions) : null,
    ].filter(Boolean);
  }

  evidence(detail) {
    const shown = isPair(detail.kind) ? detail.evidence.slice(1) : detail.evidence;
    return shown.length ? this.strip("What speaks for it", shown) : [];
  }

  strip(title, images, { isNamed = true } = {}) {
    const there = images.filter((image) => image.v);
    if (!there.length) return [];
    const figures = there.map((image) =>
      h("figure", {},
        h("button", { class: "thumb", title: "see it large", onclick: () => this.onLarge(image, [], []) },
          h("img", { src: thumbnailOf(image), alt: altOf(image), loading: "lazy", onerror: hide })),
        isNamed ? h("figcaption", {}, namesOf(image.landmarks) || "no landmark") : null));
    return [h("h3", { class: "strip-title" }, title), h("div", { class: "strip" }, figures)];
  }

  /** The focus stays here: the whole photos and the landmarks' own photos are fetched. */
  async settle(row, detail) {
    for (const photo of this.box.querySelectorAll("img[data-whole]")) {
      const whole = new Image();
      whole.onload = () => (photo.src = whole.src);
      whole.src = photo.dataset.whole;
    }
    const wanted = [...(detail.image.landmarks ?? []), ...(detail.suggested ?? [])];
    const unique = [...new Map(wanted.map((landmark) => [landmark.id, landmark])).values()].slice(0, 4);
    for (const landmark of unique) {
      const images = await this.typicalOf(landmark.id);
      if (row !== this.row || !this.below.isConnected) return;
      const others = images.filter((image) => image.id !== detail.image.id);
      this.below.append(...this.strip(`${landmark.name}: other photos`, others, { isNamed: false }));
    }
  }

  async typicalOf(landmarkId) {
    if (!this.typical.has(landmarkId)) {
      try {
        this.typical.set(landmarkId, await get("/api/typical", { landmark_id: landmarkId }));
      } catch {
        return [];
      }
    }
    return this.typical.get(landmarkId);
  }
}

/** Frames over the regions, in shares of the image, so that they fit at any size. */
export function drawn(regions, image, names) {
  return regions.map(([left, top, right, bottom], i) =>
    h("span", {
      class: `region r${1 + (i % 3)}`,
      style: {
        left: `${(100 * left) / image.width}%`, top: `${(100 * top) / image.height}%`,
        width: `${(100 * (right - left)) / image.width}%`, height: `${(100 * (bottom - top)) / image.height}%`,
      },
    }, names[i] ? h("span", {}, names[i]) : null));
}

export function altOf(image) {
  return `photo of ${namesOf(image.landmarks) || "no landmark"}`;
}
