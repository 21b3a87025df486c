"""What specialists of re-identification find alike, as a teacher of the appearance vector."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor
from torch.nn import functional as F

from personvlm.base.errors import InputError
from personvlm.data.transform import Transform
from personvlm.models.presets import IMAGENET
from personvlm.training.dataset import TrainingSet


class Looks:
    """Appearance vectors of every training picture, each model's worked out once and kept in a file.

    Args:
        models: ONNX files, from a crop to a vector. ``[1, 3, H, W]`` is given RGB with ImageNet's mean and deviation,
            as OSNet of torchreid takes it, ``[1, H, W, 3]`` BGR from 0 to 255, as models of Intel's Open Model Zoo do.
        data: the pictures.
        cache: folder for the vectors.
        quiet: no progress bar.

    Raises:
        InputError: a file is no such model.
    """

    def __init__(self, models: Sequence[str], data: TrainingSet, cache: Path, quiet: bool = False) -> None:
        self._vectors = [torch.from_numpy(_vectors(Path(model), data, cache, quiet)) for model in models]

    def similarity(self, rows: NDArray[np.int64]) -> Tensor:
        """Cosines ``[N, N]`` between the pictures ``rows [N]``, the mean over the models."""
        picked = [vectors[torch.from_numpy(rows)].float() for vectors in self._vectors]
        return torch.stack([each @ each.T for each in picked]).mean(0)


def neighbor_loss(embedding: Tensor, similarity: Tensor, temperature: float = 0.1, sharpness: float = 0.05) -> Tensor:
    """Mean divergence between whom a teacher and the student find alike in a batch.

    For every row the softmax over all others of the teacher's cosines is what the student's should be (Koohpayegani
    et al., "CompRess", NeurIPS 2020). Only differences count, so that it does not matter that a specialist's cosines
    of strangers lie around 0.4 and ours around 0.

    Args:
        embedding: ``[N, E]``, L2-normalised.
        similarity: the teacher's ``[N, N]``.
        temperature, sharpness: of the student's and of the teacher's softmax.
    """
    myself = torch.eye(len(embedding), dtype=torch.bool, device=embedding.device)
    vectors = embedding.float()
    mine = (vectors @ vectors.T / temperature).masked_fill(myself, -1e4).log_softmax(1)
    theirs = (similarity / sharpness).masked_fill(myself, -1e4).softmax(1)
    return F.kl_div(mine, theirs, reduction="batchmean")


def _vectors(model: Path, data: TrainingSet, cache: Path, quiet: bool) -> NDArray[np.float16]:
    import onnxruntime

    try:
        content = model.read_bytes()
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises kinds of its own
        raise InputError(f"{model}: cannot be used as a teacher of looks ({error})") from error
    (given,) = session.get_inputs()
    shape = list(given.shape)
    if len(shape) != 4 or 3 not in (shape[1], shape[3]):
        raise InputError(f"{model}: takes {shape}; a teacher of looks takes one picture, [1, 3, H, W] or [1, H, W, 3]")
    key = hashlib.sha256(content)
    for sample in data.samples:
        key.update(os.fsencode(f"{sample.image}\n"))
    path = cache / f"looks-{key.hexdigest()[:16]}.npy"
    if not path.is_file():
        planar = shape[1] == 3
        size = (shape[2], shape[3]) if planar else (shape[1], shape[2])
        transform = Transform(*size, **IMAGENET)
        found = []
        for picture in track(data.pixels, f"looks: {model.stem}", disable=quiet):
            pixels = transform([picture]) if planar else transform.fit(picture)[None, :, :, ::-1].astype(np.float32)
            vector = np.ravel(session.run(None, {given.name: pixels})[0])
            found.append(vector / max(1e-9, float(np.linalg.norm(vector))))
        part = path.with_suffix(".part.npy")
        np.save(part, np.stack(found).astype(np.float16))
        part.replace(path)
    loaded: NDArray[np.float16] = np.load(path, allow_pickle=False)
    return loaded
