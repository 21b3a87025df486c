"""Descriptions as predictions for Label Studio, and what people made of them as training data.

``personvlm store export --format labelstudio`` and ``personvlm data labelstudio`` do both with files. Written from
https://labelstud.io/guide/predictions and https://labelstud.io/guide/export (the JSON format).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import quoteattr

from personvlm.base.errors import InputError
from personvlm.data.lines import read_json
from personvlm.data.own import annotations_of, write_personvlm
from personvlm.data.sample import Sample
from personvlm.evaluation.truth import verdict_on
from personvlm.language.parser import parse
from personvlm.schema import GROUP, GROUPS, OTHER, UNKNOWN, Annotations, Described, PersonDescription
from personvlm.schema.description import check_values

if TYPE_CHECKING:
    from personvlm.store.export_folder import Pictures

TASKS, INTERFACE, IMAGES = "tasks.json", "interface.xml", "images"
PEOPLE = "people.jsonl"

_TAGS = {group.name: group.name.replace(".", "_") for group in GROUPS}
_GROUPS = {tag: name for name, tag in _TAGS.items()}


def label_config(groups: Sequence[str] | None = None) -> str:
    """The labeling interface, to be pasted into a project's settings: a choice per attribute group, and the sentence.

    Args:
        groups: those to ask for; all by default.

    Raises:
        InputError: a group that does not exist.
    """
    lines = ["<View>", '  <Image name="image" value="$image"/>']
    for name in groups if groups is not None else tuple(GROUP):
        if name not in GROUP:
            raise InputError(f"{name!r} is not an attribute group; legal: {', '.join(GROUP)}")
        several = "multiple" if GROUP[name].kind == "set" else "single"
        lines.append(f'  <Header value={quoteattr(name)}/>\n  <Choices name="{_TAGS[name]}" toName="image" '
                     f'choice="{several}" showInline="true">')  # fmt: skip
        lines += [f"    <Choice value={quoteattr(value)}/>" for value in GROUP[name].values if value != OTHER]
        lines.append("  </Choices>")
    lines += ['  <TextArea name="text" toName="image" editable="true" maxSubmissions="1"/>', "</View>"]
    return "\n".join(lines) + "\n"


def task(image: str, person: PersonDescription, groups: Sequence[str] | None = None) -> dict[str, Any]:
    """One task to import, with what is said about ``image`` (an address that Label Studio can open) as prediction."""
    wanted = GROUP if groups is None else groups
    decided = {name: [value for value in item.values if value not in (UNKNOWN, OTHER)]
               for name, item in person.attributes.items() if name in wanted}  # fmt: skip
    result = [
        {"from_name": _TAGS[name], "to_name": "image", "type": "choices",
         "score": round(person.attributes[name].confidence, 4), "value": {"choices": values}}
        for name, values in decided.items() if values
    ]  # fmt: skip
    result.append({"from_name": "text", "to_name": "image", "type": "textarea", "value": {"text": [person.text]}})
    sure = min((item.confidence for item in person.attributes.values()), default=0.0)
    return {"data": {"image": image},
            "predictions": [{"model_version": person.model, "score": round(sure, 4), "result": result}]}  # fmt: skip


def write_tasks(people: Iterable[Described], pictures: Pictures, address: str | None = None) -> None:
    """Write a folder to import: :data:`TASKS`, :data:`INTERFACE` to paste into the project, and the pictures.

    Args:
        people: what holds of them.
        pictures: the folder, with :data:`IMAGES` in it for the pictures.
        address: what the pictures are found at: their names are put behind it. By default that of a local storage
            of Label Studio whose document root holds the folder.

    Raises:
        InputError: there is nobody whose picture is kept.
    """
    if address is None:
        address = f"/data/local-files/?d={quote(pictures.folder.resolve().name)}/{IMAGES}/"
    tasks = []
    for one in pictures.of(people):
        request = one.described.request
        made = task(address + PurePosixPath(one.file).name, one.described.description)
        made["data"] |= {"person": request.person, "identity": one.identity, "camera": request.camera,
                         "track": request.track_id, "time": request.frame_time}  # fmt: skip
        tasks.append(made)
    if not tasks:
        raise InputError(f"nothing to write: of {pictures.without} people no picture is kept")
    (pictures.folder / INTERFACE).write_text(label_config(), encoding="utf-8")
    text = json.dumps(tasks, ensure_ascii=False, allow_nan=False, indent=1)
    (pictures.folder / TASKS).write_text(text + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Training:
    """What :func:`write_training` wrote: the file, how many pictures, how many tasks nobody has done, and how many
    sentences were left out because they say something else than the choices."""

    file: Path
    pictures: int
    undone: int
    stale: int


def write_training(export: Path, out: Path, images: Sequence[Path] | None = None) -> Training:
    """Write :data:`PEOPLE`, which ``personvlm data prepare`` and ``adapt`` read, into ``out``, which is made.

    Pictures stay where they are. A sentence counts only where it fits the choices: whoever corrects a choice rarely
    corrects the sentence too.

    Args:
        export: a project, exported as JSON.
        out: the folder.
        images: where the pictures are looked for, by the end of their addresses; by default beside the export, and in
            :data:`IMAGES` there.

    Raises:
        InputError: no such export, nothing done in it, a choice that does not exist, or a picture that is not found.
    """
    exported = read_json(export)
    if not isinstance(exported, list) or not all(isinstance(one, dict) for one in exported):
        raise InputError(f"{export}: not a list of tasks; export the project as JSON")
    folders = [export.parent, export.parent / IMAGES] if images is None else list(images)
    samples, stale = list[Sample](), 0
    for line in training_lines(exported):
        try:
            known = annotations_of(line["attributes"])
        except (ValueError, KeyError) as error:
            raise InputError(f"{export}, {line['image']}: {error.args[0]}") from None
        fitting = tuple(text for text in line["captions"] if text.strip() and _fits(text, known))
        stale += len(line["captions"]) - len(fitting)
        camera = line.get("camera")
        samples.append(Sample(
            _found(line["image"], folders), known, fitting, line.get("identity"),
            () if camera is None else (f"camera={camera}",), "labelstudio",
        ))  # fmt: skip
    if not samples:
        raise InputError(f"{export}: nobody has done any of its {len(exported)} tasks")
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_personvlm(samples, out / PEOPLE, out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); name another --out") from None
    return Training(out / PEOPLE, len(samples), len(exported) - len(samples), stale)


def _fits(text: str, known: Annotations) -> bool:
    return not any(verdict_on(name, value, known.known.get(name)) is False
                   for name, values in parse(text).items() for value in values)  # fmt: skip


_UPLOAD = re.compile(r"[0-9a-f]{8}-")


def _found(address: str, folders: Sequence[Path]) -> Path:
    """The file that an address of Label Studio stands for: ``…?d=path``, ``/data/upload/1/0123abcd-name``, a URL."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise InputError(f"{address}: not an address ({error})") from None
    name = (parse_qs(parts.query).get("d") or [unquote(parts.path)])[0]
    pieces = [piece for piece in PurePosixPath(name).parts if piece not in ("/", "..")]
    ends = [pieces[start:] for start in range(len(pieces))]
    if pieces and _UPLOAD.match(pieces[-1]):
        ends.append([_UPLOAD.sub("", pieces[-1], count=1)])
    for folder in folders:
        for end in ends:
            if (folder.joinpath(*end)).is_file():
                return folder.joinpath(*end)
    raise InputError(f"{address}: this picture is not in {', '.join(map(str, folders))}; say with --images in which "
                     "folder the pictures are")  # fmt: skip


