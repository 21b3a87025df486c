// Elements, and how values are written. Nothing here knows of the API. Text is always set as text, never as HTML.

// h("a", {class: "x", href: "#/live", onclick: f}, "text", child, [children], null)
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
}

// Tell those who cannot see it, and those who looked elsewhere.
let quiet = 0;
export function say(text, kind = "") {
  const place = document.getElementById("said");
  place.textContent = text;
  place.className = `said shown ${kind}`;
  clearTimeout(quiet);
  quiet = setTimeout(() => { place.className = "said"; place.textContent = ""; }, 6000);
}

const LABELS = {
  "hair.length": "Hair", "hair.color": "Hair color", "face": "Face", "upper.garment": "Top", "upper.color": "Top color",
  "upper.sleeve": "Sleeves", "upper.pattern": "Top pattern", "upper.neckline": "Neckline", "upper.style": "Top style",
  "lower.garment": "Bottom", "lower.color": "Bottom color", "lower.style": "Bottom style", "footwear.type": "Shoes",
  "footwear.color": "Shoe color", "view": "Seen from", "wrist": "Wrist",
};

export function label(group) {
  const text = LABELS[group] ?? group.replaceAll(".", " ").replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// "The image shows a man. He ..." is how a description begins; on a page of pictures the first words are noise.
export function sentence(text) {
  const short = text.replace(/^The image shows /, "");
  return short ? short.charAt(0).toUpperCase() + short.slice(1) : "Nothing can be said of this person.";
}

const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const DATE = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

function clock(date) {
  const now = new Date();
  if (date.toDateString() === now.toDateString()) return CLOCK.format(date);
  return `${(date.getFullYear() === now.getFullYear() ? DAY : DATE).format(date)}, ${CLOCK.format(date)}`;
}

export function when(seconds, text = null) {
  if (seconds === null || seconds === undefined) return h("span", {}, "never");
  const date = new Date(seconds * 1000);
  return h("time", { datetime: date.toISOString(), title: FULL.format(date), "data-clock": text === null },
    text ?? clock(date));
}

const STILL_S = 120;

// That somebody, of whom nothing says that they left, is there; for as long as that can be said.
export function there({ final, time }, text) {
  const until = time + STILL_S;
  return !final && Date.now() / 1000 < until ? h("span", { "data-until": until }, text) : null;
}

// A view stays open past midnight, and longer than somebody is there.
export function age() {
  for (const each of document.querySelectorAll("time[data-clock]")) {
    const text = clock(new Date(each.dateTime));
    if (each.textContent !== text) each.textContent = text;
  }
  for (const each of document.querySelectorAll("[data-until]")) if (Date.now() / 1000 >= Number(each.dataset.until)) each.remove();
}

export function lasted(seconds) {
  const [size, name] = [[86400, "d"], [3600, "h"], [60, "min"]].find(([each]) => seconds >= each) ?? [1, "s"];
  return `${Math.round(seconds / size)} ${name}`;
}

export function ago(seconds) {
  const past = Date.now() / 1000 - seconds;
  return past < 5 ? "just now" : `${lasted(past)} ago`;
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

export function percent(share) {
  const rounded = Math.round(share * 100);
  return `${rounded === 100 && share < 0.995 ? 99 : rounded} %`;
}

// A thin bar with its number. The style is set by script, since the policy of the page forbids style attributes.
export function sure(share) {
  const fill = h("i");
  fill.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return h("span", { class: "sure" }, h("span", { class: "bar", "aria-hidden": "true" }, fill),
    h("span", { class: "number" }, percent(share)));
}
