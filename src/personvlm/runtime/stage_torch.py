"""A stage on torch: in float32 what the graphs of :mod:`.stage_engine` are compared with, and the one for GPUs."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from personvlm.base.errors import InputError
from personvlm.data.transform import Transform
from personvlm.models import Loaded, load
from personvlm.models.gpt2 import GPT2Decoder
from personvlm.models.person_vlm import PersonVLM
from personvlm.runtime.backend import Precision
from personvlm.runtime.draft import Drafter, NgramTable
from personvlm.runtime.engine import Floats
from personvlm.runtime.stage_engine import Written, excluded, longest
from personvlm.runtime.stage_torch_static import StaticStage, padded, places
from personvlm.runtime.torch_engine import mixed, power_of_two

ROWS: Mapping[str, int] = MappingProxyType({"cuda": 64})
"""Device -> the output layer gets rows up to a multiple of this. With GPT-2's 50,257 the product with it is a third of
a step at batch 512: no fast kernel takes an odd width."""

Pixels = Floats | NDArray[np.uint8]
"""``float32 [N, 3, H, W]`` as the transform gives it, or ``uint8 [N, H, W, 3]`` as :meth:`TorchStage.fit` does."""


class TorchStage:
    """Greedy, a whole batch at once, one word a step; a picture alone with drafts, if there are any. Otherwise like
    :class:`~personvlm.runtime.stage_engine.StageEngine`.

    Args:
        model: a loaded stage, or its folder.
        device: ``cpu``, ``cuda``, ``mps``; None is a CUDA GPU if there is one.
        precision: ``float32`` is exact on the cores; on a GPU torch rounds convolutions more (TF32) unless
            ``torch.backends.cudnn.allow_tf32`` is off. ``bfloat16`` holds the decoder's weights, keys and values in
            half the memory (a copy: a loaded model stays as it is); words are then not the reference's everywhere.
        graphs: capture the picture's part and the step as CUDA graphs, once for each power of two of rows and each 64
            places, and keep their buffers; on CUDA by default, elsewhere there are none.
        drafts: what a picture that comes alone is drafted by. In float32 that changes no word; in bfloat16 a near tie
            can fall otherwise where several words are read at once.

    Example:
        >>> stage = TorchStage.load("runs/stage4-small", "cuda", "bfloat16")  # doctest: +SKIP
        >>> stage.write(stage.fit([image]))  # doctest: +SKIP
        ['The image shows a man with short hair. He is wearing a black jacket and blue jeans.']

    Raises:
        InputError: the model is no stage.
    """

    def __init__(self, model: Loaded | Path, device: str | None = "cpu", precision: Precision = "float32",
                 graphs: bool | None = None, drafts: Drafter | None = None) -> None:  # fmt: skip
        loaded = load(model) if isinstance(model, Path) else model
        if not isinstance(loaded.model, PersonVLM):
            raise InputError(f"{loaded.model.config.title}: not a stage")
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model = loaded.model.eval() if precision == "float32" else copy.deepcopy(loaded.model).eval()
        self.model.decoder.to(dtype=getattr(torch, precision))  # the encoder is autocast: its norms stay exact
        self.model.to(self.device)
        if self.device.type == "cuda":
            self.model.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.precision: Precision = precision
        self.graphs = self.device.type == "cuda" if graphs is None else graphs
        self.tokenizer, self.transform, self.config = loaded.tokenizer, loaded.transform, loaded.model.config
        self.drafts = drafts
        self._normalize = Normalize(self.transform, self.device)
        self._output = _aligned(self.model, ROWS.get(self.device.type, 1))
        self._captured: dict[tuple[int, int], StaticStage] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(cls, directory: str | Path, device: str | None = "cpu", precision: Precision = "float32", *,
             drafting: bool = True) -> TorchStage:  # fmt: skip
        """The stage of a folder, with the table of drafts that lies in it.

        Raises:
            InputError: a file is absent or broken, or the model is no stage; the message names it.
        """
        folder, loaded = Path(directory), load(directory)
        table = NgramTable.beside(folder, loaded.model.config.vocabulary) if drafting else None
        return cls(loaded, device, precision, drafts=table)

    def fit(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """RGB pictures ``uint8 [h, w, 3]`` of any size, resized and padded by the transform -> ``uint8 [N, H, W, 3]``,
        which :meth:`write` and :meth:`generate` take and the device normalizes. For a GPU it lies in pinned memory.
        Waits for no batch that is being written: another thread may prepare the next one meanwhile."""
        shape = (len(images), self.transform.height, self.transform.width, 3)
        batch: NDArray[np.uint8] = torch.empty(shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda").numpy()
        for row, image in zip(batch, images, strict=True):
            row[:] = self.transform.fit(image)
        return batch

    def write(self, pixels: Pixels) -> list[str]:
        """One text per picture: ``float32 [N, 3, H, W]`` or ``uint8 [N, H, W, 3]``."""
        return [self.tokenizer.decode(row.ids) for row in self.generate(pixels)]

    @torch.inference_mode()
    def generate(self, pixels: Pixels, *, max_new: int | None = None, ignore_end: bool = False,
                 allowed: NDArray[np.bool_] | None = None) -> list[Written]:  # fmt: skip
        """See :meth:`StageEngine.generate <personvlm.runtime.stage_engine.StageEngine.generate>`; ``pixels`` as
        :meth:`write` takes them."""
        max_new = longest(self.config, max_new)
        if not len(pixels):
            return []
        end = self.tokenizer.eos_id
        mask = torch.from_numpy(excluded(self.config.vocabulary, allowed, end if ignore_end else None))
        given = torch.from_numpy(np.ascontiguousarray(pixels))
        with self._lock:
            if self.drafts is not None and len(pixels) == 1:
                return [self._static(1, max_new + 1).verify(given, mask, max_new, self.drafts)]
            rows = self._static(len(pixels), max_new).write(given, mask, max_new).tolist()
        cut = [row[: row.index(end) + 1] if end in row else row for row in rows]
        return [Written(row, len(row)) for row in cut]

    @torch.inference_mode()
    def score(self, pixels: Floats, texts: Sequence[str]) -> NDArray[np.float64]:
        """See :meth:`StageEngine.score <personvlm.runtime.stage_engine.StageEngine.score>`."""
        result = np.zeros(len(texts))
        for row, text in enumerate(texts):
            ids = self.tokenizer.encode(text, ends=True)[: self.config.max_text]
            words = torch.tensor([ids], device=self.device)
            with mixed(self.device, self.precision, graphs=False):
                logits = self.model(torch.from_numpy(pixels[row : row + 1]).to(self.device), words[:, :-1])
            nats = F.cross_entropy(logits[0].double(), words[0, 1:], reduction="sum")
            result[row] = float(nats) / max(1, len(text))
        return result

    def _see(self, pixels: Tensor) -> Tensor:
        if pixels.dtype == torch.uint8:
            pixels = self._normalize(pixels)
        with mixed(self.device, self.precision, self.graphs):
            return self.model.see(pixels)

    def _static(self, count: int, words: int) -> StaticStage:
        """Buffers for ``count`` texts of ``words`` words; captured ones serve again."""
        begin, end = self.tokenizer.bos_id, self.tokenizer.eos_id
        size = places(self.config, words)
        if not self.graphs:
            return StaticStage(self.model, self._output, self._see, count, size, begin, end, graphs=False)
        key = (power_of_two(count), size)
        if key not in self._captured:
            self._captured[key] = StaticStage(self.model, self._output, self._see, *key, begin, end, graphs=True)
        return self._captured[key]


class Normalize:
    """:meth:`Transform.normalize <personvlm.data.transform.Transform.normalize>` on a device, with its numbers."""

    def __init__(self, transform: Transform, device: torch.device) -> None:
        self._reverse = transform.channels == "BGR"
        self._scale, self._shift = (torch.from_numpy(part).to(device) for part in transform.constants)

    def __call__(self, images: Tensor) -> Tensor:
        """``uint8 [N, H, W, 3]`` RGB -> ``float32 [N, 3, H, W]``; in memory channels stay last, as encoders like it."""
        images = images.flip(3) if self._reverse else images
        return images.permute(0, 3, 1, 2).float() * self._scale - self._shift


def _aligned(model: PersonVLM, step: int) -> Tensor:
    """The output layer, :func:`padded`. The embeddings that it is tied to become its first rows: nothing lies twice."""
    decoder = model.decoder
    embeddings = decoder.body.wte if isinstance(decoder, GPT2Decoder) else decoder.words
    output = padded(embeddings.weight.detach(), step)
    embeddings.weight.data = output[: len(embeddings.weight)]
    return output
