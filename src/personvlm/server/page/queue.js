// The queue, and events that nobody could describe: why, and trying them again.

import { get, post, remove } from "./api.js";
import { count, h, lasted, replace, say, when } from "./dom.js";
import { ask, attempt, empty, heading, loading } from "./parts.js";

const PART = 100;

const fact = (name, value, kind = "") => h("div", {}, h("dt", {}, name), h("dd", { class: kind }, value));

function numbers(stats) {
  const waiting = Object.entries(stats.waiting).filter(([, number]) => number);
  return h("dl", { class: "facts" },
    fact("Waiting", waiting.length ? waiting.map(([lane, number]) => `${number.toLocaleString()} ${lane.replaceAll("_", " ")}`).join(", ") : "none"),
    fact("Being described", stats.leased.toLocaleString()),
    fact("Oldest", stats.oldest_s ? `waits for ${lasted(stats.oldest_s)}` : "none waits"),
    fact("Dead", stats.dead.toLocaleString(), stats.dead ? "bad" : ""),
    fact("Done", stats.acked.toLocaleString()),
    fact("Replaced by newer", stats.superseded.toLocaleString()),
    fact("Shed", stats.shed.toLocaleString()),
    stats.missing ? fact("Missing", `${stats.missing}: something is wrong`, "bad") : null);
}

export default async function queue(root, { signal }) {
  const state = h("div", {}, loading());
  const place = h("div", {}, loading());
  replace(root, heading("Queue", h("div", { class: "tools" }, h("button", { type: "button", onclick: () => show() }, "Refresh"))), state,
    h("section", {}, h("h2", { id: "dead", tabindex: "-1" }, "Dead letters"), place));

  async function replay(ids) {
    try {
      const { replayed } = await post("/v1/queue/replay", { event_ids: ids });
      say(`${count(replayed, "event waits", "events wait")} again.`);
    } catch (error) { say(error.message, "bad"); }
    await show();
    document.getElementById("dead")?.focus();
  }

  async function drop(id) {
    if (await ask("Drop this event?", h("p", {}, "It is deleted for good, with the picture in it, and cannot be tried again."), "Drop") === null) return;
    try {
      await remove(`/v1/queue/dead/${encodeURIComponent(id)}`);
      say("The event is gone for good.");
    } catch (error) { say(error.message, "bad"); }
    await show();
    document.getElementById("dead")?.focus();
  }

  const part = (after) => get("/v1/queue/dead", { limit: PART, after }, signal);

  function letters(found) {
    const boxes = [];
    const list = h("ul", { class: "letters" });
    let next = found.next;
    const some = h("button", { type: "button", disabled: true, onclick: () => replay(boxes.filter((box) => box.checked).map((box) => box.value)) }, "Replay chosen");
    const chosen = () => { some.disabled = !boxes.some((box) => box.checked); };
    const told = h("p", { class: "soft", role: "status" });
    const button = h("button", { type: "button", onclick: () => more() }, "Show more");

    function add(dead) {
      const fresh = dead.filter((each) => !boxes.some((box) => box.value === each.event_id));
      list.append(...fresh.map((each) => {
        const box = h("input", { type: "checkbox", value: each.event_id, "aria-label": `Choose event ${each.event_id.slice(0, 8)}`, onchange: () => chosen() });
        boxes.push(box);
        return h("li", { class: "panel" }, box, h("div", {},
          h("p", { class: "reason" }, each.reason),
          h("p", { class: "meta" }, h("code", {}, each.event_id.slice(0, 12)), h("span", {}, `tried ${count(each.attempts, "time")}`), when(each.died_at))),
        h("button", { type: "button", "aria-label": `Replay event ${each.event_id.slice(0, 8)}`, onclick: () => replay([each.event_id]) }, "Replay"),
        h("button", { type: "button", "aria-label": `Drop event ${each.event_id.slice(0, 8)}`, onclick: () => drop(each.event_id) }, "Drop"));
      }));
      button.hidden = next === null;
      replace(told, next === null ? count(boxes.length, "event") : `The first ${count(boxes.length, "event")}, there are more`, ", the oldest first");
    }

    async function more() {
      const first = list.children.length;
      button.disabled = true;
      try {
        const later = await part(next);
        next = later.next;
        add(later.dead);
        list.children[first]?.querySelector("input").focus();
      } catch (error) {
        if (error.name !== "AbortError") say(error.message, "bad");
      }
      button.disabled = false;
    }

    add(found.dead);
    return h("div", {}, told, list, h("p", {}, button), h("div", { class: "buttons" }, some, h("button", { type: "button", class: "main", onclick: () => replay(null) }, "Replay all")));
  }

  async function show() {
    await attempt(state, async () => {
      const stats = await get("/v1/queue", {}, signal);
      const found = await part(null);
      if (signal.aborted) return;
      replace(state, numbers(stats));
      replace(place, found.dead.length ? letters(found) : empty("No event is dead", "An event that cannot be described, however often it is tried, is kept here with the reason."));
    }).then(() => { if (state.querySelector(".failed")) replace(place); });
  }
  await show();
}
