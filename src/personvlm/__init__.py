"""PersonVLM describes people in crops: a true sentence, attributes with calibrated confidence, on a CPU.

Example:
    >>> from personvlm import Describer
    >>> Describer.load().describe(["a.jpg"])  # doctest: +SKIP
    [PersonDescription(text='The image shows ...', ...)]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from personvlm.base.errors import AssetError, InputError, PersonVLMError
    from personvlm.runtime.describer import Describer
    from personvlm.schema import Attribute, DescribeResult, PersonDescription

__version__ = "0.1.0"

__all__ = [
    "AssetError", "Attribute", "DescribeResult", "Describer", "InputError", "PersonDescription", "PersonVLMError",
    "__version__",
]  # fmt: skip

# Fetched on first use, so that `import personvlm` costs nothing.
_HOME = {
    "AssetError": "personvlm.base.errors",
    "Attribute": "personvlm.schema",
    "DescribeResult": "personvlm.schema",
    "Describer": "personvlm.runtime.describer",
    "InputError": "personvlm.base.errors",
    "PersonDescription": "personvlm.schema",
    "PersonVLMError": "personvlm.base.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'personvlm' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
