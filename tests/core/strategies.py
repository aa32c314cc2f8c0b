"""Records as hypothesis draws them: SPF, DKIM and DMARC in all the forms that their grammars allow."""

from __future__ import annotations

import base64
import string

from hypothesis import strategies as st

from dnssync.core import dkim, dmarc, spf

LABELS = st.from_regex(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,5}[A-Za-z0-9])?", fullmatch=True)
TOPS = st.sampled_from(["org", "Test", "example", "x1", "1-a", "org."])
MACROS = st.builds(
    lambda letter, digits, reverse, delimiters: f"%{{{letter}{digits}{reverse}{delimiters}}}",
    st.sampled_from("slodiphvSLODIPHV"),
    st.sampled_from(["", "1", "2", "10", "128"]),
    st.sampled_from(["", "r", "R"]),
    st.text("-.+,/_=", max_size=2),
)
PIECES = st.one_of(LABELS, MACROS, st.sampled_from(["%%", "%_", "%-", "_spf", "a!b", "x/y:z"]))
DOMAINS = st.one_of(
    st.builds(lambda pieces, top: ".".join([*pieces, top]), st.lists(PIECES, min_size=1, max_size=3), TOPS),
    st.builds(lambda pieces, macro: ".".join([*pieces, macro]), st.lists(PIECES, max_size=2), MACROS),
)
MACRO_STRINGS = st.lists(PIECES, max_size=3).map(".".join)


def _optional(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(st.none(), strategy)


QUALIFIERS = st.sampled_from("+-~?")
FOUR, SIX = _optional(st.integers(0, 32)), _optional(st.integers(0, 128))
MECHANISMS = st.one_of(
    st.builds(spf.Mechanism, st.just("all"), QUALIFIERS),
    st.builds(spf.Mechanism, st.sampled_from(["include", "exists"]), QUALIFIERS, DOMAINS),
    st.builds(spf.Mechanism, st.just("ptr"), QUALIFIERS, st.one_of(st.just(""), DOMAINS)),
    st.builds(
        spf.Mechanism, st.sampled_from(["a", "mx"]), QUALIFIERS, st.one_of(st.just(""), DOMAINS), four=FOUR, six=SIX
    ),
    st.builds(spf.Mechanism, st.just("ip4"), QUALIFIERS, ip=st.ip_addresses(v=4).map(str), four=FOUR),
    st.builds(spf.Mechanism, st.just("ip6"), QUALIFIERS, ip=st.ip_addresses(v=6).map(str), six=SIX),
)
ONCE = st.builds(spf.Modifier, st.sampled_from(["redirect", "exp"]), DOMAINS)
OTHERS = st.builds(spf.Modifier, st.sampled_from(["x", "ra", "y-1_z.0"]), MACRO_STRINGS)


def _once_each(terms: list) -> tuple:
    seen: set[str] = set()
    kept = []
    for term in terms:
        once = isinstance(term, spf.Modifier) and term.name in ("redirect", "exp")
        if not (once and term.name in seen):
            kept.append(term)
        seen.add(term.name if once else "")
    return tuple(kept)


SPF_TERMS = st.one_of(MECHANISMS, MECHANISMS, ONCE, OTHERS)
SPF_RECORDS = st.lists(SPF_TERMS, max_size=6).map(_once_each).map(spf.Record)

VISIBLE = "".join(c for c in string.printable if c.isprintable() and c != ";")
VALUES = st.text(VISIBLE, max_size=12).map(str.strip)
WORDS = st.from_regex(r"[A-Za-z](?:[A-Za-z0-9-]{0,6}[A-Za-z0-9])?", fullmatch=True)
WORD_LISTS = st.lists(WORDS, max_size=3).map(":".join)
DKIM_RECORDS = st.builds(
    dkim.Record,
    p=st.binary(max_size=12).map(lambda octets: base64.b64encode(octets).decode()),
    v=st.sampled_from(["DKIM1", ""]),
    k=st.one_of(st.just(""), WORDS),
    h=WORD_LISTS,
    s=st.one_of(st.just("*"), WORD_LISTS),
    t=WORD_LISTS,
    n=VALUES,
    other=st.dictionaries(st.sampled_from(["g", "x", "P", "a_1"]), VALUES, max_size=3).map(lambda d: tuple(d.items())),
)

POLICIES = st.sampled_from(["none", "quarantine", "reject"])
DMARC_TAGS = st.fixed_dictionaries(
    {},
    optional={
        "p": POLICIES,
        "sp": POLICIES,
        "np": POLICIES,
        "adkim": st.sampled_from(["r", "s"]),
        "rua": st.sampled_from(["mailto:a@example.org", "mailto:a@x.test, mailto:b@x.test"]),
        "fo": st.sampled_from(["0", "1", "d:s"]),
        "pct": st.just("50"),
        "x-unknown": VALUES,
    },
)
DMARC_RECORDS = DMARC_TAGS.map(lambda tags: dmarc.Record(tuple(tags.items())))
