"""What a person should know of a pass as a whole, beside what each zone has to say.

A notice is about one name and begins with it, so that each is told when it begins and when it is over; what is said of many alike
has the same words after the name, and is shown as one (`together`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dnssync.core.desire_dkim import signs
from dnssync.core.model import Claim, Notice, Owner, Refusal, Step, absolute, zone_of
from dnssync.core.ownership import same
from dnssync.core.plan import Intent
from dnssync.core.policy import MailPolicy
from dnssync.core.together import some

if TYPE_CHECKING:
    from dnssync.core.observed import Observed, ZoneView


def short_keys(view: ZoneView, new: tuple[Intent, ...], policies: Mapping[str, MailPolicy]) -> list[Notice]:
    """Keys that have to be shorter than the policy of their domain says, since a provider holds no longer text."""
    short = [i.algorithm for i in new if i.algorithm not in policies.get(i.domain, view.policy).dkim.algorithms]
    if not short:
        return []
    bits = int(min(short).removeprefix("rsa"))
    weak = " Receivers still take them (RFC 8301), but move the zone if you can." if bits < 2048 else ""
    return [
        Notice(
            "shorter_key",
            f"{view.zone}: its provider holds no TXT text longer than {view.limits.txt} octets, too short for an RSA key as long as "
            f"`dkim.algorithms` says; RSA keys of {bits} bits are made there.{weak}",
        )
    ]


def differing(plans: Sequence[tuple[str, str, Sequence[Claim]]]) -> list[Notice]:
    """Records that the providers of one zone will not hold alike, since others wrote something else at each. `plans`: zone, provider, claims."""
    values: dict[tuple[str, Claim], dict[str, Claim]] = {}
    for zone, provider, claims in plans:
        for claim in claims:
            if claim.owner in (Owner.SPF, Owner.DMARC) and claim.type == "TXT" and claim.value is not None:
                place = replace(claim, value=None, ttl=0, because="")
                values.setdefault((zone, place), {})[provider] = claim
    told = []
    for (zone, place), held in values.items():
        first, *others = held.values()
        if all(same(place.owner, first.value or "", other.value or "", place.domain) for other in others):
            continue
        texts = "; ".join(f'"{claim.value}" at {provider}' for provider, claim in held.items())
        told.append(
            Notice("providers_differ", f"{absolute(place.name, zone)}: its {place.owner.value.upper()} record is not the same at all providers of the zone, "
                   f"since others wrote different things there, and dnssync leaves those as they are: {texts}. Receivers get one or the "
                   "other: edit what others wrote so that all say the same, or delete the wrong record, and it is made as the other.")
        )  # fmt: skip
    return told


def not_delegated(view: ZoneView) -> list[Refusal]:
    """A zone to which no resolver finds the way: what is written there nobody sees, and mail signed by its keys would not verify."""
    if not view.undelegated:
        return []
    told = f"{view.zone}: the name servers of {view.undelegated} do not hand it on to other servers, so receivers see nothing of what is written in it. "
    told += f"Add its NS records in {view.undelegated}, or take the zone {view.zone} out of the configuration."
    return [Refusal("not_delegated", told)]


def unusable(seen: Observed) -> list[Notice]:
    """Keys that exim is told to sign with and cannot: that mail leaves unsigned, or waits, today."""
    told: dict[Notice, None] = {}

    def say(domain: str, what: str, effect: str) -> None:
        told[Notice("signing_key_unusable", f"{domain}: exim is told to sign {what.rstrip('.')}. {effect}")] = None

    unsigned = "Such mail leaves unsigned, or waits where DKIM_STRICT is set."
    for mail in seen.host.domains:
        for transport in mail.transports:
            for signer in transport.signers:
                if signer.problem:
                    say(mail.name, f"with selector {signer.selector}, and cannot: {signer.problem}", unsigned)
                elif not signer.path.startswith("/") and not transport.uses_map:
                    what = f"with selector {signer.selector}, whose key stands in its configuration and not in a file of its own"
                    say(mail.name, what, "So dnssync cannot take it on; write it to a file.")
            if transport.problem:
                say(mail.name, f"by transport {transport.name}, and cannot: {transport.problem}", unsigned)
    return list(told)


def switched(seen: Observed, lines: Mapping[str, tuple[str, ...]]) -> list[Notice]:
    """Domains whose keys are ready, or soon will be, while exim does not read our map: mail stays as it was."""
    told = []
    for domain in lines:
        mail = seen.host.domain(domain)
        if mail is None or not signs(mail):
            continue
        if not any(transport.uses_map for transport in mail.transports):
            sentence = f"{domain}: exim does not use dnssync's keys yet, mail goes on as it does today. Tell exim with: dnssync exim --install"
            told.append(Notice("exim_not_switched", sentence))
    return told


def compromised(seen: Observed, steps: Mapping[tuple[str, str], Step]) -> list[Notice]:
    """Keys that somebody else has and that exim signs with all the same, since no other one is ready."""
    told = []
    for step in steps.values():
        for key in step.keys:
            if key.compromised is not None and key.retired is None and key.selector in step.sign:
                told.append(
                    Notice("key_compromised", f"{key.domain}: exim still signs with {key.selector}, which is in wrong hands, since no other key is "
                           f"ready: {step.because}. It is revoked as soon as one signs.")
                )  # fmt: skip
    return told


def unknown_keys(seen: Observed, view: ZoneView) -> list[Refusal]:
    """Keys in a zone that carry this host's name, and that neither state nor keystore knows: one of the two is not what it was."""
    names = seen.unknown.get(view.zone, ())
    if not names:
        return []
    return [
        Refusal(
            "unknown_keys",
            f"{view.zone}: holds {some(names)}, made by a dnssync that calls itself {seen.host_id} as this one does, and here nothing is "
            "known of them. Either this host was restored from a backup that is older than they are: then bring back a newer one "
            "of dnssync's state and keys. Or it is a copy of another host: then, on the copy, run: dnssync confirm host. Or it was copied, "
            f"and the copy made them before that was said: then, here, run: dnssync confirm unknown {view.zone}",
        )
    ]


