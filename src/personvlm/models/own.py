"""Attribute groups of one's own: small heads on what the eyes give, and the user's words for what they find.

Torch-free: the deployed runtime asks them too. They stand beside the schema, not in it: a description holds them in
``own``, and its text says them in a sentence each ("He is wearing a guard's uniform."). A group may bear the name of
one of the schema's; then it adds values to it ("turban" to headwear), and where one of these holds, the schema's is not
said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.language.parser import parse
from personvlm.models.appearance_inputs import kept_columns, striped
from personvlm.schema import GROUP, NONE, Attribute

FILE, WEIGHTS = "own.json", "own.npz"
SURE = 0.8
"""Probability from which a value is stated, unless everything is to be said."""

Floats = NDArray[np.float64]
Words = Mapping[str, Mapping[str, str]]
"""Group -> value -> what follows "He is"; empty: never said. Every group has the value ``none``."""

_PRONOUN = {"male": "He is", "female": "She is"}


@dataclass(frozen=True)
class OwnHeads:
    """Heads of all groups of one's own.

    Attributes:
        words: see :data:`Words`; the values of a group in the order of its columns.
        weight: group -> ``[K, F]``.
        bias: group -> ``[K]``.
        grid: rows and columns of the visual tokens.
    """

    words: Words
    weight: Mapping[str, Floats]
    bias: Mapping[str, Floats]
    grid: tuple[int, int]

    def decide(self, tokens: NDArray[np.float32], embedding: NDArray[np.float32], logits: NDArray[np.float32],
               everything: bool) -> list[dict[str, Attribute]]:  # fmt: skip
        """What holds of N crops: group -> value, left out where nothing is sure enough.

        Args:
            tokens, embedding, logits: as the eyes give them, ``[N, T, D]``, ``[N, E]``, ``[N, C]``.
            everything: state the most probable value of every group.
        """
        features = np.concatenate(own_features(tokens, embedding, logits, self.grid), 1)
        found: list[dict[str, Attribute]] = [{} for _ in features]
        for name, values in self.words.items():
            z = features @ self.weight[name].T + self.bias[name]
            exp = np.exp(z - z.max(1, keepdims=True))
            for item, row in zip(found, exp / exp.sum(1, keepdims=True), strict=True):
                best = int(row.argmax())
                if everything or row[best] >= SURE:
                    item[name] = Attribute(value=list(values)[best], confidence=float(row[best]))
        return found

    def said(self, text: str, own: Mapping[str, Attribute], gender: str | None) -> str:
        """The text, and a sentence for each value that has words."""
        starts = _PRONOUN.get(gender or "", "They are")
        clauses = [self.words[name][str(item.value)] for name, item in own.items()]
        return " ".join([text, *(f"{starts} {clause}." for clause in clauses if clause)]).strip()

    def with_others(self, others: OwnHeads) -> OwnHeads:
        """These and ``others``, which replace those of the same name."""
        return OwnHeads({**self.words, **others.words}, {**self.weight, **others.weight},
                        {**self.bias, **others.bias}, self.grid)  # fmt: skip

    def save(self, directory: Path) -> None:
        """Write ``own.json`` and ``own.npz`` into ``directory``."""
        told = {"words": {name: dict(values) for name, values in self.words.items()}, "grid": list(self.grid)}
        (directory / FILE).write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")
        arrays = {f"{kind}/{name}": part.astype(np.float32) for kind, parts in
                  (("weight", self.weight), ("bias", self.bias)) for name, part in parts.items()}  # fmt: skip
        with (directory / WEIGHTS).open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, directory: Path) -> OwnHeads | None:
        """Read them from ``directory``; None where the model has none.

        Raises:
            InputError: a file is broken.
        """
        if not (directory / FILE).is_file():
            return None
        try:
            told = json.loads((directory / FILE).read_text("utf-8"))
            with np.load(directory / WEIGHTS) as arrays:
                weight, bias = ({name: arrays[f"{kind}/{name}"].astype(np.float64) for name in told["words"]}
                                for kind in ("weight", "bias"))  # fmt: skip
            rows, cols = told["grid"]
            return cls(told["words"], weight, bias, (rows, cols))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{directory / FILE}: no heads of one's own ({error}); adapt the model again") from error


def without_replaced(attributes: Mapping[str, Attribute], own: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """Attributes without groups to which one's own value was added and holds."""
    return {name: item for name, item in attributes.items() if name not in own or own[name].value == NONE}


def own_features(tokens: NDArray[Any], embedding: NDArray[Any], logits: NDArray[Any],
                 grid: tuple[int, int]) -> list[Floats]:  # fmt: skip
    """Three blocks ``[N, F]``: the appearance vector, three stripes of the picture, logits without gender and age."""
    blocks = (embedding, np.concatenate(striped(tokens, grid), 1), logits[:, kept_columns()])
    return [np.asarray(block, np.float64) for block in blocks]


def read_words(path: Path) -> dict[str, dict[str, str]]:
    """Words of groups of one's own, from JSON: ``{"uniform": {"guard": "wearing a guard's uniform", "none": ""}}``.

    Raises:
        InputError: not such a file, a value of the schema under another name, or words that state something which the
            model decides itself.
    """
    try:
        told = json.loads(path.read_text("utf-8"))
        words = {str(name): {str(value): str(said or "").strip().rstrip(".") for value, said in values.items()}
                 for name, values in told.items()}  # fmt: skip
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f'{path}: not words of your own ({error}); write JSON as in {{"uniform": {{"guard": "wearing '
                         'a guard\'s uniform", "none": ""}}}}') from None  # fmt: skip
    for name, values in words.items():
        for value, clause in values.items():
            if name in GROUP and value != NONE and value in GROUP[name].values:
                raise InputError(f"{path}: {name!r} has {value!r} already; label it under --data and leave it out here")
            stated = parse(f"The image shows a person. They are {clause}.") if clause else {}
            if stated:
                group, said = next(iter(stated.items()))
                raise InputError(f"{path}: {name}, {value}: {clause!r} says {group} {', '.join(said)}, which the model "
                                 "decides itself; choose other words")  # fmt: skip
        values.setdefault(NONE, "")
    return words


def own_values(labels: Sequence[str], words: Words) -> dict[str, str]:
    """Values of one's own groups among the labels of a picture (``uniform=guard``)."""
    pairs = dict(label.split("=", 1) for label in labels if "=" in label)
    return {name: pairs[name] for name, values in words.items() if pairs.get(name) in values}
