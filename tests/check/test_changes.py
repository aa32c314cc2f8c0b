"""What counts as changed between two checks, and what is told of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnssync.check.changes import Changes, changes, standing
from dnssync.check.finding import Finding, Severity
from dnssync.check.words import LISTED, LONGEST, cannot_tell, message, monitored, state, tally

SPF = Finding("SPF-03", Severity.ERROR, "example.org", "192.0.2.1 is not allowed to send.", "Publish: …", True)
AGE = Finding("SYNC-02", Severity.WARNING, "example.org", "The last pass was 30 hours ago.")
NOTE = Finding("MX-06", Severity.INFO, "example.org", "There is one MX.")
WELL = Finding("SPF-03", Severity.OK, "example.org", "well")
UNKNOWN = Finding("SPF-03", Severity.UNKNOWN, "example.org", "example.org TXT could not be looked up")


class TestChanges:
    def test_new_and_over(self) -> None:
        """What was not there before is new, what is not there any more is over."""
        assert changes((), [SPF, WELL]) == Changes((SPF,), ())
        assert changes((SPF,), [WELL]) == Changes((), (SPF,))
        assert changes((SPF,), ()) == Changes((), (SPF,))  # what was told, beside what stands now
        assert not changes((SPF,), [SPF])

    def test_unknown_is_not_over(self) -> None:
        """A question without an answer today leaves what was found as it was, and is itself no news."""
        assert not changes((SPF,), [UNKNOWN])
        assert standing((SPF,), [UNKNOWN]) == (SPF,)
        assert changes((), [UNKNOWN]) == Changes()
        assert standing((), [UNKNOWN, WELL]) == ()

    def test_what_was_unknown_and_is_well_now_is_over(self) -> None:
        """What stood all the while is over once the answer is there."""
        kept = standing(standing((SPF,), [UNKNOWN]), [UNKNOWN])
        assert changes(kept, [WELL]).over == (SPF,)

    @pytest.mark.parametrize(("message", "same"), [
        ("The last pass was 54 hours ago.", True), ("The last pass was 30 weeks ago.", False),
    ])  # fmt: skip
    def test_time_that_passes_is_no_news(self, message: str, same: bool) -> None:
        """A number of hours grows by itself."""
        assert (not changes((AGE,), [replace(AGE, message=message)])) is same

    def test_what_stands_is_kept_once(self) -> None:
        """Found again in part, while the rest is unknown, it is kept as it is now, and does not pile up day by day."""
        now = replace(AGE, message="The last pass was 54 hours ago.")
        assert standing((AGE,), [now, replace(UNKNOWN, id=AGE.id)]) == (now,)

    def test_another_address_is_news(self) -> None:
        """The same id for another host or address is another finding; so is another severity."""
        other = replace(SPF, message="192.0.2.2 is not allowed to send.")
        assert changes((SPF,), [other]) == Changes((other,), (SPF,))
        milder = replace(SPF, severity=Severity.WARNING)
        assert changes((SPF,), [milder]) == Changes((milder,), (SPF,))

    def test_a_subject_that_nobody_could_find_is_not_over(self) -> None:
        """Where the way to a check's subjects, or one of them, was not known, or exim could not be asked, nothing found means nothing."""
        assert changes((SPF,), []).over == (SPF,)
        assert not changes((SPF,), [], {("SPF-03", "")})
        assert not changes((SPF,), [], {("SPF-03", "example.org")})
        assert not changes((SPF,), [], whole=False)
        assert changes((SPF,), [], {("SPF-03", "example.net"), ("MX-01", "")}).over == (SPF,)
        assert changes((SPF,), [WELL], {("SPF-03", "")}, whole=False).over == (SPF,)

    @pytest.mark.parametrize("message", ["The last pass was 2 days ago, and 7 have failed since."])
    def test_hours_become_days_and_failures_more(self, message: str) -> None:
        """Nor is another unit of the same time news, or one more failure."""
        before = replace(AGE, message="The last pass was 47 hours ago, and 5 have failed since.")
        assert not changes((before,), [replace(AGE, message=message)])

    def test_unknown_carries_only_its_own_subject(self) -> None:
        """What is unknown of one domain holds nothing of another."""
        of_other = replace(SPF, subject="example.net")
        assert changes((SPF, of_other), [UNKNOWN]).over == (of_other,)


