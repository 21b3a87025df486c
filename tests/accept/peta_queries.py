"""Questions in plain words built from PETA's labels, and how well rankings answer them: precision of the first ten.

A question fits a crop that has its label, or both labels. Only questions with at least 30 fitting crops count, and
every question counts alike. Beside the search stand BM25 over the texts alone (FTS5's, any of the words), and the
embedding alone (an example that fits is given in place of words; crops of the example's own person do not count).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personvlm.data.sample import Sample
from personvlm.language.tokens import split
from personvlm.schema import PersonDescription
from personvlm.store import Store

LEAST = 30
TOP = 10

_COLORS = ("Black", "Blue", "Brown", "Green", "Grey", "Orange", "Pink", "Purple", "Red", "White", "Yellow")
_HAIR = ("Black", "Brown", "Grey", "White", "Red")

# PETA's label -> (the group it belongs to, words of a question). Labels without a word (Other) cannot be asked for.
LABELS: dict[str, tuple[str, str]] = {
    "personalMale": ("gender", "a man"), "personalFemale": ("gender", "a woman"),
    "personalLess15": ("age", "a child"), "personalLess30": ("age", "a young adult"),
    "personalLess45": ("age", "somebody in their thirties"), "personalLess60": ("age", "a middle-aged person"),
    "personalLarger60": ("age", "an elderly person"),
    "hairLong": ("hair.length", "long hair"), "hairShort": ("hair.length", "short hair"),
    "hairBald": ("hair.length", "bald"), "hairYellow": ("hair.color", "blond hair"),
    **{f"hair{color}": ("hair.color", f"{color.lower()} hair") for color in _HAIR},
    "accessoryHat": ("headwear", "a hat"), "accessoryMuffler": ("neckwear", "a scarf"),
    "accessorySunglasses": ("eyewear", "sunglasses"), "accessoryHeadphone": ("headphones", "headphones"),
    "upperBodyJacket": ("upper.garment", "a jacket"), "upperBodySuit": ("upper.garment", "a suit"),
    "upperBodySweater": ("upper.garment", "a sweater"), "upperBodyTshirt": ("upper.garment", "a t-shirt"),
    "upperBodyNoSleeve": ("upper.sleeve", "a sleeveless top"), "upperBodyVNeck": ("upper.neckline", "a v-neck"),
    "upperBodyShortSleeve": ("upper.sleeve", "short sleeves"), "upperBodyLongSleeve": ("upper.sleeve", "long sleeves"),
    "upperBodyFormal": ("upper.style", "a formal top"), "upperBodyCasual": ("upper.style", "a casual top"),
    "upperBodyPlaid": ("upper.pattern", "a plaid top"), "upperBodyLogo": ("upper.pattern", "a logo"),
    "upperBodyThinStripes": ("upper.pattern", "thin stripes"),
    "upperBodyThickStripes": ("upper.pattern", "thick stripes"),
    **{f"upperBody{color}": ("upper.color", f"a {color.lower()} top") for color in _COLORS},
    "lowerBodyJeans": ("lower.garment", "jeans"), "lowerBodyTrousers": ("lower.garment", "trousers"),
    "lowerBodyShorts": ("lower.garment", "shorts"), "lowerBodyShortSkirt": ("lower.garment", "a short skirt"),
    "lowerBodyLongSkirt": ("lower.garment", "a long skirt"), "lowerBodyHotPants": ("lower.garment", "hot pants"),
    "lowerBodyCapri": ("lower.garment", "capri pants"), "lowerBodySuits": ("lower.garment", "suit trousers"),
    "lowerBodyFormal": ("lower.style", "formal bottoms"), "lowerBodyCasual": ("lower.style", "casual bottoms"),
    **{f"lowerBody{color}": ("lower.color", f"{color.lower()} bottoms") for color in _COLORS},
    "footwearBoots": ("footwear.type", "boots"), "footwearSandals": ("footwear.type", "sandals"),
    "footwearLeatherShoes": ("footwear.type", "leather shoes"), "footwearSneakers": ("footwear.type", "sneakers"),
    "footwearShoes": ("footwear.type", "shoes"), "footwearStocking": ("footwear.type", "stockings"),
    **{f"footwear{color}": ("footwear.color", f"{color.lower()} footwear") for color in _COLORS},
    "carryingBackpack": ("carrying", "a backpack"), "carryingMessengerBag": ("carrying", "a messenger bag"),
    "carryingPlasticBags": ("carrying", "a plastic bag"), "carryingLuggageCase": ("carrying", "luggage"),
    "carryingSuitcase": ("carrying", "a suitcase"), "carryingFolder": ("carrying", "a folder"),
    "carryingUmbrella": ("carrying", "an umbrella"), "carryingBabyBuggy": ("carrying", "a stroller"),
    "carryingNothing": ("carrying", "carrying nothing"),
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One question: its words, and which crops fit, ``bool [N]``."""

    words: str
    labels: tuple[str, ...]
    fits: NDArray[np.bool_]


