// Parts that several views are made of: states, pictures, cards of people, choices, a question before what is final.

import { get, sentences } from "./api.js";
import { h, label, lasted, sentence, sure, there, when } from "./dom.js";

export function heading(title, ...more) {
  return h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, title), ...more);
}

export const loading = (text = "Loading …") => h("p", { class: "state soft", "aria-busy": "true" }, text);

export function empty(title, text, ...actions) {
  return h("div", { class: "state" }, h("h2", {}, title), h("p", {}, text), ...actions);
}

const MENDS = {
  no_store: "Start it with a store: personvlm serve --store people.db",
  no_queue: "Start it with a queue: personvlm serve --store people.db --queue sqlite:///queue.db",
  scope_missing: "Ask whoever runs this server for a token with that scope, and sign in with it.",
  unreachable: "It is tried again when you choose “Try again”.",
};

export function failed(problem, retry = null) {
  const mend = MENDS[problem.code];
  return h("div", { class: "state failed", role: "alert" }, h("h2", {}, "This could not be shown"),
    h("p", {}, problem.message ?? String(problem)), mend ? h("p", { class: "soft" }, mend) : null,
    retry ? h("button", { type: "button", onclick: retry }, "Try again") : null);
}

// Runs `work` and shows what goes wrong in `place`, with a way to do it again. What was given up is silent.
export async function attempt(place, work) {
  try {
    await work();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.code === undefined) console.error(error);
    if (error.status !== 401) place.replaceChildren(failed(error, () => attempt(place, work)));
  }
}

export function crop(url, { alt = "", lazy = true } = {}) {
  const none = (why) => h("div", { class: "crop none" }, h("span", {}, why));
  if (!url) return none("No picture");
  const image = h("img", { class: "crop", src: url, alt, loading: lazy ? "lazy" : null, decoding: "async",
                           width: 128, height: 256 });
  image.addEventListener("error", () => image.replaceWith(none("Picture cannot be shown")), { once: true });
  return image;
}

// The language of a sentence, for voices that read it out; what stands in place of none is the page's own.
export const speaks = (event) => (event.text ? sentences.lang : null);

export const personLink = (id, text, more = {}) => h("a", { href: `#/person/${id}`, ...more }, text);

// One person in a list. The sentence is the link; it stretches over the whole card.
export function card(event, ...more) {
  const stayed = event.time - event.first_seen;
  return h("article", { class: "card", "data-person": event.person },
    crop(event.crops[0]?.url),
    h("div", { class: "body" },
      h("p", { class: "meta" }, h("span", { class: "camera" }, event.camera), " ", when(event.time),
        stayed >= 1 ? h("span", {}, `for ${lasted(stayed)}`) : null,
        there(event, "still there")),
      h("h2", { class: "sentence", lang: speaks(event) }, personLink(event.person, sentence(event.text), { class: "stretch" })),
      ...more));
}

export function reasons(list) {
  return h("ul", { class: "reasons" }, list.map(({ term, probability, said }) => h("li", {},
    h("span", { class: "term" }, readable(term), other(term, said ?? [])),
    sure(probability))));
}

// What the description asserts instead of what was asked for.
function other(term, said) {
  const asked = term.split(/^not |: | or | and /);
  const instead = said.filter((value) => !asked.includes(value));
  return instead.length ? h("span", { class: "soft" }, instead.join(", ")) : null;
}

// "upper.color: red or orange" -> "Top color: red or orange"
export function readable(term) {
  return term.replace(/\b([a-z]+(?:\.[a-z]+)?):/g, (_, group) => `${label(group)}:`).replace(/^not (.)/, "Not $1");
}

export function field(name, text, control, hint = null) {
  control.id = `field-${name}`;
  if (hint) control.setAttribute("aria-describedby", `hint-${name}`);
  return h("div", { class: "field" }, h("label", { for: control.id }, text), control,
    hint ? h("p", { class: "hint", id: `hint-${name}` }, hint) : null);
}

export function choice(options, chosen, onchange = null) {
  const select = h("select", { onchange }, options.map(([value, text]) => h("option", { value }, text)));
  select.value = chosen ?? options[0][0];
  if (select.selectedIndex < 0) {
    select.append(h("option", { value: chosen }, chosen));
    select.value = chosen;
  }
  return select;
}

export const PERIODS = [["", "Any time"], ["3600", "Last hour"], ["86400", "Last day"], ["604800", "Last week"]];

export const since = (period) => (period ? Math.floor(Date.now() / 1000) - Number(period) : null);

export async function cameraChoice(chosen, onchange, signal) {
  const { cameras } = await get("/v1/cameras", {}, signal).catch(() => ({ cameras: [] }));
  return choice([["", "All cameras"], ...cameras.map((each) => [each.name, each.name])], chosen ?? "", onchange);
}

// A question before something is done. Resolves to what `read` makes of the button's value, or null. Without `yes` the
// answers are buttons of `content`.
export function ask(title, content, yes, read = () => true) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "ask-title" }, h("form", { method: "dialog" },
      h("h2", { id: "ask-title" }, title), content,
      h("div", { class: "buttons" }, h("button", { value: "no", autofocus: true }, "Keep"),
        yes ? h("button", { value: "yes", class: "danger" }, yes) : null)));
    dialog.addEventListener("close", () => {
      resolve(["", "no"].includes(dialog.returnValue) ? null : read(dialog.returnValue));
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
