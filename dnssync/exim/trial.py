"""The macros tried on a copy of the configuration before anything is written: would exim take them, and sign as before?"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnssync.errors import EximError, RefusedError
from dnssync.exim import debian, macros, names, routing, signing
from dnssync.exim.ask import Exim
from dnssync.exim.lists import split

_BY_ADDRESS = re.compile(r"!?\s*(?:[+@]|[\d.]+(?:/\d+)?$|\[?[0-9a-f]*:[0-9a-f:.]*\]?(?:/\d+)?$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A configuration directory in which `file` would hold `content`; empty content = there is no such file."""

    confdir: Path
    file: Path
    content: bytes


@dataclass(frozen=True, slots=True)
class Signing:
    """What exim signs: (domain, transport) → "", or why its key cannot be used, and → the signing domains (d=); and the
    transports that are in use."""

    pairs: dict[tuple[str, str], str]
    under: dict[tuple[str, str], frozenset[str]]
    used: tuple[str, ...]

    @property
    def good(self) -> frozenset[tuple[str, str]]:
        """The pairs that leave with a signature."""
        return frozenset(pair for pair, problem in self.pairs.items() if not problem)

    def counts(self, pair: tuple[str, str]) -> bool:
        """Whether one of its signing domains may be aligned with the domain (relaxed, RFC 7489 §3.1.1).

        Two labels in common are taken for an organisational domain in common: rather too often than lose a signature.
        """
        domain = pair[0].split(".")[-2:]
        return any(signer.split(".")[-2:] == domain for signer in self.under[pair])


def tried(
    exim: Exim,
    candidate: Candidate,
    map_path: Path,
    domains: Iterable[str],
    lists: Sequence[str],
    public_half: signing.PublicHalf,
    run: Callable[..., Any] = subprocess.run,
) -> tuple[str, ...]:
    """Render a copy with the candidate and compare what exim would sign then with what it signs today.

    Returns what a person should know; raises `RefusedError` where mail would leave unsigned, or wait, that does not now.
    """
    options = exim.options("exim_user", "exim_group", "primary_hostname", "qualify_domain")
    reader = signing.reader(options["exim_user"], options["exim_group"], public_half)
    hindrance = signing.obstacle(map_path, reader.uid, reader.gid)
    if hindrance:
        raise RefusedError(f"exim could not read its map, and then no mail would be signed: {hindrance}.")
    asked = _asked(exim, [*domains, options["primary_hostname"], options["qualify_domain"]], lists)
    today = signs(exim, asked, lists, reader)
    with tempfile.TemporaryDirectory(prefix="dnssync-") as folder:
        new = rendered(exim, candidate, Path(folder), run)
        blocks = routing.smtp_transports(new.overview()[1])
        reached = {name for name, block in blocks.items() if str(map_path) in block.get("dkim_selector", "")}
        if not reached:
            raise RefusedError(
                f"the macros would reach no smtp transport of the configuration in {candidate.confdir}: none takes "
                "DKIM_DOMAIN. Add these lines to the transport that mail leaves through, then install again:\n\n"
                f"{macros.transport_lines()}"
            )
        then = signs(new, asked, lists, reader)
        relays = _relay_hosts(new) if b"+relay_from_hosts" in candidate.content else ()
    left = _compare(today, then, map_path)
    return (*relays, *left, *(_deaf(candidate.confdir, name) for name in then.used if name not in reached))


def _compare(today: Signing, then: Signing, map_path: Path) -> tuple[str, ...]:
    """Refuse to lose a signature that receivers count for the From: domain; tell of the others."""
    gone = sorted(today.good - then.good)
    lost = [pair for pair in gone if today.counts(pair)]
    if lost:
        raise RefusedError(
            f"exim signs {_told(lost)} today and would not with these macros, so nothing was installed: the map {map_path} "
            "has no key for it that exim can use. Add its zone to the configuration and run `dnssync apply`, which "
            "takes its present key on and writes the map; then install."
        )
    worse = sorted(pair for pair, problem in then.pairs.items() if problem and not today.pairs.get(pair))
    if worse:
        raise RefusedError(
            f"mail of {_told(worse)} would wait, or leave unsigned, with these macros, so nothing was installed: "
            f"{then.pairs[worse[0]]}."
        )
    if not gone:
        return ()
    signers = ", ".join(sorted(set().union(*(today.under[pair] for pair in gone)))[:5])
    return (
        f"mail of {_told(gone)} is signed in the name of {signers} today, which receivers do not count for that From: domain "
        "(DMARC alignment); with these macros it leaves without that signature. If it shall be signed, add its zone to "
        "the configuration and run `dnssync apply`.",
    )


def _told(pairs: Sequence[tuple[str, str]]) -> str:
    names = ", ".join(f"{domain} (transport {transport})" for domain, transport in pairs[:5])
    return names + (f" and {len(pairs) - 5} more" if len(pairs) > 5 else "")


