"""Gandi against its stand-in: what is asked for, how it is written, and what becomes of each fault."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest
from dnssync_providers._livedns import explain
from dnssync_providers.gandi import Provider

from dnssync.core.model import Change, Kind, ProviderError, RRset, StaleZone, TypeRefused, Value
from tests.gandi import Gandi, Switches
from tests.gandi_faults import DNS_RECORD, ERRED, FORBIDDEN, NOT_FOUND, UNAUTHORIZED, invalid
from tests.http_faults import HTML, Answer, Fault

ZONE = "example.org"
KEY = "v=DKIM1; k=rsa; p=" + "A" * 392
ROWS = [
    ("@", "A", 3600, ["192.0.2.1"]),
    ("@", "MX", 3600, ["10 mx"]),
    ("@", "TXT", 1800, ['"v=spf1 mx -all"', '"site=1" "2"', '"v=spf10"']),
    ("Mail", "TXT", 3600, ['"theirs"']),
    ("old._domainkey", "TXT", 3600, ['"v=DKIM1; p=OLD"']),
    ("www", "CNAME", 3600, ["@"]),
]
# One change at the apex, two new records, one taken away: what a provider is measured by.
TODO = {
    ("", "TXT"): ["v=spf1 mx a -all"],
    ("_dmarc", "TXT"): ["v=DMARC1; p=none"],
    ("new._domainkey", "TXT"): [KEY],
    ("old._domainkey", "TXT"): [],
}
OURS = {("", "TXT"): {"v=spf1 mx -all", "v=spf1 mx a -all"}, ("old._domainkey", "TXT"): {"v=DKIM1; p=OLD"}}


@pytest.fixture
def gandi() -> Iterator[Gandi]:
    """The stand-in with a small zone."""
    with Gandi({ZONE: ROWS}) as running:
        yield running


def client(gandi: Gandi, **options: object) -> Provider:
    """The provider, with no patience and a clock that stands still."""
    what = {
        "token": gandi.token,
        "endpoint": gandi.endpoint,
        "timeout": (5.0, 2.0),
        "sleep": lambda s: None,
        "now": lambda: 0.0,
    }
    return Provider("gandi", **{**what, **options})


def changes(found: tuple[RRset, ...], todo: dict[tuple[str, str], list[str]] = TODO) -> list[Change]:
    """The changes from what was found to `todo`; strangers' values are carried along as they were read."""
    standing = {rrset.key: rrset for rrset in found}
    made = []
    for key, texts in todo.items():
        old = standing.get(key)
        foreign = [v for v in old.values if v.text not in OURS.get(key, set())] if old else []
        kept = [v for v in old.values if v.text in texts] if old else []
        new = [*foreign, *kept, *(Value(text, "") for text in texts if text not in {v.text for v in kept})]
        if (old is None and not new) or (old is not None and {v.text for v in old.values} == {v.text for v in new}):
            continue
        rrset = RRset(*key, old.ttl if old else 3600, tuple(new)) if new else None
        made.append(Change(Kind.CREATE if old is None else Kind.UPDATE if new else Kind.DELETE, *key, old, rrset))
    return made


def foreign(gandi: Gandi) -> dict[tuple[str, str], tuple[int, frozenset[bytes]]]:
    """Everything in the zone that is not ours."""
    ours = {text.encode() for texts in TODO.values() for text in texts} | {b"v=spf1 mx -all", b"v=DKIM1; p=OLD"}
    shown = {key: (ttl, values - ours) for key, (ttl, values) in gandi.values(ZONE).items()}
    return {key: (ttl, values) for key, (ttl, values) in shown.items() if values}


