from __future__ import annotations

import pytest
from pydantic import ValidationError

from personvlm.schema import Crop, DescribeRequest, event_id


def test_an_occasion_has_one_id_and_a_person_one_over_all_revisions() -> None:
    crop = Crop(data=b"x")
    first = DescribeRequest.build("gate", 3, "new_track", 10.0, crop)
    later = DescribeRequest.build("gate", 3, "track_update", 25.5, crop, first_seen=10.0, revision=2, final=True)
    assert first.event_id == event_id("gate", 3, "new_track", 10.0) != later.event_id
    assert later.person == first.person
    other = DescribeRequest.build("gate", 4, "new_track", 10.0, crop)
    assert other.person != first.person


def test_crops_come_best_first() -> None:
    request = DescribeRequest.build("gate", 3, "new_track", 10.0, Crop(reference="a"), others=(Crop(reference="b"),))
    assert [crop.reference for crop in request.crops] == ["a", "b"]


def test_unknown_fields_and_impossible_revisions_are_refused() -> None:
    with pytest.raises(ValidationError):
        DescribeRequest.build("gate", 3, "new_track", 10.0, Crop(), revision=0)
    with pytest.raises(ValidationError):
        DescribeRequest.build("gate", 3, "new_track", 10.0, Crop(), race="x")
