"""Side by side in one run, taking turns: our engines, the same models in torch, and the loop that was published.

The published loop is implemented from its description: MobileViT-XS and 12 visual tokens before DistilGPT-2, float32,
sampled with its settings; no cache: every step reads the whole sequence again and works out the logits of every
position. The eyes run once per picture, which the description leaves open and which favors it.
"""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from personvlm.base.errors import InputError
from personvlm.base.images import decode
from personvlm.language.vocabulary import SPECIALS, PersonVocabulary
from personvlm.models.generate import GREEDY, Generation, generate, pick, processed, random_numbers
from personvlm.models.gpt2 import GPT2Decoder
from personvlm.models.person_vlm import PersonVLM
from personvlm.models.presets import PRESETS, StageConfig
from personvlm.runtime.bench_load import quantiles
from personvlm.runtime.describer import Describer, model_folder
from personvlm.runtime.engine import DECODER, VISION, available_cores
from personvlm.runtime.stage_engine import StageEngine
from personvlm.runtime.stage_export import export_stage
from personvlm.runtime.torch_engine import TorchEngine

TOKENS = 97
"""Words that every contestant of stage 4's size writes; its end token is disabled."""

PUBLISHED = "published loop"
EDGE = "edge"
STAGE4 = "stage 4, int8"
STAGE4_SHORT = "stage 4, int8, 40 words"
WHOLE_SHORT = "stage 4, int8, unpruned, no drafts, 40 words"
SHORT = 40
"""Words of a description; contestants with them are held to targets of their own."""

_NEVER = -1  # an id that no token has
_SETTINGS = Generation()


class Comparison:
    """Contestants, and the rounds in which they take turns.

    Args:
        describer: edge, as it ships or as ``--model`` names it.
        jpegs: pictures.
        stage4: a folder with the graphs of a stage 4 (``personvlm export``), perhaps pruned, perhaps with a table of
            drafts; None: random weights of its size, full vocabulary, no drafts.
        result: gets ``compare``.
        size, tokens: of the published loop; others than the defaults are for tests.
    """

    def __init__(self, describer: Describer, jpegs: Sequence[bytes], stage4: Path | None, result: dict[str, Any],
                 size: StageConfig = PRESETS["stage4"], tokens: int = TOKENS) -> None:  # fmt: skip
        self.describer, self.jpegs, self.stage4, self.result = describer, jpegs, stage4, result
        self.size, self.count = size, tokens
        self.milliseconds: dict[str, list[float]] = {}
        self.tokens: dict[str, list[int]] = {}
        self.about: dict[str, str] = {}
        self.decoder_runs = 0  # of stage 4's decoder
        self.contestants: dict[str, tuple[Callable[[bytes], int], int]] = {}

    def steps(self, rounds: int) -> Iterator[Callable[[], None]]:
        """Making the contestants ready, each round, the ratios."""
        yield self.prepare
        for _ in range(rounds):
            yield self.round
        yield self.finish

    def prepare(self) -> None:
        """Load and warm up."""
        torch.set_num_threads(available_cores())
        size, count = self.size, self.count
        torch.manual_seed(0)
        model = PersonVLM(size).eval()
        transform = size.transform

        def pixels(jpeg: bytes) -> Tensor:
            return torch.from_numpy(transform([decode(jpeg)]))

        def slow(jpeg: bytes) -> int:
            return published(model, pixels(jpeg), count).shape[1]

        def cached(jpeg: bytes) -> int:
            settings = replace(GREEDY, max_length=count)
            return generate(model, model.see(pixels(jpeg)), size.vocabulary - 1, _NEVER, settings).shape[1]

        whole = _unpruned(model)
        engine, about = self._stage4(whole)
        short = min(SHORT, count)

        def by(engine: StageEngine, most: int, counted: bool = False) -> Callable[[bytes], int]:
            def stage(jpeg: bytes) -> int:
                written = engine.generate(engine.transform([decode(jpeg)]), max_new=most, ignore_end=True)[0]
                engine.tokenizer.decode(written.ids)
                self.decoder_runs += written.steps if counted else 0
                return len(written.ids)

            return stage

        self._add(PUBLISHED, slow, 1, "torch, fp32, no cache, whole sequence and all logits every step, random weights")
        self._add("stage 4, torch", cached, 2, "torch, fp32, with a cache, random weights")
        self._add(STAGE4, by(engine, count, counted=True), 6, about)
        self._add(STAGE4_SHORT, by(engine, short), 6, about)
        self._add(WHOLE_SHORT, by(whole, short), 6, _RANDOM)
        self._add("edge, torch", self._edge(self._edge_in_torch()), 12, "torch, fp32, with a cache")
        self._add(EDGE, self._edge(self.describer), 40, f"as `personvlm describe` runs it: {self.describer.name}")
        for name, (write, _) in self.contestants.items():
            if name != PUBLISHED:
                write(self.jpegs[0])
        self.decoder_runs = 0
        published(model, pixels(self.jpegs[0]), 2)

    def round(self) -> None:
        """Every contestant's share of descriptions, each from the bytes of a JPEG to text."""
        for name, (write, count) in self.contestants.items():
            for _ in range(count):
                jpeg = self.jpegs[len(self.milliseconds[name]) % len(self.jpegs)]
                began = time.perf_counter()
                tokens = write(jpeg)
                self.milliseconds[name].append(1000 * (time.perf_counter() - began))
                self.tokens[name].append(tokens)

    def finish(self) -> None:
        """``contestants``: times by name; ``ratios``: how many times faster than the published loop, by medians, of
        those that write a whole description or as many words."""
        rows = [{"name": name, "about": self.about[name], "n": len(times), "ms": quantiles(times),
                 "tokens": round(float(np.mean(self.tokens[name])), 1)}
                for name, times in self.milliseconds.items()]  # fmt: skip
        slow = float(np.median(self.milliseconds[PUBLISHED]))
        ratios = {name: round(slow / float(np.median(times)), 1) for name, times in self.milliseconds.items()
                  if name not in (STAGE4_SHORT, WHOLE_SHORT)}  # fmt: skip
        self.result["compare"] = {"tokens": self.count, "threads": torch.get_num_threads(), "contestants": rows,
                                  "ratios": ratios, "stage4": str(self.stage4) if self.stage4 else None,
                                  "stage4_tokens_per_step": round(sum(self.tokens[STAGE4]) / self.decoder_runs, 2)}

    def _add(self, name: str, write: Callable[[bytes], int], share: int, about: str) -> None:
        self.contestants[name], self.about[name] = (write, share), about
        self.milliseconds[name], self.tokens[name] = [], []

    def _edge(self, describer: Describer) -> Callable[[bytes], int]:
        def write(jpeg: bytes) -> int:
            description = describer.describe(jpeg)[0]
            description.model_dump_json()
            return len(describer.tokenizer.encode(description.text, ends=True)) - 1

        return write

    def _edge_in_torch(self) -> Describer:
        other = copy.copy(self.describer)
        other.engine = TorchEngine(model_folder(self.result["model"]["folder"]))
        return other

    def _stage4(self, whole: StageEngine) -> tuple[StageEngine, str]:
        if self.stage4 is None:
            return whole, _RANDOM
        missing = [name for name in (VISION, DECODER) if not (self.stage4 / name).is_file()]
        if missing:
            raise InputError(f"{self.stage4}: {missing[0]} is not there; `personvlm export` makes it")
        engine = StageEngine.load(self.stage4)
        return engine, f"onnxruntime, {engine.config.title}, vocabulary of {engine.config.vocabulary:,}"