def done(gandi: Gandi) -> bool:
    """Whether the zone holds what was to be done."""
    stands = gandi.values(ZONE)
    return (
        b"v=spf1 mx a -all" in stands["@", "TXT"][1] and b"v=spf1 mx -all" not in stands["@", "TXT"][1]
        and stands.get(("_dmarc", "TXT")) == (3600, frozenset({b"v=DMARC1; p=none"}))
        and stands.get(("new._domainkey", "TXT")) == (3600, frozenset({KEY.encode()}))
        and ("old._domainkey", "TXT") not in stands
    )  # fmt: skip


class TestRequests:
    def test_as_few_as_can_be(self, gandi: Gandi) -> None:
        """One reading and a request a change, and what types there are where none of type SPF shows it; a name and a value of somebody
        else's is not even sent."""
        provider = client(gandi)
        before = foreign(gandi)
        assert provider.write(ZONE, changes(provider.read(ZONE))) == ()
        assert gandi.calls() == [
            f"GET /domains/{ZONE}/records",
            "GET /dns/rrtypes",
            f"PATCH /domains/{ZONE}/records/@/TXT",
            f"DELETE /domains/{ZONE}/records/old._domainkey/TXT",
            f"POST /domains/{ZONE}/records/_dmarc/TXT",
            f"POST /domains/{ZONE}/records/new._domainkey/TXT",
        ]
        assert "site=1" not in json.dumps([request.body for request in gandi.requests])
        assert done(gandi) and foreign(gandi) == before and gandi.gaps(ZONE) == {}
        provider.read(ZONE)
        assert gandi.calls().count("GET /dns/rrtypes") == 1

    def test_an_rrset_of_ours_whole(self, gandi: Gandi) -> None:
        """It is replaced in one request, with its TTL, since a TTL left out would become another one."""
        gandi.put(ZONE, "_dmarc", "TXT", 900, ['"v=DMARC1; p=none"'])
        provider = client(gandi)
        old = next(r for r in provider.read(ZONE) if r.name == "_dmarc")
        new = RRset("_dmarc", "TXT", 900, (Value("v=DMARC1; p=reject", ""),))
        provider.write(ZONE, [Change(Kind.UPDATE, "_dmarc", "TXT", old, new)])
        assert gandi.calls()[-1] == f"PUT /domains/{ZONE}/records/_dmarc/TXT"
        assert gandi.values(ZONE)["_dmarc", "TXT"] == (900, frozenset({b"v=DMARC1; p=reject"}))

    def test_a_name_in_its_own_case(self, gandi: Gandi) -> None:
        """What was read as `Mail` is written as `Mail`: in another case Gandi answers with an error."""
        provider = client(gandi)
        old = next(r for r in provider.read(ZONE) if r.name == "mail")
        new = RRset("mail", "TXT", old.ttl, (*old.values, Value("v=spf1 a -all", "")))
        spf = RRset("mail", "SPF", 3600, (Value("v=spf1 a -all", ""),))
        provider.write(
            ZONE, [Change(Kind.UPDATE, "mail", "TXT", old, new), Change(Kind.CREATE, "mail", "SPF", None, spf)]
        )
        assert gandi.values(ZONE)["mail", "TXT"][1] == {b"theirs", b"v=spf1 a -all"}
        assert gandi.calls()[-2:] == [
            f"PATCH /domains/{ZONE}/records/Mail/TXT",
            f"POST /domains/{ZONE}/records/Mail/SPF",
        ]

    def test_two_spellings_of_one_name(self, gandi: Gandi) -> None:
        """They are one name to DNS; which one to write to is for a person to say."""
        gandi.zones[ZONE].entries["MAIL", "TXT"] = dataclasses.replace(
            gandi.zones[ZONE].entries["mail", "TXT"], name="MAIL", values=[b"x"]
        )
        provider = client(gandi)
        old = next(r for r in provider.read(ZONE) if r.name == "mail")
        assert sorted(v.text for v in old.values) == ["theirs", "x"]
        new = dataclasses.replace(old, values=(*old.values, Value("ours", "")))
        with pytest.raises(ProviderError, match="stands twice"):
            provider.write(ZONE, [Change(Kind.UPDATE, "mail", "TXT", old, new)])

    def test_two_thousand_records(self, gandi: Gandi) -> None:
        """Every page is read, each once; what a single change rests on is then looked at alone."""
        for number in range(1994):
            gandi.put(ZONE, f"h{number}", "TXT", 300, [f'"{number}"'])
        clock = iter(range(0, 10**6, 60))
        provider = client(gandi, now=lambda: next(clock), timeout=(5.0, 30.0))
        found = provider.read(ZONE)
        assert len(found) == len({r.key for r in found}) == 2000
        assert gandi.calls().count(f"GET /domains/{ZONE}/records") == 5
        provider.write(ZONE, changes(found))
        assert gandi.calls().count(f"GET /domains/{ZONE}/records") == 5 and done(gandi)

    @pytest.mark.parametrize("listed", [True, False])
    def test_type_spf_as_gandi_lists_it(self, gandi: Gandi, listed: bool) -> None:
        """Whether type SPF can be held is what Gandi itself says today."""
        gandi.switches.spf_listed = listed
        provider = client(gandi)
        provider.read(ZONE)
        assert provider.limits.type99 is listed

    def test_no_answer_about_types_is_a_no(self, gandi: Gandi) -> None:
        """An API without that question is used all the same, without type SPF."""
        gandi.faults = [Fault(path="rrtypes", answer=Answer(404, NOT_FOUND))]
        provider = client(gandi)
        assert len(provider.read(ZONE)) == len(ROWS) and not provider.limits.type99

    def test_type_spf_refused_all_the_same(self, gandi: Gandi) -> None:
        """Everything else is written, and the sentence names the record and what to do."""
        gandi.switches.spf_taken = False
        spf = Change(Kind.CREATE, "", "SPF", None, RRset("", "SPF", 3600, (Value("v=spf1 -all", ""),)))
        provider = client(gandi)
        with pytest.raises(
            TypeRefused, match=rf"^{ZONE}: writing {ZONE} SPF.*unknown record type.*All else.*type99"
        ) as error:
            provider.write(ZONE, [spf, *changes(provider.read(ZONE))])
        assert done(gandi) and not error.value.transient
        more = [
            dataclasses.replace(spf, name=name, new=RRset(name, "SPF", 3600, (Value("v=spf1 -all", ""),)))
            for name in ("host", "smtp")
        ]
        with pytest.raises(TypeRefused, match=rf"writing host\.{ZONE} SPF and of 1 names more: ") as error:
            provider.write(ZONE, more)
        assert gandi.calls()[-2:] == [f"POST /domains/{ZONE}/records/{name}/SPF" for name in ("host", "smtp")]
        provider.read(ZONE)
        assert not provider.limits.type99

    def test_relative_targets(self, gandi: Gandi) -> None:
        """A target without its final dot is relative to the zone, as everywhere in DNS; its spelling is kept."""
        found = {r.key: r.values for r in client(gandi).read(ZONE)}
        assert found["", "MX"] == (Value(f"10 mx.{ZONE}.", "10 mx"),)
        assert found["www", "CNAME"] == (Value(f"{ZONE}.", "@"),)

    def test_unquoted_answers(self, gandi: Gandi) -> None:
        """A text that comes without quotes is the text."""
        gandi.switches.quoted = False
        texts = {v.text for r in client(gandi).read(ZONE) if r.key == ("", "TXT") for v in r.values}
        assert texts == {"v=spf1 mx -all", "site=12", "v=spf10"}

    def test_apikey_and_sharing_id(self, gandi: Gandi) -> None:
        """The deprecated key works; a reseller's domain is found with the organisation alone, on writes too."""
        gandi.switches.sharing_required = True
        with pytest.raises(ProviderError, match="sharing_id"):
            client(gandi, token="", apikey=gandi.apikey).read(ZONE)
        provider = client(gandi, token="", apikey=gandi.apikey, sharing_id=gandi.organisation)
        provider.write(ZONE, changes(provider.read(ZONE)))
        assert done(gandi)


