"""Domains with one fault each, or none, for `bench/check.py`; and what is known of where checkdmarc says something else.

Each domain is NAME.test; in the text `~` stands for that. What a case does not speak of is well: `GOOD`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

SPF = '@ TXT "v=spf1 ip4:192.0.2.1 -all"\n'
DMARC = '_dmarc TXT "v=DMARC1; p=reject; rua=mailto:postmaster@~"\n'
MX = "@ MX 10 mx.example.test.\n@ MX 20 mx2.example.test.\n"
GOOD = {"spf": SPF, "dmarc": DMARC, "mx": MX}

# Which of our checks answer the question that checkdmarc answers. Left out is what it does not look at: whether SPF passes what exim
# sends (SPF-03), whether the exchange is this host (MX-01), that there is a second one (MX-06).
IDS = {
    "spf": ("SPF-01", "SPF-02", "SPF-04", "SPF-05", "SPF-06", "SPF-07", "SPF-08", "SPF-09"),
    "dmarc": ("DMARC-01", "DMARC-02", "DMARC-03", "DMARC-04", "DMARC-05"),
    "mx": ("MX-02", "MX-03", "MX-04", "MX-05"),
    "mta_sts": ("STS-01",),
    "tls_rpt": ("TLSRPT-01",),
    "parked": ("PARK-01",),
}


@dataclass(frozen=True, slots=True)
class Differs:
    """What dnssync says of a domain, and checkdmarc (`ok`, `info`, `warning`, `error`); who is right, and why."""

    ours: str
    theirs: str
    why: str


@dataclass(frozen=True, slots=True)
class Case:
    """A domain. `about`: the question that is compared; `text`: its records about that, the others are well."""

    name: str
    about: str
    text: str

    @property
    def domain(self) -> str:
        """Its name in DNS."""
        return f"{self.name}.test"

    @property
    def zone(self) -> str:
        """Its records."""
        parked = self.about == "parked"
        rest = "" if parked else "".join(text for about, text in GOOD.items() if about != self.about)
        return (rest + self.text).replace("~", self.domain)


def _spf(terms: str) -> str:
    return f'@ TXT "v=spf1 {terms}"\n'


def _dmarc(tags: str) -> str:
    return f'_dmarc TXT "v=DMARC1; {tags}"\n'


RUA = "rua=mailto:postmaster@~"
LOOKUPS = " ".join(f"a:a{n}.~" for n in range(11)), "".join(f"a{n} A 192.0.2.1\n" for n in range(11))
CASES: tuple[Case, ...] = (
    Case("spf-good", "spf", SPF),
    Case("spf-none", "spf", ""),
    Case("spf-two", "spf", _spf("-all") + _spf("ip4:192.0.2.1 -all")),
    Case("spf-soft", "spf", _spf("ip4:192.0.2.1 ~all").replace("~all", "\\126all")),
    Case("spf-neutral", "spf", _spf("ip4:192.0.2.1 ?all")),
    Case("spf-plus", "spf", _spf("+all")),
    Case("spf-noall", "spf", _spf("ip4:192.0.2.1")),
    Case("spf-afterall", "spf", _spf("-all ip4:192.0.2.1")),
    Case("spf-glued", "spf", _spf("ip4:192.0.2.1-all")),
    Case("spf-badterm", "spf", _spf("ipv4:192.0.2.1 -all")),
    Case("spf-badip", "spf", _spf("ip4:192.0.2.300 -all")),
    Case("spf-eleven", "spf", _spf(LOOKUPS[0] + " -all") + LOOKUPS[1]),
    Case("spf-ten", "spf", _spf(LOOKUPS[0].rpartition(" ")[0] + " -all") + LOOKUPS[1]),
    Case("spf-void", "spf", _spf("a:n1.~ a:n2.~ a:n3.~ -all")),
    Case("spf-voidtwo", "spf", _spf("a:n1.~ a:n2.~ -all")),
    Case("spf-ptr", "spf", _spf("ip4:192.0.2.1 ptr -all") + "@ A 192.0.2.1\n"),
    Case("spf-loop", "spf", _spf("include:~ -all")),
    Case("spf-missing", "spf", _spf("include:gone.~ -all")),
    Case("spf-redirect", "spf", _spf("redirect=spf-good.test")),
    Case("spf-redirall", "spf", _spf("redirect=spf-good.test -all")),
    Case("spf-twice", "spf", _spf("include:spf-good.test include:spf-good.test -all")),
    Case("spf-huge", "spf", _spf("ip4:0.0.0.0/0 -all")),
    Case("spf-wide", "spf", _spf("ip4:192.0.0.0/8 -all")),
    Case("spf-space", "spf", '@ TXT " v=spf1 ip4:192.0.2.1 -all"\n'),
    Case("spf-upper", "spf", '@ TXT "V=SPF1 IP4:192.0.2.1 -ALL"\n'),
    Case("spf-strings", "spf", '@ TXT "v=spf1 ip4:192.0.2.1" " -all"\n'),
    Case("spf-gap", "spf", '@ TXT "v=spf1 ip4:192.0.2.1" "-all"\n'),
    Case("spf-macro", "spf", _spf("exists:%{i}.ok.~ ip4:192.0.2.1 -all") + "*.ok A 127.0.0.2\n"),
    Case("spf-type99", "spf", SPF + '@ SPF "v=spf1 mx -all"\n'),
    Case("dmarc-good", "dmarc", DMARC),
    Case("dmarc-none", "dmarc", ""),
    Case("dmarc-pnone", "dmarc", _dmarc("p=none; " + RUA)),
    Case("dmarc-two", "dmarc", DMARC + _dmarc("p=none")),
    Case("dmarc-apex", "dmarc", '@ TXT "v=DMARC1; p=reject"\n'),
    Case("dmarc-unrelated", "dmarc", DMARC + '_dmarc TXT "hello"\n'),
    Case("dmarc-badp", "dmarc", _dmarc("p=rejected; " + RUA)),
    Case("dmarc-nop", "dmarc", _dmarc(RUA)),
    Case("dmarc-late", "dmarc", _dmarc("rua=mailto:postmaster@~; p=reject")),
    Case("dmarc-norua", "dmarc", _dmarc("p=reject")),
    Case("dmarc-nomailto", "dmarc", _dmarc("p=reject; rua=postmaster@~")),
    Case("dmarc-foreign", "dmarc", _dmarc("p=reject; rua=mailto:r@other.test")),
    Case("dmarc-allowed", "dmarc", _dmarc("p=reject; rua=mailto:r@reports.test")),
    Case("dmarc-weaksp", "dmarc", _dmarc("p=reject; sp=none; " + RUA)),
    Case("dmarc-pct", "dmarc", _dmarc("p=reject; pct=50; " + RUA)),
    Case("dmarc-tag", "dmarc", _dmarc("p=reject; foo=bar; " + RUA)),
    Case("dmarc-twicetag", "dmarc", _dmarc("p=reject; p=none; " + RUA)),
    Case("dmarc-case", "dmarc", '_dmarc TXT "v=dmarc1; p=reject"\n'),
    Case("dmarc-space", "dmarc", '_dmarc TXT " v=DMARC1; p=reject; rua=mailto:postmaster@~"\n'),
    Case("mx-good", "mx", MX),
    Case("mx-none", "mx", "@ A 192.0.2.1\n"),
    Case("mx-null", "mx", "@ MX 0 .\n"),
    Case("mx-nullboth", "mx", "@ MX 0 .\n@ MX 10 mx.example.test.\n"),
    Case("mx-cname", "mx", "@ MX 10 alias\nalias CNAME mx.example.test.\n"),
    Case("mx-noaddress", "mx", "@ MX 10 gone\n"),
    Case("mx-literal", "mx", "@ MX 10 192.0.2.1.\n"),
    Case("mx-twice", "mx", "@ MX 10 mx.example.test.\n@ MX 20 mx.example.test.\n"),
    Case("mx-noptr", "mx", "@ MX 10 bare\nbare A 192.0.2.9\n"),
    Case("sts-good", "mta_sts", '_mta-sts TXT "v=STSv1; id=20261129"\n'),
    Case("sts-noid", "mta_sts", '_mta-sts TXT "v=STSv1;"\n'),
    Case("sts-badid", "mta_sts", '_mta-sts TXT "v=STSv1; id=2026-11-29"\n'),
    Case("sts-two", "mta_sts", '_mta-sts TXT "v=STSv1; id=1"\n_mta-sts TXT "v=STSv1; id=2"\n'),
    Case("rpt-good", "tls_rpt", '_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tls@~"\n'),
    Case("rpt-norua", "tls_rpt", '_smtp._tls TXT "v=TLSRPTv1;"\n'),
    Case("rpt-badscheme", "tls_rpt", '_smtp._tls TXT "v=TLSRPTv1; rua=ftp://~/"\n'),
    Case("rpt-two", "tls_rpt", '_smtp._tls TXT "v=TLSRPTv1; rua=mailto:a@~"\n_smtp._tls TXT "v=TLSRPTv1; rua=mailto:b@~"\n'),
    Case("park-good", "parked", '@ MX 0 .\n@ TXT "v=spf1 -all"\n_dmarc TXT "v=DMARC1; p=reject; rua=mailto:r@reports.test"\n'),
    Case("park-softspf", "parked", '@ MX 0 .\n@ TXT "v=spf1 mx -all"\n_dmarc TXT "v=DMARC1; p=reject; rua=mailto:r@reports.test"\n'),
    Case("park-pnone", "parked", '@ MX 0 .\n@ TXT "v=spf1 -all"\n_dmarc TXT "v=DMARC1; p=none; rua=mailto:r@reports.test"\n'),
    Case("park-weaksp", "parked", '@ MX 0 .\n@ TXT "v=spf1 -all"\n_dmarc TXT "v=DMARC1; p=reject; sp=none; rua=mailto:r@reports.test"\n'),
)  # fmt: skip

# Zones beside them: the exchanges, where reports go, and the names of addresses.
BESIDE = {
    ".": "@ 300 SOA ns. hostmaster. 1 3600 600 604800 300\n@ 300 NS ns.\nns. 300 A 127.0.0.1\n",
    "example.test": "mx A 192.0.2.1\nmx2 A 192.0.2.2\n",
    "reports.test": '@ MX 10 mx.example.test.\n*._report._dmarc TXT "v=DMARC1"\n',
    "other.test": "@ MX 10 mx.example.test.\n",
    "2.0.192.in-addr.arpa": "1 PTR mx.example.test.\n2 PTR mx2.example.test.\n",
}


_NO_ERRORS = "Both tell it; checkdmarc knows no errors about MX records. dnssync: mail does not arrive."
_IGNORED = "Both tell it. dnssync: senders take such a record for none, so no mail suffers, but what it was published for does not happen."

# The domains on which the two differ.
KNOWN: dict[str, Differs] = {
    "spf-neutral.test": Differs("warning", "ok", "dnssync: `?all` asks nothing of receivers (RFC 7208 §8.2), so the record protects nobody."),
    "spf-plus.test": Differs("error", "ok", "dnssync: `+all` passes the whole world; receivers take it for a sign of spam."),
    "spf-noall.test": Differs("warning", "ok", "dnssync: without `all` or `redirect` the result is neutral (RFC 7208 §4.7), as if there was no record."),
    "spf-ten.test": Differs("warning", "ok", "Both: ten look-ups are allowed. dnssync warns from eight on, since an include grows without being asked."),
    "spf-voidtwo.test": Differs(
        "ok", "warning",
        "Both: two void look-ups are allowed (RFC 7208 §4.6.4). checkdmarc tells each name that does not exist; dnssync tells them once they are too many.",
    ),
    "spf-huge.test": Differs("error", "ok", "dnssync: `ip4:0.0.0.0/0` is `+all` in other words."),
    "spf-wide.test": Differs("warning", "ok", "dnssync: nobody sends from sixteen million addresses, so others than the owner pass."),
    "spf-upper.test": Differs("ok", "error", "dnssync: the version is a string of the ABNF (RFC 7208 §4.5), and those know no case (RFC 5234 §2.3)."),
    "spf-type99.test": Differs(
        "error", "warning",
        "Both tell it. dnssync: it says something else than the TXT record, and receivers with libspf2 ask for it first; the same text is an info.",
    ),
    "dmarc-unrelated.test": Differs("info", "error", "dnssync: receivers discard what does not begin with the version (RFC 7489 §6.6.3), and the policy holds."),
    "dmarc-late.test": Differs("info", "warning", "Both tell it: RFC 9989 takes any order, RFC 7489 wants p= second."),
    "dmarc-tag.test": Differs("info", "warning", "Both tell it: receivers must ignore tags that they do not know, so nothing suffers."),
    "dmarc-norua.test": Differs("error", "warning", "Both tell it. dnssync: its configuration names an address for reports, and they do not come."),
    "dmarc-foreign.test": Differs("error", "warning", "Both tell it. dnssync: without the record at the destination no report comes at all (RFC 7489 §7.1)."),
    "mx-null.test": Differs("error", "warning", "Both tell it. dnssync: exim takes mail for the domain here, and the record says that nobody does."),
    "mx-nullboth.test": Differs("error", "warning", "Both tell it (RFC 7505 §3). dnssync: whether mail arrives depends on the sender."),
    "mx-cname.test": Differs("error", "warning", "Both tell it (RFC 2181 §10.3); checkdmarc knows no errors about MX records. dnssync: some senders give up."),
    "mx-noaddress.test": Differs("error", "warning", _NO_ERRORS),
    "mx-literal.test": Differs("error", "warning", _NO_ERRORS),
    "mx-noptr.test": Differs(
        "ok", "warning", "dnssync: nobody looks up the address that he delivers to; PTR-01 asks for those that mail leaves from."
    ),
    **{name: Differs("warning", "error", _IGNORED) for name in (
        "sts-noid.test", "sts-badid.test", "sts-two.test", "rpt-norua.test", "rpt-badscheme.test", "rpt-two.test",
    )},
}  # fmt: skip


def ids() -> tuple[str, ...]:
    """Our checks that are compared."""
    return tuple(id for some in IDS.values() for id in some)


def ours(findings: Iterable[Any]) -> dict[str, tuple[str, list[str]]]:
    """By domain the worst that our findings say of the question that it is about, and all that they say."""
    told: dict[str, list[Any]] = {case.domain: [] for case in CASES}
    hosts = {case.domain: _exchanges(case) for case in CASES}
    for finding in findings:
        for case in CASES:
            about = finding.subject == case.domain or finding.subject in hosts[case.domain]
            if about and finding.id in IDS[case.about] and finding.severity != "ok":
                told[case.domain].append(finding)
    return {
        domain: (
            str(min((f.severity for f in some), key=lambda severity: severity.rank, default="ok")),
            [f"{f.id} {f.severity}: {f.message}" for f in some],
        )
        for domain, some in told.items()
    }


def _exchanges(case: Case) -> set[str]:
    """The hosts that a case about MX names: what we say of them is about it too."""
    words = [line.split() for line in case.zone.splitlines() if case.about == "mx"]
    names = [line[3] for line in words if line[1] == "MX"]
    return {name.rstrip(".") if name.endswith(".") else f"{name}.{case.domain}" for name in names}
