"""The names that exim knows: its mail domains, and what it greets other hosts with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from dnssync.core.model import Notice
from dnssync.exim.ask import Asking, Expansion
from dnssync.exim.lists import split, unknown, variables

_NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NOBODY = "no-such-domain-7f3a9c.dnssync.invalid"  # a list that matches this matches everything
_LOCAL_ONLY = (".localhost", ".localdomain", ".invalid")


def usable(found: Iterable[str]) -> tuple[str, ...]:
    """The domain names among them, sorted; what has a single label, or only means this machine, is left out."""
    names = {name.strip().lower().rstrip(".") for name in found}
    return tuple(sorted(name for name in names if _NAME.fullmatch(name) and not name.endswith(_LOCAL_ONLY)))


def listed(lists: Sequence[str]) -> Asking[dict[str, Expansion]]:
    """What each of exim's domain lists says as it stands, by its name."""
    texts = {name: f"${{listnamed:{name}}}" for name in lists}
    told = yield texts.values()
    return {name: told[text] for name, text in texts.items()}


def membership(
    asked: Sequence[str], lists: Mapping[str, Expansion]
) -> Asking[tuple[frozenset[str], tuple[Notice, ...]]]:
    """Those of the names that one of exim's lists holds, whatever look-up stands behind it, and what is wrong with the lists.

    `lists`: exim's lists as they stand. Where one makes no exception (`!`), its plain items need not be asked for: exim would go
    through the whole list for each of them.
    """
    plain = {name: _plain(text) for name, text in lists.items()} if asked else {}
    texts = {
        (name, domain): f"${{if match_domain{{{domain}}}{{+{name}}}{{y}}{{n}}}}"
        for name in lists
        for domain in (*(domain for domain in asked if domain not in plain[name]), _NOBODY)
    }
    answers = yield texts.values()
    found: set[str] = set()
    notices: list[Notice] = []
    for name in lists:
        nobody = answers[texts[name, _NOBODY]]
        if nobody.error:
            notices.append(Notice("list_unusable", f"exim cannot use its domain list {name}: {nobody.error}"))
        elif nobody.text == "y":
            notices.append(
                Notice(
                    "list_matches_all",
                    f"exim's domain list {name} matches any name at all, so it says nothing about which domains are "
                    "ours. Name the domains of each zone in the configuration (`domains:`), or another list "
                    "(`exim: lists:`).",
                )
            )
        else:
            found.update(d for d in asked if d in plain[name] or answers[texts[name, d]].text == "y")
    return frozenset(found), tuple(notices)


def _plain(told: Expansion) -> frozenset[str]:
    """The names that a list holds for certain: its plain items, where it makes no exception."""
    items = () if told.error else split(told.text)
    return frozenset() if any("!" in item for item in items) else frozenset(usable(items))


def helo(texts: Iterable[str]) -> Asking[dict[str, Expansion]]:
    """What exim makes of its greetings that do not depend on the connection, by their text."""
    steady = sorted(text for text in {*texts, "$primary_hostname"} if not unknown(text, ()))
    told = yield steady
    return {text: told[text] for text in steady}


def greetings(
    texts: Iterable[str], told: Mapping[str, Expansion], hostname: str
) -> tuple[tuple[str, ...], tuple[Notice, ...]]:
    """The names that exim greets other hosts with; where that depends on the connection, its own host name, and a notice."""
    found: set[str] = set()
    notices = []
    for text in sorted(set(texts)):
        if text in told:
            if not told[text].error:
                found.add(told[text].text.strip().lower().rstrip("."))
            continue
        found.add(hostname)
        named = ", ".join(sorted(f"${name}" for name in variables(text)))
        notices.append(
            Notice(
                "helo_dynamic", f"exim's greeting depends on {named}; only {hostname} is looked after as such a name."
            )
        )
    return tuple(sorted(name for name in found if _NAME.fullmatch(name))), tuple(notices)
