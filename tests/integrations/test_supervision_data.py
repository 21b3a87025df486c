from __future__ import annotations

import numpy as np
import pytest

from personvlm.base.errors import InputError
from personvlm.integrations.supervision import described, descriptions
from personvlm.schema import Attribute, PersonDescription

sv = pytest.importorskip("supervision")

RED = PersonDescription(text="The image shows a man.", quality=0.75, embedding=(0.6, 0.8), model="m 1",
                        scores={"gender": {"male": 0.9, "female": 0.1}},
                        attributes={"gender": Attribute(value="male", confidence=0.9),
                                    "upper.color": Attribute(value=("red", "black"), confidence=0.8)})  # fmt: skip
PLAIN = PersonDescription(text="The image shows a person.")


def seen(count: int) -> sv.Detections:
    boxes = np.array([[row, 0, row + 10, 20] for row in range(count)], float).reshape(count, 4)
    return sv.Detections(xyxy=boxes, tracker_id=np.arange(count), data={"mine": np.arange(count)})


def test_there_and_back() -> None:
    before = seen(3)
    after = described(before, [RED, None, PLAIN])
    assert descriptions(after) == [RED, None, PLAIN]
    assert after.data["text"].tolist() == [RED.text, "", PLAIN.text]
    assert after.data["upper.color"].tolist() == ["red; black", "", ""]
    assert after.data["quality"].tolist() == [0.75, 0.0, 1.0]
    assert after.data["mine"].tolist() == [0, 1, 2]
    assert set(before.data) == {"mine"}  # a copy


def test_what_is_filtered_and_merged_keeps_its_words() -> None:
    after = described(seen(3), [RED, PLAIN, RED])
    men = after[after.data["gender"] == "male"]
    assert men.tracker_id.tolist() == [0, 2]
    assert descriptions(men) == [RED, RED]
    both = sv.Detections.merge([described(seen(1), [RED]), described(seen(1), [RED])])
    assert descriptions(both) == [RED, RED]


def test_nobody_and_undescribed() -> None:
    assert descriptions(described(sv.Detections.empty(), [])) == []
    assert descriptions(seen(2)) == [None, None]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="1 descriptions for 2 detections"):
        described(seen(2), [RED])
    wrong = seen(1)
    wrong.data["person"] = np.array(["{}"], object)
    with pytest.raises(InputError, match="no description"):
        descriptions(wrong)
