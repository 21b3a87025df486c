"""The weights inside the package: what they say is well-formed, agrees with their JSON, and comes from the decoder."""

from __future__ import annotations

import pytest

from personvlm.evaluation.facts import consistent
from personvlm.language.parser import parse
from personvlm.language.quality import check, well_formed
from personvlm.runtime.calibration import Say
from personvlm.runtime.describer import Describer, shipped

COUNT = 40


@pytest.fixture(scope="module")
def describer() -> Describer:
    return Describer.load()


@pytest.mark.parametrize("say", ["confident", "all"])
def test_every_sentence_is_well_formed_and_agrees_with_its_json(describer: Describer, say: Say) -> None:
    from personvlm.data.rendered import rendered_samples

    images = [image for image, _ in rendered_samples(COUNT, seed=77)]
    for person in describer.describe(images, say=say):
        assert well_formed(person.text), person.text
        assert all(check(person.text).values()), person.text
        assert consistent(parse(person.text), person.attributes), person.text


def test_what_was_never_taught_is_never_said(describer: Describer) -> None:
    from personvlm.data.rendered import rendered_samples

    taught = describer.calibration.taught
    assert "posture" not in taught
    assert "body" not in taught
    for person in describer.describe([image for image, _ in rendered_samples(COUNT, seed=78)], say="all"):
        for group, values in parse(person.text).items():
            assert set(values) <= set(taught[group]) | {"adult", "skirt", "striped"}, person.text


def test_colors_of_drawn_clothes_are_mostly_right(describer: Describer) -> None:
    from personvlm.data.rendered import rendered_samples

    people = list(rendered_samples(COUNT, seed=79))
    said = [parse(person.text) for person in describer.describe([image for image, _ in people], say="all")]
    for group in ("upper.color", "lower.color"):
        pairs = [(values[group][0], truth[group]) for values, (_, truth) in zip(said, people, strict=True)
                 if group in values and group in truth]  # fmt: skip
        plain = [(ours.split()[-1], {name.split()[-1] for name in truth}) for ours, truth in pairs]
        assert sum(ours in truth for ours, truth in plain) >= 0.5 * len(plain), group


def test_files_keep_to_their_bounds() -> None:
    folder = shipped()
    graphs = sum((folder / name).stat().st_size for name in ("vision.onnx", "decoder.onnx"))
    assert graphs <= 12_000_000
    assert (folder / "model.safetensors").stat().st_size <= 20_000_000
