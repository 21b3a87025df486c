"""Confidence that is known to be right, too high, or right for some people only; and what is said at a precision."""

from __future__ import annotations

import io
import json
import sys

import numpy as np
import pytest
from rich.console import Console

from personvlm.base.errors import PersonVLMError
from personvlm.data.sample import Sample
from personvlm.evaluation.confidence import score_calibration, score_precision
from personvlm.evaluation.confidence_plots import plot_confidence
from personvlm.evaluation.confidence_tables import confidence_tables
from personvlm.evaluation.evaluate import evaluate
from personvlm.metrics.calibration import brier_skill, expected_calibration_error
from personvlm.schema import GROUP, Annotations, Attribute, Known, PersonDescription

PEOPLE = 1500


def person(path, number, facts):
    return Sample(path / f"{number}.jpg", Annotations.build(facts), identity=str(number))


def told(**claims):
    """A description whose scores are given: group -> value -> probability; the first value is the answer."""
    groups = {name.replace("_", "."): given for name, given in claims.items()}
    scores = {name: {value: given.get(value, 0.0) for value in GROUP[name].columns} for name, given in groups.items()}
    attributes = {}
    for name, given in groups.items():
        value = next(iter(given))
        attributes[name] = Attribute(value=(value,) if GROUP[name].kind == "set" else value, confidence=given[value])
    return PersonDescription(text="", scores=scores, attributes=attributes)


@pytest.fixture
def men(tmp_path):
    """Answers "male" with the probability that it is so, and people drawn from it; half of them carry a bag."""
    rng = np.random.default_rng(0)
    share, bag = rng.uniform(0.5, 1.0, PEOPLE), rng.random(PEOPLE) < 0.5
    male = rng.random(PEOPLE) < share
    samples = [person(tmp_path, row, {"gender": "male" if male[row] else "female",
                                      "carrying": ("backpack",) if bag[row] else ("none",)}) for row in range(PEOPLE)]
    return share, male, bag, samples


def test_calibration_is_that_of_the_metrics_and_means_are_over_judged_groups(men):
    share, male, bag, samples = men
    said = [told(gender={"male": p, "female": 1 - p}, carrying={"bag": 0.9 if b else 0.2})
            for p, b in zip(share, bag, strict=True)]  # fmt: skip
    result = score_calibration(said, samples, resamples=30)
    gender, carried = result["groups"]["gender"], result["groups"]["bag"]
    assert gender["ece"]["value"] == pytest.approx(expected_calibration_error(share, male))
    assert gender["ece"]["value"] < 0.04
    assert gender["brier_skill"]["value"] == pytest.approx(brier_skill(share, male), abs=1e-9)
    low, high = gender["brier_skill"]["interval"]
    assert low < gender["brier_skill"]["value"] < high
    assert carried["ece"]["value"] == pytest.approx((0.1 * bag.sum() + 0.2 * (~bag).sum()) / PEOPLE, abs=0.01)
    assert carried["risk_coverage"]["risk"] == [0.0, 0.0], "told apart without a mistake, at two confidences"
    assert carried["risk_coverage"]["threshold"] == [0.9, 0.8]
    assert result["groups"]["age"]["ece"]["value"] is None
    assert result["groups"]["age"]["n"] == 0
    for name in ("ece", "brier_skill"):
        assert result[name]["value"] == pytest.approx((gender[name]["value"] + carried[name]["value"]) / 2)
    assert len(gender["reliability"]) == 10
    assert sum(each["people"] for each in gender["reliability"]) == pytest.approx(PEOPLE)
    json.dumps(result, allow_nan=False)


def test_too_much_confidence_shows(men):
    share, _, _, samples = men
    said = [told(gender={"male": min(0.99, p + 0.25), "female": 1 - min(0.99, p + 0.25)}) for p in share]
    honest = [told(gender={"male": p, "female": 1 - p}) for p in share]
    high, low = (score_calibration(each, samples, resamples=2)["groups"]["gender"] for each in (said, honest))
    assert high["ece"]["value"] > 0.12 > 3 * low["ece"]["value"]
    assert high["brier_skill"]["value"] < low["brier_skill"]["value"]


def test_a_person_counts_once_and_partial_labels_do_not(tmp_path):
    samples = [person(tmp_path, 0, {"age": "thirties"})] * 9 + [person(tmp_path, 1, {"age": "child"}),
                                                                person(tmp_path, 2, {"age": "adult"})]  # fmt: skip
    result = score_calibration([told(age={"thirties": 0.6, "child": 0.4})] * 11, samples, resamples=2)["groups"]["age"]
    assert result["n"] == 10
    assert result["ece"]["value"] == pytest.approx(0.1), "half of two people are in their thirties"


def test_colors_are_right_by_any_label_and_scored_on_what_is_labelled(tmp_path):
    samples = [person(tmp_path, 0, {"upper.color": ("red", "black")}), person(tmp_path, 1, {"upper.color": "green"})]
    said = [told(upper_color={"red": 0.8, "black": 0.7}), told(upper_color={"red": 0.8})]
    result = score_calibration(said, samples, resamples=2)["groups"]["upper.color"]
    assert result["ece"]["value"] == pytest.approx(0.3)
    wrong = (0.2**2 + 0.3**2 + 0.8**2 + 1.0) / 2
    assert result["brier_skill"]["value"] == pytest.approx(1 - wrong / (3 * 0.25))


