"""Gandi where its ways are not known for sure: each may be so or otherwise, and neither leads to a wrong write."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import pytest

from dnssync.core.model import Change, Kind, ProviderError, RRset, StaleZone, Value
from tests.gandi import Entry, Gandi
from tests.gandi_faults import ERRED, FORBIDDEN, NOT_FOUND, UNAUTHORIZED
from tests.http_faults import HTML, Answer, Fault
from tests.providers.test_gandi import ROWS, ZONE, changes, client, done, foreign


@pytest.fixture
def gandi() -> Iterator[Gandi]:
    """The stand-in with a small zone."""
    with Gandi({ZONE: ROWS}) as running:
        yield running


def apex(found: tuple[RRset, ...]) -> RRset:
    """The TXT records of the apex."""
    return next(rrset for rrset in found if rrset.key == ("", "TXT"))


class TestReading:
    @pytest.mark.parametrize(
        "answer", [Answer(400), Answer(403, FORBIDDEN), Answer(403, HTML), Answer(404), Answer(410)]
    )
    def test_no_answer_about_types(self, gandi: Gandi, answer: Answer) -> None:
        """A token that may do everything with its zone and is not told of types does without type SPF."""
        gandi.faults = [Fault(path="rrtypes", answer=answer)]
        provider = client(gandi)
        assert len(provider.read(ZONE)) == len(ROWS) and not provider.limits.type99
        provider.read(ZONE)
        assert gandi.calls().count("GET /dns/rrtypes") == 1

    @pytest.mark.parametrize("answer", [Answer(401, UNAUTHORIZED), Answer(429), Answer(500, ERRED), Answer(200, HTML)])
    def test_an_error_is_no_answer_about_types(self, gandi: Gandi, answer: Answer) -> None:
        """It is asked again, and until then nothing is said of type SPF."""
        gandi.faults = [Fault(path="rrtypes", answer=answer, times=4 if answer.status == 429 else 1)]
        provider = client(gandi)
        with pytest.raises(ProviderError, match=f"^{ZONE}: asking which types there are"):
            provider.read(ZONE)
        provider.read(ZONE)
        assert provider.limits.type99

    def test_the_same_page_again_and_again(self, gandi: Gandi) -> None:
        """An API that passes over `page` is noticed by the second one."""
        for number in range(494):
            gandi.put(ZONE, f"h{number}", "A", 300, ["192.0.2.9"])
        rows = [gandi.shown(ZONE, entry) for entry in gandi.zones[ZONE].entries.values()]
        gandi.faults = [Fault(path="records", answer=Answer(200, rows), times=99)]
        with pytest.raises(ProviderError, match="on two pages") as caught:
            client(gandi).read(ZONE)
        assert caught.value.transient and gandi.faults[0].struck == 2

    def test_pages_without_end(self, gandi: Gandi) -> None:
        """They are given up, and what they held is no zone."""
        row = {"rrset_type": "A", "rrset_ttl": 300, "rrset_values": ["192.0.2.1"]}
        gandi.faults = [
            Fault(path="records", answer=Answer(200, [{**row, "rrset_name": f"h{number}"}])) for number in range(1001)
        ]
        with pytest.raises(ProviderError, match="no end after 1000 pages"):
            client(gandi).read(ZONE)

    def test_a_record_set_without_values(self, gandi: Gandi) -> None:
        """It is none to DNS; a value of ours is added to it, and whoever else adds one keeps it."""
        gandi.zones[ZONE].entries["_dmarc", "TXT"] = Entry("_dmarc", "TXT", 900, [])
        gandi.zones[ZONE].entries["bare", "TXT"] = Entry("Bare", "TXT", 900, [])
        provider = client(gandi)
        found = provider.read(ZONE)
        assert len(found) == len(ROWS) and all(rrset.values for rrset in found)
        new = RRset("bare", "TXT", 3600, (Value("ours", ""),))
        provider.write(ZONE, [*changes(found), Change(Kind.CREATE, "bare", "TXT", None, new)])
        assert done(gandi) and gandi.values(ZONE)["bare", "TXT"] == (3600, frozenset({b"ours"}))
        assert f"PATCH /domains/{ZONE}/records/Bare/TXT" in gandi.calls()

    def test_a_name_spelled_by_type(self, gandi: Gandi) -> None:
        """Each record set is written in its own case, whatever that of its neighbour is."""
        gandi.put(ZONE, "MAIL", "A", 300, ["192.0.2.9"])
        entries = gandi.zones[ZONE].entries
        entries["mail", "TXT"] = entries.pop(("mail", "TXT"))
        provider = client(gandi)
        old = next(rrset for rrset in provider.read(ZONE) if rrset.key == ("mail", "TXT"))
        change = Change(Kind.UPDATE, *old.key, old, dataclasses.replace(old, values=(*old.values, Value("ours", ""))))
        with pytest.raises(ProviderError, match="erred") as caught:  # Gandi's own fault, but nothing is taken for gone
            provider.write(ZONE, [change])
        assert gandi.calls()[-1] == f"PATCH /domains/{ZONE}/records/Mail/TXT"
        assert not isinstance(caught.value, StaleZone)


class TestWriting:
    @pytest.mark.parametrize("quoted", [True, False])
    @pytest.mark.parametrize("cut", [255, 3])
    def test_one_record_set_spelled_otherwise_than_in_the_list(self, gandi: Gandi, quoted: bool, cut: int) -> None:
        """The same texts in other quotes or other pieces are no change by somebody else."""
        for number in range(500):  # two pages, so that the record sets are looked at one by one
            gandi.put(ZONE, f"h{number}", "A", 300, ["192.0.2.9"])
        clock = iter(range(0, 10**6, 60))
        provider = client(gandi, now=lambda: next(clock))
        todo = changes(provider.read(ZONE))
        before = foreign(gandi)
        gandi.switches.quoted, gandi.switches.cut = quoted, cut
        provider.write(ZONE, todo)
        assert done(gandi) and foreign(gandi) == before

    @pytest.mark.parametrize("shown", [1800, 10800])
    def test_a_ttl_that_is_not_taken(self, gandi: Gandi, shown: int) -> None:
        """A success whose answer has another TTL than was asked for is told."""
        provider = client(gandi)
        old = apex(provider.read(ZONE))
        row = gandi.shown(ZONE, gandi.zones[ZONE].entries["@", "TXT"])
        gandi.faults = [Fault("PATCH", answer=Answer(200, {**row, "rrset_ttl": shown}))]
        with pytest.raises(ProviderError, match="shows something else than was asked for"):
            provider.write(ZONE, [Change(Kind.UPDATE, "", "TXT", old, dataclasses.replace(old, ttl=3600))])

    def test_a_ttl_alone(self, gandi: Gandi) -> None:
        """Another TTL is a PATCH without values: whatever stands there stays."""
        provider = client(gandi)
        old, before = apex(provider.read(ZONE)), gandi.values(ZONE)["@", "TXT"][1]
        provider.write(ZONE, [Change(Kind.UPDATE, "", "TXT", old, dataclasses.replace(old, ttl=3600))])
        assert gandi.requests[-1].body == {"rrset_ttl": 3600}
        assert gandi.values(ZONE)["@", "TXT"] == (3600, before)

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    @pytest.mark.parametrize(
        "answer",
        [
            Answer(404, {"code": 404, "cause": "Unknown", "message": "The resource does not exist"}),
            Answer(404, NOT_FOUND),
            Answer(404, HTML),
            Answer(404),
        ],
    )
    def test_a_reseller_that_may_read_alone(self, gandi: Gandi, method: str, answer: Answer) -> None:
        """Writes of a reseller's domain without the organisation are answered with 404: each way of writing says what is missing."""
        gandi.put(ZONE, "_dmarc", "TXT", 900, ['"v=DMARC1; p=reject"'] if method == "PUT" else [])
        provider = client(gandi)
        found = provider.read(ZONE)
        if method == "PUT":
            old = next(rrset for rrset in found if rrset.name == "_dmarc")
            new = dataclasses.replace(old, values=(Value("v=DMARC1; p=none", ""),))
            todo = [Change(Kind.UPDATE, "_dmarc", "TXT", old, new)]
        else:
            kind = {"POST": Kind.CREATE, "PATCH": Kind.UPDATE, "DELETE": Kind.DELETE}[method]
            todo = [change for change in changes(found) if change.kind is kind]
        gandi.faults, before = [Fault("POST|PUT|PATCH|DELETE", answer=answer, times=99)], gandi.values(ZONE)
        with pytest.raises(
            ProviderError, match=rf"^{ZONE}: writing .*no such zone, or the token may not.*`sharing_id`"
        ):
            provider.write(ZONE, todo)
        assert gandi.requests[-1].method == method and gandi.values(ZONE) == before

    @pytest.mark.parametrize("empties", [True, False])
    @pytest.mark.parametrize("name", ["gone", "Gone", "gone.deeper"])
    def test_a_value_added_where_ours_shall_go(self, gandi: Gandi, name: str, empties: bool) -> None:
        """Ours goes as a value, so that one which comes in that very moment stays; alone, it goes whichever way Gandi leaves."""
        gandi.switches.patch_empties = empties
        ours, theirs = ['"v=spf1 a -all"'], ['"v=spf1 a -all"', '"somebody\'s"']
        gandi.put(ZONE, name, "TXT", 300, ours)
        provider = client(gandi)
        old = next(rrset for rrset in provider.read(ZONE) if rrset.name == name.lower())
        away = [Change(Kind.DELETE, name.lower(), "TXT", old, None)]
        gandi.faults = [Fault("PATCH|DELETE", stranger=lambda: gandi.put(ZONE, name, "TXT", 300, theirs))]
        provider.write(ZONE, away)
        assert gandi.values(ZONE)[name.lower(), "TXT"][1] == {b"somebody's"}
        gandi.put(ZONE, name, "TXT", 300, ours)
        provider.read(ZONE)
        provider.write(ZONE, away)
        assert (name.lower(), "TXT") not in gandi.values(ZONE)
        provider.write(ZONE, []), provider.read(ZONE)
        gandi.put(ZONE, name, "TXT", 300, theirs[1:])
        with pytest.raises(StaleZone):
            provider.write(ZONE, away)
        assert gandi.values(ZONE)[name.lower(), "TXT"][1] == {b"somebody's"}

    def test_ours_that_is_put_back_while_it_goes(self, gandi: Gandi) -> None:
        """What still stands after it was taken out is told, and so is a record that is not what it was when it cannot be."""
        gandi.put(ZONE, "gone", "TXT", 300, ['"ours"'])
        provider = client(gandi)
        old = next(rrset for rrset in provider.read(ZONE) if rrset.name == "gone")
        away = [Change(Kind.DELETE, "gone", "TXT", old, None)]
        gandi.faults = [Fault("PATCH", answer=Answer(200, {"message": "done"}))]
        with pytest.raises(ProviderError, match="shows something else than was asked for"):
            provider.write(ZONE, away)
        provider.read(ZONE)
        gandi.faults = [Fault("PATCH", stranger=lambda: gandi.put(ZONE, "gone", "TXT", 300, ['"theirs"']))]
        with pytest.raises(StaleZone):
            provider.write(ZONE, away)
        assert gandi.values(ZONE)["gone", "TXT"][1] == {b"theirs"}

    @pytest.mark.parametrize("kind", [Kind.UPDATE, Kind.DELETE])
    def test_a_batch_that_takes_its_time(self, gandi: Gandi, kind: Kind) -> None:
        """What is replaced or deleted whole is looked at again, where the last look at it was long ago."""
        gandi.put(ZONE, "k1._domainkey", "TXT", 300, ['"old"'])
        time = [0.0]
        provider = client(gandi, now=lambda: time[0])
        found = {rrset.key: rrset for rrset in provider.read(ZONE)}
        old, top = found["k1._domainkey", "TXT"], found["", "TXT"]
        new = dataclasses.replace(old, values=(Value("new", ""),)) if kind is Kind.UPDATE else None
        first = Change(Kind.UPDATE, *top.key, top, dataclasses.replace(top, values=(*top.values, Value("ours", ""))))

        def long_after() -> None:
            time[0] += 60
            gandi.put(ZONE, "k1._domainkey", "TXT", 300, ['"somebody\'s"'])

        gandi.faults = [Fault("PATCH", stranger=long_after)]
        with pytest.raises(
            ProviderError, match=r"is not what was read any more\. Before that, 1 of 2 changes were done"
        ):
            provider.write(ZONE, [first, Change(kind, *old.key, old, new)])
        assert gandi.values(ZONE)["k1._domainkey", "TXT"][1] == {b"somebody's"}

    def test_a_patch_answered_with_a_message(self, gandi: Gandi) -> None:
        """What stands there then is read."""
        gandi.switches.patch_shows = False
        provider = client(gandi)
        provider.write(ZONE, changes(provider.read(ZONE)))
        assert done(gandi)

    @pytest.mark.parametrize("removes", ["alone", "never"])
    def test_a_patch_that_takes_nothing_out(self, gandi: Gandi, removes: str) -> None:
        """Where only one half of a PATCH is done, the new value goes again rather than two of a kind stay; where that fails, it is said."""
        gandi.switches.patch_removes = removes
        provider = client(gandi)
        todo = [change for change in changes(provider.read(ZONE)) if change.name == ""]
        with pytest.raises(ProviderError) as caught:
            provider.write(ZONE, todo)
        records = {value for value in gandi.values(ZONE)["@", "TXT"][1] if value.startswith(b"v=spf1 ")}
        if removes == "alone":
            assert records == {b"v=spf1 mx -all"} and "shows something else" in str(caught.value)
        else:
            assert len(records) == 2 and "of two, receivers take neither" in str(caught.value)

    def test_somebody_takes_out_their_own(self, gandi: Gandi) -> None:
        """That is theirs to do, and no reason to call our change undone."""
        provider = client(gandi)
        todo = [change for change in changes(provider.read(ZONE)) if change.name == ""]
        gandi.put(ZONE, "@", "TXT", 1800, ['"v=spf1 mx -all"'])
        provider.write(ZONE, todo)
        assert gandi.values(ZONE)["@", "TXT"][1] == {b"v=spf1 mx a -all"}

    @pytest.mark.parametrize("times", [0, 1, 3, 9])
    def test_two_of_a_kind_taken_back(self, gandi: Gandi, times: int) -> None:
        """Ours goes again where somebody wrote one of the same kind in that moment; that is tried again, and told where it fails."""
        gandi.switches.patch_strict = False
        theirs = ['"v=spf1 include:theirs.test -all"']
        gandi.faults = [
            Fault("PATCH", stranger=lambda: gandi.put(ZONE, "@", "TXT", 1800, theirs)),
            Fault("PATCH", skip=0, times=times, answer=Answer(500, ERRED)),
        ]
        waited: list[float] = []
        provider = client(gandi, sleep=waited.append)
        todo = [change for change in changes(provider.read(ZONE)) if change.name == ""]
        with pytest.raises(ProviderError) as caught:
            provider.write(ZONE, todo)
        lost = times > 4
        assert isinstance(caught.value, StaleZone) is not lost
        assert (len([v for v in gandi.values(ZONE)["@", "TXT"][1] if v.startswith(b"v=spf1")]) == 2) is lost
        assert ("in the same moment" in str(caught.value) and f"Look at {ZONE} TXT" in str(caught.value)) is lost

    @pytest.mark.parametrize("name", ["alone", "Alone", "a.b"])
    def test_a_value_added_beside_ours_alone(self, gandi: Gandi, name: str) -> None:
        """A value of ours that stands alone under such a name is changed as a value, so that one that comes in that moment stays."""
        gandi.put(ZONE, name, "TXT", 300, ['"v=spf1 a -all"'])
        provider = client(gandi)
        old = next(rrset for rrset in provider.read(ZONE) if rrset.name == name.lower())
        new = dataclasses.replace(old, values=(Value("v=spf1 mx -all", ""),))
        theirs = ['"v=spf1 a -all"', '"somebody\'s"']
        gandi.faults = [Fault("PATCH|PUT", stranger=lambda: gandi.put(ZONE, name, "TXT", 300, theirs))]
        provider.write(ZONE, [Change(Kind.UPDATE, *old.key, old, new)])
        assert gandi.values(ZONE)[name.lower(), "TXT"][1] == {b"v=spf1 mx -all", b"somebody's"}

    def test_a_large_zone_that_moved(self, gandi: Gandi) -> None:
        """Where a zone has many pages, each record set of a change is looked at before the first one is written."""
        for number in range(500):
            gandi.put(ZONE, f"h{number}", "A", 300, ["192.0.2.9"])
        clock = iter(range(0, 10**6, 60))
        provider = client(gandi, now=lambda: next(clock))
        todo = [change for change in changes(provider.read(ZONE)) if change.new is not None]
        gandi.put(ZONE, "@", "TXT", 1800, ['"v=spf1 mx -all"', '"somebody\'s"'])
        with pytest.raises(StaleZone):
            provider.write(ZONE, todo)
        assert all(request.method == "GET" for request in gandi.requests)

    def test_a_record_that_is_gone(self, gandi: Gandi) -> None:
        """A record set that is not there to be patched was taken away by somebody: the zone is read and planned again."""
        provider = client(gandi)
        todo = [change for change in changes(provider.read(ZONE)) if change.name == ""]
        gandi.put(ZONE, "@", "TXT", 1800, [])
        with pytest.raises(StaleZone):
            provider.write(ZONE, todo)

    def test_beside_a_cname(self, gandi: Gandi) -> None:
        """It is named, and nothing is sent."""
        provider = client(gandi)
        todo = changes(provider.read(ZONE))
        new = Change(Kind.CREATE, "www", "TXT", None, RRset("www", "TXT", 300, (Value("ours", ""),)))
        with pytest.raises(ProviderError, match=rf"www\.{ZONE} is a CNAME"):
            provider.write(ZONE, [*todo, new])
        assert all(request.method == "GET" for request in gandi.requests)

    def test_reads_that_lag_behind(self, gandi: Gandi) -> None:
        """Where a reading still shows what stood there before our write, nothing is done twice and nothing is lost."""
        provider = client(gandi)
        rows = [gandi.shown(ZONE, entry) for entry in gandi.zones[ZONE].entries.values()]
        provider.write(ZONE, changes(provider.read(ZONE)))
        stands = gandi.values(ZONE)
        gandi.faults = [Fault("GET", "records$", answer=Answer(200, rows, {"Total-Count": str(len(rows))}), times=99)]
        late = client(gandi)
        for change in changes(late.read(ZONE)):
            late.read(ZONE)
            with contextlib.suppress(StaleZone):  # what stands there already: done, or somebody was faster
                late.write(ZONE, [change])
        assert gandi.values(ZONE) == stands


