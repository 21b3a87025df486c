"""What a caption says that no picture of a person supports, or that is not ours to say: what is not there, what the
annotators' notes said, guesses, ethnicity, and the scene. For training targets only; clean-up leaves it to the model.
"""

from __future__ import annotations

import re

from personvlm.language.sentences import is_fragment, upper_first

_I = re.IGNORECASE
_SUBJECT = (r"(?:man|woman|person|child|boy|girl|individual|male|female|adult|subject|student|wearer|toddler"
            r"|teenager)(?:['’]s)?")  # fmt: skip
_OTHERS = (r"(?:people|persons?|individuals?|figures?|children|students|pedestrians|men|women|adults|boys?|girls?"
           r"|man|woman|child|group|crowd)(?:['’]s?)?")  # fmt: skip
_UNSEEN = (r"(?:not|isn['’]t|aren['’]t|cannot be|can['’]t be|impossible to|difficult to|hard to|too)\s+(?:\w+ly "
           r"|very |too |entirely |be |enough |in |shown )*(?:visible|discernible|clear|identifiable|legible"
           r"|distinct|sharp|discern\w*|determine\w*|see|seen|view|identify|identified|defined|confirm\w*|make out"
           r"|tell|ascertain\w*|describe\w*|evident|apparent|possible|distinguish\w*|unclear|blurry|read|decipher"
           r"|shown)\b|\b(?:unclear|indistinct|indiscernible|illegible|unidentifiable|unreadable)\b")  # fmt: skip
_PEOPLE = (r"(?:East |South(?:east)? |Southeast )*(?:Asian|African(?:[- ]American)?|Caucasian|European|Hispanic"
           r"|Latin[oa]|Indian|Chinese|Japanese|Korean|Middle[- ]Eastern)")  # fmt: skip
_DESCENT = rf"(?:of )?(?:{_PEOPLE}(?:,? or )?)+(?: (?:descent|origin|ethnicity|heritage|appearance))?"
_SKIN = (r"(?:(?:dark|light|fair|pale|medium|tan|olive|brown)(?:er)?[- ]skinned|Black(?= (?:man|woman|male|female"
         r"|adult)))")  # fmt: skip

