// People found in plain words, with the reason for each part of the question, narrowed by facets.

import { get, upload } from "./api.js";
import { count, h, label, replace, say, sure } from "./dom.js";
import { PERIODS, attempt, cameraChoice, card, choice, empty, field, heading, loading, readable, reasons, since } from "./parts.js";

const EXAMPLES = ["woman in a red coat", "man with a backpack and no hat", "somebody in a black jacket and blue jeans"];
const PART = 20;

// The picture that is looked for. It stands in no address and in no storage of the browser: it goes with the page.
let picture = null;

function address(query, changes = {}) {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name);
    for (const each of [value].flat()) if (each) next.append(name, each);
  }
  return `#/search?${next}`;
}

function facets(found, query) {
  const chosen = query.getAll("is");
  const groups = Object.entries(found).filter(([, values]) => Object.keys(values).length > 0);
  if (!groups.length) return null;
  const wide = window.matchMedia("(min-width: 56rem)").matches;
  return h("details", { class: "facets", open: wide }, h("summary", {}, "Narrow down"),
    groups.map(([group, values]) => h("section", {}, h("h2", {}, label(group)), h("ul", {},
      Object.entries(values).slice(0, 8).map(([value, people]) => {
        const name = `${group}:${value}`;
        const on = group === "camera" ? query.get("camera") === value : chosen.includes(name);
        const changes = group === "camera" ? { camera: on ? "" : value }
          : { is: on ? chosen.filter((each) => each !== name) : [...chosen.filter((each) => !each.startsWith(`${group}:`)), name] };
        return h("li", {}, h("a", { href: address(query, changes), "aria-current": on ? "true" : null },
          h("span", {}, value), h("span", { class: "number" }, people.toLocaleString())));
      })))));
}

function understood(found, query) {
  const chosen = query.getAll("is");
  const chips = [
    ...found.terms.map((term) => h("li", { class: "chip" }, readable(term))),
    ...found.words.map((word) => h("li", { class: "chip" }, `“${word}” in the text`)),
  ];
  const like = query.has("picture") && picture ? h("li", {}, h("a", { class: "chip off", href: address(query, { picture: "" }),
    "aria-label": `Take away the picture ${picture.name}` }, `Looks like ${picture.name} ×`)) : null;
  const off = chosen.map((name) => h("li", {}, h("a", { class: "chip off", href: address(query, { is: chosen.filter((each) => each !== name) }),
    "aria-label": `Take away ${readable(name.replace(":", ": "))}` }, readable(name.replace(":", ": ")), " ×")));
  return [
    chips.length || off.length || like ? h("ul", { class: "chips", "aria-label": "Understood as" }, like, chips, off) : null,
    ...found.notes.map((note) => h("p", { class: "note" }, note)),
  ];
}

export default async function search(root, { query, signal }) {
  const asked = query.get("q") ?? "";
  const box = h("input", { type: "search", name: "q", value: asked, placeholder: EXAMPLES[0], maxlength: "500",
                           enterkeyhint: "search", autocomplete: "off" });
  const period = choice(PERIODS, query.get("period") ?? "");
  const where = h("div");
  const file = h("input", { type: "file", accept: "image/jpeg,image/png,image/webp", onchange: () => { if (file.files[0]) picked(file.files[0]); } });
  const byPicture = query.has("picture");
  const place = h("div", { class: "results" });
  let camera = null;
  const form = h("form", { class: "search panel", role: "search", onsubmit: (event) => {
    event.preventDefault();
    go({});
  } },
  field("q", "Whom do you look for?", box), where, field("period", "When", period), h("button", { class: "main" }, "Search"),
  h("div", { class: "by-picture" }, field("picture", "Search by picture", file,
    byPicture && picture ? `${picture.name} is looked for, and whoever fits the words.` : "A picture of one person. It is sent to this server, and not kept.")));

  function go(changes) {
    const next = address(query, { q: box.value.trim(), period: period.value, camera: camera?.value ?? query.get("camera"), ...changes });
    if (next === location.hash) run(); else location.hash = next;
  }

  // Another picture under the same address must be a search of its own: the number tells them apart.
  function picked(chosen) {
    picture = chosen;
    go({ picture: String(Number(query.get("picture") ?? 0) + 1) });
  }

  replace(root, heading("Search"), form, place);
  camera = await cameraChoice(query.get("camera") ?? "", null, signal);
  replace(where, field("camera", "Camera", camera));

  const ask = (offset) => {
    const wanted = { q: asked, camera: query.get("camera"), since: since(query.get("period")), attribute: query.getAll("is"), limit: PART, offset };
    return byPicture ? upload("/v1/search", wanted, "image", picture, signal) : get("/v1/search", wanted, signal);
  };

  let shown = 0;

  async function more(list, button) {
    button.disabled = true;
    try {
      const next = await ask(shown);
      const first = list.children.length;
      shown += next.hits.length;
      const known = new Set([...list.children].map((each) => each.dataset.person));  // who came since moves others on
      list.append(...next.hits.filter(({ person }) => !known.has(person.person)).map(hit));
      if (next.hits.length < PART) button.remove();
      list.children[first]?.querySelector("a")?.focus();
    } catch (error) {
      if (error.name !== "AbortError") say(error.message, "bad");
    }
    button.disabled = false;
  }

  const hit = (each) => card(each.person, each.reasons.length ? reasons(each.reasons) : null,
    each.alike === null ? null : h("p", { class: "reasons" }, h("span", { class: "term" }, "Looks like the picture"), sure(each.alike)),
    each.words.length ? h("p", { class: "note" }, `The text has ${each.words.map((word) => `“${word}”`).join(", ")}`) : null);

  async function run() {
    if (byPicture && !picture) {
      replace(place, empty("The picture is gone", "A page that is loaded again keeps none. Choose it once more.",
        h("a", { class: "button", href: address(query, { picture: "" }) }, "Search without it")));
      return;
    }
    replace(place, loading(byPicture ? "Comparing …" : "Searching …"));
    await attempt(place, async () => {
      const found = await ask(0);
      if (signal.aborted) return;
      const examples = h("p", {}, "Try ", EXAMPLES.map((text, index) => [index ? " · " : "", h("a", { href: `#/search?q=${encodeURIComponent(text)}` }, text)]));
      if (!found.hits.length) {
        replace(place, understood(found, query), empty("Nobody was found",
          asked || query.size ? "Say less about the person, or choose a longer time and all cameras." : "Nobody is stored yet.", asked ? examples : null));
        return;
      }
      shown = found.hits.length;
      const list = h("div", { class: "cards" }, found.hits.map(hit));
      const button = h("button", { type: "button", onclick: () => more(list, button) }, "Show more");
      const total = byPicture ? "Whoever looks like the picture, the most alike first" : found.likely === null ? "People whose text has these words"
        : !found.likely ? "Nobody fits for sure. The closest people:"
        : asked || query.getAll("is").length ? `${count(found.likely, "person likely fits", "people likely fit")}, the most probable first`
        : `${count(found.likely, "person", "people")}, who was seen last first`;
      replace(place, understood(found, query), asked || byPicture ? null : examples,
        h("div", { class: "split" }, facets(found.facets, query),
          h("div", {}, h("p", { class: "soft", role: "status" }, total), list,
            found.hits.length === PART ? h("p", {}, button) : null)));
    });
  }

  if (!document.activeElement || document.activeElement === document.body) box.focus();
  await run();
}
