// Who decides: asked on the first visit, remembered in the browser.

import { byId, recall, remember } from "./dom.js";
import { post } from "./server.js";

const NAME_KEY = "cairn-reviewer";

/** The reviewer's name, once the server writes down what he decides. */
export async function askName(session) {
  byId("who").addEventListener("click", () => (session.reviewer ? undefined : changeName()));
  const remembered = session.reviewer ?? recall("local", NAME_KEY);
  if (remembered) {
    try {
      return (await post("/api/session", { reviewer: remembered })).reviewer;
    } catch (error) {
      byId("name-problem").textContent = error.message;
    }
  }
  return asked(remembered ?? "");
}

function changeName() {
  remember("local", NAME_KEY, "");
  location.reload();
}

function asked(before) {
  const dialog = byId("name-dialog");
  const input = byId("name-input");
  input.value = before;
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.showModal();
  input.select();
  return new Promise((done) => {
    dialog.querySelector("form").addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        const { reviewer } = await post("/api/session", { reviewer: input.value });
        remember("local", NAME_KEY, reviewer);
        dialog.close();
        done(reviewer);
      } catch (error) {
        byId("name-problem").textContent = error.message;
      }
    });
  });
}
