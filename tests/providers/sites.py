"""Every provider of ours with a zone of everything behind it, and a way to that zone that does not lead through the provider."""

from __future__ import annotations

import contextlib
import functools
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dns.exception
import dns.query
import dns.rdata
import dns.tsigkeyring
import dns.update
import pytest
from dnssync_providers import gandi as gandi_provider
from dnssync_providers import rfc2136
from octodns_gandi import GandiProvider

from dnssync.config import ProviderConfig
from dnssync.core.model import Provider
from dnssync.plugins import build
from tests.between import DNS, HTTP, Between
from tests.bind import Bind
from tests.desec import Desec
from tests.gandi import Gandi, Switches
from tests.gandi_values import TYPES as GANDI_TYPES
from tests.hetzner import Hetzner
from tests.knot import Knot
from tests.powerdns import PowerDns
from tests.providers import conformance
from tests.providers.conformance import ZONE, Everything
from tests.providers.site_cloudflare import at_cloudflare
from tests.providers.site_desec import AtDesec, at_desec
from tests.providers.site_hetzner import AtHetzner, at_hetzner
from tests.providers.site_ovh import at_ovh
from tests.providers.site_powerdns import AtPowerDns, AtPowerDnsApi, HalfDisabled, at_powerdns_api
from tests.providers.sites_behind import POINTING, Behind
from tests.providers.sites_here import InAFile, InMemory, parted, short
from tests.providers.sites_http import AtStandIn, Rows, rows
from tests.stand_in import StandIn
from tests.zone_of_everything import master

READER, PARTLY = "reader", "partly"  # keys that may transfer; the second one may also change `_dmarc`
POLICY = f"grant dnssync zonesub ANY; grant {PARTLY} name _dmarc.{ZONE} ANY;"
MORE_KEYS = "".join(f'key "{key}" {{ algorithm hmac-sha256; secret "{Bind.secret}"; }};\n' for key in (READER, PARTLY))
# Types that Knot 3.2 has no names for.
NAMELESS = [
    "A6",
    "AMTRELAY",
    "ATMA",
    "AVC",
    "DLV",
    "DOA",
    "EID",
    "GPOS",
    "HIP",
    "ISDN",
    "MB",
    "MG",
    "MR",
    "NIMLOC",
    "NINFO",
    "NSAP",
    "NSAP-PTR",
    "NXT",
    "PX",
    "RKEY",
    "SIG",
    "SINK",
    "TA",
    "TALINK",
    "WKS",
    "X25",
]
HARD = """hard IN TXT "a\\"b" "c"
hard IN TXT "x\\\\y"
hard IN TXT "\\255"
hard IN TXT "one" "two"
hard IN TXT "a; b"
hard IN TXT "q\\\\;r"
lengthy IN TXT "{0}" "{0}"
""".format("z" * 200)
POWERDNS_ZONE = f"""@ 300 IN TXT "site-verification=abc"
@ 300 IN TXT "v=spf10 is not SPF; really"
@ 300 IN MX 10 mail
t-cname IN CNAME www.elsewhere.test.
* IN TXT "a wildcard"
_x._tcp IN SRV 0 0 5060 sip
_443._tcp IN TLSA 3 1 1 92003ba34942dc74152e2f2c408d29eca5a520e7f2e06bb944f4dca346baf63c
under IN NS ns1.under
ns1.under IN A 192.0.2.53
mixed.case IN A 192.0.2.9
t-txt 616 IN TXT "a \\"hard\\" one"
t-txt 616 IN TXT "a; b" "c\\\\d"
caa IN CAA 0 issue "ca.example.net; policy=ev"
{HARD}"""


def everything_for_a_plugin(zone: str) -> str:
    """The zone of everything, but for texts at the apex that no plug-in of octodns' could carry; hard ones stand elsewhere."""
    text = re.sub(r'(?m)^@ 300 IN TXT ("site.*" "def"|"semi.*)\n', "", master(zone)) + HARD
    return text.replace('-all" "second"', '-all"')


