"""One tokenizer interface: the domain's words, the domain's pieces of words, and GPT-2's.

``tokenizers`` is imported only where a byte-level tokenizer is made, so that the word level needs nothing installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from personvlm.base.errors import InputError
from personvlm.base.hub import fetch_published
from personvlm.language.vocabulary import SPECIALS, PersonVocabulary

if TYPE_CHECKING:
    import tokenizers

__all__ = ["DomainBPE", "GPT2Tokenizer", "PersonVocabulary", "Tokenizer", "load_tokenizer"]

KEPT = "kept.json"
"""Of a pruned vocabulary: which of GPT-2's pieces are left."""

_END_OF_TEXT = "<|endoftext|>"
_GPT2_SIZE = 50_257


class Tokenizer(Protocol):
    """Text to ids and back.

    Attributes:
        words: surface of each id, with the space that comes before it where the tokenizer has such; ``len`` of them.
        pad_id, bos_id, eos_id, unk_id: special ids; they may coincide (GPT-2 has one for all).
    """

    @property
    def words(self) -> tuple[str, ...]: ...
    @property
    def pad_id(self) -> int: ...
    @property
    def bos_id(self) -> int: ...
    @property
    def eos_id(self) -> int: ...
    @property
    def unk_id(self) -> int: ...

    def __len__(self) -> int: ...

    def encode(self, text: str, *, ends: bool = False) -> list[int]:
        """Ids of a text; with ``ends`` between ``bos`` and ``eos``. Text is never read as a special token."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids: ends before the first ``eos`` and leaves special tokens out."""
        ...

    def save(self, directory: str | Path) -> None:
        """Write what :func:`load_tokenizer` reads."""
        ...


