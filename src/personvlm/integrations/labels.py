"""Descriptions as predictions for Label Studio, and what people made of them as training data.

Written from https://labelstud.io/guide/predictions and https://labelstud.io/guide/export (the JSON format).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from personvlm.base.errors import InputError
from personvlm.schema import GROUP, GROUPS, OTHER, UNKNOWN, PersonDescription
from personvlm.schema.description import check_values

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
    result = [
        {"from_name": _TAGS[name], "to_name": "image", "type": "choices", "score": round(item.confidence, 4),
         "value": {"choices": list(item.values)}}
        for name, item in person.attributes.items() if name in wanted and item.value not in (UNKNOWN, OTHER, ())
    ]  # fmt: skip
    result.append({"from_name": "text", "to_name": "image", "type": "textarea", "value": {"text": [person.text]}})
    sure = min((item.confidence for item in person.attributes.values()), default=0.0)
    return {"data": {"image": image},
            "predictions": [{"model_version": person.model, "score": round(sure, 4), "result": result}]}  # fmt: skip


def training_lines(exported: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What people decided, as lines that ``personvlm data prepare`` reads; tasks that nobody has done are left out.

    The last annotation of a task that was not canceled counts. What nobody chose is not annotated, which is different
    from absent; ``none`` of a set is an empty list.

    Args:
        exported: tasks of Label Studio's JSON export.

    Raises:
        InputError: a task without a picture, or a choice that the schema does not have; names the task.
    """
    for number, one in enumerate(exported, start=1):
        name = f"task {one.get('id', number)}"
        image = (one.get("data") or {}).get("image")
        done = [item for item in one.get("annotations") or [] if not item.get("was_cancelled")]
        if not isinstance(image, str):
            raise InputError(f"{name}: no data.image; export the project as JSON, not as JSON-MIN")
        if not done:
            continue
        attributes, captions = dict[str, Any](), list[str]()
        for item in done[-1].get("result") or []:
            value, group = item.get("value") or {}, _GROUPS.get(str(item.get("from_name")))
            if item.get("type") == "textarea":
                captions += [str(text) for text in value.get("text") or []]
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
        yield {"image": image, "attributes": attributes, "captions": captions}
