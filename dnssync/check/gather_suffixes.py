"""The public suffix list as Debian's package `publicsuffix` installs it (https://publicsuffix.org/list/: the algorithm)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dnssync.check.dmarc_walk import Suffix
from dnssync.check.facts import Failed
from dnssync.check.gather import Sources


def fetch(wishes: Sequence[Suffix], sources: Sources) -> Mapping[Suffix, Any]:
    """The organizational domain of each name: its public suffix and one label more, "" where there is none."""
    try:
        lines = sources.suffixes.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {
            wish: Failed(f"there is no public suffix list here ({sources.suffixes}; apt install publicsuffix)")
            for wish in wishes
        }
    rules = frozenset(_ascii(line.split()[0]) for line in lines if line.strip() and not line.startswith("//"))
    return {wish: _organizational(wish.name.split("."), rules) for wish in wishes}


def _organizational(labels: Sequence[str], rules: frozenset[str]) -> str:
    """The longest rule that matches counts, an exception (`!`) before all others; where none does, the last label is the suffix."""
    length = 1
    for start in range(len(labels)):
        name = ".".join(labels[start:])
        if "!" + name in rules:
            length = len(labels) - start - 1
            break
        if name in rules or ".".join(["*", *labels[start + 1 :]]) in rules:
            length = len(labels) - start
            break
    return ".".join(labels[-(length + 1) :]) if len(labels) > length else ""


def _ascii(rule: str) -> str:
    """A rule in the form that DNS has."""
    if rule.isascii():
        return rule.lower()
    try:
        return ".".join(
            label if label.isascii() else label.lower().encode("idna").decode() for label in rule.split(".")
        )
    except UnicodeError:
        return rule
