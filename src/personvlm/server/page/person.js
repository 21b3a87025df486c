// One person: pictures, what is said and how surely, the story over cameras, who looks similar, and erasing.

import { get, may, post, remove } from "./api.js";
import { attributes, vocabulary } from "./corrections.js";
import { h, label, lasted, percent, replace, say, sentence, sure, there, when } from "./dom.js";
import { ask, attempt, card, crop, empty, field, heading, loading, personLink, speaks } from "./parts.js";

const WHY = { new_track: "first seen", track_update: "seen better", reid_request: "looked at again", backfill: "described later" };

function pictures(person, story) {
  const seen = new Set();  // a picture belongs to several revisions; its time tells that it is the same
  const urls = [person, ...story.toReversed()].flatMap((event) => event.crops)
    .filter(({ url, time }) => url && !seen.has(time ?? url) && seen.add(time ?? url)).map(({ url }) => url).slice(0, 8);
  if (!urls.length) return h("div", { class: "gallery" }, crop(null));
  const big = h("div", { class: "big" }, crop(urls[0], { alt: "The person, best picture", lazy: false }));
  const show = (url, button) => {
    replace(big, crop(url, { alt: "The person, chosen picture", lazy: false }));
    for (const each of button.parentElement.parentElement.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === button));
  };
  return h("div", { class: "gallery" }, big, urls.length > 1 ? h("ul", { class: "strip", "aria-label": "Pictures" }, urls.map((url, index) =>
    h("li", {}, h("button", { type: "button", "aria-label": `Picture ${index + 1}`, "aria-pressed": String(index === 0),
      onclick: (event) => show(url, event.currentTarget) }, crop(url))))) : null);
}

function story(events, id) {
  const ordered = events.toSorted((one, other) => one.time - other.time || one.revision - other.revision);
  return h("ol", { class: "story" }, ordered.map((event, index) => {
    const moved = index === 0 || ordered[index - 1].camera !== event.camera;
    const text = sentence(event.text);
    return h("li", { class: moved ? "moved" : null }, crop(event.crops[0]?.url), h("div", {},
      h("p", { class: "meta" }, h("span", { class: "camera" }, event.camera), " ", when(event.time),
        h("span", {}, event.corrected.length ? `put right: ${event.corrected.map(label).join(", ")}`
          : event.final ? "has left" : WHY[event.trigger] ?? event.trigger)),
      h("p", { class: "sentence", lang: speaks(event) }, event.person === id ? text : personLink(event.person, text))));
  }));
}

// Whom links make the same person, and how surely. A link that is wrong is taken back; one that leads over others is not
// between these two.
function same(person, linked, again) {
  async function apart(other) {
    const content = h("p", {}, "From now on they are two people, and nothing makes them one again. Nothing is erased.");
    if (await ask("Not the same person?", content, "Two people") === null) return;
    try {
      await remove(`/v1/people/${person.person}/links/${other.person}`);
    } catch (error) {
      say(error.message, "bad");
      return;
    }
    await again();
    say(`The person on ${other.camera} is somebody else now.`);
  }

  return h("div", { class: "cards" }, linked.map((other) => card(other,
    h("p", { class: "reasons" }, h("span", { class: "term" }, other.probability === null ? "Linked by way of others" : "Same person"),
      other.probability === null ? null : sure(other.probability)),
    other.probability !== null && may("admin") ? h("div", { class: "actions" }, h("button", { type: "button",
      "aria-label": `Not the same person: ${other.camera}, ${sentence(other.text)}`, onclick: () => apart(other) }, "Not the same person")) : null)));
}

async function similar(id, known, place, signal) {
  replace(place, loading("Comparing …"));
  await attempt(place, async () => {
    let found;
    try {
      found = await get(`/v1/people/${id}/similar`, { limit: 13 }, signal);
    } catch (error) {
      if (error.status !== 404) throw error;
      replace(place, h("p", { class: "soft" }, "No appearance is kept of this person, so nobody can be compared."));
      return;
    }
    const others = found.hits.filter((hit) => hit.person.person !== id && (hit.alike ?? 0) > 0.01).slice(0, 12);
    if (!others.length) { replace(place, h("p", { class: "soft" }, "Nobody else looks like this person.")); return; }
    replace(place, h("div", { class: "cards" }, others.map((hit) => card(hit.person,
      h("p", { class: "reasons" }, h("span", { class: "term" }, known.has(hit.person.person) ? "Linked as the same person" : "Same person?"),
        sure(hit.alike))))));
  });
}

