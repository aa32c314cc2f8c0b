"""OVHcloud against its stand-in: what is asked for, in which order, what is served, and what becomes of each refusal."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from dnssync_providers.ovh import ENDPOINTS, Provider

from dnssync.core.model import Change, ProviderError, RRset, StaleZone
from tests.http_faults import HTML, Answer, Fault
from tests.ovh import Ovh
from tests.ovh_records import Refused
from tests.providers.asked import create, delete, turn

ZONE = "example.org"
KEY = "v=DKIM1; k=rsa; p=" + "A" * 392
ROWS = [
    ("@", "A", 0, ["192.0.2.1"]),
    ("@", "MX", 3600, ["10 mx", "20 mx.elsewhere.test."]),
    ("@", "SPF", 0, ['"v=spf1 include:mx.ovh.com ~all"']),
    ("@", "TXT", 600, ['"site=1" "2"', "bare; as it was sent"]),
    ("Mail", "TXT", 600, ['"theirs"']),
    ("_dmarc", "DMARC", 0, ["v=DMARC1;p=none;"]),
    ("old._domainkey", "DKIM", 0, ["v=DKIM1;k=rsa;p=OLD;"]),
    ("www", "CNAME", 0, ["example.org."]),
]
RECORD = f"/domain/zone/{ZONE}/record"


@pytest.fixture
def ovh() -> Iterator[Ovh]:
    """The stand-in with a small zone."""
    with Ovh({ZONE: ROWS}) as running:
        yield running


def client(ovh: Ovh, **options: object) -> Provider:
    """The provider, with no patience and a clock that stands still."""
    given = {**ovh.keys, "endpoint": ovh.endpoint, "timeout": (5.0, 2.0), "sleep": lambda s: None, "now": lambda: 0.0}
    return Provider("ovh", **{**given, **options})


def todo(found: tuple[RRset, ...]) -> list[Change]:
    """One change at the apex, two new records, one taken away: what a provider is measured by."""
    return [
        turn(found, "", "v=spf1 include:mx.ovh.com ~all", "v=spf1 mx -all"),
        create("new._domainkey", KEY),
        create("_dmarc.sub", "v=DMARC1; p=none"),
        delete(found, "old._domainkey"),
    ]


def done(ovh: Ovh) -> bool:
    """Whether all of that is served."""
    stands = ovh.served(ZONE)
    return (
        b"v=spf1 mx -all" in stands["@", "TXT"][1] and b"v=spf1 include:mx.ovh.com ~all" not in stands["@", "TXT"][1]
        and stands.get(("_dmarc.sub", "TXT")) == (3600, frozenset({b"v=DMARC1; p=none"}))
        and stands.get(("new._domainkey", "TXT")) == (3600, frozenset({KEY.encode()}))
        and ("old._domainkey", "TXT") not in stands
    )  # fmt: skip


def asked(ovh: Ovh) -> list[str]:
    """The requests that are none of a reading, without what all have in common."""
    return [call.replace(f"/domain/zone/{ZONE}", "") for call in ovh.calls() if not call.startswith(f"GET {RECORD}")]


class TestRequests:
    def test_one_a_record_and_a_refresh(self, ovh: Ovh) -> None:
        """The time, the ids, each record; then a request a change, without what is somebody else's, the ids once more, one
        refresh, and a look."""
        provider = client(ovh)
        [spf] = [entry for entry in ovh.records(ZONE, "@") if entry.type == "SPF"]
        [old] = ovh.records(ZONE, "old._domainkey")
        found = provider.read(ZONE)
        assert ovh.calls()[:2] == ["GET /auth/time", f"GET {RECORD}"] and len(ovh.calls()) == 2 + 10
        assert provider.write(ZONE, todo(found)) == ()
        assert asked(ovh) == [
            "GET /auth/time", f"PUT /record/{spf.id}", f"DELETE /record/{old.id}", "POST /record", "POST /record", "POST /refresh", "GET /status",
        ]  # fmt: skip
        assert len(ovh.calls()) == 12 + 7 and provider.requests == {"2xx": 19} and ovh.calls()[-3] == f"GET {RECORD}"
        bodies = [request.body for request in ovh.requests if request.raw]
        assert bodies == [
            {"subDomain": "", "target": '"v=spf1 mx -all"', "ttl": 0},
            {"fieldType": "TXT", "subDomain": "new._domainkey", "target": f'"{KEY[:255]}" "{KEY[255:]}"', "ttl": 3600},
            {"fieldType": "TXT", "subDomain": "_dmarc.sub", "target": '"v=DMARC1; p=none"', "ttl": 3600},
        ]
        assert done(ovh)

    def test_what_was_read_a_while_ago(self, ovh: Ovh) -> None:
        """The ids are asked for again, and of the records those at the names in question, and what is new."""
        times = iter([0.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0])
        provider = client(ovh, now=lambda: next(times))
        found = provider.read(ZONE)
        ovh.add(ZONE, "strange", "TXT", 300, '"x"')
        before = len(ovh.requests)
        provider.write(ZONE, [delete(found, "old._domainkey")])
        [old, strange] = [request.path for request in ovh.requests[before:] if request.path.startswith(f"{RECORD}/")][
            :2
        ]
        assert old != strange and strange.endswith(str(ovh.records(ZONE, "strange")[0].id))
        assert [call.partition(" ")[0] for call in ovh.calls()[before:]] == [
            "GET",
            "GET",
            "GET",
            "DELETE",
            "POST",
            "GET",
        ]

    @pytest.mark.parametrize("edit", [None, {"target": "v=DKIM1;p=THEIRS;"}, {"ttl": 600}])
    def test_a_record_that_changes_during_a_long_write(self, ovh: Ovh, edit: dict[str, object] | None) -> None:
        """After five seconds each record is looked at before it is written, and what somebody did to it stays."""
        times = [0.0]
        provider = client(ovh, now=lambda: times[0])
        found = provider.read(ZONE)
        [spf] = [entry for entry in ovh.records(ZONE, "@") if entry.type == "SPF"]

        def strange() -> None:
            times[0] = 6.0
            if edit is None:
                ovh.drop(ZONE, "old._domainkey", "TXT")
            else:
                ovh.change(ZONE, ovh.records(ZONE, "old._domainkey")[0], **edit)

        ovh.faults = [Fault("PUT", path=str(spf.id), stranger=strange)]
        if edit is None:
            provider.write(ZONE, todo(found))
            assert done(ovh)
        else:
            with pytest.raises(
                ProviderError, match=r"not what was read any more\. Before that, 1 of 4 changes were done"
            ) as caught:
                provider.write(ZONE, todo(found))
            [left] = ovh.records(ZONE, "old._domainkey")
            assert not isinstance(caught.value, StaleZone) and edit.items() <= vars(left).items()
            assert b"v=spf1 mx -all" in ovh.served(ZONE)["@", "TXT"][1]  # what is done need not wait

    @pytest.mark.parametrize("name", ["_dmarc", "old._domainkey"])
    def test_types_of_their_own(self, ovh: Ovh, name: str) -> None:
        """A record of the web form's types is changed in place: same id, same type, no quotes, no TTL of ours."""
        [entry] = ovh.records(ZONE, name)
        provider = client(ovh)
        found = provider.read(ZONE)
        text = f"v={entry.type}1; p=changed"
        provider.write(ZONE, [turn(found, name, entry.target, text)])
        assert ovh.records(ZONE, name) == [dataclasses.replace(entry, target=text)]
        with pytest.raises(
            ProviderError, match=rf"^{ZONE}: {name}.{ZONE} TXT stands at .* as type {entry.type}.*nothing was written"
        ):
            found = provider.read(ZONE)
            provider.write(ZONE, [turn(found, "mail", None, "x"), turn(found, name, text, f'v={entry.type}1; n="x"')])
        assert len(ovh.records(ZONE, "mail")) == 1

    def test_no_txt_at_a_selector(self, ovh: Ovh) -> None:
        """Where a key is refused as TXT it is made as type DKIM, without quotes; elsewhere, and where that fails too, it is an error."""
        ovh.no_txt = "s._domainkey"
        client(ovh).write(ZONE, [create("s._domainkey", KEY)])
        [entry] = ovh.records(ZONE, "s._domainkey")
        assert (entry.type, entry.target) == ("DKIM", KEY) and ovh.served(ZONE)["s._domainkey", "TXT"] == (
            3600,
            frozenset({KEY.encode()}),
        )
        ovh.no_txt = "t._domainkey"
        with pytest.raises(
            ProviderError, match=rf"^{ZONE}: writing t\._domainkey\.{ZONE} TXT: .*400: This is no TXT record"
        ):
            client(ovh).write(ZONE, [create("t._domainkey", "no key")])
        ovh.no_txt = "elsewhere"
        with pytest.raises(ProviderError, match="400: This is no TXT record"):
            client(ovh).write(ZONE, [create("elsewhere", KEY)])

    @pytest.mark.parametrize("joins", ["bare", "quoted"])
    def test_texts_that_come_back_joined(self, ovh: Ovh, joins: str) -> None:
        """A long text is the same text however it is cut."""
        ovh.joins = joins
        provider = client(ovh)
        provider.write(ZONE, [create("new._domainkey", KEY)])
        found = provider.read(ZONE)
        assert [rrset.values[0].text for rrset in found if rrset.name == "new._domainkey"] == [KEY]
        provider.write(ZONE, [delete(found, "new._domainkey")])

    def test_a_ttl(self, ovh: Ovh) -> None:
        """Another TTL goes to our record alone, with the value that it has; the zone's own TTL is 3600."""
        provider = client(ovh)
        found = provider.read(ZONE)
        assert {r.key: r.ttl for r in found if r.type == "TXT"} == {
            ("", "TXT"): 3600, ("mail", "TXT"): 600, ("_dmarc", "TXT"): 3600, ("old._domainkey", "TXT"): 3600,
        }  # fmt: skip
        [entry] = ovh.records(ZONE, "_dmarc")
        provider.write(ZONE, [turn(found, "_dmarc", entry.target, entry.target, ttl=900)])
        assert ovh.records(ZONE, "_dmarc") == [dataclasses.replace(entry, ttl=900)]

    def test_many_records(self, ovh: Ovh) -> None:
        """Each is asked for once, whatever its number."""
        for number in range(200):
            ovh.add(ZONE, f"h{number}", "A", 300, "192.0.2.9")
        assert len(client(ovh, timeout=(5.0, 30.0)).read(ZONE)) == 207
        assert len({*ovh.calls()}) == len(ovh.calls()) == 2 + 210


