"""Several crops, one answer."""

from __future__ import annotations

import numpy as np
import pytest

from personvlm.runtime.fusion import DRAWS, drawn_tracks, fuse


def test_the_mean_weighted_with_quality() -> None:
    logits = np.array([[1.0, 0.0], [3.0, 2.0]])
    assert fuse(logits).tolist() == [2.0, 1.0]
    assert fuse(logits, scores=[3.0, 1.0]).tolist() == [1.5, 0.5]
    assert fuse(logits, [0.9, 0.45]) == pytest.approx([19 / 17, 2 / 17]), "half as whole counts for a sixteenth"
    assert fuse(logits, [0.9, 0.45], [1.0, 16.0]).tolist() == [2.0, 1.0]
    assert fuse(logits, [0.0, 0.0]).tolist() == [2.0, 1.0]
    assert fuse(logits[::-1], scores=[1.0, 3.0]).tolist() == [1.5, 0.5]


def test_what_cannot_be_fused_is_refused() -> None:
    for logits, quality in ((np.zeros((0, 2)), None), (np.zeros(2), None), (np.zeros((2, 2)), [1.0]),
                            (np.zeros((2, 2)), [1.0, -1.0])):  # fmt: skip
        with pytest.raises(ValueError, match="crop"):
            fuse(logits, quality)


def test_tracks_are_of_one_person_and_nobody_counts_more_than_others() -> None:
    names = ["a", "b", "a", None, None, "c", *["d"] * 20]
    tracks = drawn_tracks(names)
    assert len(tracks) == 2 * DRAWS
    for rows in tracks:
        assert len({names[row] for row in rows}) == 1
        assert 2 <= len(rows) == len(set(rows.tolist())) <= 8
