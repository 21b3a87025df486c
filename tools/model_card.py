"""Write the model card of the shipped weights, and its page in the docs, from the files beside the weights.

    python tools/model_card.py          write src/personvlm/weights/edge/MODEL_CARD.md and docs/model-card.md
    python tools/model_card.py --check  exit status 1 where they are not what the weights say

No figure stands here: sizes come from ``config.json`` and the files, steps from the recipes, results from
``metrics.json``, what was taught from ``calibration.json``. Run it after ``tools/measure.py`` whenever weights change.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from readme_table import BEGIN, CARD, END, NOTHING, table

from personvlm.base.errors import InputError
from personvlm.evaluation.facts import HEADLINE
from personvlm.evaluation.report import percent
from personvlm.models.config import EdgeConfig
from personvlm.schema import GROUPS

PAGE = Path(__file__).parents[1] / "docs" / "model-card.md"
WORST = 8
"""How many labels that the model tells worst are named."""

ENCODERS = {"mobilenet_v2": "MobileNetV2", "efficientnet_lite0": "EfficientNet-lite0",
            "mobilenet_v2+mobilenet_v2@6": "MobileNetV2, twice from its seventh stage on",
            "efficientnet_lite1": "EfficientNet-lite1", "efficientnet_lite2": "EfficientNet-lite2"}  # fmt: skip

TAUGHT = """\
## What it can say

A value in italics stands for several taught ones, and is said where none of them is certain enough. What was not taught
is not said of a picture; over a track, motion tells who stands, walks or runs (docs/video.md).

| group | taught | in the schema, not taught |
|---|---|---|"""

FITTED = ", by a layer fitted after training, on what is seen and on attributes without gender and age"

Json = Mapping[str, Any]

USE = """\
| for | not for |
|---|---|
| search, alerts, research over video of people who may be filmed | deciding about people without a person who checks |
| crops of one person, roughly upright, cut out by a detector | crowds, faces alone, drawings |
| what somebody wears and carries | who somebody is; ethnicity, health, mood, intent (not in the schema) |
| guesses about looks: gender, age; `--no-gender`, `--no-age` leave no trace of them | facts about gender or age |

**Terms: research only.** It learned from PETA, Clothing Attribute and re-identification crops, whose terms allow
research, and from Clothing Co-Parsing (Apache-2.0); its encoder began with ImageNet weights (Apache-2.0). The code is
MIT: `personvlm train edge --data DIR` makes weights that are yours (docs/train.md).
"""

DATA = """\
## What it learned from

The training people of PETA (labelled per person, so that a bag may be hidden in a view) and of the orientation set,
Clothing Co-Parsing, Clothing Attribute, and drawn people. Counts, splits and biases: docs/data-sheet.md. Sentences are
realised from labels, in many paraphrases; no human wrote them for these pictures. Confidence and thresholds come from
the validation people of PETA.
"""

MEASURED = """\
## Measured

On people whom it never saw; measured and written by commands (`tools/measure.py`, `tools/model_card.py`). Weights and
thresholds are chosen on validation people. docs/experiments.md logs what was tried, and the one rule (for thresholds of
the 35 labels) that was changed after a look at the test split.
"""

WEAK = """\
## Known weaknesses

- Age: most of PETA's people are 16 to 45. The older bands and children are told apart worse than the mean suggests.
- Bags are labelled per person; the model is often right about a crop and wrong by its label, and the other way round.
- Lamps fool color: gray, black, blue and brown are confused in dim or tinted light.
- Most training crops come from a handful of surveillance cameras and are under 200 pixels high. Elsewhere it is wrong
  more often than the tables say: `personvlm evaluate` on your own labelled people tells how often, docs/adapt.md helps.