READING = {
    "a token that has expired": (Fault(answer=Answer(401, UNAUTHORIZED), times=9), "401.*expired", False),
    "no right": (Fault(answer=Answer(403, FORBIDDEN), times=9), "403.*Access was denied", False),
    "no right, in HTML": (Fault(answer=Answer(403, HTML), times=9), "403", False),
    "no such zone": (
        Fault(path="records", answer=Answer(404, NOT_FOUND), times=9),
        "no such zone, or the token may not see it",
        False,
    ),
    "too many requests": (
        Fault(path="records", answer=Answer(429, headers={"Retry-After": "1"}), times=9),
        "429|no time",
        True,
    ),
    "far too many requests": (
        Fault(path="records", answer=Answer(429, headers={"Retry-After": "86400"}), times=9),
        "wants no more requests for",
        True,
    ),
    "a Retry-After that is none": (
        Fault(path="records", answer=Answer(429, headers={"Retry-After": "soon"}), times=9),
        "429",
        True,
    ),
    "an error of theirs": (Fault(path="records", answer=Answer(500, ERRED), times=9), "500.*erred", True),
    "a front end's error": (Fault(path="records", answer=Answer(502, HTML), times=9), "502", True),
    "a page of HTML": (Fault(path="records", answer=Answer(200, HTML)), "not JSON", True),
    "an answer cut short": (Fault(path="records", cut=True), "not JSON", True),
    "an object for a list": (Fault(path="records", answer=Answer(200, {"message": "?"})), "no list of records", False),
    "a list of something else": (
        Fault(path="records", answer=Answer(200, [{"rrset_name": "x"}])),
        "no record set",
        False,
    ),
    "nothing at all": (Fault(path="records", answer=Answer(200)), "no list of records", False),
    "an empty page": (
        Fault(path="records", answer=Answer(200, [], {"Total-Count": "6"})),
        "counts 6 record sets and shows 0",
        True,
    ),
    "no answer": (Fault(path="records", hang=True, times=9), "has not answered within", True),
    "a lost connection": (Fault(path="records", drop=True, times=9), "broke off|cannot be reached", True),
    "a redirect": (
        Fault(path="records", answer=Answer(302, headers={"Location": "https://evil.example/x"})),
        "redirect to evil.example",
        False,
    ),
}


