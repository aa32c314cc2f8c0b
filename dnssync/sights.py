"""How the records of all keys look: from every authoritative server, and in the provider's own reading of the zone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from dnssync.beyond import Once
from dnssync.core import dkim
from dnssync.core.desire_dkim import left_here
from dnssync.core.homes import zones_above
from dnssync.core.model import KeyPair, Owner, Phase, relative, zone_of
from dnssync.core.observed import ZoneView
from dnssync.core.ownership import owns
from dnssync.core.rotation import BY_READING, Policy, phase, text
from dnssync.core.sighting import Question, Sight, sight
from dnssync.resolver import Resolver
from dnssync.zones import Zones


def sights(
    keys: Sequence[KeyPair],
    views: Sequence[ZoneView],
    now: int,
    resolver: Resolver | Once,
    providers: Zones,
    configured: Collection[str],
) -> tuple[dict[tuple[str, str], Sight], dict[str, tuple[str, ...]]]:
    """How each key's record looks: from all authoritative servers, and in the provider's own reading of the zone; and
    for each zone whose servers do not all answer, which do not, and how.

    The reading belongs to the sighting: what is not in the zone is absent, whatever a server still serves. `configured`: all zones,
    looked at or not.
    """
    zones = {view.zone: view for view in views}
    asked: dict[Question, KeyPair] = {}
    for key in keys:
        full = dkim.record_name(key.selector, key.domain)
        zone = zone_of(full, configured)  # not that of a view above it, which does not hold the name
        if zone in zones and key.removed is None:
            asked[Question(full, "TXT", zone)] = key
    seen = {}
    unanswered: dict[str, tuple[str, ...]] = {}
    alive = [Question(view.zone, "SOA", view.zone) for view in views if not view.problem]
    for question, answer in resolver.look([*asked, *alive]).items():
        if not answer.known and not zones[question.zone].problem:
            mute = [f"{r.server}: {r.note or r.rcode}" for r in answer.replies if not r.answered]
            told = (*unanswered.get(question.zone, ()), *([answer.problem] if answer.problem else mute))
            unanswered[question.zone] = tuple(dict.fromkeys(told))
        if question not in asked:
            continue
        key = asked[question]
        at = phase(key, Policy(), now)
        wanted = text(key, at) or dkim.REVOKED  # of one that has ended, what stood there last
        look = sight(answer, wanted, lambda text: owns(Owner.DKIM, text), dkim.same)
        name = relative(question.name, question.zone) or ""
        read = [
            [value.text for value in found[(name, "TXT")].values] if (name, "TXT") in found else []
            for provider, found in zones[question.zone].found.items()
            # Delegated keys: what the servers show behind the CNAME is what counts. `manual`: its reading is one of theirs.
            if (name, "CNAME") not in found and providers.provider(provider).limits.reads
        ]
        if at is Phase.ENDED and read:  # a wildcard may answer for a name that is gone
            ours = any(dkim.same(one, kept) for one in answer.texts for kept in (wanted, dkim.record_for(key)))
            look = Sight.OTHER if any(read) or ours else Sight.ABSENT if look is Sight.OTHER else look
        elif lacking := [texts for texts in read if not any(dkim.same(text, wanted) for text in texts)]:
            gone = Sight.OTHER if any(lacking) else Sight.ABSENT
            look = Sight.PARTIAL if len(lacking) < len(read) else gone
        if at is Phase.ENDED and look is Sight.ABSENT:
            look = _above(key, question, zones, configured)
        if at in BY_READING and (zones[question.zone].unread or zones[question.zone].undelegated):
            # Nothing is known of it there, and it counts only where all of them have it; or no resolver finds those servers.
            look = Sight.UNKNOWN
        seen[(key.domain, key.selector)] = look
    return seen, unanswered


def _above(key: KeyPair, question: Question, zones: Mapping[str, ZoneView], configured: Collection[str]) -> Sight:
    """Whether a key that its own zone shows no more is gone from those above, too, which held it before that one was configured."""
    for zone in zones_above(question.zone, configured):
        view, name = zones.get(zone), relative(question.name, zone) or ""
        if view is None or view.problem or view.unread:
            return Sight.UNKNOWN
        if any(left_here(key, name, view.ledger.get(provider, {}), found) for provider, found in view.found.items()):
            return Sight.PARTIAL
    return Sight.ABSENT
