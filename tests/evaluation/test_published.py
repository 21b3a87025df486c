"""The protocol ``published``: the known figures of the constant sentence, its bugs, and its formulas against nltk."""

import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("nltk", reason="nltk is not installed; pip install 'personvlm[evaluate]'")

from nltk.translate.bleu_score import SmoothingFunction, corpus_bleu

from personvlm.evaluation.baselines import CONSTANT
from personvlm.evaluation.protocols import published
from personvlm.metrics.tokens import tokenize

TEXTS = (
    "The image shows a man in a black jacket and blue jeans, walking.",
    "A woman with brown hair carries a red handbag. She is standing.",
    "The image shows an elderly man with gray hair holding an umbrella.",
    "A young girl in a white dress. She has a backpack.",
)


@pytest.fixture(scope="module")
def scored(msp60k_rows):
    """The constant sentence on the real captions."""
    captions = [row["answer"] for row in msp60k_rows]
    return published.score([CONSTANT] * len(captions), captions)


def test_the_constant_sentence_scores_what_is_known_of_the_studys_code(scored):
    assert scored["n"] == 500
    assert scored["text"]["bleu_4"]["value"] == pytest.approx(0.2527, abs=0.0002)
    assert scored["text"]["rouge_l"]["value"] == pytest.approx(0.4339, abs=0.0002)
    assert scored["attributes"]["mean"]["value"] == pytest.approx(0.649, abs=0.0005)
    # The numbers of references with a hair color and an age are those of the study's own table.
    assert (scored["attributes"]["hair_color"]["n"], scored["attributes"]["age"]["n"]) == (254, 130)


def test_bleu_equals_nltk_with_smoothing_method_1():
    predictions = [TEXTS[1], TEXTS[0], "walking", TEXTS[3] + " " + TEXTS[2]]
    scored = published.score(predictions, TEXTS, resamples=10)["text"]
    references, candidates = [[tokenize(text)] for text in TEXTS], [tokenize(text) for text in predictions]
    for order, weights in enumerate(((1,), (0.5,) * 2, (0.33,) * 3, (0.25,) * 4), start=1):
        expected = corpus_bleu(references, candidates, weights, smoothing_function=SmoothingFunction().method1)
        assert scored[f"bleu_{order}"]["value"] == pytest.approx(expected, abs=1e-9)


def test_bleu_without_any_four_gram_is_smoothed_and_without_any_word_zero():
    def scored(text):
        return published.score([text], ["the man walks to a red house"], resamples=2)["text"]["bleu_4"]["value"]

    reference = [[["the", "man", "walks", "to", "a", "red", "house"]]]
    candidate = ["a", "man", "to", "the", "red", "house", "walks"]
    expected = corpus_bleu(reference, [candidate], smoothing_function=SmoothingFunction().method1)
    assert scored(" ".join(candidate)) == pytest.approx(expected)
    assert expected > 0
    assert scored("nobody") == 0.0
    assert scored("") == 0.0


def literal_single_vector(references, hypotheses):
    """Term frequency per order, idf over rows, all orders in one vector, one cosine, times ten."""
    frequency = defaultdict(int)
    for tokens in references:
        for gram in {tuple(tokens[i : i + n]) for n in range(1, 5) for i in range(len(tokens) - n + 1)}:
            frequency[gram] += 1

    def vector(tokens):
        result = {}
        for n in range(1, 5):
            grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
            for gram in grams:
                share = grams.count(gram) / len(grams)
                result[gram] = share * math.log(len(references) / max(frequency[gram], 1))
        return result

    scores = []
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        one, other = vector(reference), vector(hypothesis)
        dot = sum(weight * other.get(gram, 0) for gram, weight in one.items())
        norm = math.sqrt(sum(w * w for w in one.values())) * math.sqrt(sum(w * w for w in other.values()))
        scores.append(10 * dot / norm if norm else 0.0)
    return scores


