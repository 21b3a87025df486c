"""The record of an answer keeps its keys, and grows only where more was asked for."""

from personvlm.pipeline.record import record
from personvlm.schema import Candidate, DescribeResult, PersonDescription


def test_candidates_stand_in_the_record_only_where_there_are_any() -> None:
    plain = PersonDescription(text="The image shows a man.")
    assert list(record(DescribeResult(input="a", description=plain))) == [
        "input", "text", "attributes", "quality", "model", "latency_ms",
    ]  # fmt: skip
    several = plain.model_copy(update={"candidates": (Candidate(text=plain.text, likelihood=-0.12345),)})
    found = record(DescribeResult(input="a", description=several))
    assert found["candidates"] == [{"text": plain.text, "likelihood": -0.1235}]
