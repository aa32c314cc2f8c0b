"""Where sections end: what an answer is judged by, and which part of it has to be read."""

from __future__ import annotations

import random
import socket
from dataclasses import replace

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from dnssync import wire
from dnssync.core.sighting import Rcode
from dnssync.sections import judged_by, records_alone
from tests.bind import Bind
from tests.looking import KEY, ZONE, record

NAME = f"s0.{ZONE}"
RECORDS = {
    "TXT": ('"v=spf1 mx -all"', '"a" "b"'), "MX": (f"10 mx.{ZONE}.",), "A": ("192.0.2.1", "192.0.2.2"), "AAAA": ("2001:db8::1",),
    "NS": (f"ns1.{ZONE}.",), "SOA": (f"ns1.{ZONE}. hostmaster.{ZONE}. 1 3600 600 604800 300",), "TLSA": ("3 1 1 " + "ab" * 32,),
}  # fmt: skip


class TestWhatAnAnswerIsJudgedBy:
    """Flags, question and answer section; not the id, nor what stands behind."""

    def octets(self, *records: str, ident: int = 1, authority: tuple[str, ...] = (), flags: int = 0) -> bytes:
        """An answer with these records at a name."""
        query = dns.message.make_query(f"s0.{ZONE}", "TXT", id=ident)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA | flags
        if records:
            answer.answer.append(dns.rrset.from_text(f"s0.{ZONE}.", 300, "IN", "TXT", *records))
        for host in authority:
            answer.authority.append(dns.rrset.from_text(f"{ZONE}.", 300, "IN", "NS", host))
        return answer.to_wire()

    def test_the_same(self) -> None:
        """Whatever the id is, and in whatever order the name servers of the zone are told."""
        plain = judged_by(self.octets('"a" "b"'))
        for other in (
            {"ident": 7},
            {"authority": (f"a.{ZONE}.", "b.other.test.")},
            {"authority": ("b.other.test.", f"a.{ZONE}.")},
        ):
            octets = self.octets('"a" "b"', **other)  # type: ignore[arg-type]
            assert judged_by(octets) == plain and len(plain) < len(octets)

    def test_another_one(self) -> None:
        """Another text, order or split of it, one more, none, and another flag."""
        every = [
            self.octets('"a" "b"', '"c"'), self.octets('"ab"', '"c"'), self.octets('"a" "b"'), self.octets(), self.octets('"a" "b"', '"d"'),
            self.octets('"a" "b"', flags=dns.flags.TC), b"", b"12", self.octets('"a" "b"', '"c"')[:-3],
        ]  # fmt: skip
        judged = set(map(judged_by, every))
        assert len(judged) == len(every) - 1  # the empty one and the two octets are the same to nobody but each other


