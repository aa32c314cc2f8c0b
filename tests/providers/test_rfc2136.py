"""Dynamic update where it goes wrong: every refusal of a real named, and servers that no administrator wishes for."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsigkeyring
import pytest
from dnssync_providers.rfc2136 import Provider

from dnssync.core.model import Change, Kind, ProviderError, RRset, StaleZone, Value
from tests.bind import SECRET, Bind, bind

__all__ = ["bind"]


ZONE = "example.org"
OTHER_SECRET = "c29tZSBvdGhlciBzZWNyZXQgdGhhdCBubyBzZXJ2ZXIga25vd3M="
SOA = dns.rrset.from_text(
    "example.org.", 300, "IN", "SOA", "ns1.example.org. hostmaster.example.org. 1 3600 600 604800 300"
)
RECORD = dns.rrset.from_text("www.example.org.", 300, "IN", "A", "192.0.2.1")


def create(name: str, text: str = "ours") -> Change:
    """A new TXT RRset."""
    return Change(Kind.CREATE, name, "TXT", None, RRset(name, "TXT", 300, (Value(text, ""),)))


def swapped(bind: Bind, name: str, kind: str, value: str, but: str = "") -> list[Change]:
    """All that stands at a name goes, but for one type, and this comes."""
    goes = [
        Change(Kind.DELETE, name, r.type, r, None)
        for r in provider(bind).read(ZONE)
        if r.name == name and r.type != but
    ]
    return [*goes, Change(Kind.CREATE, name, kind, None, RRset(name, kind, 300, (Value(value, value),)))]


def provider(bind: Bind, **options: object) -> Provider:
    """The provider of that named, with other options where the test says so."""
    return Provider("bind", **{**bind.options(), **options})


def read(one: Provider) -> str:
    """What a read says when it fails."""
    with pytest.raises(ProviderError) as caught:
        one.read(ZONE)
    return told(caught.value)


def write(one: Provider) -> str:
    """What a write says when it fails."""
    with pytest.raises(ProviderError) as caught:
        one.write(ZONE, [create("new")])
    assert not isinstance(caught.value, StaleZone)
    return told(caught.value)


def told(error: ProviderError) -> str:
    """The sentence; it always names the zone and never holds a secret."""
    assert str(error).startswith(f"{ZONE}: ")
    assert SECRET not in str(error)
    assert OTHER_SECRET not in str(error)
    return f"{'transient: ' if error.transient else ''}{error}"


@contextlib.contextmanager
def server(answer: Callable[[bytes], Sequence[bytes]]) -> Iterator[int]:
    """A TCP server on loopback that answers the first message of each connection with these messages, then closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        length = int.from_bytes(connection.recv(2, socket.MSG_WAITALL), "big")
                        for piece in answer(connection.recv(length, socket.MSG_WAITALL)):
                            connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()  # fmt: skip


def framed(wire: bytes, cut: int = 0) -> bytes:
    """A message as TCP carries it, its last octets missing."""
    return (len(wire).to_bytes(2, "big") + wire)[: -cut or None]


