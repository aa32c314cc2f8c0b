"""Our providers in octodns' hands: the real octodns-sync as a process, a real named and a master file behind them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dnssync_providers import octodns
from octodns.processor.base import BaseProcessor
from octodns.provider import ProviderException
from octodns.record import Record
from octodns.zone import Zone

from tests.bind import Bind
from tests.octodns_sync import Octodns
from tests.providers import conformance
from tests.providers.sites import alone, marked
from tests.providers.sites_http import AtStandIn
from tests.zone_of_everything import master

ZONE = "example.org"
# octodns' own files cannot say an empty text, and named points into its message in MB, MG, MR and MINFO.
EVERYTHING = re.sub(r'(?m)^(t-txt 616 IN TXT ""|t-(mb|mg|mr|minfo) .*)\n', "", master(ZONE))
Everything = dict[tuple[str, str], tuple[int, frozenset[bytes]]]


def octodns_at(folder: Path, target: dict[str, object]) -> Octodns:
    """octodns with its own source of records and one target."""
    made = Octodns(folder, {})
    made.config = {
        "providers": {"files": made.yaml, "ours": target},
        "zones": {f"{ZONE}.": {"sources": ["files"], "targets": ["ours"], "lenient": True}},
    }
    return made


def dumped(made: Octodns) -> dict[str, object]:
    """Every record that octodns reads through our provider."""
    code, out = made.run("octodns-dump", "--output-dir", str(made.folder / "zones"), "--lenient", f"{ZONE}.", "ours")
    assert code == 0, out
    return dict(yaml.safe_load((made.folder / "zones" / f"{ZONE}.yaml").read_text()))


def keys(before: Everything, after: Everything) -> set[tuple[str, str]]:
    """What differs, as (name relative to the zone, type)."""
    return {(n.lower().removesuffix(f"{ZONE}.").removesuffix("."), k) for n, k in {**before, **after}
            if before.get((n, k)) != after.get((n, k))}  # fmt: skip


def exercise(made: Octodns, everything: Callable[[], Everything]) -> None:
    """Dumped, nothing is left to do; then records of several types change, and nothing else does by a single octet."""
    before = everything()
    records = dumped(made)
    made.records(ZONE, records)
    assert made.quiet()
    assert everything() == before

    texts = records["t-txt"]
    texts["values"] = [*(t for t in texts["values"] if t != "v=spf10 is not SPF"), "ours\\; new"]  # type: ignore[index]
    records["t-mx"]["values"][0]["preference"] = 20  # type: ignore[index]
    records["t-aaaa"]["ttl"] = 1234  # type: ignore[index]
    del records["t-spf"]
    records["new"] = [{"type": "A", "ttl": 300, "value": "192.0.2.77"}, {"type": "TXT", "ttl": 300, "value": "k" * 400}]
    records["t-cname"] = {"type": "A", "ttl": 300, "value": "192.0.2.78"}
    records["t-a"] = {"type": "CNAME", "ttl": 300, "value": "www.elsewhere.test."}
    made.records(ZONE, records)
    made.sync("--doit", "--force")
    after = everything()
    assert keys(before, after) == {("t-txt", "TXT"), ("t-mx", "MX"), ("t-aaaa", "AAAA"), ("t-spf", "SPF"), ("new", "A"), ("new", "TXT"),
                                   ("t-cname", "CNAME"), ("t-cname", "A"), ("t-a", "A"), ("t-a", "CNAME")}  # fmt: skip
    old, new = before[f"t-txt.{ZONE}.", "TXT"], after[f"t-txt.{ZONE}.", "TXT"]
    assert old[1] - new[1] == {b"\x12v=spf10 is not SPF"} and new[1] - old[1] == {b"\x09ours; new"} and old[0] == new[0]
    assert after[f"new.{ZONE}.", "TXT"] == (300, frozenset({b"\xff" + b"k" * 255 + b"\x91" + b"k" * 145}))
    assert made.quiet()


@pytest.mark.bind
def test_named_by_octodns_sync(tmp_path: Path) -> None:
    """rfc2136: strangers' texts of every kind come back octet for octet, beside values that octodns adds and takes out."""
    with Bind(tmp_path / "bind", {ZONE: EVERYTHING}) as bind:
        target = {"class": "dnssync_providers.octodns.Rfc2136Provider", **bind.options()}
        exercise(octodns_at(tmp_path / "octodns", target), lambda: bind.transfer(ZONE))