async function erase(root, person, linked) {
  const box = h("input", { type: "checkbox", checked: true, id: "erase-linked" });
  const reason = h("input", { type: "text", maxlength: "500", autocomplete: "off" });
  const content = h("div", {}, h("p", {}, "Descriptions, pictures, the appearance, alerts and waiting events of this person go for good. ",
    "That it was done stays in the audit."),
  linked.length ? h("p", { class: "check" }, box, h("label", { for: "erase-linked" },
    `Also the same person on ${linked.length === 1 ? `camera ${linked[0].camera}` : `${linked.length} other tracks`}`)) : null,
  field("reason", "Why (for the audit, may be empty)", reason));
  const chosen = await ask("Erase this person?", content, "Erase", () => ({ also: box.checked, reason: reason.value.trim() }));
  if (chosen === null) return;
  const people = [person.person, ...(chosen.also ? linked.map((each) => each.person) : [])];
  replace(root, heading("Erasing …"), loading("This takes as long as copying the database: its free space is overwritten too."));
  await attempt(root, async () => {
    const receipt = await post("/v1/erase", { people, reason: chosen.reason });
    const counts = Object.entries(receipt.counts).filter(([, number]) => number);
    replace(root, heading("Erased"),
      h("p", { class: "lead" }, people.length === 1 ? "The person is erased." : `${people.length} tracks of the person are erased.`),
      counts.length ? h("dl", { class: "facts" }, counts.map(([what, number]) => h("div", {}, h("dt", {}, label(what)), h("dd", {}, number.toLocaleString())))) : null,
      receipt.remaining.length ? h("section", {}, h("h2", {}, "Copies may remain where this program cannot reach"), h("ul", { class: "plain" }, receipt.remaining.map((each) => h("li", {}, each)))) : null,
      h("p", { class: "soft" }, `Row ${receipt.audit} of the audit tells of it. Its hash, as a receipt: `, h("code", { class: "hash" }, receipt.hash)),
      h("p", {}, h("a", { class: "button", href: "#/live" }, "See who is there now")));
    root.querySelector("h1").focus();
  });
}

export default async function view(root, { rest: id, signal }) {
  replace(root, heading("Person"), loading());
  await attempt(root, async () => {
    let found;
    try {
      found = await get(`/v1/people/${encodeURIComponent(id)}`, {}, signal);
    } catch (error) {
      if (error.status !== 404 && error.status !== 422) throw error;
      replace(root, heading("Nobody is here"), empty("Nobody has this address", "It is wrong, or the person was erased.",
        h("a", { class: "button", href: "#/search" }, "Search for people")));
      return;
    }
    const known = await vocabulary(signal).catch(() => null);
    if (signal.aborted) return;
    const { person, same_as: linked } = found;
    const cameras = [...new Set([person, ...linked].map((each) => each.camera))];
    const first = Math.min(person.first_seen, ...linked.map((each) => each.first_seen));
    const last = Math.max(person.time, ...linked.map((each) => each.time));
    const alike = h("div");
    const again = async (group) => {
      await view(root, { rest: id, signal });
      root.querySelector(`[data-group="${group}"] button, #missing`)?.focus();
    };
    const taken = async () => {
      await view(root, { rest: id, signal });
      (root.querySelector("#same") ?? root.querySelector("h1"))?.focus();
    };
    const title = `Person on ${cameras.join(", ")}`;
    document.title = `${title} · PersonVLM`;
    replace(root,
      heading(title, h("div", { class: "tools" }, may("erase") ? h("button", { type: "button", class: "danger", onclick: () => erase(root, person, linked) }, "Erase …") : null)),
      h("div", { class: "portrait" }, pictures(person, found.story), h("div", {},
        h("p", { class: "sentence large", lang: speaks(person) }, sentence(person.text)),
        h("p", { class: "meta" }, when(first), last - first >= 1 ? h("span", {}, `seen for ${lasted(last - first)}`) : null,
          person.final ? h("span", {}, "has left") : there(person, "may still be there"), h("span", {}, `quality ${percent(person.quality)}`),
          h("span", {}, person.model)),
        attributes(found, known, again))),
      h("section", {}, h("h2", {}, "Story"), story([...found.story, ...linked], id)),
      linked.length ? h("section", {}, h("h2", { id: "same", tabindex: "-1" }, "The same person elsewhere"), same(person, linked, taken)) : null,
      may("search") ? h("section", {}, h("h2", {}, "Who looks similar"), alike) : null);
    if (may("search")) similar(id, new Set(linked.map((each) => each.person)), alike, signal);
  });
}