# Removed wherever they stand: (pattern, what takes its place).
_PHRASES = tuple((re.compile(pattern, flags), new) for pattern, new, flags in (
    # what the annotators were given
    (r"\b(?:a|the) (?:person|individual|figure), (?:who is )?(?:described|identified|listed|noted) as (an? [^,.;]+),?",
     r"\1", _I),
    (r",? (?:and )?(?:as|based on what is|consistent with (?:what is)?|consistent with|based on|according to)"
     r"(?: being)?(?: (?:is|was))?(?: (?:noted|described|suggested|listed|mentioned|stated|indicated|specified|per"
     r"|by|in|from|the|provided|given|attribute|accompanying))+ (?:notes?|information|descriptions?|details?"
     r"|attributes?|labels?|data|prompt|text|caption|metadata)(?: (?:provided|given|above))?", "", _I),
    (r",? as (?:noted|described|suggested|listed|mentioned|stated|indicated|specified)(?: above)?(?=[.,;]|$)", "", _I),
    (r"\b(is|are) (?:described|listed|noted|identified|indicated) as (?:being )?", r"\1 ", _I),
    # what cannot be made out
    (rf" \((?:[^()]*\b(?:{_UNSEEN})[^()]*|(?:only |partially |mostly |barely )+(?:visible|obscured)[^()]*)\)", "", _I),
    (r"\b(is|are) (?:not|in)\W?(?:\w+ly )*(?:visible|discernible|clear|distinct|identifiable),? but (?:it |they )?"
     r"(?:(appears?|seems?) to be\b|(is|are|looks?) )", r"\1 ", _I),
    (rf"(?:,|;| -)? (?:al)?(?:though|but|however,|and|as)\s+(?:the |its |their |his |her |it['’]?s? |some |specific "
     rf"|exact |precise |other |type of |color of |style of |most |facial )*\b(?:details?|objects?|items?|colou?rs?"
     rf"|styles?|types?|text|content|contents|features|nature|design|pattern|face|it|which"
     rf"|facial features)\b[^.;,]*?\b(?:{_UNSEEN})[^.;]*(?=[.;]|$)", "", _I),
    (r",? (?:due to|because of|given|despite|as a result of) (?:the |its |an? )?(?:(?:poor|low|limited|overall"
     r"|general|dim|somewhat|blurry) )*(?:(?:image|picture|photo|video|camera)(?:'s)? )?(?:quality|resolution"
     r"|lighting|blurriness|angle|contrast|focus|distance|view)\b[^.;,()]*", "", _I),
    (rf",? (?:as|since|because) (?:there are |the |some |several )*other (?:[\w-]+ ){{0,2}}{_OTHERS}\b[^.;]*", "", _I),
    # what is not there
    (r",? (?:and|but) (?:(?:he|she|they) )?(?:is|are|does|do|has|have)(?: not|n't) "
     r"(?:wear|carry|hold|have|appear)[^.;,]*", "", _I),
    # where the camera stands, as far as it says which side is seen
    (r"^the (?:image|photo|picture|shot|view|photograph) (?:is|was|appears to be) (?:taken |captured |shot "
     r"|viewed )?from [^.]*?\bangle,? (?:and )?(?:shows|showing|captures|capturing|depicting|with"
     r"|viewing) [^.]*?from (the (?:side|front|back)|behind)\b[^.]*", r"The view is from \1", _I),
    # guesses about what is behind what is seen
    (r", (?:possibly |perhaps |likely |thus |further )?(?:suggesting|indicating|implying|hinting|giving|preventing"
     r"|hindering|obscuring (?:any|further|some|other|most|finer?) )(?!(?:[^.;]*\b(?:walk|stand|sit|rid|runn|mov"
     r"|phone|call)))[^.;]*(?=[.;]|$)", "", _I),
    # ethnicity and skin
    (rf",? (?:(?:appearing|seeming) to be|possibly|likely|probably|who (?:appears|seems) to be) {_DESCENT}(?:,(?= )|"
     rf"(?=[ .;]|$))", "", 0),
    (rf"\b(?:appears?|seems?) to be {_DESCENT},? (?:and|with) (?=(?:is|has|appears|wears)\b)", "", 0),
    (rf"\b(He|She|The \w+) (?:appears|seems) to be {_DESCENT},? (?:and )?with\b", r"\1 has", 0),
    (rf"\b(They|The \w+) (?:appear|seem) to be {_DESCENT},? (?:and )?with\b", r"\1 have", 0),
    (rf"\b((?:appears?|seems?) to be) {_DESCENT}(?:,|,? and) (?=[a-z])", r"\1 ", 0),
    (rf",? of (?:{_PEOPLE}(?:,? or )?)+ (?:descent|origin|ethnicity|heritage|appearance)", "", 0),
    (rf"\b{_PEOPLE} (?={_SUBJECT}|adult|elderly|young)", "", 0),
    (rf"\b{_SKIN},? ", "", 0),
    (r",? with (?:dark|light|fair|pale)(?:er)? skin(?: tone)?\b", "", _I),
))  # fmt: skip

# Sentences that go as a whole.
_SENTENCES = tuple(re.compile(pattern, _I) for pattern in (
    r"^(?:however, |also, )?(?:there(?: is| are|['’]s) )?(?:no\b|nothing\b|not\b)",
    r"^(?:there (?:isn['’]t|aren['’]t))\b",
    rf"^[^,;]*\b(?:face|features|expression|details?|identity|gender|age|text|writing|lettering|logo|object|color"
    rf"|footwear|shoes|hands?|lower body|activity|nature|hat|scarf|sandals|gloves|scooter|design|pattern)\b[^,;]*\b"
    rf"(?:{_UNSEEN})[^,;]*(?:,? (?:due to|because of|from this|in the|but the details)[^;]*)?\.$",
    rf"^(?:he|she|they|the {_SUBJECT}) (?:is|are|does|do|has|have)(?: not|n't) (?:currently |visibly |actively )?"
    r"(?:wear|carry|hold|have|engag|appear)",
    r"^it(?: is|['’]s) (?:difficult|hard|impossible|unclear|challenging|not possible|not clear)\b",
    r"^it (?:appears|seems) to be an? [^.]*\b(?:still|photo|photograph|screenshot|frame|image|shot)\b(?!.*\bof\b)",
    r"^(?:that|this)(?: is|['’]s) not\b",
    r"^(?:additional|further|other|fine|finer|more|most|many|specific|precise) (?:\w+ )?(?:details?|features)\b",
    r"\b(?:described|listed) as\b|\b(?:the|this) (?:provided|given) (?:information|description|note)",
    rf"^[^,]* (?:appears?|seems?) to be {_DESCENT}\.$",
    r"^(?:his|her|their|the [\w'’]+) (?:skin|complexion)\b",
    r"^(?:i|we)\b|\blet me know\b",
))  # fmt: skip

