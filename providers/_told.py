"""Values as APIs tell them: texts in quotes or without, names relative to the zone or absolute."""

from __future__ import annotations

import re

from dnssync.core.model import Value

from . import _text

TARGETS = frozenset({"ALIAS", "CNAME", "DNAME", "MX", "NS", "PTR", "SRV"})  # whose last word is a name


def value(kind: str, raw: str, zone: str) -> Value:
    """A value as it was told; a text's strings joined, wherever it was cut, and a relative target made absolute."""
    if kind in TARGETS and raw and not raw.endswith("."):
        before, _, target = raw.rpartition(" ")
        return Value(f"{before} {'' if target == '@' else target + '.'}{zone}.".strip(), raw)
    return _text.told(raw) if kind in _text.TYPES else Value(raw, raw)


def version(text: str) -> str:
    """What says which kind of record a text is: `v=spf1`, `v=dmarc1`, …"""
    return re.split(r"[\s;]", text.strip(), maxsplit=1)[0].lower()
