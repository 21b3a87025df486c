"""Splits keep people apart; prepared files are read back; counts and the contact sheet show what is there."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.data.own import read_personvlm
from personvlm.data.sample import Sample
from personvlm.data.sheet import caption_of, sheet
from personvlm.data.sources import read_training
from personvlm.data.splits import Part, prepare, split_by_identity
from personvlm.data.stats import rows, stats
from personvlm.data.transform import swap_sides
from personvlm.schema import Annotations


def crowd(folder: Path = Path("/x"), people: int = 120) -> list[Sample]:
    rng = random.Random(1)
    return [Sample(folder / f"{person}" / f"{shot}.png", Annotations(), identity=str(person), source="s")
            for person in range(people) for shot in range(rng.randint(1, 9))]  # fmt: skip


def test_nobody_is_on_two_sides_and_shares_are_met() -> None:
    samples = crowd()
    parts = split_by_identity(samples, (0.7, 0.2, 0.1), seed=3)
    people = [{sample.identity for sample in part} for part in parts]
    assert not people[0] & people[1] | people[0] & people[2] | people[1] & people[2]
    assert sum(map(len, parts)) == len(samples)
    for part, share in zip(parts, (0.7, 0.2, 0.1), strict=True):
        assert len(part) / len(samples) == pytest.approx(share, abs=0.02)
    assert np.mean([len(part) / len(group) for part, group in zip(parts, people, strict=True)]) > 3, "no size bias"


def test_parts_hold_everybody_once_and_people_whole() -> None:
    samples = crowd()
    parts = [Part(number, 3) for number in (1, 2, 3)]
    held = [[part.holds(sample) for part in parts] for sample in samples]
    assert all(sum(row) == 1 for row in held)
    people: dict[str | None, set[tuple[bool, ...]]] = {}
    for sample, row in zip(samples, held, strict=True):
        people.setdefault(sample.identity, set()).add(tuple(row))
    assert all(len(rows) == 1 for rows in people.values())
    assert np.mean(held, 0) == pytest.approx([1 / 3] * 3, abs=0.12)
    assert [part.holds(sample) for part in parts for sample in crowd(Path("/elsewhere"))] == [
        row[index] for index in range(3) for row in held
    ]
    nameless = [Sample(Path(f"/y/{number}.png"), Annotations()) for number in range(60)]
    assert 15 < sum(Part(1, 2).holds(sample) for sample in nameless) < 45
    for wrong in ("", "1", "0/2", "3/2", "1/1", "a/b", "-1/2", "1/2/3"):
        with pytest.raises(InputError, match="no part of the people"):
            Part.parse(wrong)


def test_a_split_depends_on_nothing_but_samples_and_seed() -> None:
    samples = crowd()
    parts = split_by_identity(samples, seed=3)
    shuffled = random.Random(2).sample(samples, len(samples))
    moved = split_by_identity(crowd(Path("/elsewhere/deep")), seed=3)
    for part, other, third in zip(parts, split_by_identity(shuffled, seed=3), moved, strict=True):
        names = {(sample.identity, sample.image.name) for sample in part}
        assert names == {(sample.identity, sample.image.name) for sample in other}
        assert names == {(sample.identity, sample.image.name) for sample in third}
    assert split_by_identity(samples, seed=4) != parts



def test_paths_may_be_absolute_here_and_relative_there() -> None:
    mixed = [Sample(Path(name).absolute() if row % 2 else Path(name), Annotations())
             for row, name in enumerate(f"deep/{number}/same.png" for number in range(20))]  # fmt: skip
    plain = [Sample(Path(sample.image).absolute(), Annotations()) for sample in mixed]
    parts = [[sample.image.absolute() for sample in part] for part in split_by_identity(mixed)]
    assert parts == [[sample.image for sample in part] for part in split_by_identity(plain)]


def test_pictures_without_identity_are_people_of_their_own() -> None:
    samples = [Sample(Path(f"/x/{n}/same.png"), Annotations()) for n in range(100)]
    assert [len(part) for part in split_by_identity(samples)] == [80, 10, 10]
    assert [len(part) for part in split_by_identity(samples, (0.5, 0.5, 0.0))] == [50, 50, 0]
    assert split_by_identity([]) == [[], [], []]


@pytest.mark.parametrize("fractions", [(0.8, 0.1), (1.2, -0.2, 0.0), (8, 1, 1), (float("nan"), 0.5, 0.5)])
def test_shares_that_do_not_add_up_are_refused(fractions: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="add up to 1"):
        split_by_identity(crowd(), fractions)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    colors = ["red", "green", "blue", "white", "black"]
    lines = []
    for n in range(10):
        Image.new("RGB", (30 + n, 80), colors[n % 5]).save(tmp_path / f"{n}.png")
        lines.append(json.dumps({"image": f"{n}.png", "identity": f"p{n // 2}", "attributes": {
            "gender": "female", "age": "adult", "upper.color": [colors[n % 5]], "carrying": []}}))  # fmt: skip
    (tmp_path / "mine.jsonl").write_text("\n".join(lines))
    return tmp_path


def test_prepared_files_are_found_and_equal(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "prepared" / "deep"
    report = prepare(folder / "mine.jsonl", "personvlm", out, (0.6, 0.2, 0.2), seed=1)
    assert [report["splits"][name]["samples"] for name in ("train", "val", "test")] == [6, 2, 2]
    assert json.loads((out / "dataset.json").read_text()) == report
    again = [sample for name in ("train", "val", "test") for sample in read_personvlm(out / f"{name}.jsonl")]
    first = {sample.image.resolve(): sample for sample in read_personvlm(folder / "mine.jsonl")}
    assert len(again) == 10
    for sample in again:
        assert sample.annotations == first[sample.image.resolve()].annotations
    written = {path.name: path.read_bytes() for path in out.iterdir()}
    prepare(folder / "mine.jsonl", "personvlm", out, (0.6, 0.2, 0.2), seed=1)
    assert written == {path.name: path.read_bytes() for path in out.iterdir()}


def test_preparing_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text("\n")
    with pytest.raises(InputError, match="no samples"):
        prepare(tmp_path / "d.jsonl", "personvlm", tmp_path / "out")


def test_stats_count_certain_partial_and_unreadable(folder: Path) -> None:
    (folder / "3.png").write_bytes(b"not a picture")
    counts = stats(read_personvlm(folder / "mine.jsonl"))
    assert (counts["samples"], counts["identities"], counts["unreadable"]) == (10, 5, 1)
    assert counts["groups"]["gender"] == {"annotated": 10, "partial": 0, "values": {"female": 10}}
    assert counts["groups"]["age"] == {"annotated": 10, "partial": 10, "values": {}}
    assert counts["groups"]["upper.color"]["values"]["red"] == 2
    assert counts["groups"]["posture"]["annotated"] == 0
    assert counts["sizes"]["width"] == {"min": 30, "median": 35, "max": 39}
    json.dumps(counts)
    table = {row[0]: row for row in rows(counts)}
    assert table["gender"] == ("gender", "10", "0", "female 10")
    assert "posture" not in table
    assert stats([])["samples"] == 0


def test_the_sheet_shows_pictures_and_words_below(folder: Path) -> None:
    samples = read_personvlm(folder / "mine.jsonl")
    path = sheet(samples, folder / "sheet.png", n=8, seed=1)
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert pixels.shape[1] > 6 * 200
    assert ((pixels[:, :, 0] > 200) & (pixels[:, :, 1] < 50)).sum() > 5_000, "a red picture is there"
    assert (pixels[310:330].max(-1) < 60).any(), "black words below the first row"
    assert path.read_bytes() == sheet(samples, folder / "again.png", n=8, seed=1).read_bytes()


def test_captions_come_from_the_source_or_from_the_annotations(folder: Path) -> None:
    samples = read_personvlm(folder / "mine.jsonl")
    assert "red" in caption_of(samples[0])
    assert caption_of(Sample(Path("a"), Annotations(), captions=("A  man\nwalks.",))) == "A man walks."
    assert caption_of(Sample(Path("a"), Annotations())) == "(no annotations)"


def test_a_broken_picture_is_shown_as_its_error(folder: Path) -> None:
    (folder / "0.png").write_bytes(b"broken")
    samples = read_personvlm(folder / "mine.jsonl")[:1]
    pixels = np.asarray(Image.open(sheet(samples, folder / "s.png")).convert("RGB"))
    assert (pixels == (255, 221, 221)).all(-1).sum() > 50_000
    with pytest.raises(InputError, match="at least one"):
        sheet([], folder / "s.png")
    with pytest.raises(InputError, match="cannot be written"):
        sheet(samples, folder / "no" / "s.png")


def test_sides_change_as_words_and_not_inside_others() -> None:
    text = "A bright red coat, the left sleeve copyrighted; right leg leftover."
    assert swap_sides(text) == "A bright red coat, the right sleeve copyrighted; left leg leftover."


def test_prepare_neither_overwrites_its_source_nor_trips_over_a_file(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    source = tmp_path / "train.jsonl"
    source.write_text('{"image": "a.png"}\n')
    with pytest.raises(InputError, match="overwritten"):
        prepare(source, "personvlm", tmp_path)
    with pytest.raises(InputError, match="no folder can be made"):
        prepare(source, "personvlm", tmp_path / "a.png")
    assert source.read_text() == '{"image": "a.png"}\n'


def test_sizes_are_measured_from_the_first_picture_to_the_last(tmp_path: Path) -> None:
    for side in (20, 60):
        Image.new("RGB", (side, side)).save(tmp_path / f"{side}.png")
    small, large = (Sample(tmp_path / f"{side}.png", Annotations()) for side in (20, 60))
    sizes = stats([small] * 1000 + [large] * 999)["sizes"]
    assert sizes["measured"] <= 1000
    assert sizes["width"] == {"min": 20, "median": sizes["width"]["median"], "max": 60}


def test_an_empty_identity_is_none(tmp_path: Path) -> None:
    rows = []
    for number in range(20):
        Image.new("RGB", (20, 40)).save(tmp_path / f"{number}.png")
        rows.append(json.dumps({"image": f"{number}.png", "identity": ""}))
    (tmp_path / "mine.jsonl").write_text("\n".join(rows))
    samples = read_personvlm(tmp_path / "mine.jsonl")
    assert {sample.identity for sample in samples} == {None}
    assert [len(part) for part in split_by_identity(samples)] == [16, 2, 2], "not one person of twenty pictures"


def test_a_folder_to_train_from_has_nobody_in_both_parts(folder: Path) -> None:
    prepare(folder / "mine.jsonl", "personvlm", folder, (0.6, 0.4, 0.0))
    assert len(read_training(folder)[0]) == 6
    first = (folder / "train.jsonl").read_text().splitlines()[0]
    (folder / "val.jsonl").write_text(first + "\n")
    with pytest.raises(InputError, match=f"1 people or tracks are in both.*as {json.loads(first)['identity']};"):
        read_training(folder)
