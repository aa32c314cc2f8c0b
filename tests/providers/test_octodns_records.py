"""dnssync's records in octodns' hands, merged into a master file: texts, TTLs, and what is told where they cannot be had."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import pytest
from dnssync_providers.octodns import ZoneFileProvider
from octodns.processor.base import ProcessorException
from octodns.record import Record
from octodns.zone import Zone

from dnssync.core.model import Owner
from dnssync.octodns import DnssyncProcessor, DnssyncSource
from dnssync.state import LedgerEntry, State

ZONE = "example.org"
HEAD = "$TTL 900\n@ IN SOA ns me 1 2 3 4 5\n@ IN NS ns.elsewhere.test.\n"


class Site:
    """dnssync's configuration and state, and the zone's file."""

    def __init__(self, folder: Path) -> None:
        self.config, self.file, self.database = folder / "dnssync.yaml", folder / "zone", folder / "state.db"
        self.config.write_text(json.dumps({
            "providers": {"form": {"class": "manual"}}, "zones": {ZONE: {"provider": "form"}}, "state": f"sqlite:///{self.database}",
            "keys": str(folder / "keys")}))  # fmt: skip

    def written(
        self, name: str, owner: Owner, value: str, *, added: str = "", ttl: int = 300, kind: str = "TXT"
    ) -> None:
        """dnssync knows that this value is written."""
        entry = LedgerEntry(ZONE, "form", name, kind, owner, ZONE, value, ttl, 7, added)
        State.open(f"sqlite:///{self.database}", host=platform.node()).record_applied([entry])

    def after(self, lines: str, **records: dict[str, Any]) -> list[str]:
        """The file's lines behind its head once octodns has written: `lines` stood there, and the sources have `records`."""
        self.file.write_text(HEAD + lines)
        target, zone = ZoneFileProvider("target", file=str(self.file)), Zone(f"{ZONE}.", [])
        for name, data in records.items():
            zone.add_record(Record.new(zone, name.replace("apex", ""), {"type": "TXT", "ttl": 900, **data}))
        for _ in range(2):
            plan = target.plan(zone, processors=[DnssyncProcessor("dnssync", config=str(self.config))])
            if plan is not None:
                target.apply(plan)
        assert plan is None  # there is nothing left to do
        return self.file.read_text().splitlines()[HEAD.count("\n") :]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A zone that dnssync knows, its provider a form."""
    return Site(tmp_path)


def test_strangers_texts_stay_as_they_are(site: Site) -> None:
    """Beside ours, a text at the target keeps its strings and its quotes."""
    site.written("", Owner.SPF, "v=spf1 mx -all", added="mx")
    hard = ['@ IN TXT "\\"in\\" quotes" "\\" \\""', '@ IN TXT "two" "strings"', '@ IN TXT "a; \\\\b"']
    assert site.after("\n".join(hard) + "\n") == [*hard, f'{ZONE}. 900 IN TXT "v=spf1 mx -all"']


@pytest.mark.parametrize(
    ("ttl", "standing", "line"),
    [
        (300, "", 300),
        (-1, "", 3600),
        (300, "_dmarc 700 IN TXT v=DMARC1\n", 300),
        (-1, "_dmarc 700 IN TXT v=DMARC1\n", 700),
        (300, "_dmarc 700 IN TXT theirs\n", 700),
    ],
    ids=["as it was given", "as configured", "of ours", "as it was found", "of others"],
)
def test_which_ttl(site: Site, ttl: int, standing: str, line: int) -> None:
    """Others' values keep theirs; ours have what dnssync gave, or, where it gave none, what stands there or is configured."""
    site.written("_dmarc", Owner.DMARC, "v=DMARC1; p=none", ttl=ttl)
    ours = [each for each in site.after(standing) if "p=none" in each]
    assert len(ours) == 1 and f" {line} " in ours[0]
    zone = Zone(f"{ZONE}.", [])
    DnssyncSource("dnssync", config=str(site.config)).populate(zone)
    assert [record.ttl for record in zone.records] == [300 if ttl == 300 else 3600]


@pytest.mark.parametrize(
    ("name", "owner", "value", "added", "theirs"),
    [
        ("apex", Owner.SPF, "v=spf1 ip4:192.0.2.1 -all", "ip4:192.0.2.1", "v=spf1  IP4:192.0.2.1/32 ?ALL"),
        ("_dmarc", Owner.DMARC, "v=DMARC1; p=none", "v=DMARC1; p=none", "v=DMARC1\\;p=reject\\;"),
        ("_dmarc", Owner.DMARC, "v=DMARC1; p=none", "", "v=DMARC1\\;p=reject"),
        ("s._domainkey", Owner.DKIM, "v=DKIM1; k=rsa; p=AAAA", "", "v=DKIM1\\;p=AAAA"),
    ],
)
def test_what_means_the_same(site: Site, name: str, owner: Owner, value: str, added: str, theirs: str) -> None:
    """The sources' text stays letter for letter where it says already what ours says."""
    site.written(name.replace("apex", ""), owner, value, added=added)
    [line] = site.after("", **{name: {"value": theirs}})
    assert line.endswith(f'"{theirs.replace(chr(92), "")}"')


def test_a_type_that_the_target_has_not(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Type SPF is left out where the target has none, and that is said."""
    site.written("", Owner.SPF, "v=spf1 mx -all", added="mx", kind="SPF")
    without = type("Without", (ZoneFileProvider,), {"types": frozenset({"TXT"})})
    site.file.write_text(HEAD)
    plan = without("target", file=str(site.file)).plan(
        Zone(f"{ZONE}.", []), [DnssyncProcessor("dnssync", config=str(site.config))]
    )
    assert plan is None and f"{ZONE} SPF is left out: target has no records of that type" in caplog.text
    assert site.after("") == [f'{ZONE}. 300 IN SPF "v=spf1 mx -all"']


def test_what_cannot_be_had(site: Site) -> None:
    """It is told with its zone, as octodns' kind of error, and no state is made by asking."""
    for told, config in (
        (f"{ZONE}: dnssync has no records for it at form yet", site.config.read_text()),
        (rf"{ZONE}: .*dnssync\.yaml", "zones: ["),
        (rf"{ZONE}: .*state", site.config.read_text().replace("sqlite:", "nonsense:")),
    ):
        site.config.write_text(config)
        with pytest.raises(ProcessorException, match=f"(?s)^{told}"):
            DnssyncSource("dnssync", config=str(site.config)).populate(Zone(f"{ZONE}.", []))
        assert not site.database.exists()
