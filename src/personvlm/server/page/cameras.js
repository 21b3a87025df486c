// Cameras, and whether the service is well.

import { get, may, put } from "./api.js";
import { ago, count, h, replace, say, when } from "./dom.js";
import { attempt, empty, field, heading, loading } from "./parts.js";

const SHOWN = { shown: "Pictures are shown", blurred: "Pictures are coarse where a head usually is", hidden: "Pictures are hidden" };

function kept(camera) {
  const days = (number) => (number === null ? "for ever" : count(number, "day"));
  const people = days(camera.keep_days);
  if (!camera.keep_crops) return `People are kept ${people}, pictures are not`;
  const pictures = days(camera.crop_days ?? camera.keep_days);
  return people === pictures ? `People and pictures are kept ${people}` : `People are kept ${people}, pictures ${pictures}`;
}

// How long what one camera saw is kept, for whoever may say so.
function keeping(camera, place, saved) {
  const days = (value) => h("input", { type: "number", min: "0.01", max: "36500", step: "any", value: value ?? "", placeholder: "for ever" });
  const people = days(camera.keep_days);
  const pictures = days(camera.crop_days);
  const crops = h("input", { type: "checkbox", id: `crops-${place}`, checked: camera.keep_crops });
  const number = (input) => (input.value === "" ? null : Number(input.value));
  return h("details", {}, h("summary", {}, "Change what is kept"), h("form", { class: "keeping", onsubmit: async (event) => {
    event.preventDefault();
    try {
      await put(`/v1/cameras/${encodeURIComponent(camera.name)}`, { keep_days: number(people), crop_days: number(pictures), keep_crops: crops.checked });
      say(`What ${camera.name} saw is kept as you said. Who is older is erased within the hour.`);
      saved(place);
    } catch (error) { say(error.message, "bad"); }
  } }, field(`people-${place}`, "People, days", people), field(`pictures-${place}`, "Pictures, days", pictures),
  h("p", { class: "check" }, crops, h("label", { for: crops.id }, "Keep pictures of people to come")), h("button", {}, "Save")));
}

async function health(place, signal) {
  const version = await get("/healthz", {}, signal);  // first: where nobody answers it says so
  const answer = await fetch("/readyz", { signal }).then((each) => each.json());  // what is not ready has parts, too
  const rows = Object.entries(answer.parts);
  replace(place, h("dl", { class: "facts" }, rows.map(([part, state]) => h("div", {}, h("dt", {}, part.charAt(0).toUpperCase() + part.slice(1)),
    h("dd", { class: state === "ok" ? "good" : "bad" }, state === "ok" ? "Well" : `Not well: ${state}`))),
  h("div", {}, h("dt", {}, "Version"), h("dd", {}, version.version))));
}

export default async function cameras(root, { signal }) {
  const state = h("div", {}, loading());
  const place = h("div", {}, loading());
  replace(root, heading("Cameras"), place, h("section", {}, h("h2", {}, "Health"), state));
  const show = () => attempt(place, async () => {
    const found = await get("/v1/cameras", {}, signal);
    if (signal.aborted) return;
    if (!found.cameras.length) {
      replace(place, empty("No camera yet", "A camera appears with the first person that it sees. Start one with ", h("code", {}, "personvlm run SOURCE --store URL")));
      return;
    }
    replace(place, h("ul", { class: "grid" }, found.cameras.map((camera, place) => h("li", { class: "panel" },
      h("h2", {}, h("a", { href: `#/live?camera=${encodeURIComponent(camera.name)}` }, camera.name)),
      h("p", {}, h("strong", {}, camera.people.toLocaleString()), ` ${camera.people === 1 ? "person" : "people"}`),
      h("p", {}, camera.last_seen === null ? "Nobody was seen yet" : ["Last one ", when(camera.last_seen, ago(camera.last_seen))]),
      h("p", { class: "soft" }, kept(camera)), h("p", { class: "soft" }, SHOWN[camera.crops] ?? camera.crops),
      may("admin") ? keeping(camera, place, saved) : null))));
  });
  async function saved(number) {
    await show();
    place.querySelectorAll("summary")[number]?.focus();
  }

  await show();
  const timer = setInterval(() => {  // a camera that is quiet must not look as if it had seen somebody just now
    if (!document.hidden && !place.contains(document.activeElement) && !place.querySelector("details[open]")) show();
  }, 30_000);
  signal.addEventListener("abort", () => clearInterval(timer));
  if (signal.aborted) clearInterval(timer);
  await attempt(state, () => health(state, signal));
}