@pytest.mark.bind
def test_zone_file_by_octodns_sync(tmp_path: Path) -> None:
    """zonefile: the file is edited in place, and comments stay."""
    (tmp_path / f"{ZONE}.zone").write_text("; the administrator's\n" + EVERYTHING)
    target = {
        "class": "dnssync_providers.octodns.ZoneFileProvider",
        "directory": str(tmp_path),
        "file_extension": ".zone",
    }

    def loaded() -> Everything:
        text = (tmp_path / f"{ZONE}.zone").read_text()
        assert "; the administrator's" in text and "; serial" in text
        with Bind(tmp_path / "bind", {ZONE: text}) as bind:
            return bind.transfer(ZONE)

    exercise(octodns_at(tmp_path / "octodns", target), loaded)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A small zone in a file."""
    path = tmp_path / f"{ZONE}.zone"
    path.write_text("$TTL 300\n@ IN SOA ns me 1 2 3 4 5\n@ IN NS ns\nns IN A 192.0.2.1\n@ IN TXT \"a\" \"b\"\n@ IN TXT \"ours\"\n")  # fmt: skip
    return path


def ours(path: Path, **options: object) -> octodns.ZoneFileProvider:
    """Our provider, as octodns makes it."""
    return octodns.ZoneFileProvider("ours", file=str(path), **options)


def wanted(*records: tuple[str, dict[str, object]]) -> Zone:
    """A zone of octodns' with the apex TXT `"a" "b"` and these records."""
    zone = Zone(f"{ZONE}.", [])
    for name, data in (("", {"type": "TXT", "ttl": 300, "values": ["ab", "changed"]}), *records):
        zone.add_record(Record.new(zone, name, data))
    return zone


def test_compare_and_swap(file: Path) -> None:
    """What somebody changes between octodns' plan and its apply stops the apply; nothing is written."""
    provider = ours(file)
    plan = provider.plan(wanted())
    file.write_text(file.read_text().replace('"ours"', '"a stranger\'s"'))
    text = file.read_text()
    with pytest.raises(ProviderException, match=rf"{ZONE} TXT .* was changed between our read and our write"):
        provider.apply(plan)
    assert file.read_text() == text
    provider.apply(provider.plan(wanted()))
    assert '"a" "b"' in file.read_text() and "changed" in file.read_text()


def test_no_zone_is_made(tmp_path: Path) -> None:
    """A zone that is not there is an error, whatever octodns wants in it."""
    with pytest.raises(ProviderException, match="cannot be read"):
        ours(tmp_path / "none.zone").plan(wanted())
    assert list(tmp_path.iterdir()) == []


class Adder(BaseProcessor):  # type: ignore[misc]
    """Somebody's processor: it puts in a record of its own, after octodns looked at those of the sources."""

    def __init__(self, id: str, name: str, data: dict[str, object]) -> None:
        super().__init__(id)
        self.record = name, data

    def process_source_and_target_zones(self, desired: Any, existing: Any, target: Any, lenient: bool = False) -> Any:
        """octodns' hook."""
        record = Record.new(desired, *self.record)
        if record._type == "TXT":
            record.values = ['"in" quotes']  # as they stand
        desired.add_record(record, replace=True)
        return desired, existing


class Hider(BaseProcessor):  # type: ignore[misc]
    """Somebody's processor: octodns sees nothing of the target's records at one name."""

    def process_target_zone(self, existing: Any, target: Any, lenient: bool = False) -> Any:
        """octodns' hook."""
        for record in existing.get("x"):
            existing.remove_record(record)
        return existing


def test_nothing_unseen_is_written_over(file: Path) -> None:
    """A record that a processor hides is not in octodns' plan: it is not replaced."""
    text = file.read_text() + 'x IN TXT "hidden"\n'
    file.write_text(text)
    provider = ours(file)
    with pytest.raises(ProviderException, match=rf"x\.{ZONE}\. TXT stands there, and octodns' plan does not know it"):
        provider.apply(provider.plan(wanted(("x", {"type": "TXT", "ttl": 300, "value": "new"})), [Hider("hider")]))
    assert file.read_text() == text


