"""dnssync's checks beside checkdmarc, on domains with one fault each at one BIND on loopback.

    python bench/check.py [-v]

A line a domain: what each says of the question that the domain is about. *same*: the same severity, `info` being as good as `ok`;
*weight*: both tell of it, and weigh it differently; *one*: one of them alone tells of it. Exit code 1 where that is not as
`check_cases.py` has it. `-v` shows all that both say.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import checkdmarc.dmarc
import checkdmarc.mta_sts
import checkdmarc.smtp
import checkdmarc.smtp_tls_reporting
import checkdmarc.spf
import checkdmarc.utils
from dns.nameserver import Do53Nameserver

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.check_cases import BESIDE, CASES, KNOWN, Case, ids, ours
from tests.check.world import World


def theirs(case: Case, servers: Any) -> tuple[str, list[str]]:
    """The worst that checkdmarc says, and what."""
    checkdmarc.utils.DNS_CACHE.clear()
    how = {"nameservers": servers, "timeout": 2}
    parked = case.about == "parked"
    results: list[Mapping[str, Any]] = []
    try:
        if case.about in ("spf", "parked"):
            results.append(checkdmarc.spf.check_spf(case.domain, parked=parked, **how))
        if case.about in ("dmarc", "parked"):
            results.append(checkdmarc.dmarc.check_dmarc(case.domain, parked=parked, **how))
        if case.about == "mx":
            results.append(checkdmarc.smtp.check_mx(case.domain, **how))
        if case.about == "mta_sts":
            got = checkdmarc.mta_sts.query_mta_sts_record(case.domain, **how)
            results.append(got)
            results.append(checkdmarc.mta_sts.parse_mta_sts_record(got["record"]))
        if case.about == "tls_rpt":
            results.append(checkdmarc.smtp_tls_reporting.check_smtp_tls_reporting(case.domain, **how))
    except Exception as trouble:
        return "error", [f"{type(trouble).__name__}: {trouble}"]
    errors = [str(r.get("error")) for r in results if r.get("error") or r.get("valid") is False]
    warnings = [str(warning) for r in results for warning in r.get("warnings") or ()]
    return ("error" if errors else "warning" if warnings else "ok"), [*errors, *warnings]


def compared(mine: str, other: str) -> str:
    """How two verdicts stand to each other."""
    if mine == other or (mine, other) == ("info", "ok"):
        return "same"
    return "one" if "ok" in (mine, other) else "weight"


def main() -> int:
    """Print the table and the figures."""
    kinds: Counter[str] = Counter()
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        zones = {**{case.domain: case.zone for case in CASES}, **BESIDE}
        parked = [case.domain for case in CASES if case.about == "parked"]
        domains = [case.domain for case in CASES]
        with World(Path(folder), zones, domains=domains, parked=parked, foreign=[*BESIDE]) as world:
            said = ours(world.findings(*ids()))
            servers = [Do53Nameserver("127.0.0.1", world.bind.port)]
            print(f"{'domain':24}{'dnssync':10}{'checkdmarc':12}")
            for case in CASES:
                mine, why = said[case.domain]
                other, reasons = theirs(case, servers)
                kind = compared(mine, other)
                kinds[kind] += 1
                had = KNOWN.get(case.domain)
                good = kind == "same" if had is None else (had.ours, had.theirs) == (mine, other)
                if not good:
                    wrong.append(case.domain)
                print(f"{case.domain:24}{mine:10}{other:12}{kind}")
                if "-v" in sys.argv or not good:
                    print(
                        "".join(f"    ours: {text}\n" for text in why)
                        + "".join(f"    theirs: {text}\n" for text in reasons),
                        end="",
                    )
    print(
        f"\n{kinds.total()} domains: {kinds['same']} the same, {kinds['weight']} weighed differently, {kinds['one']} told by one alone"
    )
    for domain in wrong:
        print(f"not as check_cases.py has it: {domain}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
