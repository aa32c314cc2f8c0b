"""Every provider that can be read passes the one table: in memory, a zone file, and dynamic update of a real named."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dns.name
import dns.query
import dns.rdata
import dns.tsigkeyring
import dns.update
import pytest
from dnssync_providers import gandi as gandi_provider
from dnssync_providers import memory, rfc2136, zonefile

from dnssync.core.model import RRset, Value
from tests.bind import Bind
from tests.gandi import Gandi, Switches
from tests.gandi_values import TYPES as GANDI_TYPES
from tests.gandi_values import shown
from tests.providers import conformance
from tests.providers.conformance import STRANGERS, TABLE, ZONE, Everything, Row, Site
from tests.zone_of_everything import master

TEXTS = ("TXT", "SPF")
KINDS = ["memory", "zonefile", "gandi", "gandi150", pytest.param("rfc2136", marks=pytest.mark.bind)]
POINTING = (
    "MB",
    "MG",
    "MR",
    "MINFO",
)  # named points inside the message for their names (RFC 3597 §4), dnspython does not follow


def wire(kind: str, text: str) -> bytes:
    """The wire form of a TXT or SPF value in zone-file form, by dnspython; the words of anything else."""
    return (dns.rdata.from_text("IN", kind, text).to_wire() or b"") if kind in TEXTS else text.encode()


class InAFile:
    """A zone file; past the provider it is read by named-compilezone."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.file = folder / f"{ZONE}.zone"
        self.file.write_text(master(ZONE) + more)
        self.provider = zonefile.Provider("file", directory=str(folder), file_extension=".zone")

    def everything(self) -> Everything:
        """The zone as named would load it."""
        argv = ["named-compilezone", "-q", "-k", "ignore", "-i", "none", "-s", "full", "-o", "-", ZONE, str(self.file)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        found: dict[tuple[str, str], tuple[int, set[bytes]]] = {}
        for line in done.stdout.splitlines():
            name, ttl, kind, data = re.fullmatch(r"(\S+)\s+(\d+)\s+IN\s+(\S+)\s*(.*)", line).groups()
            if kind != "SOA":
                key = (name.lower().removesuffix(".").removesuffix(ZONE).removesuffix("."), kind)
                found.setdefault(key, (int(ttl), set()))[1].add(wire(kind, data))
        return {key: (ttl, frozenset(values)) for key, (ttl, values) in found.items()}

    def stranger(self, line: str) -> None:
        """Somebody edits the file."""
        sign, name, *rest = line.split(maxsplit=4 if line[0] == "+" else 2)
        text = self.file.read_text()
        if sign == "-":
            text = "".join(
                each for each in text.splitlines(keepends=True) if not re.match(rf"{name} \d+ IN {rest[0]} ", each)
            )
        else:
            text += f"{name}\t{rest[0]} IN {rest[1]} {rest[2]}\n"
        self.file.write_text(text)


class InMemory:
    """The provider that keeps nothing; what it starts from is what the zone file's reader shows."""

    def __init__(self, folder: Path, more: str = "") -> None:
        rrsets = InAFile(folder, more).provider.read(ZONE)
        self.provider = memory.Provider("memory", {ZONE: rrsets})

    def everything(self) -> Everything:
        """What the provider holds."""
        return {
            key: (rrset.ttl, frozenset(wire(key[1], value.raw) for value in rrset.values))
            for key, rrset in self.provider.zones[ZONE].items() if key != ("", "SOA")
        }  # fmt: skip

    def stranger(self, line: str) -> None:
        """Somebody else holds the same dictionary."""
        sign, name, *rest = line.split(maxsplit=4 if line[0] == "+" else 2)
        name = "" if name == "@" else name
        if sign == "-":
            del self.provider.zones[ZONE][name, rest[0]]
            return
        old = self.provider.zones[ZONE].get((name, rest[1]), RRset(name, rest[1], int(rest[0]), ()))
        value = Value(conformance.text_of(wire(rest[1], rest[2])), rest[2])
        self.provider.zones[ZONE][name, rest[1]] = RRset(name, rest[1], old.ttl, (*old.values, value))


class InNamed:
    """A real named; past the provider it is read by a transfer of the test's own and written by updates of its own."""

    def __init__(self, bind: Bind) -> None:
        self.bind = bind
        self.provider = rfc2136.Provider("bind", **bind.options())

    def everything(self) -> Everything:
        """The zone by AXFR, octet for octet; what points into its message is asked for alone, where all messages are alike."""
        found = {}
        for (name, kind), (ttl, values) in self.bind.transfer(ZONE).items():
            if kind in POINTING:
                values = frozenset(text.encode() for text in self.bind.ask(name, kind))
            found[name.lower().removesuffix(".").removesuffix(ZONE).removesuffix("."), kind] = (ttl, values)
        return found

    def stranger(self, line: str) -> None:
        """Somebody else sends an update."""
        sign, name, *rest = line.split(maxsplit=4 if line[0] == "+" else 2)
        update = dns.update.UpdateMessage(ZONE, keyring=dns.tsigkeyring.from_text({Bind.key_name: Bind.secret}))
        if sign == "-":
            update.delete(name, rest[0])
        else:
            update.add(name, *rest)
        assert dns.query.tcp(update, "127.0.0.1", port=self.bind.port, timeout=5).rcode() == 0


class AtGandi:
    """The stand-in for Gandi; past the provider its memory is looked at. Types that Gandi does not know are not there, and so
    much time passes between a reading and a write that the provider looks again."""

    def __init__(self, gandi: Gandi) -> None:
        self.gandi, self.time = gandi, 0.0
        self.provider = gandi_provider.Provider("gandi", token=gandi.token, endpoint=gandi.endpoint, now=self.now)

    def now(self) -> float:
        """A clock that has moved on whenever it is looked at."""
        self.time += 60
        return self.time

    def everything(self) -> Everything:
        """What the stand-in holds."""
        return {
            ("" if name == "@" else name, kind): (ttl, frozenset(strings(v) if kind in TEXTS else v for v in values))
            for (name, kind), (ttl, values) in self.gandi.values(ZONE).items()
        }

    def stranger(self, line: str) -> None:
        """Somebody uses the web form."""
        sign, name, *rest = line.split(maxsplit=4 if line[0] == "+" else 2)
        if sign == "-":
            self.gandi.put(ZONE, name, rest[0], 300, [])
            return
        ttl, values = self.gandi.values(ZONE).get((name, rest[1]), (int(rest[0]), frozenset()))
        kept = [shown(rest[1], value, 255, True) for value in sorted(values)]
        self.gandi.put(ZONE, name, rest[1], ttl, [*kept, rest[2]])


def strings(octets: bytes) -> bytes:
    """A text as it goes over the wire, cut at 255 octets."""
    pieces = [octets[at : at + 255] for at in range(0, len(octets), 255)] or [b""]
    return b"".join(bytes([len(piece)]) + piece for piece in pieces)


def rows(folder: Path, more: str = "") -> list[tuple[str, str, int, list[str]]]:
    """The zone of everything as far as Gandi has the types; it answers neither SOA nor the default NS."""
    return [
        (rrset.name or "@", rrset.type, rrset.ttl, [value.raw for value in rrset.values])
        for rrset in InAFile(folder, more).provider.read(ZONE)
        if rrset.type in GANDI_TYPES and rrset.key not in (("", "SOA"), ("", "NS"))
    ]


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    """One named for the rows of the table: each of them leaves its zone as it was."""
    with Bind(tmp_path_factory.mktemp("named") / "bind", {ZONE: master(ZONE)}) as running:
        yield running


@pytest.fixture(params=KINDS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A provider with a zone of everything behind it, for rows that leave it as it was."""
    if request.param == "rfc2136":
        yield InNamed(request.getfixturevalue("named"))
    else:
        with alone(request.param, tmp_path) as made:
            yield made


@contextlib.contextmanager
def alone(kind: str, folder: Path, more: str = "") -> Iterator[Site]:
    """A site with a zone of its own, with `more` lines in it. Gandi cuts long texts somewhere: where it does is not known."""
    if kind.startswith("gandi"):
        with Gandi({ZONE: rows(folder, more)}, Switches(cut=int(kind[5:] or 255))) as running:
            yield AtGandi(running)
    elif kind == "rfc2136":
        with Bind(folder / "bind", {ZONE: master(ZONE) + more}) as running:
            yield InNamed(running)
    else:
        yield {"memory": InMemory, "zonefile": InAFile}[kind](folder, more)


@pytest.fixture(params=KINDS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """The same with a zone of its own."""
    with alone(request.param, tmp_path) as made:
        yield made


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.title)
def test_table(site: Site, row: Row) -> None:
    """After each step a read shows what was wanted, strangers' records are the same octets, and nothing is left to do."""
    conformance.run(site, row)


@pytest.mark.parametrize(("stranger", "step"), STRANGERS)
def test_stale(fresh: Site, stranger: list[str], step: conformance.Step) -> None:
    """An edit by somebody else between our read and our write fails the write whole."""
    conformance.refuses_stale(fresh, stranger, step)


@pytest.mark.parametrize("kind", KINDS)
def test_two_thousand_records(kind: str, tmp_path: Path) -> None:
    """A large zone is read whole and changed as a small one is."""
    hosts = "".join(f"big{number}.{ZONE}. 3600 IN A 192.0.2.1\n" for number in range(1000))
    texts = "".join(f'bigt{number}.{ZONE}. 3600 IN TXT "{number}" "x"\n' for number in range(1000))
    with alone(kind, tmp_path, hosts + texts) as site:
        assert sum(rrset.name.startswith("big") for rrset in site.provider.read(ZONE)) == 2000
        conformance.run(site, next(row for row in TABLE if row.title.startswith("everything of a domain")))


def test_cname(site: Site) -> None:
    """Nothing is put beside a CNAME."""
    conformance.refuses_beside_a_cname(site)


def test_unknown_zone(site: Site) -> None:
    """A zone that is not there is an error, never an empty one."""
    conformance.refuses_an_unknown_zone(site)


def test_nothing_to_do(site: Site) -> None:
    """An empty list of changes writes nothing."""
    before = site.everything()
    assert site.provider.write(ZONE, []) == ()
    assert site.everything() == before
