"""Greedy words of a stage over buffers of fixed size.

Every step is the same work on the same memory: it reads the word at a place that is counted on the device, and writes
the next one behind it. Nothing of it needs the host, so that a GPU can repeat it as a CUDA graph. Where words are
drafted a step reads a fixed number of them at once, and the host looks at what it chose.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from personvlm.models.gpt2 import GPT2Decoder
from personvlm.models.person_vlm import PersonVLM
from personvlm.models.presets import StageConfig
from personvlm.models.text_decoder import CrossDecoder
from personvlm.runtime.draft import Drafter
from personvlm.runtime.stage_engine import MOST_DRAFTED, Written, write_row
from personvlm.runtime.torch_engine import Captured, up

LOOK = 8
"""Steps between two looks at whether all texts have ended: a look waits for the device."""

_PLACES = 64
"""Buffers are padded to multiples of this many places: few sizes are captured, and masks are aligned for attention."""


def places(config: StageConfig, words: int) -> int:
    """Places of a buffer for texts of ``words`` words and what stands before them; and for the steps of a capture."""
    return up(_prefixed(config) + max(words, LOOK), _PLACES)


def padded(weight: Tensor, step: int) -> Tensor:
    """``[V, D]`` with rows of zeros below it up to a multiple of ``step``; ``weight`` itself where V is one."""
    missing = up(len(weight), step) - len(weight)
    return F.pad(weight, (0, 0, 0, missing)) if missing else weight


class StaticStage:
    """The picture's part and the step of a model for up to ``rows`` texts over ``places`` places.

    The buffers live as long as this does, and hold one batch at a time: calls must not overlap. A part is captured
    when it is first needed.

    Args:
        model: its decoder's weights decide device and type of the buffers.
        output: ``[W, D]``, W >= V: the tied output layer, perhaps padded; only the first V words are ever chosen.
        see: pictures, as they are given -> visual tokens ``[N, K, D]``.
        begin, end: ids of the words that texts begin and end with.
        graphs: capture the parts as CUDA graphs.
    """

    def __init__(self, model: PersonVLM, output: Tensor, see: Callable[[Tensor], Tensor], rows: int, places: int,
                 begin: int, end: int, *, graphs: bool) -> None:  # fmt: skip
        config, self._see, self._begin, self._end = model.config, see, begin, end
        weight = next(model.decoder.parameters())
        self._size, self._rows, self._graphs = (config.height, config.width), rows, graphs
        self._prefixed = _prefixed(config)
        self._reader = _reader(model, output, rows, places)
        self._pictures: dict[torch.dtype, Tensor] = {}  # [rows, ...], by how pictures come
        self.ids = torch.full((rows, places - self._prefixed + 1), begin, device=weight.device)
        self.count = torch.zeros(1, dtype=torch.int64, device=weight.device)  # words read
        self.ended = torch.zeros(rows, dtype=torch.bool, device=weight.device)
        self.asked = torch.zeros((2, 1 + MOST_DRAFTED), dtype=torch.int64, device=weight.device)  # words, their places
        self.mask = weight.new_full((len(output),), -torch.inf)  # added to logits
        self._place = torch.arange(places, device=weight.device)
        self._bias = weight.new_zeros(places, places).masked_fill(self._place > self._place[:, None], -torch.inf)
        self._parts: dict[Hashable, Callable[[], Tensor]] = {}

    def write(self, pixels: Tensor, mask: Tensor, most: int) -> Tensor:
        """``pixels float32 [n, 3, H, W]`` or ``uint8 [n, H, W, 3]``, n <= rows; ``mask [V]`` is added to logits;
        ``most`` words have a place.

        Returns:
            ``int64 [n, T]``, T <= ``most``: the words after the beginning. What follows a row's end is no text.
        """
        count, step = len(pixels), self._part("step", self._step)
        self._start(pixels, mask)
        self.count.zero_()
        self.ended.zero_()
        self.ended[count:] = True  # rows that only fill the batch up
        for done in range(1, most + 1):
            step()
            if done % LOOK == 0 and bool(self.ended.all()):
                break
        return self.ids[:count, 1 : done + 1]

    def verify(self, pixels: Tensor, mask: Tensor, most: int, drafts: Drafter) -> Written:
        """As :meth:`write`, for one picture; ``most`` + 1 words have a place. Every step reads the last word and the
        drafted ones after it, filled up to a fixed number; what fills up is written over, or lies in the idle place.
        """
        step = self._part("verify", self._verify)
        self._start(pixels, mask)

        def read(text: list[int], drafted: list[int]) -> list[int]:
            words = [text[-1], *drafted] + [self._begin] * (MOST_DRAFTED - len(drafted))
            known = self._prefixed + len(text) - 1
            place = [min(known + index, self._prefixed + most) for index in range(len(words))]
            self.asked.copy_(torch.tensor([words, place]))
            chosen: list[int] = step().tolist()
            return chosen

        return write_row(read, self._begin, self._end, most, drafts)

    def _start(self, pixels: Tensor, mask: Tensor) -> None:
        """Read pictures, and forget what was read before."""
        kind = torch.uint8 if pixels.dtype == torch.uint8 else torch.float32
        if kind not in self._pictures:
            shape = (*self._size, 3) if kind == torch.uint8 else (3, *self._size)
            self._pictures[kind] = torch.zeros((self._rows, *shape), dtype=kind, device=self._bias.device)
        given = self._pictures[kind]
        given[: len(pixels)].copy_(pixels, non_blocking=True)
        self.mask[: len(mask)].copy_(mask)
        self._part(kind, lambda: self._look(given))()

    def _part(self, name: Hashable, run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """``run``, captured once if it is to be. That runs it, on whatever the buffers hold: ask before they are
        filled."""
        if name not in self._parts:
            self._parts[name] = Captured(run) if self._graphs else run
        return self._parts[name]

    def _look(self, given: Tensor) -> Tensor:
        visual = self._see(given).to(self._bias.dtype)
        self._reader.look(visual, self._place[: self._prefixed], self._bias[: self._prefixed])
        return visual

    def _step(self) -> Tensor:
        words = self.ids.index_select(1, self.count)  # [N, 1]
        place = self.count + self._prefixed
        logits = self._reader.read(words, place, self._bias.index_select(0, place))[:, 0]  # [N, W]
        chosen = (logits + self.mask).argmax(-1)
        self.count += 1
        self.ids.index_copy_(1, self.count, chosen[:, None])
        self.ended |= chosen == self._end
        return chosen

    def _verify(self) -> Tensor:
        words, place = self.asked.unbind()  # each [T]
        logits = self._reader.read(words[None], place, self._bias.index_select(0, place))[0]  # [T, W]
        return (logits + self.mask).argmax(-1)


class _Reader(Protocol):
    """A decoder that keeps keys and values of ``places`` places."""

    def look(self, visual: Tensor, place: Tensor, bias: Tensor) -> None:
        """Begin with visual tokens ``[N, K, D]``; ``place [K]`` and ``bias [K, P]`` are theirs where they take any."""

    def read(self, words: Tensor, place: Tensor, bias: Tensor) -> Tensor:
        """Words ``[N, T]`` at ``place [T]``, which may look where ``bias [T, P]`` is 0 -> logits ``[N, T, W]``."""


class _Gpt2:
    """Visual tokens stand before the words. ``transformers``' GPT-2, block by block: its own caches grow."""

    def __init__(self, decoder: GPT2Decoder, output: Tensor, config: StageConfig, rows: int, places: int) -> None:
        self._body, self._output, self._heads = decoder.body, output, config.heads
        self._past = _zeros(decoder, config, rows, places)

    def look(self, visual: Tensor, place: Tensor, bias: Tensor) -> None:
        """See :class:`_Reader`."""
        self._hidden(visual, place, bias)

    def read(self, words: Tensor, place: Tensor, bias: Tensor) -> Tensor:
        """See :class:`_Reader`."""
        return F.linear(self._body.ln_f(self._hidden(self._body.wte(words), place, bias)), self._output)

    def _hidden(self, x: Tensor, place: Tensor, bias: Tensor) -> Tensor:
        x = x + self._body.wpe(place)
        blocks: Iterable[Any] = self._body.h  # transformers' GPT2Block, whose parts torch types as Tensor | Module
        for block, past in zip(blocks, self._past, strict=True):
            qkv = block.attn.c_attn(block.ln_1(x)).unflatten(2, (3, self._heads, -1))  # [N, T, 3, heads, d]
            x = x + block.attn.c_proj(_attend(qkv.permute(2, 0, 3, 1, 4), past, place, bias))
            # One kernel for what transformers' NewGELUActivation does in eight.
            x = x + block.mlp.c_proj(F.gelu(block.mlp.c_fc(block.ln_2(x)), approximate="tanh"))
        return x


