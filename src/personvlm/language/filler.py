"""What says nothing about the person: preambles, the picture's quality, text that is not there.

One list serves the check, the clean-up and the normaliser, so that what the check finds, the clean-up removes.
"""

from __future__ import annotations

import re

from personvlm.language.sentences import is_fragment, upper_first

_I = re.IGNORECASE
_PICTURE = r"(?:image|photo|photograph|picture|video|footage|shot|still|frame|screenshot)"
_TEXT = r"(?:texts?|identifiers?|writing|lettering|wording|words|markings?|characters|signage)"
_BAD = (r"(?:blurry|blurred|blurriness|grainy|graininess|low[- ]res\w*|low[- ]quality|low[- ]light|poor\w*|pixelated"
        r"|resolution|quality|out[- ]of[- ]focus|unclear|dim\w*|dark|lit|sharp|sharpness|focus|detail|clarity"
        r"|lighting|noisy)")  # fmt: skip

_PREAMBLE = re.compile(
    r"^(?:(?:sure|certainly|okay|ok|of course)\b[,.!]?\s*)?"
    r"(?:(?:here|this|below)(?:['’]s| is| are)|here you go|the following is|i will provide|i can provide)\b"
    r"[^:.]*\b(?:description|breakdown|caption|summary|details?|analysis)\b[^:.]*[:.]?\s*"
    r"|^(?:sure|certainly|okay|of course)\b[,.!:]*\s*$"
    r"|^(?:image )?(?:description|caption|answer|response|output)\s*:\s*",
    _I,
)
_LEAD = (r"^(?:(?:however|also|additionally|overall|furthermore|unfortunately),?\s+|(?:please )?note(?:\s+that|:)\s+)?")
_NO_TEXT = re.compile(
    rf"{_LEAD}(?:there(?: is| are|['’]s)?\s+)?"
    rf"(?:no\b|nothing\b|not any\b|aren['’]t any\b|isn['’]t any\b|n['’]t any\b"
    rf"|(?:the|this) {_PICTURE} (?:does not|doesn['’]t|do not) (?:contain|show|include|have|provide|display|feature)\b)"
    rf".*\b{_TEXT}\b"
    rf"|{_LEAD}(?:there(?: is| are|['’]s)\s+)?no (?:\w+ ){{0,2}}(?:distinguishing|identifying) "
    rf"(?:features|marks|details)|^(?:visible )?texts?: none(?=[.!]?$)",
    _I,
)
# "It is hard to make out details.": about the picture, unless a person is spoken of.
_VAGUE = re.compile(
    rf"{_LEAD}(?:it(?: is|['’]s) (?:difficult|hard|impossible|not possible) to\b"
    r"|(?:(?:additional|further|other|more|many|most|fine|finer|specific) )?details? (?:is|are|cannot|can['’]t|could)\b"
    rf"|(?:due to|because of|given|owing to) (?:the |its )?(?:\w+ ){{0,2}}(?:{_PICTURE}(?:['’]s)? )?{_BAD}\b"
    rf"|(?:there(?: is| are|['’]s)\s+)?no (?:other|further|additional|more) (?:\w+ )?(?:details?|information)\b)",
    _I,
)
_QUALITY = re.compile(rf"{_LEAD}(?:the|this)?\s*(?:overall|general)?\s*(?:{_PICTURE}(?:['’]s)?)?\s*"
                      r"(?:quality|resolution|clarity|sharpness)\b", _I)  # fmt: skip
_POOR_PICTURE = re.compile(rf"{_LEAD}(?:the|this|overall,? the)\s+(?:overall |entire |whole )?{_PICTURE}\s+"
                           rf"(?:is|are|was|has|have|lacks|appears|looks|seems|itself is)\b.*\b{_BAD}\b",
                           _I)  # fmt: skip
_PERSON = re.compile(r"\b(?:man|men|woman|women|person|people|child|children|boys?|girls?|individuals?|males?|females?"
                     r"|adults?|he|she|they|his|her|their|subject|wearing|hair|shot of|still of|photo of)\b",
                     _I)  # fmt: skip

# A clause at the end of a sentence that says more about the picture than about the person.
_CLAUSES = tuple(re.compile(pattern, _I) for pattern in (
    r",?\s*(?:and |which |thus |thereby )?(?:making|makes|rendering|which makes)\b[^.;]*\b(?:difficult|hard|impossible"
    r"|challenging|indistinct|unclear|indiscernible|tough|not possible|difficulty)\b[^.;]*(?=[.;]|$)",
    rf"(?:[,;]\s*|\s+)(?:and\s+|but\s+|though\s+|although\s+|however,?\s+|with\s+)*"
    rf"(?:there\s+(?:is|are)\s+|there['’]s\s+)?no\b[^.;,]*\b{_TEXT}\b[^.;]*(?=[.;]|$)",
    r"(?:[,;]|,?\s(?:and|but|although|though|as))\s+(?:the )?(?:overall )?(?:(?:image|photo|picture|video)(?:['’]s)? )?"
    r"(?:quality|resolution) (?:of the (?:image|photo|picture) )?(?:is|isn['’]t|appears|seems)\b[^.;]*(?=[.;]|$)",
))  # fmt: skip


def without_filler(sentence: str) -> str:
    """The sentence without what says nothing about the person: unchanged, shortened, or empty.

    Example:
        >>> without_filler("The view is from the front, and there is no visible text in the image.")
        'The view is from the front.'
        >>> without_filler("There is no visible text or unique identifiers in the image.")
        ''
    """
    rest = _PREAMBLE.sub("", sentence)
    if _NO_TEXT.search(rest) or _QUALITY.search(rest):
        return ""
    shorter = rest
    for clause in _CLAUSES:
        shorter = clause.sub("", shorter)
    if (_POOR_PICTURE.search(shorter) or _VAGUE.search(shorter)) and not _PERSON.search(shorter):
        return ""
    if shorter == sentence:
        return sentence
    shorter = shorter.strip(" ,;")
    if shorter != rest and is_fragment(shorter):  # what is left of a sentence that lost its end
        return ""
    return upper_first(shorter)
