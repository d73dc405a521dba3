// How the page asks the server, and what an answer that did not come means.

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