class InNamed(Behind):
    """A real named; past the provider it is read by a transfer of the test's own and written by updates of its own."""

    kind = "rfc2136"

    secret = Bind.secret

    def __init__(self, bind: Bind, between: Between) -> None:
        self.bind = bind
        super().__init__(between)

    def make(self, **options: Any) -> Provider:
        """Dynamic update."""
        return rfc2136.Provider("bind", **{**self.bind.options(), "port": self.between.port, **options})

    def everything(self) -> Everything:
        """The zone by AXFR, octet for octet; what points into its message is asked for alone, where all messages are alike."""
        asked = {}
        for (name, kind), (ttl, values) in self.transferred().items():
            if kind in POINTING:
                values = frozenset(text.encode() for text in self.bind.ask(f"{name}.{ZONE}", kind))
            asked[name, kind] = (ttl, values)
        return asked

    def transferred(self) -> Everything:
        """The same by AXFR alone."""
        return {(short(name), kind): both for (name, kind), both in self.bind.transfer(ZONE).items()}

    def stranger(self, line: str) -> None:
        """Somebody else sends an update."""
        sign, name, rest = parted(line)
        update = dns.update.UpdateMessage(ZONE, keyring=dns.tsigkeyring.from_text({Bind.key_name: Bind.secret}))
        if sign == "-":
            update.delete(name, rest[0])
        else:
            update.add(name, *rest)
        assert dns.query.tcp(update, "127.0.0.1", port=self.bind.port, timeout=5).rcode() == 0


class InKnot(InNamed):
    """A real knotd, with the same provider."""

    kind = "knot"


class PluginInNamed(InNamed):
    """octodns-bind before the same server."""

    kind = "octodns_bind"

    def make(self, **options: Any) -> Provider:
        """octodns' plug-in."""
        return made("octodns_bind.Rfc2136Provider", {**self.bind.options(), "port": self.between.port, **options})


class PluginInPowerDns(Behind):
    """octodns-powerdns before a real PowerDNS; past the plug-in it is read by a transfer, and written through its API."""

    kind = "octodns_powerdns"

    secret = PowerDns.api_key

    def __init__(self, pdns: PowerDns, between: Between) -> None:
        self.pdns = pdns
        super().__init__(between)

    def make(self, **options: Any) -> Provider:
        """octodns' plug-in."""
        return made("octodns_powerdns.PowerDnsProvider", {**self.pdns.options(), "port": self.between.port, **options})

    def everything(self) -> Everything:
        """The zone by AXFR."""
        return {(short(name), kind): both for (name, kind), both in self.pdns.transfer(ZONE).items()}

    def stranger(self, line: str) -> None:
        """Somebody else uses the API."""
        sign, name, rest = parted(line)
        if sign == "-":
            self.pdns.patch(ZONE, name, rest[0], 300, [])
            return
        ttl, old = self.everything().get((short(name.replace("@", "")), rest[1]), (int(rest[0]), frozenset()))
        kept = ['"' + conformance.text_of(value) + '"' for value in sorted(old)]
        self.pdns.patch(ZONE, name, rest[1], ttl, [(value, False) for value in [*kept, rest[2]]])


class AtGandi(AtStandIn):
    """The stand-in for Gandi. Types that Gandi does not know are not there."""

    kind = "gandi"
    plugin = gandi_provider.Provider


