"""Wildcards that answer where only a record of its own should: for DKIM selectors, and for DMARC records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dnssync.check.delegated import elsewhere
from dnssync.check.facts import Facts, every_domain, zone_line, zones
from dnssync.check.finding import Verdict, warning
from dnssync.check.judging import Check
from dnssync.core import dmarc
from dnssync.core.sighting import Answer

LABEL = "_dnssync-check-7f3a"  # a label that nobody has, so that what stands there stands everywhere


def names(facts: Facts) -> tuple[str, ...]:
    """The zones and the mail domains."""
    return tuple(dict.fromkeys((*zones(facts), *every_domain(facts))))


def shadowed(facts: Facts, name: str) -> Iterator[Verdict]:
    """WILD-01: a wildcard TXT or MX. Those that only say no are meant: `v=spf1 -all`, a key without p=, a null MX."""
    beside, below, policy = f"{LABEL}.{name}", f"{LABEL}._domainkey.{name}", f"_dmarc.{name}"
    asked = [(beside, "TXT"), (beside, "MX"), (below, "TXT"), (policy, "TXT")]
    for at in asked:
        facts.ask(*at)
    selectors = _here(facts, below)
    keys = [text for text in selectors if not _no(text)]
    if keys and selectors != facts.texts(beside, "TXT"):
        yield warning(
            f"Every selector of {name} has a TXT record, {_shown(keys)}: a wildcard covers _domainkey.{name}, and receivers take it for a key.",
            f"Take the wildcard away: {zone_line('*._domainkey.' + name, 'TXT', keys[0])}",
        )
    texts = facts.texts(beside, "TXT")
    own = _here(facts, policy)
    exchanges = [text for text in facts.texts(beside, "MX") if text.split()[-1] != "."]
    loud = [text for text in texts if not _no(text)]
    alias = _alias(facts.ask(beside, "TXT"))
    wildcard = zone_line(f"*.{name}", *(("CNAME", f"{alias}.") if alias else ("TXT", (texts or ("",))[0])))
    if texts and own == texts and not any(map(dmarc.is_dmarc, own)):
        yield warning(
            f"{policy} has no record of its own: the wildcard *.{name} answers for it with {_shown(texts)}, which is no DMARC record.",
            f"Publish a DMARC record at {policy}, or take the wildcard away: {wildcard}",
        )
    elif loud:
        yield warning(
            f"Every name below {name} that does not exist has the TXT record {_shown(loud)}, _dmarc of each sub-domain too{' and each DKIM selector' if keys else ''}: *.{name} is a wildcard.",
            f"Take it away, if nothing needs it: {wildcard}",
        )
    if exchanges and not (alias and loud):
        line = wildcard if alias else zone_line(f"*.{name}", "MX", exchanges[0])
        yield warning(
            f"Every name below {name} that does not exist has the MX {_shown(exchanges)}: *.{name} is a wildcard, so any sub-domain passes for one that takes mail.",
            f"Give MX records to the sub-domains that take mail, and take the wildcard away: {line}",
        )


def _here(facts: Facts, name: str) -> tuple[str, ...]:
    """The texts at a name; a zone of its own somewhere else is out of a wildcard's reach. Raises `Unanswered`."""
    return () if elsewhere(facts.ask(name, "TXT")) else facts.texts(name, "TXT")


def _alias(answer: Answer) -> str:
    """Where a CNAME leads to first, "" without."""
    return (answer.aliases or ("",))[0]


def _no(text: str) -> bool:
    """Whether a text only says that nothing may be sent or signed there."""
    words = text.lower().replace(";", " ").split()
    return words == ["v=spf1", "-all"] or words in (["v=dkim1", "p="], ["p="])


def _shown(texts: Iterable[str]) -> str:
    return ", ".join(f'"{text if len(text) <= 60 else text[:57] + "…"}"' for text in texts)


CHECKS: tuple[Check, ...] = (Check("WILD-01", "No wildcard answers for selectors or DMARC records.", names, shadowed),)
