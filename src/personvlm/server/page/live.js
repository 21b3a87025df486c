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
  const held = new Map();  // the latest of each person who came meanwhile
  const gone = new Set();  // who was erased while the list was read
  let connection = "waiting";
  let fresh = 0;
  let ready = false;
  let missed = false;
  let loads = 0;

  function shown() {
    if (list.isConnected || !list.children.length) return;
    replace(place, list);
  }

  function put(event) {
    const old = list.querySelector(`[data-person="${CSS.escape(event.person)}"]`);
    if (old && Number(old.dataset.revision) > event.revision) return;
    if (old?.contains(document.activeElement)) {  // who reads it keeps the focus
      keep(event);
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
    if (paused || !ready) { keep(event); if (paused) waiting(); } else put(event);
  }

  function keep(event) {
    if (held.get(event.person)?.revision > event.revision) return;
    held.delete(event.person);  // who is described again comes last
    held.set(event.person, event);
  }

  function release() {
    const events = [...held.values()].slice(-MOST);
    held.clear();
    events.forEach(put);
  }

  const waiting = () => { pause.textContent = held.size ? `Go on (${held.size} new)` : "Go on"; };

  function hold(now) {
    paused = now;
    pause.setAttribute("aria-pressed", String(paused));
    shows(paused ? "paused" : connection);
    if (paused) { waiting(); return; }
    pause.textContent = "Pause";
    if (missed) load();
    missed = false;
    release();
  }

  // Also while it is paused: whoever was erased is not shown any longer.
  function forget(people) {
    for (const person of people) {
      held.delete(person);
      gone.add(person);
      const old = list.querySelector(`[data-person="${CSS.escape(person)}"]`);
      if (old?.contains(document.activeElement)) pause.focus();
      old?.remove();
    }
    if (paused) waiting();
    else if (list.isConnected && !list.children.length) load();
  }

  function mark(name) {
    if (name === "gap") {
      missed = paused;
      if (!paused) load();
      return;
    }
    connection = name;
    if (!paused) shows(name);
  }

  function shows(name) {
    state.className = `live ${name}`;
    state.textContent = STATES[name];
    told.className = name === "closed" ? "note" : "unseen";
    replace(told, name === "closed" ? "The live feed was refused. It is tried again by itself." : null);
  }

  // A line for those who do not see the cards come, not more often than they can hear it.
  const timer = setInterval(() => {
    if (fresh && !document.hidden) told.textContent = `${count(fresh, "new person", "new people")} since ${new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`;
    fresh = 0;
    if (!paused && ready && held.size && !list.contains(document.activeElement)) release();
  }, 10000);
  signal.addEventListener("abort", () => clearInterval(timer));

  const choose = h("div");
  replace(root, heading("Live", state, h("div", { class: "tools" }, choose, pause)), told, place);
  const stop = feed({ camera }, arrived, mark, forget);
  signal.addEventListener("abort", stop);
  cameraChoice(camera, (event) => {
    location.hash = event.target.value ? `#/live?camera=${encodeURIComponent(event.target.value)}` : "#/live";
  }, signal).then((select) => replace(choose, field("camera", "Camera", select)), () => {});

  const load = () => attempt(place, async () => {
    ready = false;  // what comes from now on is newer than the answer
    gone.clear();
    const mine = ++loads;
    const { people } = await get("/v1/people", { camera, limit: 24 }, signal);
    if (signal.aborted || mine !== loads) return;
    const reads = list.contains(document.activeElement) ? document.activeElement.closest(".card").dataset.person : null;
    replace(list, people.filter((event) => !gone.has(event.person)).map((event) => {
      const made = card(event);
      made.dataset.revision = event.revision;
      return made;
    }));
    ready = true;
    release();
    if (list.children.length) replace(place, list);
    else replace(place, empty(camera ? `Nobody was seen by ${camera}` : "Nobody was seen yet",
      "People appear here as soon as they are described. Start a camera with ",
      h("code", {}, "personvlm run SOURCE --store URL")));
    if (reads) list.querySelector(`[data-person="${reads}"] a`)?.focus({ preventScroll: true });
  });
  await load();
  if (signal.aborted) stop();
}