def test_what_octodns_cannot_read(file: Path) -> None:
    """It is left as it is, neither deleted nor written over; who reads without `lenient` is told its name."""
    text = file.read_text() + 'y IN HTTPS 1 . dohpath="/q{?dns}"\n'
    file.write_text(text)
    provider = ours(file)
    plan = provider.plan(wanted())
    assert "y" not in {change.record.name for change in plan.changes}
    provider.apply(plan)
    assert file.read_text().endswith(text.splitlines()[-1] + "\n")
    wish = {"type": "HTTPS", "ttl": 300, "value": {"svcpriority": 1, "targetname": "."}}
    with pytest.raises(ProviderException, match=r"y\S* HTTPS stands there"):
        provider.apply(provider.plan(wanted(("y", wish))))

    zone = Zone(f"{ZONE}.", [])
    with pytest.raises(ProviderException, match=rf"y\.{ZONE} HTTPS at ours cannot be read by octodns \(.*dohpath"):
        provider.populate(zone)
    zone = Zone(f"{ZONE}.", [])
    provider.populate(zone, lenient=True)
    assert zone.get_type("", "TXT") is not None and zone.get_type("y", "HTTPS") is None


@pytest.mark.parametrize("sizes", ["", " 20m", " 1m 10000m 10m", " 20m 2000m 20m"])
def test_a_place_without_its_size(file: Path, sizes: str) -> None:
    """A LOC record with the sizes that its form may leave out is read with them, and stays as it is where octodns agrees."""
    file.write_text(file.read_text() + f"x IN LOC 60 9 0.000 N 24 39 0.000 E 10.00m{sizes}\n")
    provider, zone = ours(file), Zone(f"{ZONE}.", [])
    provider.populate(zone)
    [value] = zone.get_type("x", "LOC").values
    given = [float(word.rstrip("m")) for word in sizes.split()]
    assert [value.size, value.precision_horz, value.precision_vert] == [*given, *[1.0, 10000.0, 10.0][len(given) :]]
    same, moved = ({"type": "LOC", "ttl": 300, "value": {**value, "altitude": height}} for height in (10, 11))
    assert "x" not in {change.record.name for change in provider.plan(wanted(("x", same))).changes}
    provider.apply(provider.plan(wanted(("x", moved))))
    zone = Zone(f"{ZONE}.", [])
    provider.populate(zone)
    assert [{**place} for place in zone.get_type("x", "LOC").values] == [{**value, "altitude": 11}]


ALIAS = {"type": "CNAME", "ttl": 300, "value": "www.elsewhere.test."}
ADDRESS = {"type": "A", "ttl": 300, "value": "192.0.2.9"}


@pytest.mark.parametrize(
    ("standing", "wish", "told"),
    [
        ("x IN A 192.0.2.2\nx IN RP a b\n", ALIAS, "CNAME and RP"),
        ('x IN HTTPS 1 . dohpath="/q{?dns}"\n', ALIAS, "CNAME and HTTPS"),
        ("x IN RP a b\n", ALIAS, "CNAME and RP"),
        ("x IN CNAME www\nx IN RP a b\n", {**ALIAS, "ttl": 301}, "CNAME and RP"),
    ],
)
def test_no_cname_beside_what_octodns_does_not_see(
    file: Path, standing: str, wish: dict[str, object], told: str
) -> None:
    """What stands on at the name is told with the plan, and nothing is written: the record that was to go is not lost."""
    text = file.read_text() + standing
    file.write_text(text)
    with pytest.raises(ProviderException, match=rf"^x\.{ZONE} would have a {told}, and nothing may stand beside"):
        ours(file).plan(wanted(("x", wish)))
    assert file.read_text() == text


@pytest.mark.parametrize(("standing", "wish"), [("x IN CNAME www", ADDRESS), ('x IN TXT "theirs"', ALIAS)])
def test_hidden_beside_a_cname(file: Path, standing: str, wish: dict[str, object]) -> None:
    """A CNAME that a processor hides stays alone, and so does what it hides where a CNAME is to come."""
    text = f"{file.read_text()}{standing}\n"
    file.write_text(text)
    with pytest.raises(ProviderException, match="nothing may stand beside a CNAME"):
        ours(file).plan(wanted(("x", wish)), [Hider("hider")])
    assert file.read_text() == text


