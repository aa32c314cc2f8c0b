"""PowerDNS' own API: which requests with which bodies, what stands there disabled, versions old and new, refusals and options."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dnssync_providers.powerdns import Provider

from dnssync.core.model import Change, Kind, ProviderError, RRset, StaleZone, Value
from tests.http_faults import Answer, Fault
from tests.powerdns import PowerDns
from tests.powerdns_api import PowerDnsApi
from tests.providers.test_http import Server, tls

ZONE = "example.org"
KEY = "v=DKIM1; k=rsa; p=" + "A" * 392
ROWS = [
    ("@", "NS", 3600, ["ns1.example.org."]),
    ("@", "TXT", 1800, ['"v=spf1 mx -all"', '"site=1" "2"']),
    ("old._domainkey", "TXT", 3600, ['"v=DKIM1; p=OLD"']),
    ("www", "CNAME", 3600, ["web.example.net."]),
]
PATH = f"/servers/localhost/zones/{ZONE}."


@pytest.fixture
def pdns() -> Iterator[PowerDnsApi]:
    """A server that knows of single values, with a small zone."""
    with PowerDnsApi({ZONE: ROWS}) as running:
        yield running


@pytest.fixture
def older() -> Iterator[PowerDnsApi]:
    """The same, of a version that knows of record sets alone."""
    with PowerDnsApi({ZONE: ROWS}, single=False) as running:
        yield running


def client(pdns: PowerDnsApi, **options: Any) -> Provider:
    """The provider, with no patience."""
    given = {"api_key": pdns.secret, "endpoint": pdns.endpoint, "timeout": (5.0, 2.0)}
    return Provider("theirs", **{**given, "sleep": lambda seconds: None, **options})


def rrset(name: str, *texts: str, kind: str = "TXT", ttl: int = 3600) -> RRset:
    """An RRset of ours."""
    return RRset(name, kind, ttl, tuple(Value(text, "" if kind in ("TXT", "SPF") else text) for text in texts))


def change(provider: Provider, new: RRset | None, gone: str = "", key: tuple[str, str] = ("", "TXT")) -> Change:
    """What makes an RRset hold these values of ours and strangers', but for the text that goes."""
    key = new.key if new else key
    old = next((each for each in provider.read(ZONE) if each.key == key), None)
    kept = tuple(value for value in old.values if value.text != gone) if old and new else ()
    if new and old:
        new = RRset(*key, new.ttl, kept + new.values)
    return Change(Kind.CREATE if old is None else Kind.UPDATE if new else Kind.DELETE, *key, old, new)


def plan(provider: Provider) -> list[Change]:
    """One change at the apex, two new records, one taken away."""
    return [
        change(provider, rrset("", "v=spf1 mx a -all", ttl=1800), gone="v=spf1 mx -all"),
        change(provider, rrset("_dmarc", "v=DMARC1; p=none")),
        change(provider, rrset("new._domainkey", KEY)),
        change(provider, None, key=("old._domainkey", "TXT")),
    ]


def sent(pdns: PowerDnsApi) -> list[tuple[str, str, int, list[str], list[str]]]:
    """The parts of the last write: changetype, name and type, TTL, values, and disabled ones."""
    return [
        (part["changetype"], f"{part['name'].removesuffix(f'{ZONE}.')} {part['type']}", part["ttl"],
         [r["content"] for r in part["records"] if not r["disabled"]], [r["content"] for r in part["records"] if r["disabled"]])
        for part in [each for each in pdns.requests if each.method == "PATCH"][-1].body["rrsets"]
    ]  # fmt: skip


def refused(provider: Provider, *changes: Change) -> str:
    """What a reading, or a write of these, says when it fails for good."""
    with pytest.raises(ProviderError, match=rf"^{ZONE}: ") as caught:
        provider.write(ZONE, changes) if changes else provider.read(ZONE)
    assert not caught.value.transient and not isinstance(caught.value, StaleZone)
    return str(caught.value)


