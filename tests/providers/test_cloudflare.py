"""Cloudflare against its stand-in: what is asked for, with which bodies, and what becomes of each refusal."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest
from dnssync_providers.cloudflare import Provider

from dnssync.core.model import Change, ProviderError, RRset, StaleZone, Value
from tests.cloudflare import Cloudflare, Zone
from tests.cloudflare_records import Refused
from tests.http_faults import HTML, Answer, Fault
from tests.providers.asked import create, delete, turn

ZONE = "example.org"
KEY = "v=DKIM1; k=rsa; p=" + "A" * 392
ROWS = [
    ("@", "A", 1, ["192.0.2.1"]),
    ("@", "MX", 3600, ["10 mx.example.org."]),
    ("@", "TXT", 1800, ['"v=spf1 mx -all"', '"site=1" "2"', "bare; as it was sent"]),
    ("mail", "TXT", 1, ['"theirs"']),
    ("old._domainkey", "TXT", 3600, ['"v=DKIM1; p=OLD"']),
    ("www", "CNAME", 1, ["example.org."]),
    ("_sip._tcp", "SRV", 3600, ["0 5 5060 sip.example.org."]),
    ("spf", "SPF", 3600, ['"v=spf1 -all"']),
]


@pytest.fixture
def cloudflare() -> Iterator[Cloudflare]:
    """The stand-in with a small zone."""
    with Cloudflare({ZONE: ROWS}) as running:
        yield running


def client(cloudflare: Cloudflare, **options: object) -> Provider:
    """The provider, with no patience and a clock that stands still."""
    given = {"token": cloudflare.token, "endpoint": cloudflare.endpoint, "timeout": (5.0, 2.0)}
    return Provider("cloudflare", **{**given, "sleep": lambda s: None, "now": lambda: 0.0, **options})


def todo(found: tuple[RRset, ...]) -> list[Change]:
    """One change at the apex, two new records, one taken away: what a provider is measured by."""
    return [
        turn(found, "", "v=spf1 mx -all", "v=spf1 mx a -all"),
        create("new._domainkey", KEY),
        create("_dmarc", "v=DMARC1; p=none"),
        delete(found, "old._domainkey"),
    ]


class TestRequests:
    def test_as_few_as_can_be(self, cloudflare: Cloudflare) -> None:
        """Two requests for a plan; for an apply one that names the ids of our records alone, and a look at what came meanwhile; long texts are
        quoted and cut at 255."""
        provider = client(cloudflare)
        zone, [spf] = cloudflare.zones[ZONE].id, cloudflare.records(ZONE, "@", "TXT")[:1]
        [old] = cloudflare.records(ZONE, "old._domainkey", "TXT")
        found = provider.read(ZONE)
        assert provider.write(ZONE, todo(found)) == ()
        assert cloudflare.calls() == [
            "GET /zones",
            f"GET /zones/{zone}/dns_records",
            f"POST /zones/{zone}/dns_records/batch",
            f"GET /zones/{zone}/dns_records",
        ]
        assert cloudflare.requests[-2].body == {
            "deletes": [{"id": old.id}],
            "patches": [{"id": spf.id, "content": '"v=spf1 mx a -all"'}],
            "posts": [
                {
                    "name": f"new._domainkey.{ZONE}",
                    "type": "TXT",
                    "ttl": 3600,
                    "content": f'"{KEY[:255]}" "{KEY[255:]}"',
                },
                {"name": f"_dmarc.{ZONE}", "type": "TXT", "ttl": 3600, "content": '"v=DMARC1; p=none"'},
            ],
        }
        assert cloudflare.values(ZONE)["new._domainkey", "TXT"] == (3600, frozenset({KEY.encode()}))
        assert provider.requests == {"2xx": 4}

    def test_what_is_kept_with_a_record(self, cloudflare: Cloudflare) -> None:
        """A changed record keeps its id, its automatic TTL, its comment and its tags; those of others are the same, too."""
        [spf, *theirs] = cloudflare.records(ZONE, "@", "TXT")
        cloudflare.change(ZONE, spf, comment="ours, says somebody", tags=("a:b",), ttl=1)
        for entry in theirs:
            cloudflare.change(ZONE, entry, comment="theirs", ttl=1)
        before = dict(cloudflare.zones[ZONE].entries)
        provider = client(cloudflare)
        provider.write(ZONE, [turn(provider.read(ZONE), "", "v=spf1 mx -all", "v=spf1 a -all")])
        after = dict(cloudflare.zones[ZONE].entries)
        assert after.pop(spf.id) == dataclasses.replace(before.pop(spf.id), content='"v=spf1 a -all"')
        assert after == before

    def test_what_was_read_a_while_ago(self, cloudflare: Cloudflare) -> None:
        """It is read again in one request, and not the zone's id; what was just read is not."""
        clock = iter([0.0, 5.1, 6.0, 7.0])
        provider = client(cloudflare, now=lambda: next(clock))
        provider.write(ZONE, todo(provider.read(ZONE)))
        assert [call.partition(" ")[0] for call in cloudflare.calls()] == ["GET", "GET", "GET", "POST", "GET"]
        assert cloudflare.calls().count("GET /zones") == 1

    def test_nothing_to_do(self, cloudflare: Cloudflare) -> None:
        """No change asks for nothing, and a change that changes nothing neither."""
        provider = client(cloudflare)
        found = provider.read(ZONE)
        assert provider.write(ZONE, []) == () and len(cloudflare.requests) == 2
        assert provider.write(ZONE, [turn(found, "mail", "theirs", "theirs")]) == ()
        assert provider.write(ZONE, [turn(found, "mail", None, "theirs")]) == ()
        assert {request.method for request in cloudflare.requests} == {"GET"}

    def test_after_a_write(self, cloudflare: Cloudflare) -> None:
        """Another write does not rest on what was read before the first one."""
        provider = client(cloudflare)
        provider.read(ZONE)
        provider.write(ZONE, [create("one", "x")])
        cloudflare.add(ZONE, "two", "TXT", 300, '"theirs"')
        with pytest.raises(StaleZone):
            provider.write(ZONE, [create("two", "ours")])

    def test_without_a_reading(self, cloudflare: Cloudflare) -> None:
        """A write that no reading came before looks for itself."""
        client(cloudflare).write(ZONE, [create("_dmarc", "v=DMARC1; p=none")])
        assert ("_dmarc", "TXT") in cloudflare.values(ZONE)

    def test_more_than_a_batch(self, cloudflare: Cloudflare) -> None:
        """Beyond 200 records there are several batches; a later one that fails says how many changes were done, and nothing is missing."""
        provider = client(cloudflare, timeout=(5.0, 30.0))
        provider.write(ZONE, [create(f"n{number}", "one") for number in range(250)])
        found = provider.read(ZONE)
        cloudflare.settled()
        cloudflare.faults = [Fault("POST", skip=1, answer=cloudflare.erred())]
        changes = [turn(found, f"n{number}", "one", "two") for number in range(250)]
        with pytest.raises(ProviderError, match="Before that, 200 of 250 changes were done") as caught:
            provider.write(ZONE, changes)
        assert caught.value.transient and len(cloudflare.requests[-2].body["patches"]) == 200
        texts = [values for (name, _), (_, values) in cloudflare.values(ZONE).items() if name.startswith("n")]
        assert texts.count(frozenset({b"two"})) == 200 and texts.count(frozenset({b"one"})) == 50

    def test_where_a_batch_ends_within_a_change(self, cloudflare: Cloudflare) -> None:
        """A change that two batches share is not counted as done before the second one."""
        provider = client(cloudflare, timeout=(5.0, 30.0))
        provider.write(ZONE, [create("many", *(f"{number}" for number in range(199))), create("one", "one")])
        found = provider.read(ZONE)
        both = [delete(found, "many"), dataclasses.replace(create("two", "2", "3"), name="two")]
        cloudflare.faults = [Fault("POST", skip=1, answer=cloudflare.erred())]
        with pytest.raises(ProviderError, match="Before that, 1 of 2 changes were done"):
            provider.write(ZONE, both)


