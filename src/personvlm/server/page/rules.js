// Rules: made from plain language, shown as they were understood, tried over the past, and only then saved.

import { get, may, post, put, remove } from "./api.js";
import { count, h, percent, replace, say } from "./dom.js";
import { alertCard } from "./alerts.js";
import { ask, attempt, choice, empty, field, heading, loading } from "./parts.js";

const SPANS = [["86400", "the last day"], ["604800", "the last week"], ["2592000", "the last 30 days"]];

function outcome(run) {
  const precision = run.expected_precision === null ? null : h("p", {}, `About ${percent(run.expected_precision)} of them are expected to be right`,
    run.interval && run.interval[1] - run.interval[0] < 0.9 ? ` (${percent(run.interval[0])} to ${percent(run.interval[1])}).` : ".");
  return h("div", {},
    h("p", { class: "outcome" }, h("strong", {}, count(run.count, "alert")), ` would have been raised, among ${count(run.people, "person", "people")} who were seen.`,
      run.per_day === null ? "" : ` That is ${run.per_day >= 10 ? Math.round(run.per_day) : run.count && run.per_day < 0.05 ? "less than 0.1" : run.per_day.toFixed(1)} a day.`),
    precision,
    run.missed >= 0.5 ? h("p", { class: "soft" }, `About ${count(Math.round(run.missed), "person who fits is", "people who fit are")} not certain enough for it.`) : null,
    !run.people ? h("p", { class: "note" }, "Nobody was seen in this time: choose a longer one.")
      : !run.count && run.fitting ? h("p", { class: "note" }, "Somebody fits, but in too few pictures. Few are enough with “, in 1 of 1 crops” at the end of the rule.")
      : !run.count ? h("p", { class: "note" }, "Say less of the person, choose a longer time, or ask for less certainty: add “, if 40 % sure” to the sentence.") : null,
    run.alerts.length ? h("div", { class: "cards" }, run.alerts.slice(0, 6).map((alert) => alertCard(alert))) : null,
    run.alerts.length > 6 ? h("p", { class: "soft" }, `And ${run.count - 6} more.`) : null);
}

// "somebody in a red jacket, at the gate" -> "in-red-jacket-gate"
function short(sentence) {
  const dull = new Set(["tell", "me", "when", "somebody", "someone", "is", "there", "a", "an", "the", "at", "with", "or", "and", "of", "by"]);
  const words = sentence.toLowerCase().split(/[^a-z0-9]+/).filter((word) => word && !dull.has(word));
  while (words.join("-").length > 32) words.pop();
  return words.join("-");
}