class TestRequests:
    def test_one_reading_and_one_write(self, pdns: PowerDnsApi) -> None:
        """All changes are one request, by value; a value of somebody else's is not even sent, and what comes is before what goes."""
        provider = client(pdns)
        todo = plan(provider)
        pdns.requests.clear()
        provider.read(ZONE)
        assert provider.write(ZONE, todo) == ()
        assert pdns.calls() == [f"GET {PATH}", f"GET {PATH}", f"PATCH {PATH}", f"GET {PATH}"]
        assert sent(pdns) == [
            ("EXTEND", " TXT", 1800, ['"v=spf1 mx a -all"'], []),
            ("PRUNE", " TXT", 1800, ['"v=spf1 mx -all"'], []),
            ("PRUNE", "old._domainkey. TXT", 3600, ['"v=DKIM1; p=OLD"'], []),
            ("REPLACE", "_dmarc. TXT", 3600, ['"v=DMARC1; p=none"'], []),
            ("REPLACE", "new._domainkey. TXT", 3600, [f'"{KEY[:255]}" "{KEY[255:]}"'], []),
        ]
        assert pdns.values(ZONE)["@", "TXT"] == (1800, frozenset({b"site=12", b"v=spf1 mx a -all"}))
        assert ("old._domainkey", "TXT") not in pdns.values(ZONE)
        assert provider.requests == {"2xx": 8}

    def test_an_older_server(self, older: PowerDnsApi) -> None:
        """It refuses the whole request, and is asked once more with others' values as they were read; that is remembered."""
        provider = client(older)
        todo = plan(provider)
        older.requests.clear()
        provider.read(ZONE)
        provider.write(ZONE, todo)
        assert [request.status for request in older.requests] == [200, 200, 422, 204]
        assert sent(older) == [
            ("REPLACE", " TXT", 1800, ['"site=1" "2"', '"v=spf1 mx a -all"'], []),
            ("DELETE", "old._domainkey. TXT", 3600, [], []),
            ("REPLACE", "_dmarc. TXT", 3600, ['"v=DMARC1; p=none"'], []),
            ("REPLACE", "new._domainkey. TXT", 3600, [f'"{KEY[:255]}" "{KEY[255:]}"'], []),
        ]
        provider.write(ZONE, [change(provider, rrset("", ttl=1800), gone="v=spf1 mx a -all")])
        assert [request.status for request in older.requests[-3:]] == [200, 200, 204]
        assert older.values(ZONE)["@", "TXT"] == (1800, frozenset({b"site=12"}))

    def test_a_new_record(self, pdns: PowerDnsApi) -> None:
        """It is written whole, since EXTEND would put it beside a CNAME; at the apex there is none, and there it joins."""
        provider = client(pdns)
        provider.write(
            ZONE, [change(provider, rrset("", "v=spf1 -all", kind="SPF")), change(provider, rrset("www2", "x"))]
        )
        assert [part[:2] for part in sent(pdns)] == [("REPLACE", "www2. TXT"), ("EXTEND", " SPF")]

    def test_another_ttl(self, pdns: PowerDnsApi) -> None:
        """EXTEND keeps the TTL that is there, so that another one is written whole."""
        provider = client(pdns)
        provider.write(ZONE, [change(provider, rrset("", "new", ttl=300))])
        assert [part[:3] for part in sent(pdns)] == [("REPLACE", " TXT", 300)]
        assert pdns.values(ZONE)["@", "TXT"][0] == 300

    @pytest.mark.parametrize("spelled", ['"v=spf1 \\109x -all"', '"v=spf1 " "mx -all" '])
    def test_a_value_that_is_spelled_otherwise(self, pdns: PowerDnsApi, spelled: str) -> None:
        """PRUNE might not find it and would not say so, and then two SPF records stood there."""
        pdns.entry(ZONE, "@", "TXT").records[0] = (spelled, False)
        provider = client(pdns)
        provider.write(ZONE, [change(provider, rrset("", "v=spf1 a -all", ttl=1800), gone="v=spf1 mx -all")])
        assert [part[0] for part in sent(pdns)] == ["REPLACE"]
        assert pdns.values(ZONE)["@", "TXT"][1] == {b"site=12", b"v=spf1 a -all"}

    def test_a_string_of_more_than_255_octets(self, pdns: PowerDnsApi) -> None:
        """The server keeps it as it came; such a value is not taken out by its spelling."""
        pdns.add(ZONE, "@", "TXT", 1800, f'"{KEY}"')
        provider = client(pdns)
        provider.write(ZONE, [change(provider, rrset("", ttl=1800), gone=KEY)])
        assert [part[0] for part in sent(pdns)] == ["REPLACE"]

    def test_it_looks_again(self, pdns: PowerDnsApi) -> None:
        """What somebody wrote since the reading, a moment ago, is seen before the write; without changes nothing is asked."""
        provider = client(pdns)
        todo = change(provider, rrset("new", "ours"))
        pdns.add(ZONE, "new", "TXT", 300, '"theirs"')
        with pytest.raises(StaleZone, match=rf"^{ZONE}: new.{ZONE} TXT at theirs is not what was read"):
            provider.write(ZONE, [todo])
        assert pdns.values(ZONE)["new", "TXT"] == (300, frozenset({b"theirs"}))
        pdns.requests.clear()
        assert provider.write(ZONE, ()) == () and pdns.requests == []

    def test_a_name_with_a_slash(self) -> None:
        """The server's own spelling of it in a path, which is not that of addresses."""
        zone = "0/25.2.0_192.in-addr.arpa"
        with PowerDnsApi({zone: ROWS}) as pdns:
            assert client(pdns).read(zone)
            assert pdns.calls() == ["GET /servers/localhost/zones/0=2F25.2.0=5F192.in-addr.arpa."]

    def test_a_cname_and_others_change_places(self, older: PowerDnsApi) -> None:
        """What goes stands before what comes, in the one request."""
        provider = client(older)
        goes = change(provider, None, key=("www", "CNAME"))
        provider.write(ZONE, [change(provider, rrset("www", "192.0.2.1", kind="A")), goes])
        assert [part[:2] for part in sent(older)] == [("DELETE", "www. CNAME"), ("REPLACE", "www. A")]