@pytest.mark.parametrize("case", READING, ids=str)
def test_a_read_that_fails(gandi: Gandi, case: str) -> None:
    """Every fault of a reading is an error with zone, provider and remedy, never an empty zone; once it is over, all is read."""
    fault, words, transient = READING[case]
    gandi.faults = [dataclasses.replace(fault, release=type(fault.release)())]
    provider = client(gandi)
    with pytest.raises(ProviderError, match=rf"^{ZONE}: .*(?:{words})") as caught:
        provider.read(ZONE)
    assert caught.value.transient is transient and "provider gandi" in str(caught.value)
    assert gandi.token not in f"{caught.value!r} {caught.value.__cause__!r} {provider!r}"
    gandi.faults[0].times = 0
    assert len(provider.read(ZONE)) == len(ROWS)


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize(
    "answer",
    [Answer(429, headers={"Retry-After": "2"}), Answer(429), Answer(502, HTML), Answer(503), Answer(504)],
    ids=str,
)
def test_a_read_that_needs_patience(gandi: Gandi, answer: Answer, times: int) -> None:
    """What passes is waited for, as long as Gandi asks for."""
    waited: list[float] = []
    gandi.faults = [Fault(path="records", answer=answer, times=times)]
    assert len(client(gandi, sleep=waited.append).read(ZONE)) == len(ROWS)
    if "Retry-After" in answer.headers:
        assert waited == [2.0] * times