class TestReading:
    def test_values(self, cloudflare: Cloudflare) -> None:
        """Texts are joined whether quoted or bare, targets absolute, priorities in their place, an automatic TTL is 300."""
        found = {rrset.key: rrset for rrset in client(cloudflare).read(ZONE)}
        assert set(found) == {("" if name == "@" else name, kind) for name, kind, _, _ in ROWS}
        assert {v.text for v in found["", "TXT"].values} == {"v=spf1 mx -all", "site=12", "bare; as it was sent"}
        assert found["", "MX"].values == (Value("10 mx.example.org.", "mx.example.org"),)
        assert found["www", "CNAME"].values[0].text == "example.org." and found["www", "CNAME"].ttl == 300
        assert found["_sip._tcp", "SRV"].values[0].text == "0 5 5060 sip.example.org."
        assert found["mail", "TXT"].ttl == 300 and found["", "TXT"].ttl == 1800

    def test_every_page(self, cloudflare: Cloudflare) -> None:
        """A page may hold less than was asked for; all are read, each once."""
        cloudflare.most = 3
        assert len(client(cloudflare).read(ZONE)) == len(ROWS)
        pages = [request.query for request in cloudflare.requests[1:]]
        assert [query["page"] for query in pages] == [["1"], ["2"], ["3"], ["4"]] and pages[0]["per_page"] == ["1000"]

    @pytest.mark.parametrize("lies", [-1, 1, 100])
    def test_a_count_that_lies(self, cloudflare: Cloudflare, lies: int) -> None:
        """A zone that does not come to what Cloudflare counts is not taken for the zone, and the reading ends."""
        cloudflare.lies = lies
        with pytest.raises(ProviderError, match=rf"^{ZONE}: reading the zone: .* counts .* and shows") as caught:
            client(cloudflare).read(ZONE)
        assert caught.value.transient

    def test_a_zone_that_changes_between_two_pages(self, cloudflare: Cloudflare) -> None:
        """A record that moved to the next page would be there twice, or not at all; both show in the count."""
        cloudflare.most = 3
        for strange in (
            lambda: cloudflare.add(ZONE, "+", "TXT", 300, '"first"'),
            lambda: cloudflare.drop(ZONE, "@", "A"),
        ):
            cloudflare.faults = [Fault(path="dns_records", skip=1, stranger=strange)]
            with pytest.raises(ProviderError, match="counts") as caught:
                client(cloudflare).read(ZONE)
            assert caught.value.transient

    def test_no_such_zone(self, cloudflare: Cloudflare) -> None:
        """An empty answer is no empty zone: the zone is not there, or the token may not see it."""
        for options, zone in (
            ({}, "example.net"),
            ({"token": cloudflare.stranger}, ZONE),
            ({"account_id": "b" * 32}, ZONE),
        ):
            with pytest.raises(ProviderError, match=f"^{zone}: .*no such zone, or the token may not see it") as caught:
                client(cloudflare, **options).read(zone)
            assert not caught.value.transient

    def test_a_zone_in_two_accounts(self, cloudflare: Cloudflare) -> None:
        """Which one is meant is for a person to say, by `account_id`."""
        cloudflare.twins = [(ZONE, Zone(cloudflare.fresh(), "b" * 32))]
        with pytest.raises(ProviderError, match=r"2 times, in several accounts.*account_id"):
            client(cloudflare).read(ZONE)
        assert client(cloudflare, account_id="b" * 32).read(ZONE) == ()
        assert client(cloudflare, account_id="a" * 32).read(ZONE)

    def test_the_global_key(self, cloudflare: Cloudflare) -> None:
        """With `email`, the token is the global API key; the old headers are sent, and no other."""
        provider = client(cloudflare, email=cloudflare.email, token=cloudflare.key)
        provider.write(ZONE, todo(provider.read(ZONE)))
        assert {request.headers.get("Authorization") for request in cloudflare.requests} == {None}


