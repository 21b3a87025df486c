"""The whole study at a size that takes seconds: drawn people, two budgets, three tiny models, a report that adds up."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the study trains")
pytest.importorskip("nltk", reason="text metrics need nltk")

from study_folders import TINY, write_people  # noqa: E402

from personvlm.base.errors import InputError  # noqa: E402
from personvlm.evaluation import study_torch  # noqa: E402
from personvlm.evaluation.study import make_report, read_study_file, run_study  # noqa: E402
from personvlm.evaluation.study_ablations import ablation_entries  # noqa: E402
from personvlm.evaluation.study_html import render  # noqa: E402
from personvlm.evaluation.study_page import FORMATS  # noqa: E402
from personvlm.evaluation.study_plan import Entry, planned  # noqa: E402
from personvlm.evaluation.study_result import joined  # noqa: E402
from personvlm.training.budget import Budget, parse_budgets  # noqa: E402
from personvlm.training.recipe import Phase, Recipe  # noqa: E402

EDGE = Recipe(phases=(Phase(1, 64, 32, False), Phase(2, 64, 32, True)), batch=8, precision="no", rendered=0)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, list[Entry], dict[str, Any]]]:
    """A finished study: data, out, entries, the object of study.json."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("study")
    data, out = write_people(root / "people"), root / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONVLM_OFFLINE", "1")
        patch.delenv("PERSONVLM_ASSETS", raising=False)
        patch.setattr(study_torch, "EDGE_RECIPE", EDGE)
        patch.setattr(study_torch, "known_weights", lambda name: None)  # whatever the cache of this machine holds
        settings = {"stage1": TINY, "stage3": {**TINY, "frozen_layers": "1"}}
        entries = planned(["stage1", "edge"], parse_budgets(["0.02m,2e"]), settings)
        entries += planned(["stage3"], parse_budgets(["2e"]), settings)
        absent = Entry("stage3", Budget.parse("2e"), "pretrained", settings["stage3"], needs="decoder")
        entries += [absent, Entry("stage1", Budget.parse("1e"), "grid",
                                  {**TINY, "visual": "grid", "visual_tokens": "4"}, ablation=True)]  # fmt: skip
        results = run_study(data, out, entries, tokenizer="words", resamples=20, say=lambda sentence: None,
                            quiet=True)  # fmt: skip
        assert [result["key"] for result in results if "failed" in result] == ["stage3+pretrained-2e"]
        make_report(data, out, entries, [], resamples=20, say=lambda sentence: None)
        yield data, out, entries, json.loads((out / "study.json").read_text("utf-8"))
    torch.set_num_threads(threads)


def resolved(study: Any, where: str) -> Any:
    for key in where.split("/")[1:]:
        key = key.replace("~1", "/").replace("~0", "~")
        study = study[int(key)] if isinstance(study, list) else study[key]
    return study


def test_every_figure_of_the_page_stands_in_the_json(done: tuple[Path, Path, list[Entry], dict[str, Any]]) -> None:
    _, out, _, study = done
    page = (out / "study.html").read_text("utf-8")
    mark = re.compile(r'<span data-at="([^"]+)" data-as="(\w+)">([^<]*)</span>')
    marked = mark.findall(page)
    assert len(marked) > 500
    for where, form, shown in marked:
        assert unescape(shown) == FORMATS[form](resolved(study, unescape(where))), where
    rest = re.sub(r"<style>.*?</style>|<[^>]+>", " ", mark.sub(" ", page), flags=re.DOTALL)
    names = re.compile(r"stage \d|BLEU-\d|GPT-2|MobileNetV2|distinct-2|\bF1\b|V100")
    assert re.findall(r"\S*\d\S*", names.sub("", unescape(rest))) == []


def test_the_page_opens_offline(done: tuple[Path, Path, list[Entry], dict[str, Any]]) -> None:
    page = (done[1] / "study.html").read_text("utf-8")
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert page.count("data:image/png;base64,") == 3
    assert "<script" not in page


def test_budgets_are_kept(done: tuple[Path, Path, list[Entry], dict[str, Any]]) -> None:
    entries = {entry["key"]: entry for entry in done[3]["entries"] if "failed" not in entry}
    assert len(entries) == 5
    for name in ("stage1", "edge"):
        assert entries[f"{name}-2e"]["used"]["crops"] == 48
        timed = entries[f"{name}-0.02m"]["used"]
        longest = timed["seconds"] / timed["steps"]
        assert 1.2 <= timed["seconds"] < 1.2 + 10 * longest
    assert entries["stage3-2e"]["weights"]["decoder"]["source"] == "random"
    assert "PERSONVLM_OFFLINE" in entries["stage3-2e"]["weights"]["decoder"]["why"]
    assert entries["edge-2e"]["weights"]["encoder"]["why"]
    assert entries["edge-2e"]["cost"]["latency_ms"]["median"] > 0
    assert entries["stage3-2e"]["cost"]["memory_mb"] > 50


