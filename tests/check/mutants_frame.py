"""Breakages for `make mutants`, as in `tests/mutant_table.py`: how checks are run, what counts as changed, and what is told of it."""

TABLE: dict[tuple[str, str], list[tuple[str, str]]] = {
    ("dnssync/check/judging.py", "tests/check/test_judging.py"): [
        ("        if v is not MOOT\n", ""),
        ("return None if lacked else came", "return came"),
        ("ENDLESS if self.closed and wish not in self.known else self.known.get(wish)", "self.known.get(wish)"),
        ('verdicts.append(unknown(f"{trouble}."))', "pass"),
    ],
    ("dnssync/check/changes.py", "tests/check/test_changes.py"): [
        ("return place in unknown or nothing_known", "return nothing_known"),
        ("return place in unknown or nothing_known", "return True"),
        ('_PASSING.sub("…", finding.message)', "finding.message"),
        ("(finding.id, finding.subject, finding.severity,", "(finding.id, finding.subject,"),
        ("if _same(f) not in has)", "if False)"),
    ],
    ("dnssync/check/words.py", "tests/check/test_changes.py"): [
        ("2 if strict else 1", "1"),
        ("(Severity.UNKNOWN, 3)", "(Severity.UNKNOWN, 0)"),
        ("begun = ranked(f for f in found.begun if f.severity in MAILED)", "begun = ranked(found.begun)"),
    ],
    ("dnssync/daily.py", "tests/daemon/test_daily.py"): [
        ("        except Stopped:\n            raise\n", ""),
        ("                told[way] = kept.found\n", ""),
        ("        if not config.schedule.check:\n            return\n", ""),
        ("return not now - config.schedule.check < kept.at <= now", "return not now - config.schedule.check < kept.at"),
        ("                self._tried = self._now()\n", ""),
    ],
    ("dnssync/cli/check.py", "tests/test_cli_check.py"): [
        ("if not domains or f.subject in subjects", "if True"),
        ("if before is not None and not domains:", "if before is not None:"),
    ],
}