_SCENE_WORD = (r"(?:background|backdrop|setting|surroundings?|environment|scene|lighting|light|floor(?:ing)?|ground"
               r"|wall|location|weather|impression|atmosphere|mood|tone|surface|road|street|sidewalk|pavement"
               r"|walkway|chalkboard|blackboard|whiteboard|desks?|classroom|room|image|picture|photo|photograph"
               r"|camera|colors|composition|contrast|perspective|angle|context|shot|framing|frame|sign|signage"
               r"|timestamp|watermark)")  # fmt: skip
_SCENE = tuple(re.compile(pattern, _I) for pattern in (
    rf"^(?!the (?:\w+ )?{_SUBJECT} )(?:the|a|an|some|this)(?: [\w'’-]+,?){{0,3}}? {_SCENE_WORD}(?:['’]s)? "
    rf"(?:[\w'’-]+ )?(?:is|are|was|appears?|seems?"
    r"|shows?|includes?|suggests?|consists?|features?|looks?|has|have|contains?|behind|could|might|may|in|on|of"
    r"|visible|gives?|conveys?|provides?|indicates?|also|displays?|beneath|under|reads?|,|and)\b",
    r"^(?:in|on|against|behind|to|at|near) the (?:[\w-]+,? ){0,3}(?:background|left|right|top|bottom|edge|corner"
    r"|side of the (?:image|frame))\b",
    rf"^the (?:\w+ )?{_SUBJECT} (?:\w+ )?in the (?:blurr(?:ed|y) )?background\b",
    r"^the [\w -]*(?:portion|part|corner|edge|bottom|top|left|right|side)(?: [\w-]+){0,5} (?:shows|contains"
    r"|reveals|includes) [^.]*\b(?:another|other)\b",
    rf"^(?:another|other|several|some|two|three|a few|many|multiple|most|all)(?: of)?(?: the)?(?: other)?"
    rf"(?: [\w-]+,?){{0,2}}? (?:other |nearby |blurred |blurry |indistinct )*{_OTHERS} (?:(?:is|are) )?(?:\w+ )?"
    rf"(?:in the background|nearby|partially visible|to the (?:left|right)|behind|around|in the image)\b",
    rf"^(?:another|other|several other|two other|some other|a few other|all the other)\b"
    rf"(?: [\w-]+,?){{0,4}}? {_OTHERS}\b",
    r"^(?:only )?(?:a|the|part|parts|portions?)(?: [\w-]+,?){0,3}? ?(?:portions?|parts?|glimpse|hint|view|section"
    r"|bits?)? ?of (?:what (?:appears|looks|seems) (?:to be|like) )?(?:another|other|others|someone|a second)\b",
    r"^there(?: is| are|['’]s) (?:also )?(?:an?other|other|others|several|some|a few|multiple|people|what|parts?"
    r"|hints?|a (?:hint|glimpse|portion|suggestion|part)|(?:a |some )?(?:timestamps?|watermarks?))\b"
    r"(?!.*\b(?:on|to) (?:his|her|their)\b)",
    r"^(?:[\w'’]+ ){0,6}(?:is|are)(?: also)?(?: partially| barely| faintly| dimly)? (?:visible|seen)"
    r"(?: \w+)? in the (?:[\w-]+ ){0,2}(?:background|foreground|corner|distance)\b",
    r"^(?:a|an|part|parts|some|portions?)\b.*\b(?:visible|seen)\b.*\b(?:in|at|on|to|near|along) the (?:[\w-]+ )*"
    r"(?:corners?|edges?|background|frame|left|right|top|bottom|side)\b(?!.*\b(?:his|her|their)\b)",
    r"^the (?:main |primary |central |sole )?(?:focus|emphasis|attention)\b(?!.*\b(?:hair|wearing|wears|dressed"
    r"|shirt|coat|jacket|standing|walking|back of|glasses)\b)",
    r"^(?:this|the|these) (?:other |second )?(?:people|individuals|students|children|others?)\b(?! appears? to be "
    r"(?:an? )?(?:male|female|adult|child))",
    r"^the (?:overall|general) (?!look|outfit|attire|style|build|appearance)",
))  # fmt: skip
_ABOUT_THE_PERSON = re.compile(
    rf"(?:,|;|\band|\bbut|\bwhile|\bas) (?:he|she|they|the {_SUBJECT})(?:['’]s|['’]re| is| are| has| have| appears"
    r"| seems| wears| carries)\b",
    _I,
)
_SCENE_CLAUSES = tuple(re.compile(pattern, _I) for pattern in (
    r"(?:,|;)? (?:and|but|while|with) (?:the|a) (?:[\w-]+,? ){0,2}(?:background|setting|lighting"
    r"|environment)\b[^.;]*(?=[.;]|$)",
    r",? (?:and|with|while) (?:parts?|portions?|glimpses?) of (?:another|other|others)\b[^.;]*(?=[.;]|$)",
    rf",? (?:and|with) (?:there (?:is|are) )?(?:\w+ )?other (?:\w+ )?{_OTHERS}\b[^.;,]*(?=[.;,]|$)",
    r",? (?:with|against) (?:an? |the |some |what [\w ]+ )(?:[\w-]+,? ){0,5}(?:in the|background|backdrop"
    r"|wall)\b[^.;,]*(?=[.;]|$)",
))  # fmt: skip


