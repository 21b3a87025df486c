// Alerts: who fits a rule, why, and what an operator does about it.

import { feed, get, may, post } from "./api.js";
import { count, h, replace, say, sentence, when } from "./dom.js";
import { attempt, choice, crop, empty, field, heading, loading, personLink, reasons } from "./parts.js";

const PART = 100;
const STATES = [["", "Open"], ["raised", "Raised"], ["updated", "Updated"], ["acknowledged", "Acknowledged"], ["closed", "Closed"]];
const WORDS = { raised: "New", updated: "New, more is known", acknowledged: "Acknowledged", closed: "Closed" };

// 'upper.color == "blue"' -> "upper.color: blue", '"bag" in carrying' -> "carrying: bag", as reasons of a search are
function plain(term) {
  const [, group, sign, value] = term.match(/^([a-z.]+) ([=!]=) "(.+)"$/) ?? [];
  if (group) return `${sign === "!=" ? "not " : ""}${group}: ${value}`;
  const [, one, set] = term.match(/^"(.+)" in ([a-z.]+)$/) ?? [];
  return set ? `${set}: ${one}` : term;
}

export function why(alert) {
  return Object.entries(alert.why).map(([term, probability]) => ({ term: plain(term), probability }));
}

export function alertCard(alert, ...more) {
  return h("article", { class: "card alert", "data-alert": alert.id }, crop(alert.crop), h("div", { class: "body" },
    h("p", { class: "meta" }, alert.rule ? h("strong", {}, alert.rule) : null, h("span", { class: "camera" }, alert.camera), " ", when(alert.raised_at)),
    h("h2", { class: "sentence" }, personLink(alert.person, sentence(alert.text), { class: "stretch" })),
    reasons([...why(alert), ...(Object.keys(alert.why).length === 1 ? [] : [{ term: "All of it", probability: alert.probability }])]),
    ...more));
}

export default async function alerts(root, { query, signal }) {
  const state = query.get("state") ?? "";
  const rule = query.get("rule");
  const place = h("div", { class: "results" }, loading());
  const news = h("div", { role: "status" });
  const select = choice(STATES, state, () => {
    const next = new URLSearchParams(query);
    if (select.value) next.set("state", select.value); else next.delete("state");
    location.hash = `#/alerts?${next}`;
  });
  replace(root, heading("Alerts", h("div", { class: "tools" }, field("state", "Show", select),
    h("a", { class: "button", href: "#/rules" }, "Rules"))), news, place);

  async function act(alert, what, done) {
    const card = place.querySelector(`[data-alert="${alert.id}"]`);
    try {
      const changed = await post(`/v1/alerts/${alert.id}/${what}`);
      const made = one(changed);
      known.set(changed.id, changed.state);
      card?.replaceWith(made);
      say(done);
      (made.querySelector("button") ?? made.querySelector("a"))?.focus();
    } catch (error) {
      say(error.message, "bad");
      if (error.status === 409) show();
    }
  }

  function one(alert) {
    const open = alert.state === "raised" || alert.state === "updated";
    return alertCard(alert, h("div", { class: "actions" },
      h("span", { class: `state-word ${alert.state}` }, WORDS[alert.state],
        alert.acknowledged_by ? ` by ${alert.acknowledged_by}` : "", alert.holds ? "" : ", no longer fits", alert.ended ? ", has left" : ""),
      may("admin") && open ? h("button", { type: "button", class: "main", onclick: () => act(alert, "acknowledge", "Acknowledged: you look after it.") }, "Acknowledge") : null,
      may("admin") && alert.state !== "closed" ? h("button", { type: "button", onclick: () => act(alert, "close", "Closed.") }, "Close") : null));
  }

  let last = "";
  let known = new Map();  // the state of each that is shown
  let parts = 1;

  const part = (after) => get("/v1/alerts", { state, rule, limit: PART, after }, signal);

  // As many parts as are in sight, so that what was opened further down stays when something new comes.
  async function all() {
    const found = await part(null);
    for (let read = 1; read < parts && found.next; read += 1) {
      const more = await part(found.next);
      found.alerts.push(...more.alerts);
      found.next = more.next;
    }
    return found;
  }

  async function more(button) {
    const first = place.querySelectorAll(".card").length;
    button.disabled = true;
    parts += 1;
    last = "";
    await show();
    place.querySelectorAll(".card")[first]?.querySelector("a")?.focus();
  }

  // Whoever is at one of them is not disturbed, and told.
  async function look() {
    if (!place.contains(document.activeElement)) { await show(); return; }
    const found = await all().catch(() => ({ alerts: [] }));
    if (!signal.aborted && !news.firstChild && found.alerts.some((alert) => known.get(alert.id) !== alert.state)) {
      replace(news, h("span", { class: "note" }, "There is something new."), " ", h("button", { type: "button", onclick: async () => {
        await show();
        place.querySelector("a")?.focus();
      } }, "Show it"));
    }
  }

  async function show() {
    replace(news);
    await attempt(place, async () => {
      const found = await all();
      const now = JSON.stringify([found.next === null, ...found.alerts.map((alert) => [alert.id, alert.state, alert.seen_at])]);
      if (signal.aborted || (now === last && place.querySelector(".card"))) return;
      last = now;
      known = new Map(found.alerts.map((alert) => [alert.id, alert.state]));
      if (!found.alerts.length) {
        replace(place, empty(state || rule ? "No alert is like that" : "No alert is open", "An alert is raised when somebody fits a rule.",
          h("a", { class: "button", href: "#/rules" }, "Make a rule")));
        return;
      }
      const number = count(found.alerts.length, "alert");
      const button = h("button", { type: "button", onclick: () => more(button) }, "Show more");
      replace(place, h("p", { class: "soft", role: "status" }, found.next ? `The first ${number}, there are more` : number, rule ? ` of the rule ${rule}` : "", ", the latest first"),
        h("div", { class: "cards" }, found.alerts.map(one)), found.next ? h("p", {}, button) : null);
    });
  }
  await show();

  // What is described may raise an alert. Where people come all the time, nothing waits for a pause.
  let due = 0;
  const again = () => { due ||= setTimeout(() => { due = 0; look(); }, 1500); };
  place.addEventListener("focusout", () => setTimeout(() => {
    if (news.firstChild && !signal.aborted && !place.contains(document.activeElement) && !news.contains(document.activeElement)) show();
  }));
  const stop = feed({}, again, (state) => { if (state === "gap") again(); }, again);
  signal.addEventListener("abort", () => { stop(); clearTimeout(due); });
  if (signal.aborted) stop();
}