def test_a_count_of_many_digits(gandi: Gandi) -> None:
    """A number longer than Python reads is a lie like any other."""
    gandi.faults = [Fault(path="records", answer=Answer(200, [], {"Total-Count": "9" * 5000}))]
    with pytest.raises(ProviderError, match=f"^{ZONE}: reading the zone: .* counts 999999999 record sets and shows 0"):
        client(gandi).read(ZONE)


@pytest.mark.parametrize("total", [-1, 1, 100])
def test_a_count_that_lies(gandi: Gandi, total: int) -> None:
    """A zone that does not come to what Gandi counts is not taken for the zone, and the reading ends."""
    gandi.switches.total = total
    with pytest.raises(ProviderError, match="counts"):
        client(gandi).read(ZONE)


def test_no_count(gandi: Gandi) -> None:
    """Without a count pages are read until one is empty."""
    gandi.switches.total = None
    for number in range(994):
        gandi.put(ZONE, f"h{number}", "A", 300, ["192.0.2.9"])
    assert len(client(gandi, timeout=(5.0, 30.0)).read(ZONE)) == 1000
    assert gandi.calls().count(f"GET /domains/{ZONE}/records") == 3


def test_a_zone_that_changes_between_two_pages(gandi: Gandi) -> None:
    """A record that moved to the next page would be there twice, or not at all: the zone is read again by the next pass."""
    for number in range(1000):
        gandi.put(ZONE, f"h{number:04d}", "A", 300, ["192.0.2.9"])
    for strange in (lambda: gandi.put(ZONE, "a", "A", 300, ["192.0.2.9"]), lambda: gandi.put(ZONE, "a", "A", 300, [])):
        gandi.faults = [Fault(path="records", skip=1, stranger=strange)]
        with pytest.raises(ProviderError, match=r"two pages|counts") as caught:
            client(gandi).read(ZONE)
        assert caught.value.transient


WRITING = {
    "refused as invalid": Fault("POST|PUT|PATCH", answer=invalid("'x': is not good")),
    "refused, with a message": Fault(
        "POST|PUT|PATCH",
        answer=Answer(400, {"code": 400, "message": "No", "object": "HTTPBadRequest", "cause": "x", "errors": []}),
    ),
    "a token that has expired": Fault("POST|PUT|PATCH|DELETE", skip=1, times=9, answer=Answer(401, UNAUTHORIZED)),
    "no right": Fault("POST|PUT|PATCH|DELETE", answer=Answer(403, FORBIDDEN), times=9),
    "no right, in HTML": Fault("PATCH", answer=Answer(403, HTML)),
    "a record that is gone": Fault("PATCH", answer=Answer(404, DNS_RECORD)),
    "a zone that is gone": Fault("PATCH|DELETE", answer=Answer(404, NOT_FOUND), times=9),
    "somebody was faster": Fault("POST", answer=Answer(409, {"code": 409, "message": "This record already exists"})),
    "too many requests": Fault("PATCH", answer=Answer(429, headers={"Retry-After": "1"})),
    "an error of theirs": Fault("POST", skip=1, answer=Answer(500, ERRED)),
    "an error of theirs, and done": Fault("PATCH", answer=Answer(500, ERRED), commits=True),
    "a front end's error": Fault("POST", answer=Answer(502, HTML)),
    "a front end's error, and done": Fault("POST", answer=Answer(502, HTML), commits=True),
    "no answer": Fault("PATCH", hang=True),
    "no answer, and done": Fault("PATCH", hang=True, commits=True),
    "a connection lost before": Fault("POST", drop=True),
    "a connection lost after": Fault("POST|PATCH", drop=True, commits=True),
    "a connection lost in a delete": Fault("DELETE", drop=True, commits=True, times=9),
    "an answer cut short": Fault("PATCH", cut=True),
    "something else than was asked for": Fault(
        "PATCH",
        answer=Answer(200, {"rrset_name": "@", "rrset_type": "TXT", "rrset_ttl": 1800, "rrset_values": ['"v=spf10"']}),
    ),
    "no record set for an answer, and nothing done": Fault("PATCH", answer=Answer(200, {"message": "ok"})),
}


