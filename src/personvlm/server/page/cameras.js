// Cameras, and whether the service is well.

import { get } from "./api.js";
import { ago, h, replace, when } from "./dom.js";
import { attempt, empty, heading, loading } from "./parts.js";

const SHOWN = { shown: "Pictures are shown", blurred: "Faces are blurred", hidden: "Pictures are hidden" };

function kept(camera) {
  const days = (number) => (number === null ? "for ever" : `${number} days`);
  const people = days(camera.keep_days);
  if (!camera.keep_crops) return `People are kept ${people}, pictures are not`;
  const pictures = days(camera.crop_days ?? camera.keep_days);
  return people === pictures ? `People and pictures are kept ${people}` : `People are kept ${people}, pictures ${pictures}`;
}

async function health(place, signal) {
  const answer = await fetch("/readyz", { signal }).then((each) => each.json());
  const version = await get("/healthz", {}, signal);
  const rows = Object.entries(answer.parts);
  replace(place, h("dl", { class: "facts" }, rows.map(([part, state]) => h("div", {}, h("dt", {}, part.charAt(0).toUpperCase() + part.slice(1)),
    h("dd", { class: state === "ok" ? "good" : "bad" }, state === "ok" ? "Well" : `Not well: ${state}`))),
  h("div", {}, h("dt", {}, "Version"), h("dd", {}, version.version))));
}

export default async function cameras(root, { signal }) {
  const state = h("div", {}, loading());
  const place = h("div", {}, loading());
  replace(root, heading("Cameras"), place, h("section", {}, h("h2", {}, "Health"), state));
  await attempt(place, async () => {
    const found = await get("/v1/cameras", {}, signal);
    if (signal.aborted) return;
    if (!found.cameras.length) {
      replace(place, empty("No camera yet", "A camera appears with the first person that it sees. Start one with ", h("code", {}, "personvlm run SOURCE --store URL")));
      return;
    }
    replace(place, h("ul", { class: "grid" }, found.cameras.map((camera) => h("li", { class: "panel" },
      h("h2", {}, h("a", { href: `#/live?camera=${encodeURIComponent(camera.name)}` }, camera.name)),
      h("p", {}, h("strong", {}, camera.people.toLocaleString()), ` ${camera.people === 1 ? "person" : "people"}`),
      h("p", {}, camera.last_seen === null ? "Nobody was seen yet" : ["Last one ", when(camera.last_seen, ago(camera.last_seen))]),
      h("p", { class: "soft" }, kept(camera)), h("p", { class: "soft" }, SHOWN[camera.crops] ?? camera.crops)))));
  });
  await attempt(state, () => health(state, signal));
}