@pytest.mark.parametrize(("standing", "wish"), [("x IN CNAME www", ADDRESS), ("x IN A 192.0.2.2", ALIAS)])
def test_a_swap_of_lines(file: Path, standing: str, wish: dict[str, object]) -> None:
    """A CNAME and others change places in one rename: the serial is raised once."""
    file.write_text(f"{file.read_text()}{standing}\n")
    provider = ours(file)
    provider.apply(provider.plan(wanted(("x", wish))))
    assert " SOA ns me 2 2 3 4 5" in file.read_text() and standing not in file.read_text()
    assert f"x.{ZONE}. 300 IN {wish['type']} {wish['value']}\n" in file.read_text()


@pytest.mark.parametrize(
    ("wish", "stranger", "told"),
    [
        (ALIAS, 'TXT "theirs"', "has TXT in .*no CNAME may stand beside that"),
        (ADDRESS, "CNAME www", "is a CNAME in .*no other record may stand beside one"),
        (ALIAS, "RRSIG A 13 3 300 20300101000000 20200101000000 1 @ AAAA", ""),
    ],
)
def test_a_stranger_beside_a_cname(file: Path, wish: dict[str, object], stranger: str, told: str) -> None:
    """What comes between plan and apply is seen: a server would not load a file with a CNAME beside others."""
    provider = ours(file)
    plan = provider.plan(wanted(("x", wish)))
    text = f"{file.read_text()}x IN {stranger}\n"
    file.write_text(text)
    if told:
        with pytest.raises(ProviderException, match=rf"x\.{ZONE} {told}"):
            provider.apply(plan)
        assert file.read_text() == text
    else:
        provider.apply(plan)


def test_signed_names(file: Path) -> None:
    """DNSSEC's own records may stand beside a CNAME (RFC 4034)."""
    nsec, rrsig = "x IN NSEC y A RRSIG NSEC\n", "x IN RRSIG A 13 3 300 20300101000000 20200101000000 1 @ AAAA\n"
    file.write_text(file.read_text() + "x IN A 192.0.2.2\n" + nsec + rrsig)
    provider = ours(file)
    provider.apply(provider.plan(wanted(("x", ALIAS))))
    assert (
        f"x.{ZONE}. 300 IN CNAME www.elsewhere.test.\n" in file.read_text() and "IN A 192.0.2.2" not in file.read_text()
    )


def test_quotes_are_text(file: Path) -> None:
    """octodns takes quotes for its own; those that belong to a text stay in it."""
    file.write_text(file.read_text() + 'q IN TXT "\\"in\\" quotes" "\\" \\""\n')
    zone = Zone(f"{ZONE}.", [])
    ours(file).populate(zone)
    assert zone.get_type("q", "TXT").values == ['"in" quotes" "']


def test_octets_that_are_no_text(file: Path) -> None:
    """They are shown as `\\DDD`, so that a plan can be printed, and stay in the file as they are."""
    line = 'o IN TXT "\\255\\007x"'
    file.write_text(f"{file.read_text()}{line}\n")
    provider, zone = ours(file), Zone(f"{ZONE}.", [])
    provider.populate(zone)
    record = zone.get_type("o", "TXT")
    assert record.values == ["\\255\\007x"] and repr(record).encode()
    provider.apply(provider.plan(wanted(("o", {**record.data, "type": "TXT", "values": [*record.values, "more"]}))))
    assert line in file.read_text() and '"more"' in file.read_text()


def test_several_pointers(file: Path) -> None:
    """A PTR record may have several values."""
    provider, names = ours(file), ["a.elsewhere.test.", "b.elsewhere.test."]
    provider.apply(provider.plan(wanted(("p", {"type": "PTR", "ttl": 300, "values": names}))))
    assert [line.split()[-1] for line in file.read_text().splitlines() if " PTR " in line] == names


def test_a_reload_that_fails(file: Path) -> None:
    """The remedy is one that octodns-sync has: it asks no provider for what an earlier run left undone."""
    provider = ours(file, reload=["false"])
    with pytest.raises(
        ProviderException, match=r"name server was not told: .* Run it yourself: octodns-sync"
    ) as caught:
        provider.apply(provider.plan(wanted()))
    assert "dnssync apply" not in str(caught.value)


def test_ttl_bounds(file: Path) -> None:
    """A TTL that the provider does not take is octodns' to tell: an error, or the nearest one and a warning."""
    provider = ours(file, strict_supports=False)
    zone = wanted(("y", {"type": "A", "ttl": 2**31 + 5, "value": "192.0.2.3"}))
    [change] = [change for change in provider.plan(zone).changes if change.record.name == "y"]
    assert change.new.ttl == 2**31 - 1
    with pytest.raises(Exception, match="a TTL of 2147483653 is not taken for y"):
        ours(file).plan(zone)


