"""Distillation: edge learns from labels and, on every crop, labelled or not, from what larger models see in it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional as F

from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.data.splits import Part
from personvlm.data.transform import Transform
from personvlm.models import load
from personvlm.models.edge import EdgeVLM
from personvlm.schema.groups import GROUP, column_slices, columns
from personvlm.training.dataset import TrainingSet
from personvlm.training.looks import neighbor_loss
from personvlm.training.loop import fast_precision
from personvlm.training.origin import Source, data_source, weights_source
from personvlm.training.recipe import FILE as RECIPE
from personvlm.training.recipe import Recipe
from personvlm.training.validate import headline, logits_of

FILE = "distillation.json"
Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Distillation:
    """What a run learns beside its labels; saved beside the weights.

    Attributes:
        teachers: folders of edge models of any size; several are an ensemble.
        temperature: softens what teachers and student say of attributes (Hinton et al., "Distilling the knowledge in a
            neural network", 2015).
        weight: of the soft targets.
        whole: the teachers look once at every picture as it is, and mirrored, instead of at what augmentation left of
            it in each step: they see more than the student, who learns to say the same of less ("noisy student", Xie
            et al., CVPR 2020), and a step costs no pass of theirs. Whom they find alike is then not taught. Teachers
            that left a part of the people out (``Recipe.left_out``) are asked about those alone: what they say of
            people whom they know is what the labels say, right or wrong (cross-fitting).
        mix: share of the crops that are laid over another (:func:`~personvlm.training.mixing.mixed`).
        weight_similarity: of the likeness of appearance vectors within a batch; 0: it is not taught.
        looks: ONNX files of re-identification models (:class:`~personvlm.training.looks.Looks`), which teach the
            appearance vector alone.
        weight_looks: of that.
    """

    teachers: tuple[str, ...] = ()
    temperature: float = 2.0
    weight: float = 1.0
    weight_similarity: float = 1.0
    looks: tuple[str, ...] = ()
    weight_looks: float = 0.5
    whole: bool = False
    mix: float = 0.0

    def __post_init__(self) -> None:
        if not self.teachers and not self.looks:
            raise InputError("distillation needs a teacher: the folder of an edge model, or a model of looks")
        if self.whole and not self.teachers:
            raise InputError("whole pictures are for edge models to look at: name one, or leave --whole out")
        if not 0.0 <= self.mix <= 1.0 or (self.mix and (self.whole or not self.teachers)):
            raise InputError("the share of mixed crops is from 0 to 1, and takes edge models that look at every crop; "
                             f"got {self.mix}{' with --whole' if self.whole else ''}")  # fmt: skip
        weights = (self.weight, self.weight_similarity, self.weight_looks)
        if self.temperature <= 0 or min(weights) < 0:
            raise InputError("the temperature of a distillation is above 0, and its weights are not negative; got "
                             f"{self.temperature} and {', '.join(map(str, weights))}")  # fmt: skip

    def sources(self, unlabelled: Sequence[Sample]) -> dict[str, Source]:
        """For the record of the run: the settings, what the teachers' files hold, and the pictures without labels."""
        files = [weights_source(Path(each), "") for each in (*self.teachers, *self.looks)]
        content = hashlib.sha256("".join(each.sum for each in files).encode()).hexdigest()
        return {"distillation": Source(f"{self}, {len(unlabelled)} unlabelled"),
                "teachers": Source(", ".join(each.name for each in files), content),
                **({"unlabelled": data_source(Path("unlabelled"), unlabelled)} if unlabelled else {})}  # fmt: skip

    def save(self, directory: Path) -> None:
        """Write ``distillation.json`` into ``directory``."""
        (directory / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n")


class Taught(NamedTuple):
    """What the teachers see in a batch."""

    logits: Tensor  # [N, C] over schema.groups.columns(), the mean over the teachers
    similarity: Tensor  # [N, N] cosines between appearance vectors, the mean over the teachers


class Teachers:
    """Models that are asked and not trained.

    Args:
        folders: each with an edge model.
        device: that the student is trained on.

    Attributes:
        models: each with its transform and the part of the people that it left out, None where it left out nobody.

    Raises:
        InputError: a folder holds no edge model.
    """

    def __init__(self, folders: Sequence[str], device: torch.device | str = "cpu") -> None:
        self.models: list[tuple[EdgeVLM, Transform, Part | None]] = []
        for folder in folders:
            model, _, transform = load(folder)
            if not isinstance(model, EdgeVLM):
                raise InputError(f"{folder}: {model.config.title} has no attribute heads to learn from; a teacher is "
                                 "an edge model of any size")  # fmt: skip
            left_out = Recipe.load(Path(folder)).left_out if (Path(folder) / RECIPE).is_file() else ""
            part = Part.parse(left_out) if left_out else None
            self.models.append((model.requires_grad_(False).eval().to(device), transform, part))

    def asked_about(self, sample: Sample) -> tuple[int, ...]:
        """Which of the teachers can say something of a picture that they have not learned by heart; where nobody left
        anybody out, all of them; all of them too where it has no labels.

        Raises:
            InputError: some left people out, and nobody this one.
        """
        everybody = tuple(range(len(self.models)))
        if not sample.annotations.known or all(part is None for _, _, part in self.models):
            return everybody
        chosen = tuple(index for index in everybody if (part := self.models[index][2]) and part.holds(sample))
        if not chosen:
            parts = ", ".join(f"{part.number}/{part.of}" for _, _, part in self.models if part)
            raise InputError(f"no teacher left {sample.image} out; there are teachers without {parts} of the people, "
                             "and it takes one for every part")  # fmt: skip
        return chosen

    @torch.no_grad()
    def see(self, pixels: Tensor, transform: Transform, asked: Sequence[int] | None = None) -> Taught:
        """Ask about pixels ``[N, 3, H, W]`` as the student's transform gives them: every teacher (or those at the
        places ``asked``) sees the same crop, augmented in the same way, at its own size and in its own terms. In
        bfloat16 where that is faster."""
        logits, similarity = [], []
        for index in range(len(self.models)) if asked is None else asked:
            model, own, _ = self.models[index]
            with torch.autocast(pixels.device.type, torch.bfloat16, enabled=fast_precision("bf16") == "bf16"):
                seen = model.see(converted(pixels, transform, own))
            logits.append(seen.logits.float())
            similarity.append(seen.embedding.float() @ seen.embedding.float().T)
        return Taught(torch.stack(logits).mean(0), torch.stack(similarity).mean(0))


def converted(pixels: Tensor, given: Transform, wanted: Transform) -> Tensor:
    """Pixels ``[N, 3, H, W]`` of one transform as another would have given them."""
    if (given.mean, given.std, given.channels) != (wanted.mean, wanted.std, wanted.channels):
        def per_channel(values: tuple[float, float, float]) -> Tensor:
            return pixels.new_tensor(values)[:, None, None]

        pixels = pixels * per_channel(given.std) + per_channel(given.mean)
        pixels = pixels.flip(1) if given.channels != wanted.channels else pixels
        pixels = (pixels - per_channel(wanted.mean)) / per_channel(wanted.std)
    size = (wanted.height, wanted.width)
    if pixels.shape[2:] != size:
        pixels = F.interpolate(pixels, size, mode="bilinear", align_corners=False, antialias=True)
    return pixels


def soft_loss(logits: Tensor, taught: Tensor, temperature: float, visible: Tensor | None = None) -> Tensor:
    """Sum over groups of the mean divergence of the student ``[N, C]`` from the teachers ``[N, C]``.

    Kullback-Leibler, for exclusive groups between their values, for sets between present and absent of each; times the
    temperature squared, so that its gradient does not shrink (Hinton et al., 2015). 0 where both say the same, and
    where ``visible`` (``bool [N, C]``) says that the student cannot see what the teachers saw.
    """
    student, teacher = logits.float() / temperature, taught.float() / temperature
    total = student.new_zeros(())
    for name, where in column_slices().items():
        mine, theirs = student[:, where], teacher[:, where]
        if GROUP[name].kind == "exclusive":
            each = F.kl_div(mine.log_softmax(1), theirs.log_softmax(1), log_target=True, reduction="none")
        else:
            chance = theirs.sigmoid()
            each = (F.binary_cross_entropy_with_logits(mine, chance, reduction="none")
                    - F.binary_cross_entropy_with_logits(theirs, chance, reduction="none"))  # fmt: skip
        total = total + (each if visible is None else each * visible[:, where]).sum() / len(mine)
    return total * temperature**2


def similarity_loss(embedding: Tensor, taught: Tensor) -> Tensor:
    """Mean square difference of the cosines ``[N, N]`` between crops: who looks like whom can be learned from vectors
    of any length (Tung & Mori, "Similarity-preserving knowledge distillation", ICCV 2019)."""
    vectors = embedding.float()
    return F.mse_loss(vectors @ vectors.T, taught)


@torch.no_grad()
def whole_logits(teachers: Teachers, data: TrainingSet, transform: Transform, cache: Path,
                 quiet: bool = False) -> Tensor:  # fmt: skip
    """``float32 [N, C]``: what the teachers see in every picture of ``data`` as it is, the mean over both sides; worked
    out once and kept in ``cache``."""
    key = hashlib.sha256(repr(transform).encode())
    for model, own, part in teachers.models:
        key.update(repr((own, part)).encode())
        for tensor in model.state_dict().values():
            key.update(tensor.cpu().numpy().tobytes())
    for sample in data.samples:
        key.update(os.fsencode(f"{sample.image}\n"))
    path = cache / f"teachers-{key.hexdigest()[:16]}.npy"
    if not path.is_file():
        device = next(teachers.models[0][0].parameters()).device
        by_asked: dict[tuple[int, ...], list[int]] = {}
        for row, sample in enumerate(data.samples):
            by_asked.setdefault(teachers.asked_about(sample), []).append(row)
        batches = [(asked, rows[start : start + 32]) for asked, rows in by_asked.items()
                   for start in range(0, len(rows), 32)]  # fmt: skip
        found = np.zeros((len(data.samples), len(columns())), np.float32)
        for asked, rows in track(batches, "teachers look", disable=quiet):
            pixels = torch.from_numpy(transform.normalize(data.pixels[rows]))
            pixels = pixels.to(device, memory_format=torch.channels_last)
            sides = [teachers.see(side, transform, asked).logits for side in (pixels, pixels.flip(3))]
            found[rows] = torch.stack(sides).mean(0).cpu().numpy()
        written = path.with_suffix(".part.npy")
        np.save(written, found)
        written.replace(path)
    return torch.from_numpy(np.load(path, allow_pickle=False))


class DistillObjective:
    """The losses of another objective, and what the teachers would have said of the same crops.

    Args:
        inner: calls the model once per step, with pixels ``[N, 3, H, W]`` first, and it answers with what it saw first
            (:class:`~personvlm.training.objective.EdgeObjective`).
        transform: of the student's pixels.
        alike: step -> the cosines ``[N, N]`` that models of looks find in the same batch.
        whole: step -> the logits ``[N, C]`` that the teachers gave for the whole pictures of the same batch, and
            which of them the student can know (``bool [N, C]``); asked after the inner losses of the step.
    """

    def __init__(self, inner: Callable[[Any, int], Losses], teachers: Teachers, settings: Distillation,
                 transform: Transform, alike: Callable[[int], Tensor] | None = None,
                 whole: Callable[[int], tuple[Tensor, Tensor]] | None = None) -> None:  # fmt: skip
        self.inner, self.teachers, self.settings, self.transform = inner, teachers, settings, transform
        self.alike, self.whole = alike, whole

    def __call__(self, model: nn.Module, step: int) -> Losses:
        """The inner losses, ``soft``, ``similarity`` and ``looks`` where they are taught, and ``loss``: all of it."""
        passed: list[tuple[Tensor, Any]] = []

        def watched(pixels: Tensor, *rest: Tensor) -> Any:
            answer = model(pixels, *rest)
            passed.append((pixels, answer[0]))
            return answer

        losses = self.inner(watched, step)
        ((pixels, seen),) = passed
        total = losses["loss"]
        if self.alike is not None:
            losses["looks"] = neighbor_loss(seen.embedding, self.alike(step).to(pixels.device))
            total = total + self.settings.weight_looks * losses["looks"]
        if not self.settings.teachers:
            return {**losses, "loss": total}
        if self.whole is not None:
            logits, visible = (each.to(pixels.device) for each in self.whole(step))
            losses["soft"] = soft_loss(seen.logits, logits, self.settings.temperature, visible)
            return {**losses, "loss": total + self.settings.weight * losses["soft"]}
        taught = self.teachers.see(pixels, self.transform)
        losses["soft"] = soft_loss(seen.logits, taught.logits, self.settings.temperature)
        total = total + self.settings.weight * losses["soft"]
        if self.settings.weight_similarity > 0:
            losses["similarity"] = similarity_loss(seen.embedding, taught.similarity)
            total = total + self.settings.weight_similarity * losses["similarity"]
        return {**losses, "loss": total}


@torch.no_grad()
def compared(models: Sequence[tuple[str, Path]], samples: Sequence[Sample], cache: Path,
             runs: int = 20) -> list[dict[str, Any]]:  # fmt: skip
    """What edge models know and cost.

    Args:
        models: names and folders.
        samples: labelled pictures that none of them was trained on.
        cache: folder for decoded pictures.
        runs: how often the time is taken, in turns.

    Returns:
        Per model ``name``, ``parameters``, ``facts`` (:func:`~personvlm.training.validate.headline` of its heads) and
        ``ms``, the median time that its eyes take for one crop in torch.
    """
    loaded = [(name, *load(folder)) for name, folder in models]
    crops = {name: torch.zeros(1, 3, transform.height, transform.width) for name, _, _, transform in loaded}
    times: dict[str, list[float]] = {name: [] for name in crops}
    rows = []
    for name, model, _, transform in loaded:
        assert isinstance(model, EdgeVLM)
        validation = TrainingSet(samples, transform, cache, quiet=True)
        rows.append({"name": name, "parameters": sum(each.numel() for each in model.parameters()),
                     "facts": headline(logits_of(model, validation, transform), validation)})  # fmt: skip
    for _ in range(runs):
        for name, model, _, _ in loaded:
            assert isinstance(model, EdgeVLM)
            began = time.perf_counter()
            model.see(crops[name])
            times[name].append(1000 * (time.perf_counter() - began))
    return [{**row, "ms": sorted(times[str(row["name"])])[runs // 2]} for row in rows]
