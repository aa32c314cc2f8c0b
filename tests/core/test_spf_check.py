"""SPF evaluation: every case of the public RFC 7208 suite, and what a record costs in the worst case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dnssync.core import spf, spf_check
from tests.zonetext import silent, told

SUITE = list(yaml.safe_load_all((Path(__file__).parent / "data" / "rfc7208-tests.yml").read_text("utf-8")))
CASES = {name: (scenario, case) for scenario in SUITE for name, case in scenario["tests"].items()}


def dns_of_suite(zonedata: dict) -> Callable[[str, str], tuple[str, ...] | None]:
    """The DNS of one scenario: SPF entries count as TXT where a name has none, TIMEOUT is silence, CNAMEs are followed."""
    zone: dict[str, list] = {name.lower(): entries for name, entries in zonedata.items()}

    def ask(name: str, kind: str, depth: int = 0) -> tuple[str, ...] | None:
        entries = zone.get(name.lower(), [])
        pairs = [pair for entry in entries if entry != "TIMEOUT" for pair in entry.items()]
        has_txt = any(key == "TXT" for key, _ in pairs)
        wanted = "SPF" if kind == "TXT" and not has_txt else kind
        found = [text(kind, value) for key, value in pairs if key == wanted and value != "NONE"]
        if found:
            return tuple(found)
        if "TIMEOUT" in entries:
            return None
        cname = next((value for key, value in pairs if key == "CNAME"), None)
        return () if cname is None or depth > 8 else ask(cname, kind, depth + 1)

    return ask


def text(kind: str, value: object) -> str:
    """An entry of the suite as our DNS gives it."""
    if kind == "MX":
        return f"{value[0]} {value[1]}"  # type: ignore[index]  # pairs here
    return "".join(value) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("name", CASES)
def test_suite(name: str) -> None:
    """Each of the suite's cases has one of the results that it allows (texts of exp= are not evaluated)."""
    scenario, case = CASES[name]
    sender, helo = case.get("mailfrom") or "", case["helo"]
    got = spf_check.check(
        None, ip=case["host"], domain=(sender or helo).rpartition("@")[2], sender=sender, helo=helo,
        dns=dns_of_suite(scenario["zonedata"]),
    )  # fmt: skip
    wanted = case["result"]
    assert got.result in (wanted if isinstance(wanted, list) else [wanted])


def test_suite_is_whole() -> None:
    """All 203 cases are there, under names of their own."""
    assert sum(len(scenario["tests"]) for scenario in SUITE) == len(CASES) == 203


def zone_of(answers: dict[str, tuple[str, ...] | None]) -> dict[tuple[str, str], tuple[str, ...] | None]:
    """Answers by (name, type) from keys like `a__www_example_org`."""
    split = {key: key.partition("__") for key in answers}
    return {(name.replace("_", ".").replace("in.addr", "in-addr"), kind.upper()): answers[key]
            for key, (kind, _, name) in split.items()}  # fmt: skip


def check(text: str, ip: str = "192.0.2.1", sender: str = "me@example.org", **answers: tuple[str, ...] | None):
    """The evaluation of a text for example.org; `answers` are `type__name` with `_` for the dots of the name."""
    known = zone_of(answers)
    return spf_check.check(
        spf.parse(text), ip=ip, domain="example.org", sender=sender, helo="mx.example.org", dns=told(known)
    )


