"""Breakages for `make mutants`, as in `tests/mutant_table.py`."""

SIGNED = "tests/check/test_dnssec.py"
SERVERS = "tests/check/test_nameservers.py"

TABLE: dict[tuple[str, str], list[tuple[str, str]]] = {
    ("dnssync/check/dnssec.py", SIGNED): [
        ("    if not links.ds:\n        return\n", ""),
        ("if told is not None and told.bogus:\n        yield error(\n            f\"Resolvers that validate refuse all", "if False:\n        yield error(\n            f\"Resolvers that validate refuse all"),
        ("if faults or (told is not None and told.secure):", "if faults:"),
        ("if not any(one.begins <= facts.now <= one.ends for one in several):", "if not all(one.begins <= facts.now <= one.ends for one in several):"),
        ("if not any(one.begins <= facts.now <= one.ends for one in several):", "if not any(facts.now <= one.ends for one in several):"),
        ("elif not any(fits(ds, key, zone) for ds", "elif not any(True for ds"),
        ("if any(name == server and texts for name, texts in links.keys):", "if False:"),
        ("elif links.ds is None:", "elif False:"),
        ("    elif told is not None and told.secure:\n        return\n    elif zone", "    elif told is not None and not told.bogus:\n        return\n    elif zone"),
        ("elif any(one is not None and one.secure for one in anchored):", "elif True:"),
        ("if any(told is not None and told.secure for told, _ in came):", "if any(told is not None for told, _ in came):"),
        ("if all(told is None for told, _ in came):", "if False:"),
    ],
    ("dnssync/check/dnssec_chain.py", SIGNED): [
        ("return whole == \"\".join(rest).lower()", "return True"),
        ("if named != (key.tag, key.algorithm):", "if named[0] != key.tag:"),
        ("for label in name.lower().split(\".\") if label", "for label in [name.lower()] if label"),
        ("return (total + (total >> 16)) & 0xFFFF", "return total & 0xFFFF"),
    ],
    ("dnssync/check/gather_dnssec.py", SIGNED): [
        ("if again.rcode in ANSWERS:", "if False:"),
        ("if unchecked.rcode not in ANSWERS:", "if False:"),
        ("recurse=True, dnssec=True, checked=False)\n        if unchecked", "recurse=True, dnssec=True)\n        if unchecked"),
        ("return Validation(message.authentic, bogus=False)", "return Validation(True, bogus=False)"),
        ("if m.rcode in ANSWERS and m.authoritative}", "if m.rcode in ANSWERS}"),
        ("if \"SOA\" in good and not any(one.type == \"SOA\" for some in shown for one in some):", "if False:"),
    ],
    ("dnssync/wire.py", SIGNED): [
        ("payload=PAYLOAD, want_dnssec=dnssec)", "payload=PAYLOAD)"),
        ("        query.flags |= dns.flags.CD\n", "        pass\n"),
        ("authentic=bool(response.flags & dns.flags.AD),", "authentic=False,"),
    ],
    ("dnssync/check/nameservers.py", SERVERS): [
        ("elif len(names) == 1:", "elif False:"),
        ("and len(places) == 1:", "and not places:"),
        ("last = [facts.have(Settled(answer.question)) for answer in differing]", "last = list(differing)"),
        ("still = [answer for answer in last if isinstance(answer, Answer) and not agreed(answer)]", "still = []"),
        ("if reply.answered or reply.rcode in REFUSING}", "if reply.answered}"),
        ("if family(server) in reached:", "if True:"),
        ("if why == \"(no address)\":", "if False:"),
        ("elif _providers(facts, zone) <= 1 and", "elif"),
        ("    if told.named:\n", "    if False:\n"),
        ("    if told.alone:\n", "    if False:\n"),
        ("if lame or not above & own else warning", "if lame else warning"),
        ("if lame or not above & own else warning", "if not above & own else warning"),
        ("elif only_above or only_own:", "elif only_above:"),
        ("if stale and all(", "if glue and all("),
    ],
    ("dnssync/check/delegated.py", SERVERS): [
        ("return reply.server.partition(\" → \")[0]", "return reply.server"),
        ("if server not in answered)", ")"),
        ("    return 4 if bare", "    return 6 if bare"),
    ],
    ("dnssync/check/gather_delegation.py", SERVERS): [
        ("question not in answers or not agreed(answers[question])", "question not in answers"),
        ("        answers.update(sources.resolver.look(open_))", "        answers = answers or dict(sources.resolver.look(open_))"),
        ("sources.sleep(pause)", "pass"),
    ],
    ("dnssync/check/live_zone.py", SERVERS): [
        ("zone in seen.noted or", ""),
        ("if there and here and not there & here:", "if there and here and there != here:"),
        ("elif not there and alone and mine and theirs and not mine & theirs:", "elif not there and mine != theirs:"),
        ("elif not there and alone and mine and theirs and not mine & theirs:", "elif mine and theirs and not mine & theirs:"),
        ("any(same(one.owner, text, one.text, one.domain) for text in answer.texts)", "answer.texts"),
        ("if facts.now - key.generated > HOUR", ""),
        ("return name.lower().removesuffix(\".\")", "return name.removesuffix(\".\")"),
        ("        if shows(owner, value.text, applied)\n", ""),
    ],
    ("dnssync/check/wildcard.py", "tests/check/test_wildcard.py"): [
        ("if not _no(text)]\n    if keys", "]\n    if keys"),
        ("loud = [text for text in texts if not _no(text)]", "loud = list(texts)"),
        ("and not any(map(dmarc.is_dmarc, own)):", ":"),
        ("if texts and own == texts and", "if texts and own and"),
        ("if text.split()[-1] != \".\"]", "]"),
        ("if exchanges and not (alias and loud):", "if exchanges:"),
    ],
    ("dnssync/delegation.py", SERVERS): [
        ("        if self._named.get(zone):\n            return Told(named=True)\n", ""),
        ("alone = ALONE in problem", "alone = bool(problem)"),
    ],
}  # fmt: skip
