"""mA, F1, false statements and omissions read from text: against ``metrics.facts``, and by hand."""

import random
from pathlib import Path

import numpy as np
import pytest

from personvlm.data.sample import Sample
from personvlm.evaluation.statements import LABEL, LEAST, UNSAID, score_confusion, score_details, score_statements
from personvlm.evaluation.truth import COLUMNS, VALUES, Truth, as_columns, stated, verdict_on
from personvlm.language.random_values import random_values
from personvlm.metrics.facts import instance_metrics, label_metrics
from personvlm.schema import Annotations, Known


def sample(identity=None, **groups):
    known = {name.replace("_", "."): value for name, value in groups.items()}
    return Sample(Path("x.jpg"), Annotations.build(known), identity=identity)


def figures(said, samples):
    return {name: item["value"] for name, item in
            score_statements(stated(said), Truth.of(samples), resamples=20).items()}  # fmt: skip


def random_people(seed, count=60):
    rng = random.Random(seed)
    samples, said = [], []
    for row in range(count):
        samples.append(Sample(Path(f"{row}.jpg"), Annotations.build(random_values(rng)), identity=str(row // 2)))
        said.append(random_values(rng))
    return said, samples


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_metrics_facts_on_the_same_cells(seed):
    said, samples = random_people(seed)
    truth = Truth.of(samples)
    predictions = as_columns(stated(said))
    labels = label_metrics(truth.targets, predictions, truth.known, truth.weights)
    has = (truth.weights[:, None] * truth.known * truth.targets).sum(0)
    lacks = (truth.weights[:, None] * truth.known * ~truth.targets).sum(0)
    often = (has >= LEAST - 1e-9) & (lacks >= LEAST - 1e-9)
    assert 5 < often.sum() < len(COLUMNS)
    scored = score_statements(stated(said), truth, resamples=30)
    assert scored["mA"]["value"] == pytest.approx(np.nanmean(labels.balanced_accuracy[often]))
    instance = instance_metrics(truth.targets, predictions, truth.known, truth.weights)
    for name, value in (("F1", instance.f1), ("precision", instance.precision), ("recall", instance.recall)):
        assert scored[name]["value"] == pytest.approx(value)
        assert scored[name]["interval"][0] <= value <= scored[name]["interval"][1]
    details = score_details(stated(said), truth, resamples=10)["labels"]
    for index, (group, value) in enumerate(COLUMNS):
        if not truth.known[:, index].any():
            assert f"{group}={value}" not in details
            continue
        item = details[f"{group}={value}"]
        assert item["in_mA"] == bool(often[index])
        for figure in LABEL:
            expected = getattr(labels, figure)[index]
            shown = item[figure]["value"]
            assert shown is None if np.isnan(expected) else shown == pytest.approx(expected)


def test_false_statements_and_omissions_by_hand():
    samples = [
        sample(gender="male", headwear="none", carrying=["backpack"]),  # bag and backpack there, nothing else
        sample(gender="female", upper_color=["red", "white", "blue"]),  # two of three colors fit into a sentence
    ]
    said = [{"gender": ("male",), "headwear": ("hat",), "carrying": ("umbrella",), "view": ("back",)},
            {"upper.color": ("red", "green"), "gender": ("female",)}]  # fmt: skip
    scored = figures(said, samples)
    # Judged: male, hat, umbrella, red, green, female; the view is not annotated. Wrong: hat, umbrella, green.
    assert scored["hallucination"] == pytest.approx(3 / 6)
    # Sayable: male, backpack; female, two colors. Omitted: the backpack and one color.
    assert scored["omission"] == pytest.approx(2 / 5)
    assert scored["stated"] == pytest.approx((4 + 3) / 2)
    groups = score_details(stated(said), Truth.of(samples), resamples=5)["groups"]
    assert groups["carrying"]["hallucination"]["value"] == groups["carrying"]["omission"]["value"] == 1.0
    assert groups["upper.color"]["omission"]["value"] == 0.5
    assert "view" not in groups


def test_a_coarser_and_a_finer_word_are_no_omission_and_no_hallucination():
    samples = [sample(age="young adult", carrying=["backpack"], lower_color=["dark blue"])] * 2
    said = [{"age": ("adult",), "carrying": ("bag",), "lower.color": ("blue",)}] * 2
    scored = figures(said, samples)
    assert scored["hallucination"] == scored["omission"] == 0.0


def test_silence_states_nothing_and_omits_all():
    scored = figures([{}], [sample(gender="male", age="elderly")])
    assert scored["hallucination"] is None
    assert scored["omission"] == 1.0
    assert scored["stated"] == 0.0


def test_a_person_counts_once():
    samples = [sample("a", gender="male")] * 3 + [sample("b", gender="male")]
    said = [{"gender": ("female",)}] * 3 + [{"gender": ("male",)}]
    assert figures(said, samples)["hallucination"] == pytest.approx(1 / 2)


def test_partial_labels_leave_open_what_they_admit():
    adult, hair = Known(frozenset({"young adult", "thirties", "middle-aged"})), Known(frozenset({"brown", "other"}))
    assert verdict_on("age", "thirties", adult) is True
    assert verdict_on("age", "child", adult) is False
    assert verdict_on("hair.color", "black", hair) is False
    assert verdict_on("carrying", "phone", Known(frozenset({"backpack", "bag"}), frozenset({"none"}))) is None
    assert verdict_on("view", "back", None) is None
    samples = [Sample(Path("x"), Annotations({"age": adult})) for _ in range(2)]
    truth = Truth.of(samples)
    index = {pair: column for column, pair in enumerate(COLUMNS)}
    assert not truth.known[:, index["age", "thirties"]].any()
    assert truth.known[:, index["age", "child"]].all()
    assert VALUES[0] == ("gender", "male")


def test_confusion_shows_what_was_said_where_what_was_labelled():
    samples = [sample(str(i), upper_color=[color]) for i, color in enumerate(["black", "black", "blue", "white"])]
    samples.append(sample("two", upper_color=["black", "red"]))  # two colors: no single answer
    said = [{"upper.color": ("blue",)}, {"upper.color": ("black", "red")}, {}, {"upper.color": ("white",)}, {}]
    table = score_confusion(said, samples)["upper.color"]
    assert table["values"] == ["black", "white", "blue", UNSAID]
    assert table["weights"] == [[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    assert set(score_confusion(said, samples)) == {"upper.color"}


def test_texts_that_are_wrong_throughout_have_an_f1_of_zero():
    said = [{"gender": ("female",)}] * 6
    samples = [sample(str(row), gender="male") for row in range(6)]
    assert score_statements(stated(said), Truth.of(samples))["F1"] == {"value": 0.0, "interval": [0.0, 0.0]}
