"""A budget of minutes through the loop: it ends on time, follows the time used, and survives a kill."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from personvlm.base.errors import InputError  # noqa: E402
from personvlm.training.budget import EVALUATIONS, Budget, Pace  # noqa: E402
from personvlm.training.loop import make_accelerator, read_curves, train  # noqa: E402
from personvlm.training.recipe import Phase, Recipe  # noqa: E402

RECIPE = Recipe(phases=(Phase(1, 8, 8, False),), batch=4, lr=0.1, precision="no", checkpoint_minutes=0.0, ema=0.0)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("personvlm.training.budget.time.perf_counter", clock)
    return clock


def taking(clock: Clock, seconds: list[float]) -> Any:
    """An objective whose steps take so long; the last time stays."""

    def objective(model: Any, step: int) -> dict[str, Any]:
        clock.now += seconds[min(step, len(seconds) - 1)]
        return {"loss": (model(torch.ones(1, 2)) ** 2).sum()}

    return objective


def test_a_run_of_minutes_ends_on_time_however_slow_the_machine(tmp_path: Path, clock: Clock) -> None:
    rates = {}
    for name, seconds in (("fast", [1.0]), ("slow", [3.0]), ("stalled", [1.0] * 20 + [20.0] + [1.0])):
        recipe, pace = Budget.parse("1m").fitted(RECIPE, samples=100, threads=1)
        model = torch.nn.Linear(2, 1)

        def evaluate(weights: Any) -> dict[str, float]:
            clock.now += 100.0  # does not count
            return {"val.loss": 1.0}

        train(model, taking(clock, seconds), recipe, tmp_path / name, evaluate=evaluate,
              accelerator=make_accelerator(recipe), pace=pace, quiet=True)  # fmt: skip
        assert 60 <= pace.seconds < 60 + seconds[-1]
        curves = read_curves(tmp_path / name / "curves.csv")
        rates[name] = [value for _, series, value in curves if series == "lr"]
        evaluations = [value for _, series, value in curves if series == "clock.seconds"]
        assert len(evaluations) >= EVALUATIONS - 2
        assert evaluations[-1] == pace.seconds
        assert rates[name][-1] < 0.03 * 0.1
    assert [len(rates[name]) for name in ("fast", "slow", "stalled")] == [60, 20, 41]
    assert rates["slow"][10] == pytest.approx(rates["fast"][30])


def test_a_killed_run_of_minutes_goes_on_with_what_was_left(tmp_path: Path, clock: Clock) -> None:
    recipe, pace = Budget.parse("1m").fitted(RECIPE, samples=100, threads=1)

    class KillError(Exception):
        pass

    def until(step_of_death: int) -> Any:
        inner = taking(clock, [1.0])

        def objective(model: Any, step: int) -> dict[str, Any]:
            if step == step_of_death:
                raise KillError
            return dict(inner(model, step))

        return objective

    with pytest.raises(KillError):
        train(torch.nn.Linear(2, 1), until(25), recipe, tmp_path, accelerator=make_accelerator(recipe), pace=pace,
              quiet=True)  # fmt: skip
    _, again = Budget.parse("1m").fitted(RECIPE, samples=100, threads=1)
    clock.now += 1000.0
    train(torch.nn.Linear(2, 1), until(-1), recipe, tmp_path, accelerator=make_accelerator(recipe), pace=again,
          quiet=True)  # fmt: skip
    assert again.seconds == pytest.approx(60)
    assert (again.taken, again.crops, again.samples) == (60, 240, 100)
    steps = [step for step, name, _ in read_curves(tmp_path / "curves.csv") if name == "loss"]
    assert steps == list(range(60))


def test_minutes_need_one_process(tmp_path: Path) -> None:
    class Several:
        num_processes = 2

    with pytest.raises(InputError, match="one process"):
        train(torch.nn.Linear(2, 1), lambda model, step: {}, RECIPE, tmp_path, accelerator=Several(),  # type: ignore[arg-type]
              pace=Pace(10, 1.0), quiet=True)  # fmt: skip


def test_epochs_keep_the_shares_of_the_phases() -> None:
    recipe = replace(RECIPE, phases=(Phase(60, 8, 8, False), Phase(40, 8, 8, True)), batch=10)
    fitted, pace = Budget.parse("0.5e").fitted(recipe, samples=1000, threads=1)
    assert [phase.steps for phase in fitted.phases] == [30, 20]
    assert not pace.timed
