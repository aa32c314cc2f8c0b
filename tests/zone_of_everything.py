"""A zone with an RRset of every type that named or dnspython knows, and of some that nobody does: what strangers may own.

`master(zone)` is the text; named-checkzone has to take it (see `providers/test_zonefile.py`). SOA, OPT, TKEY, TSIG and the
query types cannot stand in a master file beside it; RRSIG, NSEC and NSEC3 can, unsigned zone or not.
"""

from __future__ import annotations

import dns.rdatatype

HEAD = """$TTL 3600
@ 3600 IN SOA ns1 hostmaster ( 2026112400 ; serial
    3600 600 604800 300 )
@ 7200 IN NS ns1
@ 7200 IN NS ns.elsewhere.test.
ns1 IN A 127.0.0.1
"""

DATA = {
    "A": ["192.0.2.7", "192.0.2.8"],
    "AAAA": ["2001:db8::7"],
    "A6": ["64 ::7 prefix"],
    "AFSDB": ["1 afs"],
    "AMTRELAY": ["10 0 1 203.0.113.15"],
    "APL": ["1:192.168.32.0/21 !1:192.168.38.0/28"],
    "ATMA": ["+61200000000"],
    "AVC": ['"app-name:x" "y"'],
    "CAA": ['0 issue "ca.example.net; policy=ev"'],
    "CDNSKEY": ["257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4="],
    "CDS": ["3613 15 2 3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b"],
    "CERT": ["PKIX 1 RSASHA256 MxFcby9k/yvedMfQgKzhH5er0Mu/vILz45IkskceFGgiWCn/GxHhAI6VAuHAoNUz4YoU1tVfSCSqQYn6//11U6Nld80jEeC8"],
    "CNAME": ["www.Elsewhere.test."],
    "CSYNC": ["66 3 A NS AAAA"],
    "DHCID": ["AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA="],
    "DLV": ["60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118"],
    "DNAME": ["other.test."],
    "DNSKEY": ["256 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4="],
    "DOA": ['1234567890 1234567890 1 "image/gif" R0lGODlhKAAZAOMCAGZmZgBmmf///zOZzMz//5nM/zNmmWbM'],
    "DS": ["60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118"],
    "EID": ["1289ab"],
    "EUI48": ["01-23-45-67-89-ab"],
    "EUI64": ["01-23-45-67-89-ab-cd-ef"],
    "GPOS": ["-32.6882 116.8652 10.0"],
    "HINFO": ['"PC clone" "NetBSD 1.4"'],
    "HIP": ["2 200100107B1A74DF365639CC39F1D578 AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cIvM4p9+LrV4e19WzK00+CI6zBCQTdtWsuxKbWIy87UOoJTwkUs7lBu+Upr1gsNrut79ryra+bSRGQb1slImA8YVJyuIDsj7kwzG7jnERNqnWxZ48AWkskmdHaVDP4BcelrTI3rMXdXF5D rvs"],
    "HTTPS": ['1 . alpn="h2,h3" port="8443"'],
    "IPSECKEY": ["10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ=="],
    "ISDN": ['"150862028003217" "004"'],
    "KEY": ["512 255 1 AQMFD5raczCJHViKtLYhWGz8hMY9UGRuniJDBzC7w0aR"],
    "KX": ["10 kx"],
    "L32": ["10 10.1.2.0"],
    "L64": ["10 2001:0db8:1140:1000"],
    "LOC": ["60 9 0.000 N 24 39 0.000 E 10.00m 20m 2000m 20m"],
    "LP": ["10 l64"],
    "MB": ["madname"],
    "MG": ["mgmname"],
    "MINFO": ["rmailbx emailbx"],
    "MR": ["mrname"],
    "MX": ["10 Mail", "0 mail.elsewhere.test."],
    "NAPTR": ['100 50 "s" "http+N2L+N2C+N2R" "" www'],
    "NID": ["10 0014:4fff:ff20:ee64"],
    "NIMLOC": ["1289ab"],
    "NINFO": ['"foo" "bar"'],
    "NSAP": ["0x47000580005a0000000001e133ffffff00016100"],
    "NSAP-PTR": ["foo"],
    "NXT": ["a A TXT NXT"],
    "OPENPGPKEY": ["AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cIvM4p9+LrV4e19WzK"],
    "PTR": ["host.elsewhere.test."],
    "PX": ["65535 foo bar"],
    "RKEY": ["0 255 1 AQMFD5raczCJHViKtLYhWGz8hMY9UGRuniJDBzC7w0aR"],
    "RP": ["mbox-dname txt-dname"],
    "RT": ["0 intermediate-host"],
    "SIG": ["NXT 1 3 3600 20000102030405 19961211100908 2143 foo.nil. MxFcby9k/yvedMfQgKzhH5er0Mu/vILz45IkskceFGgiWCn/GxHhAI6V"],
    "SINK": ["8 0 2 l4ik"],
    "SMIMEA": ["1 1 2 92003ba34942dc74152e2f2c408d29eca5a520e7f2e06bb944f4dca346baf63c1b177615d466f6c4b71c216a50292bd58c9ebdd2f74e38fe51ffd48c43326cbc"],
    "SPF": ['"v=spf1 include:_spf.elsewhere.test -all" "second"', '"another"'],
    "SRV": ["65535 65535 65535 Old-Slow-Box"],
    "SSHFP": ["4 2 4158f281921260b0205508121c6f5cee879e15f22bdbc319ef2ae9fd308db3be"],
    "SVCB": ["16 foo alpn=\"h2\" port=53"],
    "TA": ["30795 1 1 310d27f4d82c1fc2400704ea9939fe6e1cead036"],
    "TALINK": [". talink1"],
    "TLSA": ["1 1 2 92003ba34942dc74152e2f2c408d29eca5a520e7f2e06bb944f4dca346baf63c1b177615d466f6c4b71c216a50292bd58c9ebdd2f74e38fe51ffd48c43326cbc"],
    "TXT": [
        '"v=spf10 is not SPF"',
        '"a; b" "c\\"d" "e\\\\f"',
        '"gr\\195\\188n \\000\\255"',
        '"del\\127 tab\\009 line\\010 return\\013 escape\\027 nul\\000"',
        "bare\\;word",
        '""',
        " ".join(f'"{letter * 255}"' for letter in "abcdefghijklmnop"),
    ],
    "URI": ['10 20 "https://www.isc.org/HolyCowThisSureIsAVeryLongURI.htm"'],
    "WKS": ["10.0.0.1 6 0 1 2 21 23"],
    "X25": ['"123456789"'],
    "ZONEMD": ["2018031900 1 240 e2d523f654b9422a96c5a8f44607bbeee2d523f654b9422a96c5a8f44607bbee"],
    # Newer than this named: by number (RFC 3597).
    "TYPE261": ["\\# 9 08 7175657374696f6e"],
    "TYPE262": ["\\# 4 03 616263"],
    "TYPE10": ["\\# 3 abcdef"],
    "TYPE731": ["\\# 6 abcd 01 23 45 67"],
    "TYPE65280": ["\\# 0"],
    "TYPE65534": ["\\# 5 0812340001"],
}  # fmt: skip
APEX = """
@ 300 IN TXT "site-verification=abc" "def"
@ 300 IN TXT "v=spf10 is not SPF"
@ 300 IN TXT "semi;colon \\"quoted\\" back\\\\slash"
@ 300 IN MX 10 Mail
@ 300 IN CAA 0 issue "ca.example.net"
@ 300 IN TYPE65534 \\# 5 0812340001
* IN TXT "a wildcard"
*.deep IN MX 10 mail
Mixed.CASE IN A 192.0.2.9
under IN NS ns1.under
t-ds IN NS ns1.under
ns1.under IN A 192.0.2.53
_sip._tcp IN SRV 0 0 5060 sip
a\\.dot IN A 192.0.2.10
"""


def master(zone: str) -> str:
    """The whole master file: one owner `t-TYPE` a type, some names that are hard, and a busy apex."""
    lines = [HEAD.format(zone=zone), APEX]
    for kind, values in DATA.items():
        ttl = 600 + dns.rdatatype.from_text(kind) if kind in dns.rdatatype.RdataType.__members__ else 900
        lines += [f"t-{kind.lower()} {ttl} IN {kind} {value}\n" for value in values]
    return "".join(lines)


if __name__ == "__main__":
    print(master("example.org"), end="")