def rendered(exim: Exim, candidate: Candidate, folder: Path, run: Callable[..., Any] = subprocess.run) -> Exim:
    """exim with the configuration as it would be; raises `RefusedError` where exim does not take it."""
    copied = debian.copy(candidate.confdir, folder / "exim4")
    inside = copied / candidate.file.relative_to(candidate.confdir)
    if candidate.content:
        inside.write_bytes(candidate.content)
    else:
        inside.unlink(missing_ok=True)
    clashes = _clashes(copied, inside, candidate) if candidate.content else []
    out = folder / "exim.conf"
    debian.render(copied, out, run=run)
    new = exim.with_config(out)
    try:
        new.version()
    except EximError as error:
        if "already defined" in str(error) and clashes:
            raise RefusedError(
                f"a macro of dnssync's is defined again behind {candidate.file}, with `=`, and exim allows that once. "
                f"Take it out: {'; '.join(clashes)}."
            ) from None
        raise RefusedError(
            f"exim would not take the configuration with this change, so nothing was done. {error}"
        ) from None
    return new


def _clashes(copied: Path, ours: Path, candidate: Candidate) -> list[str]:
    """Definitions of our macros that exim reads after ours: file, line and text, named as in the real directory."""
    if debian.scheme(copied) is debian.Scheme.SPLIT:
        main = [path for path in sorted((copied / "conf.d/main").iterdir()) if path.name > ours.name]
        later = [*main, *(path for path in sorted(copied.glob("conf.d/*/*")) if path.parent.name != "main")]
    else:
        later = [copied / "exim4.conf.template"]
    again = re.compile(rf"\s*({'|'.join(macros.NAMES)})\s*=(?!=)")
    found = []
    for path in later:
        if path.is_file():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            place = candidate.confdir / path.relative_to(copied)
            found += [f"{place} line {n}: {line.strip()}" for n, line in enumerate(lines, 1) if again.match(line)]
    return found


def _asked(exim: Exim, candidates: Sequence[str], lists: Sequence[str]) -> tuple[str, ...]:
    """The candidates, and what exim can name itself."""
    told = exim.ask(names.listed(lists)).values()
    items = [item for text in told if not text.error for item in split(text.text)]
    return names.usable([*candidates, *items, exim.macro("DCreadhost") or ""])


def signs(exim: Exim, asked: Sequence[str], lists: Sequence[str], reader: signing.Reader) -> Signing:
    """What exim signs of the domains' mail now, on each transport that it can leave through."""
    _, transports, routers = exim.overview()
    smtp = routing.smtp_transports(transports)
    ways = exim.ask(routing.ways(exim.ask(routing.routers(routers, smtp, lists)), smtp, asked))
    through = [(domain, name) for domain, way in ways.items() for name in way.transports]
    probes = exim.ask(signing.probe(smtp, through, reader))
    probes = signing.mark_tainted(probes, smtp, lambda name, domain: signing.is_tainted(exim, smtp[name], domain))
    pairs = {
        pair: next((text for text in (probe.problem, *(signer.problem for signer in probe.signers)) if text), "")
        for pair, probe in probes.items()
        if probe.signers or probe.problem
    }
    under = {pair: frozenset(signer.domain for signer in probes[pair].signers) for pair in pairs}
    return Signing(pairs, under, tuple(sorted({name for way in ways.values() for name in way.transports})))


def _relay_hosts(exim: Exim) -> tuple[str, ...]:
    """What is wrong with relay_from_hosts as a list of addresses; refused where exim cannot use it at all."""
    asked, listed = "${if match_ip{192.0.2.1}{+relay_from_hosts}{y}{n}}", "${listnamed:relay_from_hosts}"
    told = exim.expand([asked, listed])
    if told[asked].error:
        raise RefusedError(
            f"exim cannot use its host list relay_from_hosts here ({told[asked].error}), and mail that comes from other "
            "hosts would wait for ever. Define the list with addresses, or install with `--sign all`."
        )
    named = [item for item in split(told[listed].text) if not _BY_ADDRESS.match(item)]
    if not named:
        return ()
    return (
        f"relay_from_hosts names {', '.join(named)}: exim compares addresses alone here, so mail of these hosts, and of "
        "those listed behind them, is not signed. Name them by address.",
    )


def _deaf(confdir: Path, transport: str) -> str:
    own = confdir / f"conf.d/transport/30_exim4-config_{transport}"
    file = own if debian.scheme(confdir) is debian.Scheme.SPLIT else confdir / "exim4.conf.template"
    return (
        f"mail that leaves through the transport {transport} is not signed: it has no DKIM options. Add these lines to it, "
        f"after its `driver` line, in {file} (a conffile: dnssync does not edit it):\n\n{macros.transport_lines()}\n"
    )
