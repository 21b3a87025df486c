"""How long searches take: questions of three kinds, and their times in milliseconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from personvlm.store import Store
from personvlm.store.reading import Filters

QUESTIONS: Mapping[str, Sequence[str]] = {
    "attributes": (
        "a man", "woman in a red jacket without a hat, about thirty", "red or orange top", "no backpack",
        "elderly man in a suit", "woman with long hair and a handbag", "child in a yellow jacket",
        "man in black with a backpack", "someone in blue jeans and white sneakers", "a jacket or coat in dark blue",
        "young woman in a short skirt", "bald man with glasses", "man with a suitcase but no hat",
        "purple top and green trousers", "person in a plaid shirt carrying a plastic bag", "dark hair, light jacket",
        "woman in her thirties with boots", "seen from behind, carrying a bag", "teenager in shorts",
        "not a man, not carrying anything",
    ),
    "text": (
        '"dark blue"', '"red jacket"', '"casual black trousers"', '"short black hair"', '"carrying luggage"',
        '"plain top"', '"formal"', '"in his thirties"', "zebra", '"gray jeans"', '"leather shoes"', '"wearing"',
        '"backpack"', '"sunglasses"', '"long-sleeved striped"', '"messenger bag"', '"adult female"', '"white sneakers"',
    ),
    "mixed": (
        'woman "red jacket"', 'man with a backpack "gray jeans"', 'man "leather shoes" no hat', "man with a lanyard",
        'woman in a coat "seen from the back"', 'elderly "plaid"', 'somebody in blue "messenger bag"',
        'red or orange top "black trousers"', 'child "sneakers"', 'woman with long hair "wearing"',
        'man in a suit "briefcase"', 'woman "short skirt" "boots"',
    ),
}  # fmt: skip
"""Attributes alone, the text alone (quoted words are looked for in it; "wearing" is in every text), and both."""


def times(store: Store, questions: Sequence[str], rounds: int, filters: Sequence[Filters],
          clock: Callable[[], float] = time.perf_counter) -> list[float]:  # fmt: skip
    """Milliseconds of each search, ``rounds`` times through all questions, each time under another of ``filters``."""
    taken = []
    for number in range(rounds):
        for place, question in enumerate(questions):
            began = clock()
            store.search(question, filters=filters[(number + place) % len(filters)])
            taken.append(1000 * (clock() - began))
    return taken


def table(store: Store, rounds: int = 5, filters: Sequence[Filters] = (Filters(),)) -> dict[str, dict[str, float]]:
    """Kind -> p50, p95 and the longest, after one round that fills the memory (``first``: the longest of that)."""
    result = {}
    for kind, questions in QUESTIONS.items():
        first = times(store, questions, 1, filters)
        taken = times(store, questions, rounds, filters)
        p50, p95 = np.percentile(taken, (50, 95))
        result[kind] = {"p50": float(p50), "p95": float(p95), "longest": max(taken), "first": max(first)}
        print(f"  {kind:<12} p50 {p50:6.1f}  p95 {p95:6.1f}  longest {max(taken):6.1f}  first round, longest "
              f"{max(first):6.1f} ms  ({len(taken)} searches)", flush=True)  # fmt: skip
    return result
