"""Whether a description tells its person from others: retrieval inside the test set, in pools of people.

Two ways, named in every result. By facts: a text fits a person as well as its statements agree with the person's
labels, confirmed minus contradicted; needs texts only, so that any model's output can be scored, and a constant text
is at chance. By likelihood: a text fits a picture as likely as the decoder finds it; needs a model that tells
likelihoods, and ``pool`` squared of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from personvlm.evaluation.figures import with_intervals
from personvlm.evaluation.truth import Bools, Truth
from personvlm.metrics.intervals import sums_per_identity
from personvlm.metrics.retrieval import recall_at

Floats = NDArray[np.float64]

POOL = 100
"""People per pool: recall depends on it, so it is part of the protocol."""

RANKS = (1, 5, 10)
_DIRECTIONS = ("caption_to_image", "image_to_caption")


@runtime_checkable
class Likely(Protocol):
    """A describer that can say how likely a text is, given a picture."""

    def score(self, inputs: Sequence[Path], texts: Sequence[str], /, *, batch: int) -> Floats:
        """Negative log-likelihood per character ``[N]``."""


def pools(identities: Sequence[str | None], size: int = POOL, seed: int = 0) -> list[NDArray[np.int64]]:
    """Rows in pools of ``size`` different people, one picture of each, in a fixed random order.

    A last incomplete pool is left out; where there are fewer people than ``size``, all of them are one pool.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(identities))
    seen: dict[str | int, int] = {}
    for row in order.tolist():
        name = identities[row]
        seen.setdefault(row if name is None else name, row)
    rows = np.array(list(seen.values()), np.int64)
    count = max(1, len(rows) // size)
    return [rows[start : start + size] for start in range(0, count * size, size)]


def score_retrieval(statements: Bools, truth: Truth, *, size: int = POOL, resamples: int = 1000) -> dict[str, Any]:
    """Retrieval by facts of a set of texts.

    ``caption_to_image``: a text is the query, the pool's people (their labels) are ranked. ``image_to_caption``: a
    person is the query, the pool's texts are ranked.

    Args:
        statements: ``[N, V]``, what each text states.
        truth: the labels of the same samples.
        size: people per pool.
        resamples: of the bootstrap over people.

    Returns:
        ``by``, ``pool`` and ``pools``, and per direction ``R@1``, ``R@5``, ``R@10`` with intervals, and ``chance``.
    """
    groups = pools(truth.identities, size)
    matrices = [statements[rows].astype(np.float64) @ truth.verdict[rows].T.astype(np.float64) for rows in groups]
    return _scored("facts stated, confirmed minus contradicted", truth.identities, groups, matrices, resamples)


def score_retrieval_by_likelihood(
    describer: Likely,
    images: Sequence[Path],
    texts: Sequence[str],
    identities: Sequence[str | None],
    *,
    size: int = POOL,
    most: int = 1,
    batch: int = 16,
    resamples: int = 1000,
) -> dict[str, Any]:
    """Retrieval by the decoder's likelihood of each text given each picture of a pool.

    Similarity is the log-likelihood of a text given a picture, minus the text's mean over the pool's pictures: short
    and common texts are likely whatever is seen, and would win every ``image_to_caption`` otherwise.

    Args:
        describer: tells likelihoods.
        images, texts, identities: ``[N]`` pictures, references, people.
        size: people per pool; ``size ** 2`` likelihoods are computed for each of ``most`` pools.
        most: pools that are scored.
        batch: pictures per call of the model.
        resamples: of the bootstrap over people.
    """
    groups = pools(identities, size)[:most]
    matrices = []
    for rows in groups:
        pairs = [(image, text) for text in rows for image in rows]
        nll = describer.score([images[i] for i, _ in pairs], [texts[t] for _, t in pairs], batch=batch)
        lengths = np.array([len(texts[t]) for t in rows], np.float64)
        matrix = -np.asarray(nll).reshape(len(rows), len(rows)) * lengths[:, None]
        matrices.append(matrix - matrix.mean(1, keepdims=True))
    return _scored("log-likelihood, minus the text's mean over the pool", identities, groups, matrices, resamples)


def _scored(
    by: str,
    identities: Sequence[str | None],
    groups: Sequence[NDArray[np.int64]],
    matrices: Sequence[Floats],
    resamples: int,
) -> dict[str, Any]:
    """Matrices have texts in rows, pictures in columns."""
    found = np.concatenate([np.concatenate([recall_at(matrix, RANKS), recall_at(matrix.T, RANKS)], axis=1)
                            for matrix in matrices])  # fmt: skip
    rows = np.concatenate(groups).tolist()
    cells = np.column_stack([found, np.ones(len(found))])
    per_person = sums_per_identity([identities[row] for row in rows], cells)
    names = [f"{direction} R@{k}" for direction in _DIRECTIONS for k in RANKS]
    figures = with_intervals(names, per_person, lambda totals: totals[:, :-1] / totals[:, -1:], resamples)
    pool = len(groups[0])
    return {
        "by": by, "pool": pool, "pools": len(groups),
        **{direction: {f"R@{k}": figures[f"{direction} R@{k}"] for k in RANKS} for direction in _DIRECTIONS},
        "chance": {f"R@{k}": min(1.0, k / pool) for k in RANKS},
    }  # fmt: skip