class TestReading:
    def test_values(self, ovh: Ovh) -> None:
        """Types of their own are TXT, names are in lower case, targets absolute."""
        found = {rrset.key: [value.text for value in rrset.values] for rrset in client(ovh).read(ZONE)}
        assert sorted(found["", "TXT"]) == ["bare; as it was sent", "site=12", "v=spf1 include:mx.ovh.com ~all"]
        assert found["", "MX"] == ["10 mx.example.org.", "20 mx.elsewhere.test."] and found["mail", "TXT"] == ["theirs"]
        assert not [key for key in found if key[1] in ("SPF", "DKIM", "DMARC")]

    def test_a_record_that_goes_meanwhile(self, ovh: Ovh) -> None:
        """Half a zone is no zone."""
        ovh.faults = [
            Fault(path="record$", skip=0),
            Fault(path="record/", skip=3, stranger=lambda: ovh.drop(ZONE, "www", "CNAME")),
        ]
        with pytest.raises(ProviderError, match=f"^{ZONE}: reading the zone: a record went") as caught:
            client(ovh).read(ZONE)
        assert caught.value.transient

    @pytest.mark.parametrize(("path", "answer", "words"), [
        ("record$", Answer(200, {}), "no list of records"),
        ("record$", Answer(200, ["1"]), "no list of records"),
        ("record$", Answer(200, [1, 1]), "no list of records"),
        ("record/", Answer(200, "null"), "no record of the zone"),
        ("record/", Answer(200, {"id": 1, "subDomain": "", "fieldType": "A", "ttl": 0, "target": "x"}), "no record of the zone"),
        ("record/", Answer(200, {"id": "1", "subDomain": "", "fieldType": "A", "ttl": 0, "target": "x"}), "no record of the zone"),
        ("record/", Answer(200, {"id": 1, "subDomain": "", "fieldType": "A", "ttl": None, "target": "x"}), "no record of the zone"),
        ("auth/time", Answer(200, "null"), "does not tell its time"),
        ("auth/time", Answer(404, HTML), "does not tell its time"),
    ])  # fmt: skip
    def test_a_reading_that_is_none(self, ovh: Ovh, path: str, answer: Answer, words: str) -> None:
        """What is not understood is an error, never an empty zone."""
        ovh.faults = [Fault(path=path, answer=answer)]
        with pytest.raises(ProviderError, match=rf"^{ZONE}: reading the zone: OVHcloud \(provider ovh\) .*{words}"):
            client(ovh).read(ZONE)

    @pytest.mark.parametrize(("status", "words", "code", "hint"), [
        (403, "This call has not been granted", "NOT_GRANTED_CALL", rf"GET, POST, PUT and DELETE on /domain/zone/{ZONE}/\*"),
        (403, "You must login first", "NOT_CREDENTIAL", "consumer_key"),
        (403, "This credential is not valid", "INVALID_CREDENTIAL", "make another one"),
        (403, "This application key is invalid", "INVALID_KEY", "application_key.*endpoint"),
        (400, "Invalid signature", "", "application_secret"),
        (403, "Query out of time", "QUERY_TIME_OUT", "clock"),
        (404, "This service does not exist", "", "no such zone.*No zone is ever created"),
        (460, "This service is expired", "", "has expired there"),
        (403, "Forbidden by something", "", "may read and change this zone"),
        (400, "Bad", "", "please report"),
        (403, "Odd", ["a code that is none"], "may read and change this zone"),
    ])  # fmt: skip
    def test_a_refusal(self, ovh: Ovh, status: int, words: str, code: str, hint: str) -> None:
        """Each is a sentence with the vendor's words, and what to do."""
        ovh.faults = [Fault(path="record", answer=Refused(status, words, code).answer)]
        with pytest.raises(
            ProviderError,
            match=rf"^{ZONE}: reading the zone: OVHcloud \(provider ovh\) answered {status}: {words}.*{hint}",
        ) as caught:
            client(ovh).read(ZONE)
        assert caught.value.transient is (code == "QUERY_TIME_OUT")


