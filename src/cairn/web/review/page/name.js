// Who decides: asked on the first visit, remembered in the browser.

import { byId } from "./dom.js";
import { post } from "./server.js";

const NAME_KEY = "cairn-reviewer";

/** The reviewer's name, once the server writes down what he decides. */
export async function askName(session) {
  byId("who").addEventListener("click", () => (session.reviewer ? undefined : changeName()));
  const remembered = session.reviewer ?? recalled();
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
  remember("");
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
        remember(reviewer);
        dialog.close();
        done(reviewer);
      } catch (error) {
        byId("name-problem").textContent = error.message;
      }
    });
  });
}

function recalled() {
  try {
    return localStorage.getItem(NAME_KEY);
  } catch {
    return null;
  }
}

function remember(name) {
  try {
    if (name) localStorage.setItem(NAME_KEY, name);
    else localStorage.removeItem(NAME_KEY);
  } catch {
    // A browser that keeps nothing asks again at the next visit.
  }
}