def test_ttl_bounds_of_processors(file: Path) -> None:
    """What a processor adds has a TTL that the provider takes, too, and its texts stay; the same again is no change."""
    provider, long = ours(file), {"type": "TXT", "ttl": 2**31 + 5, "value": "x"}
    processors = [Adder("adder", "y", long), Adder("adder", "z", {**ADDRESS, "ttl": 2**31 + 5})]
    plan = provider.plan(wanted(), processors)
    new = {change.record.name: change.new for change in plan.changes if change.new}
    assert new["y"].ttl == new["z"].ttl == 2**31 - 1 and new["y"].values == ['"in" quotes']
    provider.apply(plan)
    assert "2147483647 IN A 192.0.2.9" in file.read_text() and '"\\"in\\" quotes"' in file.read_text()
    assert provider.plan(wanted(), processors) is None
    processors = [Adder("adder", "z", {**ADDRESS, "ttl": 2**31 + 5, "value": "192.0.2.10"})]
    assert "z" in {change.record.name for change in provider.plan(wanted(), processors).changes if change.new}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"host": "127.0.0.1", "key_name": "k", "key_secret": 123},
            "key_secret must be text, and octodns made a number",
        ),
        ({"host": "127.0.0.1", "key_name": "k", "key_secret": 123.5}, "key_secret must be text"),
        ({"host": "127.0.0.1", "key_name": True, "key_secret": "YWJj"}, "key_name must be text"),
        ({"host": "127.0.0.1", "key_name": "k", "key_secret": "abc"}, "key_secret: is neither base64"),
    ],
)
def test_options(options: dict[str, object], told: str) -> None:
    """What cannot be right is told with its option, and never with a secret."""
    with pytest.raises(ProviderException, match=told) as caught:
        octodns.Rfc2136Provider("ours", **options)
    assert "abc" not in str(caught.value) and "123" not in str(caught.value)


CLASSES = {"cloudflare": "Cloudflare", "ovh": "Ovh", "desec": "Desec", "hetzner": "Hetzner", "powerdns": "PowerDns"}


@pytest.mark.parametrize("kind", marked(*CLASSES))
def test_a_text_by_each_class(kind: str, tmp_path: Path) -> None:
    """octodns-sync, by the class of each provider: what was dumped leaves nothing to do; a text that comes, that changes and that goes does
    so alone, and others' values beside it stay."""
    with alone(kind, tmp_path) as site:
        site.stranger("- t-txt TXT")  # which octodns' own files cannot say
        where = {"endpoint": site.stand_in.endpoint} if isinstance(site, AtStandIn) else {}
        given = site.options() if isinstance(site, AtStandIn) else {**site.pdns.options(), "port": site.between.port}
        made = octodns_at(
            tmp_path / "octodns", {"class": f"dnssync_providers.octodns.{CLASSES[kind]}Provider", **given, **where}
        )
        before = site.everything()
        records = dumped(made)
        made.records(ZONE, records)
        assert made.quiet() and site.everything() == before
        records["new"] = {"type": "TXT", "ttl": 3600, "value": "k" * 400}
        made.records(ZONE, records)
        made.sync("--doit", "--force")
        assert keys(before, site.everything()) == {("new", "TXT")}
        records["new"] = {"type": "TXT", "ttl": 3600, "values": ["two\\; parts", "three"]}
        made.records(ZONE, records)
        made.sync("--doit", "--force")
        assert {conformance.text_of(value) for value in site.everything()["new", "TXT"][1]} == {"two; parts", "three"}
        del records["new"]
        made.records(ZONE, records)
        made.sync("--doit", "--force")
        assert site.everything() == before and made.quiet()


def test_every_provider_of_ours_has_its_class() -> None:
    """What can be read has a class for octodns; a trial zone and a web form have none."""
    have = {kind.module for kind in vars(octodns).values() if isinstance(kind, type) and hasattr(kind, "module")}
    files = {path.stem for path in Path(octodns.__file__).parent.glob("[a-z]*.py")} - {"memory", "manual", "octodns"}
    assert files <= have
    for name in have:
        assert name in files
