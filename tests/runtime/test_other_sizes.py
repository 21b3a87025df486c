"""The same weights at another size of picture: what changes, what does not, what is refused; and `nano`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.cli import main
from personvlm.data.transform import Transform
from personvlm.models.config import EdgeConfig
from personvlm.runtime.describer import SHIPPED, Describer, model_folder, shipped
from personvlm.runtime.engine import DECODER, VISION, OnnxEngine
from personvlm.runtime.release import at_size

People = list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def larger(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("larger") / "model"
    at_size(folder, out, 96, 64, "other")
    return out


def test_the_graph_sees_what_the_weights_see_at_that_size(folder: Path, larger: Path, people: People) -> None:
    torch = pytest.importorskip("torch", reason="compares with the model itself")
    from personvlm.models.edge import EdgeVLM

    transform = Transform.load(larger)
    assert (transform.height, transform.width) == (96, 64)
    pixels = transform(people)
    assert pixels.shape[2:] == (96, 64)
    with torch.no_grad():
        wanted = EdgeVLM.load(folder).see(torch.from_numpy(pixels))
    seen = OnnxEngine(larger).encode(pixels)
    assert np.abs(seen.tokens - wanted.tokens.numpy()).max() < 2e-3
    assert np.abs(seen.logits - wanted.logits.numpy()).max() < 2e-3
    assert np.abs(seen.embedding - wanted.embedding.numpy()).max() < 2e-3


def test_weights_and_words_stay_and_the_name_is_another(folder: Path, larger: Path, people: People) -> None:
    for name in ("model.safetensors", "vocabulary.json", "calibration.json", DECODER):
        assert (larger / name).read_bytes() == (folder / name).read_bytes()
    assert (larger / VISION).read_bytes() != (folder / VISION).read_bytes()
    config, before = EdgeConfig.load(larger), EdgeConfig.load(folder)
    assert (config.name, config.grid) == ("other", before.grid)
    describer = Describer.load(larger)
    alone = [describer.describe(image)[0] for image in people[:3]]
    assert describer.describe(people)[:3] == alone
    assert alone[0].model == config.title


def test_what_was_measured_at_the_old_size_and_older_versions_are_not_copied(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(folder, source)
    stays = {"metrics.json", "MODEL_CARD.md", "adapted.json", "versions.json"}
    for name in stays:
        (source / name).write_text("{}")
    (source / "versions" / "before").mkdir(parents=True)  # of an adapted model
    at_size(source, tmp_path / "out", 64, 64)
    assert not {"versions", *stays} & {path.name for path in (tmp_path / "out").iterdir()}
    config, before = EdgeConfig.load(tmp_path / "out"), EdgeConfig.load(source)
    assert config == before.told_apart(b"64x64"), "its vectors are not those of the larger pictures"


@pytest.mark.parametrize("size", [(100, 64), (96, 50), (32, 96), (0, 64), (-96, 64)])
def test_sizes_that_do_not_fit_are_refused(folder: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="multiples of 32"):
        at_size(folder, tmp_path / "out", *size)
    assert not (tmp_path / "out").exists()


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: object) -> int:
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        return int(str(left.value.code))

    out = tmp_path / "out"
    assert run("export", folder, "--size", "96x64", "--out", out, "--name", "mine") == 0
    assert "personvlm calibrate" in capsys.readouterr().out
    assert EdgeConfig.load(out).name == "mine"
    assert run("export", folder, "--size", "96x64", "--out", out) == 1
    assert "is there already" in capsys.readouterr().err
    for words in (("--size", "96x64"), ("--out", tmp_path / "x"), ("--name", "mine"),
                  ("--size", "small", "--out", tmp_path / "x")):  # fmt: skip
        assert run("export", folder, *words) == 2
        assert "--size" in capsys.readouterr().err


def test_names_mean_what_ships_unless_a_folder_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert model_folder(None) == model_folder("edge") == model_folder(Path("edge")) == shipped()
    assert model_folder("nano") == shipped("nano")
    with pytest.raises(InputError, match="no such folder"):  # a path is no name
        model_folder("./nano")
    (tmp_path / "nano").mkdir()
    assert model_folder("nano") == model_folder("./nano") == Path("nano")
    with pytest.raises(InputError, match="edge, nano"):
        Describer.load("pico")


@pytest.mark.skipif(not shipped("nano").is_dir(), reason="this checkout has no shipped weights")
def test_nano_is_smaller_and_knows_nearly_as_much(people: People) -> None:
    assert all(shipped(name).is_dir() for name in SHIPPED)
    parameters = [json.loads((shipped(name) / "metrics.json").read_text("utf-8"))["parameters"] for name in SHIPPED]
    assert parameters[1] < 0.7 * parameters[0]
    edge, nano = (Transform.load(shipped(name)) for name in ("edge", "nano"))
    assert nano.height * nano.width < 0.6 * edge.height * edge.width
    said = Describer.load("nano").describe(people[0])[0]
    assert said.model == EdgeConfig.load(shipped("nano")).title
    assert said.text.startswith("The image shows")
    figures = [json.loads((shipped(name) / "metrics.json").read_text("utf-8"))["test"] for name in ("edge", "nano")]
    means = [each["text"]["mean"]["accuracy"] for each in figures]
    assert means[1] > means[0] - 0.02, "nano ships because it loses less than two points"
    assert figures[0]["n"] == figures[1]["n"]
    assert figures[1]["quality"]["pass_rate"] == figures[1]["consistency"] == 1.0
    pytest.importorskip("torch", reason="what needs weights needs torch")
    assert Describer.load("nano", backend="torch").describe(people[0])[0].text == said.text
