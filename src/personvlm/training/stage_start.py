"""Where a stage's weights and tokenizer come from: given, among the assets, on the hub, or random numbers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from personvlm.base.assets import FOLDER
from personvlm.base.errors import InputError
from personvlm.base.hub import HUB
from personvlm.language.tokenizer import DomainBPE, GPT2Tokenizer, Tokenizer, load_tokenizer
from personvlm.language.vocabulary import PersonVocabulary
from personvlm.models.gpt2 import GPT2Decoder
from personvlm.models.person_vlm import PersonVLM
from personvlm.models.presets import StageConfig
from personvlm.models.pretrained import REPOSITORIES, load_pretrained, located
from personvlm.training.augment import augment
from personvlm.training.origin import Source, tokenizer_source, weights_source
from personvlm.training.run import domain_corpus, domain_vocabulary
from personvlm.training.stage_recipe import StageRecipe
from personvlm.training.study_data import CaptionSet
from personvlm.training.study_objective import AUGMENT

AUTO, RANDOM, WORDS, BPE = "auto", "random", "words", "bpe"
MEASURED_ON = 128
"""Pictures that the norms of an encoder without weights are measured on."""

_ASSETS = {"gpt2": "distilgpt2"}
"""Parts whose folder below ``weights/`` has another name."""


@dataclass(frozen=True)
class StageStart:
    """Sources of a stage's parts.

    Attributes:
        encoder, decoder: a folder or ``.safetensors`` file, ``hub``, ``REPOSITORY@COMMIT``, ``random``, or ``auto``:
            the folder ``weights/NAME`` below ``PERSONVLM_ASSETS``, else the hub, else random numbers, which is
            reported. The decoder of stages 1 and 2 is not published: always random.
        tokenizer: a folder, ``hub`` (GPT-2's), ``words`` or ``bpe`` (learned from the captions), or ``auto``: words
            for stages 1 and 2; for stages 3 and 4 GPT-2's, from the assets or else the hub. Pretrained GPT-2 needs
            GPT-2's tokenizer; a decoder that starts at random takes any.
    """

    encoder: str = AUTO
    decoder: str = AUTO
    tokenizer: str = AUTO

    def found(self, config: StageConfig, report: Callable[[str], None]) -> Found:
        """The files of each part, downloaded where they must be.

        Args:
            report: called with a sentence for each part that ``auto`` leaves to random numbers.

        Raises:
            InputError: what is asked for cannot be had; names it, and the mend.
        """
        encoder = _weights("encoder", self.encoder, config.encoder, report)
        if config.decoder == "gpt2":
            decoder = _weights("decoder", self.decoder, "gpt2", report)
        elif self.decoder in (AUTO, RANDOM):
            decoder = None
        else:
            raise InputError(f"--decoder {self.decoder}: the decoder of {config.name} is its own, no weights of it are "
                             "published; leave --decoder out")  # fmt: skip
        tokenizer = _tokenizer(self.tokenizer, config)
        learned = tokenizer in (WORDS, BPE)
        loaded = None if learned else _from_hub() if tokenizer == HUB else load_tokenizer(tokenizer)
        return Found(encoder, decoder, tokenizer, loaded)


@dataclass(frozen=True)
class Found:
    """What :meth:`StageStart.found` found.

    Attributes:
        encoder, decoder: a folder or file of weights; None for random numbers.
        tokenizer: where it is from.
        loaded: the tokenizer, unless it is still to be learned.
    """

    encoder: Path | None
    decoder: Path | None
    tokenizer: str
    loaded: Tokenizer | None

    def nothing_pretrained(self, config: StageConfig) -> bool:
        """Whether what the stage's recipe takes to be pretrained starts from random numbers: GPT-2, or in stages 1
        and 2, whose decoder is never pretrained, the encoder."""
        return self.decoder is None and (config.decoder == "gpt2" or self.encoder is None)

    def make_tokenizer(self, recipe: StageRecipe, data: CaptionSet) -> Tokenizer:
        """The tokenizer that was loaded, or one learned: from the given captions, from the realiser's where all are
        realised, or from both."""
        if self.loaded is not None:
            return self.loaded
        captions = list(data.corpus())
        realised = not all(data.given)
        texts = [*captions, *domain_corpus()] if realised else captions
        if self.tokenizer == BPE:
            return DomainBPE.from_corpus(texts, recipe.max_vocab_size)
        if not captions:
            return domain_vocabulary()
        words = PersonVocabulary.from_corpus(texts, recipe.min_freq, recipe.max_vocab_size)
        if not realised:
            return words
        both = dict.fromkeys((*words.words, *domain_vocabulary().words))
        return PersonVocabulary(tuple(both)[: recipe.max_vocab_size])

    def initial_model(self, config: StageConfig, data: CaptionSet) -> PersonVLM:
        """The model with these weights; an encoder without any gets norms that fit the first pictures."""
        model = PersonVLM(config)
        if self.encoder is not None:
            load_pretrained(model.encoder.backbone, str(self.encoder), config.encoder)
        else:
            rows = np.sort(np.random.default_rng(0).permutation(len(data))[:MEASURED_ON])
            images, size = torch.from_numpy(data.pixels[rows]), (config.height, config.width)
            seen = augment(images, size, AUGMENT, config.transform, torch.Generator().manual_seed(0))
            model.encoder.measure(seen.pixels)
        if self.decoder is not None:
            assert isinstance(model.decoder, GPT2Decoder)
            load_pretrained(model.decoder.body, str(self.decoder), "gpt2")
        return model.train()

    def sources(self, tokenizer: Tokenizer) -> dict[str, Source]:
        """For the record of the run."""
        return {
            "encoder": weights_source(self.encoder, RANDOM),
            "decoder": weights_source(self.decoder, RANDOM),
            "tokenizer": tokenizer_source(self.tokenizer, tokenizer),
        }


def asset_folder(name: str) -> Path | None:
    """``weights/NAME`` below ``PERSONVLM_ASSETS``, if there is such a folder."""
    assets = os.environ.get(FOLDER)
    folder = Path(assets, "weights", _ASSETS.get(name, name)) if assets else None
    return folder if folder is not None and folder.is_dir() else None


def _weights(part: str, source: str, name: str, report: Callable[[str], None]) -> Path | None:
    if source == RANDOM:
        return None
    if source != AUTO:
        if source in REPOSITORIES and not Path(source).exists():
            raise InputError(f"--{part} {source}: no such file or folder; this says where weights come from. Another "
                             f"encoder is chosen with --set encoder={source}")  # fmt: skip
        return located(source, name)
    if (folder := asset_folder(name)) is not None:
        return located(str(folder), name)
    try:
        return located(HUB, name)
    except InputError as error:
        report(f"the {part} starts from random numbers, which needs far more training: {error}. Give --{part} DIR, "
               f"or --{part} {RANDOM} if this is meant")  # fmt: skip
        return None


def _tokenizer(source: str, config: StageConfig) -> str:
    if source != AUTO:
        return source
    if config.decoder != "gpt2":
        return WORDS
    folder = asset_folder("gpt2_tokenizer")
    return HUB if folder is None else str(folder)


def _from_hub() -> Tokenizer:
    try:
        return GPT2Tokenizer.from_hub()
    except InputError as error:
        raise InputError(f"{error}, as --tokenizer DIR. A decoder that starts from random numbers can also learn one "
                         f"from the captions: --tokenizer {WORDS}") from error  # fmt: skip