class Here(GandiProvider):  # type: ignore[misc]
    """octodns-gandi, sent to the stand-in: it has no option for that."""

    def __init__(self, id: str, endpoint: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(id, *args, **kwargs)
        self._client.endpoint = endpoint


class PluginAtGandi(AtGandi):
    """octodns-gandi before the stand-in."""

    kind = "octodns_gandi"

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__(stand_in)
        self.words = ("provider theirs", "at theirs")

    def make(self, **options: Any) -> Provider:
        """octodns' plug-in."""
        return made(f"{__name__}.Here", {**self.options(), "endpoint": self.stand_in.endpoint, **options})


def made(kind: str, options: Mapping[str, Any]) -> Provider:
    """A provider as a configuration makes it."""
    providers, mistakes = build({"theirs": ProviderConfig("theirs", kind, dict(options))}, lambda text: text)
    assert mistakes == []
    return providers["theirs"]


def at_gandi(folder: Path, more: str) -> Rows:
    """The zone of everything as far as Gandi has the types; it answers neither SOA nor the default NS."""
    return rows(folder, more, GANDI_TYPES, spelled=True)


Site = InAFile | InMemory | InNamed | PluginInPowerDns | AtPowerDns | AtStandIn
Servers = Any  # a cached function: kind → server
# The server behind a site, which the rows of a table share; what stands between is each row's own.
SERVERS: dict[str, Callable[[Path, str], Bind | PowerDns]] = {
    "knot": lambda folder, more: _knotd(folder, master(ZONE) + more),
    "rfc2136": lambda folder, more: _named(folder, master(ZONE) + more),
    "octodns_bind": lambda folder, more: _named(folder, everything_for_a_plugin(ZONE) + more),
    "octodns_powerdns": lambda folder, more: PowerDns(folder, {ZONE: POWERDNS_ZONE + more}),
    "powerdns": lambda folder, more: HalfDisabled(folder, more, "gsqlite3"),
    "powerdns_lmdb": lambda folder, more: HalfDisabled(folder, more, "lmdb"),
}
MARKS = {"knot": "knot", "rfc2136": "bind", "octodns_bind": "bind", "octodns_powerdns": "powerdns", "powerdns": "powerdns",
         "powerdns_lmdb": "powerdns"}  # fmt: skip


@contextlib.contextmanager
def fresh_after_a_failure(running: Servers) -> Iterator[None]:
    """A row that fails may leave its zone in disorder, which is not to fail the next one."""
    try:
        yield
    except BaseException:
        running.cache_clear()
        raise


def marked(*kinds: str) -> list[Any]:
    """Kinds as parameters of a test, with what they need."""
    return [pytest.param(kind, marks=[getattr(pytest.mark, MARKS[kind])] if kind in MARKS else []) for kind in kinds]


def _named(folder: Path, text: str) -> Bind:
    transfer = " ".join(f"key {key};" for key in (Bind.key_name, READER, PARTLY))
    return Bind(folder, {ZONE: text}, policy=POLICY, transfer=transfer, extra=MORE_KEYS)


def _knotd(folder: Path, text: str) -> Knot:
    return Knot(folder, {ZONE: by_number(text)}, readers=(READER,), partly=(PARTLY, f"_dmarc.{ZONE}."))


def by_number(text: str) -> str:
    """A master file with the records whose types Knot has no names for in the form of RFC 3597, which named's own tool writes."""
    lines = []
    for line in text.splitlines():
        found = re.fullmatch(r"(\S+ (?:\d+ )?IN) (\S+) (.*)", line)
        if found and found[2] in NAMELESS:
            argv = ["named-rrchecker", "-u", "-o", f"{ZONE}."]
            told = subprocess.run(argv, input=f"IN {found[2]} {found[3]}\n", capture_output=True, check=True, text=True)
            line = " ".join([found[1], *told.stdout.split()[1:]])
        lines.append(line)
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """A server of a kind for many rows, started when it is first asked for: each row leaves its zone as it was, or clears the
    cache."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def server(kind: str) -> Bind | PowerDns:
            return stack.enter_context(SERVERS[kind](Path(tempfile.mkdtemp(dir=folder)) / "server", ""))

        yield server


@contextlib.contextmanager
def behind(kind: str, server: Bind | PowerDns) -> Iterator[Site]:
    """A site before a server that runs."""
    if isinstance(server, Bind):
        with Between(server.port, DNS) as between:
            yield {"knot": InKnot, "rfc2136": InNamed}.get(kind, PluginInNamed)(server, between)
    else:
        with Between(server.api_port, HTTP) as between:
            yield (AtPowerDns if isinstance(server, HalfDisabled) else PluginInPowerDns)(server, between)


@contextlib.contextmanager
def before(stand_in: StandIn, site: Callable[[Any], Site]) -> Iterator[Site]:
    """A site before a stand-in of its own."""
    with stand_in as running:
        yield site(running)


# A site that needs no server, with a zone of everything and `more` lines in it. Gandi cuts long texts somewhere: where it does is not known.
# octodns-gandi writes in two steps, which it says of itself: `conformance` asserts that.
ALONE: dict[str, Callable[[Path, str], contextlib.AbstractContextManager[Site]]] = {
    "memory": lambda folder, more: contextlib.nullcontext(InMemory(folder, more)),
    "zonefile": lambda folder, more: contextlib.nullcontext(InAFile(folder, more)),
    "gandi": lambda folder, more: before(Gandi({ZONE: at_gandi(folder, more)}, Switches(cut=255)), AtGandi),
    "gandi150": lambda folder, more: before(Gandi({ZONE: at_gandi(folder, more)}, Switches(cut=150)), AtGandi),
    "octodns_gandi": lambda folder, more: before(Gandi({ZONE: at_gandi(folder, more)}, gapless=False), PluginAtGandi),
    "cloudflare": at_cloudflare,
    "ovh": at_ovh,
    "desec": lambda folder, more: before(Desec({ZONE: at_desec(folder, more)}), AtDesec),
    "hetzner": lambda folder, more: before(Hetzner({ZONE: at_hetzner(folder, more)}), AtHetzner),
    "powerdns_single": lambda folder, more: before(at_powerdns_api(folder, more), AtPowerDnsApi),
}


@contextlib.contextmanager
def alone(kind: str, folder: Path, more: str = "") -> Iterator[Site]:
    """A site with a zone of its own, with `more` lines in it."""
    if kind in SERVERS:
        with SERVERS[kind](folder / "server", more) as server, behind(kind, server) as site:
            yield site
    else:
        with ALONE[kind](folder, more) as site:
            yield site


KINDS = (*ALONE, *SERVERS)
