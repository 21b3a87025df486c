"""Tokens: those of nltk's two steps, without anything that it would have to download."""

import sys

import pytest

from personvlm.base.errors import InputError
from personvlm.metrics import tokens

pytest.importorskip("nltk", reason="nltk is not installed; pip install 'personvlm[evaluate]'")


def test_full_stops_are_tokens_wherever_they_stand():
    assert tokens.tokenize("He walks. He's in a T-shirt, dark-colored!") == [
        "he", "walks", ".", "he", "'s", "in", "a", "t-shirt", ",", "dark-colored", "!"
    ]  # fmt: skip
    assert tokens.tokenize("") == []


def test_punkt_cuts_what_a_plain_rule_cuts_in_real_captions(msp60k_rows):
    """Untrained, Punkt is nearly a rule: the figures hardly depend on which of the two is taken."""
    import re

    from nltk.tokenize import NLTKWordTokenizer

    words = NLTKWordTokenizer()
    same = 0
    for row in msp60k_rows[:500]:
        parts = re.split(r"(?<=[.!?])\s+", row["answer"].lower())
        same += tokens.tokenize(row["answer"]) == [token for part in parts for token in words.tokenize(part)]
    assert same >= 480


def test_without_nltk_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "nltk.tokenize.destructive", None)
    tokens._tokenizers.cache_clear()
    assert not tokens.available()
    with pytest.raises(InputError, match=r"personvlm\[evaluate\]"):
        tokens.tokenize("a man")
    monkeypatch.undo()
    tokens._tokenizers.cache_clear()
    assert tokens.available()
