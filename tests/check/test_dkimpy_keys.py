"""The key records in dkimpy's own tests, good and bad ones, through our parser, with dkimpy's reading of each beside it.

21 records: 17 are good to both, 1 is refused by both (v= is wrong), 3 are refused by dkimpy alone, which also looks into the key; each of these
stands below with its reason.
"""

from __future__ import annotations

import ast
import base64
import binascii
import re
from pathlib import Path

import dkim as dkimpy
import pytest

from dnssync.core import dkim
from dnssync.core.record import RecordError
from tests.sdists import sdist

SHA256 = "b5f60fb47bbf5d8d762f134bcea0c388eba6b498342a682a21f1686545094b77"  # of dkimpy-1.1.8.tar.gz
# What only dkimpy refuses, told by a part of the record, and why our parser takes it.
KEY_ITSELF = {
    "k=ed25519-sha256;": "k= is a word, as §3.6.1 wants; that no verifier knows it is DKIM-02's finding",
    "IDAQA=": "p= is base64 and no key: DKIM-02 compares it with the private key",
    "ZIhvNAQEB": "p= has base64's letters alone, and one is missing: DKIM-02 compares it with the private key",
}


@pytest.fixture(scope="module")
def records() -> list[str]:
    """Every text in dkimpy's tests that has a p= tag: files, and strings in the code."""
    tests: Path = sdist("dkimpy", "1.1.8", SHA256) / "dkim" / "tests"
    texts = [path.read_text() for path in sorted((tests / "data").iterdir()) if path.suffix in (".txt", ".dns")]
    for path in sorted(tests.glob("test_*.py")):
        nodes = ast.walk(ast.parse(path.read_text()))
        texts += [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return list(dict.fromkeys(text for text in texts if re.search(r"(\A|;)\s*p=", text)))


def ours(text: str) -> bool:
    """Whether our parser takes it, and gives back what it says."""
    try:
        record = dkim.parse(text)
    except RecordError:
        return False
    return record.p == "".join(text.split("p=")[1].split(";")[0].split()) and dkim.same(text, str(record))


def theirs(text: str) -> bool:
    """Whether dkimpy makes a key of it."""
    try:
        dkimpy.load_pk_from_dns(b"s._domainkey.example.org", dnsfunc=lambda name, timeout=5: text.encode())
    except (dkimpy.KeyFormatError, binascii.Error):
        return False
    return True


def test_figures(records: list[str]) -> None:
    """How many both take, both refuse, and dkimpy alone refuses; none is refused by us alone."""
    verdicts = [(ours(text), theirs(text)) for text in records]
    assert len(records) == 21
    assert {pair: verdicts.count(pair) for pair in sorted(set(verdicts))} == {
        (False, False): 1,
        (True, False): 3,
        (True, True): 17,
    }


def test_exceptions(records: list[str]) -> None:
    """What dkimpy alone refuses are these three, each for its key or the name of its algorithm, not for its syntax."""
    alone = [text for text in records if ours(text) and not theirs(text)]
    assert sorted(next(part for part in KEY_ITSELF if part in text) for text in alone) == sorted(KEY_ITSELF)


def test_what_both_refuse(records: list[str]) -> None:
    """The one record that is none has its fault told where it is."""
    [text] = [text for text in records if not ours(text)]
    with pytest.raises(RecordError, match="v= must come first and be DKIM1"):
        dkim.parse(text)


def test_all_keys_are_octets(records: list[str]) -> None:
    """What our parser gives as p= decodes wherever dkimpy makes a key of it."""
    for text in records:
        if theirs(text):
            assert len(base64.b64decode(dkim.parse(text).p, validate=True)) >= 32
