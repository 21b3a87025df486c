"""What plain values say about the values that they do not name."""

from __future__ import annotations

from personvlm.schema import Annotations


def test_a_coarse_value_of_a_set_leaves_its_kinds_open() -> None:
    carrying = Annotations.build({"carrying": ("bag",)}).known["carrying"]
    assert carrying.present == {"bag"}
    assert not carrying.absent & {"backpack", "handbag", "messenger bag"}
    assert {"umbrella", "none"} <= carrying.absent


def test_a_kind_rules_out_the_other_kinds_and_asserts_its_parent() -> None:
    carrying = Annotations.build({"carrying": ("backpack",)}).known["carrying"]
    assert carrying.present == {"backpack", "bag"}
    assert "handbag" in carrying.absent