@pytest.mark.parametrize("single", [True, False])
class TestDisabled:
    """What somebody switched off stays there, switched off."""

    @pytest.fixture
    def pdns(self, single: bool) -> Iterator[PowerDnsApi]:
        """A server of either version, with values that are disabled."""
        with PowerDnsApi({ZONE: ROWS}, single=single) as running:
            running.entry(ZONE, "@", "TXT").records.append(('"off"', True))
            running.entry(ZONE, "old._domainkey", "TXT").records.append(('"off"', True))
            running.entry(ZONE, "_dmarc", "TXT").records.append(('"v=DMARC1; p=reject"', True))
            yield running

    def test_they_are_no_values(self, pdns: PowerDnsApi) -> None:
        """DNS does not have them, and a record set without any other is none."""
        found = {each.key: each for each in client(pdns).read(ZONE)}
        assert [value.text for value in found["", "TXT"].values] == ["v=spf1 mx -all", "site=12"]
        assert ("_dmarc", "TXT") not in found

    def test_they_outlive_every_write(self, pdns: PowerDnsApi) -> None:
        """A change, a new record beside them, and the last value of ours that goes."""
        provider = client(pdns)
        provider.write(ZONE, plan(provider))
        assert {(part[0], part[1]): part[4] for part in sent(pdns) if part[4]} == {
            ("REPLACE", " TXT"): ['"off"'],
            ("REPLACE", "_dmarc. TXT"): ['"v=DMARC1; p=reject"'],
            ("REPLACE", "old._domainkey. TXT"): ['"off"'],
        }
        assert pdns.entry(ZONE, "old._domainkey", "TXT").records == [('"off"', True)]
        assert pdns.entry(ZONE, "@", "TXT").records[-1] == ('"off"', True)
        assert ("old._domainkey", "TXT") not in pdns.values(ZONE)

    def test_the_one_that_is_to_be_written(self, pdns: PowerDnsApi) -> None:
        """Somebody switched it off: that is for a person to say, and nothing is written."""
        provider = client(pdns)
        todo = [change(provider, rrset("new", "x")), change(provider, rrset("_dmarc", "v=DMARC1; p=reject"))]
        told = refused(provider, *todo)
        assert (
            told.startswith(f"{ZONE}: _dmarc.{ZONE} TXT at theirs has the value")
            and "enable it there, or delete it there" in told
        )
        assert ("new", "TXT") not in pdns.values(ZONE)


