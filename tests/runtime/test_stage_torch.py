"""Stages on torch: steps that are repeated, as a GPU repeats a CUDA graph, say what steps that are run say."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="stages on torch need the train extra")

from traced import Traced  # noqa: E402

from lively_stages import lively_stage, pictures, save, tiny_gpt2_tokenizer, vocabulary  # noqa: E402
from personvlm.base.errors import InputError  # noqa: E402
from personvlm.data.transform import Transform  # noqa: E402
from personvlm.models import Loaded  # noqa: E402
from personvlm.models.generate import GREEDY, generate  # noqa: E402
from personvlm.models.gpt2 import GPT2Decoder  # noqa: E402
from personvlm.models.person_vlm import PersonVLM  # noqa: E402
from personvlm.runtime.draft import NgramTable  # noqa: E402
from personvlm.runtime.stage_torch import Normalize, TorchStage  # noqa: E402
from personvlm.runtime.stage_torch_static import LOOK, padded  # noqa: E402

MOST = 40


@pytest.fixture(scope="module", params=["gpt2", "cross"])
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folder = tmp_path_factory.mktemp("tokenizer")
    return lively_stage(request.param, tiny_gpt2_tokenizer(folder) if request.param == "gpt2" else vocabulary())


@pytest.fixture
def traced(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> TorchStage:
    monkeypatch.setattr("personvlm.runtime.stage_torch_static.Captured", Traced)
    monkeypatch.setattr(Traced, "made", 0)
    return TorchStage(loaded, graphs=True)


def ids(stage: TorchStage, rows: slice = slice(None), most: int = MOST, **options: object) -> list[list[int]]:
    written = stage.generate(pictures(6)[rows], max_new=most, **options)  # type: ignore[arg-type]
    assert all(row.steps == len(row.ids) for row in written)
    return [row.ids for row in written]


def expected(loaded: Loaded, most: int = MOST) -> list[list[int]]:
    """By the model's own growing cache."""
    model, end = loaded.model, loaded.tokenizer.eos_id
    assert isinstance(model, PersonVLM)
    with torch.no_grad():
        visual = model.see(torch.from_numpy(pictures(6)))
    rows = generate(model, visual, loaded.tokenizer.bos_id, end, replace(GREEDY, max_length=most)).tolist()
    return [row[: row.index(end) + 1] if end in row else row for row in rows]


def test_steps_that_are_repeated_say_what_generation_says(loaded: Loaded, traced: TorchStage) -> None:
    words = expected(loaded)
    assert len({tuple(row) for row in words}) > 3
    assert ids(TorchStage(loaded)) == words
    assert ids(traced) == words
    assert ids(traced, slice(None, None, -1)) == words[::-1], "the same buffers, other pictures"
    assert ids(traced, slice(1, 6)) == words[1:], "five rows in buffers for eight"
    assert ids(traced, most=7) == [row[:7] for row in words]
    assert Traced.made == 2, "one for the pictures, one for the step"
    assert ids(traced, slice(2, 4)) == words[2:4]
    assert Traced.made == 4, "two rows have buffers of their own"


def test_what_may_be_said_is_no_part_of_what_is_captured(loaded: Loaded, traced: TorchStage) -> None:
    plain, words = TorchStage(loaded), ids(traced)
    allowed = np.ones(len(loaded.tokenizer), bool)
    allowed[words[0][0]] = False
    without = ids(traced, allowed=allowed)
    assert all(words[0][0] not in row for row in without)
    assert without == ids(plain, allowed=allowed)
    endless = ids(traced, ignore_end=True)
    assert {len(row) for row in endless} == {MOST}
    assert endless == ids(plain, ignore_end=True)
    assert ids(traced) == words


def photographs() -> list[NDArray[np.uint8]]:
    """RGB of several sizes."""
    rng = np.random.default_rng(5)
    return [(rng.random((height, width, 3)) * rng.integers(60, 256, (1, 1, 3))).astype(np.uint8)
            for height, width in ((64, 64), (80, 40), (64, 32), (30, 90), (64, 64), (64, 64))]  # fmt: skip


