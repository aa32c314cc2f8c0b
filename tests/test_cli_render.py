"""How a decision looks: long keys shortened, what is refused counted, records as a zone file has them."""

from __future__ import annotations

import pytest

from dnssync.cli import render
from dnssync.cli.plan import exit_code
from dnssync.core.decide import Decision, ZonePlan
from dnssync.core.model import Change, Kind, Owner, Refusal, RRset, Value
from dnssync.core.plan import Intent, Plan

RSA = "MIIBIjANBgkq" + "A" * 372 + "wIDAQAB="
ED25519 = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def change(text: str, raw: str = "") -> Change:
    """A key's record that is new."""
    return Change(Kind.CREATE, "s1._domainkey", "TXT", None, RRset("s1._domainkey", "TXT", 3600, (Value(text, raw),)))


def shown(change: Change) -> str:
    """The one line of it."""
    [(line, style)] = render.change_lines(change, "example.org", Owner.DKIM)
    assert style == "green"
    return line


def decision(*plans: ZonePlan, **fields: object) -> Decision:
    """A decision over these zones."""
    return Decision(
        1, plans, **{"failed": {}, "keys": (), "steps": {}, "map_before": {}, "map_after": {}, "notices": (), **fields}
    )  # type: ignore[arg-type]


def plan(zone: str, *, refused: bool = False, changes: int = 1) -> ZonePlan:
    """A zone with so many changes, and a key to make."""
    todo = Plan(zone, "bind", (change("v=spf1 -all"),) * changes, (), (Intent(zone, "ed25519"),) * bool(changes))
    refusals = (Refusal("takeover", f"{zone} is somebody's"),) if refused else ()
    return ZonePlan(todo, (), {}, {}, (), {}, (), refusals)


class TestLongKeys:
    @pytest.mark.parametrize(
        "raw", ["", f'"v=DKIM1; k=rsa; p={RSA[:200]}" "{RSA[200:]}"'], ids=["ours", "as it was read, in two strings"]
    )
    def test_rsa(self, raw: str) -> None:
        """Of an RSA key its beginning and its end are shown, enough to tell two keys apart."""
        line = shown(change(f"v=DKIM1; k=rsa; p={RSA}", raw))
        assert line == '  + s1._domainkey.example.org. 3600 IN TXT "v=DKIM1; k=rsa; p=MIIBIjANBgkq…AwIDAQAB="'

    def test_ed25519(self) -> None:
        """An Ed25519 key is short enough to be shown whole."""
        assert f'p={ED25519}"' in shown(change(f"v=DKIM1; k=ed25519; p={ED25519}"))

    @pytest.mark.parametrize(("length", "whole"), [(59, True), (60, False)])
    def test_from_when_on(self, length: int, whole: bool) -> None:
        """What is left out is never shorter than forty characters."""
        assert ("…" not in shown(change(f"v=DKIM1; p={'A' * length}"))) is whole


class TestSharedRRset:
    def test_whose_is_whose(self) -> None:
        """What goes and what comes is told apart from what is a stranger's, and from what is ours and right already."""
        stranger, old, report = (
            Value("abc", '"abc"'),
            Value("v=spf1 mx -all", '"v=spf1 mx -all"'),
            Value("v=spf1 a", '"v=spf1 a"'),
        )
        before, after = (
            RRset("", "TXT", 300, values) for values in ((stranger, old), (stranger, Value("v=spf1 -all", "")))
        )
        assert [line for line, _ in render.change_lines(Change(Kind.UPDATE, "", "TXT", before, after), "a.example", Owner.SPF)] == [
            "  ~ a.example. 300 IN TXT",
            '      − "v=spf1 mx -all"',
            '      + "v=spf1 -all"',
            '      = "abc"   not ours, left alone',
        ]  # fmt: skip
        before, after = (RRset("", "TXT", ttl, (stranger, report)) for ttl in (300, 900))
        assert [line for line, _ in render.change_lines(Change(Kind.UPDATE, "", "TXT", before, after), "a.example", Owner.SPF)] == [
            "  ~ a.example. 900 IN TXT",
            '      = "abc"   not ours, left alone',
            '      = "v=spf1 a"   already right',
            "        TTL 300 → 900",
        ]  # fmt: skip


def test_exit_code_of_a_plan() -> None:
    """Failed goes before refused, refused before changes, and those before nothing."""
    todo, no, quiet = plan("a.example"), plan("b.example", refused=True), plan("c.example", changes=0)
    broken = {"d.example": "d.example: REFUSED"}
    assert [exit_code(decision(todo, no, failed=broken)), exit_code(decision(todo, no)), exit_code(decision(todo))] == [
        1,
        3,
        2,
    ]
    assert exit_code(decision(quiet)) == 0


class TestSummary:
    def test_refused(self) -> None:
        """A refused zone is counted as that, and its changes are not."""
        got = decision(plan("a.example"), plan("b.example", refused=True), plan("c.example", refused=True, changes=0))
        assert render.summary(got) == "1 record set to change, 1 key to make, 2 zones refused."
        assert render.decision(got)[-1] == (render.summary(got), "bold")

    def test_refused_alone(self) -> None:
        """Where nothing else is to be told, a refusal is no 'nothing to do'."""
        assert render.summary(decision(plan("b.example", refused=True))) == "1 zone refused."

    def test_failed(self) -> None:
        """A zone that could not be read is counted, too."""
        got = decision(failed={"a.example": "a.example: REFUSED"}, map_after={"c.example": ("s1",)})
        assert render.summary(got) == "1 line of exim's map to write, 1 zone failed."

    def test_two_providers(self) -> None:
        """A zone is one zone, at however many providers; one that says something at one of them is shown at all."""
        quiet, loud = plan("a.example", changes=0), plan("b.example", changes=0)
        refused = plan("b.example", refused=True)
        assert next(line for line, _ in render.decision(decision(quiet, quiet))) == "1 zone: nothing to do."
        lines = [line for line, _ in render.decision(decision(quiet, quiet, loud, refused, refused))]
        assert lines.count("b.example at bind") == 1 and "1 zone: nothing to do." in lines
        assert lines[-1] == "1 zone refused."

    def test_nothing(self) -> None:
        """Only where nothing is open is there nothing to do."""
        assert render.summary(decision(plan("a.example", changes=0))) == "Nothing to do: DNS holds what it should."
