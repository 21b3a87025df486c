"""The models, and the one way to load any of them. Importing this room loads no torch; :func:`load` does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from personvlm.base.errors import InputError
from personvlm.base.folders import check_there

if TYPE_CHECKING:
    from personvlm.data.transform import Transform
    from personvlm.language.tokenizer import Tokenizer
    from personvlm.models.edge import EdgeVLM
    from personvlm.models.person_vlm import PersonVLM

__all__ = ["Loaded", "kind_of", "load"]


class Loaded(NamedTuple):
    """A model and what matches it."""

    model: EdgeVLM | PersonVLM
    tokenizer: Tokenizer
    transform: Transform


def kind_of(directory: Path) -> str:
    """What lies in a folder by its ``config.json``: ``edge`` or ``stage``.

    Raises:
        InputError: the file is absent or no config.
    """
    from personvlm.models.config import FILE

    check_there(directory, f"a model is a folder that holds {FILE} and its weights")
    try:
        return str(json.loads((directory / FILE).read_text()).get("kind", "edge"))
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{directory / FILE}: not the config of a model ({error})") from error


def load(directory: str | Path) -> Loaded:
    """The model of a folder, in evaluation mode, with its tokenizer and its transform; ``config.json`` says which.

    Raises:
        InputError: a file is absent, damaged, or does not fit the others; the message names it.
    """
    from personvlm.data.transform import Transform
    from personvlm.language.tokenizer import load_tokenizer
    from personvlm.models.edge import EdgeVLM
    from personvlm.models.person_vlm import PersonVLM

    folder = Path(directory)
    model = PersonVLM.load(folder) if kind_of(folder) == "stage" else EdgeVLM.load(folder)
    tokenizer, transform = load_tokenizer(folder), Transform.load(folder)
    if len(tokenizer) != model.config.vocabulary:
        raise InputError(f"{folder}: the tokenizer has {len(tokenizer)} entries, the model {model.config.vocabulary}; "
                         "they are of different models")  # fmt: skip
    return Loaded(model, tokenizer, transform)
