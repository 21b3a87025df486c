"""Text metrics against pycocoevalcap where it is installed, and against transcriptions and hand-worked cases."""

import json
import math
import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from personvlm.metrics.text import (
    DocumentFrequencies,
    bleu,
    bleu_counts,
    bleu_of_counts,
    cider,
    cider_d,
    distinct_n,
    longest_common_subsequence,
    mean_length,
    nll_per_character,
    rouge_l,
)


def words(text):
    return text.split()


WORDS = words("a man woman in red blue black coat jacket walking with backpack and shoes")


def random_texts(seed, samples=30, references=3):
    rng = random.Random(seed)

    def text():
        return [rng.choice(WORDS) for _ in range(rng.randint(3, 15))]

    several = [[text() for _ in range(rng.randint(1, references))] for _ in range(samples)]
    return [several[0][0], *(text() for _ in range(samples - 1))], several  # one equal pair: 4-grams match somewhere


def real_pairs():
    """500 pairs of real captions: each is scored against the next two."""
    path = Path(os.environ.get("PERSONVLM_ASSETS", "")) / "data" / "msp60k" / "captions.jsonl"
    if not path.is_file():
        pytest.skip("PERSONVLM_ASSETS does not hold data/msp60k/captions.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines()[:502]
    texts = [json.loads(line)["answer"].lower().split() for line in lines]
    return texts[:500], [[texts[i + 1], texts[i + 2]] for i in range(500)]


@pytest.mark.parametrize("source", ["random", "real"])
def test_agrees_with_pycocoevalcap(source):
    pytest.importorskip("pycocoevalcap", reason="pycocoevalcap is not installed; it is needed for this comparison only")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    candidates, references = random_texts(0) if source == "random" else real_pairs()
    given = {row: [" ".join(one) for one in several] for row, several in enumerate(references)}
    result = {row: [" ".join(one)] for row, one in enumerate(candidates)}
    assert bleu(candidates, references) == pytest.approx(Bleu(4).compute_score(given, result, verbose=0)[0], abs=1e-6)
    assert rouge_l(candidates, references) == pytest.approx(Rouge().compute_score(given, result)[1], abs=1e-6)
    assert cider_d(candidates, references) == pytest.approx(Cider().compute_score(given, result)[1], abs=1e-6)


def literal_cider(candidates, references, clip):
    """Equations 1 to 3 of the paper over explicit vocabularies; with ``clip`` section 5."""
    def grams(tokens, order):
        return Counter(tuple(tokens[i : i + order]) for i in range(len(tokens) - order + 1))

    scores = []
    for candidate, several in zip(candidates, references, strict=True):
        per_order = []
        for order in range(1, 5):
            seen = [set().union(*(grams(one, order) for one in texts)) for texts in references]

            def weigh(tokens, seen=seen, order=order):
                return {gram: count * math.log(len(references) / max(1, sum(gram in texts for texts in seen)))
                        for gram, count in grams(tokens, order).items()}  # fmt: skip

            values = []
            hypothesis = weigh(candidate)
            for one in several:
                reference = weigh(one)
                above = sum((min(weight, reference.get(gram, 0)) if clip else weight) * reference.get(gram, 0)
                            for gram, weight in hypothesis.items())  # fmt: skip
                below = math.sqrt(sum(w * w for w in hypothesis.values()) * sum(w * w for w in reference.values()))
                penalty = math.exp(-((len(candidate) - len(one)) ** 2) / 72) if clip else 1.0
                values.append(penalty * above / below if below else 0.0)
            per_order.append(sum(values) / len(values))
        scores.append(10 * sum(per_order) / 4)
    return scores


@pytest.mark.parametrize("seed", range(3))
def test_cider_and_cider_d_equal_their_equations(seed):
    candidates, references = random_texts(seed, samples=12)
    assert cider(candidates, references) == pytest.approx(literal_cider(candidates, references, False), abs=1e-9)
    assert cider_d(candidates, references) == pytest.approx(literal_cider(candidates, references, True), abs=1e-9)


def test_repetition_is_rewarded_by_cider_and_not_by_cider_d():
    references = [[words("a red coat")], [words("a blue hat")], [words("a man")]]
    once, often = [words("a red coat")] * 3, [words("a red coat red coat red coat")] * 3
    assert cider_d(often, references)[0] < 0.7 * cider_d(once, references)[0]
    assert cider(often, references)[0] > cider_d(often, references)[0]


def test_given_document_frequencies_are_used():
    candidates, references = random_texts(1)
    alone = cider_d(candidates[:5], references[:5], DocumentFrequencies.of(references))
    assert alone == pytest.approx(cider_d(candidates, references)[:5])


def test_bleu_by_hand():
    # Clipping (Papineni et al.): "the" occurs twice in a reference, so 2 of 7 count.
    candidate = ["the"] * 7
    references = [words("the cat is on the mat"), words("there is a cat on the mat")]
    assert bleu([candidate], [references])[0] == pytest.approx(2 / 7)
    # Brevity: 2 tokens against 3, all matching.
    assert bleu([["a", "red"]], [[["a", "red", "coat"]]])[:2] == pytest.approx((math.exp(-0.5), math.exp(-0.5)))
    assert bleu([["a", "red"]], [[["a", "red", "coat"]]])[3] == 0.0
    assert bleu([[]], [[["a"]]]) == (0.0, 0.0, 0.0, 0.0)


def test_bleu_of_many_totals_at_once():
    counts = bleu_counts(*random_texts(2))
    stacked = bleu_of_counts(np.stack([counts.sum(0), counts[:10].sum(0)]))
    assert stacked[1] == pytest.approx(bleu_of_counts(counts[:10].sum(0)))


def literal_lcs(first, second):
    if not first or not second:
        return 0
    if first[-1] == second[-1]:
        return literal_lcs(first[:-1], second[:-1]) + 1
    return max(literal_lcs(first[:-1], second), literal_lcs(first, second[:-1]))


@pytest.mark.parametrize("seed", range(20))
def test_longest_common_subsequence_equals_its_recursion(seed):
    rng = random.Random(seed)
    first, second = ([rng.choice("abcd") for _ in range(rng.randint(0, 8))] for _ in range(2))
    assert longest_common_subsequence(first, second) == literal_lcs(first, second)


def test_rouge_l_by_hand():
    score = rouge_l([["a", "man", "in", "red"]], [[["a", "man", "red"], ["a", "woman", "in", "red"]]])[0]
    precision, recall = 3 / 4, 1.0  # the best of each, from different references
    assert score == pytest.approx(2.44 * precision * recall / (recall + 1.44 * precision))
    assert rouge_l([[]], [[["a"]]])[0] == 0.0


def test_what_a_set_of_texts_is_like():
    texts = [["a", "b", "a", "b"], ["a", "b"]]
    assert distinct_n(texts, 1) == pytest.approx(2 / 6)
    assert distinct_n(texts, 2) == pytest.approx(2 / 4)
    assert math.isnan(distinct_n([], 1))
    assert mean_length(texts) == 3.0
    assert nll_per_character([6.0, 2.0], ["abcd", "efgh"]) == 1.0


def test_strings_and_missing_references_are_refused():
    with pytest.raises(TypeError, match="split them first"):
        bleu(["a man"], [[["a", "man"]]])
    with pytest.raises(ValueError, match="no reference for candidate 1"):
        rouge_l([["a"], ["b"]], [[["a"]], []])
    with pytest.raises(ValueError, match="2 candidates"):
        cider_d([["a"], ["b"]], [[["a"]]])
    with pytest.raises(ValueError, match="one sum per text"):
        nll_per_character([1.0], ["a", "b"])