class _Cross:
    """Words look at visual tokens by cross attention, and take every place themselves."""

    def __init__(self, decoder: CrossDecoder, output: Tensor, config: StageConfig, rows: int, places: int) -> None:
        self._decoder, self._output = decoder, output
        self._past = _zeros(decoder, config, rows, places)
        self._seen = _zeros(decoder, config, rows, config.visual_tokens)

    def look(self, visual: Tensor, place: Tensor, bias: Tensor) -> None:
        """See :class:`_Reader`."""
        for block, seen in zip(self._decoder._blocks(), self._seen, strict=True):
            for kept, new in zip(seen, block.look(visual), strict=True):
                kept.copy_(new)

    def read(self, words: Tensor, place: Tensor, bias: Tensor) -> Tensor:
        """See :class:`_Reader`."""
        decoder = self._decoder
        x = decoder.words(words) + decoder.positions.index_select(0, place)
        for block, past, seen in zip(decoder._blocks(), self._past, self._seen, strict=True):
            parts = block._split(block.self_qkv(block.self_norm(x)), 3)
            qkv = parts.reshape(len(x), 3, block.heads, *parts.shape[2:])  # [N, 3, heads, T, d]
            x = x + block.self_out(_attend(qkv.transpose(0, 1), past, place, bias))
            query = block._split(block.cross_q(block.cross_norm(x)), 1)
            found = F.scaled_dot_product_attention(query, seen[0], seen[1])
            x = x + block.cross_out(found.transpose(1, 2).flatten(2))
            x = x + block.ffn(block.ffn_norm(x))
        return F.linear(decoder.norm(x), self._output)


