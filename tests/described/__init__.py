"""What the vendors' own public descriptions say of their APIs, as far as dnssync uses them, and whether answers and requests are that.

A table a vendor (powerdns.py, cloudflare.py, hetzner.py, ovh.py) states the facts, in JSON Schema's terms and our own words: the fields, their
types, which of them must be there, which values are allowed. Each names the description and its version. What a description leaves
open, such as whether a field may come that it does not name, is closed here: such a field would be of our making. Where the vendor is known to
answer otherwise than it describes, the table says so at that place.

A stand-in with a table (`StandIn.described`) has each answer of its own judged, and each body of a request that it took; the answers that
tests put in its place are broken on purpose, and not judged. The vendors without a table have no such description: deSEC's source is
public, and the stand-in follows that; Gandi's description is for people alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
NULL: Schema = {"type": "null"}
TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}  # RFC 3339


def record(must: Mapping[str, Schema], may: Mapping[str, Schema] | None = None, **more: Any) -> Schema:
    """An object with these fields and no others."""
    fields = {**must, **(may or {})}
    return {"type": "object", "properties": fields, "required": sorted(must), "additionalProperties": False, **more}


def many(of: Schema, **more: Any) -> Schema:
    """A list."""
    return {"type": "array", "items": of, **more}


def one_of(*values: Any) -> Schema:
    """One of these values."""
    return {"enum": list(values)}


def nullable(schema: Schema) -> Schema:
    """This, or null."""
    return {"anyOf": [schema, NULL]}


@dataclass(frozen=True)
class Operation:
    """What may be asked at a path (a regular expression for all of it): the body of the request, None where there is none, and by status, or
    its first digit (`4`), the answer's; None: the answer has no body."""

    method: str
    path: str
    answers: Mapping[int, Schema | None]
    body: Schema | None = None


@dataclass(frozen=True)
class Described:
    """A description: where it stands, and its operations. `words`: the texts that are answered in place of JSON, by status."""

    source: str
    operations: Sequence[Operation]
    words: Mapping[int, str] = field(default_factory=dict)

    def amiss(self, method: str, path: str, body: Any, status: int, answer: Any) -> list[str]:
        """What is not as it is described, a sentence each: of an answer (what JSON says, a text, None), and of the body of a request that was
        taken. Nothing where the description has no such operation, and the answer is a refusal."""
        asked = f"{method} {path}"
        found = next((o for o in self.operations if o.method == method and re.fullmatch(o.path, path)), None)
        if found is None:
            return [] if status >= 400 else [f"{asked} is done, and not described"]
        if isinstance(answer, str):
            return [] if self.words.get(status) == answer else [f"{asked}: {status} with the text {answer[:60]!r}"]
        if (key := next((each for each in (status, status // 100) if each in found.answers), None)) is None:
            return [f"{asked}: a {status} is not described"]
        wrong = _judged(f"{asked}: {status}", found.answers[key], answer)
        if method not in ("GET", "DELETE") and status < 300:
            wrong += _judged(f"{asked}: the request", found.body, body)
        return wrong


def _judged(what: str, schema: Schema | None, thing: Any) -> list[str]:
    """What is wrong with a thing, a sentence for each place."""
    if schema is None:
        return [] if thing is None else [f"{what} has a body, and none is described"]
    errors = sorted(Draft202012Validator(schema).iter_errors(thing), key=lambda error: error.json_path)
    return [f"{what}, {error.json_path}: {error.message[:200]}" for error in errors]