def without_unsupported(sentence: str) -> str:
    """The sentence without what no picture of a person supports: unchanged, shortened, or empty.

    Example:
        >>> without_unsupported("Her footwear is not clearly visible, but appears to be casual shoes.")
        'Her footwear is casual shoes.'
        >>> without_unsupported("He appears to be of Asian descent, with short black hair.")
        'He has short black hair.'
    """
    shorter = sentence
    for pattern, new in _PHRASES:
        shorter = pattern.sub(new, shorter)
    if shorter != sentence:  # a word that went may have been the one that its article went with
        shorter = re.sub(r"\b([Aa])n (?=[b-df-gj-np-tv-z])", r"\1 ", shorter)
        shorter = re.sub(r"\b([Aa]) (?=[aeio](?!ne\b))", r"\1n ", shorter)
    if any(pattern.search(shorter) for pattern in _SENTENCES):
        return ""
    return _rest(shorter, sentence)


def without_scene(sentence: str) -> str:
    """The sentence without background, light, camera and other people: unchanged, shortened, or empty. A sentence that
    turns to the person after a comma stays whole.

    Example:
        >>> without_scene("She is standing, and the background is a plain wall.")
        'She is standing.'
        >>> without_scene("Part of another person's arm is visible to the left.")
        ''
    """
    shorter = sentence
    for pattern in _SCENE_CLAUSES:
        shorter = pattern.sub(lambda match: match[0] if _ABOUT_THE_PERSON.search(match[0]) else "", shorter)
    if any(pattern.search(shorter) for pattern in _SCENE) and not _ABOUT_THE_PERSON.search(shorter):
        return ""
    return _rest(shorter, sentence)


_INTRODUCES = re.compile(rf"\b(?:an?other|other|second)\b[^.]*\b{_OTHERS}|\bsomeone\b|\bothers\b", _I)
_THEIRS = re.compile(r"^(?:they|their|these|this (?:person|individual|child|man|woman)|one|both|some|only|the"
                     r" other)\b", _I)
_PRONOUN = re.compile(r"\b(he|she|his|her|him)\b", _I)


def without_others(parts: list[str]) -> list[str]:
    """Sentences without the scene (:func:`without_scene`), the first always kept, and without what a dropped sentence's
    other people are then said to wear ("Another man is behind her. He is wearing …").
    """
    kept: list[str] = [without_scene(part) or part for part in parts[:1]]
    about_others = False
    for part in parts[1:]:
        shorter = without_scene(part)
        subject = _gender(" ".join(kept))
        spoken_of = _gender(part[: part.find(" ", 8)])
        if about_others and (_THEIRS.search(part) or (subject and spoken_of and subject != spoken_of)):
            continue
        about_others = not shorter and (about_others or _INTRODUCES.search(part) is not None)
        if shorter:
            kept.append(shorter)
    return kept


def _gender(text: str) -> str:
    """"he" or "she", whichever pronoun the text has first; empty where it has none."""
    found = _PRONOUN.search(text)
    return "" if found is None else "he" if found[0].lower() in ("he", "his", "him") else "she"


def _rest(shorter: str, sentence: str) -> str:
    if shorter == sentence:
        return sentence
    shorter = re.sub(r" +([.,;])", r"\1", re.sub(r"\s+", " ", shorter)).strip(" ,;")
    return "" if is_fragment(shorter) and not is_fragment(sentence) else upper_first(shorter)
