"""Text metrics against pycocoevalcap where it is installed, and against transcriptions and hand-worked cases."""

import math
import random
from collections import Counter

import numpy as np
import pytest

from personvlm.metrics.text import (
    DocumentFrequencies,
    References,
    bleu,
    bleu_counts,
    bleu_of_counts,
    cider,
    cider_d,
    consensus,
    distinct_n,
    longest_common_subsequence,
    nll_per_character,
    rouge_l,
)
from personvlm.metrics.tokens import tokenize


def words(text):
    return text.split()


WORDS = words("a man woman in red blue black coat jacket walking with backpack and shoes")


def random_texts(seed, samples=30, references=3):
    rng = random.Random(seed)

    def text():
        return [rng.choice(WORDS) for _ in range(rng.randint(3, 15))]

    several = [[text() for _ in range(rng.randint(1, references))] for _ in range(samples)]
    return [several[0][0], *(text() for _ in range(samples - 1))], several  # one equal pair: 4-grams match somewhere


@pytest.fixture(scope="module")
def real_pairs(msp60k_rows):
    """500 pairs of real captions, cut by the protocols' tokenizer: each is scored against the next two."""
    pytest.importorskip("nltk", reason="nltk is not installed; pip install 'personvlm[evaluate]'")
    texts = [tokenize(row["answer"]) for row in msp60k_rows]
    return texts[:500], [[texts[i + 1], texts[i + 2]] for i in range(500)]


@pytest.mark.parametrize("source", ["random", "real"])
def test_agrees_with_pycocoevalcap(source, request):
    pytest.importorskip("pycocoevalcap", reason="pycocoevalcap is not installed; it is needed for this comparison only")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    candidates, references = random_texts(0) if source == "random" else request.getfixturevalue("real_pairs")
    given = {row: [" ".join(one) for one in several] for row, several in enumerate(references)}
    result = {row: [" ".join(one)] for row, one in enumerate(candidates)}
    assert bleu(candidates, references) == pytest.approx(Bleu(4).compute_score(given, result, verbose=0)[0], abs=1e-6)
    assert rouge_l(candidates, references) == pytest.approx(Rouge().compute_score(given, result)[1], abs=1e-6)
    assert cider_d(candidates, references) == pytest.approx(Cider().compute_score(given, result)[1], abs=1e-6)


def literal_bleu(candidates, references):
    """Papineni et al., section 2, with fractions added up over the corpus; brevity against the closest length."""
    length = closest = 0
    above, below = [0] * 4, [0] * 4
    for candidate, several in zip(candidates, references, strict=True):
        length += len(candidate)
        closest += sorted((abs(len(one) - len(candidate)), len(one)) for one in several)[0][1]
        for order in range(1, 5):
            counts, others = ngrams(candidate, order), [ngrams(one, order) for one in several]
            for gram, count in counts.items():
                above[order - 1] += min(count, max(other[gram] for other in others))
            below[order - 1] += sum(counts.values())
    brevity = min(1.0, math.exp(1 - closest / length))
    logs = [math.log(top / bottom) for top, bottom in zip(above, below, strict=True)]
    return [brevity * math.exp(sum(logs[:order]) / order) for order in range(1, 5)]


def literal_rouge_l(candidates, references):
    scores = []
    for candidate, several in zip(candidates, references, strict=True):
        precisions, recalls = [], []
        for one in several:
            table = [[0] * (len(one) + 1) for _ in range(len(candidate) + 1)]
            for i, word in enumerate(candidate):
                for j, other in enumerate(one):
                    table[i + 1][j + 1] = table[i][j] + 1 if word == other else max(table[i][j + 1], table[i + 1][j])
            precisions.append(table[-1][-1] / len(candidate))
            recalls.append(table[-1][-1] / len(one))
        p, r = max(precisions), max(recalls)
        scores.append((1 + 1.2**2) * p * r / (r + 1.2**2 * p) if p and r else 0.0)
    return scores


def literal_cider(candidates, references, clip):
    """Equations 1 to 3 of the paper, order by order; with ``clip`` section 5."""
    scores = [0.0] * len(candidates)
    for order in range(1, 5):
        seen = Counter(gram for texts in references for gram in set().union(*(ngrams(one, order) for one in texts)))

        def weigh(tokens, seen=seen, order=order):
            return {gram: count * math.log(len(references) / max(1, seen[gram]))
                    for gram, count in ngrams(tokens, order).items()}  # fmt: skip

        for row, (candidate, several) in enumerate(zip(candidates, references, strict=True)):
            hypothesis = weigh(candidate)
            for one in several:
                reference = weigh(one)
                above = sum((min(weight, reference.get(gram, 0)) if clip else weight) * reference.get(gram, 0)
                            for gram, weight in hypothesis.items())  # fmt: skip
                below = math.sqrt(sum(w * w for w in hypothesis.values()) * sum(w * w for w in reference.values()))
                penalty = math.exp(-((len(candidate) - len(one)) ** 2) / 72) if clip else 1.0
                scores[row] += 10 / 4 * (penalty * above / below if below else 0.0) / len(several)
    return scores


def ngrams(tokens, order):
    return Counter(tuple(tokens[i : i + order]) for i in range(len(tokens) - order + 1))


def test_equal_to_literal_transcriptions_on_500_real_pairs(real_pairs):
    candidates, references = real_pairs
    assert bleu(candidates, references) == pytest.approx(literal_bleu(candidates, references), abs=1e-9)
    assert cider(candidates, references) == pytest.approx(literal_cider(candidates, references, False), abs=1e-6)
    assert cider_d(candidates, references) == pytest.approx(literal_cider(candidates, references, True), abs=1e-6)
    few = slice(0, 60)  # the table of the textbook takes its time
    assert rouge_l(candidates[few], references[few]) == pytest.approx(
        literal_rouge_l(candidates[few], references[few]), abs=1e-9
    )


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


def test_both_in_one_pass_and_references_prepared_once():
    candidates, references = random_texts(4)
    prepared = References(references)
    both = consensus(candidates, prepared)
    assert both[:, 0] == pytest.approx(cider(candidates, references))
    assert both[:, 1] == pytest.approx(cider_d(candidates, references))
    assert consensus(candidates[::-1], prepared)[:, 1] == pytest.approx(cider_d(candidates[::-1], references))


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
