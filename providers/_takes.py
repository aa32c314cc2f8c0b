"""What is refused before a write because a provider's `Limits` say that it cannot be held: whole, and with nothing done."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dnssync.core.model import Change, Limits, ProviderError

from ._unmoved import writing

# For `Limits.names`, where an API takes no others: of letters in lower case, digits, `-` and `_`, with `*` as the first label.
PLAIN_NAMES = r"|\*|(\*\.)?([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}"


def takes(who: str, zone: str, changes: Sequence[Change], limits: Limits) -> None:
    """Raise `ProviderError` where a change is none that such a provider does. What others have there, and what goes, is no matter of limits.
    `who` names the provider."""
    for change in changes:
        where = writing(zone, change)
        if change.new is None:
            continue
        if change.type == "SPF" and not limits.type99:
            raise ProviderError(f"{where}: {who} takes no record of type SPF; nothing was written. Receivers read the TXT "
                                "record (RFC 7208 §3.1); set `spf: {type99: never}` for the zone.")  # fmt: skip
        if not re.fullmatch(limits.names, change.name):
            raise ProviderError(f"{where}: {who} takes no such name: it has letters, digits, `-` and `_` alone, and `*` at its beginning; "
                                "nothing was written. Leave that name out.")  # fmt: skip
        for value in change.new.values:
            octets = len(value.text.encode("utf-8", "surrogateescape"))
            if not value.raw and octets > limits.txt:
                raise ProviderError(f"{where}: a text of {octets} octets is too long for {who}, which holds {limits.txt}; nothing was "
                                    "written. Make the record shorter.")  # fmt: skip