@pytest.mark.bind
class TestNamed:
    """What a real named refuses, and how."""

    def test_wrong_secret(self, bind: Bind) -> None:
        """Another secret under the right name is told as such, for reading and for writing, and changes nothing."""
        one = provider(bind, key_secret=OTHER_SECRET)
        for sentence in (read(one), write(one)):
            assert "TSIG key of provider bind (BADSIG)" in sentence
            assert "key_secret" in sentence
        assert bind.ask("new.example.org", "TXT") == []
        assert OTHER_SECRET not in repr(one)

    @pytest.mark.parametrize(
        "text",
        [
            f'key "dnssync" {{\n\talgorithm hmac-sha256;\n\tsecret "{SECRET}";\n}};\n',
            f"key dnssync {{ algorithm hmac-sha256; secret {SECRET}; }};",
            f" {SECRET[:9]}\n{SECRET[9:]}\n",
        ],
        ids=["as tsig-keygen writes it", "in one line without quotes", "base64 in two lines"],
    )
    def test_key_statement(self, bind: Bind, text: str) -> None:
        """The file that tsig-keygen wrote is as good as the secret in it."""
        one = provider(bind, key_secret=text)
        one.write(ZONE, [create("new")])
        assert bind.texts("new.example.org") == ["ours"]
        assert SECRET not in repr(one)

    def test_tsig_keygen(self, tmp_path: Path) -> None:
        """What tsig-keygen really writes is read, and is the secret that is used."""
        text = subprocess.run(["tsig-keygen", "dnssync"], capture_output=True, text=True, check=True).stdout
        with Bind(tmp_path / "bind", {ZONE: ""}, secret=text.split('"')[3]) as bind:
            assert ("", "SOA") in {rrset.key for rrset in provider(bind, key_secret=text).read(ZONE)}

    def test_unknown_key(self, bind: Bind) -> None:
        """A key that the server does not have."""
        one = provider(bind, key_name="stranger")
        assert "(BADKEY)" in read(one)
        assert "(BADKEY)" in write(one)

    def test_without_key(self, bind: Bind) -> None:
        """No key at all: the sentence says which options to set."""
        one = Provider("bind", "127.0.0.1", bind.port)
        for sentence in (read(one), write(one)):
            assert "with REFUSED" in sentence
            assert "set key_name and key_secret" in sentence
        assert bind.ask("new.example.org", "TXT") == []

    def test_transfer_refused(self, tmp_path: Path) -> None:
        """A server that does not let the key transfer: the line for its configuration is in the sentence."""
        with Bind(tmp_path / "bind", {ZONE: ""}, transfer="none;") as bind:
            assert "allow-transfer { key dnssync; };" in read(provider(bind))

    def test_update_refused(self, tmp_path: Path) -> None:
        """A key that may update another name only: nothing is written, the line to add is in the sentence."""
        with Bind(tmp_path / "bind", {ZONE: ""}, policy="grant dnssync name other.example.org ANY;") as bind:
            assert "grant dnssync zonesub ANY;" in write(provider(bind))
            assert bind.ask("new.example.org", "TXT") == []

    def test_partly_refused(self, tmp_path: Path) -> None:
        """Where one change of several is refused, none is done."""
        with Bind(tmp_path / "bind", {ZONE: ""}, policy="grant dnssync name allowed.example.org ANY;") as bind:
            with pytest.raises(ProviderError, match="REFUSED"):
                provider(bind).write(ZONE, [create("allowed"), create("new")])
            assert bind.ask("allowed.example.org", "TXT") == []

    def test_zone_that_does_not_load(self, tmp_path: Path) -> None:
        """A zone that named has but cannot load."""
        with Bind(tmp_path / "bind", {ZONE: "@ IN SOA this is not one"}) as bind:
            assert "with SERVFAIL. It has the zone but cannot serve it" in read(provider(bind))
            assert "transient" in write(provider(bind))

    def test_zone_that_is_not_there(self, tmp_path: Path) -> None:
        """A server of other zones."""
        with Bind(tmp_path / "bind", {"example.net": ""}) as bind:
            assert "with NOTAUTH" in read(provider(bind))
            assert "with NOTAUTH" in write(provider(bind))

    def test_child_of_the_zone(self, bind: Bind) -> None:
        """A name below a zone of that server is no zone of it."""
        with pytest.raises(ProviderError, match=r"deep\.example\.org: .* NOTAUTH"):
            provider(bind).read("deep.example.org")
        with pytest.raises(ProviderError, match=r"deep\.example\.org: .* NOTAUTH"):
            provider(bind).write("deep.example.org", [create("new")])

    def test_second_address(self, bind: Bind) -> None:
        """A name whose first address does not take the connection is served by its second one."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            dead = ("127.0.0.2", taken.getsockname()[1])
        found = [(None, None, None, "", dead), (None, None, None, "", ("127.0.0.1", bind.port))]
        one = provider(bind, host="ns.example.org", resolve=lambda *_: found)
        assert ("", "SOA") in {rrset.key for rrset in one.read(ZONE)}
        one.write(ZONE, [create("new")])
        assert bind.texts("new.example.org") == ["ours"]

    def test_more_than_a_message_holds(self, bind: Bind) -> None:
        """Three hundred large keys in one zone: several messages, all of them done, and a stale one still stops the first."""
        many = [create(f"s{number}._domainkey.d{number}", f"{number:04d}" * 180) for number in range(300)]
        provider(bind).write(ZONE, many)
        texts = {r.values[0].text for r in provider(bind).read(ZONE) if r.type == "TXT"}
        assert texts == {f"{number:04d}" * 180 for number in range(300)}
        with pytest.raises(StaleZone):
            provider(bind).write(ZONE, [many[0], *(create(f"other{number}", "x" * 700) for number in range(200))])
        assert {r.values[0].text for r in provider(bind).read(ZONE) if r.type == "TXT"} == texts

    def test_moved_between_two_messages(self, bind: Bind) -> None:
        """What was written before a later message failed is told, and is no StaleZone: that would say nothing was done."""
        provider(bind).write(ZONE, [create("last", "a stranger's")])
        many = [create(f"s{number}", f"{number:04d}" * 180) for number in range(200)]
        with pytest.raises(ProviderError, match="of 201 changes were written before") as caught:
            provider(bind).write(ZONE, [*many, create("last")])
        assert not isinstance(caught.value, StaleZone)
        assert caught.value.transient
        assert bind.texts("last.example.org") == ["a stranger's"]

    def test_cname_where_no_transfer_shows_it(self, tmp_path: Path) -> None:
        """A CNAME that came since the read, after other changes, or below a delegation, is named and is no StaleZone."""
        below = "sub NS ns.sub\nns.sub A 192.0.2.1\nalias.sub CNAME elsewhere.example.\n"
        with Bind(tmp_path / "bind", {ZONE: f"{below}alias CNAME elsewhere.example.\n"}) as bind:
            one = provider(bind)
            many = [create(f"s{number}", f"{number:04d}" * 180) for number in range(200)]
            for changes in ([create("new"), create("alias")], [create("alias.sub")], [*many, create("alias")]):
                with pytest.raises(ProviderError, match=r"alias\S*\.example\.org is a CNAME at 127\.0\.0\.1") as caught:
                    one.write(ZONE, changes)
                assert not isinstance(caught.value, StaleZone)
            assert bind.ask("new.example.org", "TXT") == []

    def test_cname_in_others_place(self, tmp_path: Path) -> None:
        """A CNAME and other records change places in one update, so that the name is never without both."""
        with Bind(tmp_path / "bind", {ZONE: "a A 192.0.2.1\na TXT x\nc CNAME w\n"}) as bind:
            todo = [
                create("new"),
                *swapped(bind, "c", "A", "192.0.2.2"),
                *swapped(bind, "a", "CNAME", "w.example.org."),
            ]
            provider(bind).write(ZONE, todo[::-1])
            assert bind.ask("c.example.org", "A") == ["192.0.2.2"] and bind.ask("a.example.org", "CNAME") == [
                "w.example.org."
            ]
            assert bind.texts("new.example.org") == ["ours"] and " 2 3600 " in bind.ask(ZONE, "SOA")[0]

    def test_cname_beside_others(self, tmp_path: Path) -> None:
        """What a server leaves out without a word is never told as written; known types stop the whole update."""
        hidden = "r A 192.0.2.1\nr RP a b\nt TXT x\nu A 192.0.2.1\nu TYPE65280 \\# 1 00\n"
        with Bind(tmp_path / "bind", {ZONE: hidden}) as bind:
            one, before = provider(bind), bind.transfer(ZONE)
            goes, comes = swapped(bind, "r", "CNAME", "w.example.org.", but="RP")
            for changes in ([goes, comes], [comes], [create("new"), swapped(bind, "t", "CNAME", "w.example.org.")[-1]]):
                with pytest.raises(StaleZone, match="nothing was written"):
                    one.write(ZONE, changes)
            assert bind.transfer(ZONE) == before
            with pytest.raises(
                ProviderError, match=rf"left out records at one of u\.{ZONE}: .* What was to go is gone"
            ):
                one.write(ZONE, swapped(bind, "u", "CNAME", "w.example.org.", but="TYPE65280"))

    def test_a_swap_is_no_alias_in_the_way(self, tmp_path: Path) -> None:
        """Where something else of the plan is stale, the CNAME that the plan itself takes out is not blamed."""
        with Bind(tmp_path / "bind", {ZONE: 'c CNAME w\nnew TXT "a stranger\'s"\n'}) as bind:
            with pytest.raises(StaleZone):
                provider(bind).write(ZONE, [*swapped(bind, "c", "A", "192.0.2.2"), create("new")])
            assert bind.ask("c.example.org", "CNAME") == ["w.example.org."]

    def test_capitals(self, tmp_path: Path) -> None:
        """A name that a stranger wrote in capitals is the name that we mean, and ours goes beside theirs."""
        with Bind(tmp_path / "bind", {ZONE: '_DMARC TXT "theirs"\n'}) as bind:
            [found] = [rrset for rrset in provider(bind).read(ZONE) if rrset.type == "TXT"]
            assert found.name == "_dmarc"
            new = RRset("_dmarc", "TXT", found.ttl, (*found.values, Value("ours", "")))
            provider(bind).write(ZONE, [Change(Kind.UPDATE, "_dmarc", "TXT", found, new)])
            assert bind.texts("_dmarc.example.org") == ["ours", "theirs"]

    def test_new_rrset_that_is_there(self, bind: Bind) -> None:
        """What somebody else made first is no CNAME: the zone is to be read again."""
        provider(bind).write(ZONE, [create("new", "a stranger's")])
        with pytest.raises(StaleZone):
            provider(bind).write(ZONE, [create("new")])


class TestBadServers:
    """Servers that are not there, do not answer, or stop in the middle."""

    def test_nothing_listens(self) -> None:
        """A port that nobody listens on."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        one = Provider("bind", "127.0.0.1", port)
        assert f"transient: {ZONE}: 127.0.0.1 port {port} (provider bind) cannot be reached" in read(one)
        assert "Connection refused" in write(one)

    def test_no_answer(self) -> None:
        """A server that takes the connection and says nothing; an update may have been done all the same."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            one = Provider("bind", "127.0.0.1", silent.getsockname()[1], timeout=0.2)
            assert "no answer within 0.2 seconds" in read(one)
            assert "may have done the update all the same" in write(one)

    def test_no_such_name(self) -> None:
        """A host whose name has no address."""

        def nobody(*_: object) -> list[object]:
            raise socket.gaierror(-2, "Name or service not known")

        one = Provider("bind", "ns.invalid", resolve=nobody)  # fmt: skip
        assert f"transient: {ZONE}: the name ns.invalid of provider bind has no address here" in read(one)

    @pytest.mark.parametrize("cut", [1, 30, 60])
    def test_message_cut_short(self, cut: int) -> None:
        """A transfer whose last message loses its end is no zone."""

        def half(query: bytes) -> list[bytes]:
            answer = dns.message.make_response(dns.message.from_wire(query))
            answer.answer = [SOA, RECORD, SOA]
            return [framed(answer.to_wire(), cut)]

        with server(half) as port:  # fmt: skip
            assert "ended the transfer before it was complete" in read(Provider("bind", "127.0.0.1", port))

    @pytest.mark.parametrize("records", [[], [SOA], [SOA, RECORD], [RECORD, SOA]])
    def test_transfer_cut_short(self, records: list[dns.rrset.RRset]) -> None:
        """Whole messages of half a transfer are no zone either: it begins and ends with the SOA record (RFC 5936 §2.2)."""

        def half(query: bytes) -> list[bytes]:
            answer = dns.message.make_response(dns.message.from_wire(query))
            answer.answer = records
            return [framed(answer.to_wire())]

        with server(half) as port:  # fmt: skip
            assert read(Provider("bind", "127.0.0.1", port)).startswith("transient: ")

    def test_signatures_are_one_rrset(self) -> None:
        """Signatures over several types at one name are one RRset of a read, none of them lost."""
        signed = [
            dns.rrset.from_text(
                "example.org.", 300, "IN", "RRSIG", f"{kind} 13 2 300 20300101000000 20200101000000 1 example.org. AAAA"
            )
            for kind in ("SOA", "TXT")
        ]

        def whole(query: bytes) -> list[bytes]:
            answer = dns.message.make_response(dns.message.from_wire(query))
            answer.answer = [SOA, *signed, SOA]
            return [framed(answer.to_wire())]

        with server(whole) as port:
            rrsets = Provider("bind", "127.0.0.1", port).read(ZONE)
        assert [(rrset.key, len(rrset.values)) for rrset in rrsets] == [(("", "RRSIG"), 2), (("", "SOA"), 1)]

    def test_what_an_update_holds_of_strangers_values(self) -> None:
        """They are prerequisites; what goes and what comes is ours alone."""
        sent = []

        def note(query: bytes) -> list[bytes]:
            update = dns.message.from_wire(query)
            sent.append(update)
            return [framed(dns.message.make_response(update).to_wire())]

        theirs, old = Value("theirs", '"theirs"'), Value("old", '"old"')
        before, after = (RRset("", "TXT", 300, values) for values in ((theirs, old), (theirs, Value("new", ""))))
        with server(note) as port:
            Provider("bind", "127.0.0.1", port).write(ZONE, [Change(Kind.UPDATE, "", "TXT", before, after)])
        [update] = sent
        assert {rdata.to_text() for rrset in update.prerequisite for rdata in rrset} == {'"theirs"', '"old"'}
        assert [rdata.to_text() for rrset in update.update for rdata in rrset] == ['"old"', '"new"']

    def test_many_cnames_in_others_place(self) -> None:
        """Where one message does not hold all that change places, what goes and what comes at a name are in the same one."""
        sent: list[list[list[str]]] = []

        def note(query: bytes) -> list[bytes]:
            update = dns.message.from_wire(query)
            if update.update:
                kinds = ("A", "CNAME")
                sent.append(
                    [[str(r.name) for r in update.update if r.rdtype == dns.rdatatype.from_text(k)] for k in kinds]
                )
            return [framed(dns.message.make_response(update).to_wire())]

        names = [f"n{number:03d}" for number in range(300)]
        old = {n: RRset(n, "A", 300, (Value("192.0.2.1", "192.0.2.1"),)) for n in names}
        goes = [Change(Kind.DELETE, n, "A", old[n], None) for n in names]
        comes = [Change(Kind.CREATE, n, "CNAME", None, RRset(n, "CNAME", 300, (Value("w.", "w."),))) for n in names]
        with server(note) as port:
            Provider("bind", "127.0.0.1", port).write(ZONE, [*goes, *comes])
        assert len(sent) > 1 and sum(len(out) for out, _ in sent) == 300
        assert all(out == into for out, into in sent)

    def test_no_word_about_a_cname(self) -> None:
        """Where a server that took the update cannot say whether the CNAME stands, that is not known, and no success."""
        codes = [dns.rcode.NOERROR, dns.rcode.SERVFAIL]

        def answer(query: bytes) -> list[bytes]:
            response = dns.message.make_response(dns.message.from_wire(query))
            response.set_rcode(codes.pop(0))
            return [framed(response.to_wire())]

        old, new = (
            RRset("a", kind, 300, (Value(text, text),)) for kind, text in (("A", "192.0.2.1"), ("CNAME", "w.test."))
        )
        swap = [Change(Kind.DELETE, "a", "A", old, None), Change(Kind.CREATE, "a", "CNAME", None, new)]
        with server(answer) as port, pytest.raises(ProviderError, match="refused the update with SERVFAIL") as caught:
            Provider("bind", "127.0.0.1", port).write(ZONE, swap)
        assert caught.value.transient

    def test_update_cut_short(self) -> None:
        """A connection that ends before the answer to an update: it may have been done."""
        with server(lambda _: []) as port:
            assert "whether it was done is read in the next pass" in write(Provider("bind", "127.0.0.1", port))

    def test_update_reset(self) -> None:
        """A connection that is reset when the update has been sent says that it may have been done."""
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def reset() -> None:
                connection, _ = listening.accept()
                connection.recv(1)
                connection.close()  # with octets unread, TCP ends it by RST

            thread = threading.Thread(target=reset)
            thread.start()
            sentence = write(Provider("bind", "127.0.0.1", listening.getsockname()[1]))
            thread.join()
        assert "Connection reset by peer (it may have done the update all the same" in sentence

    def test_clocks_apart(self) -> None:
        """BADTIME names the clocks."""
        keyring = dns.tsigkeyring.from_text({Bind.key_name: SECRET})

        def late(query: bytes) -> list[bytes]:
            asked = dns.message.from_wire(query, keyring=keyring)
            answer = dns.message.make_response(asked, tsig_error=dns.rcode.Rcode.BADTIME)
            answer.set_rcode(dns.rcode.NOTAUTH)
            return [framed(answer.to_wire())]

        with server(late) as port:  # fmt: skip
            one = Provider("bind", "127.0.0.1", port, key_name=Bind.key_name, key_secret=SECRET)
            assert "BADTIME" in read(one)
            assert "NTP" in write(one)

    def test_unsigned_answer(self) -> None:
        """An answer without TSIG to a signed question is nobody's: it is not believed."""
        keyring = dns.tsigkeyring.from_text({Bind.key_name: SECRET})

        def forged(query: bytes) -> list[bytes]:
            answer = dns.message.make_response(dns.message.from_wire(query, keyring=keyring))
            answer.tsig = None
            answer.answer = [SOA, RECORD, SOA] if answer.opcode() == 0 else []
            return [framed(answer.to_wire())]

        with server(forged) as port:  # fmt: skip
            one = Provider("bind", "127.0.0.1", port, key_name=Bind.key_name, key_secret=SECRET)
            assert "cannot be understood" in read(one)
            assert "did not sign its answer to the update, so nothing is taken from it" in write(one)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"key_name": "dnssync"}, "key_secret: is missing"),
        ({"key_secret": SECRET}, "key_name: is missing"),
        ({"key_name": "dnssync", "key_secret": "not base64!"}, "key_secret: is neither base64 nor"),
        ({"key_name": "dnssync", "key_secret": ""}, "key_secret: is neither base64 nor"),
        ({"key_name": "dnssync", "key_secret": 'key "dnssync" { secret "not_base64!"; };'}, "key_secret: is neither"),
        ({"key_name": "a..b", "key_secret": SECRET}, "key_name: is no name"),
        ({"key_name": "dnssync", "key_secret": SECRET, "key_algorithm": "hmac-sha265"},
         "key_algorithm: hmac-sha265 is none of .*hmac-sha256"),
        ({"ipv6": "yes"}, "ipv6: must be"),
        ({"port": 0}, "port: must be 1 to 65535"),
        ({"port": 65536}, "port: must be 1 to 65535"),
        ({"timeout": 0}, "timeout: must be"),
        ({"port": 0, "timeout": -1, "key_algorithm": "none", "key_name": "a..b", "key_secret": "not base64!"},
         "^port: .*\ntimeout: .*\nkey_algorithm: .*\nkey_name: .*\nkey_secret: .*$"),
    ],
)  # fmt: skip
def test_wrong_options(options: dict[str, object], word: str) -> None:
    """Options that cannot be right are told when the provider is made, all of them, without their secret."""
    with pytest.raises(ProviderError, match=word) as caught:
        Provider("bind", "127.0.0.1", **options)
    assert SECRET not in str(caught.value)
    assert "base64!" not in str(caught.value)
