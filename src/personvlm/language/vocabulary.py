"""The domain's own vocabulary: whole words, as :mod:`personvlm.language.tokens` splits them. Standard library only."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from personvlm.base.errors import InputError
from personvlm.language.tokens import join, split

SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")
"""The first four entries, so that their ids are 0, 1, 2 and 3."""

_FORMAT, _VERSION = "personvlm.vocabulary", 1


@dataclass(frozen=True)
class PersonVocabulary:
    """Word-level tokenizer. Words that it does not hold become ``<unk>``; case is not kept, ``decode`` restores the
    capital at the start of a sentence.

    Attributes:
        words: surface of each id; starts with :data:`SPECIALS`, has no entry twice.

    Example:
        >>> vocabulary = PersonVocabulary.from_corpus(["He is walking."], min_freq=1)
        >>> vocabulary.decode(vocabulary.encode("He is walking.", ends=True))
        'He is walking.'
    """

    words: tuple[str, ...]
    _ids: Mapping[str, int] = field(init=False, repr=False, compare=False)

    filename = "vocabulary.json"
    pad_id, bos_id, eos_id, unk_id = range(4)

    def __post_init__(self) -> None:
        if self.words[:4] != SPECIALS:
            raise InputError(f"a vocabulary starts with {' '.join(SPECIALS)}; this one with {self.words[:4]}")
        object.__setattr__(self, "_ids", {word: index for index, word in enumerate(self.words)})
        if len(self._ids) != len(self.words):
            twice = next(word for word, count in Counter(self.words).items() if count > 1)
            raise InputError(f"the vocabulary holds {twice!r} more than once")

    @classmethod
    def from_corpus(cls, captions: Iterable[str], min_freq: int = 5, max_vocab_size: int = 5000) -> PersonVocabulary:
        """Words that occur at least ``min_freq`` times, the most frequent first, equally frequent ones by alphabet.

        Args:
            captions: texts; the order does not matter.
            min_freq: how often a word must occur, at least 1.
            max_vocab_size: upper bound of the size, special entries included.

        Raises:
            InputError: a bound makes no sense, or no word is frequent enough.
        """
        if isinstance(captions, str):
            raise InputError("captions must be a list of texts, not one text: pass [text]")
        if min_freq < 1 or max_vocab_size <= len(SPECIALS):
            raise InputError(f"min_freq must be at least 1 and max_vocab_size above {len(SPECIALS)}; "
                             f"got {min_freq} and {max_vocab_size}")  # fmt: skip
        counts = Counter(word for caption in captions for word in split(caption))
        frequent = sorted((-count, word) for word, count in counts.items() if count >= min_freq)
        if not frequent:
            raise InputError(f"no word occurs {min_freq} times in the captions: give more captions or lower min_freq")
        return cls(SPECIALS + tuple(word for _, word in frequent[: max_vocab_size - len(SPECIALS)]))

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, text: str, *, ends: bool = False) -> list[int]:
        """Ids of a text; with ``ends`` between ``<bos>`` and ``<eos>``."""
        ids = [self._ids.get(word, self.unk_id) for word in split(text)]
        return [self.bos_id, *ids, self.eos_id] if ends else ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids up to the first ``<eos>``; special entries are left out.

        Raises:
            InputError: an id lies outside the vocabulary.
        """
        words = []
        for index in ids:
            if not 0 <= index < len(self.words):
                raise InputError(f"token id {index} lies outside the vocabulary of {len(self.words)}")
            if index == self.eos_id:
                break
            if index >= len(SPECIALS):
                words.append(self.words[index])
        return join(words)

    def save(self, directory: str | Path) -> None:
        """Write ``vocabulary.json`` into ``directory``, made if need be; equal vocabularies give equal bytes."""
        content = {"format": _FORMAT, "version": _VERSION, "words": self.words}
        Path(directory).mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, ensure_ascii=False, indent=0)
        (Path(directory) / self.filename).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: str | Path) -> PersonVocabulary:
        """Read ``vocabulary.json`` from ``directory``.

        Raises:
            InputError: the file is absent, damaged, or of another format or version.
        """
        path = Path(directory) / cls.filename
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}): give the folder that holds it") from error
        except ValueError as error:
            raise InputError(f"{path}: is not JSON in UTF-8 ({error}): write it again with save()") from error
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise InputError(f"{path}: is not a PersonVLM vocabulary: write one with PersonVocabulary.save()")
        if content.get("version") != _VERSION:
            raise InputError(f"{path}: has version {content.get('version')!r}, this PersonVLM reads {_VERSION}: "
                             "upgrade PersonVLM")  # fmt: skip
        words = content.get("words")
        if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
            raise InputError(f"{path}: 'words' must be a list of words: write it again with save()")
        try:
            return cls(tuple(words))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