class TestMessage:
    def test_worst_first_with_remedy(self) -> None:
        """Errors before warnings; the remedy stands under each."""
        told = message("mx.example.org", Changes((AGE, SPF), ()))
        assert told is not None
        assert told.subject == "[dnssync mx.example.org] check: 1 error, 1 warning: example.org"
        assert told.text.index("error SPF-03 example.org: 192.0.2.1") < told.text.index("warning SYNC-02")
        assert "    Publish: …" in told.text

    def test_well_again(self) -> None:
        """What is over is told once, without its remedy."""
        told = message("mx.example.org", Changes((), (SPF,)))
        assert told is not None and "well again: example.org" in told.subject and "Publish" not in told.text

    def test_other_words_are_not_well_again(self) -> None:
        """What is found of the same question now is told; what was found before it is not told to be well."""
        other = replace(SPF, message="192.0.2.2 is not allowed to send.")
        told = message("mx.example.org", Changes((other,), (SPF, AGE)))
        assert told is not None and "192.0.2.1" not in told.text and "well again: example.org" in told.subject
        told = message("mx.example.org", Changes((other,), (SPF,)))
        assert told is not None and "well again" not in told.subject + told.text

    def test_notes_make_no_mail(self) -> None:
        """What is merely worth knowing is no reason for a mail."""
        assert message("mx.example.org", Changes((NOTE,), (NOTE,))) is None

    def test_ten_thousand(self) -> None:
        """A mail stays readable, and says how many more there are."""
        many = tuple(replace(SPF, subject=f"d{n}.example") for n in range(10_000))
        told = message("mx.example.org", Changes(many, ()))
        assert told is not None and told.text.count("SPF-03") == LISTED
        assert f"… and {10_000 - LISTED} more." in told.text and len(told.subject) < 200


class TestMonitoring:
    @pytest.mark.parametrize(("findings", "strict", "code"), [
        ([WELL, NOTE], False, 0), ([AGE, WELL], False, 1), ([AGE], True, 2), ([AGE, SPF, UNKNOWN], False, 2), ([UNKNOWN, WELL], False, 3),
        ([UNKNOWN, AGE], False, 1), ([], False, 0),
    ])  # fmt: skip
    def test_codes(self, findings: list[Finding], strict: bool, code: int) -> None:
        """The worst that is known decides; unknown counts where nothing known is bad."""
        assert state(findings, strict=strict) == code
        assert monitored(findings, strict=strict)[1] == code

    def test_line(self) -> None:
        """One line: the word, the numbers in words, the worst first, and numbers for a graph behind the only bar."""
        line, _ = monitored([AGE, replace(SPF, message="a | b\nc")])
        assert line == ("DNSSYNC CRITICAL - 1 error, 1 warning; SPF-03 example.org: a / b c; SYNC-02 example.org: The last pass was 30 hours ago. "
                        "| error=1 warning=1 unknown=0 info=0 ok=0")  # fmt: skip
        assert monitored([WELL])[0] == "DNSSYNC OK - all checks are well | error=0 warning=0 unknown=0 info=0 ok=1"

    def test_length(self) -> None:
        """However much there is to tell, one line of a bearable length."""
        line, _ = monitored([replace(SPF, subject=f"d{n}.example") for n in range(500)])
        assert len(line) < LONGEST + 120 and "error=500" in line
        assert len(cannot_tell("x" * 9999)) < LONGEST + 40 and "\n" not in cannot_tell("a\nb")


def test_tally() -> None:
    """What is not well, in words."""
    assert tally([SPF, SPF, AGE, UNKNOWN, UNKNOWN, NOTE, WELL]) == "2 errors, 1 warning, 2 unknown, 1 note"
    assert tally([WELL]) == ""
