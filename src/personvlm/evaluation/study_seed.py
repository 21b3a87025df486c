"""The published study's own figures, as its description prints them, to stand beside ours. Shares are fractions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_STAGES: tuple[dict[str, Any], ...] = (
    {"model": "stage1", "parameters": 7_260_000, "trainable": 5_700_000, "budget_share": 0.073, "loss": 2.80,
     "bleu_1": 0.5466, "bleu_2": 0.4021, "bleu_3": 0.3102, "bleu_4": 0.2419, "rouge_l": 0.4298, "cider": 0.75,
     "keyword_overlap": 0.638, "attributes": None, "decoder": "own, 4 layers", "time": "2.8 hours", "hardware": "M4",
     "parts": {"encoder": 2_000_000, "projection": 1_200_000, "decoder": 4_000_000},
     "latency_ms": 15.0, "memory": "below 1 GB of a GPU"},
    {"model": "stage2", "parameters": 33_840_000, "trainable": 32_000_000, "budget_share": 0.338, "loss": 2.63,
     "bleu_1": 0.5479, "bleu_2": 0.4033, "bleu_3": 0.3057, "bleu_4": 0.2316, "rouge_l": 0.4134, "cider": 0.73,
     "keyword_overlap": None, "attributes": None, "decoder": "own, 6 layers", "time": "11 minutes",
     "hardware": "4 x V100", "parts": {"encoder": 2_000_000, "projection": 4_900_000, "decoder": 27_000_000},
     "latency_ms": 18.0, "memory": "below 1.5 GB of a GPU"},
    {"model": "stage3", "parameters": 93_780_000, "trainable": 31_900_000, "budget_share": 0.938, "loss": 2.40,
     "bleu_1": 0.5358, "bleu_2": 0.3964, "bleu_3": 0.3098, "bleu_4": 0.2436, "rouge_l": 0.4168, "cider": 0.79,
     "keyword_overlap": None, "attributes": None, "decoder": "DistilGPT-2, half frozen", "time": "9 minutes",
     "hardware": "4 x V100", "parts": {"encoder": 2_000_000, "projection": 9_800_000, "decoder": 81_900_000},
     "latency_ms": 22.0, "memory": "below 2 GB of a GPU"},
    {"model": "stage4", "parameters": 98_510_000, "trainable": 97_600_000, "budget_share": 0.985, "loss": 2.26,
     "bleu_1": 0.5423, "bleu_2": 0.4033, "bleu_3": 0.3157, "bleu_4": 0.2486, "rouge_l": 0.4222, "cider": 0.83,
     "keyword_overlap": None, "attributes": 0.4422, "decoder": "DistilGPT-2", "time": "40 minutes",
     "hardware": "4 x V100", "parts": {"encoder": 2_000_000, "projection": 14_600_000, "decoder": 81_900_000},
     "latency_ms": 25.0, "memory": "below 2 GB of a GPU"},
)  # fmt: skip

SEED: Mapping[str, Any] = MappingProxyType({
    "about": "As printed in the published description. Its losses are per token of vocabularies of 3,179 and 50,257 "
             "entries, with label smoothing; its captions are MSP60K's, raw; its test images show people that it was "
             "trained on; its latencies are estimates for a V100.",
    "stages": _STAGES,
    "attributes": {"hair_color": 0.8272, "gender": 0.6381, "bag": 0.3793, "age": 0.3385, "upper_color": 0.2812,
                   "lower_color": 0.1882, "mean": 0.4422},
    "failures": {"color confusion": "about 30 %", "lower body": "about 35 %", "age": "about 25 %",
                 "viewpoint": "about 10 to 15 %", "hallucination": "about 5 to 10 %"},
    "backbones": (
        {"encoder": "mobilenet_v3_small", "parameters": 2_500_000, "ms": 3.2, "top_1": 0.674},
        {"encoder": "efficientnet_b0", "parameters": 5_300_000, "ms": 4.8, "top_1": 0.771},
        {"encoder": "mobilevit_xs", "parameters": 2_300_000, "ms": 4.1, "top_1": 0.748},
        {"encoder": "mobilevit_s", "parameters": 5_600_000, "ms": 6.2, "top_1": 0.784},
    ),
})  # fmt: skip
