"""The macros tried on a copy of the configuration, before anything is written: would exim take them, and sign as before?"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnssync.errors import EximError, RefusedError
from dnssync.exim import debian, macros, observe, routing, signing
from dnssync.exim.ask import Exim
from dnssync.exim.lists import split


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change to be tried: `file` inside the configuration directory `confdir` with this content (b"" = without it)."""

    confdir: Path
    file: Path
    content: bytes


def tried(
    exim: Exim,
    candidate: Candidate,
    map_path: Path,
    domains: Iterable[str],
    lists: Sequence[str],
    public_half: signing.PublicHalf,
    run: Callable[..., Any],
) -> tuple[str, ...]:
    """Render a copy with the new file, and compare what exim would sign then with what it signs today.

    Returns what a person should know; raises `RefusedError` where something would be lost.
    """
    confdir, after = candidate.confdir, candidate.content
    options = exim.options("exim_user", "exim_group", "primary_hostname", "qualify_domain")
    reader = signing.reader(options["exim_user"], options["exim_group"], public_half)
    hindrance = signing.obstacle(map_path, reader.uid, reader.gid)
    if hindrance:
        raise RefusedError(f"exim could not read its map, and then no mail would be signed: {hindrance}.")
    asked = observe.names(exim, [*domains, options["primary_hostname"], options["qualify_domain"]], lists)
    today = _signed(exim, asked, lists, reader)
    with tempfile.TemporaryDirectory(prefix="dnssync-") as folder:
        new = rendered(exim, candidate, Path(folder), run)
        transports = routing.smtp_transports(new)
        reached = {name for name, block in transports.items() if str(map_path) in block.get("dkim_selector", "")}
        if not reached:
            raise RefusedError(
                f"the macros would reach no smtp transport of the configuration in {confdir}: none takes DKIM_DOMAIN. Add "
                f"these lines to the transport that mail leaves through, then install again:\n\n{macros.transport_lines()}"
            )
        then = _signed(new, asked, lists, reader)
        used = _used(new, asked, lists, transports)
        relays = _relay_hosts(new) if b"+relay_from_hosts" in after else ()
    lost = sorted(today - then)
    if lost:
        names = ", ".join(f"{domain} (transport {transport})" for domain, transport in lost[:5])
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        raise RefusedError(
            f"exim signs {names}{more} today and would not with these macros, so nothing was installed: the map {map_path} "
            "has no key for it that exim can use. Add its zone to the configuration and run `dnssync apply`, which takes "
            "its present key on and writes the map; then install."
        )
    return (*relays, *(_deaf(confdir, name) for name in used if name not in reached))


def rendered(exim: Exim, candidate: Candidate, folder: Path, run: Callable[..., Any]) -> Exim:
    """exim with the configuration as it would be; raises `RefusedError` where exim does not take it."""
    confdir, file, content = candidate.confdir, candidate.file, candidate.content
    copied = debian.copy(confdir, folder / "exim4")
    inside = copied / file.relative_to(confdir)
    inside.write_bytes(content)
    if not content and debian.scheme(copied) is debian.Scheme.SPLIT:
        inside.unlink()
    clashes = _clashes(copied, inside, content, confdir)
    out = folder / "exim.conf"
    debian.render(copied, out, run=run)
    new = exim.with_config(out)
    try:
        new.version()
    except EximError as error:
        if "already defined" in str(error) and clashes:
            raise RefusedError(
                f"a macro of dnssync's is defined again behind {file}, with `=`, and exim allows that once. Take out, or "
                f"change to `==` before it: {'; '.join(clashes)}."
            ) from None
        raise RefusedError(
            f"exim would not take the configuration with this change, so nothing was done. {error}"
        ) from None
    return new


def _clashes(copied: Path, ours: Path, content: bytes, confdir: Path) -> list[str]:
    """Definitions of our macros that exim reads after ours: file, line and text, named as in the real directory."""
    if not content:
        return []
    later = [copied / "exim4.conf.template"]
    if debian.scheme(copied) is debian.Scheme.SPLIT:
        main = [path for path in sorted((copied / "conf.d/main").iterdir()) if path.name > ours.name]
        later = [*main, *(path for path in sorted(copied.glob("conf.d/*/*")) if path.parent.name != "main")]
    again = re.compile(rf"\s*({'|'.join(macros.NAMES)})\s*=(?!=)")
    found = []
    for path in later:
        if path.is_file():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            place = confdir / path.relative_to(copied)
            found += [f"{place} line {n}: {line.strip()}" for n, line in enumerate(lines, 1) if again.match(line)]
    return found


def _signed(
    exim: Exim, asked: Sequence[str], lists: Sequence[str], reader: signing.Reader
) -> frozenset[tuple[str, str]]:
    """The (domain, transport) pairs that exim signs with a key it can use."""
    transports = routing.smtp_transports(exim)
    ways = routing.ways(exim, routing.routers(exim, transports, lists), transports, asked)
    through = {domain: way.transports for domain, way in ways.items()}
    probes = signing.probe(exim, transports, through, reader)
    return frozenset(
        pair
        for pair, probe in probes.items()
        if probe.signers and not probe.problem and not any(signer.problem for signer in probe.signers)
    )


def _used(
    exim: Exim, asked: Sequence[str], lists: Sequence[str], transports: dict[str, dict[str, str]]
) -> tuple[str, ...]:
    ways = routing.ways(exim, routing.routers(exim, transports, lists), transports, asked)
    return tuple(sorted({name for way in ways.values() for name in way.transports}))


def _relay_hosts(exim: Exim) -> tuple[str, ...]:
    """What is wrong with relay_from_hosts as a list of addresses; refused where exim cannot use it at all."""
    asked, listed = "${if match_ip{192.0.2.1}{+relay_from_hosts}{y}{n}}", "${listnamed:relay_from_hosts}"
    told = exim.expand([asked, listed])
    if told[asked].error:
        raise RefusedError(
            f"exim has no host list relay_from_hosts that it can use here ({told[asked].error}), and mail from other hosts "
            "would wait for ever. Define it, or install with `--sign all`."
        )
    named = [
        item
        for item in split(told[listed].text)
        if not re.match(r"!?\s*(?:[\d.]+|\[?[0-9a-f:]*:[0-9a-f:.]*\]?)(?:/|$)|[+@]", item)
    ]
    if not named:
        return ()
    return (
        f"relay_from_hosts names {', '.join(named)}: exim compares addresses alone here, so mail of these hosts, and of those "
        "listed behind them, is not signed. Name them by address.",
    )


def _deaf(confdir: Path, transport: str) -> str:
    split_file = confdir / f"conf.d/transport/30_exim4-config_{transport}"
    file = split_file if debian.scheme(confdir) is debian.Scheme.SPLIT else confdir / "exim4.conf.template"
    return (
        f"mail that leaves through the transport {transport} is not signed: Debian's has no DKIM options. Add these lines to "
        f"it, after its `driver` line, in {file} (a conffile: dnssync does not edit it):\n\n{macros.transport_lines()}\n"
    )