@dataclass(frozen=True)
class _ByteLevel:
    """What the byte-level tokenizers share. Every text has ids, so that nothing is unknown."""

    backend: tokenizers.Tokenizer
    pad_id: int
    bos_id: int
    eos_id: int
    unk_id: int

    @cached_property
    def words(self) -> tuple[str, ...]:
        special = {self.pad_id, self.bos_id, self.eos_id, self.unk_id}
        surfaces = self.backend.decode_batch([[index] for index in range(len(self))], skip_special_tokens=False)
        return tuple(self.backend.id_to_token(index) or "" if index in special else surface
                     for index, surface in enumerate(surfaces))  # fmt: skip

    def __len__(self) -> int:
        return self.backend.get_vocab_size()

    def encode(self, text: str, *, ends: bool = False) -> list[int]:
        """Ids of a text; with ``ends`` between ``bos`` and ``eos``."""
        ids: list[int] = self.backend.encode(text, add_special_tokens=False).ids
        return [self.bos_id, *ids, self.eos_id] if ends else ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids up to the first ``eos`` (one leading ``bos`` is passed over, which in GPT-2 is the same id).

        Raises:
            InputError: an id lies outside the vocabulary.
        """
        kept: list[int] = []
        size = len(self)
        for position, index in enumerate(ids):
            if not 0 <= index < size:
                raise InputError(f"token id {index} lies outside the vocabulary of {size}")
            if position == 0 and index == self.bos_id:
                continue
            if index == self.eos_id:
                break
            if index not in (self.pad_id, self.bos_id, self.unk_id):
                kept.append(index)
        return self.backend.decode(kept, skip_special_tokens=False)


@dataclass(frozen=True)
class DomainBPE(_ByteLevel):
    """Byte-level pieces of words learned from captions; keeps case and spaces. Specials as in the word vocabulary."""

    filename = "tokenizer.json"

    @classmethod
    def from_corpus(cls, captions: Iterable[str], vocab_size: int = 2000) -> DomainBPE:
        """Learn at most ``vocab_size`` pieces, special entries and the 256 bytes included.

        Raises:
            InputError: ``vocab_size`` leaves no room, or there are no captions.
        """
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        if isinstance(captions, str):
            raise InputError("captions must be a list of texts, not one text: pass [text]")
        if vocab_size < 256 + len(SPECIALS):
            raise InputError(f"vocab_size must be at least {256 + len(SPECIALS)} (every byte); got {vocab_size}")
        texts = list(captions)
        if not any(text.strip() for text in texts):
            raise InputError("there are no captions to learn a tokenizer from")
        backend = Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=list(SPECIALS), initial_alphabet=alphabet,
                                      show_progress=False)  # fmt: skip
        backend.train_from_iterator(texts, trainer)
        return cls._wrap(backend)

    @classmethod
    def _wrap(cls, backend: tokenizers.Tokenizer) -> DomainBPE:
        backend.encode_special_tokens = True  # "<eos>" in a caption is text, not the end
        return cls(backend, 0, 1, 2, 3)

    def save(self, directory: str | Path) -> None:
        """Write ``tokenizer.json`` into ``directory``, which is made if need be."""
        Path(directory).mkdir(parents=True, exist_ok=True)
        self.backend.save(str(Path(directory) / self.filename))

    @classmethod
    def load(cls, directory: str | Path) -> DomainBPE:
        """Read ``tokenizer.json``.

        Raises:
            InputError: the file is absent, damaged, or of another tokenizer.
        """
        path = Path(directory) / cls.filename
        backend = _read_json(path)
        if tuple(backend.id_to_token(index) for index in range(4)) != SPECIALS:
            raise InputError(f"{path}: does not start with {' '.join(SPECIALS)}: it is not a domain tokenizer")
        return cls._wrap(backend)


@dataclass(frozen=True)
class GPT2Tokenizer(_ByteLevel):
    """GPT-2's 50,257 byte-level pieces (DistilGPT-2 has the same); ``<|endoftext|>`` is begin, end, pad and unknown.

    Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019.

    Attributes:
        kept: where the vocabulary was pruned (:mod:`personvlm.language.prune`), the id that each piece has in GPT-2,
            ascending; None where all are there.
    """

    kept: tuple[int, ...] | None = None

    @classmethod
    def _wrap(cls, backend: tokenizers.Tokenizer, origin: str, kept: tuple[int, ...] | None = None) -> GPT2Tokenizer:
        end, size = backend.token_to_id(_END_OF_TEXT), _GPT2_SIZE if kept is None else len(kept)
        if backend.get_vocab_size() != size or end != size - 1:
            raise InputError(f"{origin}: is not GPT-2's tokenizer: {backend.get_vocab_size()} entries and "
                             f"{_END_OF_TEXT} at {end}, where {size} and {size - 1} belong")  # fmt: skip
        backend.encode_special_tokens = True
        return cls(backend, end, end, end, end, kept)

    @classmethod
    def from_hub(cls, repository: str = "distilbert/distilgpt2", commit: str = "") -> GPT2Tokenizer:
        """From the hub, at the pinned commit or the given one.

        Raises:
            InputError: the hub or the commit cannot be had, or it holds another tokenizer.
        """
        published = fetch_published(repository, DomainBPE.filename, commit)
        return cls._wrap(_read_json(published.path), published.name)

    @classmethod
    def load(cls, directory: str | Path) -> GPT2Tokenizer:
        """Read ``vocab.json`` and ``merges.txt`` (with ``kept.json``: pruned ones), or ``tokenizer.json`` where they
        are not there.

        Raises:
            InputError: the files are absent, damaged, or of another tokenizer.
        """
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers

        folder = Path(directory)
        vocab, merges = folder / "vocab.json", folder / "merges.txt"
        if not vocab.is_file() and (folder / DomainBPE.filename).is_file():
            return cls._wrap(_read_json(folder / DomainBPE.filename), str(folder / DomainBPE.filename))
        for path in (vocab, merges):
            if not path.is_file():
                raise InputError(f"{path}: does not exist: GPT-2's tokenizer needs vocab.json and merges.txt")
        try:
            backend = Tokenizer(models.BPE.from_file(str(vocab), str(merges)))
        except Exception as error:  # the library raises bare Exception
            raise InputError(f"{folder}: vocab.json or merges.txt is damaged ({error}): fetch them again") from error
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        return cls._wrap(backend, str(folder), _kept(folder / KEPT))

    def save(self, directory: str | Path) -> None:
        """Write ``vocab.json`` and ``merges.txt``, and where it was pruned ``kept.json``, into ``directory``, which is
        made if need be."""
        Path(directory).mkdir(parents=True, exist_ok=True)
        self.backend.model.save(str(directory))
        (Path(directory) / KEPT).unlink(missing_ok=True)
        if self.kept is not None:
            (Path(directory) / KEPT).write_text(json.dumps(self.kept) + "\n")


def _kept(path: Path) -> tuple[int, ...] | None:
    """The mapping of a pruned vocabulary: GPT-2's ids, ascending, its end among them."""
    if not path.is_file():
        return None
    try:
        kept = json.loads(path.read_text())
        if not all(isinstance(index, int) for index in kept) or kept != sorted({*kept, _GPT2_SIZE - 1}):
            raise ValueError("not ascending ids with GPT-2's end last")
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: not the ids of a pruned vocabulary ({error}): prune the model again") from error
    return tuple(kept)


def _read_json(path: Path) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer

    if not path.is_file():
        raise InputError(f"{path}: does not exist: give the folder that holds it")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise InputError(f"{path}: cannot be read ({error}): write it again with save()") from error


def load_tokenizer(directory: str | Path) -> Tokenizer:
    """The tokenizer of a folder, told by the files in it: ``vocabulary.json`` (words), ``vocab.json`` with
    ``merges.txt`` (GPT-2), ``tokenizer.json`` (the domain's BPE, or GPT-2's as the hub has it).

    Raises:
        InputError: the folder holds none of them, or a damaged one; the message names the file.
    """
    folder = Path(directory)
    if (folder / PersonVocabulary.filename).is_file():
        return PersonVocabulary.load(folder)
    if (folder / "vocab.json").is_file() or (folder / "merges.txt").is_file():
        return GPT2Tokenizer.load(folder)
    path = folder / DomainBPE.filename
    if path.is_file():
        if _read_json(path).token_to_id(_END_OF_TEXT) is not None:
            return GPT2Tokenizer.load(folder)
        return DomainBPE.load(folder)
    raise InputError(f"{folder}: holds no tokenizer: vocabulary.json, tokenizer.json, or vocab.json with merges.txt")