def test_losses_are_compared_by_character(done: tuple[Path, Path, list[Entry], dict[str, Any]]) -> None:
    for entry in (entry for entry in done[3]["entries"] if "failed" not in entry):
        curve = entry["curve"]["validation"]
        assert curve, entry["key"]
        assert 0 < entry["nll_per_character"] < 5
        assert abs(curve[-1]["nll_per_character"] - entry["nll_per_character"]) < 1.5
        assert curve[-1]["crops"] == entry["used"]["crops"]
        assert entry["curve"]["loss"][-1]["crops"] == entry["used"]["crops"]


def test_differences_and_verdicts_fit_the_scores(done: tuple[Path, Path, list[Entry], dict[str, Any]]) -> None:
    study = done[3]
    entries = {entry["key"]: entry for entry in study["entries"]}
    assert {budget: sorted(several) for budget, several in study["differences"].items()} == {
        "0.02m": ["stage1-0.02m"], "2e": ["stage1-2e", "stage3-2e"],
    }  # fmt: skip
    expected = []
    for budget, several in study["differences"].items():
        for key, difference in several.items():
            edge, stage = entries[f"edge-{budget}"]["scores"], entries[key]["scores"]
            pairs = {
                "mA": (edge["facts"]["mA"]["value"], stage["facts"]["mA"]["value"]),
                "mean": tuple(one["facts"]["groups"]["mean"]["accuracy"] for one in (edge, stage)),
                "cider_d": (edge["text"]["cider_d"]["value"], stage["text"]["cider_d"]["value"]),
            }
            for name, (mine, other) in pairs.items():
                item = difference[name]
                if mine is None or other is None:
                    assert item["value"] is None
                else:
                    assert item["value"] == pytest.approx(mine - other)
                low, high = item["interval"]
                better, worse = low is not None and low > 0, high is not None and high < 0
                assert item["verdict"] == ("better" if better else "worse" if worse else "undecided")
                if not better:
                    expected.append((budget, key, name))
    assert [(item["budget"], item["key"], item["figure"]) for item in study["not_better"]] == expected


def test_a_table_without_a_baseline_is_refused(done: tuple[Path, Path, list[Entry], dict[str, Any]]) -> None:
    _, out, _, study = done
    for budget in study["budgets"]:
        assert all(row["scores"] for row in study["baselines"][budget].values())
    lacking = copy.deepcopy(study)
    del lacking["baselines"]["2e"]["nearest_caption"]
    with pytest.raises(ValueError, match="nearest_caption"):
        render(lacking, out / "plots")


def test_what_failed_is_said(done: tuple[Path, Path, list[Entry], dict[str, Any]]) -> None:
    failed = [entry for entry in done[3]["entries"] if "failed" in entry]
    assert [entry["key"] for entry in failed] == ["stage3+pretrained-2e"]
    assert "PERSONVLM_OFFLINE" in failed[0]["failed"]
    assert "distilgpt2" in failed[0]["failed"]
    assert escape(failed[0]["failed"]) in (done[1] / "study.html").read_text("utf-8")


