"""What the probe saw exim sign with (DKIM-01): on which transports, under which domain, with which keys."""

from __future__ import annotations

from collections.abc import Iterator

from dnssync.check.dkim_elsewhere import DECLARE, HOW, depends, left_alone
from dnssync.check.facts import Facts
from dnssync.check.finding import Verdict, error, info, unknown
from dnssync.core import dkim
from dnssync.core.host import TAINTED, Signer, Transport

_OURS_FAILING = "dnssync cannot "  # how the probe begins to say that we, and not exim, are shut out
_SHUT = "permission denied"
_AS_ROOT = "Run `dnssync check` as root, or as a user of group Debian-exim."


def record_name(signer: Signer) -> str:
    """Where the key record of a signature stands."""
    return dkim.record_name(signer.selector, signer.domain)


def signers(facts: Facts, name: str) -> tuple[Signer, ...]:
    """The signatures that exim makes for a domain, each key once. Raises `Unanswered`."""
    found = {record_name(s): s for transport in facts.mail(name).transports for s in reversed(transport.signers)}
    return tuple(found.values())


def unsigned(facts: Facts, name: str) -> Iterator[Verdict]:
    """DKIM-01: exim signs on each transport that the domain's mail leaves through, with keys that it can open."""
    transports = facts.mail(name).transports
    if not transports:
        yield info(f"exim has no smtp transport that mail of {name} leaves through, so nothing signs it.")
    for transport in transports:
        if left_alone(facts, name, transport):
            yield info(f"exim does not sign mail of {name} in its transport {transport.name}, and the configuration wants no keys of it (`algorithms: []`): "
                       "whether somebody else signs it is not seen here.")  # fmt: skip
        elif not transport.options.get("dkim_domain"):
            relays = facts.mail(name).smarthosts
            unless = f", unless {' or '.join(relays)} signs it" if relays else ""
            yield error(f"Mail of {name} leaves through exim's transport {transport.name}, which has no DKIM options: it is not signed{unless}.",
                        f"{_options(transport)} {DECLARE}")  # fmt: skip
        elif not transport.signers and depends(transport):
            yield _depending(name, transport)
        elif (
            transport.problem and _SHUT in transport.problem.lower()
        ):  # a file that is closed to us need not be to exim
            yield unknown(f"{name}: {transport.problem}", _AS_ROOT)
        elif transport.problem:
            yield error(f"{name}: {transport.problem}", "Mend that option, or let `dnssync exim --install` set it.")
        elif not transport.signers:
            yield _not_in_map(facts, name, transport)
        for signer in transport.signers:
            yield from _unusable(name, transport, signer)


def _options(transport: Transport) -> str:
    if transport.takes_macros:
        return "`dnssync exim --install` defines the macros that set them; `dnssync exim --print` shows them."
    return (
        f"`dnssync exim --install` prints the lines to add to the transport {transport.name}; then run "
        "`update-exim4.conf`."
    )


def _depending(name: str, transport: Transport) -> Verdict:
    return unknown(
        f"exim's transport {transport.name} would sign nothing of a message that {name} sends from this host itself; what it signs depends on "
        f"{', '.join(depends(transport))}, which only real mail has.",
        HOW,
    )


def _not_in_map(facts: Facts, name: str, transport: Transport) -> Verdict:
    said = f"exim's transport {transport.name} signs nothing of {name}: its dkim_domain, dkim_selector or dkim_private_key comes to nothing for it."
    decision = facts.decision
    if transport.uses_map and decision is not None and name in decision.map_after and name not in decision.map_before:
        return error(said, f"`dnssync apply` gives {name} its line in exim's signing map.", fixable=True)
    if transport.uses_map:
        return error(
            said,
            f"{facts.map_path or 'The signing map'} has no line for {name}. `dnssync plan` says what it waits for.",
        )
    return error(
        said, f"Give {name} a selector and a key there, or let `dnssync exim --install` switch to dnssync's map."
    )


def _unusable(name: str, transport: Transport, signer: Signer) -> Iterator[Verdict]:
    if not signer.problem:
        return
    said = f"{name}: the key of selector {signer.selector} cannot be used on transport {transport.name}: {signer.problem.rstrip('.')}."
    if _OURS_FAILING in signer.problem:
        yield unknown(said, _AS_ROOT)
    else:
        yield error(said, openable(signer))


def openable(signer: Signer) -> str:
    """What to do about a key that exim cannot use; that of a key which is named by a message is EXIM-03's."""
    if f"({TAINTED})" in signer.problem:
        return "The file's rights are not the matter; `dnssync exim --install` sets a dkim_domain that goes through a look-up. See EXIM-03."
    if not signer.path.startswith("/"):
        return "Name a key file in dkim_private_key that exim's user can read."
    if "exim may not " in signer.problem:
        return f"`chgrp Debian-exim {signer.path} && chmod 0640 {signer.path}`, and let the group enter the folders above it (0750)."
    return "Put the key back, from a backup; or name another one, and publish its record before exim signs with it."
