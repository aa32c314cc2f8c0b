"""Breakages for `make mutants`, as in `tests/mutant_table.py`: what is settled, batches, and what a pass in batches comes to."""

TABLE: dict[tuple[str, str], list[tuple[str, str]]] = {
    ("dnssync/under_lock.py", "tests/test_batches_broken.py"): [
        ("self._size = len(line.config.zones) if lost else line.size", "self._size = line.size"),
        ("made, waiting = made + got.born,", "made, waiting = made + len(got.turn or ()),"),
        ("        self.groups.sort(key=", "        sorted(self.groups, key="),
        ("    if not rest and shared.beside and ", "    if False and "),
        ("        keep_said(line, looked, noted, whole_pass)\n", "        pass\n"),
        ("        self.clock = hear_of_clock(line, clock, now)\n", "        self.clock = clock\n"),
        ("            self.other_greeting = True", "            self.other_greeting = False"),
        ("(*self._said, *host.notices)", "host.notices"),
        ("anew = self.asking | known", "anew = known"),
    ],
    ("dnssync/one_pass.py", "tests/test_batches_broken.py"): [
        ("merged(parts, {}) if error is not None and parts else None", "None"),
    ],
    ("dnssync/cli/daemon.py", "tests/test_batches_broken.py"): [
        ("data |= error_data(result.error)", "pass"),
        ("        if context.json:\n            return result.error.exit_code\n", ""),
    ],
    ("dnssync/stamps.py", "tests/test_batches_broken.py"): [("        state.save_clock(clock.kept)\n", "")],
    ("dnssync/carry_out.py", "tests/test_batches_broken.py"): [("report, part=part)", "report)")],
    ("dnssync/settled.py", "tests/test_batches_broken.py"): [
        (
            "        return False\n    marks.settled[zone] = before",
            "        if zone:\n            return False\n    marks.settled[zone] = before",
        ),
        (
            '_mark(marks, known, "", (_domains(line, known, beside), _files(line, keys)), now)',
            '_mark(marks, known, "", (), now)',
        ),
    ],
    ("dnssync/quiet.py", "tests/test_settled.py tests/test_quiet.py"): [
        (" and not (row.kind == NOTICE and row.reason in apart)", ""),
        ("apart = UNREAD if decided else UNREAD - LOOKED_UP", "apart = UNREAD - LOOKED_UP"),
        ("apart = UNREAD if decided else UNREAD - LOOKED_UP", "apart = UNREAD"),
        ("row.kind == NOTICE and row.reason in UNREAD\n", "row.kind == NOTICE and row.reason in UNREAD - LOOKED_UP\n"),
    ],
    ("dnssync/settled.py", "tests/test_settled.py"): [
        ("or now >= before.until", ""),
        ("before.mark != marks.of[zone]", "False"),
        ("                _files(line, keys.get(zone, ())),\n", ""),
        (
            "known.lines.get(name), name in known.local, line.keystore.mark(name))",
            "known.lines.get(name), name in known.local)",
        ),
        ("key=known.common", 'key=b""'),
        ("        marks.settled.pop(zone, None)\n", "        pass\n"),
    ],
    ("dnssync/under_lock.py", "tests/test_settled.py"): [
        ("        if self.anew:\n            return Marks()\n", ""),
        ("    line.state.touch(settled, int(line.now()))\n", ""),
    ],
    ("dnssync/merged.py", "tests/test_batches.py"): [
        (
            "    told = [n for got in decisions for n in got.notices",
            "    told = [n for got in decisions[-1:] for n in got.notices",
        ),
        (
            "else _NOTHING for at, step in got.steps.items()}",
            "else _NOTHING for at, step in got.steps.items() if waits(step)}",
        ),
    ],
    ("dnssync/kept.py", "tests/test_settled.py"): [
        ("        self.turn += 1\n", ""),
        ("        self.settled = {zone: fresh[zone]", "        self.settled |= {zone: fresh[zone]"),
    ],
    ("dnssync/quiet.py", "tests/test_quiet_patience.py"): [
        ('and record.result == "ok"  #', "#"),
        ("<= now or record.last_read > now\n", "<= now\n"),
        ("max(SOME, ceil(2 * even))", "SOME"),
        ("max(SOME, ceil(2 * even))", "ceil(2 * even)"),
        ("for _, zone in due[max", "for _, zone in due[::-1][max"),
    ],
}