@pytest.mark.parametrize("interactive", [False, True])
@pytest.mark.parametrize("case", WRITING, ids=str)
def test_a_write_that_fails(gandi: Gandi, case: str, interactive: bool) -> None:
    """A clear error; strangers' records are the same octets, nothing was missing in between, and the next pass gets there."""
    before = foreign(gandi)
    gandi.faults = [dataclasses.replace(WRITING[case], release=type(WRITING[case].release)())]
    clock = iter(range(0, 10**6, 60))
    provider = client(gandi, now=(lambda: next(clock)) if interactive else (lambda: 0.0))
    todo = changes(provider.read(ZONE))
    try:
        provider.write(ZONE, todo)
        assert case == "a connection lost in a delete", "no error was told"
    except ProviderError as error:
        assert str(error).startswith(f"{ZONE}: ") and "gandi" in str(error) and gandi.token not in repr(error)
    assert gandi.faults[0].struck and foreign(gandi) == before
    gandi.faults[0].release.set()
    gandi.faults[0].times = 0
    again = client(gandi)
    again.write(ZONE, changes(again.read(ZONE)))
    assert done(gandi) and foreign(gandi) == before and changes(again.read(ZONE)) == []
    assert {key for key in gandi.gaps(ZONE) if key[2] not in (b"v=spf1 mx -all", b"v=DKIM1; p=OLD")} == set()


def test_nothing_is_repeated_that_may_have_been_done(gandi: Gandi) -> None:
    """POST and PATCH go out once, whatever comes back; DELETE, which can be done twice, is tried again."""
    provider = client(gandi)
    todo = changes(provider.read(ZONE))
    gandi.faults = [Fault("POST|PATCH", drop=True, commits=True, times=99)]
    with pytest.raises(ProviderError, match="is not known"):
        provider.write(ZONE, todo)
    assert len([call for call in gandi.calls() if call.startswith(("POST", "PATCH"))]) == 1


STRANGERS = {
    "a value beside ours": lambda g: g.put(
        ZONE, "@", "TXT", 1800, ['"v=spf1 mx -all"', '"site=1" "2"', '"v=spf10"', '"later"']
    ),
    "our value edited": lambda g: g.put(ZONE, "@", "TXT", 1800, ['"v=spf1 mx ~all"', '"site=1" "2"', '"v=spf10"']),
    "our value taken out": lambda g: g.put(ZONE, "@", "TXT", 1800, ['"site=1" "2"', '"v=spf10"']),
    "another TTL": lambda g: g.put(ZONE, "@", "TXT", 700, ['"v=spf1 mx -all"', '"site=1" "2"', '"v=spf10"']),
    "the RRset taken away": lambda g: g.put(ZONE, "@", "TXT", 1800, []),
    "a record where ours should go": lambda g: g.put(ZONE, "_dmarc", "TXT", 300, ['"v=DMARC1; p=reject"']),
    "a CNAME where ours should go": lambda g: g.put(ZONE, "_dmarc", "CNAME", 300, ["elsewhere"]),
}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("case", STRANGERS, ids=str)
def test_a_foreign_writer(gandi: Gandi, case: str, at_once: bool, strict: bool) -> None:
    """Somebody writes between our reading and our write: long before it, or in the moment before the request. What they wrote
    is there afterwards, to the octet, and never do two SPF records stand there."""
    gandi.switches.patch_strict, gandi.switches.patch_creates = strict, not strict
    clock = iter(range(0, 10**6, 60))
    provider = client(gandi, now=(lambda: 0.0) if at_once else lambda: next(clock))
    todo = [change for change in changes(provider.read(ZONE)) if change.name in ("", "_dmarc")]
    STRANGERS[case](gandi)
    theirs = gandi.values(ZONE)
    harmless = case in ("a value beside ours", "another TTL")
    try:
        provider.write(ZONE, todo)
    except ProviderError as error:
        assert str(error).startswith(f"{ZONE}: ")
        assert isinstance(error, StaleZone) or at_once or "CNAME" in case
    else:
        assert at_once and (harmless or not strict)
    stands = gandi.values(ZONE)
    assert (
        theirs.get(("@", "TXT"), (0, frozenset()))[1] - {b"v=spf1 mx -all"}
        <= stands.get(("@", "TXT"), (0, frozenset()))[1]
    )
    assert len([v for v in stands.get(("@", "TXT"), (0, frozenset()))[1] if v.startswith(b"v=spf1 ")]) <= 1
    for key in (("_dmarc", "TXT"), ("_dmarc", "CNAME")):
        if key in theirs:
            assert stands[key] == theirs[key]


