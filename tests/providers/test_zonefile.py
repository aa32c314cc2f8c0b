"""Master files read as named reads them: named's own tools are the measure."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.providers.desk import ZONE, Desk
from tests.zone_of_everything import DATA, master

# The mnemonics of BIND 9.18.
TYPES_OF_NAMED = (
    "A A6 AAAA AFSDB AMTRELAY APL ATMA AVC CAA CDNSKEY CDS CERT CNAME CSYNC DHCID DLV DNAME DNSKEY DOA DS EID EUI48 EUI64 GID "
    "GPOS HINFO HIP HTTPS IPSECKEY ISDN KEY KX L32 L64 LOC LP MB MD MF MG MINFO MR MX NAPTR NID NIMLOC NINFO NS NSAP NSAP-PTR "
    "NSEC NSEC3 NSEC3PARAM NULL NXT OPENPGPKEY OPT PTR PX RESINFO RKEY RP RRSIG RT SIG SINK SMIMEA SOA SPF SRV SSHFP SVCB TA "
    "TALINK TKEY TLSA TSIG TXT UID UINFO UNSPEC URI WALLET WKS X25 ZONEMD"
)
# RESINFO and WALLET came late: the zone has them by number. MD and MF are "obsolete" to named. NSEC and its kin need a signed
# zone, the others are no records of a zone, or have no form but the one of unknown types.
NOT_BY_NAME = "RESINFO WALLET MD MF RRSIG NSEC NSEC3 NSEC3PARAM SOA NS NULL OPT TKEY TSIG UID GID UINFO UNSPEC"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk without a file yet."""
    return Desk(tmp_path)


def compiled(file: Path, folder: Path) -> set[tuple[str, int, str, str]]:
    """The zone as named loads it: name, TTL, type and data of every record."""
    argv = ["named-compilezone", "-q", "-k", "ignore", "-i", "none", "-s", "full", "-o", "-", ZONE, str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=folder)
    records = [re.fullmatch(r"(\S+)\s+(\d+)\s+IN\s+(\S+)\s*(.*)", line).groups() for line in done.stdout.splitlines()]
    return {
        (name.lower(), int(ttl), kind, data.lower() if data[:2] == "\\#" else data) for name, ttl, kind, data in records
    }


@pytest.mark.bind
class TestAsNamed:
    """named's own tools are the measure."""

    def test_every_type(self, tmp_path: Path) -> None:
        """The zone of everything is one that named takes, and it holds every type that named has a name for."""
        file = tmp_path / "zone"
        file.write_text(master(ZONE))
        done = subprocess.run(
            ["named-checkzone", "-k", "ignore", "-i", "none", ZONE, str(file)], capture_output=True, text=True
        )
        assert (done.returncode, done.stdout.strip().splitlines()[-1:]) == (0, ["OK"])
        assert set(TYPES_OF_NAMED.split()) - set(DATA) == set(NOT_BY_NAME.split())

    @pytest.mark.parametrize("text", [
        "$ORIGIN sub\na A 192.0.2.1\n$ORIGIN deeper\n@ 5 A 192.0.2.2\n  TXT x\n$ORIGIN example.org.\nb TXT y\n",
        "$TTL 5\na TXT x\n$TTL 1D2H\n  TXT y\nb 1w TXT z\nc TXT z\n",
        'a IN 7 TXT ( "one" ; not "this"\n  two\n\n  "thr;ee" ) ; nor ( this\n',
        "a\t(TXT\tx)\nb IN ( 5\n TXT ) x\n",
        'A.B TXT "caps"\na.b TXT other\n',
        'q TXT "a\\"b" c\\;d \\065\\092 "\\;" e\\ f\n',
        "g TXT grün \u00a0 \u0085\n",
        "$GENERATE 1-3 h$ A 192.0.2.$\n$GENERATE 1-9/4 k${0,3,d} CNAME h$\nl TXT after\n",
        "m TXT x\n\n; a remark\n\t\n   \n  ; an indented one\n  IN TXT y\nn CLASS1 TXT z\n",
        "in TXT a\ntxt TXT b\n3600 TXT c\na TXT d\n",
        "o TXT x\n$INCLUDE inner\n  TXT still-o\np TXT x\n",
        "$INCLUDE inner elsewhere\n$INCLUDE \"inner\" here.example.org.\n",
        "x 60 TXT a\ny TXT b\nx 7 TXT c\nX 8 TXT d\n  9 TXT e\n",
        "x 60 TXT a\nx 7 TXT c\nx 8 MX 1 m\n",
        "out.of.zone.test. TXT x\nr TXT y\n",
        's TYPE16 \\# 4 03 616263\nt TYPE99 \\# 2 0178\nu TYPE65534 \\# 3 (\n AB CD\n EF )\n',
        "v SPF \"v=spf1 -all\"\nw HTTPS 1 . alpn=\"h2,h3\"\n",
    ])  # fmt: skip
    def test_same_records(self, desk: Desk, text: str) -> None:
        """Owners, TTLs, types and texts are those that named loads, whatever way they are written."""
        folder = desk.file.parent
        (folder / "inner").write_text("$ORIGIN rel\ni 77 TXT included\n$TTL 11\n  TXT again\n")
        desk.lay(text)
        named = {record for record in compiled(desk.file, folder) if record[2] != "SOA"}
        ours = set()
        for rrset in desk.provider().read(ZONE):
            name = f"{rrset.name}.{ZONE}.".lstrip(".")
            ours |= {(name, rrset.ttl, rrset.type, value.raw) for value in rrset.values if rrset.type != "SOA"}
        assert ours == named
