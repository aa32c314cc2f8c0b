"""Names where an API takes no others: of letters in lower case, digits, `-` and `_`, with `*` as the first label."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dnssync.core.model import Change, ProviderError, absolute

NAMES = r"|\*|(\*\.)?([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}"  # relative to the zone


def held(zone: str, changes: Sequence[Change], who: str) -> None:
    """Raise `ProviderError` where a change would write a record of another name."""
    for change in changes:
        if change.new is not None and not re.fullmatch(NAMES, change.name):
            raise ProviderError(f"{zone}: writing {absolute(change.name, zone)} {change.type}: {who} takes no such name: it has letters, digits, "
                                "`-` and `_` alone, and `*` at its beginning; nothing was written. Leave that name out.")  # fmt: skip
