"""Gandi where a CNAME comes, goes, or came from somebody else: nothing may stand beside one, and two requests are no transaction."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from dnssync.core.model import Change, Kind, ProviderError, RRset, StaleZone, TypeRefused, Value
from tests.gandi import Entry, Gandi
from tests.gandi_faults import ERRED, NOT_FOUND
from tests.http_faults import Answer, Fault
from tests.providers.test_gandi import ROWS, ZONE, client


@pytest.fixture
def gandi() -> Iterator[Gandi]:
    """The stand-in with a host and an alias, which change places."""
    with Gandi({ZONE: [*ROWS, ("a", "A", 300, ["192.0.2.1"]), ("a", "AAAA", 300, ["2001:db8::1"])]}) as running:
        yield running


def new(name: str, kind: str, text: str) -> Change:
    """A record that is not there yet."""
    value = Value(text, "" if kind in ("TXT", "SPF") else text)
    return Change(Kind.CREATE, name, kind, None, RRset(name, kind, 300, (value,)))


def gone(found: tuple[RRset, ...], name: str) -> list[Change]:
    """Everything at a name taken away."""
    return [Change(Kind.DELETE, *rrset.key, rrset, None) for rrset in found if rrset.name == name]


def swapped(found: tuple[RRset, ...]) -> list[Change]:
    """A CNAME in the place of addresses, type SPF in that of a CNAME, and another record; in no order of use."""
    return [
        new("_dmarc", "TXT", "v=DMARC1; p=none"),
        new("a", "CNAME", "b.example.net."),
        *gone(found, "www"),
        new("www", "SPF", "v=spf1 -all"),
        new("www", "A", "192.0.2.2"),
        *gone(found, "a"),
    ]


def grown(gandi: Gandi) -> None:
    """More pages than there are names to look at."""
    rows = {(f"h{number}", "A"): Entry(f"h{number}", "A", 300, [b"192.0.2.9"]) for number in range(1500)}
    gandi.zones[ZONE].entries.update(rows)
    gandi.settled()


def asked(gandi: Gandi) -> list[str]:
    """The requests, without what they have in common."""
    return [call.replace(f"/domains/{ZONE}/records", "").replace(" /", " ") for call in gandi.calls()]


SWAP = [
    "DELETE a/A", "DELETE a/AAAA", "POST a/CNAME", "DELETE www/CNAME", "POST www/A", "POST www/SPF", "POST _dmarc/TXT",
]  # fmt: skip


class TestSwaps:
    @pytest.mark.parametrize("late", [0, 60])
    @pytest.mark.parametrize("empties", [False, True])
    def test_one_directly_after_the_other(self, gandi: Gandi, late: int, empties: bool) -> None:
        """Between what goes and what comes nothing is asked, however old the reading and whatever way a value goes."""
        gandi.switches.patch_empties = empties
        clock = itertools.count(0, late)
        provider = client(gandi, now=lambda: next(clock))
        todo = swapped(provider.read(ZONE))
        gandi.requests.clear()
        provider.write(ZONE, todo)
        looked = [
            "GET ",
            "GET a",
            *SWAP[:3],
            "GET www",
            *SWAP[3:],
        ]  # at the whole zone, then at each name before its turn
        assert asked(gandi) == (looked if late else SWAP)
        assert {kind for name, kind in gandi.values(ZONE) if name == "a"} == {"CNAME"}

    def test_a_large_zone(self, gandi: Gandi) -> None:
        """A look at the names alone, before anything goes."""
        grown(gandi)
        time = [0.0]
        provider = client(gandi, now=lambda: time[0])
        todo = swapped(provider.read(ZONE))
        time[0] = 60.0
        gandi.requests.clear()
        provider.write(ZONE, todo)
        assert asked(gandi) == ["GET _dmarc", "GET a", "GET www", *SWAP]

    @pytest.mark.parametrize("skip", range(3))
    def test_a_look_that_fails(self, gandi: Gandi, skip: int) -> None:
        """It costs no record: each name has what it had, or what it shall have."""
        clock = itertools.count(0, 60)
        provider = client(gandi, now=lambda: next(clock))
        todo = swapped(provider.read(ZONE))
        gandi.faults = [Fault("GET", skip=skip, answer=Answer(500, ERRED))]
        with pytest.raises(ProviderError, match="500"):
            provider.write(ZONE, todo)
        kinds = {name: {kind for other, kind in gandi.values(ZONE) if other == name} for name in ("a", "www")}
        assert kinds == {"a": {"A", "AAAA"} if skip < 2 else {"CNAME"}, "www": {"CNAME"}}

    @pytest.mark.parametrize("alone", [True, False])
    @pytest.mark.parametrize("large", [False, True])
    def test_a_strangers_record_beside(self, gandi: Gandi, large: bool, alone: bool) -> None:  # fmt: skip
        """What came since the reading at a name that shall have a CNAME is seen before anything goes."""
        if large:
            grown(gandi)
        gandi.switches.cname_alone = alone
        time = [0.0]
        provider = client(gandi, now=lambda: time[0])
        todo = swapped(provider.read(ZONE))
        gandi.put(ZONE, "a", "TXT", 300, ['"theirs"'])
        time[0], before = 60.0, gandi.values(ZONE)
        with pytest.raises(ProviderError, match=rf"a\.{ZONE} has TXT at gandi, and nothing may stand beside a CNAME"):
            provider.write(ZONE, todo)
        assert gandi.values(ZONE) == before

    def test_a_strangers_record_in_a_batch_that_takes_its_time(self, gandi: Gandi) -> None:
        """A name whose turn comes late is looked at again before it."""
        time = [0.0]
        provider = client(gandi, now=lambda: time[0])
        todo = swapped(provider.read(ZONE))

        def long_after() -> None:
            time[0] += 60
            gandi.put(ZONE, "www", "CNAME", 300, ["elsewhere.example.net."])

        gandi.faults = [Fault("POST", "a/CNAME", stranger=long_after)]
        with pytest.raises(
            ProviderError, match=rf"www\.{ZONE} CNAME .* not what was read any more\. Before that, 3 of 7 "
        ):
            provider.write(ZONE, todo)
        assert gandi.values(ZONE)["www", "CNAME"][1] == {b"elsewhere.example.net."}

    def test_type_spf_goes_before_a_cname_comes(self, gandi: Gandi) -> None:
        """It is the last of what comes, not of what goes: the CNAME would be refused beside it."""
        gandi.put(ZONE, "a", "SPF", 300, ['"v=spf1 -all"'])
        provider = client(gandi)
        todo = [change for change in swapped(provider.read(ZONE)) if change.name == "a"]
        provider.write(ZONE, todo)
        assert {kind for name, kind in gandi.values(ZONE) if name == "a"} == {"CNAME"}

    def test_dnssecs_own_beside(self, gandi: Gandi) -> None:
        """A record of type KEY may stand beside a CNAME (RFC 2181 §10.1), and is none of the swap's business."""
        gandi.switches.cname_alone = False
        gandi.put(ZONE, "a", "KEY", 300, ["256 3 13 AAAA"])
        provider = client(gandi)
        todo = [c for c in swapped(provider.read(ZONE)) if c.name == "a" and c.type != "KEY"]
        provider.write(ZONE, todo)
        assert {kind for name, kind in gandi.values(ZONE) if name == "a"} == {"CNAME", "KEY"}


