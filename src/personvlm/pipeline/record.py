"""An answer as other programs read it. They rely on it: it changes only with a new major version."""

from __future__ import annotations

from typing import Any

from personvlm.schema import DescribeResult


def record(result: DescribeResult) -> dict[str, Any]:
    """One answer, fit for JSON.

    ``{"input", "text", "attributes": {GROUP: {"value", "confidence"}}, "quality", "model", "latency_ms"}`` or
    ``{"input", "error"}``. The value of a set is a list. Groups of one's own stand in ``"own"``, as attributes
    do, where the model was taught any. Where candidates were asked for, ``"candidates": [{"text",
    "likelihood"}]`` stands behind.
    """
    described = result.description
    if described is None:
        return {"input": result.input, "error": result.error or "no description"}
    attributes, own = (
        {name: {"value": item.value if isinstance(item.value, str) else list(item.value),
                "confidence": round(item.confidence, 4)} for name, item in part.items()}
        for part in (described.attributes, described.own)
    )  # fmt: skip
    more = [{"text": item.text, "likelihood": round(item.likelihood, 4)} for item in described.candidates]
    return {"input": result.input, "text": described.text, "attributes": attributes,
            **({"own": own} if own else {}), "quality": round(described.quality, 4), "model": described.model,
            "latency_ms": round(result.latency_ms, 2), **({"candidates": more} if more else {})}  # fmt: skip
