"""Texts without pictures, from the formats they come in."""

from __future__ import annotations

from pathlib import Path

import pytest

from personvlm.base.errors import InputError
from personvlm.data.corpus import read_corpus


def test_lines_as_they_are_and_captions_normalised(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A man.\n\n  two  spaces\n")
    (tmp_path / "b.jsonl").write_text(
        '{"answer": "Here is a description of the image:\\n\\nThe image shows a man."}\n'
        '{"captions": ["The image shows a woman. She has a hat.", "The image shows a child."], "image": "x.jpg"}\n'
        '{"other": 1}\n'
    )
    texts = read_corpus([tmp_path / "a.txt", tmp_path / "b.jsonl"])
    assert texts == ["A man.", "  two  spaces", "The image shows a man.",
                     "The image shows a woman. She has a hat.", "The image shows a child."]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.txt", "\n \n", "holds no text"), ("a.jsonl", '{"image": "x"}\n', "holds no text"),
    ("a.jsonl", '{"caption": 3}\n', "line 1"), ("a.jsonl", "{\n", "line 1"),
])  # fmt: skip
def test_what_is_no_corpus_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        read_corpus([tmp_path / name])
    with pytest.raises(InputError, match="no such file"):
        read_corpus([tmp_path / "missing.txt"])