@pytest.mark.parametrize("transform", [Transform(64, 64, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
                                       Transform(64, 64, (0.1, 0.0, 0.3), (1.0, 0.5, 0.25), "BGR")])  # fmt: skip
def test_bytes_are_normalized_on_the_device_as_they_are_on_the_host(transform: Transform) -> None:
    batch = np.stack([transform.fit(image) for image in photographs()])
    found = Normalize(transform, torch.device("cpu"))(torch.from_numpy(batch))
    assert found.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(found.numpy(), transform.normalize(batch))


def test_bytes_say_what_pixels_say(loaded: Loaded, traced: TorchStage) -> None:
    images, plain = photographs(), TorchStage(loaded)
    batch, pixels = plain.fit(images), loaded.transform(images)
    assert (batch.dtype, batch.shape) == (np.uint8, (6, 64, 64, 3))
    np.testing.assert_array_equal(loaded.transform.normalize(batch), pixels)
    words = plain.generate(pixels, max_new=MOST)
    assert len({tuple(row.ids) for row in words}) > 2
    assert plain.generate(batch, max_new=MOST) == words
    assert traced.generate(batch, max_new=MOST) == words
    assert Traced.made == 2
    assert traced.generate(pixels[::-1], max_new=MOST) == words[::-1]
    assert Traced.made == 3, "a picture's part for each of the two; the step is the same"
    assert traced.generate(batch[::-1][:5], max_new=MOST) == words[::-1][:5]
    assert plain.write(batch) == plain.write(pixels)


def test_rows_that_fill_up_the_output_layer_are_never_chosen(loaded: Loaded, traced: TorchStage,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    weight = torch.rand(5, 3)
    assert padded(weight, 1) is weight
    assert torch.equal(padded(weight, 4), torch.cat([weight, torch.zeros(3, 3)]))
    words, size = expected(loaded), len(loaded.tokenizer)
    monkeypatch.setattr("personvlm.runtime.stage_torch.ROWS", {"cpu": 64})
    for stage in (TorchStage(copy.deepcopy(loaded)), TorchStage(copy.deepcopy(loaded), graphs=True)):
        assert len(stage._output) % 64 == 0 != size % 64
        embeddings = {name: tensor for name, tensor in stage.model.decoder.named_parameters() if len(tensor) == size}
        assert [tensor.data_ptr() for tensor in embeddings.values()] == [stage._output.data_ptr()], "nothing lies twice"
        assert ids(stage) == words
        np.testing.assert_array_equal(stage.score(pictures(1), ["a man."]), traced.score(pictures(1), ["a man."]))
        for word in range(4, size, size // 9):  # about half of the logits are below zero, which a row of zeros gives
            allowed = np.zeros(size, bool)
            allowed[word] = True
            assert ids(stage, slice(2), allowed=allowed, most=3, ignore_end=True) == [[word] * 3] * 2


def test_drafts_change_the_steps_and_not_the_words(loaded: Loaded, traced: TorchStage) -> None:
    words, begin = expected(loaded), loaded.tokenizer.bos_id
    drafted = TorchStage(loaded)
    for damage in (0, 1):  # a table of what will be said, and one with a word left out
        rows = [[begin, *row[:7], *row[7 + damage :]] for row in words]
        traced.drafts = drafted.drafts = NgramTable.count(rows, order=4, least=1)
        for stage in (drafted, traced):
            alone = [stage.generate(pictures(6)[row : row + 1], max_new=MOST)[0] for row in range(6)]
            assert [row.ids for row in alone] == words
            assert sum(row.steps for row in alone) < 0.5 * sum(map(len, words))
    assert Traced.made == 2, "one for the picture, one for the step, whatever is drafted"
    assert ids(drafted) == words, "a batch is written word by word"
    for wrong in (lambda words, most: [5] * most, lambda words, most: []):
        traced.drafts = SimpleNamespace(draft=wrong)
        assert [traced.generate(pictures(6)[row : row + 1], max_new=MOST)[0].ids for row in range(6)] == words


def without_spare_positions(loaded: Loaded) -> Loaded:
    """The same, with positions for the longest text and not for one word more."""
    tight = copy.deepcopy(loaded)
    decoder, config = tight.model.decoder, tight.model.config
    if isinstance(decoder, GPT2Decoder):
        decoder.body.wpe.weight.data = decoder.body.wpe.weight[: config.visual_tokens + config.max_text]
    else:
        decoder.positions.data = decoder.positions[: config.max_text]
    return tight


def test_drafts_keep_to_what_is_asked_for(loaded: Loaded, traced: TorchStage) -> None:
    """To the last place that there is; and drafts of words that are not allowed."""
    tight, longest, one = without_spare_positions(loaded), traced.config.max_text - 1, pictures(1)
    plain, traced = TorchStage(tight), TorchStage(tight, graphs=True)
    first = plain.generate(one)[0].ids[0]
    allowed = np.ones(len(loaded.tokenizer), bool)
    allowed[first] = False
    for options in ({"allowed": allowed}, {"ignore_end": True}, {"max_new": 1}, {"max_new": 8, "ignore_end": True},
                    {"max_new": longest, "ignore_end": True}):  # fmt: skip
        (said,) = plain.generate(one, **options)  # type: ignore[arg-type]
        rows = [[loaded.tokenizer.bos_id, *said.ids, first, first, first]]
        for drafts in (NgramTable.count(rows, order=6, least=1), SimpleNamespace(draft=lambda _, most: [first] * most)):
            traced.drafts = drafts
            assert traced.generate(one, **options)[0].ids == said.ids  # type: ignore[arg-type]


def test_a_folder_is_loaded_with_its_drafts(loaded: Loaded, tmp_path: Path) -> None:
    save(loaded, tmp_path)
    assert TorchStage.load(tmp_path).drafts is None
    words = expected(loaded)
    table = NgramTable.count([[loaded.tokenizer.bos_id, *row] for row in words], order=4, least=1)
    table.save(tmp_path)
    stage = TorchStage.load(tmp_path)
    assert stage.drafts == table
    row = max(range(6), key=lambda row: len(words[row]))
    assert stage.generate(pictures(6)[row : row + 1], max_new=MOST)[0].steps < 0.5 * len(words[row])
    assert TorchStage.load(tmp_path, drafting=False).drafts is None


def test_ends_are_looked_at_now_and_then(loaded: Loaded, traced: TorchStage) -> None:
    """Rows that only fill the batch up are never waited for."""
    words = expected(loaded)
    lengths = [len(row) for row in words]
    short = min(range(len(words)), key=lengths.__getitem__)
    for row in {short, 0}:
        assert ids(traced, slice(row, row + 1)) == [words[row]]
        (static,) = traced._captured.values()
        assert int(static.count) == min(MOST, -(-lengths[row] // LOOK) * LOOK)
    ids(traced, slice(0, 5))
    assert int(list(traced._captured.values())[-1].count) == min(MOST, -(-max(lengths[:5]) // LOOK) * LOOK)


def test_threads_take_turns(loaded: Loaded, traced: TorchStage) -> None:
    words = ids(traced)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: ids(traced, most=9), range(8))) == [[row[:9] for row in words]] * 8


def test_bfloat16_is_a_copy_and_close(loaded: Loaded) -> None:
    exact, half = TorchStage(loaded), TorchStage(loaded, precision="bfloat16")
    assert {tensor.dtype for tensor in half.model.decoder.parameters()} == {torch.bfloat16}
    assert {tensor.dtype for tensor in loaded.model.parameters()} == {torch.float32}
    texts = ["a man and a coat.", "man man"]
    np.testing.assert_allclose(half.score(pictures(2), texts), exact.score(pictures(2), texts), rtol=0.2)
    said = {row[0] for row in ids(half)} & {row[0] for row in ids(exact)}
    assert said, "weights as large as these throw it off soon, but not at once"


def test_what_cannot_be_is_refused(loaded: Loaded) -> None:
    stage = TorchStage(loaded)
    for most in (0, stage.config.max_text):
        with pytest.raises(InputError, match="max_new must be from 1 to 47"):
            stage.generate(pictures(1), max_new=most)
    assert [len(row) for row in ids(stage, slice(1), most=47, ignore_end=True)] == [47]
    assert stage.generate(pictures(0)) == []
    with pytest.raises(InputError, match="not a stage"):
        TorchStage(Path(__file__).parents[2] / "src" / "personvlm" / "weights" / "edge")


def test_the_stand_in_refuses_what_a_graph_would() -> None:
    place = torch.zeros(1, dtype=torch.int64)
    for run in (lambda: place + int(place), lambda: place.nonzero(), lambda: place + torch.tensor([1])):
        with pytest.raises(AssertionError, match="cannot be captured"):
            Traced(run)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
def test_captured_steps_say_the_same(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # which rounds more than these weights forgive
    words = expected(loaded)
    for precision in ("bfloat16", "float32"):
        plain, captured = (TorchStage(copy.deepcopy(loaded), "cuda", precision, graphs) for graphs in (False, True))
        for rows in (slice(0, 4), slice(0, 1), slice(2, 6)):  # powers of two: the same kernels in the same shapes
            assert ids(captured, rows) == ids(plain, rows)
    assert ids(captured) == words
    assert ids(captured, slice(1, 4)) == words[1:4]
    batch = captured.fit(photographs())
    assert torch.from_numpy(batch).is_pinned()
    assert captured.generate(batch) == captured.generate(captured.transform.normalize(batch))
    captured.drafts = NgramTable.count([[captured.tokenizer.bos_id, *row] for row in words], order=4, least=1)
    alone = [captured.generate(pictures(6)[row : row + 1], max_new=MOST)[0] for row in range(6)]
    assert [row.ids for row in alone] == words
    assert sum(row.steps for row in alone) < 0.5 * sum(map(len, words))
