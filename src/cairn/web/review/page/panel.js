// The image in question: the photo with its regions, why it is doubted, what speaks for it, what its landmark looks like.

import { byId, h, namesOf, percent, thumbnailOf, wholeOf } from "./dom.js";
import { get } from "./server.js";
import { STYLES } from "./words.js";

const PAIRS = new Set(["exact copy", "near copy", "copy across parts", "under two landmarks"]);
const SETTLED_MS = 110;
// While the server is away, an empty place says more than a broken picture; the panel is drawn anew when it is back.
const hide = (event) => (event.target.style.visibility = "hidden");

export const isPair = (kind) => PAIRS.has(kind);

export class Panel {
  /** onLarge(image, regions, names): someone wants to see an image large. onEnlarge(): the one in question. onOthers(): to name other landmarks. */
  constructor({ onLarge, onEnlarge, onOthers }) {
    this.box = byId("panel-content");
    Object.assign(this, { onLarge, onEnlarge, onOthers });
    this.typical = new Map();
    this.timer = 0;
    this.row = -1;
  }

  empty() {
    clearTimeout(this.timer);
    this.row = -1;
    this.box.replaceChildren();
  }

  /** Shows a row; `detail` undefined: it has not come yet. */
  show(row, detail, kind) {
    clearTimeout(this.timer);
    const isSame = row === this.row;
    this.row = row;
    if (!detail) {
      if (!isSame) this.fill(h("div", { class: "soft" }, kind));
      return;
    }
    const photos = isPair(detail.kind) && detail.evidence.length ? this.pair(detail) : this.photo(detail.image, detail);
    this.below = h("div");
    this.fill(photos, ...this.words(detail), ...this.evidence(detail), this.below);
    byId("panel").scrollTop = isSame ? byId("panel").scrollTop : 0;
    // While someone runs through the images, only the last one fetches more.
    this.timer = setTimeout(() => this.settle(detail), SETTLED_MS);
  }

  /** Puts these in place of what was there; the focus stays at the same button, or goes to the grid. */
  fill(...children) {
    const buttons = () => [...this.box.querySelectorAll("button")];
    const focused = buttons().indexOf(document.activeElement);
    this.box.replaceChildren(...children);
    if (focused >= 0) (buttons()[focused] ?? byId("grid")).focus({ preventScroll: true });
  }

  photo(image, detail = null, { isInQuestion = detail !== null } = {}) {
    if (!image.v) return h("p", { class: "soft" }, "This image is no longer there.");
    const names = (detail?.suggested ?? []).map((landmark) => landmark.name);
    const regions = detail?.regions ?? [];
    const photo = h("img", { src: thumbnailOf(image), alt: altOf(image), "data-whole": wholeOf(image), onerror: hide });
    const style = { "--ratio": String(image.width / image.height || 1) };
    const open = () => (isInQuestion ? this.onEnlarge() : this.onLarge(image, regions, names));
    return h("button", { class: "photo", style, title: "see it large (E)", onclick: open }, photo, ...drawn(regions, image, names));
  }

  pair(detail) {
    const stays = detail.evidence[0];
    const said = (image, words) => h("figure", {}, this.photo(image, null, { isInQuestion: image === detail.image }), h("figcaption", {}, words, leftOut(image)));
    const where = (image) => namesOf(image.landmarks) || "no landmark";
    return h("div", { class: "two-photos" }, said(detail.image, `this one: ${where(detail.image)}`), said(stays, `${detail.kind === "under two landmarks" ? "its copy" : "stays"}: ${where(stays)}`));
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
      h("p", { class: "reason" }, sentence(detail.reason), suggested ? h("span", { class: "soft" }, ` Suggested: ${suggested}.`) : "", this.nameOthers(detail)),
      detail.decided ? h("p", { class: "decided-now" }, decisionWords(detail.decided)) : null,
      opinions.length ? h("ul", { class: "opinions", "aria-label": "Verdicts" }, opinions) : null,
    ].filter(Boolean);
  }

  /** A finger has no Shift+S. */
  nameOthers(detail) {
    if ((detail.suggested ?? []).length < 2) return null;
    return h("button", { class: "link", title: "name the landmarks yourself (Shift+S)", onclick: () => this.onOthers() }, "Name others…");
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
        isNamed ? h("figcaption", { title: image.excluded ? `left out now: ${image.excluded}` : null }, namesOf(image.landmarks) || "no landmark", image.excluded ? h("span", { class: "left-out" }, "left out") : null) : null));
    return [h("h3", { class: "strip-title" }, title), h("div", { class: "strip" }, figures)];
  }

  /** The focus stays here: the whole photos and the landmarks' own photos are fetched. */
  async settle(detail) {
    for (const photo of this.box.querySelectorAll("img[data-whole]")) {
      const whole = new Image();
      whole.onload = () => (photo.src = whole.src);
      whole.src = photo.dataset.whole;
    }
    const wanted = [...(detail.image.landmarks ?? []), ...(detail.suggested ?? [])];
    const seen = new Set([detail.image.id, ...detail.evidence.map((image) => image.id)]);
    const unique = [...new Map(wanted.map((landmark) => [landmark.id, landmark])).values()].slice(0, 4);
    // The same row may be drawn anew meanwhile, which then has a place of its own.
    const { below } = this;
    for (const landmark of unique) {
      const images = await this.typicalOf(landmark.id);
      if (!below.isConnected) return;
      const others = images.filter((image) => !seen.has(image.id));
      below.append(...this.strip(`${landmark.name}: typical photos`, others, { isNamed: false }));
    }
  }

  /** The typical photos of a landmark as far as they have come. */
  known(landmarkId) {
    return this.typical.get(landmarkId) ?? [];
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
      class: `region r${1 + (i % 3)} ${whereNamed(left / image.width, top / image.height, bottom / image.height)}`,
      style: {
        left: `${(100 * left) / image.width}%`, top: `${(100 * top) / image.height}%`,
        width: `${(100 * (right - left)) / image.width}%`, height: `${(100 * (bottom - top)) / image.height}%`,
      },
    }, names[i] ? h("span", {}, names[i]) : null));
}

export function altOf(image) {
  return `photo of ${namesOf(image.landmarks) || "no landmark"}`;
}

function decisionWords({ excluded, landmarks, because }) {
  const shown = landmarks ? `shows by decision: ${namesOf(landmarks) || "no landmark"}` : "";
  return [h("b", {}, excluded ? `Left out now (${excluded})` : `Now ${shown}`), h("span", {}, `, ${because}`)];
}

function leftOut(image) {
  return image.excluded ? h("span", { class: "left-out" }, `left out now: ${image.excluded}`) : null;
}

/** A reason as a sentence of its own. */
function sentence(words) {
  return words ? words[0].toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".") : "";
}

const LOW_SHARE = 0.14;

/** Where the name of a region stands, so that it hides no small one and is not cut off at the border; all in shares. */
function whereNamed(left, top, bottom) {
  const side = left > 0.6 ? "is-named-right" : "";
  if (bottom - top >= LOW_SHARE) return side;
  return `${side} ${top > LOW_SHARE ? "is-named-above" : "is-named-below"}`;
}