class TestTTL:
    def test_beside_an_automatic_one(self, cloudflare: Cloudflare) -> None:
        """A value of ours beside others gets the TTL that is served there; theirs stays automatic."""
        provider = client(cloudflare)
        provider.write(ZONE, [turn(provider.read(ZONE), "mail", None, "v=spf1 a -all")])
        assert sorted(entry.ttl for entry in cloudflare.records(ZONE, "mail", "TXT")) == [1, 300]

    def test_several_at_one_name(self, cloudflare: Cloudflare) -> None:
        """Where TTLs differ, the longest counts, since it is what others may still know; a change of ours changes no TTL."""
        [_, other, _] = cloudflare.records(ZONE, "@", "TXT")
        cloudflare.change(ZONE, other, ttl=7200)
        provider = client(cloudflare)
        change = turn(provider.read(ZONE), "", "v=spf1 mx -all", "v=spf1 a -all")
        assert change.old is not None and change.old.ttl == 7200
        provider.write(ZONE, [change])
        assert [entry.ttl for entry in cloudflare.records(ZONE, "@", "TXT")] == [1800, 7200, 1800]

    @pytest.mark.parametrize("read_back", [True, False])
    def test_another_one_for_ours(self, cloudflare: Cloudflare, read_back: bool) -> None:
        """Another TTL goes to our record alone, or to all of an RRset that is ours whole; its content is not sent again."""
        provider = client(cloudflare)
        found = provider.read(ZONE)
        if read_back:  # as a plan has it where all values are ours and stay as they were read
            [old] = [rrset for rrset in found if rrset.name == "old._domainkey"]
            new = dataclasses.replace(old, ttl=900)
            provider.write(ZONE, [dataclasses.replace(delete(found, "old._domainkey"), new=new)])
            assert [entry.ttl for entry in cloudflare.records(ZONE, "old._domainkey", "TXT")] == [900]
        else:
            provider.write(ZONE, [turn(found, "", "v=spf1 mx -all", "v=spf1 mx -all", ttl=3600)])
            assert [entry.ttl for entry in cloudflare.records(ZONE, "@", "TXT")] == [3600, 1800, 1800]
        [[patch]] = cloudflare.requests[-1].body.values()
        assert set(patch) == {"id", "ttl"}