- Nobody has measured it by skin color or by country: no label of these sets tells them.
- What no label showed is never said. That a value is taught does not mean that it is told well.
"""


def card(weights: Path) -> str:
    """The card of the model in the folder ``weights``.

    Raises:
        InputError: its figures were measured on another version.
    """
    config = EdgeConfig.load(weights)
    metrics, calibration = _json(weights / "metrics.json"), _json(weights / "calibration.json")
    measured = f"{metrics.get('name')}-{metrics.get('version')}"
    if metrics and measured != config.title:
        raise InputError(f"{weights / 'metrics.json'}: holds the figures of {measured}, and these weights are "
                         f"{config.title}; run tools/measure.py")  # fmt: skip
    parts = [
        f"# Model card: {config.title}\n",
        "<!-- Written by tools/model_card.py from the files beside the weights: change it there. -->\n",
        _rows("| | |\n|---|---|", _facts(weights, config, metrics, calibration)),
        "## What it is for\n", USE, DATA, MEASURED,
        f"{BEGIN}\n{table(metrics) if metrics else NOTHING}\n{END}\n",
    ]  # fmt: skip
    if metrics:
        parts += [_groups(metrics["test"]), _certain(metrics["test"]), _worst(metrics["test"])]
    return "\n".join([*parts, WEAK, _taught(calibration)])


def page(text: str) -> str:
    """The card as a page of the docs: what it names there becomes a link."""
    return re.sub(r"\bdocs/([a-z-]+\.md)", r"[\1](\1)", text)


def _facts(weights: Path, config: EdgeConfig, metrics: Json, calibration: Json) -> list[tuple[str, str]]:
    recipe, student, words, second, joined, taught = (_json(weights / name) for name in (
        "recipe.json", "recipe-student.json", "recipe-text.json", "recipe-second.json", "recipe-joined.json",
        "distillation.json"))  # fmt: skip
    files = [f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in
             (weights / "vision.onnx", weights / "decoder.onnx", weights / "model.safetensors") if path.is_file()]
    encoder = ENCODERS.get(config.encoder, config.encoder)
    facts = [
        ("what", "a vision-language model for crops of people: a sentence, and attributes with calibrated confidence"),
        ("input", f"one person, RGB, fitted to {config.height} by {config.width} pixels (height by width)"),
        ("encoder", f"{encoder}; an attention query per attribute group"),
        ("appearance vector", f"length {config.embedding_dim}" + (FITTED if config.appearance else "")),
        ("decoder", f"{config.layers} layers, width {config.dim}, {config.vocabulary} words; sees visual tokens and "
                    "the decided attributes; words that contradict those are masked"),
        ("parameters", f"{metrics['parameters']:,}" if metrics else "not counted yet"),
        ("files", ", ".join(files)),
        ("training", f"{_phases(recipe)}; batches of {recipe['batch']}" if recipe else "no recipe.json"),
    ]  # fmt: skip
    if student:
        facts.append(("then", _phases(student)))
    if taught:
        count = len(taught["teachers"]) + len(taught["looks"])
        how = ", which looked once at whole pictures" if taught.get("whole") else ""
        how += f", {taught['mix']:.0%} of the crops laid over others" if taught.get("mix") else ""
        facts.append(("taught by", f"labels, and {count} other model{'s' * (count != 1)}{how} (`distillation.json`)"))
    if words:
        facts.append(("then", f"the decoder alone, on frozen eyes: {_phases(words)}"))
    if second and joined:
        facts.append(("second eyes", f"above the first {second['shared']} stages: {_phases(second)}; "
                                     f"{second['crossed']:.0%} of the crops with the legs of others"))  # fmt: skip
        facts.append(("as one", f"logits averaged; the decoder alone, on frozen eyes: {_phases(joined)}"))
    facts.append(("calibrated on", f"{calibration['people']} people"))
    return facts


def _phases(recipe: Json) -> str:
    return ", ".join(f"{phase['steps']:,} steps at {phase['height']}×{phase['width']}"
                     + (" with text" if phase["text"] else "") for phase in recipe["phases"])  # fmt: skip


def _groups(test: Json) -> str:
    rows = []
    for name in HEADLINE:
        text = test["text"][name]
        rows.append((name, percent(text["accuracy"]), _interval(text["interval"]),
                     f"{text['majority_value']}: {percent(text['majority'])}", f"{text['n']:,}"))  # fmt: skip
    head = "| the sentence says | right | 95 % interval | most common answer | pictures |\n|---|---:|---|---|---:|"
    return _rows(head, rows)


def _certain(test: Json) -> str:
    """What is stated at which precision, and how well confidence holds."""
    rows = [("by default", test["said"])]
    if "precision" in test:
        rows.append((f"`--min-precision {test['precision']['asked']:g}`", test["precision"]["text"]))
    lines = _rows("| what is stated | right | 95 % interval | of what is labelled |\n|---|---:|---|---:|", [
        (name, percent(said["accuracy"]), _interval(said["interval"]), percent(said["coverage"])) for name, said in rows
    ])  # fmt: skip
    calibration = test.get("calibration")
    if not calibration:
        return lines
    ece, skill = calibration["ece"]["value"], calibration["brier_skill"]["value"]
    means = f"ECE {ece:.3f}, Brier skill {skill:.3f}"
    return f"{lines}\nConfidence, mean of the six groups: {means} (docs/confidence.md).\n"


def _worst(test: Json) -> str:
    labels = [(name, one) for name, one in test["heads"]["labels"].items() if one["F1"] is not None]
    rows = []
    for name, one in sorted(labels, key=lambda label: float(label[1]["F1"]))[:WORST]:
        cells = (percent(one["F1"]), percent(one["precision"]), percent(one["recall"]))
        rows.append((f"`{name}`", *cells, f"{one['positives']:,}"))
    return _rows(f"The {WORST} of PETA's {len(labels)} usual labels that it tells worst, picture by picture:\n\n"
                 "| label | F1 | precision | recall | of pictures |\n|---|---:|---:|---:|---:|", rows)  # fmt: skip


def _taught(calibration: Json) -> str:
    rows = []
    for group in GROUPS:
        taught = calibration["taught"].get(group.name, ())
        wider = [parent for parent, leaves in group.parents.items() if parent not in taught and {*leaves} & {*taught}]
        rest = [value for value in group.values if value not in (*taught, *wider)]
        said = [*taught, *(f"*{parent}*" for parent in wider)]
        rows.append((f"`{group.name}`", ", ".join(said) or "–", ", ".join(rest) or "–"))
    return _rows(TAUGHT, rows)


def _rows(head: str, rows: Sequence[Sequence[str]]) -> str:
    return "\n".join([head, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _interval(interval: Sequence[float]) -> str:
    return " to ".join(percent(limit) for limit in interval)


def _json(path: Path) -> dict[str, Any]:
    """The object in a file; empty where there is none."""
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}


def wanted() -> dict[Path, str]:
    """Card and page as they should be."""
    text = card(CARD.parent)
    return {CARD: text, PAGE: page(text)}


if __name__ == "__main__":
    try:
        documents = wanted()
    except InputError as error:
        sys.exit(str(error))
    if "--check" in sys.argv[1:]:
        stale = [path.name for path, text in documents.items() if not path.is_file() or path.read_text("utf-8") != text]
        sys.exit(f"{' and '.join(stale)}: stale; run `python tools/model_card.py`" if stale else None)
    for path, text in documents.items():
        path.write_text(text, "utf-8")
        print(path)
