"""Whatever stands in DNS, the checks of SPF, DMARC and parked domains say something that can be written, and never fall over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dnssync.check.areas import every
from dnssync.check.judging import judge
from dnssync.core.sighting import Answer, Question, Rcode, Reply
from tests.check.world import World
from tests.zonetext import host

CHECKS = [check for check in every() if check.id.startswith(("SPF", "DMARC", "PARK"))]
PIECES = ["v=spf1", "v=DMARC1", " ", ";", "=", ":", "/", ",", "!", "%{d}", "%{p}", "%{i}", "%", "include", "redirect", "a", "mx", "ptr", "exists", "ip4", "ip6",
          "all", "-", "~", "?", "+", "p", "sp", "np", "t", "pct", "psd", "y", "n", "rua", "ruf", "fo", "mailto", "none", "reject", "odd.test", ".odd.test",
          "@odd.test", "192.0.2.1", "2001:db8::1", "0", "33", "é", "\udcff", "\x1b", "–", "x" * 70, "v=DKIM1", "spf2.0"]  # fmt: skip
ODD = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
SPF = st.lists(st.sampled_from(["a", "mx", "ptr", "-all", "?all", "+all", "include:odd.test", "include:x.odd.test", "redirect=odd.test", "redirect=y.test",
                                "exists:%{ir}.%{d}", "a:%{p}.test", "ip4:0.0.0.0/0", "exp=e.odd.test", "include:%{o}", "include:.", "a:a..b.test",
                                f"a:{'x' * 64}.test", "mx:odd.test./0"]), max_size=14).map(lambda terms: " ".join(["v=spf1", *terms]))  # fmt: skip
TEXTS = st.lists(ODD | SPF | ODD.map("v=DMARC1; p=".__add__), max_size=3)
OTHERS = {
    "MX": ("10 odd.test.", "0 ."),
    "A": ("192.0.2.1", "192.0.2.7"),
    "AAAA": ("2001:db8::1",),
    "PTR": ("odd.test.",),
    "CNAME": ("x.odd.test.",),
}


@settings(max_examples=60, deadline=None)
@given(
    own=TEXTS,
    below=TEXTS,
    silent=st.sampled_from(["", "x.", "_dmarc", "odd"]),
    data=st.sampled_from(["TXT", "MX A PTR", "CNAME AAAA"]),
)
def test_nothing_falls_over(own: list[str], below: list[str], silent: str, data: str) -> None:
    """Odd texts at the domain, other ones below and beside it, some servers silent: every check ends, and its sentences are plain."""
    world = World(
        Path("/nonexistent"),
        {"odd.test": ""},
        domains=["odd.test", "p.odd.test"],
        host=host("odd.test", hostname="mx.odd.test"),
    )

    def answer(question: Question) -> Answer:
        if silent and question.name.startswith(silent):
            return Answer(question, (Reply("s", Rcode.SERVFAIL),))
        texts = (
            tuple(own if question.name in ("odd.test", "_dmarc.odd.test") else below)
            if question.type in ("TXT", "SPF")
            else ()
        )
        texts = texts or OTHERS.get(question.type, ()) * (question.type in data.split())
        return Answer(question, (Reply("s", Rcode.DATA if texts else Rcode.NODATA, texts),))

    def fetch(wishes: Sequence[Any]) -> dict[Any, Any]:
        return {wish: answer(wish) for wish in wishes if isinstance(wish, Question)}

    for found in judge(world.facts(), CHECKS, fetch).findings:
        (found.message + found.remedy).encode("utf-8")
        assert found.message.isprintable()
