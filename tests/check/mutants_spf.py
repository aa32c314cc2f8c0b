"""Breakages for `make mutants`, as in `tests/mutant_table.py`."""

SPF = "tests/check/test_spf.py"
DMARC = "tests/check/test_dmarc.py"
REMEDIES = "tests/check/test_remedies.py"
PARKED = "tests/check/test_parked_checks.py"

TABLE: dict[tuple[str, str], list[tuple[str, str]]] = {
    ("dnssync/check/standing.py", f"{SPF} {DMARC}"): [
        ("    if not answer.known:\n        raise Unanswered", "    if False:\n        raise Unanswered"),
        ("        if reply.answered:", "        if True:"),
        ("        if not answer.known:\n            return None", "        if not answer.known:\n            return ()"),
        ("if wanted is None or not cured(wanted):", "if wanted is None:"),
        ("found == {\"takeover\"} for found", "True for found"),
    ],
    ("dnssync/check/spf.py", SPF): [
        ("        elif len(records) > 1:", "        elif len(records) > 2:"),
        ("        for text in near if records else ():", "        for text in ():"),
        ('if term.qualifier != "+")', "if True)"),
        ("or name in seen:", "or False:"),
        ("        if octets > TARGET:", "        if octets > OLD_UDP:"),
        ("        if others and size > EDNS:", "        if others and size > 2 * EDNS:"),
        ("        elif others and size > OLD_UDP:", "        elif others and size > EDNS:"),
        ("if texts and any(same(text, other, domain) for other in texts):", "if texts:"),
        ("text.isascii() if _NEAR_MISS.match(text) else _decodable(text)", "text.isascii()"),
        ("text.isascii() if _NEAR_MISS.match(text) else _decodable(text)", "_decodable(text)"),
    ],
    ("dnssync/check/standing.py", REMEDIES): [
        ("return parse(wanted) if wanted is not None else record", "return record"),
        ("if _meanings(term, domain) & gone & here]", "if False]"),
        ('return None if alias_of(facts.ask(name, "TXT")) else', "return"),
        ('    if alias := alias_of(facts.ask(name, "TXT")):', '    if alias := "":'),
        ("if _meanings(name, domain) & gone & here]", "if _meanings(name, domain) & here]"),
    ],
    ("dnssync/check/spf.py", REMEDIES): [
        ("elif wanted is not None and same(text, wanted, domain):", "elif False:"),
        ("elif wanted is not None and same(text, wanted, domain):", "elif wanted is not None:"),
        ('if relay and facts.wanted(domain, "TXT") is None:', "if False:"),
        ('elif isinstance(term, Modifier) and term.name == "redirect":', "elif False:"),
        ("elif where == domain and wanted is not None and not _strict(wanted):", "elif False:"),
    ],
    ("dnssync/check/spf_cost.py", REMEDIES): [
        ("kept = (*_own_terms(facts, domain), *kept)", "pass"),
    ],
    ("dnssync/check/dmarc_values.py", REMEDIES): [
        ('if wanted is not None and _policy(wanted) == "none":', "if False:"),
        ('labels = domain.split(".") if domain in own_names(facts) else []', 'labels = domain.split(".")'),
        ("mail.local and not _above(facts, domain):", "mail.local and domain not in own_names(facts):"),
        ('== ["none"] for name in', '!= [] for name in'),
        ("if written(facts, name) is not None and not fixable and getattr(facts.domain(domain).policy.dmarc, tag):", "if False:"),
        ("            found.pop(tag)", "            pass"),
        ("tag: None for tag in known if tag in REMOVED}", "}"),
        ('tags |= {} if _failure_options(known.get("fo", "0")) else {"fo": None}', "pass"),
    ],
    ("dnssync/check/dmarc_reports.py", REMEDIES): [
        ("        if host in own_names(facts):", "        if False:"),
    ],
    ("dnssync/check/spf_terms.py", SPF): [
        ("elif isinstance(term, Mechanism) and ended:", "elif False:"),
        ("    if ended and redirects:", "    if redirects:"),
        ("        if name in MECHANISMS:", "        if False:"),
        ("at = offset + trouble.offset + 1", "at = offset + trouble.offset"),
    ],
    ("dnssync/check/spf_tree.py", f"{SPF}"): [
        ("return self.target in self.above", "return False"),
        ("        if is_all(mechanism):\n            return tuple(found)", "        if False:\n            return tuple(found)"),
        ("    if texts is None or name in above:", "    if not texts or name in above:"),
        ("    if len(records) != 1:", "    if len(records) < 1:"),
    ],
    ("dnssync/check/spf_cost.py", SPF): [
        ("cost.lookups > MAX_LOOKUPS or cost.lookups >= NEAR", "cost.lookups > MAX_LOOKUPS or cost.lookups > NEAR"),
        ("past = cost.lookups > MAX_LOOKUPS", "past = cost.lookups >= MAX_LOOKUPS"),
        ("    if cost.voids > MAX_VOIDS:", "    if cost.voids >= MAX_VOIDS:"),
        ('dns(name, "MX") or ()) > MAX_HOSTS:', 'dns(name, "MX") or ()) >= MAX_HOSTS:'),
        ("    silent(cost.unknown)", "    pass"),
        ("        if any(path[:length] in again", "        if False and any(path[:length] in again"),
        ('term.qualifier != "+" or', "False or"),
        ("length is not None and length <= WIDE[family]", "length is not None and length < WIDE[family]"),
        ("elif own and length", "elif length"),
    ],
    ("dnssync/check/spf_evaluate.py", f"{SPF} tests/check/test_rfc7208_suite.py"): [
        ("            if self.void_lookups > pyspf.MAX_VOID_LOOKUPS:", "            if self.void_lookups >= pyspf.MAX_VOID_LOOKUPS:"),
        ("        if not texts and not ignore_void:", "        if not texts:"),
        ('if ours.result == theirs.result == "pass":', 'if "pass" in (ours.result, theirs.result) or ours.result == "fail":'),
        ("        if names:\n            yield unknown", "        if False:\n            yield unknown"),
        ("elif not case.greeting or ours.result ==", "elif True or ours.result =="),
        ("return text if _passes(cases, text, dns) else _in_front(case.record, terms)", "return text"),
        ("    if ips and not told and None not in answers:", "    if None not in answers:"),
    ],
    ("dnssync/check/dmarc.py", DMARC): [
        ("        if len(records) > 1:", "        if len(records) > 2:"),
        ("for at in (domain, f", "for at in (f"),
        ("    if walked(facts, domain):\n        return", "    if False:\n        return"),
        ("    if theirs and theirs != ours:", "    if theirs:"),
    ],
    ("dnssync/check/dmarc_walk.py", DMARC): [
        ('if psd in ("y", "n"):', 'if psd == "y":'),
        ("        if not answer.known:\n            raise", "        if False:\n            raise"),
        ('last.count(".") + 2', 'last.count(".") + 1'),
    ],
    ("dnssync/check/dmarc_values.py", DMARC): [
        ("record.get(tag).lower() not in POLICIES]", "record.get(tag) == '']"),
        ("organization(domain, walked(facts, domain)) != domain:", "False:"),
        ("            above, at = value, tag", "            pass"),
        ("strength(value) < strength(above)", "strength(value) < strength('quarantine') < 0"),
        ("and not {\"0\", \"1\"} <= set(found)", ""),
        ('    if record.policy == "reject" and mail is not None', '    if record.policy == "reject" and mail is None'),
    ],
    ("dnssync/check/dmarc_addresses.py", f"{DMARC} {REMEDIES}"): [
        ("            if mail_of(uri) is None:", "            if False:"),
        ('and f"postmaster@{domain}" not in mail.accepts', 'and f"x@{domain}" in mail.accepts'),
        ('elif wanted is not None and "rua=mailto:" not in wanted:', "elif False:"),
    ],
    ("dnssync/check/dmarc_reports.py", DMARC): [
        ("    if any(map(dmarc.is_dmarc, texts)):\n        return", ""),
        ("    if not dmarc.needs_report_record(domain, host):\n        return", ""),
        ("    if organization(domain, walked(facts, domain)) == organization(host, walked(facts, host)):\n        return", ""),
        ("    if not facts.find(Takes(mail)):", "    if facts.find(Takes(mail)):"),
        ("        if missing:", "        if False:"),
        ('text.split()[-1] == "." for', 'text == "" for'),
    ],
    ("dnssync/check/gather_suffixes.py", DMARC): [
        ("length = len(labels) - start - 1", "length = len(labels) - start"),
        ('or ".".join(["*", *labels[start + 1 :]]) in rules', ""),
    ],
    ("dnssync/check/gather_reports.py", DMARC): [
        ("wish.address.isprintable() and", "True and"),
        ("        if taken is None\n        else taken\n", "        if False\n        else bool(taken)\n"),
    ],
    ("dnssync/check/parked.py", REMEDIES): [
        ("        if takes:", "        if False:"),
        ("takes = mail is not None and mail.local and", "takes = mail is not None and"),
    ],
    ("dnssync/check/parked.py", PARKED): [
        ("    if domain in helos(facts):", "    if False:"),
        ("if len(records) != 1 or not same(records[0], SPF):", "if len(records) != 1:"),
        ('!= ["."]:', '!= ["."] and found:'),
        ('if got is None or got.policy != "reject":', "if got is None:"),
        ('for tag in ("sp", "np")', 'for tag in ("sp",)'),
        ("not dkim.is_revoked(text):", "False:"),
        ("facts.keys_of(domain) if facts.decision is not None else ()", "()"),
    ],
}  # fmt: skip