class TestSecrets:
    @pytest.mark.parametrize(
        "options",
        [{"token": ""}, {"apikey": "x"}, {"token": "two words"}, {"token": "line\nline"}, {"token": "ümlaut"}],
    )
    def test_told_at_once(self, gandi: Gandi, options: dict[str, str]) -> None:
        """A token that cannot be one is told without being shown."""
        with pytest.raises(ProviderError) as caught:
            client(gandi, **options)
        assert not any(word in str(caught.value) for word in ("two words", "line\n", "ümlaut"))

    def test_every_mistake(self) -> None:
        """Each wrong option is a line of its own that begins with the option's name."""
        with pytest.raises(ProviderError, match=r"^apikey: cannot[^\n]*\nendpoint: must be an https address[^\n]*$"):
            Provider("gandi", token="x", apikey="y", endpoint="http://api.gandi.net/v5")
        with pytest.raises(ProviderError, match=r"^token: is missing[^\n]*$"):
            Provider("gandi")
        with pytest.raises(ProviderError, match=r"^apikey: is not one word[^\n]*$"):
            Provider("gandi", apikey="two words")

    def test_a_secret_file_ends_in_a_line_break(self, gandi: Gandi) -> None:
        """White space around the token is not part of it."""
        assert client(gandi, token=f"{gandi.token}\n").read(ZONE)

    def test_no_plain_http(self) -> None:
        """The token travels encrypted, but on loopback."""
        with pytest.raises(ProviderError, match="https"):
            Provider("gandi", token="x", endpoint="http://api.gandi.net/v5")

    def test_netrc_is_not_asked(self, gandi: Gandi, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A netrc file with a login for that host does not take the token's place."""
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        assert client(gandi).read(ZONE)


@pytest.mark.parametrize(("data", "words"), [
    ({"code": 400, "message": "No.", "errors": [{"description": "d"}]}, "No; d"),
    ({"status": "error", "errors": [{"location": "body", "name": "items", "description": "bad"}]}, "bad"),
    ({"errors": "?"}, ""), ([], ""), (None, ""), ({"message": "No"}, "No"),
])  # fmt: skip
def test_the_words_of_an_error(data: object, words: str) -> None:
    """In each shape that is known, and none where there are none."""
    assert explain(data) == words


def test_delete_of_what_is_gone(gandi: Gandi) -> None:
    """What somebody else deleted is deleted, whichever way Gandi puts it."""
    for status in (404, 204):
        gandi.put(ZONE, "old._domainkey", "TXT", 3600, ['"v=DKIM1; p=OLD"'])
        gandi.switches = Switches(delete_missing=status)
        provider = client(gandi)
        [change] = [c for c in changes(provider.read(ZONE)) if c.new is None]
        gandi.put(ZONE, "old._domainkey", "TXT", 3600, [])
        assert provider.write(ZONE, [change]) == ()
