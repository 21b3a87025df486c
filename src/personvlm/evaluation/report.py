"""Tables for people from the objects that ``evaluate`` makes: every figure stands next to its baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from personvlm.evaluation.confidence_tables import confidence_tables
from personvlm.evaluation.facts import HEADLINE
from personvlm.evaluation.protocols.tables import percent, protocol_tables

ROWS = (("generated text", "text"), ("realised from the predicted heads", "predicted_heads"),
        ("realised from the true labels (ceiling)", "true_labels"), ("majority class", "majority"))  # fmt: skip
"""Rows of the table of facts: what is printed, and where it comes from. No table goes without its baselines."""


def report(result: Mapping[str, Any]) -> RenderableType:
    """The object of :func:`~personvlm.evaluation.evaluate.evaluate` as Rich tables: the protocol's where it was scored
    under one, else the table of facts; then what only a describer has.

    Raises:
        KeyError, ValueError: a baseline is missing; a table without them is refused.
    """
    protocol = result.get("protocol")
    tables = [facts_table(result)] if protocol is None else protocol_tables(protocol)
    if result["heads"] is not None:
        tables.append(heads_table(result))
    if result["said"] is not None:
        tables.append(certain_table(result))
    tables += confidence_tables(result)
    if protocol is not None and "text" in protocol["notes"]:
        return Group(*tables, Text(protocol["notes"]["text"]))
    return Group(*tables)


def facts_table(result: Mapping[str, Any]) -> Table:
    """Six headline groups and their mean, each with interval, baselines and the number of pictures."""
    columns = (*HEADLINE, "mean")
    table = Table(title=f"Facts read from text: {result['n']} pictures of {result['people']} people, each person once")
    table.add_column("")
    for name in columns:
        table.add_column("bag (balanced)" if name == "bag" else name, justify="right")
    text = result["text"]
    sources = {"text": text, **result["baselines"]}
    for title, key in ROWS:
        if key == "majority":
            table.add_row(title, *(percent(text[name]["majority"]) for name in columns))
        else:
            table.add_row(title, *(percent(sources[key][name]["accuracy"]) for name in columns))
        if key == "text":
            table.add_row("  95 % interval", *(_interval(text[name]["interval"]) for name in columns), style="dim")
    table.add_section()
    table.add_row("majority says", *(str(text[name]["majority_value"]) for name in HEADLINE), "", style="dim")
    table.add_row("pictures scored", *(str(text[name]["n"]) for name in HEADLINE), "", style="dim")
    return table


def heads_table(result: Mapping[str, Any]) -> Table:
    """The heads per picture, and the precision of second colors."""
    heads = result["heads"]
    table = _figures("Heads, per picture")
    table.add_row("mA", percent(heads["mA"]), _interval(heads["mA_interval"]))
    table.add_row("F1 (instance)", percent(heads["F1"]), _interval(heads["F1_interval"]))
    if "sayable" in heads:
        sayable = heads["sayable"]
        labels = len(sayable["labels"])
        table.add_row(f"F1 over {labels} sayable labels: text, heads",
                      f"{percent(sayable['text'])}, {percent(sayable['heads'])}", "")  # fmt: skip
        table.add_row("  text minus heads", f"{100 * sayable['difference']:+.1f}", _interval(sayable["interval"]))
    if "majority" in heads:  # weights that were measured before it was counted do not hold it
        usual = heads["majority"]
        table.add_row("majority class: mA, F1", f"{percent(usual['mA'])}, {percent(usual['F1'])}", "")
    table.add_row("precision, recall (instance)", f"{percent(heads['precision'])}, {percent(heads['recall'])}", "")
    for name in ("upper.color", "lower.color"):
        second = result["text"][name]["second_color"]
        table.add_row(f"second {name}: precision", percent(second["precision"]), f"said on {second['n']} pictures")
    return table


def certain_table(result: Mapping[str, Any]) -> Table:
    """What is said (by a describer: at the default thresholds), form, and agreement with the JSON."""
    said, quality = result["said"], result["quality"]
    table = _figures("At the default thresholds" if result["heads"] is not None else "Given texts")
    table.add_row("accuracy of what is said", percent(said["accuracy"]), _interval(said["interval"]))
    table.add_row("annotated groups that are stated", percent(said["coverage"]), "")
    table.add_row("groups stated per text", f"{said['groups']:.1f}", "")
    failed = [f"{name} {percent(share)}" for name, share in quality["checks"].items() if share < 1]
    table.add_row("well-formed texts", percent(quality["pass_rate"]), ", ".join(failed))
    if result["consistency"] is not None:
        table.add_row("texts that agree with their JSON", percent(result["consistency"]), "")
    if result["likelihood"] is not None:
        likelihood = result["likelihood"]
        note = f"{likelihood['nll_per_character']:.3f} -> {likelihood['shuffled']:.3f} nats"
        table.add_row("rise of NLL per character, pictures shuffled", percent(likelihood["rise"]), note)
    if "likelihood_retrieval" in result:
        found = result["likelihood_retrieval"]
        for direction, name in (("caption_to_image", "caption to image"), ("image_to_caption", "image to caption")):
            shown = ", ".join(percent(found[direction][f"R@{k}"]["value"]) for k in (1, 5, 10))
            table.add_row(f"{name} by likelihood, R@1, 5, 10", shown, f"among {found['pool']} people")
    return table


def parser_table(result: Mapping[str, Any]) -> Table:
    """The object of :func:`~personvlm.evaluation.parser.evaluate_parser`, worst columns first."""
    table = Table(title=f"Parser against MSP60K's labels: {result['n']} captions, mean F1 {percent(result['mean_f1'])}")
    table.add_column("column")
    for name in ("F1", "precision", "recall", "labelled"):
        table.add_column(name, justify="right")
    worst_first = sorted(result["columns"].items(), key=lambda item: (item[1]["f1"] is None, item[1]["f1"] or 0.0))
    for name, column in worst_first:
        table.add_row(name, percent(column["f1"]), percent(column["precision"]), percent(column["recall"]),
                      str(column["positives"]))  # fmt: skip
    return table


def _interval(bounds: Sequence[float | None]) -> str:
    low, high = bounds
    return "" if low is None or high is None else f"{100 * low:.1f} – {100 * high:.1f}"


def _figures(title: str) -> Table:
    table = Table(title=title, show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    table.add_column("")
    return table
