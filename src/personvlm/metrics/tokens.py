"""Tokens for text metrics: the words of nltk's ``word_tokenize``, without the data that it downloads.

``word_tokenize`` cuts sentences with a trained Punkt model, which has to be downloaded, and words with
``NLTKWordTokenizer``, which has not. Here the same Punkt algorithm runs untrained: it knows no abbreviations. Without
any cut into sentences the full stop would stay at its word inside a text ("coat.") and every figure would be lower.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from personvlm.base.errors import InputError

NEEDS = "text metrics need nltk; install it with: pip install 'personvlm[evaluate]'"


def tokenize(text: str) -> list[str]:
    """Lower-case tokens of a text, punctuation marks as tokens of their own.

    Raises:
        InputError: nltk is not installed.

    Example:
        >>> tokenize("A man in a dark-colored coat. He's walking.")
        ['a', 'man', 'in', 'a', 'dark-colored', 'coat', '.', 'he', "'s", 'walking', '.']
    """
    sentences, words = _tokenizers()
    return [token for sentence in sentences.tokenize(text.lower()) for token in words.tokenize(sentence)]


def require() -> None:
    """Raise what :func:`tokenize` would, before work is done in vain."""
    _tokenizers()


def available() -> bool:
    """Whether nltk is installed."""
    try:
        require()
    except InputError:
        return False
    return True


@lru_cache(maxsize=1)
def _tokenizers() -> tuple[Any, Any]:
    try:
        from nltk.tokenize.destructive import NLTKWordTokenizer
        from nltk.tokenize.punkt import PunktSentenceTokenizer
    except ImportError:
        raise InputError(NEEDS) from None
    return PunktSentenceTokenizer(), NLTKWordTokenizer()
