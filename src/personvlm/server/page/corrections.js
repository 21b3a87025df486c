// What is said of a person, attribute by attribute, and putting it right.

import { get, may, post, remove } from "./api.js";
import { h, label, percent, say, sure, when } from "./dom.js";
import { ask, choice } from "./parts.js";

const UNKNOWN = "unknown";
const listed = (value) => [value].flat();
const named = (value) => listed(value).join(", ") || "none";

// Groups and their legal values; only for who may put something right.
export async function vocabulary(signal) {
  if (!may("admin")) return null;
  const schema = await get("/v1/schema", {}, signal);
  return Object.fromEntries(Object.entries(schema.properties.attributes.properties).map(([name, { properties: { value } }]) => {
    const set = Boolean(value.oneOf);
    return [name, { set, legal: set ? value.oneOf[0].items.enum : value.enum }];
  }));
}

// One of several: each is a button, a click on it is the answer.
function one(group, { legal }, now) {
  return ask(`${label(group)}: what is right?`, h("div", { class: "values" }, legal.map((value) =>
    h("button", { value: `=${value}`, "aria-pressed": String(now.includes(value)) }, value === UNKNOWN ? "Cannot be told" : value))),
  null, (answer) => answer.slice(1));
}

// Any number of them, or that it cannot be told, which goes with nothing else.
function several(group, { legal }, now) {
  const boxes = legal.map((value, index) => h("input", { type: "checkbox", id: `right-${index}`, value, checked: now.includes(value) }));
  for (const box of boxes) {
    box.addEventListener("change", () => {
      if (box.checked) for (const each of boxes) each.checked &&= each === box || ![each.value, box.value].includes(UNKNOWN);
    });
  }
  return ask(`${label(group)}: what is right?`, h("fieldset", { class: "values" }, h("legend", { class: "soft" }, "Everything that can be seen"),
    boxes.map((box) => h("p", { class: "check" }, box, h("label", { for: box.id }, box.value === UNKNOWN ? "Cannot be told" : box.value)))),
  "Put right", () => boxes.filter((box) => box.checked).map((box) => box.value));
}

// `again` shows the person anew; the focus goes back to where it was.
async function putRight(person, group, known, again) {
  const now = group in person.attributes ? listed(person.attributes[group].value) : [];
  const value = await (known[group].set ? several : one)(group, known[group], now);
  if (value === null) return;
  try {
    const done = await post(`/v1/people/${person.person}/corrections`, { group, value });
    await again(group);
    say(`${label(group)} is now ${named(done.value)}. Thank you: corrections are kept as data.`);
  } catch (error) { say(error.message, "bad"); }
}

async function undo(person, correction, again) {
  try {
    await remove(`/v1/people/${person.person}/corrections/${correction.number}`);
    await again(correction.group);
    say(`${label(correction.group)} is as it was before.`);
  } catch (error) { say(error.message, "bad"); }
}

function byWhom({ said, by, at }) {
  const before = said ? `the model said ${named(said.value)} (${percent(said.confidence)})` : "the model said nothing";
  return h("p", { class: "right" }, h("strong", {}, "✓ Put right"), ` by ${by}, `, when(at), `; ${before}`);
}

function missing(person, known, again) {
  const groups = Object.keys(known).filter((group) => !(group in person.attributes));
  if (!groups.length) return null;
  const select = choice(groups.map((group) => [group, label(group)]), groups[0]);
  select.id = "missing";
  return h("div", { class: "missing" }, h("label", { for: "missing" }, "Something is missing:"), select,
    h("button", { type: "button", class: "small", onclick: () => putRight(person, select.value, known, again) }, "Say it …"));
}

// The attributes of a person; with `known`, a vocabulary, they can be put right.
export function attributes({ person, corrections }, known, again) {
  const right = Object.fromEntries(corrections.map((each) => [each.group, each]));
  const rows = Object.entries(person.attributes).map(([group, attribute]) => h("div", { "data-group": group },
    h("dt", {}, label(group)),
    h("dd", {}, attribute.value === UNKNOWN ? "cannot be told" : named(attribute.value), group in right ? byWhom(right[group]) : null),
    h("dd", {}, group in right ? null : sure(attribute.confidence)),
    known?.[group] ? h("dd", {},
      h("button", { type: "button", class: "plain small", "aria-label": `Put ${label(group)} right`,
        onclick: () => putRight(person, group, known, again) }, "Wrong?"),
      group in right ? h("button", { type: "button", class: "plain small", "aria-label": `Undo: ${label(group)}`,
        onclick: () => undo(person, right[group], again) }, "Undo") : null) : null));
  return h("div", {},
    rows.length ? h("dl", { class: "attributes" }, rows) : h("p", { class: "soft" }, "No attribute is certain enough to be stated."),
    known ? missing(person, known, again) : null);
}
