"""SPF-02: the terms of a record, one by one: which cannot be read, which count for nothing, and what was probably meant."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from dnssync.check.facts import Facts
from dnssync.check.finding import MOOT, Verdict, error, info, warning
from dnssync.check.spf_tree import sole
from dnssync.check.standing import mend, need, put_back
from dnssync.core.record import RecordError
from dnssync.core.spf import MECHANISMS, Mechanism, Modifier, Term, is_all, parse, parse_terms

KNOWN_MODIFIERS = ("redirect", "exp", "ra", "rp", "rr")  # the last three: RFC 6652
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-") | dict.fromkeys("\xa0\u200b\ufeff\t", ""))
_GLUED = re.compile(r"(.*[^-~?+:])([-~?+]all)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with one term, in words; `instead`: the term or terms that were probably meant, "" = none, None = that cannot be guessed; `remedy` then
    says what to do, where anything is known."""

    severity: str
    message: str
    term: str
    instead: str | None = None
    remedy: str = ""


def syntax(facts: Facts, domain: str) -> Iterator[Verdict]:
    """SPF-02."""
    answer = facts.ask(domain, "TXT")
    texts = sole(answer)
    for text in texts:
        troubles = list(_troubles(text))
        better = mended(text, troubles)
        kinds = {"error": error, "warning": warning, "info": info}
        for trouble in troubles:
            remedy, fixable = "", False
            if better is not None and trouble.severity != "info":
                remedy, fixable = mend(
                    facts, domain, better, lambda wanted: not any(t.severity != "info" for t in _troubles(wanted))
                )
            elif trouble.remedy:
                remedy = trouble.remedy
            elif trouble.instead is not None and trouble.severity != "info":
                remedy = f'Write "{trouble.instead}" in its place.' if trouble.instead else "Take it out."
            back = put_back(facts, domain, [trouble.term]) if remedy and not fixable else ""
            yield kinds[trouble.severity](trouble.message, remedy + back, fixable=fixable)
    need(answer)
    if not texts:
        yield MOOT


def mended(text: str, troubles: list[Trouble]) -> str | None:
    """The record with each term that is wrong replaced by what was probably meant, None where that gives no valid record."""
    words = [word for word in text.split(" ")[1:] if word]
    for trouble in troubles:
        if trouble.severity == "info":
            continue
        if trouble.instead is None or trouble.term not in words:
            return None
        at = len(words) - 1 - words[::-1].index(trouble.term)  # of two alike, the later is too many
        words[at : at + 1] = [trouble.instead] if trouble.instead else []
    result = " ".join(["v=spf1", *words])
    try:
        parse(result)
    except RecordError:
        return None
    return result


def _troubles(text: str) -> Iterator[Trouble]:
    """All of a record's, in order; parsing stops at the first, so each term is read by itself."""
    known: list[tuple[str, Term]] = []
    for match in re.finditer(r"[^ ]+", text[6:]):
        word, offset = match.group(), 6 + match.start()
        try:
            [term] = parse_terms(word)
        except RecordError as trouble:
            instead = meant(word)
            hint = f'; probably "{instead}" was meant' if instead else ""
            at = offset + trouble.offset + 1
            yield Trouble("error", f'The SPF record cannot be read, which is permerror to receivers, as good as none: in "{word}", {trouble.sentence} '
                          f"(at character {at}){hint}.", word, instead)  # fmt: skip
            continue
        known.append((word, term))
        yield from _strange(word, term)
    yield from _together(known)