def test_backbones_without_weights_are_not_trained_and_still_cost_something(
    done: tuple[Path, Path, list[Entry], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out, _, _ = done
    monkeypatch.setenv("PERSONVLM_OFFLINE", "1")
    monkeypatch.delenv("PERSONVLM_ASSETS", raising=False)
    entries = ablation_entries(["backbones"], Budget.parse("1e"))
    grid = done[2][-1]
    (tmp_path / "ablations").mkdir()
    (tmp_path / grid.key).symlink_to(out / grid.key)
    told: list[str] = []
    results = run_study(data, tmp_path, [*entries[:5], grid], resamples=20, say=told.append, quiet=True)
    assert ["failed" in result for result in results] == [True] * 5 + [False]
    assert told[0].startswith("1 by epochs")
    make_report(data, tmp_path, entries, ["backbones"], resamples=20, join=done[3], say=told.append)
    rows = read_study_file(tmp_path / "study.json")["ablations"]["backbones"]["rows"]
    sizes = [row["cost"]["encoder_parameters"] for row in rows[:5]]
    assert sizes == [927_008, 4_007_548, 1_932_848, 4_937_632, 22_056_576]
    assert all(row["cost"]["encoder_ms"] > 0 and "random initialisation" in row["failed"] for row in rows[:5])
    page = (tmp_path / "study.html").read_text("utf-8")
    assert "22,056,576" in page
    assert all(str(row["failed"]) in page for row in rows[:5])


def test_what_is_done_is_not_done_again(done: tuple[Path, Path, list[Entry], dict[str, Any]],
                                        monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    data, out, entries, _ = done

    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in out.glob("*/*") if path.is_file()
                and path.name != "result.json"}  # fmt: skip

    before = times()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("trained, described or measured again")

    for name in ("run_stage", "describe_stage", "describe_edge", "cost_of"):
        monkeypatch.setattr(study_torch, name, never)
    finished = [entry for entry in entries if not entry.needs]
    run_study(data, out, finished, tokenizer="words", resamples=20, say=lambda sentence: None, quiet=True)
    assert times() == before
    other = [Entry("stage1", Budget.parse("2e"), settings={**TINY, "dim": "16"})]
    with pytest.raises(InputError, match="other settings"):
        run_study(data, out, other, say=lambda sentence: None, quiet=True)
    (out / "stage1-2e" / "failed.json").unlink()


def test_a_study_under_another_budget_joins_the_report(
    done: tuple[Path, Path, list[Entry], dict[str, Any]], tmp_path: Path
) -> None:
    data, out, entries, whole = done
    entries = [entry for entry in entries if not entry.ablation]
    halves = [[entry for entry in entries if entry.budget.name == budget] for budget in ("0.02m", "2e")]

    def quiet(sentence: str) -> None:
        pass

    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        for entry in entries:
            (folder / entry.key).symlink_to(out / entry.key)
    make_report(data, first, halves[0], [], resamples=20, say=quiet)
    earlier = read_study_file(first / "study.json")
    assert earlier["budgets"] == ["0.02m"]
    make_report(data, second, halves[1], [], resamples=20, join=earlier, say=quiet)
    both = read_study_file(second / "study.json")
    assert both["budgets"] == whole["budgets"]
    assert sorted(both["entries"], key=lambda entry: str(entry["key"])) == sorted(
        whole["entries"], key=lambda entry: str(entry["key"]))  # fmt: skip
    assert {name: both[name] for name in ("baselines", "differences", "not_better", "data", "seed")} == {
        name: whole[name] for name in ("baselines", "differences", "not_better", "data", "seed")}  # fmt: skip
    third = tmp_path / "third"
    (third / "ablations").mkdir(parents=True)
    (third / "ablations" / "stage1+grid-1e").symlink_to(out / "ablations" / "stage1+grid-1e")
    visual = ablation_entries(["visual"], Budget.parse("1e"))
    make_report(data, third, visual, ["visual"], resamples=20, join=both, say=quiet)
    more = read_study_file(third / "study.json")
    assert {name: more[name] for name in both if name != "ablations"} == {
        name: both[name] for name in both if name != "ablations"}  # fmt: skip
    assert [row.get("failed", "done") for row in more["ablations"]["visual"]["rows"]] == ["not done yet", "done"]
    with pytest.raises(InputError, match=r"both studies have 0\.02m"):
        joined(earlier, both)
    other = {**earlier, "data": {**earlier["data"], "test": 7}}
    with pytest.raises(InputError, match="'data'"):
        joined(other, both)
    (tmp_path / "else.json").write_text("[]")
    for wrong in ("else.json", "absent.json"):
        with pytest.raises(InputError, match=wrong):
            read_study_file(tmp_path / wrong)


@pytest.mark.parametrize(("at_hand", "taken"), [
    ((), "efficientnet_lite0"), (("mobilenet_v2",), "mobilenet_v2"),
    (("efficientnet_lite0", "mobilenet_v2"), "efficientnet_lite0"),
])  # fmt: skip
def test_edge_has_one_encoder_throughout_a_study(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                                 at_hand: tuple[str, ...], taken: str) -> None:  # fmt: skip
    """With weights or, for comparison, without: else two things would differ."""
    monkeypatch.setattr(study_torch, "known_weights", lambda name: tmp_path if name in at_hand else None)
    assert study_torch.edge_recipe() == replace(study_torch.EDGE_RECIPE, encoder=taken)
