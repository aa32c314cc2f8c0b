"""One look at exim for a whole pass: what is the same for all domains is asked once, domains in batches after that.

    survey = Survey(exim, lookup=…)          # six processes, however many domains there are
    names = survey.names(candidates)         # none
    local = survey.local(names)              # one: which of them exim has
    host = survey.host(batch, recipients)    # at most five a batch: three rounds of `-be`, one `-bem` a pass, one `-bv`

`mark` says whether exim could tell something else than the last time of a domain that was settled then.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dnssync.core.host import Host, MailDomain, Transport
from dnssync.core.model import Notice, Refusal
from dnssync.exim import names as naming
from dnssync.exim import outbound, routing, signing
from dnssync.exim.ask import Exim, together
from dnssync.exim.leaving import bound, leaving, retry_cutoff, takes_macros
from dnssync.exim.lists import split
from dnssync.keystore import public_half as half_of

_MAIN = ("primary_hostname", "qualify_domain", "disable_ipv6", "dns_ipv4_lookup", "exim_user", "exim_group")
_PATH = re.compile(r"/[A-Za-z0-9._+/-]+")
_FOLDER = re.compile(rf"dsearch[^{{;\s]*\s*[{{;]\s*({_PATH.pattern})")  # a look-up for which a file is there, or not


class Survey:
    """What exim told of this host. Raises `EximError` where exim cannot be asked or its configuration is broken.

    `lists`: exim's domain lists of its own domains. `lookup(name, type)`: what the authoritative servers say, () =
    nothing there, None = nobody answers. `map_path`: the signing map, by which a transport is known that uses it.
    """

    def __init__(
        self,
        exim: Exim,
        *,
        lookup: outbound.Lookup,
        lists: Sequence[str] = ("local_domains",),
        addresses: Sequence[str] = (),
        map_path: Path | None = None,
        public_half: signing.PublicHalf = half_of,
        source_address: Callable[[int], str | None] = outbound.source_address,
        passing_addresses: Callable[[], frozenset[str]] = outbound.passing_addresses,
    ) -> None:
        self._exim, self._lists, self._addresses = exim, tuple(lists), tuple(addresses)
        self.version, self.config_file = exim.version()
        options, transports, routers = exim.overview(*_MAIN)
        config = exim.config()
        self.hostname = options["primary_hostname"].lower()
        self._visible = exim.macro("DCreadhost") or ""
        self._transports = routing.smtp_transports(transports)
        used = {name: block for name, block in self._transports.items() if block.get("dkim_domain")}
        self._listed, self._routers, self._helo, *lives = exim.ask(
            together(
                naming.listed(self._lists),
                routing.routers(routers, self._transports, self._lists),
                naming.helo([block.get("helo_data", "") for block in self._transports.values()]),
                *(signing.expires(block) for block in used.values()),
            )
        )
        self._reach = routing.reach(self._routers, self._transports)
        lifetimes = dict(zip(used, lives, strict=True))
        self._plain = {
            name: _transport(name, block, self.config_file, map_path, lifetimes.get(name))
            for name, block in self._transports.items()
        }
        self._qualify = options["qualify_domain"]
        self._cutoff = retry_cutoff(config)
        self._reader = signing.reader(options["exim_user"], options["exim_group"], public_half)
        self._sources = outbound.Sources(
            hostname=self.hostname,
            source_address=source_address,
            passing=passing_addresses(),
            lookup=lookup,
            ipv6=options["disable_ipv6"] != "yes" and options["dns_ipv4_lookup"].strip() != "*",
        )
        self._bound: dict[tuple[str, ...], outbound.Outbound] = {}
        self._ways: dict[str, routing.Way] = {}
        self._known: dict[str, bool] = {}
        self._tainted: dict[str, bool] = {}
        self._said: set[Notice] = set()
        self._faults: tuple[Notice, ...] = ()
        self.mark = self._digest(options, transports, routers, config, map_path)

    def names(self, candidates: Iterable[str]) -> tuple[str, ...]:
        """All names to ask about: the candidates, and what exim can name itself. Sorted; names of two labels or more, no name that
        only means this machine."""
        told = (item for text in self._listed.values() if not text.error for item in split(text.text))
        return naming.usable([*candidates, self.hostname, self._qualify, *told, self._visible])

    def local(self, names: Sequence[str]) -> frozenset[str]:
        """Those of the names that exim has, whatever look-up stands behind its lists."""
        self._learn(self._exim.ask(naming.membership(self._unasked(names), self._listed)), names)
        return frozenset(name for name in names if self._known[name])

    def host(self, names: Sequence[str], recipients: Sequence[str] = ()) -> Host:
        """What exim says of these names, each a `MailDomain`, `local` where exim has it. `recipients`: addresses that exim is asked
        whether it takes them, `{domain}` stands for each local domain. A notice is in the first `Host` that it holds for."""
        exim, names = self._exim, tuple(names)
        missing = [name for name in names if name not in self._ways]
        pairs = [(domain, transport) for domain in names for transport in self._reach]
        membership, ways, interfaces, probes = exim.ask(
            together(
                naming.membership(self._unasked(names), self._listed),
                routing.ways(self._routers, self._transports, missing),
                bound(self._transports, () if self._addresses else pairs),
                signing.probe(self._transports, pairs, self._reader),
            )
        )
        self._learn(membership, names)
        self._ways.update(ways)
        through = {domain: self._ways[domain] for domain in names}
        taken = {(d, t): probes[d, t] for d, way in through.items() for t in way.transports if (d, t) in probes}
        probes = signing.mark_tainted(taken, self._transports, self._is_tainted)
        local = [name for name in names if self._known[name]]
        accepts = _accepts(exim, recipients, local)
        out = {domain: self._outbound(domain, way, interfaces) for domain, way in through.items()}
        domains = tuple(
            MailDomain(
                name=domain,
                local=self._known[domain],
                addresses=out[domain].addresses,
                smarthosts=way.relays,
                transports=tuple(self._signed(name, probes.get((domain, name))) for name in way.transports),
                retry_cutoff=self._cutoff,
                accepts=accepts.get(domain, frozenset()),
                problems=tuple(Refusal(p.reason, f"{domain}: {p.sentence}") for p in out[domain].problems),
            )
            for domain, way in through.items()
        )
        helo, dynamic = self._greetings()
        told = dict.fromkeys((*self._faults, *(n for domain in names for n in out[domain].notices), *dynamic))
        notices = tuple(notice for notice in told if notice not in self._said)
        self._said.update(notices)
        return Host(self.hostname, self.version, self.config_file, helo, domains, notices)

    # --- what the parts share -----------------------------------------------------------------------------------------

    def _unasked(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name not in self._known]

    def _learn(self, membership: tuple[frozenset[str], tuple[Notice, ...]], names: Iterable[str]) -> None:
        found, self._faults = membership
        self._known.update({name: name in found for name in self._unasked(names)})

    def _is_tainted(self, transport: str, domain: str) -> bool:
        if transport not in self._tainted:
            self._tainted[transport] = signing.is_tainted(self._exim, self._transports[transport], domain)
        return self._tainted[transport]

    def _outbound(
        self, domain: str, way: routing.Way, interfaces: Mapping[tuple[str, str], str | Refusal]
    ) -> outbound.Outbound:
        """The addresses that the domain's mail leaves from; none where a relay takes all of it."""
        if not way.direct:
            return outbound.Outbound()
        if self._addresses:
            return outbound.explicit(self._addresses)
        return leaving(interfaces, domain, way.transports, lambda texts: self._out(texts))

    def _out(self, interfaces: tuple[str, ...]) -> outbound.Outbound:
        if interfaces not in self._bound:
            self._bound[interfaces] = outbound.outbound(interfaces, self._sources)
        return self._bound[interfaces]

    def _signed(self, name: str, probe: signing.Probe | None) -> Transport:
        plain = self._plain[name]
        return plain if probe is None else replace(plain, signers=probe.signers, problem=probe.problem)

    def _greetings(self) -> tuple[tuple[str, ...], tuple[Notice, ...]]:
        """The names that exim greets other hosts with, over the transports that mail of its domains leaves through: of all of them,
        also where only some are asked about in full."""
        local = [name for name, known in self._known.items() if known]
        if not local:
            return naming.greetings({"$primary_hostname"}, self._helo, self.hostname)
        texts = {self._transports[name].get("helo_data", "") for name in self._reach}
        if len(texts) > 1:
            missing = [name for name in local if name not in self._ways]
            self._ways.update(self._exim.ask(routing.ways(self._routers, self._transports, missing)))
            used = {transport for name in local for transport in self._ways[name].transports}
            texts = {self._transports[name].get("helo_data", "") for name in used}
        return naming.greetings(texts or {"$primary_hostname"}, self._helo, self.hostname)

    def _digest(
        self,
        options: Mapping[str, str],
        transports: Mapping[str, Mapping[str, str]],
        routers: Mapping[str, Mapping[str, str]],
        config: str,
        map_path: Path | None,
    ) -> str:
        """A digest of all that what exim says of a domain rests on, but for the map and the keys: the configuration, its macros, the
        lists as they stand, the files that it names, the folders that it looks into, whom exim runs as, and this host's own addresses."""
        told = (
            *(self.version, self.config_file, options, transports, routers, config, self._visible),
            *(self._lists, self._listed, self._routers, self._helo, self._plain),
            *(self._reader.uid, self._reader.gid, self._addresses),
            () if self._addresses else (self._sources.hostname, self._sources.ipv6, sorted(self._sources.passing)),
            () if self._addresses else self._out(("",)),
            tuple(_files(config, self.config_file, map_path)),
        )
        return hashlib.sha256(repr(told).encode("utf-8", "surrogateescape")).hexdigest()