def _strange(word: str, term: Term) -> Iterator[Trouble]:
    """A term that can be read, and will hardly do what was meant."""
    if isinstance(term, Modifier):
        name = term.name.lstrip("+-~?")
        if name in MECHANISMS:
            instead = meant(word.replace("=", ":", 1)) or word.replace("=", ":", 1)
            yield Trouble("warning", f'"{word}" is no mechanism, for it has "=" where a colon belongs: receivers ignore it. Probably '
                          f'"{instead}" was meant.', word, instead)  # fmt: skip
        elif name == "v":
            yield Trouble(
                "warning",
                f'"{word}" stands in the middle: two records were joined into one, and receivers ignore it there.',
                word,
                "",
            )
        elif name not in KNOWN_MODIFIERS:
            yield Trouble("info", f'"{word}" is a modifier that no standard knows; receivers ignore it.', word)
        elif glued := _GLUED.fullmatch(word):
            yield Trouble(
                "warning", f'A space is missing in "{word}" before "{glued[2]}".', word, f"{glued[1]} {glued[2]}"
            )
    elif term.domain and (glued := _GLUED.fullmatch(word)):
        yield Trouble("warning", f'A space is missing in "{word}" before "{glued[2]}": receivers take all of it for a name.', word,
                      f"{glued[1]} {glued[2]}")  # fmt: skip


def _together(known: list[tuple[str, Term]]) -> Iterator[Trouble]:
    """What the terms make of each other."""
    seen: set[str] = set()
    ended = ""
    redirects = [word for word, term in known if isinstance(term, Modifier) and term.name == "redirect"]
    for word, term in known:
        if isinstance(term, Modifier) and term.name in ("redirect", "exp"):
            if term.name in seen:
                yield Trouble("error", f'The SPF record cannot be read, which is permerror to receivers, as good as none: "{word}" is a second {term.name}=.',
                              word, "")  # fmt: skip
            seen.add(term.name)
        elif isinstance(term, Mechanism) and ended:
            yield Trouble(
                "warning",
                f'"{word}" stands behind "{ended}", where nothing is looked at.',
                word,
                "" if is_all(term) else None,
                f'Put "{word}" in front of "{ended}" where it is to count, else take it out.',
            )
        elif is_all(term):
            ended = word
    if ended and redirects:
        yield Trouble("warning", f'"{redirects[0]}" counts for nothing beside "{ended}" (RFC 7208 §6.1). Keep one of the two: an include passes what '
                      "the other record passes, a redirect alone lets it decide.", redirects[0], "")  # fmt: skip


def meant(word: str) -> str | None:
    """The term, or the terms, that a word that is none was probably meant to be; None where that cannot be guessed."""
    for guess in _guesses(word):
        try:
            if guess and len(parse_terms(guess)) == len(guess.split()):
                return guess
        except RecordError:
            continue
    return None


def _guesses(word: str) -> Iterator[str]:
    """Candidates, the likeliest first."""
    plain = word.translate(_DASHES).rstrip(",;.\"'").lstrip("\"'")
    yield plain
    if glued := _GLUED.fullmatch(plain):
        yield f"{meant(glued[1]) or glued[1]} {glued[2]}"
    match = re.fullmatch(r"([-~?+]?)([A-Za-z0-9]+)[:=]\s*(.*)", plain)
    qualifier, name, rest = (match[1], match[2].lower(), match[3]) if match else ("", "", plain)
    address, slash, length = rest.partition("/")
    try:
        ip = ipaddress.ip_interface(f"{address}/{length.lstrip('/')}" if slash else address)
        whole = ip.network.prefixlen == ip.max_prefixlen
        if name in ("", "a", "mx", "ip", "ip4", "ip6", "ipv4", "ipv6", "include"):
            yield f"{qualifier}ip{ip.version}:{ip.ip}" + ("" if whole else f"/{ip.network.prefixlen}")
    except ValueError:
        pass
    name = {"ip": "ip4", "ipv4": "ip4", "ipv6": "ip6", "prt": "ptr", "includ": "include", "inculde": "include"}.get(
        name, name
    )
    host = re.sub(r"^[a-z]+://", "", rest).partition("/")[0]
    if name in ("ip4", "ip6"):
        yield f"{qualifier}a:{host}"
    elif name:
        yield f"{qualifier}{name}:{host}"
    dotted = re.fullmatch(r"([-~?+]?)(a|mx|include|ptr|exists)\.(.+)", plain, re.IGNORECASE)
    if dotted:
        yield f"{dotted[1]}{dotted[2]}:{dotted[3]}"
    if not name and "." in plain:
        yield f"a:{plain}"