class TestServed:
    def test_a_refresh_that_fails(self, ovh: Ovh) -> None:
        """The sentence says that all is written and not served; the next write, which has nothing to do, has it served, and says so."""
        ovh.denied = {"POST refresh"}
        provider = client(ovh)
        with pytest.raises(
            ProviderError, match=rf"^{ZONE}: having the zone served: .*not been granted.*written, and are not served"
        ):
            provider.write(ZONE, todo(provider.read(ZONE)))
        assert not done(ovh) and b"v=spf1 mx -all" in ovh.values(ZONE)["@", "TXT"][1]
        with pytest.raises(ProviderError, match="having the zone served"):
            client(ovh).write(ZONE, ())
        ovh.denied, ovh.late = set(), 1
        assert client(ovh).write(ZONE, ()) == (
            f"OVHcloud (provider ovh) serves {ZONE} as it is written, which it did not before",
        )
        assert done(ovh)
        assert client(ovh).write(ZONE, ()) == () and ovh.calls().count(f"POST /domain/zone/{ZONE}/refresh") == 3

    def test_nothing_to_change_but_to_serve(self, ovh: Ovh) -> None:
        """A write whose changes are all there has the zone served, too."""
        ovh.zones[ZONE].served = {}
        provider = client(ovh)
        provider.write(ZONE, [turn(provider.read(ZONE), "mail", None, "theirs")])
        assert ovh.served(ZONE) == ovh.values(ZONE)

    def test_whoever_is_not_told(self, ovh: Ovh) -> None:
        """Where the status is not told, nothing is asked for a zone that needs no writing, and a write is done all the same."""
        ovh.denied = {"GET status"}
        provider = client(ovh)
        assert provider.write(ZONE, ()) == () and provider.write(ZONE, todo(provider.read(ZONE))) == () and done(ovh)

    def test_a_zone_with_an_error(self, ovh: Ovh) -> None:
        """A zone that is written and not served is an error, whoever finds it, with OVHcloud's words for the person who can put it right."""
        ovh.zones[ZONE].errors = ["www: bad\x1b name."]
        waited: list[float] = []
        provider = client(ovh, sleep=waited.append)
        changes = todo(provider.read(ZONE))
        for act in (
            lambda: provider.write(ZONE, changes),
            lambda: provider.write(ZONE, ()),
            lambda: provider.finish(ZONE),
        ):
            with pytest.raises(
                ProviderError, match=r"The records are written, and are not served before that is put right"
            ) as caught:
                act()
            assert str(caught.value).startswith(
                f"{ZONE}: having the zone served: OVHcloud (provider ovh) does not serve it as it is written: www: bad? name. The"
            )
            assert not caught.value.transient and waited == []
        ovh.zones[ZONE].errors = None
        assert "was asked once more to serve" in provider.finish(ZONE)[0] and provider.write(ZONE, ()) == ()

    def test_an_error_of_a_zone_that_is_served(self, ovh: Ovh) -> None:
        """What is told to be served is served, whatever else is found wrong in the zone."""
        answer = Answer(200, {"isDeployed": True, "errors": ["www: bad name"], "warnings": None})
        ovh.faults = [Fault("GET", path="status", answer=answer, times=9)]
        provider = client(ovh)
        assert provider.write(ZONE, todo(provider.read(ZONE))) == () and done(ovh)
        assert len(provider.finish(ZONE)) == 1

    @pytest.mark.parametrize("lost", [False, True])
    def test_a_zone_that_takes_its_time(self, ovh: Ovh, lost: bool) -> None:
        """It is waited for some seconds; then that is an error that a later pass has to see to, though one answer was lost."""
        ovh.late = 4
        waited: list[float] = []
        provider = client(ovh, sleep=waited.append)
        assert provider.write(ZONE, todo(provider.read(ZONE))) == () and waited == [1.0, 3.0, 5.0, 6.0]
        ovh.late = 99
        if lost:
            ovh.faults = [Fault("GET", path="status", answer=ovh.no_zone(), skip=1)]
        with pytest.raises(
            ProviderError, match=r"15 seconds later still says.*a later pass asks for it again"
        ) as caught:
            provider.write(ZONE, [create("one", "x")])
        assert caught.value.transient
        with pytest.raises(ProviderError, match=r"15 seconds later still says"):
            provider.finish(ZONE)
        with pytest.raises(ProviderError, match=r"15 seconds later still says"):
            provider.write(ZONE, ())

    def test_a_slow_zone_comes_to_its_end(self, ovh: Ovh) -> None:
        """Where a zone is served at last, asking once more for what takes its time is not another error, and so without an end."""
        ovh.late = 99
        provider = client(ovh)
        with pytest.raises(ProviderError, match="still says"):
            provider.write(ZONE, [create("one", "x")])
        ovh.zones[ZONE].waits = 0
        assert "was asked once more to serve" in provider.finish(ZONE)[0]

    def test_a_warning_for_ever(self, ovh: Ovh) -> None:
        """A zone with a warning, which is never told to be deployed, is waited for a few seconds and not told of."""
        ovh.zones[ZONE].warnings = ["something"]
        waited: list[float] = []
        provider = client(ovh, sleep=waited.append)
        assert provider.write(ZONE, todo(provider.read(ZONE))) == () and done(ovh) and waited == [1.0, 3.0]
        assert provider.write(ZONE, ()) == ()

    def test_a_refresh_without_a_body(self, ovh: Ovh) -> None:
        """204 is as good as 200."""
        ovh.bodiless = True
        provider = client(ovh)
        assert provider.write(ZONE, todo(provider.read(ZONE))) == () and done(ovh)

    @pytest.mark.parametrize("times", [1, 9])
    def test_an_answer_that_is_lost(self, ovh: Ovh, times: int) -> None:
        """What may have been done is served at once where that can be asked for, else by the next pass."""
        provider = client(ovh)
        found = provider.read(ZONE)
        ovh.faults = [Fault("POST", drop=True, commits=True), Fault("POST", path="refresh", drop=True, times=times - 1)]
        with pytest.raises(ProviderError, match=rf"^{ZONE}: writing one.*is not known") as caught:
            provider.write(ZONE, [create("one", "x")])
        assert caught.value.transient and (("one", "TXT") in ovh.served(ZONE)) is (times == 1)
        assert len([call for call in ovh.calls() if call == f"POST {RECORD}"]) == 1 and found
        ovh.faults = []
        client(ovh).write(ZONE, ())
        assert ("one", "TXT") in ovh.served(ZONE)


