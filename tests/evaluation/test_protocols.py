"""Protocols on small labelled sets: baselines, what a constant is worth, and tables that refuse to go without."""

import copy
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from personvlm.data.sample import Sample
from personvlm.evaluation.baselines import BASELINES, CONSTANT, Baselines, Training, majority_values, make_baselines
from personvlm.evaluation.baselines import nearest as nearest_rows
from personvlm.evaluation.facts import HEADLINE, values_of_annotations
from personvlm.evaluation.protocols import clean
from personvlm.evaluation.protocols.references import clean_references, origin, raw_references
from personvlm.evaluation.protocols.run import captions_for, run_protocol, scored_rows
from personvlm.evaluation.protocols.tables import protocol_tables, rows_table
from personvlm.language.parser import parse
from personvlm.language.realiser import realise
from personvlm.schema import Annotations, Attribute, PersonDescription

pytest.importorskip("nltk", reason="nltk is not installed; pip install 'personvlm[evaluate]'")

PEOPLE = (
    {"gender": "male", "age": "young adult", "hair.color": "black", "upper.garment": "jacket", "upper.color": ["red"],
     "lower.garment": "jeans", "lower.color": ["blue"], "carrying": ["backpack"]},
    {"gender": "male", "age": "thirties", "hair.color": "black", "upper.garment": "coat", "upper.color": ["black"],
     "lower.garment": "trousers", "lower.color": ["black"], "carrying": ["none"]},
    {"gender": "female", "age": "young adult", "hair.color": "brown", "upper.garment": "t-shirt",
     "upper.color": ["white"], "lower.garment": "shorts", "lower.color": ["blue"], "carrying": ["none"]},
    {"gender": "male", "age": "elderly", "hair.color": "gray", "upper.garment": "jacket", "upper.color": ["black"],
     "lower.garment": "jeans", "lower.color": ["blue"], "carrying": ["handbag"]},
)  # fmt: skip


def people(repeat=3):
    return [Sample(Path(f"{row}.jpg"), Annotations.build(values), identity=f"set{row % 2}/{row}")
            for row, values in enumerate(PEOPLE * repeat)]  # fmt: skip


def itself(samples, protocol="clean"):
    return Training("itself", samples, captions_for(samples, protocol), same=True)


@pytest.fixture(scope="module")
def result():
    samples = people()
    texts = [realise(values_of_annotations(sample.annotations)) for sample in samples]
    return run_protocol("clean", samples, itself(samples), texts, heights=[50, 100, 200] * 4, resamples=30)


def test_true_labels_are_the_ceiling_and_every_constant_is_at_chance(result):
    rows = result["rows"]
    assert tuple(rows) == ("predictions", *BASELINES)
    for name in ("predictions", "true_labels"):
        scored = rows[name]
        assert [scored["facts"]["groups"][group]["accuracy"] for group in HEADLINE] == [1.0] * 6
        assert scored["facts"]["hallucination"]["value"] == scored["facts"]["omission"]["value"] == 0.0
        assert scored["text"]["bleu_4"]["value"] == pytest.approx(1.0)
        assert scored["text"]["rouge_l"]["value"] == pytest.approx(1.0)
    for name in ("constant_sentence", "majority_class"):
        scored = rows[name]
        assert scored["facts"]["mA"]["value"] == pytest.approx(0.5)
        pool = scored["retrieval"]["pool"]
        assert pool == len(people())
        for direction in ("caption_to_image", "image_to_caption"):
            assert scored["retrieval"][direction]["R@1"]["value"] == pytest.approx(1 / pool)
            assert scored["retrieval"][direction]["R@5"]["value"] == pytest.approx(scored["retrieval"]["chance"]["R@5"])
    assert rows["majority_class"]["facts"]["groups"]["mean"]["accuracy"] == pytest.approx(
        rows["true_labels"]["facts"]["groups"]["mean"]["majority"]
    )
    assert rows["predicted_heads"] is None
    assert "no pictures" in result["notes"]["predicted_heads"]
    assert "by labels" in result["notes"]["nearest_caption"]


def test_every_figure_has_an_interval_over_people_and_json_holds_all(result):
    json.dumps(result, allow_nan=False)
    scored = result["rows"]["constant_sentence"]
    for name in clean.TEXT:
        assert scored["text"][name]["interval"][0] <= scored["text"][name]["value"] + 1e-12
    assert set(result["slices"]) == {"camera_set", "height", "gender", "age"}
    assert set(result["slices"]["camera_set"]["slices"]) == {"set0", "set1"}
    assert list(result["slices"]["height"]["slices"]) == ["below 96 px", "96-159 px", "160-223 px"]
    assert result["slices"]["gender"]["slices"]["male"]["people"] == 9
    assert result["slices"]["gender"]["gap"] is None  # two slices of fewer than 30 people
    assert result["details"]["labels"]["gender=male"]["precision"]["value"] == 1.0
    assert result["confusion"]["gender"]["values"][:2] == ["male", "female"]


@pytest.mark.parametrize("baseline", BASELINES)
def test_no_table_goes_without_a_baseline(result, baseline):
    broken = copy.deepcopy(result)
    del broken["rows"][baseline]
    with pytest.raises(ValueError, match=baseline):
        protocol_tables(broken)
    with pytest.raises(ValueError, match=baseline):
        rows_table(broken, "Text", [])
    silent = copy.deepcopy(result)
    silent["rows"][baseline], silent["notes"][baseline] = None, ""
    with pytest.raises(ValueError, match="nothing says why"):
        protocol_tables(silent)
    texts = {name: None for name in BASELINES if name != baseline}
    with pytest.raises(ValueError, match=baseline):
        Baselines(texts, dict.fromkeys(BASELINES, "why"))


