"""DKIM key records as text: what is one, what its grammar allows, which ones give a verifier the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from dnssync.core import dkim
from dnssync.core.model import KeyPair
from dnssync.core.record import RecordError
from tests.core.strategies import DKIM_RECORDS

ED25519 = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="  # RFC 8463, appendix A.2


@given(DKIM_RECORDS)
def test_round_trip(record: dkim.Record) -> None:
    """What is printed reads back as the same record, and is one."""
    assert dkim.parse(str(record)) == record
    assert dkim.is_dkim(str(record))
    assert not str(record).endswith(("; ", ";"))


@given(DKIM_RECORDS)
def test_order_and_white_space(record: dkim.Record) -> None:
    """Another order of tags, white space around them and a final `;` change nothing."""
    first, *others = str(record).split("; ") if record.v else ["", *str(record).split("; ")]
    text = (
        ";\r\n\t ".join(part.replace("=", " =\t", 1) for part in [*([first] if first else []), *reversed(others)])
        + " ; "
    )
    assert dkim.same(text, str(record))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("v=DKIM1; p=AAAA", True),
        ("v=DKIM1", True),
        (" v = DKIM1 ;p=", True),
        ("k=rsa; p=AAAA", True),
        ("p=", True),
        ("v=DMARC1; p=none", False),
        ("v=DKIM10; p=AAAA", False),
        ("v=dkim1; p=AAAA", False),
        ("v=spf1 include:x.test -all", False),
        ("k=rsa; sp=none", False),
        ("v=DKIM1\n\nx", False),
        ("google-site-verification=abc", False),
        ("", False),
    ],
)
def test_is_dkim(text: str, want: bool) -> None:
    """v=DKIM1 first, or a p= tag without any version; another version is another kind of record."""
    assert dkim.is_dkim(text) is want


def test_rfc_6376() -> None:
    """The form of RFC 6376's examples: notes, folding white space inside the key, lists."""
    text = "v=DKIM1; h=sha1:sha256; s=email; t=y:s; n=a note, with=signs; p=MIGfMA0GCSqG\r\n\t SIb3DQEB\n AQUAA4GN"
    record = dkim.parse(text)
    assert (record.p, record.t, record.n) == ("MIGfMA0GCSqGSIb3DQEBAQUAA4GN", "y:s", "a note, with=signs")


def test_rfc_8463() -> None:
    """An Ed25519 key has 44 characters."""
    assert dkim.parse(f"v=DKIM1; k=ed25519; p={ED25519}") == dkim.Record(ED25519, k="ed25519")


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("v=DKIM1; k=rsa", 14),
        ("k=rsa; v=DKIM1; p=AAAA", 7),
        ("v=DKIM2; p=AAAA", 0),
        ("v=DKIM1; p=AAAA; p=BBBB", 17),
        ("v=DKIM1; p=AA*A", 9),
        ("v=DKIM1; p===", 9),
        ("v=DKIM1; p=AA=A", 9),
        ("v=DKIM1; k=; p=AAAA", 9),
        ("v=DKIM1; k=rsa:dsa; p=AAAA", 9),
        ("v=DKIM1; k=-rsa; p=AAAA", 9),
        ("v=DKIM1; h=sha 256; p=AAAA", 9),
        ("v=DKIM1; h=*; p=AAAA", 9),
        ("v=DKIM1; s=email:; p=AAAA", 9),
        ("v=DKIM1; t=y,s; p=AAAA", 9),
        ("v=DKIM1; 1=x; p=AAAA", 9),
        ("v=DKIM1; =x; p=AAAA", 9),
        ("v=DKIM1;; p=AAAA", 8),
        ("v=DKIM1; rsa; p=AAAA", 9),
        ("v=DKIM1; n=\u00e4; p=AAAA", 11),
        ("v=DKIM1; p=AA\u00a0AA", 13),
        ("v=DKIM1; n=\x00; p=AAAA", 11),
    ],
)
def test_invalid(text: str, offset: int) -> None:
    """What the grammar does not allow is refused, with its place."""
    with pytest.raises(RecordError) as caught:
        dkim.parse(text)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("v=DKIM1; k=rsa; p=AAAA", "p=AA AA"),
        ("v=DKIM1; s=*; p=AAAA", "v=DKIM1; n=note; p=AAAA"),
        ("v=DKIM1; t=y:s; p=AAAA", "v=DKIM1; t=s : y; p=AAAA;"),
        ("v=DKIM1; p=", "p="),
        ("broken", "broken"),
    ],
)
def test_same(one: str, other: str) -> None:
    """Defaults, order, white space and notes make no difference to a verifier."""
    assert dkim.same(one, other)


@pytest.mark.parametrize(
    "other",
    ["v=DKIM1; p=AAAB", "v=DKIM1; k=ed25519; p=AAAA", "v=DKIM1; t=y; p=AAAA", "v=DKIM1; h=sha1; p=AAAA", "v=DKIM1; p=",
     "v=DKIM1; s=email; p=AAAA", "v=DKIM1; p=aaaa", "v=DKIM1; x=1; p=AAAA", "broken"],
)  # fmt: skip
def test_not_same(other: str) -> None:
    """Another key, or the same under other conditions, is different."""
    assert not dkim.same("v=DKIM1; p=AAAA", other)


class TestRecordFor:
    key = KeyPair("example.org", "s1", "ed25519", ED25519, 1)

    def test_new_key(self) -> None:
        """The text for a key of ours is canonical, and reads back."""
        assert dkim.record_for(self.key) == f"v=DKIM1; k=ed25519; p={ED25519}"
        assert str(dkim.parse(dkim.record_for(self.key))) == dkim.record_for(self.key)
        assert dkim.record_for(replace(self.key, algorithm="rsa2048")).startswith("v=DKIM1; k=rsa; p=")

    def test_adopted_key(self) -> None:
        """The text of a hand-made key stays as it was found; where none was there it gets ours."""
        assert dkim.record_for(replace(self.key, adopted=True, record="p=AAAA; t=s")) == "p=AAAA; t=s"
        assert dkim.record_for(replace(self.key, adopted=True)) == f"v=DKIM1; k=ed25519; p={ED25519}"

    def test_placeholder(self) -> None:
        """A key that is not made yet has a text to show."""
        assert dkim.record_for(replace(self.key, public_key="<new ed25519>")) == "v=DKIM1; k=ed25519; p=<new ed25519>"

    def test_revoked(self) -> None:
        """The text that withdraws a key is a valid record without a key."""
        assert dkim.parse(dkim.REVOKED).p == ""