def _reader(model: PersonVLM, output: Tensor, rows: int, places: int) -> _Reader:
    if isinstance(model.decoder, GPT2Decoder):
        return _Gpt2(model.decoder, output, model.config, rows, places)
    return _Cross(model.decoder, output, model.config, rows, places)


def _prefixed(config: StageConfig) -> int:
    return config.visual_tokens if config.decoder == "gpt2" else 0


def _zeros(decoder: torch.nn.Module, config: StageConfig, rows: int, places: int) -> Tensor:
    """Keys and values ``[layers, 2, N, heads, P, d]`` in the decoder's type."""
    shape = (config.layers, 2, rows, config.heads, places, config.dim // config.heads)
    return next(decoder.parameters()).new_zeros(shape)


def _attend(qkv: Tensor, past: Tensor, place: Tensor, bias: Tensor) -> Tensor:
    """Attention of T words, ``qkv [3, N, heads, T, d]``, at ``place [T]``: keys and values are put into ``past
    [2, N, heads, P, d]``, and all of it is looked at under ``bias [T, P]`` -> ``[N, T, D]``."""
    past.index_copy_(3, place, qkv[1:])
    found = F.scaled_dot_product_attention(qkv[0], past[0], past[1], attn_mask=bias)
    return found.transpose(1, 2).flatten(2)
