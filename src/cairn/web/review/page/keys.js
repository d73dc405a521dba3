// Keys: what each does, in one table, from which the help is made too.

import { byId, h } from "./dom.js";
import { VERDICTS } from "./words.js";

/** The keys in the order of the help. `keys` are those of KeyboardEvent.key; `shown` is what people read. */
const KEYS = [
  ...VERDICTS.map(({ verdict, key, help }) => ({ keys: [key], shown: key.toUpperCase(), says: `${verdict}: ${help}`, act: (page) => page.decider.decide(verdict) })),
  { keys: ["S"], shown: "Shift+S", says: "several, searched by name", act: (page) => page.decider.decide("several", { isAsking: true }) },
  { keys: ["a", "A"], shown: "A", says: "agree: what the finding says; of a photo under two landmarks say which", act: (page) => page.decider.agree() },
  { keys: ["z"], shown: "Z", says: "undo, as often as you like (Ctrl+Z too)", act: (page) => page.decider.undo() },
  { keys: ["y", "Z"], shown: "Y", says: "redo (Ctrl+Y, Shift+Z too)", act: (page) => page.decider.redo() },
  { keys: ["g", "G"], shown: "G", says: "select the whole group: all copies of one image, or all of one landmark", act: (page) => page.decider.selectGroup() },
  { keys: [" "], shown: "Space", says: "add to the selection, or take away", act: (page) => page.grid.toggle(page.grid.focus) },
  { keys: ["Escape"], shown: "Esc", says: "select nothing", act: (page) => page.grid.select([]) },
  { keys: [], shown: "← ↑ → ↓", says: "go; with Shift: select" },
  { keys: ["x", "X"], shown: "X", says: "next undecided", act: (page) => page.decider.nextUndecided() },
  { keys: ["q"], shown: "Q", says: "next queue; Shift+Q: the one before", act: (page) => page.queues.step(1) },
  { keys: ["Q"], act: (page) => page.queues.step(-1) },
  { keys: ["/"], shown: "/", says: "show only one landmark", act: (page) => page.decider.pickLandmark() },
  { keys: ["r", "R"], shown: "R", says: "show anew: what is decided leaves the undecided", act: (page) => page.showView() },
  { keys: ["e", "E", "Enter"], shown: "E, Enter", says: "see it large; verdicts and arrows work there too", act: (page) => page.enlarge() },
  { keys: ["?"], shown: "?", says: "these keys", act: () => showHelp() },
];
// What can be done while the image in question is seen large.
const WHILE_LARGE = new Set([...VERDICTS.map(({ key }) => key), "a", "z", "y", "x"]);
const ACTS = new Map(KEYS.flatMap(({ keys, act }) => keys.map((key) => [key, act])));
const BUTTON_KEYS = new Set([" ", "Enter"]);

export function listenToKeys(page) {
  document.addEventListener("keydown", (event) => pressed(page, event));
}

function pressed(page, event) {
  const { target } = event;
  const isTyping = target.closest?.("input:not([type=radio]), textarea, select, dialog");
  if (isTyping || event.altKey || event.isComposing) return;
  const key = latin(event);
  if (target.closest?.("button, a, summary, label") && BUTTON_KEYS.has(key)) return;
  if (target.type === "radio" && key.startsWith("Arrow")) return;
  obey(page, event, key);
}

/** Over the image in question, seen large: a verdict or a step leads to the next one, which is large too. */
export async function pressedWhileLarge(page, event) {
  const key = latin(event);
  const isWithCtrl = event.ctrlKey || event.metaKey;
  const isOurs = isWithCtrl ? "zy".includes(key.toLowerCase()) : WHILE_LARGE.has(key.toLowerCase()) || moveOf(page.grid, key) !== null;
  if (!isOurs || event.altKey) return;
  page.large.close();
  // A verdict may ask which landmark first.
  await obey(page, event, key);
  if (!document.querySelector("dialog[open]")) page.enlarge();
}

/** Does what a key stands for; what it gives is over when that is done. */
function obey(page, event, key) {
  if (event.ctrlKey || event.metaKey) return obeyWithCtrl(page, event, key.toLowerCase());
  const place = moveOf(page.grid, key);
  const act = ACTS.get(key) ?? (key.length === 1 ? ACTS.get(key.toLowerCase()) : undefined);
  if (place === null && !act) return undefined;
  event.preventDefault();
  const isHeldDown = event.repeat && key.length === 1 && key !== "z" && key !== "y";
  if (place !== null) return page.grid.goTo(place, { extend: event.shiftKey });
  return isHeldDown ? undefined : act(page);
}

function obeyWithCtrl(page, event, key) {
  if (key === "z" && event.shiftKey) page.decider.redo();
  else if (key === "z") page.decider.undo();
  else if (key === "y") page.decider.redo();
  else if (key === "a") page.grid.select(page.grid.order);
  else return undefined;
  return event.preventDefault();
}

/** The key as on a Latin keyboard, also where another script is typed. */
function latin(event) {
  const isOtherScript = event.key.length === 1 && event.key.charCodeAt(0) > 127 && event.code.startsWith("Key");
  if (!isOtherScript) return event.key;
  const letter = event.code.slice(3);
  return event.shiftKey ? letter : letter.toLowerCase();
}

/** Where a key leads, or null. */
function moveOf(grid, key) {
  const page = grid.columns * grid.linesInSight();
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -grid.columns, ArrowDown: grid.columns, PageUp: -page, PageDown: page };
  if (key in steps) return grid.focus + steps[key];
  if (key === "Home") return 0;
  return key === "End" ? grid.order.length - 1 : null;
}

export function showHelp() {
  const rows = KEYS.filter(({ says }) => says).flatMap(({ shown, says }) => [h("dt", {}, h("kbd", {}, shown)), h("dd", {}, says)]);
  byId("help-keys").replaceChildren(h("dl", { class: "keys" }, rows));
  byId("help-dialog").showModal();
}