class TestSnapshots:
    def test_kept_once_a_plan(self, gandi: Gandi) -> None:
        """A copy of the zone is kept under the plan's name; the same plan, tried again, keeps no second one."""
        provider = client(gandi)
        provider.snapshot(ZONE, "dnssync 000000000001")
        provider.snapshot(ZONE, "dnssync 000000000001")
        [kept] = gandi.zones[ZONE].snapshots.values()
        assert kept["name"] == "dnssync 000000000001" and len(kept["zone_data"]) == len(ROWS)

    @pytest.mark.parametrize("automatic", [True, False])
    def test_old_ones_of_ours_go(self, gandi: Gandi, automatic: bool) -> None:
        """Three of ours stay, and every one of somebody else's or of Gandi's own, whether or not the list leaves those out."""
        gandi.switches.automatic = automatic
        provider = client(gandi)
        gandi.zones[ZONE].snapshots["theirs"] = {
            "id": "theirs",
            "name": "before the move",
            "created_at": "2020",
            "automatic": False,
        }
        gandi.zones[ZONE].snapshots["by hand"] = {
            "id": "by hand",
            "name": "dnssync by hand",
            "created_at": "2019",
            "automatic": False,
        }
        gandi.zones[ZONE].snapshots["auto"] = {
            "id": "auto",
            "name": "dnssync 0000000000ff",
            "created_at": "2020",
            "automatic": True,
        }
        for number in range(6):
            provider.snapshot(ZONE, f"dnssync {number:012x}")
        names = {snapshot["name"] for snapshot in gandi.zones[ZONE].snapshots.values()}
        kept = {f"dnssync {number:012x}" for number in (3, 4, 5)}
        assert names == {"before the move", "dnssync by hand", "dnssync 0000000000ff"} | kept

    def test_none_to_be_had(self, gandi: Gandi) -> None:
        """Where the copy cannot be made, that is said."""
        gandi.faults = [Fault("POST", "snapshots", answer=Answer(500, ERRED))]
        with pytest.raises(ProviderError, match="keeping a snapshot"):
            client(gandi).snapshot(ZONE, "dnssync 000000000001")

    @pytest.mark.parametrize("answer", [Answer(403, FORBIDDEN), Answer(500, ERRED), Answer(404, NOT_FOUND)])
    def test_an_old_one_that_stays(self, gandi: Gandi, answer: Answer) -> None:
        """That an old copy cannot be deleted holds nothing up: the new one is there."""
        provider = client(gandi)
        for number in range(3):
            provider.snapshot(ZONE, f"dnssync {number:012x}")
        gandi.faults = [Fault("DELETE", "snapshots", answer=answer, times=9)]
        provider.snapshot(ZONE, "dnssync 00000000000a")
        assert len(gandi.zones[ZONE].snapshots) == 4
