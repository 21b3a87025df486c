"""What is done so often that it must cost little. Limits are several times what an idle machine needs."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from crowd import crowd, multiply
from search_times import QUESTIONS, times

from personvlm.data.rendered import rendered_samples
from personvlm.language.constraint import Constraint
from personvlm.language.random_values import random_values
from personvlm.language.realiser import realise
from personvlm.language.tokens import split
from personvlm.runtime.describer import Describer
from personvlm.store import Store
from personvlm.store.reading import EVERYBODY
from personvlm.store.segments import SIZE

pytestmark = pytest.mark.accept


def test_drawing_people_is_quick_enough_to_train_on() -> None:
    start = time.process_time()
    for picture, _ in rendered_samples(10, seed=1):
        assert picture.any()
    assert time.process_time() - start < 1.5  # 20 ms each on the machine it was written on


def test_a_constraint_is_quick_enough_for_decoding() -> None:
    rng = random.Random(6)
    values = [random_values(rng) for _ in range(60)]
    texts = [split(realise(item, seed=seed)) for seed, item in enumerate(values)]
    words = ("<pad>", "<bos>", "<eos>", "<unk>", *sorted({word for text in texts for word in text}))
    place = {word: number for number, word in enumerate(words)}
    best = float("inf")
    for _ in range(3):
        fresh = [Constraint(words, item) for item in values]
        began = time.perf_counter()
        for constraint, text in zip(fresh, texts, strict=True):
            for word in text:
                constraint.mask()
                constraint.advance(place[word])
        best = min(best, (time.perf_counter() - began) / sum(map(len, texts)))
    assert best < 250e-6  # about 30 microseconds on an idle machine


def test_a_describer_is_imported_in_a_second() -> None:
    code = (
        "import time as t; start = t.perf_counter(); from personvlm import Describer; print(t.perf_counter() - start)"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    assert min(float(run.stdout) for run in runs) < 1.0


def test_fifty_thousand_people_are_searched_quickly(tmp_path: Path) -> None:
    described = Describer.load().describe([image for image, _ in rendered_samples(24, seed=5)])
    with Store.open(tmp_path / "people.db", keep_crops=False) as store:
        for _ in crowd(store, described, SIZE - 1, days=3):
            pass
        multiply(store, 3, segments=1)
        for kind, questions in QUESTIONS.items():
            times(store, questions, 1, (EVERYBODY,))
            # Processor time, and the quickest of three: what a search costs, not what else the machine does.
            taken = sorted(min(times(store, [question], 3, (EVERYBODY,), time.process_time)) for question in questions)
            assert taken[int(0.95 * len(taken))] < 50, (kind, taken)
