// How the page asks the server, and what an answer that did not come means.

import { wait } from "./dom.js";

/** No answer came; asking again may help. */
export class Unreachable extends Error {}

/** The server will not do it; `status` says whether asking again may help. */
export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const PATIENCE_MS = 20_000;
const AGAIN_MS = 1000;
let reviewer = "";

export function decideAs(name) {
  reviewer = name;
}

export function get(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  return asked(query ? `${path}?${query}` : path, { method: "GET" });
}

export function post(path, body) {
  return asked(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
}

/** Asks until an answer comes; `say` is called with what is wrong meanwhile. */
export async function patiently(ask, say) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      say(error instanceof Refused ? error.message : "Waiting for the server…");
      await wait(AGAIN_MS);
    }
  }
}

async function asked(path, options) {
  // A header of our own: no form of another site can send it.
  const headers = { ...options.headers, "X-Reviewer": encodeURIComponent(reviewer) };
  let answer, said;
  try {
    answer = await fetch(path, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    said = await answer.json();
  } catch (error) {
    throw new Unreachable(String(error));
  }
  if (answer.ok) return said;
  throw new Refused(said.error ?? `the server answered ${answer.status}`, answer.status);
}