def test_single_vector_cider_equals_a_literal_transcription():
    references = [tokenize(text) for text in TEXTS]
    hypotheses = [tokenize(text) for text in (TEXTS[1], TEXTS[0] + TEXTS[1], "", TEXTS[3])]
    expected = literal_single_vector(references, hypotheses)
    assert published.single_vector_cider(hypotheses, references) == pytest.approx(expected)
    assert expected[3] == pytest.approx(10.0)
    assert expected[2] == 0.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A man in a dark-colored shirt.", {"gender": "male", "upper_color": "red"}),  # "colo-RED SHIRT"
        ("A woman holding a bag.", {"gender": "female", "age": "old", "bag": "bag"}),  # "h-OLD-ing"
        ("A human with a laptop.", {"gender": "male"}),  # "hu-MAN"
        ("White trousers, then black jeans.", {"lower_color": "black"}),  # the list's order, not the text's
        ("A black leather jacket.", {}),  # the color must stand right before the garment
        ("A middle aged lady with a purse, gray-haired.",
         {"gender": "female", "age": "middle", "hair_color": "gray", "bag": "handbag"}),
    ],
)  # fmt: skip
def test_keywords_with_their_bugs(text, expected):
    assert published.attributes(text) == expected


def test_a_group_counts_where_the_reference_has_it_and_the_mean_is_over_groups():
    references = ["A man with a bag.", "A woman.", "A man with black hair."]
    scored = published.score(["A man with a backpack."] * 3, references, resamples=20)["attributes"]
    assert (scored["gender"]["value"], scored["gender"]["n"]) == (pytest.approx(2 / 3), 3)
    assert (scored["bag"]["value"], scored["bag"]["n"]) == (0.0, 1)
    assert (scored["age"]["value"], scored["age"]["n"]) == (None, 0)
    assert scored["mean"]["value"] == pytest.approx((2 / 3 + 0 + 0) / 3)


def test_keyword_overlap_by_hand():
    scored = published.score(["A man in a black coat, standing."], ["A woman in a black coat and red dress."],
                             resamples=2)["keyword_overlap"]  # fmt: skip
    assert scored["color"]["value"] == pytest.approx(1 / 2)
    assert scored["clothing"]["value"] == pytest.approx(1 / 2)
    assert scored["action"]["value"] is None
    assert scored["gender"]["value"] == pytest.approx(1 / 2)  # "woman" holds "man" too: one of two is found
    assert scored["mean"]["value"] == pytest.approx(1 / 2)


def test_only_the_first_500_rows_count_and_people_are_resampled():
    references = ["A man in a red coat."] * 500 + ["A dog."] * 20
    assert published.score(references, references, resamples=5)["n"] == 500
    rng = np.random.default_rng(0)
    texts = [TEXTS[i] for i in rng.integers(0, 4, 60)]
    alone = published.score([TEXTS[0]] * 60, texts, resamples=200)["text"]["rouge_l"]
    one_person = published.score([TEXTS[0]] * 60, texts, ["a"] * 60, resamples=200)["text"]["rouge_l"]
    assert alone["interval"][0] < alone["value"] < alone["interval"][1]
    assert one_person["interval"] == pytest.approx([one_person["value"]] * 2)
    with pytest.raises(ValueError, match="1 texts for 2 references"):
        published.score(["a"], ["a", "b"])


def test_the_table_in_the_documentation_is_what_the_command_computes(scored):
    shown = [scored["text"][name] for name in published.TEXT]
    shown += [scored["attributes"]["mean"], scored["keyword_overlap"]["mean"]]
    percents = [*[True] * 5, False, True, True]
    value = [f"{100 * item['value']:.1f} %" if percent else f"{item['value']:.2f}"
             for item, percent in zip(shown, percents, strict=True)]  # fmt: skip
    bounds = ["–".join(f"{100 * bound:.1f}" if percent else f"{bound:.2f}" for bound in item["interval"])
              for item, percent in zip(shown, percents, strict=True)]  # fmt: skip
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text("utf-8")
    assert f"| constant sentence | {' | '.join(value)} |\n" in page
    assert f"| 95 % interval | {' | '.join(bounds)} |\n" in page
