"""Everything that exim told, as one `Host`: its mail domains, where their mail leaves from, and what signs it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from dnssync.core.host import Host, MailDomain, Transport
from dnssync.core.model import Notice, Refusal
from dnssync.exim import outbound, routing, signing
from dnssync.exim.ask import Exim, Expansion
from dnssync.exim.lists import message, split, unknown, variables, written
from dnssync.keystore import public_half

DEFAULT_CUTOFF = 4 * 86400  # Debian's retry rule
_NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NOBODY = "no-such-domain-7f3a9c.dnssync.invalid"  # a list that matches this matches everything
_LOCAL_ONLY = (".localhost", ".localdomain", ".invalid")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def observe(
    exim: Exim,
    candidates: Iterable[str],
    *,
    lookup: outbound.Lookup,
    lists: Sequence[str] = ("local_domains",),
    addresses: Sequence[str] = (),
    map_path: Path | None = None,
    recipients: Sequence[str] = (),
    public_half: signing.PublicHalf = public_half,
    source_address: Callable[[int], str | None] = outbound.source_address,
    passing_addresses: Callable[[], frozenset[str]] = outbound.passing_addresses,
) -> Host:
    """Ask exim about this host. Raises `EximError` where exim cannot be asked or its configuration is broken.

    `candidates`: names that may be mail domains, besides those that exim can name itself; each becomes a `MailDomain`,
    `local` where exim has it. `lists`: exim's domain lists of its own domains. `lookup(name, type)`: what the
    authoritative servers say, () = nothing there, None = nobody answers. `recipients`: addresses that exim is asked
    whether it takes them, `{domain}` stands for each local domain.
    """
    version, config_file = exim.version()
    options = exim.options(
        "primary_hostname", "qualify_domain", "disable_ipv6", "dns_ipv4_lookup", "exim_user", "exim_group"
    )
    hostname = options["primary_hostname"].lower()
    notices: list[Notice] = []
    asked = names(exim, [*candidates, hostname, options["qualify_domain"]], lists)
    local = membership(exim, asked, lists, notices)
    transports = routing.smtp_transports(exim)
    found = routing.routers(exim, transports, lists)
    ways = routing.ways(exim, found, transports, asked)
    sources = outbound.Sources(
        hostname=hostname,
        source_address=source_address,
        passing=passing_addresses(),
        lookup=lookup,
        ipv6=options["disable_ipv6"] != "yes" and options["dns_ipv4_lookup"].strip() != "*",
    )
    out = _outbound(exim, transports, ways, addresses, sources)
    reader = signing.reader(options["exim_user"], options["exim_group"], public_half)
    probes = signing.probe(exim, transports, {domain: way.transports for domain, way in ways.items()}, reader)
    plain = {name: _transport(exim, name, transports[name], config_file, map_path) for name in transports}
    cutoff = retry_cutoff(exim.config())
    accepts = _accepts(exim, recipients, [domain for domain in asked if domain in local])
    domains = tuple(
        MailDomain(
            name=domain,
            local=domain in local,
            addresses=out[domain].addresses,
            smarthosts=ways[domain].relays,
            transports=tuple(
                _signed(plain[name], probes.get((domain, name), signing.Probe())) for name in ways[domain].transports
            ),
            retry_cutoff=cutoff,
            accepts=accepts.get(domain, frozenset()),
            problems=tuple(Refusal(p.reason, f"{domain}: {p.sentence}") for p in out[domain].problems),
        )
        for domain in asked
    )
    used = {name for domain in local for name in ways[domain].transports}
    notices.extend(dict.fromkeys(notice for domain in asked for notice in out[domain].notices))
    helo = helo_names(exim, [transports[name] for name in transports if name in used], hostname, notices)
    return Host(hostname, version, config_file, helo, domains, tuple(notices))


# --- names ------------------------------------------------------------------------------------------------------------


def names(exim: Exim, candidates: Iterable[str], lists: Sequence[str]) -> tuple[str, ...]:
    """The candidates, and what exim can name itself: the plain items of its lists and a satellite's visible name.

    Sorted; what is no domain name of two labels or more, or only means this machine, is left out.
    """
    texts = [f"${{listnamed:{name}}}" for name in lists]
    told = exim.expand(texts)
    items = [item for text in texts if not told[text].error for item in split(told[text].text)]
    visible = exim.macro("DCreadhost") or ""
    found = {name.strip().lower().rstrip(".") for name in (*candidates, *items, visible)}
    return tuple(sorted(name for name in found if _NAME.fullmatch(name) and not name.endswith(_LOCAL_ONLY)))


def membership(exim: Exim, asked: Sequence[str], lists: Sequence[str], notices: list[Notice]) -> frozenset[str]:
    """Those of the names that one of exim's lists holds, whatever look-up stands behind it."""
    texts = {
        (name, domain): f"${{if match_domain{{{domain}}}{{+{name}}}{{y}}{{n}}}}"
        for name in lists
        for domain in (*asked, _NOBODY)
    }
    answers = exim.expand(texts.values())
    found: set[str] = set()
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
            found.update(domain for domain in asked if answers[texts[name, domain]].text == "y")
    return frozenset(found)


