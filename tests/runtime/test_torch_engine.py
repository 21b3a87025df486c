"""The engine on torch: buffers in place of a growing cache change nothing; the path of a GPU runs on a CPU too."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.runtime.describer import Describer
from personvlm.schema import values_of

torch = pytest.importorskip("torch", reason="the engine on torch needs the train extra")

from traced import Traced  # noqa: E402

People = list[NDArray[np.uint8]]


def engine(folder: Path, **options: Any) -> Any:
    from personvlm.runtime.torch_engine import TorchEngine

    return TorchEngine(folder, **options)


def describer(folder: Path, **options: Any) -> Describer:
    plain = Describer.load(folder, threads=1)
    return Describer(engine(folder, **options), plain.transform, plain.tokenizer, plain.calibration, plain.name,
                     plain.max_words)  # fmt: skip


def given(folder: Path, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    from personvlm.models.config import EdgeConfig
    from personvlm.models.prefix import encode_values

    config, rng = EdgeConfig.load(folder), np.random.default_rng(3)
    rows, cols = config.grid
    prefix = np.stack([encode_values({"gender": ("male",), "upper.color": ("red",)})] * count)
    return (rng.normal(size=(count, rows * cols, config.dim)).astype(np.float32), prefix,
            rng.integers(4, config.vocabulary, (count, 9)))  # fmt: skip


def test_logits_are_those_of_the_model(folder: Path) -> None:
    backend = engine(folder)
    tokens, prefix, words = given(folder, 3)
    found = backend.extend(backend.begin(tokens, prefix), words, [0, 0, 0])
    with torch.no_grad():
        expected, _ = backend.model.decode(*(torch.from_numpy(x) for x in (tokens, prefix, words)),
                                           backend.model.decoder.empty_cache(3))  # fmt: skip
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-5)


def test_rows_go_on_from_places_of_their_own(folder: Path) -> None:
    """Taken back, thinned out and read in pieces, as drafts make it; both engines."""
    tokens, prefix, words = given(folder, 3)
    for backend in (engine(folder), Describer.load(folder, threads=1).engine):
        whole = backend.extend(backend.begin(tokens, prefix), words, [0, 0, 0])
        cache = backend.begin(tokens, prefix)
        backend.extend(cache, words[:, :4], [0, 0, 0])
        backend.extend(cache, words[:, ::-1][:, :3].copy(), [4, 2, 3])  # all of it refused
        cache.take(np.array([2, 0]))
        pieces = np.stack([words[2, 3:8], words[0, 4:9]])
        found = backend.extend(cache, pieces, [3, 4])
        np.testing.assert_allclose(found, np.stack([whole[2, 3:8], whole[0, 4:9]]), atol=2e-5)


def test_a_row_near_its_end_beside_one_at_its_beginning(folder: Path) -> None:
    """The shorter row is padded, beyond the last place that there is."""
    tokens, prefix, _ = given(folder, 2)
    backends = (engine(folder), Describer.load(folder, threads=1).engine)
    config = backends[0].model.config
    words = np.random.default_rng(1).integers(4, config.vocabulary, (2, config.max_text))
    for backend in backends:
        whole = backend.extend(backend.begin(tokens, prefix), words, [0, 0])
        cache = backend.begin(tokens, prefix)
        backend.extend(cache, words[:, :-2], [0, 0])
        pieces = np.stack([words[0, :9], np.pad(words[1, -2:], (0, 7))])
        found = backend.extend(cache, pieces, [0, config.max_text - 2])
        np.testing.assert_allclose(found[0], whole[0, :9], atol=2e-5)
        np.testing.assert_allclose(found[1, :2], whole[1, -2:], atol=2e-5)


def test_bfloat16_says_nearly_the_same(folder: Path, people: People) -> None:
    exact, half = describer(folder).describe(people), describer(folder, precision="bfloat16").describe(people)
    for ours, reference in zip(half, exact, strict=True):
        for group, scores in reference.scores.items():
            for value, probability in scores.items():
                assert ours.scores[group][value] == pytest.approx(probability, abs=0.05)
    assert sum(values_of(a.attributes) == values_of(b.attributes) for a, b in zip(half, exact, strict=True)) >= 4


def test_a_batch_of_any_size_is_described_alike(folder: Path, people: People) -> None:
    torch_engine = describer(folder)
    alone = [torch_engine.describe(person, say="all")[0].text for person in people]
    assert [person.text for person in torch_engine.describe(people, say="all", batch=4)] == alone


def test_runs_that_are_repeated_give_the_same(folder: Path, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also to threads that share an engine: what was captured has one set of inputs."""
    monkeypatch.setattr("personvlm.runtime.torch_engine.Captured", Traced)
    plain, traced = describer(folder), describer(folder, graphs=True)
    texts = [person.text for person in plain.describe(people, say="all")]
    made = Traced.made
    assert [person.text for person in traced.describe(people, say="all", batch=4)] == texts
    assert Traced.made > made
    with ThreadPoolExecutor(4) as pool:
        alone = pool.map(lambda person: traced.describe(person, say="all")[0].text, people)
        assert list(alone) == texts


def test_bfloat16_is_asked_for_with_torch(folder: Path, people: People) -> None:
    half = Describer.load(folder, backend="torch", precision="bfloat16")
    assert half.backend.endswith(", bfloat16 (asked for)")
    assert half.engine.precision == "bfloat16"  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="choose the backend torch"):
        Describer.load(folder, precision="bfloat16")
    with pytest.raises(InputError, match="legal: float32, bfloat16"):
        Describer.load(folder, backend="torch", precision="float8")  # type: ignore[arg-type]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
def test_captured_runs_give_the_same(folder: Path, people: People) -> None:
    plain, captured = describer(folder, device="cuda", graphs=False), describer(folder, device="cuda", graphs=True)
    assert [a.text for a in captured.describe(people)] == [a.text for a in plain.describe(people)]
