// Small things that every part of the page needs: elements, numbers and times in words.

/** An element with properties and children; texts are never read as HTML. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    // Of these, false says something too.
    if (name.startsWith("aria-")) element.setAttribute(name, String(value));
    else if (value === false) continue;
    else if (name === "class") element.className = value;
    else if (name === "style") for (const [key, part] of Object.entries(value)) element.style.setProperty(key, part);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

export const number = (value) => value.toLocaleString("en");

export const counted = (n, noun, plural = noun + "s") => `${number(n)} ${n === 1 ? noun : plural}`;

export const percent = (share) => `${(100 * share).toFixed(share < 0.0995 && share > 0 ? 1 : 0)} %`;

/** A time as people say it. */
export function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86400).toFixed(1)} days`;
}

export const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Calls `act` once, soon after the last of several calls. */
export function soon(act, milliseconds) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, milliseconds);
  };
}

/** A line that screen readers read out. */
export function announce(text) {
  const log = byId("said");
  log.append(h("p", {}, text));
  while (log.childElementCount > 4) log.firstChild.remove();
}

let toastTimer = 0;

/** A line that everybody sees for a while. */
export function toast(text, { isProblem = false } = {}) {
  const element = byId("toast");
  element.textContent = text;
  element.classList.toggle("is-problem", isProblem);
  element.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (element.hidden = true), isProblem ? 9000 : 1800);
}

const stores = { local: () => localStorage, session: () => sessionStorage };

/** What this browser keeps under a name, or null; a browser may keep nothing and refuse to be asked. */
export function recall(store, name) {
  try {
    return stores[store]().getItem(name);
  } catch {
    return null;
  }
}

/** Keeps a text in the browser where it lets us; an empty one is taken away. Says whether it was kept. */
export function remember(store, name, text) {
  try {
    if (text) stores[store]().setItem(name, text);
    else stores[store]().removeItem(name);
    return true;
  } catch {
    return false;
  }
}

const path = (image) => image.id.split("/").map(encodeURIComponent).join("/");

export const thumbnailOf = (image) => `/thumbnails/${path(image)}?v=${image.v}`;

export const wholeOf = (image) => `/images/${path(image)}?v=${image.v}`;

export const namesOf = (landmarks) => (landmarks ?? []).map((landmark) => landmark.name).join(" + ");