def other_machine(seen: Observed, view: ZoneView) -> list[Refusal]:
    """A host that was made for another machine: two that think they are one would end what the other signs with."""
    if not seen.moved:
        return []
    now = (
        "another machine" if seen.moved == seen.host.hostname else f"{seen.host.hostname}, and perhaps another machine"
    )
    return [
        Refusal(
            "other_machine",
            f"{view.zone}: nothing of it is changed, since dnssync's keys here belong to {seen.moved}, and this is {now}. If it is a copy, and the "
            "other one goes on, run: dnssync confirm host. If there is only this one, since it was moved, set up anew or given another "
            "name, run: dnssync confirm machine",
        )
    ]


def silent(unanswered: Mapping[str, tuple[str, ...]]) -> list[Notice]:
    """Zones whose name servers do not all answer, with which and how: what those show is not known, and not absent."""
    return [
        Notice(
            "servers_silent",
            f"{zone}: its name servers do not all answer ({'; '.join(reasons)}). What they show is not known: keys that wait go on "
            f"waiting, nothing else is held up. See whether this host reaches them on port 53 by UDP and TCP, or name the servers to "
            f"ask in zones.{zone}.nameservers.",
        )
        for zone, reasons in unanswered.items()
    ]


def frozen(seen: Observed) -> list[Notice]:
    """Domains that a person froze: nothing of them is changed in DNS."""
    return [
        Notice(
            "frozen",
            f"{domain}: frozen by a person; nothing of it is changed in DNS. `dnssync freeze --off {domain}` ends that.",
        )
        for domain in sorted(seen.frozen)
    ]


def shut(seen: Observed) -> list[Notice]:
    """Domains for which no key is made, since exim could not open it, and the remedy for the folder that is in the way."""
    return [
        Notice("keys_closed", f"{domain}: no new key is made: {why}") for domain, why in sorted(seen.closed.items())
    ]


def living(seen: Observed) -> list[Notice]:
    """Mail domains of exim's inside a parked zone: the zone's own record tells receivers to reject their mail (sp=)."""
    told = []
    zones = {view.zone for view in seen.zones}
    inside: dict[str | None, list[str]] = {view.zone: [] for view in seen.zones if view.policy.parked}
    for mail in seen.host.domains if inside else ():
        if mail.local and (zone := zone_of(mail.name, zones)) in inside:
            inside[zone].append(mail.name)
    for view in (view for view in seen.zones if view.policy.parked):
        for name in inside[view.zone]:
            if name not in view.domains:
                told.append(
                    Notice("parked_living", f"{name}: known to exim, while {view.zone} is parked: receivers are told to reject such mail, and "
                           f"nothing is published. Take `parked` away, or name every domain in zones.{view.zone}.domains.")
                )  # fmt: skip
    return told