class TestWriting:
    def test_a_later_change_that_fails(self, ovh: Ovh) -> None:
        """It says how many changes were done, and these are served; the next pass does the rest."""
        provider = client(ovh)
        ovh.faults = [Fault("POST", path="record", answer=ovh.erred(), times=1)]
        with pytest.raises(ProviderError, match=r"500.*Before that, 2 of 4 changes were done") as caught:
            provider.write(ZONE, todo(provider.read(ZONE)))
        assert caught.value.transient and ("old._domainkey", "TXT") not in ovh.served(ZONE)
        again = client(ovh)
        again.write(ZONE, todo_left(again.read(ZONE)))
        assert done(ovh)

    def test_a_first_change_that_is_refused(self, ovh: Ovh) -> None:
        """Nothing is done then, and nothing is asked for any more."""
        ovh.faults = [Fault("PUT", answer=Refused(400, "No").answer)]
        provider = client(ovh)
        with pytest.raises(ProviderError, match=rf"^{ZONE}: writing {ZONE} TXT: .*400: No"):
            provider.write(ZONE, todo(provider.read(ZONE)))
        assert asked(ovh)[-1].startswith("PUT") and ovh.values(ZONE) == ovh.served(ZONE)

    @pytest.mark.parametrize("method", ["PUT", "DELETE"])
    def test_a_record_that_is_gone(self, ovh: Ovh, method: str) -> None:
        """What is to go may be gone; what is to be changed may not; and a 404 that is about the zone is told as that."""
        provider = client(ovh)
        found = provider.read(ZONE)
        change = (
            delete(found, "old._domainkey")
            if method == "DELETE"
            else turn(found, "old._domainkey", "v=DKIM1;k=rsa;p=OLD;", "v=DKIM1; p=")
        )
        ovh.faults = [Fault(method, answer=ovh.no_zone())]
        with pytest.raises(ProviderError, match=r"404: This service does not exist.*no such zone") as caught:
            provider.write(ZONE, [change])
        assert not isinstance(caught.value, StaleZone)
        provider.read(ZONE)
        ovh.faults = [Fault(method, stranger=lambda: ovh.drop(ZONE, "old._domainkey", "TXT"))]
        if method == "DELETE":
            assert provider.write(ZONE, [change]) == ()
        else:
            with pytest.raises(StaleZone):
                provider.write(ZONE, [change])

    @pytest.mark.parametrize("told", [
        {"subDomain": "x"}, {"fieldType": "A"}, {"target": "other"}, {"ttl": 60}, {"id": None},
    ])  # fmt: skip
    def test_an_answer_that_shows_something_else(self, ovh: Ovh, told: dict[str, object]) -> None:
        """A new record is compared with what was asked for."""
        right = {"id": 1, "subDomain": "new", "fieldType": "TXT", "target": "ours", "ttl": 3600, "zone": ZONE}
        ovh.faults = [Fault("POST", path="record", answer=Answer(200, {**right, **told}))]
        with pytest.raises(
            ProviderError, match=rf"^{ZONE}: writing new\.{ZONE} TXT: .*something else than was asked for"
        ):
            client(ovh).write(ZONE, [create("new", "ours")])
        ovh.faults = [Fault("POST", path="record", answer=Answer(200, right))]
        client(ovh).write(ZONE, [create("new", "ours")])

    def test_type_spf(self, ovh: Ovh) -> None:
        """Real records of that type cannot be held, and nothing is asked for."""
        with pytest.raises(ProviderError, match="takes no record of type SPF"):
            client(ovh).write(ZONE, [create("", "v=spf1 -all", kind="SPF")])
        assert ovh.requests == [] and not client(ovh).limits.type99


