"""Cloudflare's words: what is asked for of a change, what its records and its errors say, and whether a batch was done as it was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dnssync.core.model import Change, ProviderError, Value, absolute, relative

from . import _text
from ._by_id import Record, Steps

CONTENT = 8192  # characters of content at one name and type
AUTOMATIC = 300  # seconds: what a TTL of 1 means
TARGETS = frozenset({"CNAME", "DNAME", "NS", "PTR"})  # a name alone, told without the final dot
RANKED = {"MX": ".", "SRV": ".", "URI": ""}  # the priority stands apart; what is told without the final dot

Step = tuple[int, str, dict[str, Any]]  # of which change, in which list of a batch, and what


def asked(who: str, zone: str, number: int, change: Change, found: Steps) -> Iterator[Step]:
    """A change as it is asked for: first what comes, then what becomes another, and last what goes, wherever a batch may end. Raises
    `ProviderError` where more would stand at a name than Cloudflare holds there. `who` names the provider."""
    name, new, ttl = absolute(change.name, zone), change.new, {"ttl": found.ttl} if found.ttl else {}
    content = sum(len(_text.spelled(value)) for value in new.values) if new else 0
    if content > CONTENT and (found.come or found.turn):
        raise ProviderError(f"{zone}: {name} {change.type}: with ours, {content} characters of text would stand there, and {who} holds {CONTENT} "
                            "at one name; nothing was written. Take a text out there that nobody needs any more.")  # fmt: skip
    for value in found.come:
        post = {"name": name, "type": change.type, "content": _text.spelled(value), "ttl": new.ttl if new else 0}
        yield number, "posts", post
    for record, value in found.turn:
        yield number, "patches", {"id": record.id, "content": _text.spelled(value), **ttl}
    for record in found.retime:
        yield number, "patches", {"id": record.id, **ttl}
    for record in found.go:
        yield number, "deletes", {"id": record.id}


def codes(data: Any) -> frozenset[int]:
    """Every code of an error, those behind it included."""
    return frozenset(code for code, _ in _errors(data))


def explain(data: Any) -> str:
    """The vendor's words in an error's JSON, each with its code."""
    return "; ".join(f"{words} (code {code})" for code, words in _errors(data) if words)


def _errors(data: Any, within: str = "errors") -> list[tuple[int, str]]:
    """The codes and the words of an error, and of those in its chain."""
    errors = data.get(within) if isinstance(data, dict) else None
    found = []
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict) and type(error.get("code")) is int:
            found.append((error["code"], str(error.get("message") or "").strip().rstrip(".")))
            found += _errors(error, "error_chain")
    return found


def read(entry: Any, zone: str) -> Record | None:
    """A record of an answer; None where it is none."""
    if not isinstance(entry, dict):
        return None
    id, name, kind, ttl, content = (entry.get(part) for part in ("id", "name", "type", "ttl", "content"))
    if content is None and isinstance(entry.get("data"), dict):
        content = json.dumps(entry["data"], sort_keys=True)
    if not (
        isinstance(id, str) and id and isinstance(name, str) and isinstance(kind, str) and isinstance(content, str)
    ):
        return None
    short = relative(name.lower().removesuffix("."), zone)
    if short is None or type(ttl) is not int:
        return None
    return Record(id, short, kind.upper(), AUTOMATIC if ttl == 1 else ttl, _value(kind.upper(), content, entry))


def shows(result: Any, body: Mapping[str, list[dict[str, Any]]]) -> bool:
    """Whether a batch's answer has everything that was asked for, a text in whatever spelling, and nothing else."""
    for part, wanted in body.items():
        told = (result.get(part) or []) if isinstance(result, dict) else []
        shown = [_joined(each).items() for each in told] if isinstance(told, list) else []
        if len(shown) != len(wanted) or not all(any(_joined(one).items() <= said for said in shown) for one in wanted):
            return False
    return True


def _joined(entry: Any) -> dict[str, Any]:
    """What is said of a record, its text as octets."""
    said = entry if isinstance(entry, dict) else {}
    return {**said, "content": _text.told(str(said["content"])).text} if "content" in said else said


def _value(kind: str, content: str, entry: Mapping[str, Any]) -> Value:
    """A value as it was told: a text's strings joined, a target absolute, a priority before what it belongs to."""
    if kind in _text.TYPES:
        return _text.told(content or '""')
    text = " ".join(content.split()) if kind in RANKED else content
    if kind in TARGETS or RANKED.get(kind):
        text = text.removesuffix(".") + "."
    if kind in RANKED:
        data = entry.get("data")
        priority = entry.get("priority", data.get("priority") if isinstance(data, dict) else None)
        text = f"{priority} {text}"
    return Value(text, content or text)
