"""A stage of the study on onnxruntime, without torch: one picture at a time, words drafted and verified."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.data.transform import Transform
from personvlm.language.tokenizer import Tokenizer, load_tokenizer
from personvlm.models.presets import StageConfig
from personvlm.runtime.draft import Drafter, NgramTable, accepted
from personvlm.runtime.engine import DECODER, VISION, Floats, _session, available_cores
from personvlm.runtime.generate import Sampling, choose

MOST_DRAFTED = 7
"""Words drafted per step at most: a step's cost grows with its words, and late drafts are seldom right."""


class Written(NamedTuple):
    """One row of words, and how many times the decoder ran for it."""

    ids: list[int]  # after the beginning; the end included where it was reached
    steps: int


def longest(config: StageConfig, max_new: int | None) -> int:
    """``max_new`` words, the end included; None is as many as a stage can hold.

    Raises:
        InputError: it cannot hold so many.
    """
    most = config.max_text - 1  # the beginning takes a place
    max_new = most if max_new is None else max_new
    if not 1 <= max_new <= most:
        raise InputError(f"max_new must be from 1 to {most}, which is what {config.title} can hold")
    return max_new


def excluded(vocabulary: int, allowed: NDArray[np.bool_] | None, never: int | None) -> Floats:
    """What is added to logits, ``float32 [V]``: -inf where a word is not among ``allowed [V]``, and at ``never``."""
    mask = np.zeros(vocabulary, np.float32)
    if allowed is not None:
        mask[~allowed] = -np.inf
    if never is not None:
        mask[never] = -np.inf
    return mask


def write_row(read: Callable[[list[int], list[int]], list[int]], begin: int, end: int, most: int,
              drafts: Drafter | None) -> Written:  # fmt: skip
    """Words after ``begin``, ``most`` of them at most, or up to ``end``.

    Args:
        read: given a text, of which all but the last word was read, and drafted words -> the choice after the text and
            after each drafted word. What was read beyond the text before is to be forgotten.
    """
    text, steps = [begin], 0
    while True:
        drafted = drafts.draft(text, min(MOST_DRAFTED, most - len(text))) if drafts is not None else []
        chosen = read(text, drafted)
        steps += 1
        new = chosen[: accepted(drafted, chosen) + 1]
        if end in new:
            return Written([*text[1:], *new[: new.index(end) + 1]], steps)
        text += new
        if len(text) > most:
            return Written(text[1:], steps)


class StageEngine:
    """Runs the graphs of :func:`~personvlm.runtime.stage_export.export_stage`.

    Keys and values lie in one buffer that the graph writes in place, so that an engine writes one row at a time; calls
    from several threads wait for one another.

    Example:
        >>> engine = StageEngine.load("runs/stage4-small")  # doctest: +SKIP
        >>> engine.write(engine.transform([image]))  # doctest: +SKIP
        ['The image shows a man with short hair. He is wearing a black jacket and blue jeans.']
    """

    def __init__(self, directory: Path, threads: int | None = None, drafts: Drafter | None = None) -> None:
        self.config = StageConfig.load(directory)
        self.tokenizer: Tokenizer = load_tokenizer(directory)
        self.transform = Transform.load(directory)
        self.drafts = drafts
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or available_cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Each session has threads of its own. Those of one must not spin on when the other's turn has come.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._vision, decoder = (_session(directory / name, options) for name in (VISION, DECODER))
        self._cached = _Cached(decoder, self.config)
        self._lock = threading.Lock()

    @classmethod
    def load(cls, directory: str | Path, *, threads: int | None = None, drafting: bool = True) -> StageEngine:
        """The engine of a folder, with the table of drafts that lies in it.

        Args:
            directory: holds config, tokenizer, transform and both graphs, and perhaps ``draft.json``.
            threads: cores to use; those available by default.
            drafting: False leaves the table where it is.

        Raises:
            InputError: a file is absent or broken; the message names it.
        """
        folder = Path(directory)
        table = NgramTable.beside(folder, StageConfig.load(folder).vocabulary) if drafting else None
        return cls(folder, threads, table)

    def write(self, pixels: Floats, *, sampling: Sampling | None = None) -> list[str]:
        """One text per picture ``float32 [N, 3, H, W]``, as the transform gives it."""
        return [self.tokenizer.decode(row.ids) for row in self.generate(pixels, sampling=sampling)]

    def generate(self, pixels: Floats, *, max_new: int | None = None, ignore_end: bool = False,
                 allowed: NDArray[np.bool_] | None = None,
                 sampling: Sampling | None = None) -> list[Written]:  # fmt: skip
        """Words for each picture ``float32 [N, 3, H, W]``; a row ends by itself, whatever the others do.

        Args:
            max_new: longest row, the end included; as the model was trained by default.
            ignore_end: the end is never chosen: every row has ``max_new`` words.
            allowed: ``bool [V]``, the only words to choose among.
            sampling: None or temperature 0 is greedy, with drafts where there is a table.

        Raises:
            InputError: ``max_new`` is more than the positions of the model allow.
        """
        max_new = longest(self.config, max_new)
        mask = excluded(self.config.vocabulary, allowed, self.tokenizer.eos_id if ignore_end else None)
        names = [output.name for output in self._vision.get_outputs()]
        with self._lock:
            seen = self._vision.run(names, {"pixels": pixels})
            return [self._row({name: part[row : row + 1] for name, part in zip(names, seen, strict=True)}, max_new,
                              mask, sampling or Sampling()) for row in range(len(pixels))]  # fmt: skip

    def _row(self, seen: dict[str, Floats], max_new: int, mask: Floats, sampling: Sampling) -> Written:
        cached, greedy = self._cached, sampling.temperature <= 0
        cached.begin(seen)
        rng = np.random.default_rng(sampling.seed)

        def read(text: list[int], drafted: list[int]) -> list[int]:
            cached.keep(len(text) - 1)
            logits = cached.read([text[-1], *drafted]) + mask  # [1 + drafts, V]
            chosen: list[int] = (logits.argmax(1) if greedy else choose(logits, sampling, rng.random())).tolist()
            return chosen

        return write_row(read, self.tokenizer.bos_id, self.tokenizer.eos_id, max_new, self.drafts if greedy else None)

    def score(self, pixels: Floats, texts: Sequence[str]) -> NDArray[np.float64]:
        """Negative log-likelihood per character ``[N]``, in nats, of a text for each picture, the end included."""
        names = [output.name for output in self._vision.get_outputs()]
        result = np.zeros(len(texts))
        with self._lock:
            seen = self._vision.run(names, {"pixels": pixels})
            for row, text in enumerate(texts):
                ids = self.tokenizer.encode(text, ends=True)[: self.config.max_text]
                self._cached.begin({name: part[row : row + 1] for name, part in zip(names, seen, strict=True)})
                logits = self._cached.read(ids[:-1]).astype(np.float64)
                peak = logits.max(1, keepdims=True)
                normaliser = peak[:, 0] + np.log(np.exp(logits - peak).sum(1))
                chances = logits[np.arange(len(ids) - 1), ids[1:]] - normaliser
                result[row] = -chances.sum() / max(1, len(text))
        return result


