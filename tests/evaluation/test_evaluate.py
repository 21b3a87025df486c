"""The whole object from a describer that is made up: what is right, what is wrong, and what must be refused."""

import copy
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.evaluation.evaluate import evaluate, score_quality
from personvlm.evaluation.facts import HEADLINE, values_of_annotations
from personvlm.evaluation.heads import score_heads, score_sayable
from personvlm.evaluation.report import percent, report
from personvlm.language.realiser import realise
from personvlm.metrics.facts import instance_f1, mean_accuracy
from personvlm.schema import GROUP, Annotations, Attribute, PersonDescription
from personvlm.schema.mappings import peta

LABELS = (
    ("personalMale", "personalLess30", "hairBlack", "hairShort", "upperBodyBlack", "upperBodyJacket", "lowerBodyBlue",
     "lowerBodyJeans", "footwearSneakers", "carryingBackpack", "accessoryNothing", "upperBodyCasual"),
    ("personalFemale", "personalLess45", "hairBrown", "hairLong", "upperBodyRed", "upperBodySweater", "lowerBodyBlack",
     "lowerBodyTrousers", "footwearShoes", "carryingNothing", "accessoryNothing", "upperBodyCasual"),
    ("personalMale", "personalLarger60", "hairGrey", "hairShort", "upperBodyGrey", "upperBodySuit", "lowerBodyGrey",
     "lowerBodySuits", "footwearLeatherShoes", "carryingNothing", "accessoryHat", "upperBodyFormal"),
)  # fmt: skip


@pytest.fixture
def samples(tmp_path):
    return [Sample(tmp_path / f"{row}.jpg", peta.to_annotations(labels), (), f"person {row}", labels, "peta")
            for row, labels in enumerate(LABELS)]  # fmt: skip


def scores_of(annotations, men):
    """Probability 0.9 spread over what is admissible, 0.1 over the rest; a set's values 0.9 or 0.1 each."""
    result = {}
    for name, group in GROUP.items():
        present = annotations.known[name].present if name in annotations.known else frozenset()
        if name == "gender" and men:
            present = frozenset({"male"})
        rest = [value for value in group.columns if value not in present]
        shares = (1, 1) if group.kind == "set" else (max(1, len(present)), max(1, len(rest)))
        result[name] = {value: 0.9 / shares[0] if value in present else 0.1 / shares[1] for value in group.columns}
    return result


class Oracle:
    """Says what the labels say; if told so, takes everyone for a man, or says pink whatever its attributes hold."""

    def __init__(self, samples, men=False, contradict=False):
        self.samples = {sample.image: sample for sample in samples}
        self.men, self.contradict = men, contradict

    def describe(self, inputs, *, say, batch):
        results = []
        for image in inputs:
            annotations = self.samples[image].annotations
            values, scores = values_of_annotations(annotations), scores_of(annotations, self.men)
            if self.men:
                values["gender"] = ("male",)
            if say == "confident":
                values = {name: values[name] for name in ("gender", "upper.color") if name in values}
            attributes = {
                name: Attribute(value=value if GROUP[name].kind == "set" else value[0], confidence=0.9)
                for name, value in values.items()
            }
            text = realise({**values, "upper.color": ("pink",)} if self.contradict else values)
            results.append(PersonDescription(text=text, attributes=attributes, scores=scores))
        return results


def test_an_oracle_is_right_about_everything(samples):
    result = evaluate(Oracle(samples), samples, batch=2, resamples=50)
    assert result["n"] == result["people"] == 3
    for group in HEADLINE:
        assert result["text"][group]["accuracy"] == 1.0, group
    assert result["text"]["mean"]["accuracy"] == 1.0
    assert result["text"]["gender"]["majority"] == pytest.approx(2 / 3)
    assert result["heads"]["mA"] == result["heads"]["F1"] == 1.0
    assert result["said"]["accuracy"] == 1.0
    assert result["said"]["groups"] == 2.0
    assert 0 < result["said"]["coverage"] < 0.5
    assert result["quality"]["pass_rate"] == 1.0
    assert result["consistency"] == 1.0
    json.dumps(result, allow_nan=False)


def test_a_describer_that_sees_men_only_loses_what_it_should(samples):
    result = evaluate(Oracle(samples, men=True), samples, resamples=50)
    assert result["text"]["gender"]["accuracy"] == pytest.approx(2 / 3)
    assert result["baselines"]["predicted_heads"]["gender"]["accuracy"] == pytest.approx(2 / 3)
    assert result["baselines"]["true_labels"]["gender"]["accuracy"] == 1.0
    assert result["heads"]["labels"]["personalMale"]["precision"] == pytest.approx(2 / 3)


def test_a_text_against_its_json_is_seen(samples):
    result = evaluate(Oracle(samples, contradict=True), samples, resamples=50)
    assert result["consistency"] == 0.0
    assert result["text"]["upper.color"]["accuracy"] == 0.0
    assert result["baselines"]["predicted_heads"]["upper.color"]["accuracy"] == 1.0


