"""The ablations of the study: one thing changed at a time, on a model that is the same otherwise. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from personvlm.base.errors import InputError
from personvlm.evaluation.study_plan import ALIKE, Entry
from personvlm.training.budget import Budget

_SMALL = {"encoder": "mobilenet_v2", "frozen_through": ""}
_PREFIX = {**_SMALL, "dim": "256", "layers": "4", "heads": "8", "ffn": "1024", "projection_hidden": "512"}


@dataclass(frozen=True)
class Variant:
    """A row of an ablation.

    Attributes:
        name: of the run; rows of several ablations may share one.
        title: what the row is called.
        model, settings, weights, tokenizer, needs: see :class:`~personvlm.evaluation.study_plan.Entry`.
    """

    name: str
    title: str
    model: str
    settings: Mapping[str, str] = field(default_factory=dict)
    weights: bool = True
    tokenizer: str = ""
    needs: str = ""

    def entry(self, budget: Budget) -> Entry:
        """The run under a budget."""
        alike = {} if self.model == "edge" else ALIKE
        return Entry(self.model, budget, self.name, {**alike, **self.settings}, self.weights, self.tokenizer,
                     self.needs, ablation=True)  # fmt: skip


@dataclass(frozen=True)
class Ablation:
    """A question and the rows that answer it."""

    question: str
    about: str
    rows: tuple[Variant, ...]


def _stage1(name: str, title: str, **settings: str) -> Variant:
    return Variant(name, title, "stage1", {**_SMALL, **settings})


def _backbone(encoder: str, title: str) -> Variant:
    """From its published weights, or not at all: ten minutes from random numbers tell nothing about an encoder."""
    return Variant(encoder, title, "stage1", {**_SMALL, "encoder": encoder}, needs="encoder")


_BASE = _stage1("base", "pooled vector, 8 visual tokens")
_ABOUT = "stage 1 with MobileNetV2, all of it trained"

ABLATIONS: Mapping[str, Ablation] = MappingProxyType({
    "visual": Ablation("Pooled vector or spatial tokens", _ABOUT, (
        _BASE, _stage1("grid", "a token for each cell of the grid", visual="grid", visual_tokens="32"),
    )),
    "tokens": Ablation("8 or 12 visual tokens", _ABOUT, (
        _BASE, _stage1("tokens12", "pooled vector, 12 visual tokens", visual_tokens="12"),
    )),
    "ends": Ablation("First word and end of a sentence trained or not", _ABOUT, (
        _stage1("base", "trained"), _stage1("ends", "not trained, as in the published study", trained_ends="false"),
    )),
    "frozen": Ablation(
        "Decoder frozen or trained",
        "stage 3's decoder, smaller (4 layers, width 256, the realiser's words) and from random numbers", (
            Variant("prefix", "all trained", "stage3", {**_PREFIX, "frozen_layers": "0"}, tokenizer="words"),
            Variant("frozen", "bottom half frozen", "stage3", {**_PREFIX, "frozen_layers": "2"}, tokenizer="words"),
        ),
    ),
    "pretrained": Ablation("Pretrained or random decoder", "stage 3 at its full size", (
        Variant("pretrained", "DistilGPT-2", "stage3", needs="decoder"),
        Variant("scratch", "the same from random numbers", "stage3", weights=False, needs="decoder"),
    )),
    "prefix": Ablation("Decided attributes as a prefix or not", "edge", (
        Variant("base", "with the prefix", "edge"),
        Variant("noprefix", "without: the decoder looks for itself", "edge", {"attribute_prefix": "false"}),
    )),
    "start": Ablation("Encoder from ImageNet or from random numbers", "edge", (
        Variant("base", "ImageNet", "edge"), Variant("random", "random numbers", "edge", weights=False),
    )),
    "backbones": Ablation("Backbones", "stage 1 with each from its published weights, all of it trained; size and time "
                          "also of those whose weights are not here", (
        _backbone("mobilenet_v3_small", "MobileNetV3-Small"), _backbone("efficientnet_b0", "EfficientNet-B0"),
        _backbone("mobilevit_xs", "MobileViT-XS"), _backbone("mobilevit_s", "MobileViT-S"),
        _backbone("dinov2_small", "DINOv2-small"), _stage1("base", "MobileNetV2"),
        Variant("mobilenet_v2_random", "MobileNetV2 from random numbers", "stage1", _SMALL, weights=False),
    )),
})  # fmt: skip


def parse_ablations(text: str) -> list[str]:
    """``all``, ``none``, or names with commas between.

    Raises:
        InputError: there is no such ablation.
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    if names == ["all"]:
        return list(ABLATIONS)
    if names in ([], ["none"]):
        return []
    for name in names:
        if name not in ABLATIONS:
            raise InputError(f"--ablations {name}: no such ablation; legal: all, none, {', '.join(ABLATIONS)}")
    return list(dict.fromkeys(names))


def ablation_entries(names: Sequence[str], budget: Budget) -> list[Entry]:
    """The runs of these ablations, each once."""
    entries = [row.entry(budget) for name in names for row in ABLATIONS[name].rows]
    return list({entry.key: entry for entry in entries}.values())