class TestLimits:
    def test_the_longest_text(self, cloudflare: Cloudflare) -> None:
        """4080 octets are taken, one more is refused with nothing asked."""
        provider = client(cloudflare)
        provider.write(ZONE, [create("long", "x" * 4080)])
        provider.read(ZONE)
        asked = len(cloudflare.requests)
        with pytest.raises(
            ProviderError,
            match=rf"^{ZONE}: writing longer\.{ZONE} TXT: a text of 4081 octets is too long .* 4080; nothing",
        ):
            provider.write(ZONE, [create("before", "x"), create("longer", "ü" * 2040 + "x")])
        assert len(cloudflare.requests) == asked and not provider.limits.type99

    def test_too_much_at_one_name(self, cloudflare: Cloudflare) -> None:
        """What would come to more than 8192 characters at one name is refused with nothing sent; what goes, goes."""
        cloudflare.add(ZONE, "full", "TXT", 300, " ".join(f'"{letter * 255}"' for letter in "abcdefghijklmnop"))
        cloudflare.add(ZONE, "full", "TXT", 300, " ".join(f'"{letter * 250}"' for letter in "abcdefghijklmnop"))
        provider = client(cloudflare)
        found = provider.read(ZONE)
        with pytest.raises(ProviderError, match=rf"^{ZONE}: full\.{ZONE} TXT: with ours, 8242 characters .*8192"):
            provider.write(ZONE, [turn(found, "full", None, "y" * 66), create("new", "x")])
        assert not [request for request in cloudflare.requests if request.method == "POST"]
        provider.write(ZONE, [turn(provider.read(ZONE), "full", None, "y" * 16)])
        assert len(cloudflare.records(ZONE, "full", "TXT")) == 3
        cloudflare.add(ZONE, "full", "TXT", 300, '"one more than there may be"')
        provider.write(ZONE, [turn(provider.read(ZONE), "full", "y" * 16, None)])
        assert len(cloudflare.records(ZONE, "full", "TXT")) == 3

    def test_type_spf(self, cloudflare: Cloudflare) -> None:
        """No record of type SPF is made; one of old times can go. Types that are not ours to write are refused."""
        provider = client(cloudflare)
        found = provider.read(ZONE)
        with pytest.raises(
            ProviderError, match=rf"^{ZONE}: writing {ZONE} SPF: .*takes no record of type SPF.*nothing.*type99: never"
        ):
            provider.write(ZONE, [create("", "v=spf1 -all", kind="SPF")])
        with pytest.raises(ProviderError, match=rf"a\.{ZONE} A: only TXT records are written"):
            provider.write(ZONE, [create("a", "192.0.2.1", kind="A")])
        provider.write(ZONE, [delete(found, "spf", "SPF")])
        assert ("spf", "SPF") not in cloudflare.values(ZONE)


