"""One picture of one person with what is known about it: what every reader gives and every trainer takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from personvlm.schema import Annotations


@dataclass(frozen=True)
class Sample:
    """One picture of one person.

    Attributes:
        image: the file of the picture; readers check that it exists, not that it decodes.
        annotations: what is known about the person; groups that nobody annotated are missing.
        captions: given captions. Realised ones are made later, from the annotations.
        identity: who it is, unique within the source; None where the source does not say.
        labels: the source's own label names (PETA, MSP60K, CCP), for benchmark metrics.
        source: the format it was read from: ``peta``, ``ccp``, ...
    """

    image: Path
    annotations: Annotations
    captions: tuple[str, ...] = ()
    identity: str | None = None
    labels: tuple[str, ...] = ()
    source: str = ""

    @property
    def values(self) -> dict[str, tuple[str, ...]]:
        """:meth:`Annotations.values <personvlm.schema.annotations.Annotations.values>` of the picture."""
        return self.annotations.values()
