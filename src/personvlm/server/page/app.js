// Starts the page: who one is, which view the address names, and moving between views.

import { may, me, signIn, signOut, unreachable, whoAmI } from "./api.js";
import { age, h, replace, say } from "./dom.js";
import { live } from "./live.js";
import { attempt, empty, failed, field, heading } from "./parts.js";

const VIEWS = {
  live: { title: "Live", scope: "read", show: live },
  search: { title: "Search", scope: "search", module: "./search.js" },
  alerts: { title: "Alerts", scope: "read", module: "./alerts.js" },
  rules: { title: "Rules", scope: "read", module: "./rules.js" },
  cameras: { title: "Cameras", scope: "read", module: "./cameras.js" },
  queue: { title: "Queue", scope: "admin", module: "./queue.js" },
  audit: { title: "Audit", scope: "admin", module: "./audit.js" },
  person: { title: "Person", scope: "read", module: "./person.js", hidden: true },
};

const main = document.getElementById("main");
let leave = new AbortController();
let moved = false;  // from one view to another; a page that just loaded begins at its top

// "#/search?q=red" -> ["search", "", URLSearchParams]
function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  return [name || "live", rest.join("/"), new URLSearchParams(query)];
}

function navigation(current) {
  const nav = document.getElementById("nav");
  nav.hidden = me.scopes.length === 0;
  const shown = Object.entries(VIEWS).filter(([, view]) => !view.hidden && may(view.scope));
  replace(nav, shown.map(([name, view]) => h("a", { href: `#/${name}`, "aria-current": name === current ? "page" : null },
    view.title)));
  replace(document.getElementById("who"), me.token
    ? [h("span", { class: "soft" }, me.name), h("button", { type: "button", class: "plain", onclick: leaveSession }, "Sign out")]
    : null);
}

async function leaveSession() {
  try {
    await signOut();
  } catch (error) {  // the session goes on: a form to sign in would say that it does not
    if (error.status !== 401) say(error.message, "bad");
    return;
  }
  login();
}

function login(problem = "") {
  leave.abort();
  navigation("");
  document.getElementById("nav").hidden = true;
  replace(document.getElementById("who"));
  document.title = "Sign in · PersonVLM";
  const token = h("input", { type: "password", autocomplete: "current-password", required: true, spellcheck: "false" });
  const note = h("p", { class: "problem", role: "alert" }, problem);
  const form = h("form", { class: "panel narrow", onsubmit: async (event) => {
    event.preventDefault();
    try {
      await signIn(token.value.trim());
      token.value = "";
      show();
    } catch (error) {
      note.textContent = error.status === 401 ? "This token is not good (any more). Check it, or make a new one." : error.message;
      token.focus();
    }
  } }, field("token", "Token", token, "It is sent once, and kept by neither this page nor the address."), note,
  h("button", { class: "main" }, "Sign in"));
  replace(main, heading("Sign in"), h("p", { class: "lead" }, "This server asks who you are. Whoever runs it makes a token with ",
    h("code", {}, "personvlm token create NAME --scope read --scope search"), "."), form);
  token.focus();
}

async function show() {
  if (!me.scopes.length) { login(); return; }
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const [name, rest, query] = place();
  const view = Object.hasOwn(VIEWS, name) ? VIEWS[name] : null;
  navigation(name === "person" ? "" : name);
  document.title = `${view?.title ?? "Not found"} · PersonVLM`;
  const root = h("div", { class: `view ${name}` });
  replace(main, root);
  window.scrollTo(0, 0);
  if (!view) {
    replace(root, heading("Not found"), empty("There is no such view", "The address is wrong.",
      h("a", { class: "button", href: "#/live" }, "See who is there now")));
  } else if (!may(view.scope)) {
    replace(root, heading(view.title), failed({ code: "scope_missing", message: `This needs a token with the scope “${view.scope}”.` }));
  } else {
    await attempt(root, async () => {
      const open = view.show ?? (await import(view.module).catch(() => { throw unreachable(); })).default;
      if (!signal.aborted) await open(root, { rest, query, signal });
    });
  }
  if (!signal.aborted && moved && (document.activeElement === document.body || document.activeElement === main)) {
    root.querySelector("h1")?.focus({ preventScroll: true });
  }
}

window.addEventListener("signed-out", () => login(me.token ? "The session has ended. Sign in again." : ""));
window.addEventListener("hashchange", () => {
  document.activeElement?.blur();
  moved = true;
  show();
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();  // the address names a view; one that is loaded again must find it
  main.focus();
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable], dialog");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && may("search")) {
    event.preventDefault();
    const box = document.getElementById("field-q");
    if (box) box.focus(); else location.hash = "#/search";
  }
});

setInterval(age, 10_000);
attempt(main, async () => {
  await whoAmI();
  await show();
});