def refused(status: int, code: int, words: str, chain: tuple[int, str] | None = None) -> Answer:
    """An answer of Cloudflare's to what it does not do."""
    return Refused(status, code, words, chain).answer


WRITING: dict[str, tuple[Answer, type[ProviderError], str, bool]] = {
    "identical": (refused(400, 81058, "An identical record already exists."), StaleZone, r"identical.*81058.*nothing of it", True),
    "identical, of old": (refused(400, 81057, "The record already exists."), StaleZone, "81057", True),
    "gone": (refused(400, 81044, "Record does not exist."), StaleZone, "81044", True),
    "a CNAME": (refused(400, 81053, "An A, AAAA, or CNAME record with that host already exists."), ProviderError, "beside a CNAME", False),
    "beside a CNAME": (refused(400, 81054, "A CNAME record with that host already exists."), ProviderError, "beside a CNAME", False),
    "validation": (refused(400, 1004, "DNS Validation Error", (9021, "TTL must be between.")), ProviderError, r"1004.*TTL must.*9021", False),
    "no right": (refused(403, 10000, "Authentication error"), ProviderError, "403.*10000.*Zone, DNS, Edit", False),
    "a token that is none": (refused(400, 6003, "Invalid request headers", (6111, "x")), ProviderError, "6003.*token is right", False),
    "a token that has ended": (refused(403, 9109, "Invalid access token"), ProviderError, "9109.*expired", False),
    "a zone that is gone": (refused(400, 7003, "Could not route"), ProviderError, "no such zone.*7003", False),
    "too many requests": (Answer(429, {"success": False, "errors": [{"code": 971, "message": "wait"}]}), ProviderError, "429.*wait", True),
    "no success": (Answer(200, {"success": False, "errors": [], "result": None}), ProviderError, "no answer of that API", True),
    "an error of theirs": (refused(500, 10013, "An unknown error occurred."), ProviderError, "500.*unknown", True),
    "a front end": (Answer(502, HTML), ProviderError, "502", True),
    "a list": (Answer(200, []), ProviderError, "no answer of that API", True),
    "nothing of it": (Answer(200, {"success": True, "result": None}), ProviderError, "something else than was asked for", False),
    "something else": (
        Answer(200, {"success": True, "result": {"deletes": [{}], "patches": [{}], "posts": [{}, {}]}}),
        ProviderError,
        "something else than was asked for",
        False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRITING, ids=str)
def test_a_write_that_is_refused(cloudflare: Cloudflare, case: str) -> None:
    """Each refusal is a sentence with the zone, the provider and the vendor's words and codes; it is asked once, and nothing is done."""
    answer, error, words, transient = WRITING[case]
    cloudflare.faults = [Fault("POST", answer=answer, times=9)]
    provider, before = client(cloudflare), cloudflare.values(ZONE)
    with pytest.raises(
        ProviderError, match=rf"^{ZONE}: writing {ZONE} TXT and 3 more: .*provider cloudflare.*{words}"
    ) as caught:
        provider.write(ZONE, todo(provider.read(ZONE)))
    assert type(caught.value) is error and caught.value.transient is transient
    assert cloudflare.faults[0].struck == 1 and cloudflare.values(ZONE) == before
    looked = transient and error is not StaleZone  # for then it may have been done
    assert [call.partition(" ")[0] for call in cloudflare.calls()[2:]] == ["POST", "GET"][: 1 + looked]
    assert cloudflare.token not in f"{caught.value!r}{provider!r}"


SHOWN = {
    "another text": lambda told: told["patches"][0].update(content='"v=spf1 +all"'),
    "another name": lambda told: told["posts"][0].update(name=f"elsewhere.{ZONE}"),
    "another TTL": lambda told: told["posts"][1].update(ttl=1),
    "another record gone": lambda told: told["deletes"][0].update(id="x"),
    "one more": lambda told: told["posts"].append(told["posts"][0]),
    "one less": lambda told: told["posts"].pop(),
}


@pytest.mark.parametrize("case", SHOWN, ids=str)
def test_an_answer_that_shows_something_else(cloudflare: Cloudflare, case: str) -> None:
    """What was done is compared with what was asked for, whatever its spelling."""
    provider = client(cloudflare)
    changes = todo(provider.read(ZONE))
    cloudflare.faults = [Fault("POST", answer=cloudflare.erred())]
    with pytest.raises(ProviderError):
        provider.write(ZONE, changes)
    told = cloudflare.requests[-2].body  # an answer that says it again says that it is done
    spelled = json.loads(json.dumps(told).replace("v=spf1 mx", 'v=spf1\\" \\" mx'))
    cloudflare.faults = [Fault("POST", answer=Answer(200, {"success": True, "result": spelled}))]
    provider.write(ZONE, changes)
    SHOWN[case](told)
    cloudflare.faults = [Fault("POST", answer=Answer(200, {"success": True, "result": told}))]
    with pytest.raises(ProviderError, match="something else than was asked for"):
        provider.write(ZONE, changes)


READING = {
    "a record of another zone": (lambda: [{"id": "x", "name": "example.net", "type": "A", "ttl": 1, "content": "x"}], "no record of the zone"),
    "a TTL that is none": (lambda: [{"id": "x", "name": ZONE, "type": "A", "ttl": True, "content": "x"}], "no record of the zone"),
    "no id": (lambda: [{"id": "", "name": ZONE, "type": "A", "ttl": 1, "content": "x"}], "no record of the zone"),
    "no content": (lambda: [{"id": "x", "name": ZONE, "type": "TXT", "ttl": 1}], "no record of the zone"),
    "no record": (lambda: ["x"], "no record of the zone"),
    "no list": (dict, "no list"),
}  # fmt: skip


@pytest.mark.parametrize("case", READING, ids=str)
def test_a_reading_that_is_none(cloudflare: Cloudflare, case: str) -> None:
    """What is not understood is an error, never an empty zone."""
    made, words = READING[case]
    body = {"success": True, "result": made(), "result_info": {"total_count": 1}}
    cloudflare.faults = [Fault(path="dns_records", answer=Answer(200, body))]
    with pytest.raises(
        ProviderError, match=rf"^{ZONE}: reading the zone: Cloudflare \(provider cloudflare\) .*{words}"
    ):
        client(cloudflare).read(ZONE)
    for body in ({"success": True, "result": []}, {"success": True, "result": [], "result_info": {"total_count": "0"}}):
        cloudflare.faults = [Fault(path="dns_records", answer=Answer(200, body))]
        with pytest.raises(ProviderError, match="does not say how many"):
            client(cloudflare).read(ZONE)
    cloudflare.faults = [Fault(path="zones$", answer=Answer(200, {"success": True, "result": None}))]
    with pytest.raises(ProviderError, match="no list"):
        client(cloudflare).read(ZONE)


class TestOptions:
    def test_every_mistake(self) -> None:
        """Each wrong option is a line of its own that begins with the option's name, and shows no secret."""
        with pytest.raises(
            ProviderError, match=r"^token: is missing[^\n]*\nemail: is no[^\n]*\nendpoint: must be an https[^\n]*$"
        ):
            Provider("cloudflare", email="a b", endpoint="http://api.cloudflare.com/client/v4")
        with pytest.raises(ProviderError, match=r"^token: is not one word[^\n]*$") as caught:
            Provider("cloudflare", token="two words")
        assert "two words" not in str(caught.value)

    def test_a_secret_file_ends_in_a_line_break(self, cloudflare: Cloudflare) -> None:
        """White space around the token is not part of it."""
        assert client(cloudflare, token=f"{cloudflare.token}\n").read(ZONE)

    def test_a_token_that_is_told_back(self, cloudflare: Cloudflare) -> None:
        """The vendor's words do not bring the secret into the message, in either way to give it."""
        for options in ({}, {"email": cloudflare.email, "token": cloudflare.key}):
            secret = options.get("token", cloudflare.token)
            cloudflare.faults = [Fault(answer=cloudflare.unauthorized(f"{secret} is none"))]
            with pytest.raises(ProviderError, match=r"\(secret\) is none") as caught:
                client(cloudflare, **options).read(ZONE)
            assert secret not in str(caught.value)
