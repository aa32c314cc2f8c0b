"""What needs a person, of all that a pass has to say: `status` ends with 1 for it, and an alert goes out if it stays."""

from __future__ import annotations

import re

from dnssync.core.durations import moment

_ABOUT = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._-]*)(?: [A-Z0-9]+)?: ")
SETTLED = 3600  # seconds for which something has to be over before it counts as that: what comes and goes goes on
FAILED, REFUSED, BY_HAND, NOTICE = "failed", "refused", "by_hand", "notice"  # kinds of what is said
# Notices behind which mail is at risk, or a record stays wrong, until somebody does what the sentence says. The others are for whoever
# looks: they describe how a set-up is, or settle by themselves.
PERSON = frozenset(
    {
        "clock",
        "dmarc_kept",
        "domain_gone",
        "domain_left_out",
        "exim_not_switched",
        "first_record",
        "key_compromised",
        "key_not_held",
        "key_unusable",
        "keys_closed",
        "list_unusable",
        "parked_living",
        "providers_differ",
        "rua_refused",
        "servers_differ",
        "servers_silent",
        "signing_key_unusable",
        "spf_include_missing",
        "transport_unsigned",
    }
)
# Those of them that are found, and found to be over, without a reading of the zone: from exim, the configuration and the ledger; and, of these, from
# look-ups, too, which each decision makes anew.
UNREAD = frozenset({"domain_gone", "rua_refused", "spf_include_missing", "transport_unsigned"})
LOOKED_UP = frozenset({"spf_include_missing"})


def needs_person(kind: str, reason: str) -> bool:
    """Whether somebody has to do something about it."""
    return kind != NOTICE or reason in PERSON


def worded(sentence: str, since: int, at_once: bool = True) -> str:
    """What is said, with since when; the same in `status` and in alerts. Not `at_once`: the first of those that it names."""
    return f"{sentence} ({'' if at_once else 'the first '}since {moment(since)})"


def about(sentence: str) -> str:
    """The name that a sentence is about, as it begins with it (`example.org: …`, `_dmarc.example.org TXT: …`); "" where with none."""
    found = _ABOUT.match(sentence)
    return found[1] if found else ""
