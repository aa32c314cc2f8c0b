"""The public suite of RFC 7208, as pyspf 2.0.14 ships it, through everything here that reads SPF: parser, evaluator, look-up counter, and pyspf as
`dnssync check` runs it. Figures and exceptions stand where they are tested.

203 cases in 16 scenarios. Ours: 203 right (tests/core/test_spf_check.py has them one by one). pyspf over our look-ups: 203 right; where the suite
allows several results, both choose the same. 197 records: our parser takes 134 and refuses 63, which agrees
with the results of all cases, nine apart whose fault is none of syntax. Counter: 11 cases, 2 exceptions.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from dnssync.check.spf_evaluate import by_pyspf
from dnssync.core import spf_check
from dnssync.core.record import RecordError
from dnssync.core.spf import is_spf, parse
from tests.core import test_spf_check as core

FILE = Path(core.__file__).parent / "data" / "rfc7208-tests.yml"
SHA256 = "901f561a6e2b1c1590a40a61b1ac7601226fd7045a7aae591a4d25421358d6f9"  # of test/rfc7208-tests.yml in pyspf-2.0.14.tar.gz
# Cases whose record is valid, and that end in permerror all the same.
NOT_SYNTAX = {
    "include-permerror": "the record that it includes is permerror (§5.2)",
    "include-none": "the include's target has no record (§5.2)",
    "redirect-none": "the redirect's target has no record (§6.1)",
    "redirect-loop": "a limit on look-ups (§4.6.4)",
    "include-loop": "a limit on look-ups (§4.6.4)",
    "mx-limit": "a limit on look-ups (§4.6.4)",
    "mech-over-limit": "a limit on look-ups (§4.6.4)",
    "include-over-limit": "a limit on look-ups (§4.6.4)",
    "void-over-limit": "a limit on look-ups (§4.6.4)",
}


def message(name: str) -> tuple[str, str, str]:
    """(sender, HELO, domain that is judged) of a case."""
    case = core.CASES[name][1]
    sender = case.get("mailfrom") or ""
    return sender, case["helo"], (sender or case["helo"]).rpartition("@")[2]


def allowed(name: str) -> list[str]:
    """The results that the suite allows."""
    result = core.CASES[name][1]["result"]
    return result if isinstance(result, list) else [result]


def test_the_file_is_that_of_pyspf() -> None:
    """It is the suite of the source distribution, octet for octet."""
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == SHA256


@pytest.mark.parametrize("name", core.CASES)
def test_both_evaluators(name: str) -> None:
    """pyspf over our look-ups has a result that the suite allows, and our own evaluator has the same one."""
    scenario, case = core.CASES[name]
    sender, helo, domain = message(name)
    dns = core.dns_of_suite(scenario["zonedata"])
    theirs = by_pyspf(None, ip=case["host"], sender=sender, helo=helo, dns=dns)
    ours = spf_check.check(None, ip=case["host"], domain=domain, sender=sender, helo=helo, dns=dns)
    assert theirs.result in allowed(name)
    assert ours.result == theirs.result


def records() -> list[str]:
    """Every SPF record in the suite's zones."""
    texts = [
        core.text(kind, value)
        for scenario in core.SUITE
        for entries in scenario["zonedata"].values()
        for entry in entries
        if isinstance(entry, dict)
        for kind, value in entry.items()
        if kind in ("TXT", "SPF") and value != "NONE"
    ]
    return [text for text in texts if is_spf(text)]


def valid(text: str) -> bool:
    """Whether our parser takes it."""
    try:
        parse(text)
    except RecordError:
        return False
    return True


def test_parser_figures() -> None:
    """How many of the suite's records our parser takes."""
    assert Counter(map(valid, records())) == {True: 134, False: 63}


def judged() -> dict[str, bool]:
    """Whether our parser takes the record that a case begins with, where it begins with exactly one."""
    found = {}
    for name, (scenario, _) in core.CASES.items():
        domain = message(name)[2].rstrip(".").lower()
        texts = [t for t in core.dns_of_suite(scenario["zonedata"])(domain, "TXT") or () if is_spf(t)]
        if len(texts) == 1:
            found[name] = valid(texts[0])
    return found


def test_parser_against_results() -> None:
    """A record that our parser refuses is permerror in the suite, and one that it takes is not, but for what is no matter of syntax."""
    found = judged()
    assert [name for name, good in found.items() if not good and "permerror" not in allowed(name)] == []
    assert {name for name, good in found.items() if good and allowed(name) == ["permerror"]} == set(NOT_SYNTAX)


# Case → (look-ups, empty ones) that a message costs which no term matches; 100 stands for "no end".
COUNTS = {
    "redirect-loop": (100, 0),
    "include-loop": (100, 0),
    "mx-limit": (1, 0),
    "ptr-limit": (1, 0),
    "false-a-limit": (1, 0),
    "mech-at-limit": (10, 0),
    "mech-over-limit": (11, 4),
    "include-at-limit": (11, 1),
    "include-over-limit": (11, 0),
    "void-at-limit": (2, 2),
    "void-over-limit": (3, 3),
}
OTHERWISE = {
    "mx-limit": "permerror for its eleven exchanges, which SPF-05 looks at by itself",
    "include-at-limit": "this very message matches before the eleventh look-up; another one would not",
}


def test_counter() -> None:
    """The counter's figures, and that they exceed a limit exactly where the suite says permerror, with two exceptions."""
    limits = next(scenario for scenario in core.SUITE if scenario["description"] == "Processing limits")
    dns = core.dns_of_suite(limits["zonedata"])
    counted = {}
    for name in limits["tests"]:
        domain = message(name)[2]
        [text] = [t for t in dns(domain, "TXT") or () if is_spf(t)]
        cost = spf_check.worst(parse(text), domain, dns)
        counted[name] = (cost.lookups, cost.voids)
    assert counted == COUNTS
    past = {name for name, (lookups, voids) in counted.items() if lookups > 10 or voids > 2}
    failing = {name for name in limits["tests"] if allowed(name) == ["permerror"]}
    assert past ^ failing == set(OTHERWISE)