def training_lines(exported: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What people decided, as lines that ``personvlm data prepare`` reads; tasks that nobody has done are left out.

    The last annotation of a task that was not canceled counts. What nobody chose is not annotated, which is different
    from absent; ``none`` of a set is an empty list.

    Args:
        exported: tasks of Label Studio's JSON export.

    Raises:
        InputError: a task without a picture, or not of Label Studio's form, or a choice that the schema does not have;
            names the task.
    """
    for number, one in enumerate(exported, start=1):
        name = f"task {one.get('id', number)}"
        try:
            line = _training_line(one, name)
        except (AttributeError, TypeError) as error:
            raise InputError(f"{name}: not of the form that Label Studio exports ({error})") from None
        if line is not None:
            yield line


def _training_line(one: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """The line of one task; None where nobody has done it."""
    image = (one.get("data") or {}).get("image")
    done = [item for item in one.get("annotations") or [] if not item.get("was_cancelled")]
    if not isinstance(image, str):
        raise InputError(f"{name}: no data.image; export the project as JSON, not as JSON-MIN")
    if not done:
        return None
    attributes, captions = dict[str, Any](), list[str]()
    for item in done[-1].get("result") or []:
        value, group = item.get("value") or {}, _GROUPS.get(str(item.get("from_name")))
        if item.get("type") == "textarea":
            texts = value.get("text") or []
            captions += [texts] if isinstance(texts, str) else [str(text) for text in texts]
        elif item.get("type") == "choices" and group is not None:
            chosen = tuple(str(choice) for choice in value.get("choices") or [])
            try:
                check_values(group, chosen)
            except ValueError as error:
                raise InputError(f"{name}: {error}") from None
            if GROUP[group].kind == "set":
                attributes[group] = [choice for choice in chosen if choice != "none"]
            elif chosen:
                attributes[group] = chosen[0]
    known = {key: str(one["data"][key]) for key in ("identity", "camera") if one["data"].get(key) is not None}
    return {"image": image, **known, "attributes": attributes, "captions": captions}