@pytest.fixture
def stated(tmp_path):
    """Of 100 people 60 are called men, 6 wrongly; 40 wear "red", 20 of them wrongly; one is a child, wrongly."""
    samples, said = [], []
    for row in range(100):
        facts = {"gender": "female" if row < 6 else "male", "upper.color": "red" if row < 20 else "blue"}
        samples.append(person(tmp_path, row, {**facts, "age": "thirties", "headwear": "none"}))
        attributes = {"headwear": Attribute(value="none", confidence=0.99)}
        words = []
        if row < 60:
            attributes["gender"] = Attribute(value="male", confidence=0.9)
            words.append("The image shows a man.")
        if row < 40:
            attributes["upper.color"] = Attribute(value=("red",), confidence=0.9)
            words.append("The person is wearing a red top.")
        if row == 99:
            attributes["age"] = Attribute(value="child", confidence=0.9)
        said.append(PersonDescription(text=" ".join(words), attributes=attributes))
    return said, samples


def test_precision_by_value_and_which_fall_short(stated):
    result = score_precision(*stated, 0.9, resamples=200)
    values = result["values"]
    assert values["gender"]["male"]["precision"] == pytest.approx(0.9)
    assert values["gender"]["male"]["people"] == pytest.approx(60)
    assert values["upper.color"]["red"]["precision"] == pytest.approx(0.5)
    low, high = values["upper.color"]["red"]["interval"]
    assert 0.3 < low < 0.5 < high < 0.7
    assert values["headwear"]["none"]["precision"] == 1.0
    assert result["short"] == ["age: child", "upper.color: red"]
    assert result["text"]["accuracy"] == pytest.approx((54 + 20) / 100)
    assert result["attributes"]["accuracy"] == pytest.approx((54 + 20 + 100) / 201)
    json.dumps(result, allow_nan=False)


def test_tables_show_what_fell_short(stated, men):
    share, _, _, samples = men
    calibration = score_calibration([told(gender={"male": p, "female": 1 - p}) for p in share], samples, resamples=2)
    console = Console(file=io.StringIO(), width=160)
    for table in confidence_tables({"calibration": calibration, "precision": score_precision(*stated, 0.9)}):
        console.print(table)
    shown = console.file.getvalue()
    for part in ("Brier skill over the prior", "At --min-precision 0.9", "values wholly below 87%", "upper.color: red",
                 "coverage"):  # fmt: skip
        assert part in shown
    assert confidence_tables({"calibration": None}) == []


def test_plots(stated, men, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    share, _, _, samples = men
    calibration = score_calibration([told(gender={"male": p, "female": 1 - p}) for p in share], samples, resamples=2)
    result = {"calibration": calibration, "precision": score_precision(*stated, 0.9)}
    written = plot_confidence(result, tmp_path / "new" / "plots")
    assert [path.name for path in written] == ["reliability.png", "risk_coverage.png", "precision.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    with pytest.raises(PersonVLMError, match="no plots"):
        plot_confidence({"calibration": None}, tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(PersonVLMError, match="pip install matplotlib"):
        plot_confidence(result, tmp_path)


class Listener:
    """A describer that keeps what it was asked and says what it was given."""

    def __init__(self, descriptions):
        self.descriptions, self.asked = descriptions, []

    def describe(self, inputs, *, batch, **options):
        self.asked.append(options)
        return self.descriptions


def test_evaluate_asks_for_the_precision_first_and_shows_what_was_said(stated):
    said, samples = stated
    said = [item.model_copy(update={"text": item.text or "The image shows a person."}) for item in said]
    describer, looked = Listener(said), []
    result = evaluate(describer, samples, min_precision=0.9, look=lambda *pair: looked.append(pair), resamples=20)
    assert describer.asked == [{"min_precision": 0.9}, {"say": "all"}, {"say": "confident"}]
    assert looked == [(said, samples)]
    assert result["precision"]["short"] == ["age: child", "upper.color: red"]
    assert result["calibration"]["groups"]["gender"]["n"] == 0, "no scores were given"
    plain = evaluate(Listener(said), samples, resamples=20)
    assert "precision" not in plain
    assert plain["calibration"] is not None
    given = evaluate(None, samples, predictions=[item.text for item in said], resamples=20)
    assert given["calibration"] is None


def test_where_labels_name_one_color_and_rule_out_none_risk_is_that_of_the_color(tmp_path):
    known = [Annotations({"upper.color": Known(frozenset({"blue" if row % 4 else "red"}))}) for row in range(40)]
    samples = [Sample(tmp_path / f"{row}.jpg", known[row], identity=str(row)) for row in range(40)]
    group = score_calibration([told(upper_color={"red": 0.4})] * 40, samples, resamples=2)["groups"]["upper.color"]
    assert group["risk_coverage"]["threshold"] == [0.4]
    assert group["risk_coverage"]["risk"] == [0.75]