class TestNew:
    @pytest.mark.parametrize("large", [False, True])
    @pytest.mark.parametrize(("ours", "theirs"), [
        (new("_dmarc", "TXT", "v=DMARC1; p=none"), ("_dmarc", "CNAME", 300, ["vendor.example.net."])),
        (new("n", "CNAME", "b.example.net."), ("n", "A", 300, ["192.0.2.3"])),
    ], ids=["TXT", "CNAME"])  # fmt: skip
    def test_what_came_since_an_old_reading(
        self, gandi: Gandi, large: bool, ours: Change, theirs: tuple[str, str, int, list[str]]
    ) -> None:  # fmt: skip
        """A server that would take both gets the chance to do so neither with a small zone nor with a large one."""
        if large:
            grown(gandi)
        gandi.switches.cname_alone = False
        time = [0.0]
        provider = client(gandi, now=lambda: time[0])
        provider.read(ZONE)
        gandi.put(ZONE, *theirs)
        time[0] = 60.0
        with pytest.raises(ProviderError, match="nothing may stand beside"):
            provider.write(ZONE, [ours])
        assert all(request.method == "GET" for request in gandi.requests)

    @pytest.mark.parametrize("looks", [True, False])
    @pytest.mark.parametrize(("ours", "theirs"), [
        (new("_dmarc", "TXT", "v=DMARC1; p=none"), ("_dmarc", "CNAME", 300, ["vendor.example.net."])),
        (new("n", "CNAME", "b.example.net."), ("n", "A", 300, ["192.0.2.3"])),
    ], ids=["TXT", "CNAME"])  # fmt: skip
    def test_a_refusal_is_explained(
        self, gandi: Gandi, ours: Change, theirs: tuple[str, str, int, list[str]], looks: bool
    ) -> None:
        """What came in the last moment is found by a look after the refusal, and named; where that fails, Gandi's words are told."""
        provider = client(gandi)
        provider.read(ZONE)
        gandi.faults = [Fault("POST", stranger=lambda: gandi.put(ZONE, *theirs))]
        if not looks:
            gandi.faults += [Fault("GET", answer=Answer(500, ERRED), times=9)]
        words = f"somebody made {theirs[1]} there meanwhile" if looks else "answered 400: .* a CNAME stands alone"
        with pytest.raises(ProviderError, match=rf"writing {theirs[0]}\.{ZONE} {ours.type}: .*{words}"):
            provider.write(ZONE, [ours])

    @pytest.mark.parametrize(("answer", "words"), [
        (Answer(404, NOT_FOUND), ""), (Answer(200, []), ""), (Answer(200, {"rrset_name": "n"}), "no list of records"),
        (Answer(200, ["?"]), "no record set"),
        (Answer(200, [{"rrset_name": "x", "rrset_type": "A", "rrset_ttl": 300, "rrset_values": ["192.0.2.1"]}]), "another name"),
    ], ids=str)  # fmt: skip
    def test_answers_about_a_name(self, gandi: Gandi, answer: Answer, words: str) -> None:
        """A name without records may be told by an empty list or by a 404, of which the zone itself is asked; nothing else is taken."""
        grown(gandi)
        time = [0.0]
        provider = client(gandi, now=lambda: time[0])
        provider.read(ZONE)
        time[0] = 60.0
        gandi.faults = [Fault("GET", "records/n$", answer=answer)]
        if words:
            with pytest.raises(ProviderError, match=rf"^{ZONE}: reading n\.{ZONE}: .*{words}"):
                provider.write(ZONE, [new("n", "A", "192.0.2.3")])
        else:
            provider.write(ZONE, [new("n", "A", "192.0.2.3")])
        assert (("n", "A") in gandi.values(ZONE)) is not bool(words)
        if answer.status == 404:
            assert asked(gandi)[-2:] == ["GET ", "POST n/A"]


def test_what_was_read_is_used_once(gandi: Gandi) -> None:
    """After a write, done or failed, the zone is not what was read any more: the next one reads it."""
    provider = client(gandi)
    provider.read(ZONE)
    provider.write(ZONE, [new("n", "TXT", "x")])
    assert asked(gandi) == ["GET ", "GET dns/rrtypes", "POST n/TXT"]
    with pytest.raises(StaleZone):
        provider.write(ZONE, [new("n", "TXT", "x")])
    assert asked(gandi)[-1] == "GET " and asked(gandi).count("POST n/TXT") == 1


def test_type_spf_comes_last(gandi: Gandi) -> None:
    """Whatever is refused of it, or lost with it, everything else is written before."""
    provider = client(gandi)
    provider.read(ZONE)
    gandi.switches.spf_taken = False
    with pytest.raises(TypeRefused):
        provider.write(ZONE, [new("n", "SPF", "v=spf1 -all"), new("n", "TXT", "v=spf1 -all"), new("o", "TXT", "x")])
    assert asked(gandi)[-3:] == ["POST n/TXT", "POST o/TXT", "POST n/SPF"]