class TestWhatIsRead:
    """Of an answer that gives the RRset no more than that; of every other one all of it."""

    def answer(self, kind: str = "TXT", name: str = NAME, *, authoritative: bool = True) -> dns.message.Message:
        """An answer with records of a type, and with the name server and its addresses behind them."""
        answer = dns.message.make_response(dns.message.make_query(NAME, kind, use_edns=0))
        answer.flags |= dns.flags.AA if authoritative else 0
        answer.answer.append(dns.rrset.from_text(f"{name}.", 300, "IN", kind, *RECORDS[kind]))
        answer.authority.append(dns.rrset.from_text(f"{ZONE}.", 300, "IN", "NS", f"ns1.{ZONE}.", f"ns2.{ZONE}."))
        answer.additional.append(dns.rrset.from_text(f"ns1.{ZONE}.", 300, "IN", "A", "192.0.2.53"))
        return answer

    @pytest.mark.parametrize("kind", RECORDS)
    def test_the_records_alone(self, kind):
        """The same records, and nothing of what stands behind them."""
        octets = self.answer(kind).to_wire()
        assert records_alone(octets) is not None
        whole, short = wire.heard(octets), wire.told(octets, NAME, kind)
        assert len(whole.answer[0].texts) == len(RECORDS[kind]) and whole.authority and whole.additional
        assert short == replace(whole, authority=(), additional=())

    def test_no_authority(self):
        """Who delegates the name is told behind the answer section."""
        octets = self.answer(authoritative=False).to_wire()
        assert records_alone(octets) is None and wire.told(octets, NAME, "TXT").authority

    def test_no_records(self):
        """How long the answer that there are none holds is told behind the answer section."""
        answer = self.answer()
        answer.answer.clear()
        answer.authority[:] = [dns.rrset.from_text(f"{ZONE}.", 300, "IN", "SOA", *RECORDS["SOA"])]
        told = wire.told(answer.to_wire(), NAME, "TXT")
        assert records_alone(answer.to_wire()) is None
        assert (told.rcode, told.negative_ttl) == (Rcode.NODATA, 300)

    def test_a_cname_without_an_end(self):
        """The same for what a CNAME leads to."""
        answer = self.answer()
        answer.answer[:] = [dns.rrset.from_text(f"{NAME}.", 300, "IN", "CNAME", f"there.{ZONE}.")]
        answer.authority[:] = [dns.rrset.from_text(f"{ZONE}.", 300, "IN", "SOA", *RECORDS["SOA"])]
        told = wire.told(answer.to_wire(), NAME, "TXT")
        assert (told.found(NAME, "CNAME") is not None, told.negative_ttl) == (True, 300)

    @pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.NXDOMAIN, dns.rcode.BADVERS, dns.rcode.BADCOOKIE])
    def test_an_error(self, rcode):
        """Records beside an error count for nothing, in whichever part of the message it stands."""
        answer = self.answer()
        answer.set_rcode(rcode)
        octets = answer.to_wire()
        told = wire.told(octets, NAME, "TXT")
        assert records_alone(octets) is None
        assert told == wire.heard(octets) and told.rcode is not Rcode.DATA

    def test_what_does_not_end_where_it_says(self):
        """A message that is over too soon, or too late, is read as a whole, and then it is an error; wherever it breaks."""
        octets, broken = self.answer().to_wire(), 0
        for other in [*(octets[:end] for end in range(12, len(octets))), octets + b"\0"]:
            assert records_alone(other) is None
            assert wire.told(other, NAME, "TXT") == wire.heard(other)
            broken += wire.heard(other).rcode is Rcode.ERROR
        assert broken == len(octets) - 12 + 1

    def test_any_octets(self):
        """Whatever octets there are, records that are read from a part of a message are those that the whole of it holds."""
        chance, read = random.Random(8), 0
        for _ in range(3000):
            octets = bytearray(self.answer(chance.choice([*RECORDS])).to_wire())
            for _ in range(chance.randrange(1, 4)):
                octets[chance.randrange(2, len(octets))] = chance.choice((0, 1, 2, 0xC0, 0xFF, chance.randrange(256)))
            whole, told = wire.heard(bytes(octets)), wire.told(bytes(octets), NAME, "TXT")
            if whole.rcode is Rcode.ERROR:  # only behind the records, then
                assert told == whole or told.found(NAME, "TXT") is not None
            else:
                assert (told.rcode, told.authoritative, told.answer) == (whole.rcode, whole.authoritative, whole.answer)
                read += told.answer != ()
        assert read > 1000

    def test_at_a_real_server(self, tmp_path):
        """BIND's answers, with whatever it puts behind them."""
        with Bind(tmp_path / "bind", {ZONE: record(KEY, "s0") + f"\n@ MX 10 mx.{ZONE}.\nmx A 192.0.2.1\n"}) as bind:
            where = wire.split(bind.server, 53)
            for name, kind, there in (
                (NAME, "TXT", True),
                (ZONE, "MX", True),
                (ZONE, "SOA", True),
                (ZONE, "AAAA", False),
            ):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    sock.settimeout(5)
                    sock.sendto(b"\0\7" + wire.query(name, kind).octets, where)
                    octets = sock.recv(4096)
                whole, told = wire.heard(octets), wire.told(octets, name, kind)
                assert whole.authority
                assert told == (replace(whole, authority=(), additional=()) if there else whole)