def todo_left(found: tuple[RRset, ...]) -> list[Change]:
    """What is missing of `todo`."""
    names = {rrset.name for rrset in found}
    return [
        change
        for change in (create("new._domainkey", KEY), create("_dmarc.sub", "v=DMARC1; p=none"))
        if change.name not in names
    ]


class TestOptions:
    def test_every_mistake(self) -> None:
        """Each wrong option is a line of its own that begins with the option's name, and shows no secret."""
        with pytest.raises(ProviderError, match=r"^application_key: is missing[^\n]*\napplication_secret: is not one word[^\n]*\n"
                                                r"consumer_key: is missing[^\n]*\nendpoint: must be one of ovh-eu, [^\n]*$") as caught:  # fmt: skip
            Provider("ovh", endpoint="ovh", application_secret="two words")
        assert "two words" not in str(caught.value)
        with pytest.raises(ProviderError, match=r"^endpoint: must be an https address[^\n]*$"):
            Provider("ovh", "http://eu.api.ovh.com/1.0", "a", "b", "c")
        for name in ENDPOINTS:
            assert "OVHcloud" in repr(Provider("ovh", name, "a", "b", "c")._api)

    def test_secrets_that_are_told_back(self, ovh: Ovh) -> None:
        """None of the three comes into a message."""
        ovh.faults = [Fault(path="record", answer=ovh.unauthorized(" ".join(ovh.keys.values())))]
        with pytest.raises(ProviderError, match=r"\(secret\) \(secret\) \(secret\)") as caught:
            client(ovh).read(ZONE)
        assert not [key for key in ovh.keys.values() if key in str(caught.value)]

    @pytest.mark.parametrize(("method", "path", "pause"), [("GET", "record/", 100), ("DELETE", "record/", 5)])
    def test_a_wait_that_outlasts_a_signature(self, method: str, path: str, pause: int) -> None:
        """A request that is repeated after the pause that OVHcloud asked for is signed anew, so that it is not out of time."""
        now = [1_795_507_200.0]

        def later(seconds: float) -> None:
            now[0] += max(
                seconds, 100
            )  # a write is asked to wait for five seconds at most; answers take their time, too

        with Ovh({ZONE: ROWS}, now=lambda: now[0]) as ovh:
            provider = client(ovh, clock=lambda: now[0], sleep=later)
            slowly = Answer(429, {"message": "slowly"}, {"Retry-After": str(pause)})
            ovh.faults = [Fault(method, path=path, answer=slowly)]
            provider.write(ZONE, todo(provider.read(ZONE)))
            assert done(ovh) and ovh.faults[0].struck == 1 and now[0] == 1_795_507_300.0

    def test_a_clock_that_is_wrong(self, ovh: Ovh) -> None:
        """Requests are signed with the other side's time; it is asked for once, and that request alone is not signed."""
        provider = client(ovh, clock=lambda: 12.0)
        provider.write(ZONE, todo(provider.read(ZONE)))
        assert ovh.calls().count("GET /auth/time") == 1 and done(ovh)
        assert [request.path for request in ovh.requests if not request.headers.get("X-Ovh-Signature")] == [
            "/auth/time"
        ]