class _Cached:
    """The decoder's graph with buffers for its keys and values, bound once."""

    def __init__(self, session: onnxruntime.InferenceSession, config: StageConfig) -> None:
        self.session, self.config = session, config
        self.binding = session.io_binding()
        self.prefixed = config.decoder == "gpt2"
        self.longest = config.max_text + (config.visual_tokens if self.prefixed else 0) + 1  # and an idle place
        self.place = np.arange(self.longest, dtype=np.int64)
        self.pads = [np.array([0, 0, 0, 0, count, 0], np.int64) for count in (0, 1)]
        self.nothing = np.zeros((1, 0, config.dim), np.float32)
        self.length, self.visual = 0, self.nothing
        shape = (1, config.heads, self.longest, config.dim // config.heads)
        self.buffers = dict(self._bound(shape))

    def _bound(self, shape: tuple[int, ...]) -> Iterator[tuple[str, Floats]]:
        for layer in range(self.config.layers):
            for kind in ("key", "value"):
                buffer = np.zeros(shape, np.float32)
                self.binding.bind_input(f"{kind}{layer}", "cpu", 0, np.float32, shape, buffer.ctypes.data)
                self.binding.bind_output(f"next_{kind}{layer}", "cpu", 0, np.float32, shape, buffer.ctypes.data)
                yield f"{kind}{layer}", buffer

    def begin(self, seen: dict[str, Floats]) -> None:
        """Start a row with what a picture gave, each ``[1, ...]``; what the buffers held is forgotten."""
        self.length = 0
        self.visual = seen.get("visual", self.nothing)
        self.seen = {name: np.ascontiguousarray(part) for name, part in seen.items() if name != "visual"}
        for name, part in self.seen.items():
            self.binding.bind_cpu_input(name, part)

    def keep(self, words: int) -> None:
        """Go back to the first ``words`` words: those after them will be written over."""
        if words:
            self.length = words + (self.config.visual_tokens if self.prefixed else 0)

    def read(self, words: Sequence[int]) -> Floats:
        """Read words ``[T]``, and before the first ones the visual tokens -> logits ``[T, V]``."""
        count = len(words)
        total = self.length + count + self.visual.shape[1]
        idle = int(total - self.length == 1)  # see stage_export_graph: a place alone would be computed otherwise
        given = {"words": np.array([words], np.int64), "places": self.place[self.length : total],
                 "idle": self.pads[idle], "last": np.array([total + idle - 1], np.int32),
                 "total": np.array(total + idle, np.int32)}  # fmt: skip
        if self.prefixed:
            given["visual"] = self.visual
        for name, array in given.items():
            self.binding.bind_cpu_input(name, array)
        logits: Floats = np.empty((1, count, self.config.vocabulary), np.float32)
        self.binding.bind_output("logits", "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
        self.session.run_with_iobinding(self.binding)
        self.length, self.visual = total, self.nothing
        first: Floats = logits[0]
        return first