class TestAnswers:
    def test_a_refusal(self, pdns: PowerDnsApi) -> None:
        """It is told in the server's words, with the record, and nothing of the whole was done."""
        provider = client(pdns)
        told = refused(provider, change(provider, rrset("a\\.b", "x")), change(provider, rrset("new", "x")))
        assert f"writing a\\.b.{ZONE} TXT and 1 record sets more: PowerDNS (provider theirs) refused it: Name " in told
        assert "contains unsupported characters. Nothing was written; a later pass reads the zone" in told
        assert ("new", "TXT") not in pdns.values(ZONE) and [request.status for request in pdns.requests[-1:]] == [422]

    def test_a_key_that_is_not_taken(self, pdns: PowerDnsApi) -> None:
        """The option and the server's setting are named, the key is not."""
        provider = client(pdns, api_key="some other key")
        told = refused(provider)
        assert "does not accept the key. Compare `api_key` with the `api-key` of its pdns.conf" in told
        assert "some other" not in told + repr(provider) + repr(vars(provider))

    def test_no_such_zone(self, pdns: PowerDnsApi) -> None:
        """A 404 is told with all that it may mean."""
        del pdns.zones[ZONE]
        assert "has no such zone, or `server_id` is another one, or its API is off" in refused(client(pdns))
        pdns.zones[ZONE] = {}
        assert "has no such zone" in refused(client(pdns, server_id="another"))

    @pytest.mark.parametrize("kind", ["Slave", "Consumer"])
    def test_a_secondary(self, pdns: PowerDnsApi, kind: str) -> None:
        """The server would take a write there, and the next transfer take it away."""
        pdns.kind = kind
        assert f"it is a secondary ({kind}) at PowerDNS (provider theirs)" in refused(client(pdns))
        assert "Give the zone the provider of its primary" in refused(
            client(pdns), Change(Kind.CREATE, "x", "TXT", None, rrset("x", "x"))
        )
        assert [request.method for request in pdns.requests] == ["GET", "GET"]

    @pytest.mark.parametrize("kind", ["Native", "Master", "Producer"])
    def test_a_primary(self, pdns: PowerDnsApi, kind: str) -> None:
        """These are written to."""
        pdns.kind = kind
        assert client(pdns).read(ZONE)

    def test_the_words_of_today(self, pdns: PowerDnsApi) -> None:
        """The server takes "Primary" and "Secondary" and answers with the older words; should it answer with these, they mean the same."""
        told = {"name": f"{ZONE}.", "rrsets": []}
        pdns.faults = [Fault("GET", answer=Answer(200, told | {"kind": kind})) for kind in ("Primary", "Secondary")]
        assert client(pdns).read(ZONE) == ()
        assert "it is a secondary (Secondary) at PowerDNS" in refused(client(pdns))

    @pytest.mark.parametrize(
        "answer",
        [
            [], None, {}, "zone", {"name": f"{ZONE}.", "rrsets": []}, {"kind": "Native", "rrsets": []}, {"name": f"{ZONE}.", "kind": "Native"},
            {"name": "example.net.", "kind": "Native", "rrsets": []}, {"name": 5, "kind": "Native", "rrsets": []},
            *({"name": f"{ZONE}.", "kind": "Native", "rrsets": rrsets} for rrsets in (
                None, [None], [{"name": None, "type": "TXT", "ttl": 300, "records": []}], [{"name": f"a.{ZONE}.", "type": "TXT", "ttl": 300}], [{"name": "a.example.net.", "type": "TXT", "ttl": 300, "records": []}],
                [{"name": f"a.{ZONE}.", "type": "TXT", "ttl": "300", "records": [{"content": '"x"', "disabled": False}]}],
                [{"name": f"a.{ZONE}.", "type": "TXT", "ttl": 300, "records": [{"content": None, "disabled": False}]}],
                [{"name": f"{name}.{ZONE}.", "type": "TXT", "ttl": 300, "records": [{"content": '"x"', "disabled": off}]} for name, off in (("a", False), ("A", True))],
                [{"name": f"{name}.{ZONE}.", "type": "TXT", "ttl": 300, "records": [{"content": '"x"', "disabled": off}]} for name, off in (("a", True), ("A", False))],
                [{"name": f"a.{ZONE}.", "type": "A", "ttl": 300, "records": [{"content": None, "disabled": False}]}],
            )),
        ],
    )  # fmt: skip
    def test_what_is_not_that_zone(self, pdns: PowerDnsApi, answer: Any) -> None:
        """An answer of another shape, another zone or half a record is never taken for a zone, least of all an empty one."""
        pdns.faults = [Fault("GET", answer=Answer(200, json.dumps(answer)))]
        assert "answered with something that is not that zone. Nothing is taken from it" in refused(client(pdns))

    def test_names_and_values(self, pdns: PowerDnsApi) -> None:
        """Names are relative and in lower case, a text's strings are joined, and an empty zone is one."""
        pdns.add(ZONE, "Mixed.CASE", "TXT", 300, '"gr\\195\\188n" "\\"x\\""')
        found = {each.key: each for each in client(pdns).read(ZONE)}
        assert found["mixed.case", "TXT"].values == (Value('grün"x"', '"gr\\195\\188n" "\\"x\\""'),)
        assert found["www", "CNAME"].values == (Value("web.example.net.", "web.example.net."),)
        pdns.zones[ZONE] = {}
        assert client(pdns).read(ZONE) == ()

    def test_comments_without_a_value(self, pdns: PowerDnsApi) -> None:
        """A record set of comments alone is none, and they stay where a record comes."""
        pdns.entry(ZONE, "_dmarc", "TXT").comments.append({"content": "of somebody"})
        provider = client(pdns)
        provider.write(ZONE, [change(provider, rrset("_dmarc", "x"))])
        assert pdns.entry(ZONE, "_dmarc", "TXT").comments == [{"content": "of somebody"}]