_RANDOM = "onnxruntime, random weights, full vocabulary, no drafts"


def made_up(count: int) -> PersonVocabulary:
    """A vocabulary of ``count`` words for random weights."""
    return PersonVocabulary((*SPECIALS, *(f"word{index}" for index in range(count - len(SPECIALS)))))


def _unpruned(model: PersonVLM) -> StageEngine:
    """``model`` as ``personvlm export`` makes it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save(folder)
        model.config.transform.save(folder)
        made_up(model.config.vocabulary).save(folder)
        export_stage(folder)
        return StageEngine.load(folder)


@torch.no_grad()
def published(model: PersonVLM, pixels: Tensor, count: int, settings: Generation = _SETTINGS) -> Tensor:
    """``count`` tokens for each picture ``[N, 3, H, W]`` by the published loop -> ``int64 [N, count]``."""
    numbers = random_numbers(len(pixels), replace(settings, max_length=count))
    visual = model.see(pixels)
    decoder = model.decoder
    assert isinstance(decoder, GPT2Decoder)
    body, end = decoder.body, model.config.vocabulary - 1
    words = torch.full((len(pixels), 1), end)
    for step in range(count):
        sequence = torch.cat([visual, body.wte(words)], dim=1)  # [N, K+T, D], from the beginning every time
        hidden = body(inputs_embeds=sequence, use_cache=False).last_hidden_state
        logits = F.linear(hidden, body.wte.weight)[:, -1].clone()  # of [N, K+T, V] the last
        logits[:, end] = -torch.inf
        scores = processed(logits, words[:, 1:], settings)
        chosen = pick(scores.softmax(-1), numbers[:, step]) if settings.temperature > 0 else scores.argmax(-1)
        words = torch.cat([words, chosen[:, None]], dim=1)
    return words[:, 1:]
