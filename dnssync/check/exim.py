"""exim's own set-up: whether what was configured is what exim uses, and what it asks of incoming mail."""

from __future__ import annotations

from collections.abc import Iterator

from dnssync.check import exim_signing
from dnssync.check.exim_setup import SetUp, Setup
from dnssync.check.facts import Facts, host
from dnssync.check.finding import MOOT, Verdict, error, info, unknown, warning
from dnssync.check.judging import Check
from dnssync.core.durations import moment
from dnssync.core.host import Transport

RENDER = "update-exim4.conf && systemctl reload exim4"


def own_configuration(facts: Facts, subject: str) -> Iterator[Verdict]:
    """EXIM-02: a hand-written exim4.conf, which takes the place of Debian's whole configuration, macros and all."""
    found = facts.find(Setup())
    if not found.own:
        return
    away = f"take it away (`mv {found.own} {found.own}.old && {RENDER}`)"
    if found.file != found.own and not found.generated:
        return  # exim reads a third file: neither of them counts
    if found.file != found.own:
        yield error(
            f"{found.own} exists, so that update-exim4.conf does nothing, while exim uses {found.file}: what is changed in {found.confdir} does not get there.",
            f"If Debian's configuration is meant, {away}.",
        )
        return
    used = _used(facts)
    by_hand = "add the lines that `dnssync exim --print` prints to it by hand"
    if found.ours and not all(transport.uses_map for transport in used):
        yield error(
            f"exim uses the hand-written {found.own}, so that dnssync's macros in {', '.join(found.ours)} are ignored.",
            f"If it is meant, {by_hand}; else {away}.",
        )
    elif not all(transport.can_sign and transport.options.get("dkim_domain") for transport in used):
        yield error(
            f"exim uses the hand-written {found.own}, where no DKIM_* macro does anything, and it does not sign all of the mail that leaves.",
            f"If it is meant, {by_hand}; else {away}, and run `dnssync exim --install`.",
        )
    elif not all(transport.uses_map for transport in used):
        yield info(
            f"exim uses the hand-written {found.own}, which signs with a set-up of its own: a key of dnssync's is used only once that file names dnssync's map."
        )


def _used(facts: Facts) -> tuple[Transport, ...]:
    return tuple(way.transport for way in exim_signing.ways(facts))


def stale(facts: Facts, subject: str) -> Iterator[Verdict]:
    """EXIM-04: the sources were changed, and exim does not know yet."""
    found = facts.find(Setup())
    if not found.generated or (found.own and found.file == found.own):
        yield MOOT
        return
    if found.changed is None or found.differs is False:
        return
    path, changed, made = found.changed
    when = f"{path} was changed at {moment(changed)}, after {found.file} was made from it ({moment(made)})"
    if found.differs:
        yield warning(f"{when}: exim still uses what stood there before.", f"{RENDER}")
    else:
        yield warning(
            f"{when}, and whether that makes a difference could not be tried: {found.untried}.",
            f"{RENDER}; it says what is wrong with the sources, if anything is.",
        )


def panics(facts: Facts, subject: str) -> Iterator[Verdict]:
    """EXIM-08: exim's panic log."""
    found = facts.find(Setup()).panic
    if found is None:
        yield MOOT
    elif found.problem:
        yield unknown(
            f"The panic log cannot be read: {found.problem}.", "Run this as root, or give this user the group adm."
        )
    elif found.lines:
        many = "one line" if found.lines == 1 else f"{found.lines} lines"
        yield warning(
            f"exim's panic log {found.path} has {many}; the last: {found.last}",
            f"Mend what it tells of, then empty it: `truncate -s 0 {found.path}`.",
        )


def incoming(facts: Facts, subject: str) -> Iterator[Verdict]:
    """EXIM-09: incoming mail whose sender's SPF says no."""
    found = facts.find(Setup())
    if not found.listens:
        yield MOOT  # nobody but this host itself can give it mail
    elif not found.verifies_spf:
        yield _unverified(found)


def _unverified(found: SetUp) -> Verdict:
    macro = f"CHECK_RCPT_SPF = true in {found.confdir}/conf.d/main/000_localmacros (unsplit: {found.confdir}/exim4.conf.localmacros)"
    remedy = f"Set {macro}, then: {RENDER}"
    if found.own and found.file == found.own:
        remedy = f"Add a condition `spf = fail` to the RCPT ACL in {found.own}."
    if found.scans:
        return info(
            "exim itself does not verify SPF of incoming mail; the spam filter that its ACLs ask may do so.", remedy
        )
    if not found.spf_built_in:
        asked = " CHECK_RCPT_SPF is set and has no effect." if found.spf_wanted else ""
        return warning(
            f"This exim cannot verify SPF of incoming mail: it was built without (exim4-daemon-light).{asked}",
            f"apt install exim4-daemon-heavy{'' if found.spf_wanted else f'; then {remedy[0].lower()}{remedy[1:]}'}",
        )
    return warning("exim does not verify SPF of incoming mail: forged senders get in.", remedy)


CHECKS: tuple[Check, ...] = (
    Check("EXIM-01", "What signs reaches every transport that mail leaves through.", host, exim_signing.reached),
    Check("EXIM-02", "No hand-written exim4.conf stands in the way of Debian's configuration.", host, own_configuration),
    Check("EXIM-03", "No key file is named by the message itself.", host, exim_signing.tainted),
    Check("EXIM-04", "exim uses what stands in its sources.", host, stale),
    Check("EXIM-05", "exim signs with the keys that dnssync has active.", exim_signing.looked_at, exim_signing.switched),
    Check("EXIM-06", "The keys that exim signs with can be read, and are those in DNS.", exim_signing.looked_at, exim_signing.readable),
    Check("EXIM-07", "The domain is in the map that exim signs by.", exim_signing.all_local, exim_signing.mapped),
    Check("EXIM-08", "exim's panic log is empty.", host, panics),
    Check("EXIM-09", "exim verifies SPF of incoming mail.", host, incoming),
    Check("EXIM-10", "Mail whose key is missing waits.", host, exim_signing.strict),
    Check("EXIM-11", "Signatures say when they expire.", host, exim_signing.expiring),
)  # fmt: skip
