"""Where the sections of a response end, octet by octet (RFC 1035 §4.1): what of it has to be read at all. Nothing here reads a record."""

from __future__ import annotations

_OPT = (41).to_bytes(2, "big")  # RFC 6891 §6.1.2


def judged_by(octets: bytes) -> bytes:
    """The part of an answer that says what stands at a name: flags, question and answer section (RFC 1035 §4.1), as they came. The id is another one each time,
    and the sections behind may be (a name server that turns the order of its NS records round). All but the id where that cannot be told."""
    try:
        at = _behind_answer(octets)
    except IndexError:
        return octets[2:]
    return octets[2:8] + octets[12:at] if at <= len(octets) else octets[2:]


def records_alone(octets: bytes) -> bytes | None:
    """An authoritative response without the sections behind its answer section; None where that is empty, where an error is told (its upper bits stand
    behind, in the OPT record, RFC 6891 §6.1.3), or where the sections do not end with the message."""
    try:
        end = at = _behind_answer(octets)
        for _ in range(int.from_bytes(octets[8:10], "big") + int.from_bytes(octets[10:12], "big")):
            fixed = _behind_name(octets, at)
            if octets[fixed : fixed + 2] == _OPT and octets[fixed + 4]:
                return None
            at = _behind_record(octets, at)
    except IndexError:
        return None
    good = octets[2] & 4 and not octets[3] & 15 and octets[6:8] != b"\0\0"
    return octets[:8] + bytes(4) + octets[12:end] if good and at == len(octets) else None


def _behind_answer(octets: bytes) -> int:
    """Where the answer section ends; `IndexError` where the message is over before."""
    at = 12
    for _ in range(int.from_bytes(octets[4:6], "big")):
        at = _behind_name(octets, at) + 4
    for _ in range(int.from_bytes(octets[6:8], "big")):
        at = _behind_record(octets, at)
    return at


def _behind_record(octets: bytes, at: int) -> int:
    """Where a record ends that begins there (RFC 1035 §4.1.3); not before the message does, at times."""
    at = _behind_name(octets, at) + 10
    return at + int.from_bytes(octets[at - 2 : at], "big")


def _behind_name(octets: bytes, at: int) -> int:
    """Where a name ends that begins there: with the root, or with a pointer (RFC 1035 §4.1.4)."""
    while length := octets[at]:
        if length >= 0xC0:
            return at + 2
        at += length + 1
    return at + 1
