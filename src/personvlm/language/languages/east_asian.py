"""Chinese and Japanese: nothing agrees; what counts is the order, the verb for each thing, and Chinese classifiers.

Chinese: a noun is written as ``CLASSIFIER NOUN``, what is put on or carried as ``VERB NOUN``.
Japanese: what is carried is written as ``THING LINK END``, posture and activity as ``LINK END``: the form before
another verb and the form before "いる". A color is ``ATTRIBUTE NOUN``. What somebody does and begins with a bar says
how the arms are.
"""

from __future__ import annotations

from collections.abc import Sequence

from personvlm.language.languages.base import GARMENTS, Grammar, Seen, listed


class Chinese(Grammar):
    """Simplified script. "该人" where the gender is not known."""

    code, name = "zh", "中文"
    gap, stop = "", "。"

    def opening(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        length, color = seen.one("hair.length"), self.all_of("hair.color", seen)
        parts = [f"画面中是{self.person(seen)}", *self.all_of("body", seen)]
        if length == "bald":
            parts += [self.word("hair.length", "bald")] + [f"头发为{each}" for each in color]
        elif length or color:
            hair = self.word("hair.length", length) if length else "头发"
            parts += [f"留着{''.join(color)}{hair}"]
        return ["，".join(parts + self.all_of("view", seen) + self.all_of("visibility", seen))]

    def worn(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        items = {region: self._garment(region, seen) for region in GARMENTS}
        body = [items[region] for region in ("upper", "lower") if items[region]]
        parts = [f"身穿{listed(body, '和', '、')}"] if body else []
        parts += [f"脚穿{items['footwear']}"] if items["footwear"] else []
        parts += _by_verb(self.accessories(seen))
        return [f"{self._subject(seen)}{'，'.join(parts)}"] if parts else []

    def _garment(self, region: str, seen: Seen) -> str:
        written = self.garment(region, seen)
        if written is None:
            return ""
        classifier, noun = written.split(" ")
        style = "".join(self.all_of(f"{region}.style", seen))
        rest = "".join(word for slot in ("pattern", "neckline", "sleeve")
                       for word in self.all_of(f"{region}.{slot}", seen))  # fmt: skip
        return f"一{classifier}{style}{self._color(region, seen)}{rest}{noun}"

    def _color(self, region: str, seen: Seen) -> str:
        colors = self.all_of(f"{region}.color", seen)
        if len(colors) < 2:
            return "".join(colors)
        if len(colors) == 2 and all(len(each) == 2 for each in colors) and not {"深色", "浅色", "彩色"} & {*colors}:
            return f"{colors[0][0]}{colors[1][0]}两色"
        return f"{listed(colors, '和', '、')}的"

    def carried(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        parts = _by_verb([word for _, words in self.by_verb(seen) for word in words])
        return [f"{self._subject(seen)}{'，'.join(parts)}"] if parts else []

    def moving(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        doing = self.all_of("activity", seen)
        arms = [word[1:] for word in doing if word[0] == "|"]
        words = self.all_of("posture", seen) + arms + [word for word in doing if word[0] != "|"]
        return [f"{self._subject(seen)}{'，'.join(words)}"] if words else []

    def absent(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        things, who = self.missed(seen), self._subject(seen)
        return ([f"{who}没有佩戴{listed(things, '或', '、')}"] if things else []) + (
            [f"{who}{self.word('carrying', 'none')}"] if "carrying" in seen.none else [])  # fmt: skip

    def _subject(self, seen: Seen) -> str:
        return {"male": "他", "female": "她"}.get(seen.gender or "", "该人")


def _by_verb(words: Sequence[str]) -> list[str]:
    """Each verb once, with all its things."""
    verbs: dict[str, list[str]] = {}
    for word in words:
        verb, noun = word.split(" ")
        verbs.setdefault(verb, []).append(noun)
    return [f"{verb}{listed(nouns, '和', '、')}" for verb, nouns in verbs.items()]


class Japanese(Grammar):
    """Needs no subject, so that gender is said once, by the noun."""

    code, name = "ja", "日本語"
    gap, stop = "", "。"

    def opening(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        build, hair = "".join(self.all_of("body", seen)), self._hair(seen)
        who = f"{build}で{hair}" if build and hair else f"{build}の" if build else hair
        how = "".join(self.all_of("view", seen))
        return [f"画像には、{who}{self.person(seen)}が{how}写っている", *self.all_of("visibility", seen)]

    def _hair(self, seen: Seen) -> str:
        length, color = seen.one("hair.length"), self.all_of("hair.color", seen)
        if length is None or length == "bald":
            words = [self.word("hair.length", "bald")] if length else []
            return "で".join(words + color) + "の" if words or color else ""
        alone, before = self.word("hair.length", length).split(" ")
        return f"{before}{color[0]}の" if color else f"{alone}の"

    def worn(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        upper = self._garment("upper", seen)
        below = [item for item in (self._garment("lower", seen), self._garment("footwear", seen)) if item]
        more = self.accessories(seen)
        dressed = f"{upper}を着て、" if upper and below else f"{upper}を着ている" if upper else ""
        return [f"{dressed}{listed(below, 'と', '、')}をはいている" if below else dressed,
                f"{listed(more, 'と', '、')}を身に着けている" if more else ""]  # fmt: skip

    def _garment(self, region: str, seen: Seen) -> str:
        noun = self.garment(region, seen)
        if noun is None:
            return ""
        colors = [word.split(" ") for word in self.all_of(f"{region}.color", seen)]
        color = colors[0][0] if len(colors) == 1 else f"{'と'.join(each[1] for each in colors)}の" if colors else ""
        style = "".join(self.all_of(f"{region}.style", seen))
        rest = "".join(word for slot in ("pattern", "neckline", "sleeve")
                       for word in self.all_of(f"{region}.{slot}", seen))  # fmt: skip
        return f"{style}{color}{rest}{noun}"

    def carried(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`. Things of one verb stand together."""
        verbs: dict[tuple[str, str], list[str]] = {}
        for _, words in self.by_verb(seen):
            for word in words:
                thing, link, end = word.split(" ")
                verbs.setdefault((link, end), []).append(thing)
        parts = [(listed(things, "と", "、"), *verb) for verb, things in verbs.items()]
        said = [f"{things}{link}、" for things, link, _ in parts[:-1]]
        said += [f"{things}{end}いる" for things, _, end in parts[-1:]]
        return ["".join(said)]

    def moving(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`. Arms first, the last verb ends it."""
        doing = self.all_of("activity", seen)
        arms = [word[1:] for word in doing if word[0] == "|"]
        words = [each.split(" ") for each in (*arms, *self.all_of("posture", seen), *(
            word for word in doing if word[0] != "|"))]  # fmt: skip
        if not words:
            return []
        links = [link for link, _ in words[:-1]]
        together, apart = "".join(links[: len(arms)]), "、".join([*links[len(arms) :], f"{words[-1][1]}いる"])
        return [f"{together}{apart}"]

    def absent(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        things = self.missed(seen)
        return ([f"{listed(things, 'と', '、')}は身に着けていない"] if things else []) + (
            [self.word("carrying", "none")] if "carrying" in seen.none else [])  # fmt: skip
