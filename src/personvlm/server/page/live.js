// Who is there now: the latest people, and each further description as it is stored.

import { feed, get } from "./api.js";
import { count, h, replace } from "./dom.js";
import { attempt, cameraChoice, card, empty, field, heading, loading } from "./parts.js";

const MOST = 60;
const STATES = { live: "Live", waiting: "Connecting …", paused: "Paused", closed: "Not connected" };

export async function live(root, { query, signal }) {
  const camera = query.get("camera");
  const list = h("div", { class: "cards", "aria-label": "People, the latest first", role: "feed" });
  const place = h("div", {}, loading("Looking who is there …"));
  const state = h("span", { class: "live waiting" }, STATES.waiting);
  const pause = h("button", { type: "button", "aria-pressed": "false", onclick: () => hold(!paused) }, "Pause");
  const told = h("p", { class: "unseen", role: "status" });
  let paused = false;
  let held = [];
  let fresh = 0;
  let ready = false;
  let missed = false;

  function shown() {
    if (list.isConnected || !list.children.length) return;
    replace(place, list);
  }

  function put(event) {
    const old = list.querySelector(`[data-person="${CSS.escape(event.person)}"]`);
    if (old && Number(old.dataset.revision) > event.revision) return;
    if (old?.contains(document.activeElement)) {  // who reads it keeps the focus
      held.push(event);
      return;
    }
    const made = card(event);
    made.dataset.revision = event.revision;
    made.classList.add("new");
    if (old) old.replaceWith(made);
    else { list.prepend(made); fresh += 1; }
    while (list.children.length > MOST) list.lastElementChild.remove();
    shown();
  }

  function arrived(event) {
    if (paused || !ready) { held.push(event); if (paused) waiting(); } else put(event);
  }

  const waiting = () => { pause.textContent = held.length ? `Go on (${held.length} new)` : "Go on"; };

  function hold(now) {
    paused = now;
    pause.setAttribute("aria-pressed", String(paused));
    mark(paused ? "paused" : "live");
    if (paused) { waiting(); return; }
    pause.textContent = "Pause";
    if (missed) load();
    missed = false;
    for (const event of held.splice(0)) put(event);
  }

  function mark(name) {
    if (name === "gap") {
      missed = paused;
      if (!paused) load();
      return;
    }
    if (paused && name !== "paused") return;
    state.className = `live ${name}`;
    state.textContent = STATES[name];
    told.className = name === "closed" ? "note" : "unseen";
    if (name === "closed") replace(told, "The live feed was refused. ", h("a", { href: "" }, "Load the page again"), ".");
  }

  // A line for those who do not see the cards come, not more often than they can hear it.
  const timer = setInterval(() => {
    if (fresh && !document.hidden) told.textContent = `${count(fresh, "new person", "new people")} since ${new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`;
    fresh = 0;
    if (!paused && held.length && !list.contains(document.activeElement)) for (const event of held.splice(0)) put(event);
  }, 10000);
  signal.addEventListener("abort", () => clearInterval(timer));

  const choose = h("div");
  replace(root, heading("Live", state, h("div", { class: "tools" }, choose, pause)), told, place);
  const stop = feed({ camera }, arrived, mark);
  signal.addEventListener("abort", stop);
  cameraChoice(camera, (event) => {
    location.hash = event.target.value ? `#/live?camera=${encodeURIComponent(event.target.value)}` : "#/live";
  }, signal).then((select) => replace(choose, field("camera", "Camera", select)), () => {});

  const load = () => attempt(place, async () => {
    const { people } = await get("/v1/people", { camera, limit: 24 }, signal);
    if (signal.aborted) return;
    replace(list, people.map((event) => {
      const made = card(event);
      made.dataset.revision = event.revision;
      return made;
    }));
    ready = true;
    for (const event of held.splice(0)) put(event);
    if (list.children.length) replace(place, list);
    else replace(place, empty(camera ? `Nobody was seen by ${camera}` : "Nobody was seen yet",
      "People appear here as soon as they are described. Start a camera with ",
      h("code", {}, "personvlm run SOURCE --store URL")));
  });
  await load();
  if (signal.aborted) stop();
}