def test_heads_use_the_thresholds_of_the_model_and_count_every_picture(samples):
    pictures = [samples[0], *samples]  # the first person twice: heads are scored per picture
    descriptions = Oracle(samples).describe([sample.image for sample in pictures], say="all", batch=1)
    thresholds = {"carryingBackpack": 0.95, "personalMale": 0.05}
    scored = score_heads(descriptions, pictures, thresholds, resamples=20)
    targets = np.stack([peta.benchmark_targets(sample.labels) for sample in pictures])
    scores = np.stack([peta.benchmark_scores(description.scores) for description in descriptions])
    cuts = np.array([thresholds.get(name, 0.5) for name in peta.BENCHMARK])
    assert scored["mA"] == pytest.approx(mean_accuracy(targets, scores >= cuts))
    assert scored["F1"] == pytest.approx(instance_f1(targets, scores >= cuts))
    assert scored["labels"]["carryingBackpack"]["recall"] == 0.0
    assert scored["labels"]["personalMale"]["precision"] == pytest.approx(3 / 4)
    assert scored["F1_interval"][0] <= scored["F1"] <= scored["F1_interval"][1]


def test_text_is_scored_over_what_it_can_state_of_the_benchmark(samples):
    unsayable = {"accessoryNothing", "carryingNothing", "carryingOther", "upperBodyOther"}
    assert {*peta.BENCHMARK} - {*peta.SAYABLE} == unsayable
    said = Oracle(samples).describe([sample.image for sample in samples], say="all", batch=1)
    truth = [values_of_annotations(sample.annotations) for sample in samples]
    scored = score_sayable(truth, said, samples, {}, resamples=20)
    assert scored["labels"] == list(peta.SAYABLE)
    where = [peta.BENCHMARK.index(label) for label in peta.SAYABLE]
    targets = np.stack([peta.benchmark_targets(sample.labels)[where] for sample in samples])
    stated = targets.copy()
    stated[2, peta.SAYABLE.index("accessoryHat")] = 0  # hat or cap: the label leaves it open, and nothing is stated
    assert scored["text"] == pytest.approx(instance_f1(targets, stated))
    scores = np.stack([peta.benchmark_scores(description.scores)[where] for description in said])
    assert scored["heads"] == pytest.approx(instance_f1(targets, scores >= 0.5))
    silent = score_sayable([{**values, "carrying": ()} for values in truth], said, samples, {}, resamples=20)
    bare = stated.copy()
    bare[:, peta.SAYABLE.index("carryingBackpack")] = 0
    assert silent["text"] == pytest.approx(instance_f1(targets, bare))
    assert silent["difference"] == pytest.approx(silent["text"] - scored["heads"])
    assert silent["interval"][0] <= silent["difference"] <= silent["interval"][1]
    assert evaluate(Oracle(samples), samples, resamples=20)["heads"]["sayable"]["text"] > 0.95


def test_heads_of_other_data_count_annotated_values_only(samples):
    own = [Sample(sample.image, sample.annotations, (), sample.identity, (), "jsonl") for sample in samples]
    scored = score_heads(Oracle(own).describe([sample.image for sample in own], say="all", batch=1), own, {})
    assert "view=back" not in scored["labels"]
    assert scored["labels"]["gender=male"]["mA"] == 1.0
    assert scored["mA"] > 0.9


def test_quality_counts_texts_that_fail_any_check():
    good = "The image shows a young adult male with short black hair. He is wearing a black jacket."
    scored = score_quality([good, good, "a man, a man, a man and", good])
    assert scored["pass_rate"] == 0.75
    assert min(scored["checks"].values()) == 0.75


def test_pictures_without_identity_are_people_of_their_own(samples):
    pictures = [samples[0], samples[0], *(replace(sample, identity=None) for sample in samples[1:])]
    assert evaluate(Oracle(pictures), pictures, resamples=5)["people"] == 3


def test_nothing_to_evaluate_is_an_error():
    with pytest.raises(InputError, match="no samples"):
        evaluate(Oracle([]), [])


def test_report_shows_every_baseline_and_refuses_to_go_without(samples):
    result = evaluate(Oracle(samples, men=True), samples, resamples=20)
    console = Console(file=io.StringIO(), width=200)
    console.print(report(result))
    shown = console.file.getvalue()
    for row in ("majority class", "realised from the predicted heads", "realised from the true labels", "66.7 %"):
        assert row in shown
    without = copy.deepcopy(result)
    del without["baselines"]["predicted_heads"]
    with pytest.raises(KeyError):
        report(without)


def test_percent_never_rounds_up_to_perfect():
    assert [percent(1.0), percent(0.9999), percent(None), percent(0.8642)] == ["100.0 %", "99.9 %", "–", "86.4 %"]


def test_heads_of_other_data_know_partial_labels_and_parents(tmp_path):
    facts = [{"view": ("front", "side"), "carrying": ("backpack",)}, {"view": "back", "carrying": ("none",)}]
    own = [Sample(tmp_path / f"{row}.jpg", Annotations.build(known)) for row, known in enumerate(facts)]
    said = [PersonDescription(text="", attributes={"view": Attribute(value=view, confidence=1.0),
                                                   "carrying": Attribute(value=carried, confidence=1.0)})
            for view, carried in (("front", ("backpack",)), ("back", ("none",)))]  # fmt: skip
    scored = score_heads(said, own, {}, resamples=5)
    assert scored["F1"] == 1.0, "neither the side view nor the bag was missed"
    assert "view=side" in scored["labels"]
    assert scored["labels"]["view=side"]["positives"] == 0
    assert scored["labels"]["carrying=bag"]["recall"] == 1.0


def test_a_model_that_was_not_taught_a_group_is_scored_all_the_same(samples):
    descriptions = [description.model_copy(update={"scores": {"gender": description.scores["gender"]}})
                    for description in Oracle(samples).describe([s.image for s in samples], say="all", batch=1)]
    scored = score_heads(descriptions, samples, {}, resamples=5)
    assert scored["labels"]["personalMale"]["recall"] == 1.0
    assert scored["labels"]["accessoryHat"]["recall"] == 0.0
