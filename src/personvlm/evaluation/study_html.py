"""The study's report: one HTML that opens offline, made from ``study.json`` and its plots alone.

No figure in it is written by hand: each is looked up, and says where (:mod:`.study_page`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from personvlm.evaluation.baselines import BASELINES
from personvlm.evaluation.facts import HEADLINE
from personvlm.evaluation.protocols import published
from personvlm.evaluation.study_compare import FAILURES, FIGURES, VIEWPOINT
from personvlm.evaluation.study_page import Cell, Page, Place, Row, value_of
from personvlm.evaluation.study_plots import FILES, title

_FIGURE_NAMES = {"mA": "mA read from text", "mean": "mean of the six groups", "cider_d": "CIDEr-D"}
_FIGURE_FORMS = {"mA": "points", "mean": "points", "cider_d": "signed"}


def render(study: Mapping[str, Any], plots: Path) -> str:
    """The page as text; ``plots`` is the folder of the pictures."""
    report = _Report(study, plots)
    template = Template(files("personvlm.evaluation").joinpath("study.html").read_text("utf-8"))
    return template.substitute(body="\n".join(report.parts()))


class _Report:
    def __init__(self, study: Mapping[str, Any], plots: Path) -> None:
        self.study, self.plots, self.page = study, plots, Page(study)
        self.done = [index for index, entry in enumerate(study["entries"]) if "failed" not in entry]

    def parts(self) -> Iterator[str]:
        yield from self.opening()
        yield from self.verdict()
        yield from self.clean()
        yield from self.published()
        yield from self.curves()
        yield from self.failures()
        yield from self.sizes()
        yield from self.weights()
        yield from self.ablations()

    def opening(self) -> Iterator[str]:
        at = self.page.figure
        yield (
            f"<p>Made on {at(('made',))}. The four stages of the published study and edge, trained on the same "
            f"{at(('data', 'training'), 'count')} pictures under the same budgets, and scored on the same "
            f"{at(('data', 'test'), 'count')} pictures of {at(('data', 'people'), 'count')} people whom none of them "
            "saw. Captions to learn from are realised from labels in ever new words. The references of the text "
            f"metrics are {at(('data', 'references'))}: the canonical sentence and paraphrases. Facts "
            "are read from the generated text by a parser and scored against human labels, never against captions. "
            "Every person counts once; intervals are for ninety-five in a hundred resamples of people.</p>"
        )
        yield (
            "<p>A budget in minutes is the time of the training loop alone: decoding of pictures, validation and "
            "checkpoints are not counted. Where the clock is cpu, it is processor time divided by the number of "
            "threads, so that other work on the machine changes nothing. Learning rate and phases follow the share of "
            "the budget that is used. A budget in epochs is the number of crops seen, in passes over the training "
            "pictures. Stages generate greedily without penalties for repetition and get the published six-step "
            "clean-up; edge says the most probable value of every group, of those values that the labels of the "
            "validation split show, as the stages learn from captions what captions speak of. Losses are compared "
            "only as negative log-likelihood per character without smoothing, because the vocabularies differ.</p>"
        )
        failed = [index for index in range(len(self.study["entries"])) if index not in self.done]
        for index in failed:
            yield f"<p>Not here: {at(('entries', index, 'key'))}: {at(('entries', index, 'failed'))}</p>"

    def verdict(self) -> Iterator[str]:
        yield "<h2>Does edge win?</h2>"
        if not self.study["differences"]:
            yield "<p>Not measured: edge or the stages are missing under every budget.</p>"
            return
        at = self.page.figure
        if not self.study["not_better"]:
            yield ("<p>Edge is better than every stage on mA read from text, on the mean of the six groups and on "
                   "CIDEr-D under every budget: no interval of a paired difference reaches zero.</p>")  # fmt: skip
        else:
            yield "<p>Not everywhere. It is not shown to be better here:</p><ul>"
            for index, item in enumerate(self.study["not_better"]):
                form = _FIGURE_FORMS[item["figure"]]
                place: Place = ("not_better", index)
                low, high = (at((*place, "interval", side), form) for side in (0, 1))
                shown = f"{at((*place, 'value'), form)} ({low} to {high})" if item["value"] is not None else "undefined"
                yield (f"<li>{at((*place, 'key'))}, {_FIGURE_NAMES[item['figure']]}: {at((*place, 'verdict'))}, "
                       f"{shown}")  # fmt: skip
                if "different_texts" in item:
                    stage, edge = (at((*place, "different_texts", name)) for name in ("stage", "edge"))
                    yield f"; the stage wrote {stage} different texts for all pictures, edge {edge}"
                yield "</li>"
            yield ("</ul><p>A model that says nearly the same of everybody says what is most frequent. CIDEr-D rewards "
                   "that until another is right about people more often than the most frequent values are.</p>")
        yield ("<p class='note'>Edge minus the stage, both scored on the same resamples of people (paired "
               "bootstrap). mA and the mean are in percentage points.</p>")  # fmt: skip
        rows = []
        for budget, several in self.study["differences"].items():
            for key, difference in several.items():
                place = ("differences", budget, key)
                cells = []
                for name in FIGURES:
                    form, own = _FIGURE_FORMS[name], (*place, name)
                    cells.append(Cell((*own, "value"), form, (*own, "interval"), difference[name]["verdict"]))
                index = next(i for i, entry in enumerate(self.study["entries"]) if entry["key"] == key)
                rows.append(Row(Cell(("entries", index, "key"), "text"), cells))
        yield self.page.table(["edge minus", *(_FIGURE_NAMES[name] for name in FIGURES)], rows)

    def clean(self) -> Iterator[str]:
        yield "<h2>Protocol clean</h2>"
        names = (*HEADLINE, "mean")
        heads = ["", "NLL per character", "mA", "F1", *names, "hallucination", "omission"]

        def facts(place: Place, nll: Cell | None) -> list[Cell | str | None]:
            groups = [Cell((*place, "facts", "groups", name, "accuracy"), "percent",
                           (*place, "facts", "groups", name, "interval")) for name in names]  # fmt: skip
            first, last = (tuple(value_of((*place, "facts", name), "percent") for name in several)
                           for several in (("mA", "F1"), ("hallucination", "omission")))  # fmt: skip
            return [nll, *first, *groups, *last]

        text = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", "cider_d")
        yield ("<p class='note'>Facts. bag is balanced accuracy; mA and F1 are over the labels that a sentence can "
               "state and that enough people have: ")  # fmt: skip
        yield ", ".join(self.page.figure(("labels_in_mA", index)) for index in range(len(self.study["labels_in_mA"])))
        yield ".</p>"
        for budget in self.study["budgets"]:
            yield f"<h3>{self.page.figure(('budget_titles', budget))} for each model</h3>"
            yield self.page.table(heads, self._rows(budget, "scores", lambda place: facts(
                (*place, "scores"), Cell((*place, "nll_per_character"), "three"))))  # fmt: skip
            yield self.page.table(
                ["", *(name.upper().replace("_", "-") for name in text), "tokens", "distinct-2"],
                self._rows(budget, "scores", lambda place: [
                    *(value_of((*place, "scores", "text", name), "percent" if "cider" not in name else "two")
                      for name in text),
                    value_of((*place, "scores", "text", "tokens"), "one"),
                    value_of((*place, "scores", "text", "distinct_2"), "percent"),
                ]),
            )  # fmt: skip

    def published(self) -> Iterator[str]:
        at = self.page.figure
        yield "<h2>Protocol published</h2>"
        yield (f"<p class='note'>The published study's own computation, on the first "
               f"{at(('data', 'published_rows'), 'count')} pictures, one reference each, with its keyword attributes "
               f"and their substring errors, so that its tables can stand here. {at(('seed', 'about'))} Its captions "
               "and pictures are not ours: its figures and ours say nothing about each other; the baselines "
               "below say what either is worth.</p>")  # fmt: skip
        names = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider")
        shown = (name.upper().replace("_", "-") for name in names)
        heads = ["", "parameters", "trainable", "of the limit", "loss", *shown, "attributes", "keyword overlap",
                 "epochs", "steps", "time", "hardware"]  # fmt: skip
        seed = []
        for index, stage in enumerate(self.study["seed"]["stages"]):
            place: Place = ("seed", "stages", index)
            cells: list[Cell | str | None] = [
                Cell((*place, "parameters"), "count"), Cell((*place, "trainable"), "count"),
                Cell((*place, "budget_share"), "percent"), Cell((*place, "loss"), "two"),
                *(Cell((*place, name), "two" if name == "cider" else "percent") for name in names),
                Cell((*place, "attributes"), "percent"), Cell((*place, "keyword_overlap"), "percent"), None, None,
                Cell((*place, "time"), "text"), Cell((*place, "hardware"), "text"),
            ]  # fmt: skip
            seed.append(Row(f"{stage['model'].replace('stage', 'stage ')} as published", cells, "seed"))

        def ours(place: Place) -> list[Cell | str | None]:
            return [
                Cell((*place, "parameters"), "count"), Cell((*place, "trainable"), "count"),
                Cell((*place, "budget_share"), "percent"), Cell((*place, "curve", "loss_per_token"), "two"),
                *(value_of((*place, "published", "text", name), "two" if name == "cider" else "percent")
                  for name in names),
                value_of((*place, "published", "attributes", "mean"), "percent"),
                value_of((*place, "published", "keyword_overlap", "mean"), "percent"),
                Cell((*place, "used", "epochs"), "two"), Cell((*place, "used", "steps"), "count"),
                Cell((*place, "used", "seconds"), "minutes"), Cell((*place, "machine", "processor"), "text"),
            ]  # fmt: skip

        for budget in self.study["budgets"]:
            yield f"<h3>{at(('budget_titles', budget))} for each model</h3>"
            yield self.page.table(heads, [*seed, *self._rows(budget, "published", ours)])
        yield "<h3>Attributes by keywords, as the published study counts them</h3>"
        groups = (*published.GROUPS, "mean")
        first = Row("stage 4 as published", [Cell(("seed", "attributes", name), "percent") for name in groups], "seed")
        for budget in self.study["budgets"]:
            yield f"<h3>{at(('budget_titles', budget))} for each model</h3>"
            rows = self._rows(budget, "published", lambda place: [
                value_of((*place, "published", "attributes", name), "percent") for name in groups])  # fmt: skip
            yield self.page.table(["", *(name.replace("_", " ") for name in groups)], [first, *rows])

    def curves(self) -> Iterator[str]:
        yield "<h2>Curves</h2>"
        for name in FILES:
            if (self.plots / name).is_file():
                data = base64.b64encode((self.plots / name).read_bytes()).decode()
                alt = name.removesuffix(".png").replace("_", " ")
                yield f'<p><img alt="{alt}" src="data:image/png;base64,{data}"></p>'
        yield ("<p class='note'>Was the validation loss still falling at the end? The fall is that of the NLL per "
               "character over the last quarter of the budget; the rate had come down to almost nothing by then, "
               "so that a loss that still fell would have gone on falling with more.</p>")  # fmt: skip
        rows = [Row(Cell(("entries", index, "key"), "text"), [
            Cell(("entries", index, "curve", "fall"), "percent"), Cell(("entries", index, "curve", "falling"), "yes"),
            Cell(("entries", index, "used", "crops"), "count"), Cell(("entries", index, "used", "steps"), "count"),
            Cell(("entries", index, "used", "epochs"), "two"), Cell(("entries", index, "used", "seconds"), "minutes"),
            Cell(("entries", index, "used", "cpu_seconds"), "minutes"),
            Cell(("entries", index, "machine", "threads"), "count"), Cell(("entries", index, "clock"), "text"),
        ], self._style(index)) for index in self.done]  # fmt: skip
        yield self.page.table(["", "fall", "still falling", "crops", "steps", "epochs", "wall clock", "processor time",
                               "threads", "clock of the budget"], rows)  # fmt: skip

    def failures(self) -> Iterator[str]:
        yield "<h2>Failure modes</h2>"
        yield ("<p class='note'>Of what is stated and labels can judge, the share that is wrong; below it, of what is "
               "labelled, the share about which nothing is said. Viewpoint is scored on "
               f"{self.page.figure(('data', 'views'), 'count')} pictures of other people, because the test set does "
               "not label it.</p>")  # fmt: skip
        modes = list(FAILURES)
        seed = Row("as published", [Cell(("seed", "failures", name), "text") for name in (*modes, VIEWPOINT)], "seed")

        def rates(kind: str, place: Place) -> list[Cell | str | None]:
            return [*(value_of((*place, "scores", "failures", mode, kind), "percent") for mode in modes),
                    value_of((*place, "viewpoint", kind), "percent")]  # fmt: skip

        for budget in self.study["budgets"]:
            yield f"<h3>{self.page.figure(('budget_titles', budget))} for each model</h3>"
            for kind, heading in (("wrong", "wrong"), ("missing", "not said")):
                rows = self._rows(budget, "scores", lambda place, kind=kind: rates(kind, place))
                yield self.page.table([heading, *modes, VIEWPOINT], [seed, *rows] if kind == "wrong" else rows)

    def sizes(self) -> Iterator[str]:
        yield "<h2>Parts, time and memory</h2>"
        yield ("<p class='note'>One picture at a time, decoding included, in a process of its own that does nothing "
               "else; stages and edge both on onnxruntime in single precision. Figures of the published study are "
               "its estimates for a V100.</p>")  # fmt: skip
        parts = ("encoder", "projection", "decoder")
        rows = []
        for index, stage in enumerate(self.study["seed"]["stages"]):
            place: Place = ("seed", "stages", index)
            rows.append(Row(f"{stage['model'].replace('stage', 'stage ')} as published", [
                *(Cell((*place, "parts", part), "count") for part in parts), Cell((*place, "parameters"), "count"),
                Cell((*place, "latency_ms"), "one"), None, Cell((*place, "memory"), "text"), None,
            ], "seed"))  # fmt: skip
        for index in self.done:
            place = ("entries", index)
            rows.append(Row(Cell((*place, "key"), "text"), [
                *(Cell((*place, "parts", part), "count") for part in parts), Cell((*place, "parameters"), "count"),
                *(Cell((*place, "cost", "latency_ms", name), "one") for name in ("median", "p95")),
                Cell((*place, "cost", "memory_mb"), "count"), Cell((*place, "cost", "threads"), "count"),
            ], self._style(index)))  # fmt: skip
        yield self.page.table(["", *parts, "all parameters", "ms, median", "ms, ninety-fifth percentile", "MB, peak",
                               "threads"], rows)  # fmt: skip

    def weights(self) -> Iterator[str]:
        yield "<h2>What was pretrained and what began at random</h2>"
        rows = []
        for index in self.done:
            for part in self.study["entries"][index]["weights"]:
                place: Place = ("entries", index, "weights", part)
                rows.append(Row(Cell(("entries", index, "key"), "text"), [
                    part, Cell((*place, "source"), "text"), Cell((*place, "why"), "text")]))  # fmt: skip
        yield self.page.table(["", "part", "from", "why at random"], rows)

    def ablations(self) -> Iterator[str]:
        yield "<h2>Ablations</h2>"
        if not self.study["ablations"]:
            yield "<p>None was run; <code>--ablations all</code> runs them.</p>"
            return
        budget = self.study["budgets"][0]
        for name, ablation in self.study["ablations"].items():
            place: Place = ("ablations", name)
            yield f"<h3>{self.page.figure((*place, 'question'))}</h3>"
            backbones = name == "backbones"
            costs = ["encoder's parameters", "its ms"] if backbones else []
            heads = ["", *costs, "budget", "epochs", "mA", "mean of six", "CIDEr-D", "tokens", "NLL per character",
                     "parameters", "weights of the encoder", "of the decoder"]  # fmt: skip
            rows = [self._ablated((*place, "rows", index), row, backbones)
                    for index, row in enumerate(ablation["rows"])]  # fmt: skip
            for base in BASELINES:
                at: Place = ("baselines", budget, base)
                if self.page.get((*at, "scores")) is not None:
                    cells = [*[None] * (len(costs) + 2), *self._quality((*at, "scores"))]
                    rows.append(Row(Cell((*at, "title"), "text"), cells, "baseline"))
            yield f"<p class='note'>{self.page.figure((*place, 'about'))}</p>"
            yield self.page.table(heads, rows)
            if backbones:
                yield "<p class='note'>As published, with ImageNet accuracy in place of ours:</p>"
                listed = [Row(Cell(("seed", "backbones", index, "encoder"), "text"), [
                    Cell(("seed", "backbones", index, "parameters"), "count"),
                    Cell(("seed", "backbones", index, "ms"), "one"),
                    Cell(("seed", "backbones", index, "top_1"), "percent"),
                ], "seed") for index in range(len(self.study["seed"]["backbones"]))]  # fmt: skip
                yield self.page.table(["", "parameters", "ms", "ImageNet top one"], listed)

    def _ablated(self, place: Place, row: Mapping[str, Any], backbones: bool) -> Row:
        first = Cell((*place, "title"), "text")
        cost: Place = (*place, "cost")
        cells: list[Cell | str | None] = [Cell((*place, "budget"), "text")]
        if backbones:
            cells = [Cell((*cost, "encoder_parameters"), "count"), Cell((*cost, "encoder_ms"), "one"), *cells]
        if "failed" in row:
            return Row(first, [*cells, Cell((*place, "failed"), "text")])
        return Row(first, [
            *cells, Cell((*place, "used", "epochs"), "two"), *self._quality((*place, "scores")),
            Cell((*place, "scores", "nll_per_character"), "three"), Cell((*place, "parameters"), "count"),
            Cell((*place, "weights", "encoder", "source"), "text"),
            Cell((*place, "weights", "decoder", "source"), "text") if "decoder" in row["weights"] else None,
        ])  # fmt: skip

    def _quality(self, place: Place) -> list[Cell | str | None]:
        return [value_of((*place, "facts", "mA"), "percent"),
                Cell((*place, "facts", "groups", "mean", "accuracy"), "percent",
                     (*place, "facts", "groups", "mean", "interval")),
                value_of((*place, "text", "cider_d"), "two"), value_of((*place, "text", "tokens"), "one")]  # fmt: skip

    def _rows(self, budget: str, part: str, cells: Any) -> list[Row]:
        """Models of a budget, then every baseline, each in the same columns."""
        rows = [Row(title(self.study["entries"][index]), cells(("entries", index)), self._style(index))
                for index in self.done if self.study["entries"][index]["budget"] == budget]  # fmt: skip
        for name in BASELINES:
            place: Place = ("baselines", budget, name)
            if self.page.get(place) is None:
                raise ValueError(f"the baseline {name!r} is missing under {budget}; no table goes without it")
            there = self.page.get((*place, part)) is not None
            made = cells(place)
            rows.append(Row(Cell((*place, "title"), "text"), made if there else [None] * len(made), "baseline"))
        return rows

    def _style(self, index: int) -> str:
        return "edge" if self.study["entries"][index]["model"] == "edge" else ""
