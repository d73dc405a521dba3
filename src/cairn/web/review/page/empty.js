// What stands in place of the grid where there is nothing to show: why, and where to go from here.

import { byId, counted, h } from "./dom.js";

/** page: the Page whose view has no row. */
export function showEmpty({ queues, rows }) {
  const [title, words] = saying(queues, rows);
  const next = rows.nLoaded < rows.n ? null : queues.nextLeft();
  const { all, left } = queues.counts()[queues.queue] ?? { all: 0, left: 0 };
  const go = (change, text, properties = {}) => h("button", { ...properties, onclick: () => queues.choose(change) }, text);
  const buttons = [
    next ? go({ queue: next, state: "undecided", landmark: null }, `Next: ${queues.title(next)}`, { class: "main", id: "next-queue" }) : null,
    queues.landmark ? go({ landmark: null }, "Any landmark") : null,
    queues.state === "undecided" && all > left ? go({ state: "decided" }, "Show what was decided") : null,
  ];
  byId("empty").replaceChildren(h("h3", {}, title), h("p", { class: "soft" }, words), h("div", { class: "ways" }, buttons));
}

function saying(queues, rows) {
  const { queue, state, landmark } = queues;
  const { all, left } = queues.counts()[queue] ?? { all: 0, left: 0 };
  if (!rows.n) return ["Nothing to decide", "Nothing was found doubtful here, and there is no image to audit."];
  if (rows.nLoaded < rows.n) return ["Loading…", ""];
  if (landmark) return [`Nothing of ${landmark.name} here`, `None that is ${state === "all" ? "" : `${state} and `}in this queue.`];
  if (queue === "disputed") return ["Nobody differs", "What two reviewers decide differently will stand here."];
  if (!all) return ["Nothing here", "Nothing of this kind waits for anybody."];
  if (state === "decided") return ["Nothing decided here yet", "What you decide will stand here."];
  if (left) return ["Nothing to show", "Choose another queue or filter."];
  if (queues.nextLeft()) return ["All decided here", `${counted(all, "image")} done; undo brings the last one back.`];
  return ["All decided", "Nothing is left. To make use of it, run: cairn scrub WORK --apply careful"];
}