class TestCheck:
    @pytest.mark.parametrize("ip", ["192.0.2.1", "::ffff:192.0.2.1"])
    @pytest.mark.parametrize(
        "term", ["ip4:192.0.2.1", "ip4:192.0.2.0/24", "a", "mx", "a:b.test/24", "exists:%{ir}.x.test", "include:i.test"]
    )
    def test_pass(self, term: str, ip: str) -> None:
        """Each mechanism passes the address it names; an IPv4 address in IPv6's clothes is the same (§5)."""
        got = check(
            f"v=spf1 {term} -all", ip, a__example_org=("192.0.2.1",), mx__example_org=("10 mx.example.org.",),
            a__mx_example_org=("192.0.2.1",), a__b_test=("192.0.2.200",), a__1_2_0_192_x_test=("127.0.0.2",),
            txt__i_test=("v=spf1 ip4:192.0.2.1",),
        )  # fmt: skip
        assert got.result == "pass"
        assert got.lookups == (0 if term.startswith("ip4") else 1)

    def test_costs(self) -> None:
        """Terms that ask DNS are counted until one matches; empty answers are void."""
        got = check("v=spf1 a:no.test a exists:x.test -all", a__example_org=("192.0.2.1",))
        assert got == spf_check.Evaluation("pass", 2, 1, ())

    def test_limits(self) -> None:
        """The eleventh look-up and the third void one are errors (§4.6.4)."""
        ten = " ".join(["a"] * 10)
        assert check(f"v=spf1 {ten} -all", a__example_org=("192.0.2.9",)).result == "fail"
        assert check(f"v=spf1 {ten} a -all", a__example_org=("192.0.2.9",)).result == "permerror"
        assert check("v=spf1 a:x.test a:y.test -all").result == "fail"
        assert check("v=spf1 a:x.test a:y.test a:z.test -all").result == "permerror"

    def test_silence(self) -> None:
        """A name that nobody answers for is a temporary error, counted, not void, and named."""
        got = check("v=spf1 a:quiet.test ip4:192.0.2.1 -all", a__quiet_test=None)
        assert got == spf_check.Evaluation("temperror", 1, 0, ("quiet.test",))

    def test_silence_behind_a_match(self) -> None:
        """What stands behind the term that matches is never asked for."""
        assert check("v=spf1 ip4:192.0.2.1 a:quiet.test -all", a__quiet_test=None).result == "pass"

    def test_bounce(self) -> None:
        """A bounce is judged as mail of postmaster at the HELO name (§2.4)."""
        record = "v=spf1 exists:%{l}.%{o}.x.test -all"
        assert check(record, sender="", a__postmaster_mx_example_org_x_test=("127.0.0.2",)).result == "pass"

    @pytest.mark.parametrize("target", ["none.test", "two.test", "bad.test"])
    @pytest.mark.parametrize("term", ["include:", "redirect="])
    def test_broken_target(self, term: str, target: str) -> None:
        """An include or redirect without exactly one valid record behind it is an error."""
        got = check(
            f"v=spf1 {term}{target}", txt__two_test=("v=spf1", "v=spf1 -all"), txt__bad_test=("v=spf1 nonsense",)
        )
        assert got.result == "permerror"

    def test_loop(self) -> None:
        """A record that includes itself ends at the limit."""
        assert check("v=spf1 include:l.test -all", txt__l_test=("v=spf1 include:l.test -all",)).result == "permerror"

    def test_p_macro(self) -> None:
        """%{p} asks for the client's name and counts as a look-up of its own."""
        got = check(
            "v=spf1 exists:%{p}.x.test -all", ptr__1_2_0_192_in_addr_arpa=("Mail.Example.org.",),
            a__mail_example_org=("192.0.2.1",), a__mail_example_org_x_test=("127.0.0.2",),
        )  # fmt: skip
        assert (got.result, got.lookups) == ("pass", 2)

    def test_escaping(self) -> None:
        """A macro in upper case escapes what a URL would not hold (§7.3)."""
        asked: list[str] = []
        for letter in "lL":
            spf_check.check(
                spf.parse(f"v=spf1 exists:%{{{letter}}}.x.test -all"), ip="192.0.2.1", domain="example.org",
                sender="a/b@example.org", helo="x.test", dns=lambda name, kind: asked.append(name) or (),
            )  # fmt: skip
        assert asked == ["a/b.x.test", "a%2fb.x.test"]

    @pytest.mark.parametrize(("before", "want"), [(9, "pass"), (10, "fail")])
    def test_ten_names_of_a_client(self, before: int, want: str) -> None:
        """Of the client's names ten are looked at (§4.6.4)."""
        names = tuple(f"n{number}.test" for number in range(before))
        got = check(
            "v=spf1 ptr -all",
            ptr__1_2_0_192_in_addr_arpa=(*names, "mail.example.org"),
            a__mail_example_org=("192.0.2.1",),
        )
        assert got.result == want

    def test_long_names_lose_labels(self) -> None:
        """An expanded name of more than 253 characters loses labels on its left (§7.3)."""
        name = ".".join(["a" * 60] * 4)
        asked: list[str] = []
        spf_check.check(
            spf.parse("v=spf1 exists:%{l}.%{d} -all"), ip="192.0.2.1", domain=f"{name}.org", sender=f"{'b' * 60}@x.test",
            helo="x.test", dns=lambda name, kind: asked.append(name) or (),
        )  # fmt: skip
        assert asked == [f"{name}.org"]


