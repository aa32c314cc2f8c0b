"""Breakages for `make mutants`, as in `tests/mutant_table.py`."""

_EXIM = "tests/check/test_exim.py"
_KEYS = "tests/check/test_exim_keys.py"
_LINES = "tests/check/test_log_lines.py"
_LOG = "tests/check/test_from_log.py"

TABLE: dict[tuple[str, str], list[tuple[str, str]]] = {
    ("dnssync/check/upkeep.py", "tests/check/test_upkeep.py"): [
        ("if seen is not None and not seen.trusted:", "if False:"),
        ("if not facts.find(Discipline()):", "if facts.find(Discipline()):"),
        ("names = seen.unknown.get(zone, ())", "names = ()"),
        ("elif late > OVERDUE * facts.interval + 3600:", "elif late > OVERDUE * facts.interval:"),
        ("if last is not None and last.last_pass else None", "if last is not None else None"),
        ("if zone in got.unread:", "if False:"),
        ("if names and not plan.refusals:", "if False:"),
    ],
    ("dnssync/check/gather_clock.py", "tests/check/test_upkeep.py"): [("if said is None else", "if said is False else")],
    ("dnssync/check/exim.py", f"{_EXIM}::test_a_hand_written_configuration_beside_the_one_in_use"): [
        ("if found.file != found.own:\n", "if False:\n"),
    ],
    ("dnssync/check/exim.py", f"{_EXIM}::test_a_hand_written_configuration"): [
        ("if found.ours and not all(", "if not all("),
    ],
    ("dnssync/check/exim.py", f"{_EXIM}::test_sources_that_exim_does_not_know_of_yet[True]"): [
        ("found.changed is None or found.differs is False", "found.changed is None"),
    ],
    ("dnssync/check/exim.py", f"{_EXIM}::test_a_configuration_without_sources"): [
        ("    if not found.generated or (", "    if ("),
    ],
    ("dnssync/check/exim.py", f"{_EXIM}::test_the_panic_log"): [
        ("elif found.lines:", "elif found.lines > 1:"),
    ],
    ("dnssync/check/exim.py", f"{_EXIM}::test_spf_of_incoming_mail[True]"): [
        ("if not found.listens:", "if False:"),
    ],
    ("dnssync/check/exim.py", f"{_EXIM}::test_an_exim_without_spf"): [
        ("    if found.scans:\n", "    if False:\n"),
        ("    if not found.spf_built_in:\n", "    if False:\n"),
    ],
    ("dnssync/check/exim_signing.py", f"{_EXIM}::test_a_smarthost_is_reached_by_another_transport[satellite]"): [
        ("if not transport.can_sign:", "if False:"),
    ],
    ("dnssync/check/exim_signing.py", f"{_EXIM}::test_macros_reach_the_transport"): [
        ('elif not options.get("dkim_domain") and not transport.uses_map:', "elif False:"),
    ],
    ("dnssync/check/exim_signing.py", f"{_EXIM}::test_half_of_the_options"): [
        ("        elif lacking and ", "        elif False and "),
    ],
    ("dnssync/check/exim_signing.py", f"{_EXIM}::test_an_option_that_cannot_be_worked_out"): [
        ("for problem in list(broken)[:SHOWN]:", "for problem in ():"),
    ],
    ("dnssync/check/exim_signing.py", f"{_EXIM}::test_a_tainted_key_file"): [
        ("            if transport.tainted:\n", "            if False:\n"),
        ('"true", "yes", "1")', '"yes", "1")'),
    ],
    ("dnssync/check/exim_signing.py", f"{_KEYS}::test_strict_is_worked_out"): [
        ("if not said.get(way.transport.name, False):", "if not way.transport.options.get('dkim_strict'):"),
    ],
    ("dnssync/check/exim_signing.py", f"{_KEYS}::test_signatures_without_an_end"): [
        ("if way.transport.expires is None:", "if True:"),
    ],
    ("dnssync/check/exim_signing.py", f"{_KEYS}::test_exim_signs_with_what_the_state_says"): [
        ("if transport.uses_map and using != frozenset(line):", "if False:"),
        ("elif state and not state <= using:", "elif False:"),
    ],
    ("dnssync/check/exim_signing.py", f"{_KEYS}::test_a_set_up_of_its_own_beside_the_map"): [
        ("elif line and not transport.uses_map and not frozenset(line) <= using:", "elif False:"),
    ],
    ("dnssync/check/exim_signing.py", f"{_KEYS}::test_a_key_that_exim_cannot_read"): [
        ("    if signer.problem:\n", "    if False:\n"),
    ],
    ("dnssync/check/exim_signing.py", f"{_KEYS}::test_a_key_beside_dns"): [
        ("    if any(same_key(value, signer.public_key) for value in values):\n        return\n", "    if values:\n        return\n"),
        ('    elif "" in values:\n', "    elif False:\n"),
    ],
    ("dnssync/check/exim_signing.py", f"{_KEYS}::test_an_active_key_whose_private_half_is_lost"): [
        ("if at not in facts.observed().readable and at not in told:", "if False:"),
    ],
    ("dnssync/check/exim_signing.py", f"{_KEYS}::test_a_domain_that_the_map_lacks"): [
        ("if not mail.local or not by_map or", "if not mail.local or"),
    ],
    ("dnssync/check/exim_signing.py", f"{_KEYS}::test_a_domain_in_no_configured_zone"): [
        ("set(facts.zones) == facts.configured", "True"),
    ],
    ("dnssync/check/gather_exim.py", f"{_EXIM}::test_sources_that_exim_does_not_know_of_yet[True]"): [
        ("    if youngest is None or ages[youngest] <= made:\n", "    if True:\n"),
        ("    return _parsed(anew) != _parsed(sources.exim.config())", "    return True"),
    ],
    ("dnssync/check/gather_exim.py", f"{_EXIM}::test_sources_that_exim_does_not_know_of_yet[False]"): [
        ("        _try(sources.exim, out, Path(folder))\n", ""),
    ],
    ("dnssync/check/gather_exim.py", f"{_EXIM}::test_the_panic_log"): [
        ("if line.strip() and not _HARMLESS.search(line)]", "if line.strip()]"),
        (', _SECRET.sub(', ", re.compile('(x)(?!x)x').sub("),
    ],
    ("dnssync/check/gather_exim.py", f"{_KEYS}::test_strict_is_worked_out"): [
        ("bool(text) and (bool(said[text].error) or said[text].true)", "bool(text)"),
    ],
    ("dnssync/check/gather_exim.py", f"{_EXIM}::test_spf_of_incoming_mail[True]"): [
        ("return not items or not all(map(_loopback, items))", "return True"),
    ],
    ("dnssync/check/log_lines.py", _LINES): [
        ("elif at >= self._since:", "else:"),
        ('fields = _fields(rest[sender.end() :], until="S")', "fields = _fields(rest[sender.end() :])"),
        ('"A" in fields or', "False or"),
        ("address.is_loopback or any(", "any("),
        ('recipient[0][0] in "|/:"', "False"),
        ("transport in self._inner:", "False:"),
        ('fields.get("P", fields.get("F"))', 'fields.get("F")'),
        ("        if key in message.counted:\n            return\n", ""),
        ("        if key not in self._rows and len(self._rows) >= ROWS:\n", "        if False:\n"),
        ("            if len(self._open) >= OPEN:\n", "            if False:\n"),
        ("    if item in counts or len(counts) < FEW:\n", "    if True:\n"),
        ("row.bare += delivery.verbose and not delivery.selected", "row.bare += not delivery.selected"),
        ('r" (?:<[^>]*>"', 'r" (?:<>"'),
        ("elif match[\"key\"] and match[\"key\"] == until:", "elif False:"),
    ],
    ("dnssync/check/from_log.py", _LOG): [
        ("    if sent.bare:\n", "    if False:\n"),
        ("    if sent.selected:\n", "    if False:\n"),
        ("    if lost:\n", "    if False:\n"),
        ("    if not transport.signers:\n", "    if False:\n"),
        ("    if held is None:\n", "    if False:\n"),
        ("row.own and not row.zone", "not row.zone and False"),
        ("if mail is not None and mail.smarthosts and not mail.addresses:", "if False:"),
        ("if not _inner(address)]", "]"),
        ('elif got.result != "pass":', 'elif got.result == "fail":'),
        ('if got.unknown or got.result == "temperror":', "if False:"),
        ("if not one.here or _tunnel(facts, one)]", "]"),
        ("        return (facts.hostname,)\n", "        return ()\n"),
    ],
    ("dnssync/check/gather_log.py", _LOG): [
        ("if written >= begin and path.is_file():", "if path.is_file():"),
        ("key=lambda path: (found[path], path)", "key=lambda path: str(path)"),
        ("path for path in found if path.suffix in _OPENED and", "path for path in () if"),
        ("        except _BROKEN as error:\n", "        except ValueError as error:\n"),
        ("    if not patterns:\n", "    if False:\n"),
        ("    if not read:\n", "    if False:\n"),
    ],
}  # fmt: skip