def questions(samples: Sequence[Sample], attributes: int) -> list[Asked]:
    """Every question of one or two labels, of different groups, that enough crops fit."""
    has = {label: np.array([label in sample.labels for sample in samples]) for label in LABELS}
    asked = []
    for labels in itertools.combinations(LABELS, attributes):
        if len({LABELS[label][0] for label in labels}) < attributes:
            continue
        fits = np.logical_and.reduce([has[label] for label in labels])
        if fits.sum() >= LEAST:
            asked.append(Asked(" with ".join(LABELS[label][1] for label in labels), labels, fits))
    return asked


def mean_precision(asked: Sequence[Asked], rank: Callable[[Asked], Sequence[int]]) -> tuple[float, list[float]]:
    """Precision of the first ten, macro-averaged, and of each question. A shorter ranking has missed the rest."""
    each = [float(np.sum(question.fits[list(rank(question))[:TOP]])) / TOP for question in asked]
    return float(np.mean(each)), each


def by_search(store: Store, rows: dict[str, int]) -> Callable[[Asked], list[int]]:
    """The ranking of :meth:`Store.search`; ``rows`` is the place of each person among the samples."""

    def rank(asked: Asked) -> list[int]:
        return [rows[hit.described.request.person] for hit in store.search(asked.words, limit=TOP).hits]

    return rank


def by_bm25(store: Store, numbers: dict[int, int]) -> Callable[[Asked], list[int]]:
    """The ranking of FTS5 over the texts, any of the words; ``numbers`` is the place of each tracks.id."""

    def rank(asked: Asked) -> list[int]:
        words = " OR ".join(f'"{word}"' for word in split(asked.words) if word not in ("a", "an", "with"))
        with store.read() as connection:
            found = connection.exec_driver_sql(
                "SELECT rowid FROM search_text WHERE search_text MATCH ? ORDER BY bm25(search_text), rowid LIMIT 10",
                (words,),
            ).all()
        return [numbers[row[0]] for row in found]

    return rank


def by_embedding(asked: Sequence[Asked], samples: Sequence[Sample], descriptions: Sequence[PersonDescription],
                 examples: int = 20) -> tuple[float, list[float]]:  # fmt: skip
    """Precision of the first ten that look most like an example, over up to ``examples`` examples of each question."""
    vectors = np.array([one.embedding for one in descriptions], np.float32)
    people = np.array([sample.identity or str(place) for place, sample in enumerate(samples)])
    rng = np.random.default_rng(0)
    each = []
    for question in asked:
        fitting = np.flatnonzero(question.fits)
        chosen = rng.choice(fitting, min(examples, len(fitting)), replace=False)
        cosine = vectors[chosen] @ vectors.T
        cosine[people[chosen][:, None] == people[None]] = -np.inf
        first = np.argpartition(-cosine, TOP, axis=1)[:, :TOP]
        each.append(float(question.fits[first].mean()))
    return float(np.mean(each)), each
