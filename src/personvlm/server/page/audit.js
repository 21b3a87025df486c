// Who searched, looked at, exported and erased what; and whether that record is whole.

import { get } from "./api.js";
import { count, h, replace, say, when } from "./dom.js";
import { attempt, empty, heading, loading } from "./parts.js";

const PART = 100;
const NEWEST = "4611686018427387904";

function row(entry) {
  const detail = Object.entries(entry.detail).map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join(" · ");
  const person = /^[0-9a-f]{32}$/.test(entry.subject) && /^(view|who|unlink|correct)/.test(entry.action);
  const picture = entry.action === "view crop" ? `picture ${entry.subject.split("/").at(-1).slice(0, 12)}` : null;
  return h("tr", {}, h("td", { "data-label": "When" }, when(entry.at)), h("td", { "data-label": "Who" }, entry.actor),
    h("td", { "data-label": "Did" }, entry.action),
    h("td", { "data-label": "What" }, person ? h("a", { href: `#/person/${entry.subject}` }, h("code", {}, entry.subject.slice(0, 12))) : picture ?? (entry.subject || "everybody"),
      detail ? h("span", { class: "soft detail" }, detail) : null));
}

export default async function audit(root, { signal }) {
  const whole = h("p", { role: "status" }, "");
  const place = h("div", {}, loading());
  const body = h("tbody");
  let before = NEWEST;
  const more = h("button", { type: "button", onclick: () => older() }, "Show older");

  async function load() {
    const { entries, next } = await get("/v1/audit", { before, limit: PART }, signal);
    if (signal.aborted) return;
    body.append(...entries.map(row));
    before = next;
    more.hidden = entries.length < PART || next <= 1;
  }

  async function older() {
    more.disabled = true;
    try {
      await load();
    } catch (error) {
      if (error.name !== "AbortError") say(error.message, "bad");
    }
    more.disabled = false;
  }

  async function verify() {
    replace(whole, "Checking …");
    const found = await get("/v1/audit/verify", {}, signal);
    whole.className = found.intact ? "good" : "bad";
    replace(whole, found.intact ? `The chain of ${count(found.entries, "entry", "entries")} is whole. ` : `The audit was changed: ${found.problem}`,
      found.last_hash ? [h("span", { class: "soft" }, "Its last hash, to be kept elsewhere: "), h("code", { class: "hash" }, found.last_hash)] : null);
  }

  replace(root, heading("Audit", h("div", { class: "tools" }, h("button", { type: "button", onclick: () => attempt(whole, verify) }, "Is it whole?"))), whole, place);
  await attempt(place, async () => {
    await load();
    replace(place, body.children.length ? [h("table", { class: "list" }, h("thead", {}, h("tr", {}, ["When", "Who", "Did", "What"].map((each) => h("th", { scope: "col" }, each)))), body), h("p", {}, more)]
      : empty("Nothing is written yet", "Every search, view, export and erasing is written here."));
  });
}