def _files(config: str, config_file: str, map_path: Path | None) -> Iterator[tuple[object, ...]]:
    """How each file looks that the configuration names, each folder of which it asks what is in it, and the configuration itself: that is looked
    up when mail leaves.
    The signing map is left out: it is ours, and read by itself."""
    ours, folders = str(map_path), {*_FOLDER.findall(config)}
    for path in sorted({*_PATH.findall(config), config_file}):
        if path == ours:
            continue
        try:
            info = Path(path).stat()
        except OSError:
            continue
        if stat.S_ISREG(info.st_mode) or path in folders:
            yield path, info[:7], info.st_mtime_ns, info.st_ctime_ns  # mode, inode, owner, size, and both times


def _transport(
    name: str, options: Mapping[str, str], config_file: str, map_path: Path | None, expires: int | None
) -> Transport:
    shown = signing.shown(options)
    return Transport(
        name=name,
        options=shown,
        takes_macros=takes_macros(config_file, name),
        uses_map=map_path is not None and any(str(map_path) in text for text in shown.values()),
        expires=expires,
    )


def _accepts(exim: Exim, recipients: Sequence[str], local: Sequence[str]) -> dict[str, frozenset[str]]:
    """Per local domain the asked addresses in it that exim takes."""
    names = set(local)
    fixed = {text.lower() for text in recipients if "{domain}" not in text}
    asked = {text.replace("{domain}", domain).lower() for text in recipients if "{domain}" in text for domain in local}
    good = exim.verifies(address for address in sorted(fixed | asked) if address.rpartition("@")[2] in names)
    found: dict[str, set[str]] = {}
    for address in good:
        found.setdefault(address.rpartition("@")[2], set()).add(address)
    return {domain: frozenset(taken) for domain, taken in found.items()}