def helo_names(
    exim: Exim, transports: Iterable[Mapping[str, str]], hostname: str, notices: list[Notice]
) -> tuple[str, ...]:
    """The names that exim greets other hosts with; where that depends on the connection, its own host name."""
    texts = {options.get("helo_data", "") for options in transports} or {"$primary_hostname"}
    steady = sorted(text for text in texts if not unknown(text, ()))
    told = exim.expand(steady)
    found = {told[text].text.strip().lower().rstrip(".") for text in steady if not told[text].error}
    for text in sorted(texts - set(steady)):
        found.add(hostname)
        names = ", ".join(sorted(f"${name}" for name in variables(text)))
        notices.append(
            Notice(
                "helo_dynamic", f"exim's greeting depends on {names}; only {hostname} is looked after as such a name."
            )
        )
    return tuple(sorted(name for name in found if _NAME.fullmatch(name)))


# --- the rest ---------------------------------------------------------------------------------------------------------


def retry_cutoff(config: str) -> int:
    """The longest time that exim tries to deliver a message, in seconds, over all retry rules of `-bP config`."""
    section = re.search(r"^begin retry\n(.*?)(?=^begin |\Z)", config, re.MULTILINE | re.DOTALL)
    cutoffs = re.findall(r"\b[FGH],\s*((?:\d+[smhdw])+|\d+)\s*,", section[1] if section else "")
    return max((_seconds(text) for text in cutoffs), default=DEFAULT_CUTOFF)


def _seconds(text: str) -> int:
    return sum(int(n) * _UNITS[unit or "s"] for n, unit in re.findall(r"(\d+)([smhdw]?)", text))


def _accepts(exim: Exim, recipients: Sequence[str], local: Sequence[str]) -> dict[str, frozenset[str]]:
    """Per local domain the asked addresses in it that exim takes."""
    asked = {text.replace("{domain}", domain).lower(): domain for domain in local for text in recipients}
    good = exim.verifies(address for address, domain in asked.items() if address.rpartition("@")[2] == domain)
    found: dict[str, set[str]] = {}
    for address in good:
        found.setdefault(address.rpartition("@")[2], set()).add(address)
    return {domain: frozenset(taken) for domain, taken in found.items()}


def _outbound(
    exim: Exim,
    transports: Mapping[str, Mapping[str, str]],
    ways: Mapping[str, routing.Way],
    addresses: Sequence[str],
    sources: outbound.Sources,
) -> dict[str, outbound.Outbound]:
    """Per domain the addresses that its mail leaves from; none where a relay takes all of it."""
    if addresses:
        told = outbound.explicit(addresses)
        return {domain: told if way.direct else outbound.Outbound() for domain, way in ways.items()}
    known = tuple(name for name in message("x") if name != "sender_address_local_part")
    texts = {name: options.get("interface", "") for name, options in transports.items()}
    asked = {(d, n): written(texts[n], message(d)) for d, way in ways.items() for n in way.transports if way.direct}
    answers = exim.expand(text for text in asked.values() if text)
    same: dict[tuple[str, ...], outbound.Outbound] = {}
    found = {}
    for domain, way in ways.items():
        moving = sorted({name for n in way.transports for name in unknown(texts[n], known)} if way.direct else ())
        if not way.direct:
            found[domain] = outbound.Outbound()
        elif moving:
            found[domain] = outbound.Outbound(problems=(_dynamic(moving),))
        elif broken := [
            answers[asked[domain, n]].error
            for n in way.transports
            if asked[domain, n] and _fails(answers, asked[domain, n])
        ]:
            found[domain] = outbound.Outbound(problems=(_unexpandable(broken[0]),))
        else:
            bound = tuple(answers[asked[domain, n]].text if asked[domain, n] else "" for n in way.transports)
            if bound not in same:
                same[bound] = outbound.outbound(bound, sources)
            found[domain] = same[bound]
    return found


def _fails(answers: Mapping[str, Expansion], text: str) -> bool:
    return bool(answers[text].error) and not answers[text].forced


def _unexpandable(error: str) -> Refusal:
    return Refusal(
        "interface_unexpandable",
        f"exim cannot work out the address that its mail leaves from (`interface`: {error}), so that mail waits in the queue. "
        "Mend that in exim's configuration.",
    )


def _dynamic(variables: Sequence[str]) -> Refusal:
    names = ", ".join(f"${name}" for name in variables)
    return Refusal(
        "dynamic_interface",
        f"the address that its mail leaves from depends on {names} (`interface` in exim's transport), which is known "
        "only at delivery. Name all the addresses it can be under `addresses:` in the configuration.",
    )


def _transport(exim: Exim, name: str, options: Mapping[str, str], config_file: str, map_path: Path | None) -> Transport:
    shown = signing.shown(options)
    return Transport(
        name=name,
        options=shown,
        takes_macros=takes_macros(config_file, name),
        uses_map=map_path is not None and any(str(map_path) in text for text in shown.values()),
        expires=signing.expires(exim, options) if shown.get("dkim_domain") else None,
    )


def _signed(transport: Transport, probe: signing.Probe) -> Transport:
    return Transport(
        name=transport.name,
        options=transport.options,
        takes_macros=transport.takes_macros,
        uses_map=transport.uses_map,
        expires=transport.expires,
        signers=probe.signers,
        problem=probe.problem,
    )


def takes_macros(config_file: str, transport: str) -> bool:
    """Whether the DKIM_* macros would reach a transport: its text in the configuration file names them.

    Where the file may not be read, Debian's own `remote_smtp` is taken to be what Debian ships.
    """
    try:
        text = Path(config_file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return transport == "remote_smtp"
    section = re.search(
        rf"^\s*{re.escape(transport)}:\s*\n(.*?)(?=^\s*[A-Za-z0-9_]+:\s*$|^begin |\Z)", text, re.M | re.S
    )
    return section is not None and "DKIM_DOMAIN" in section[1]
