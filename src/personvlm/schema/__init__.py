"""The vocabulary of attributes and the value objects of the whole project."""

from personvlm.schema.annotations import Annotations, Known
from personvlm.schema.description import Attribute, Candidate, PersonDescription, Values, json_schema, values_of
from personvlm.schema.events import Crop, Described, DescribeRequest, DescribeResult, Detection, Track, event_id
from personvlm.schema.groups import GROUP, GROUPS, NONE, OTHER, UNKNOWN, Group

__all__ = [
    "GROUP", "GROUPS", "NONE", "OTHER", "UNKNOWN", "Annotations", "Attribute", "Candidate", "Crop",
    "DescribeRequest", "DescribeResult", "Described", "Detection", "Group", "Known", "PersonDescription", "Track",
    "Values", "event_id", "json_schema", "values_of",
]  # fmt: skip
