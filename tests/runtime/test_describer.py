"""What the describer promises, whatever its weights."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.base.images import decode
from personvlm.data.transform import Transform
from personvlm.language.parser import parse
from personvlm.runtime.describer import Describer
from personvlm.runtime.engine import Floats, OnnxEngine, Seen, shared_out
from personvlm.runtime.generate import Sampling
from personvlm.schema import values_of
from personvlm.schema.groups import column_slices

People = list[NDArray[np.uint8]]
GENDERED = {"he", "she", "his", "her", "male", "female", "man", "woman", "boy", "girl", "him", "hers"}


@pytest.fixture(scope="module")
def describer(folder: Path) -> Describer:
    return Describer.load(folder)


def test_alone_or_in_any_batch_the_answer_is_the_same(describer: Describer, people: People) -> None:
    alone = [describer.describe(person)[0] for person in people]
    for batch in (2, 4, 9):
        together = describer.describe(people, batch=batch)
        assert [item.text for item in together] == [item.text for item in alone]
        assert [values_of(item.attributes) for item in together] == [values_of(item.attributes) for item in alone]


def test_sampled_texts_do_not_depend_on_the_batch_either(describer: Describer, people: People) -> None:
    sampling = Sampling(temperature=1.2, seed=6)
    alone = [describer.describe(person, say="all", sampling=sampling)[0].text for person in people]
    assert [person.text for person in describer.describe(people, say="all", batch=4, sampling=sampling)] == alone


@pytest.mark.parametrize("say", ["confident", "all"])
def test_text_never_contradicts_attributes(describer: Describer, people: People, say: str) -> None:
    for person in describer.describe(people, say=say, sampling=Sampling(temperature=1.5, seed=4)):  # type: ignore[arg-type]
        decided = values_of(person.attributes)
        for group, values in parse(person.text).items():
            assert set(values) <= set(decided[group]), person.text


def test_realiser_takes_no_part(describer: Describer, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    before = describer.describe(people, say="all")

    def refuse(*_: object, **__: object) -> str:
        raise AssertionError("a sentence came from the realiser")

    monkeypatch.setattr("personvlm.language.realiser.realise", refuse)
    assert describer.describe(people, say="all") == before


class Noisy:
    """An engine whose logits of some groups are replaced by noise."""

    workers = 0

    def __init__(self, engine: OnnxEngine, groups: tuple[str, ...]) -> None:
        self.engine, self.groups = engine, groups
        self.begin, self.extend, self.single = engine.begin, engine.extend, self

    def encode(self, pixels: Floats) -> Seen:
        seen = self.engine.encode(pixels)
        logits = seen.logits.copy()
        for name in self.groups:
            where = column_slices()[name]
            logits[:, where] = np.random.default_rng(1).normal(0, 9, logits[:, where].shape)
        return seen._replace(logits=logits)


def test_gender_and_age_switched_off_leave_no_trace(describer: Describer, people: People) -> None:
    assert isinstance(describer.engine, OnnxEngine)
    noisy = Describer(Noisy(describer.engine, ("gender", "age")), describer.transform, describer.tokenizer,
                      describer.calibration, describer.name, describer.max_words)  # fmt: skip
    plain = describer.describe(people, say="all", gender=False, age=False)
    assert noisy.describe(people, say="all", gender=False, age=False) == plain
    for person in plain:
        assert not GENDERED & set(person.text.lower().replace(".", "").replace(",", "").split())
        assert not {"gender", "age"} & (person.attributes.keys() | person.scores.keys())


@pytest.mark.parametrize(("count", "workers", "parts"), [
    (0, 2, []), (1, 2, [1]), (2, 2, [1, 1]), (5, 2, [2, 3]), (8, 2, [4, 4]), (9, 2, [2, 2, 2, 3]), (16, 2, [4] * 4),
    (16, 1, [4] * 4), (3, 16, [1, 1, 1]), (17, 16, [1] * 15 + [2]), (100, 16, [3, 3, 3, 3, 3, 3, 3, 4] * 4),
])  # fmt: skip
def test_threads_get_as_many_crops_as_each_other(count: int, workers: int, parts: list[int]) -> None:
    shared = shared_out(range(count), workers, 4)
    assert [row for part in shared for row in part] == list(range(count))
    assert sorted(map(len, shared)) == sorted(parts)


def test_for_an_engine_of_whole_batches_cores_prepare_pictures_side_by_side(
    describer: Describer, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(describer.engine, OnnxEngine)
    whole = Describer(Noisy(describer.engine, ()), describer.transform, describer.tokenizer, describer.calibration,
                      describer.name, describer.max_words)  # fmt: skip
    monkeypatch.setattr("personvlm.runtime.describer.available_cores", lambda: 2)
    both, fit = threading.Barrier(2, timeout=20), Transform.fit

    def together(work: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            both.wait()  # one after the other, the first would wait in vain
            return work(*arguments, **options)

        return step

    expected = describer.describe(people[:2])
    monkeypatch.setattr("personvlm.runtime.describer.decode", together(decode))
    monkeypatch.setattr(Transform, "fit", together(fit))
    assert whole.describe(people[:2]) == expected


def test_every_kind_of_input(describer: Describer, people: People, tmp_path: Path) -> None:
    path = tmp_path / "größe 1.png"
    Image.fromarray(people[0]).save(path)
    expected = describer.describe([people[0]])
    stream = io.BytesIO()
    Image.fromarray(people[0]).save(stream, "PNG")
    given = [str(path), path, stream.getvalue(), Image.fromarray(people[0])]
    for picture in given:
        assert describer.describe(picture) == expected  # type: ignore[arg-type]
    assert describer.describe(given) == expected * 4  # type: ignore[arg-type]
    assert describer.describe([]) == []


def test_a_bad_picture_costs_only_itself(describer: Describer, people: People) -> None:
    results = list(describer.results([people[0], b"no picture", people[1]], names=["a", "b", "c"], batch=2))
    assert [result.input for result in results] == ["a", "b", "c"]
    assert [result.description is None for result in results] == [False, True, False]
    assert results[1].error
    assert results[2].description == describer.describe(people[1])[0]
    with pytest.raises(InputError):
        describer.describe([b"no picture"])
    with pytest.raises(InputError, match="batch"):
        list(describer.results(people, batch=0))


def test_sampling_follows_its_seed(describer: Describer, people: People) -> None:
    def texts(seed: int) -> list[str]:
        drawn = describer.describe(people, say="all", sampling=Sampling(temperature=1.2, seed=seed))
        return [person.text for person in drawn]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)


def test_scores_are_probabilities(describer: Describer, people: People) -> None:
    for person in describer.describe(people):
        for group in ("gender", "age", "hair.color"):
            assert sum(person.scores[group].values()) == pytest.approx(1.0, abs=1e-5)
        assert all(0 <= p <= 1 for values in person.scores.values() for p in values.values())
        assert np.linalg.norm(person.embedding or ()) == pytest.approx(1.0, abs=1e-4)


def test_likelihood_of_texts(describer: Describer, people: People) -> None:
    texts = ["The image shows a male.", "The image shows a person with black hair. They are wearing a black t-shirt."]
    together = describer.score(people[:2], texts)
    alone = [describer.score(people[i : i + 1], texts[i : i + 1])[0] for i in range(2)]
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    assert (together > 0).all()
    with pytest.raises(InputError, match="one text per picture"):
        describer.score(people[:2], texts[:1])


def test_of_a_text_that_the_model_cannot_hold_the_beginning_counts(describer: Describer, people: People) -> None:
    words = ["black"] * (3 * describer.max_words)
    held = " ".join(words[: describer.max_words])
    short, longer, longest = (" ".join(words[:count]) for count in (describer.max_words, 2 * describer.max_words, None))
    scores = [describer.score(people[:1], [text])[0] for text in (longer, longest)]
    assert len(held) == len(short)
    assert scores[0] == scores[1]
    assert scores[0] == pytest.approx(describer.score(people[:1], [short])[0], rel=0.1), "which has an end as well"


@pytest.mark.parametrize("wrong", [
    {"temperature": float("nan")}, {"temperature": float("inf")}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": float("nan")},
    {"top_p": 1.5}, {"seed": -1},
])  # fmt: skip
def test_sampling_that_chooses_no_word_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Sampling(**{"temperature": 1.0, **wrong})


def test_options_that_mean_nothing_are_refused(describer: Describer, people: People) -> None:
    with pytest.raises(InputError, match="legal: confident, all"):
        describer.describe(people[:1], say="never")  # type: ignore[arg-type]
    for batch in (0, -1):
        calls: list[Callable[[], object]] = [
            partial(describer.embed, people), partial(describer.describe, people),
            partial(describer.score, people, [""] * len(people)),
        ]  # fmt: skip
        for call in calls:
            with pytest.raises(InputError, match="batch must be at least 1"):
                call(batch=batch)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["config.json", "vision.onnx", "decoder.onnx", "calibration.json", "transform.json",
                                  "vocabulary.json"])  # fmt: skip
def test_a_broken_folder_is_refused_by_name(folder: Path, tmp_path: Path, name: str) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / name).write_bytes(b"{ broken")
    with pytest.raises(InputError, match=name):
        Describer.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=name):
        Describer.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"{}"])
@pytest.mark.parametrize("name", ["transform.json", "metrics.json"])
def test_a_side_file_that_is_another_is_refused_by_name(folder: Path, tmp_path: Path, name: str,
                                                        content: bytes) -> None:  # fmt: skip
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).write_bytes(content)
    if (name, content) == ("metrics.json", b"{}"):
        assert Describer.load(tmp_path).metrics == {}
        return
    with pytest.raises(InputError, match=name):
        Describer.load(tmp_path)


def test_a_graph_of_another_release_is_refused_with_the_mend(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "decoder.onnx").write_bytes((folder / "vision.onnx").read_bytes())
    with pytest.raises(InputError, match=r"decoder\.onnx: made by an older release; `personvlm export "):
        Describer.load(tmp_path, backend="onnx")


def test_threads_may_share_a_describer(describer: Describer, people: People) -> None:
    expected = describer.describe(people)
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda _: describer.describe(people, batch=3), range(4))
        assert all(answer == expected for answer in answers)


def test_sentences_begin_as_they_should(describer: Describer, people: People) -> None:
    for say in ("confident", "all"):
        for person in describer.describe(people, say=say):  # type: ignore[arg-type]
            assert person.text.startswith("The image shows")


def test_candidates_are_different_ranked_and_as_true_as_the_text(describer: Describer, people: People) -> None:
    plain = describer.describe(people[:4], say="all")
    described = describer.describe(people[:4], say="all", candidates=4)
    alone = [describer.describe(person, say="all", candidates=4)[0] for person in people[:4]]
    assert described == alone
    for before, person in zip(plain, described, strict=True):
        assert before.candidates == ()
        assert person.text == before.text
        texts = [item.text for item in person.candidates]
        assert person.text in texts
        assert 2 <= len(texts) == len(set(texts)) <= 4
        ranks = [item.likelihood for item in person.candidates]
        assert ranks == sorted(ranks, reverse=True)
        assert all(rank < 0 for rank in ranks)
        decided = values_of(person.attributes)
        for text in texts:
            assert all(set(values) <= set(decided[group]) for group, values in parse(text).items()), text


def test_the_likelihood_of_a_candidate_is_that_of_its_text(describer: Describer, people: People) -> None:
    person = describer.describe(people[0], say="all", candidates=3)[0]
    for item in person.candidates:
        per_character = describer.score(people[:1], [item.text])[0]
        words = len(describer.tokenizer.encode(item.text)) + 1  # and the end
        assert -item.likelihood * words == pytest.approx(per_character * len(item.text), rel=1e-4)