function maker(saved, channels, names) {
  const words = h("input", { type: "text", maxlength: "500", autocomplete: "off", placeholder: "somebody in a red jacket with a backpack, at night" });
  const text = h("textarea", { rows: "2", maxlength: "2000", spellcheck: "false", autocapitalize: "off" });
  const span = choice(SPANS, "604800");
  const name = h("input", { type: "text", pattern: "[a-z0-9][a-z0-9_\\-]{0,63}", maxlength: "64", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const told = channels.map((channel) => h("label", { class: "check" }, h("input", { type: "checkbox", value: channel }), channel));
  const note = h("div", { role: "status" });
  const result = h("div", { class: "dry", role: "status" });
  const save = h("button", { type: "button", class: "main", onclick: () => keep() }, "Save rule");
  const compiled = h("div", { class: "compiled", hidden: true },
    field("rule", "Understood as", text, "This is what is saved. It can be changed here."),
    h("div", { class: "row" }, h("div", { class: "few" }, field("span", "Try it over", span)), h("button", { type: "button", onclick: () => tryIt() }, "Try it")),
    result,
    may("admin") ? h("div", { class: "row" }, field("name", "Name", name, "Small letters, digits, - and _"), save) : h("p", { class: "soft" }, "Saving needs a token with the scope “admin”."),
    may("admin") && told.length ? h("fieldset", {}, h("legend", {}, "Who is told"), told) : null);
  let tried = "";
  let proposed = "";

  function wrong(place, error) {
    replace(place, h("p", { class: "problem" }, error.message));
  }

  async function read(event) {
    event.preventDefault();
    if (!words.value.trim()) { words.focus(); return; }
    replace(note);
    replace(result);
    try {
      const made = await post("/v1/rules/compile", { words: words.value, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone });
      text.value = made.rule;
      compiled.hidden = false;
      if (!name.value || name.value === proposed) name.value = proposed = short(words.value);  // unless somebody wrote one
      const left = made.ignored.length ? [`Not understood, and left out: ${made.ignored.map((word) => `“${word}”`).join(", ")}`] : [];
      replace(note, [...left, ...(made.notes ?? [])].map((text) => h("p", { class: "note" }, text)));
      await tryIt();
    } catch (error) { wrong(note, error); }
  }

  async function tryIt() {
    replace(result, loading("Replaying the past …"));
    try {
      const run = await post("/v1/rules/dry-run", { rule: text.value, since: Math.floor(Date.now() / 1000) - Number(span.value) });
      text.value = run.rule;
      tried = run.rule;
      replace(result, outcome(run));
    } catch (error) { wrong(result, error); }
  }

  async function keep() {
    if (!name.value || !name.checkValidity()) {
      say("A name has small letters, digits, - and _, and begins with a letter or digit.", "bad");
      name.focus();
      return;
    }
    if (text.value !== tried) { await tryIt(); if (text.value !== tried) return; }
    if (names().includes(name.value) && await ask(`Replace the rule ${name.value}?`,
      h("p", {}, "There is a rule of this name already. What it says and whom it tells is gone then."), "Replace") === null) return;
    try {
      const chosen = told.map((each) => each.querySelector("input")).filter((box) => box.checked).map((box) => box.value);
      await put(`/v1/rules/${name.value}`, { rule: text.value, words: words.value || null, channels: chosen, enabled: true });
      say(`The rule ${name.value} is in force.`);
      words.value = name.value = proposed = "";
      compiled.hidden = true;
      words.focus();
      saved();
    } catch (error) { say(error.message, "bad"); }
  }

  return h("form", { class: "panel", onsubmit: read }, h("h2", {}, "New rule"),
    h("div", { class: "row" }, field("words", "Tell me when there is …", words), h("button", { class: "main" }, "Read it")), note, compiled);
}

export default async function rules(root, { signal }) {
  const place = h("div", {}, loading());
  let names = [];

  async function change(rule, work, done) {
    try {
      await work();
      say(done);
    } catch (error) { say(error.message, "bad"); }
    await show();
    (place.querySelector(`[data-rule="${rule.name}"] button`) ?? document.getElementById("in-force"))?.focus();
  }

  const toggle = (rule) => change(rule, () => put(`/v1/rules/${rule.name}`, { rule: rule.rule, words: rule.words, channels: rule.channels, enabled: !rule.enabled }),
    rule.enabled ? `The rule ${rule.name} rests.` : `The rule ${rule.name} is in force.`);

  async function drop(rule) {
    const yes = await ask(`Remove the rule ${rule.name}?`, h("p", {}, "Nobody raises an alert by it any more. Alerts that it raised stay."), "Remove");
    if (yes) change(rule, () => remove(`/v1/rules/${rule.name}`), `The rule ${rule.name} is removed.`);
  }

  const one = (rule) => h("li", { class: "rule", "data-rule": rule.name },
    h("div", {}, h("h3", {}, h("a", { href: `#/alerts?rule=${rule.name}` }, rule.name), rule.enabled ? null : h("span", { class: "soft" }, " rests")),
      rule.words ? h("p", {}, `“${rule.words}”`) : null, h("code", {}, rule.rule),
      rule.channels.length ? h("p", { class: "soft" }, `tells ${rule.channels.join(", ")}`) : null),
    may("admin") ? h("div", { class: "actions" },
      h("button", { type: "button", "aria-label": `${rule.enabled ? "Let" : "Wake"} ${rule.name}${rule.enabled ? " rest" : ""}`, onclick: () => toggle(rule) }, rule.enabled ? "Let rest" : "Wake"),
      h("button", { type: "button", class: "danger", "aria-label": `Remove ${rule.name}`, onclick: () => drop(rule) }, "Remove")) : null);

  async function show() {
    await attempt(place, async () => {
      const found = await get("/v1/rules", {}, signal);
      if (signal.aborted) return;
      names = found.rules.map((rule) => rule.name);
      replace(place, found.rules.length ? h("ul", { class: "rules" }, found.rules.map(one))
        : empty("No rule is in force", "Say above, in your own words, whom you want to be told about."));
    });
  }

  const { channels } = await get("/v1/channels", {}, signal).catch(() => ({ channels: [] }));
  if (signal.aborted) return;
  replace(root, heading("Rules", h("div", { class: "tools" }, h("a", { class: "button", href: "#/alerts" }, "Alerts"))),
    may("search") ? maker(show, channels, () => names) : null, h("section", {}, h("h2", { id: "in-force", tabindex: "-1" }, "In force"), place));
  await show();
}

