"""Keys whose rows were lost, known again by their files and their records."""

from __future__ import annotations

import pytest

from dnssync.core import dkim
from dnssync.core.taken_on import strays

NOW = 1_795_507_200
AT = ("example.org", "20261124r-mx-7f3a")


@pytest.mark.parametrize(
    ("half", "record", "stamps"),
    [
        (("rsa2048", "AAAA"), "v=DKIM1; k=rsa; p=AAAA", (NOW, None)),
        (("rsa2048", "AAAA"), dkim.REVOKED, (NOW, NOW)),
        (("rsa2048", "AAAA"), "v=DKIM1; k=rsa; p=ZZZZ", None),
        (("rsa2048", "AAAA"), "", None),
        (None, "v=DKIM1; k=rsa; p=AAAA", None),
        (None, dkim.REVOKED, None),
    ],
)
def test_strays(half: tuple[str, str] | None, record: str, stamps: tuple[int, int | None] | None) -> None:
    """With its file and its record a key counts as retired from now on, or as revoked where DNS says so; with one of both it is not ours."""
    got = strays([AT], (), NOW, lambda domain, selector: half, lambda domain, selector: record)
    assert [(key.retired, key.revoked) for key in got] == ([stamps] if stamps else [])
    assert all(key.activated is None and not key.adopted for key in got)


def test_a_text_of_its_own() -> None:
    """A record that somebody changed keeps its words."""
    [key] = strays([AT], (), NOW, lambda *_: ("rsa2048", "AAAA"), lambda *_: "v=DKIM1; k=rsa; t=s; p=AAAA")
    assert key.adopted and key.record == "v=DKIM1; k=rsa; t=s; p=AAAA"