@pytest.mark.powerdns
@pytest.mark.parametrize("backend", ["gsqlite3", "lmdb"])
class TestReal:
    """What only a real server can say."""

    def client(self, pdns: PowerDns) -> Provider:
        """The provider before it."""
        return Provider("theirs", host="127.0.0.1", port=pdns.api_port, api_key=pdns.api_key)

    def test_a_name_with_a_slash(self, tmp_path: Path, backend: str) -> None:
        """A zone of RFC 2317 is found, read and written to."""
        zone = "0/25.2.0.192.in-addr.arpa"
        with PowerDns(tmp_path / "pdns", {}, backend) as pdns:
            provider = self.client(pdns)
            for name in (zone, "under_score.test"):
                pdns.ask("POST", "/zones", {"name": f"{name}.", "kind": "Native", "nameservers": ["ns1.example.net."]})
                assert ("", "NS") in {each.key for each in provider.read(name)}
                provider.write(name, [Change(Kind.CREATE, "new", "TXT", None, rrset("new", "ours"))])
                assert ("new", "TXT") in {each.key for each in provider.read(name)}

    def test_secondaries(self, tmp_path: Path, backend: str) -> None:
        """They are told from primaries by what the server calls them."""
        with PowerDns(tmp_path / "pdns", {"example.net": ""}, backend) as pdns:
            provider = self.client(pdns)
            for kind, secondary in (("Slave", True), ("Secondary", True), ("Consumer", True), ("Master", False)):
                zone = f"{kind.lower()}.test"
                primaries = {"masters": ["192.0.2.1"]} if secondary else {}
                pdns.ask("POST", "/zones", {"name": f"{zone}.", "kind": kind, "nameservers": [], **primaries})
                if secondary:
                    with pytest.raises(ProviderError, match=f"^{zone}: reading the zone: it is a secondary"):
                        provider.read(zone)
                else:
                    provider.read(zone)

    def test_a_cname_and_others_change_places(self, tmp_path: Path, backend: str) -> None:
        """Both ways in one request, which the server takes."""
        with PowerDns(tmp_path / "pdns", {ZONE: "c CNAME w\na A 192.0.2.1\na TXT x\n"}, backend) as pdns:
            provider = self.client(pdns)
            found = {each.key: each for each in provider.read(ZONE)}
            goes = [Change(Kind.DELETE, *key, found[key], None) for key in (("c", "CNAME"), ("a", "A"), ("a", "TXT"))]
            comes = [rrset("c", "192.0.2.2", kind="A"), rrset("a", f"w.{ZONE}.", kind="CNAME")]
            provider.write(ZONE, [*(Change(Kind.CREATE, *new.key, None, new) for new in comes), *goes])
            assert {key for key in pdns.transfer(ZONE) if key[0][0] in "ac"} == {
                (f"c.{ZONE}.", "A"),
                (f"a.{ZONE}.", "CNAME"),
            }

    def test_refused_whole(self, tmp_path: Path, backend: str) -> None:
        """A record that the server does not take stops all that is written with it."""
        with PowerDns(tmp_path / "pdns", {ZONE: ""}, backend) as pdns:
            provider = self.client(pdns)
            todo = [Change(Kind.CREATE, name, "TXT", None, rrset(name, "x")) for name in ("good", "b a d", "last")]
            assert "contains unsupported characters. Nothing was written" in refused(provider, *todo)
            assert len(pdns.transfer(ZONE)) == 2


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "wrong"),
        [
            ({}, ["api_key: is missing", "host: is missing"]),
            ({"host": "127.0.0.1", "api_key": "a\nb"}, ["api_key: holds characters"]),
            ({"host": "127.0.0.1", "api_key": "k", "port": "0"}, ["port: must be 1 to 65535, not 0"]),
            ({"host": "127.0.0.1", "api_key": "k", "port": "x"}, ["port: must be 1 to 65535, not x"]),
            ({"host": "pdns.example.net", "api_key": "k", "scheme": "http"}, ["scheme: must be https"]),
            ({"host": "127.0.0.1", "api_key": "k", "scheme": "ftp"}, ["scheme: must be https"]),
            ({"host": "pdns.example.net", "api_key": "k", "ssl_verify": False}, ["ssl_verify: cannot be false"]),
            ({"host": "127.0.0.1", "api_key": "k", "server_id": "a/b"}, ["server_id: is no name"]),
            ({"host": "127.0.0.1", "endpoint": "https://pdns.example.net/api/v1", "api_key": "k"}, ["endpoint: cannot be given together"]),
            ({"endpoint": "http://pdns.example.net/api/v1", "api_key": "k"}, ["endpoint: must be an https address"]),
            ({"host": "pdns example", "api_key": "k"}, ["host: is neither"]),
            ({"host": "pdns.example.net?x", "api_key": "k"}, ["host: is neither"]),
            ({"host": "127.0.0.1", "api_key": "k", "ssl_verify": "/nonexistent/ca"}, ["ssl_verify: /nonexistent/ca cannot be read"]),
        ],
    )  # fmt: skip
    def test_mistakes(self, options: dict[str, Any], wrong: list[str]) -> None:
        """All that is wrong is told at once, a line each that begins with the option."""
        with pytest.raises(ProviderError) as caught:
            Provider("theirs", **options)
        lines = str(caught.value).splitlines()
        assert len(lines) == len(wrong) and all(map(str.startswith, lines, wrong)), lines

    @pytest.mark.parametrize(
        ("options", "base"),
        [
            ({"host": "127.0.0.1"}, "http://127.0.0.1:8081/api/v1/servers/localhost"),
            ({"host": "::1", "port": 80}, "http://[::1]:80/api/v1/servers/localhost"),
            ({"host": "pdns.example.net", "port": "443"}, "https://pdns.example.net:443/api/v1/servers/localhost"),
            ({"host": "localhost", "scheme": "https"}, "https://localhost:8081/api/v1/servers/localhost"),
            ({"endpoint": "https://dns.example.net/pdns/api/v1/", "server_id": "ns1"}, "https://dns.example.net/pdns/api/v1/servers/ns1"),
        ],
    )  # fmt: skip
    def test_where_it_asks(self, options: dict[str, Any], base: str) -> None:
        """On this host by http, elsewhere by https."""
        assert Provider("theirs", api_key="k", **options)._api._base == base

    def test_a_certificate_authority_of_ones_own(self, tmp_path: Path) -> None:
        """The file that `ssl_verify` names is what the server has to prove itself with; without it, nothing is sent."""
        with Server(tls(tmp_path)) as server:
            address, _, port = server.where.partition(":")
            for verify, words in ((True, "TLS certificate"), (str(tmp_path / "crt"), "is not that zone")):
                provider = Provider(
                    "theirs", host=address, port=int(port), scheme="https", api_key="k", ssl_verify=verify
                )
                assert words in refused(provider)
            assert len(server.asked) == 1

    def test_limits(self) -> None:
        """Type SPF is a type like any other, and every TTL is taken."""
        limits = Provider("theirs", host="127.0.0.1", api_key="k").limits
        assert limits.type99 and limits.types >= {"TXT", "SPF"} and (limits.min_ttl, limits.max_ttl) == (0, 2**31 - 1)