def worst(text: str, **answers: tuple[str, ...] | None) -> spf_check.Worst:
    """The worst case of a text at example.org; `answers` as for `check`."""
    known = zone_of(answers)
    return spf_check.worst(spf.parse(text), "example.org", told(known))


class TestWorst:
    def test_every_term_counts(self) -> None:
        """Nothing matches in the worst case, so the terms behind a match count too, in every included record."""
        got = worst(
            "v=spf1 ip4:192.0.2.1 +a mx ptr exists:e.test include:i.test redirect=r.test",
            a__example_org=("192.0.2.1",), mx__example_org=("10 mx.example.org.",), a__mx_example_org=("192.0.2.1",),
            a__e_test=("127.0.0.2",), txt__i_test=("v=spf1 a:e.test -all a:dead.test",), txt__r_test=("v=spf1 a:e.test",),
        )  # fmt: skip
        assert got == spf_check.Worst(8, 0, (), ())

    def test_behind_all(self) -> None:
        """Terms behind all, and a redirect beside it, cost nothing."""
        assert worst("v=spf1 redirect=r.test -all a:dead.test include:dead.test") == spf_check.Worst(0, 0, (), ())

    def test_void_only_without_any_address(self) -> None:
        """A name with AAAA alone is not void; a name with neither is, once for each term."""
        got = worst("v=spf1 a:six.test a:no.test a:no.test mx -all", aaaa__six_test=("2001:db8::1",))
        assert (got.lookups, got.voids) == (4, 3)

    def test_null_mx(self) -> None:
        """`0 .` is an answer, and names no host to ask for."""
        assert worst("v=spf1 mx -all", mx__example_org=("0 .",)) == spf_check.Worst(1, 0, (), ())

    def test_silence(self) -> None:
        """Silence counts as a look-up, is not void, and is named."""
        record = spf.parse("v=spf1 a:a.test include:i.test mx -all")
        got = spf_check.worst(record, "example.org", silent)
        assert got == spf_check.Worst(3, 0, ("a.test", "i.test", "example.org"), ())

    def test_half_an_answer(self) -> None:
        """Where A is empty and AAAA silent, nothing is known."""
        assert worst("v=spf1 a:half.test -all", aaaa__half_test=None).unknown == ("half.test",)

    def test_broken(self) -> None:
        """Targets without exactly one valid record are named, and not void."""
        got = worst(
            "v=spf1 include:no.test include:two.test include:bad.test include:long..test -all",
            txt__no_test=("x=1",), txt__two_test=("v=spf1", "v=spf1 -all"), txt__bad_test=("v=spf1 nonsense",),
        )  # fmt: skip
        assert got == spf_check.Worst(4, 0, (), ("no.test", "two.test", "bad.test", "long..test"))

    def test_macros(self) -> None:
        """A target with d or o is followed; what depends on the client or the sender is counted alone, p as one more."""
        got = worst("v=spf1 include:%{d2}.i.test exists:%{i}.x.test a:%{p}.x.test -all",
                    txt__example_org_i_test=("v=spf1 include:%{d1}.%{o}",), txt__test_example_org=("v=spf1 a:no.test",))  # fmt: skip
        assert got == spf_check.Worst(6, 1, (), ())

    def test_loop(self) -> None:
        """A loop has no end; the count stops far above the limit."""
        record = "v=spf1 include:l.test include:l.test -all"
        assert worst(record, txt__l_test=(record,)).lookups == spf_check.ENOUGH

    @pytest.mark.parametrize(
        ("name", "count"),
        [
            ("e1", spf_check.ENOUGH),
            ("e3", spf_check.ENOUGH),
            ("e6", 10),
            ("e7", 11),
            ("e8", 11),
            ("e9", 11),
            ("e10", 1),
        ],
    )
    def test_suite_limits(self, name: str, count: int) -> None:
        """The suite's scenario of limits: what is at the limit there is counted so, what stands behind its match too."""
        [scenario] = [scenario for scenario in SUITE if scenario["description"] == "Processing limits"]
        dns = dns_of_suite(scenario["zonedata"])
        [record] = dns(f"{name}.example.com", "TXT") or ()
        assert spf_check.worst(spf.parse(record), f"{name}.example.com", dns).lookups == count
