"""Hindi: adjectives agree with the noun, a perfective verb with what is worn, and only posture with the person.

A noun is written as ``KIND NOUN``: ``m``, ``f``, ``mp``, ``fp``; ``m0`` is not counted. An adjective is written as
``m/f/mp``, or as the one form that it has. Posture and activity are written as ``m/f`` before "है".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from personvlm.language.languages.base import GARMENTS, Grammar, Seen, listed

_AND = " और "
_WORN: Mapping[str, str] = {"m": "पहना है", "m0": "पहना है", "f": "पहनी है", "mp": "पहने हैं", "fp": "पहनी हैं"}
_NOT_WORN: Mapping[str, str] = {"m": "नहीं पहना है", "f": "नहीं पहनी है", "mp": "नहीं पहने हैं", "fp": "नहीं पहनी हैं"}


def agreed(forms: str, kind: str) -> str:
    """The form of an adjective for a noun of ``kind``, in the direct case.

    Example:
        >>> agreed("काला/काली/काले", "fp"), agreed("काला/काली/काले", "mp"), agreed("लाल", "m")
        ('काली', 'काले', 'लाल')
    """
    parts = forms.split("/")
    if len(parts) == 1:
        return forms
    return parts[1] if kind.startswith("f") else parts[2] if kind.endswith("p") else parts[0]


class Hindi(Grammar):
    """The words "उसने" and "उसके" say nothing of gender. A verb of somebody whose gender is not known agrees with the
    noun "व्यक्ति"."""

    code, name = "hi", "हिन्दी"
    stop = "।"

    def opening(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        kind, _, rest = self.person(seen).partition(" ")
        before, _, noun = rest.rpartition("|")
        of = [*([before] if before else []), *(agreed(each, kind) for each in self.all_of("body", seen))]
        bald = [agreed(self.word("hair.length", "bald"), kind)] if seen.one("hair.length") == "bald" else []
        who = " ".join([*of, "एक", *bald, noun])
        look = [self.word("hair.length", each) for each in seen.many("hair.length") if each != "bald"]
        look += self.all_of("hair.color", seen)
        hair = f", जिसके बाल {listed(look, _AND)} हैं" if look else ""
        how = listed(self.all_of("view", seen) + self.all_of("visibility", seen), _AND)
        return [f"चित्र में {who} है{hair}", how]

    def worn(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`. The verb agrees with the last of the things."""
        clothes = self._clothes(seen)
        more = [each.split(" ", 1) for each in self.accessories(seen)]
        return [*self._wears("उसने", clothes), *self._wears("साथ में उसने" if clothes else "उसने", more)]

    def _wears(self, who: str, things: Sequence[Sequence[str]]) -> list[str]:
        if not things:
            return []
        return [f"{who} {listed([noun for _, noun in things], _AND)} {_WORN[things[-1][0]]}"]

    def _clothes(self, seen: Seen) -> list[tuple[str, str]]:
        items = []
        for region in GARMENTS:
            written = self.garment(region, seen)
            if written is not None:
                kind, _, noun = written.partition(" ")
                words = [word for slot in ("style", "neckline", "sleeve", "pattern")
                         for word in self.all_of(f"{region}.{slot}", seen)]  # fmt: skip
                colors = listed([agreed(each, kind) for each in self.all_of(f"{region}.color", seen)], _AND)
                parts = [*(agreed(word, kind) for word in words), colors, noun]
                items.append((kind, " ".join(part for part in parts if part)))
        return items

    def carried(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        things = [word.split(" ", 1) for _, words in self.by_verb(seen) for word in words]
        if not things:
            return []
        counted = [noun if kind == "m0" else f"एक {noun}" for kind, noun in things]
        return [f"उसके पास {listed(counted, _AND)} है"]

    def moving(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        verbs, whole = [], []
        for word in self.all_of("posture", seen) + self.all_of("activity", seen):
            if word.startswith("|"):
                whole.append(word[1:])
            else:
                verbs.append(agreed(word, "f" if seen.gender == "female" else "m"))
        who = "व्यक्ति" if seen.gender is None else "वह"
        return [f"{who} {listed([f'{verb} है' for verb in verbs], _AND)}" if verbs else "", listed(whole, _AND)]

    def absent(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        things = [each.split(" ", 1) for each in self.missed(seen)]
        said = [f"उसने {listed([noun for _, noun in things], ' या ')} {_NOT_WORN[things[-1][0]]}"] if things else []
        return said + ([self.word("carrying", "none")] if "carrying" in seen.none else [])
