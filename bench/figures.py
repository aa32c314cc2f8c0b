"""Medians, spreads and tables: what all side-by-side benches here print, and what docs/performance.md is made of.

A table is a list of rows, each a mapping from the heads of its columns to the text of its cells; every row has the same heads.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

Rows = Sequence[Mapping[str, object]]


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """The median, with the least and the most where there are several: `1.20 (1.10–1.31)`."""
    if not values:
        return "–"
    middle = format(statistics.median(values), form)
    least, most = format(min(values), form), format(max(values), form)
    return middle if least == most else f"{middle} ({least}–{most})"


def ratio(theirs: Sequence[float], ours: Sequence[float], form: str = ".1f") -> str:
    """Theirs by ours, run by run as they were made in turns."""
    return spread([other / mine for other, mine in zip(theirs, ours, strict=False)], form)


def rendered(rows: Rows) -> str:
    """The rows as a table in Markdown."""
    if not rows:
        return "(nothing was measured)\n"
    heads = list(rows[0])
    lines = [heads, ["---"] * len(heads), *([str(row[head]) for head in heads] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def shown(rows: Rows) -> str:
    """The same for a terminal: columns below each other."""
    if not rows:
        return "(nothing was measured)\n"
    heads = list(rows[0])
    lines = [heads, *([str(row[head]) for head in heads] for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
    return "".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines)