@pytest.mark.parametrize("protocol", ["clean", "published"])
def test_every_table_shows_every_row(protocol):
    samples = [replace(sample, captions=("The image shows a man.",)) for sample in people()]
    done = run_protocol(protocol, samples, itself(samples, protocol), ["A man in a red coat."] * 12, resamples=10)
    tables = protocol_tables(done)
    assert len(tables) == (2 if protocol == "published" else 5)
    for table in tables:
        console = Console(file=io.StringIO(), width=250)
        console.print(table)
        shown = console.file.getvalue()
        if not table.title.startswith("Slices"):
            for heading in ("generated text", *BASELINES.values()):
                assert heading in shown, (table.title, heading)


def test_the_constant_sentence_loses_its_preamble_where_the_references_have_none(result):
    assert result["notes"]["constant_sentence"].startswith("The image shows a young adult male from the back.")
    assert "blurry" not in result["notes"]["constant_sentence"]
    samples = people()
    published = run_protocol("published", samples, itself(samples, "published"), resamples=5)
    assert published["notes"]["constant_sentence"] == CONSTANT
    assert published["rows"]["predictions"] is None


def test_the_majority_is_said_in_one_sentence_and_absence_in_none():
    values = majority_values(people())
    assert values["gender"] == ("male",)
    assert values["upper.color"] == ("black",)
    assert values["lower.color"] == ("blue",)
    assert "carrying" not in values
    assert parse(realise(values))["hair.color"] == ("black",)


def test_predicted_heads_speak_where_pictures_are_described():
    samples = people(1)
    man = PersonDescription(text="A man.", attributes={"gender": Attribute(value="male", confidence=0.9)},
                            embedding=(1.0, 0.0), model="made up 1")  # fmt: skip
    made = make_baselines(samples, itself(samples), [man] * 4)
    assert made.texts["predicted_heads"] == ["The image shows a male."] * 4
    assert "made up 1" in made.notes["predicted_heads"]


def test_the_nearest_caption_is_another_persons():
    samples = people()
    rows = nearest_rows(samples, itself(samples))
    assert rows is not None
    for row, found in enumerate(rows):
        assert found != row
        assert samples[found].annotations == samples[row].annotations  # everybody has a twin with equal labels
    one = [replace(sample, identity="one") for sample in samples]
    assert nearest_rows(one, itself(one)) is None
    assert make_baselines(one, itself(one)).texts["nearest_caption"] is None


def test_the_nearest_caption_by_embedding_follows_the_embedding():
    samples = people(1)
    vectors = np.array([[1, 0], [0, 1]], np.float32)
    training = Training("two others", people(1)[:2], ["first", "second"], vectors)
    described = [PersonDescription(text="", embedding=given) for given in ((0.1, 0.9), (0.9, 0.1), (1, 0), (0, 1))]
    made = make_baselines(samples, training, described)
    assert made.texts["nearest_caption"] == ["second", "first", "first", "second"]
    assert made.notes["nearest_caption"] == "nearest by embedding among two others"


def test_references_are_several_from_labels_and_given_ones_are_normalised():
    sample = people(1)[0]
    several = clean_references([sample, sample])
    assert [len(texts) for texts in several] == [5, 5]
    assert several[0][0] == several[1][0] == realise(values_of_annotations(sample.annotations))
    assert several[0][1:] != several[1][1:]  # every row paraphrases in its own way
    assert several == clean_references([sample, sample])
    assert all(parse(text)["upper.color"] == ("red",) for text in several[0])
    raw = "Here is a description of the image:\n\nThe image shows a blurry photo of a man."
    given = replace(sample, captions=(raw,))
    assert clean_references([given]) == [["The image shows a man."]]
    assert raw_references([given, sample]) == [raw, several[0][0]]
    assert origin([given], "clean") == "given captions, normalised"
    assert origin([sample], "clean") == "realised from labels (5 each)"
    assert origin([given, sample], "published") == (
        "the first given caption, raw (1), the others realised from labels"
    )
    nothing = Sample(Path("empty.jpg"), Annotations({}))
    assert clean_references([nothing])[0][0] == raw_references([nothing])[0] == "The image shows a person."


def test_one_text_per_sample():
    with pytest.raises(ValueError, match="1 texts for 4 samples"):
        clean.score(["a"], people(1))
    with pytest.raises(ValueError, match="no samples"):
        clean.score([], [])
    with pytest.raises(ValueError, match="references of 1 pictures for 4"):
        clean.Scorer(people(1), [["a"]])


def test_text_figures_are_none_without_nltk_and_facts_are_not(monkeypatch):
    monkeypatch.setattr("personvlm.metrics.tokens.available", lambda: False)
    samples = people(1)
    done = run_protocol("clean", samples, itself(samples), ["A man."] * 4, resamples=5)
    assert done["rows"]["predictions"]["text"] is None
    assert done["rows"]["predictions"]["facts"]["groups"]["gender"]["accuracy"] == 0.75
    assert "personvlm[evaluate]" in done["notes"]["text"]
    assert not any(table.title.startswith("Text") for table in protocol_tables(done))


def test_published_looks_at_500_rows_and_clean_at_all():
    samples = people(1) * 150
    assert len(scored_rows(samples, "published")) == 500
    assert scored_rows(samples, "clean") is samples
