"""Cloudflare's API as Cloudflare describes it: openapi.json of github.com/cloudflare/api-schemas at commit
c92b9b0fde23ae00fece2025662f96dc8e2d6283, read in part there, in part from what is made of it (cloudflare 5.9.0 on PyPI)."""

from __future__ import annotations

from typing import Any

from tests.described import (
    BOOLEAN,
    INTEGER,
    NULL,
    NUMBER,
    TEXT,
    TIME,
    Described,
    Operation,
    Schema,
    many,
    nullable,
    one_of,
    record,
)

ID = {"type": "string", "maxLength": 32}
NAME = {"type": "string", "minLength": 1, "maxLength": 255}
TTL = {"anyOf": [{"type": "number", "minimum": 30, "maximum": 86400}, one_of(1)]}  # 1: automatic
PRIORITY = {"type": "number", "minimum": 0, "maximum": 65535}
SETTINGS = record({}, {"ipv4_only": BOOLEAN, "ipv6_only": BOOLEAN, "flatten_cname": BOOLEAN})
TYPES = (
    "A", "AAAA", "CAA", "CERT", "CNAME", "DNSKEY", "DS", "HTTPS", "LOC", "MX", "NAPTR", "NS", "OPENPGPKEY", "PTR", "SMIMEA", "SRV", "SSHFP",
    "SVCB", "TLSA", "TXT", "URI",
)  # fmt: skip
RANKED = ("MX", "SRV", "URI")
SHARED: dict[str, Schema] = {"comment": TEXT, "content": TEXT, "data": {"type": "object"}, "priority": PRIORITY, "proxied": BOOLEAN,
                             "settings": SETTINGS, "tags": many(TEXT)}  # fmt: skip
RECORD = record(
    {"id": ID, "name": NAME, "type": one_of(*TYPES), "ttl": TTL, "created_on": TIME, "modified_on": TIME, "meta": {"type": "object"},
     "proxiable": BOOLEAN},
    # A record without a comment is described without one, and answered with null (so in octodns-cloudflare's and lego's recorded answers).
    {**SHARED, "comment": nullable(TEXT), "comment_modified_on": TIME, "tags_modified_on": TIME},
)  # fmt: skip
# A record of type SPF from old times is no longer described; it is shown all the same.
SHOWN = {
    "if": {"properties": {"type": one_of("SPF")}},
    "then": {"required": ["id", "name", "content", "ttl"]},
    "else": RECORD,
}

# `name`, `type` and `ttl` are musts of every record that is sent whole.
GIVEN: dict[str, Schema] = {"name": NAME, "type": one_of(*TYPES), "ttl": TTL}
BATCH = record(
    {},
    {
        "deletes": many(record({"id": ID})),
        "patches": many(record({"id": ID}, {**GIVEN, **SHARED})),
        "puts": many(record({"id": ID, **GIVEN}, SHARED)),
        "posts": many(record(GIVEN, SHARED)),
    },
)

MESSAGE = record({"code": {"type": "integer", "minimum": 1000}, "message": TEXT},
                 {"documentation_url": TEXT, "source": record({}, {"pointer": TEXT})})  # fmt: skip
# `error_chain` is not described, and is where Cloudflare says what is wrong with a record.
ERRORS = many(
    record({"code": {"type": "integer", "minimum": 1000}, "message": TEXT},
           {"documentation_url": TEXT, "source": record({}, {"pointer": TEXT}), "error_chain": many(MESSAGE)}),
    minItems=1, uniqueItems=True,
)  # fmt: skip
PAGE = record({}, dict.fromkeys(("count", "page", "per_page", "total_count", "total_pages"), NUMBER))
FAILURE = record({"errors": ERRORS, "messages": many(MESSAGE), "result": NULL, "success": one_of(False)})


def done(result: Schema, **more: Any) -> Schema:
    """A success."""
    return record({"errors": many(MESSAGE), "messages": many(MESSAGE), "success": one_of(True), "result": result}, more)


TIMES = {"created_on": TIME, "modified_on": TIME}
ACCOUNT = record({}, {"id": ID, "name": TEXT})
ZONE = record(
    {
        "id": ID, "name": {"type": "string", "maxLength": 253}, "account": ACCOUNT, **TIMES, "activated_on": nullable(TIME),
        "development_mode": NUMBER, "name_servers": many(TEXT), "original_dnshost": nullable({"type": "string", "maxLength": 50}),
        "original_name_servers": nullable(many(TEXT)), "original_registrar": nullable(TEXT),
        "owner": record({}, {"id": ID, "name": TEXT, "type": TEXT}),
        "meta": record({}, {**dict.fromkeys(("cdn_only", "dns_only", "foundation_dns", "phishing_detected"), BOOLEAN),
                            **dict.fromkeys(("custom_certificate_quota", "page_rule_quota", "step"), INTEGER)}),
        "plan": record({}, {**dict.fromkeys(("can_subscribe", "externally_managed", "is_subscribed", "legacy_discount"), BOOLEAN),
                            **dict.fromkeys(("currency", "frequency", "legacy_id", "name"), TEXT), "id": ID, "price": NUMBER}),
    },
    {
        "paused": BOOLEAN, "status": one_of("initializing", "pending", "active", "moved"),
        "type": one_of("full", "partial", "secondary", "internal"), "cname_suffix": TEXT, "permissions": many(TEXT),
        "tenant": ACCOUNT, "tenant_unit": record({}, {"id": ID}), "vanity_name_servers": many(TEXT), "verification_key": TEXT,
    },
)  # fmt: skip
DONE = record({}, {part: many(SHOWN) for part in ("deletes", "patches", "puts", "posts")})
AT = "/zones/[^/]{1,32}/dns_records"
REFUSED = {4: FAILURE, 5: FAILURE}

DESCRIBED = Described(
    "cloudflare/api-schemas, openapi.json at c92b9b0",
    [
        Operation("GET", "/zones", {200: done(many(ZONE), result_info=PAGE), **REFUSED}),
        Operation("GET", AT, {200: done(many(SHOWN), result_info=PAGE), **REFUSED}),
        Operation("POST", f"{AT}/batch", {200: done(DONE), **REFUSED}, BATCH),
        Operation("POST", AT, {200: done(SHOWN), **REFUSED}, record(GIVEN, SHARED)),
        Operation("GET", f"{AT}/[^/]+", {200: done(SHOWN), **REFUSED}),
        Operation("PATCH", f"{AT}/[^/]+", {200: done(SHOWN), **REFUSED}, record({}, {**GIVEN, **SHARED})),
        Operation("PUT", f"{AT}/[^/]+", {200: done(SHOWN), **REFUSED}, record(GIVEN, SHARED)),
        # Of a record that is deleted, only its id and nothing around it is described; around it is what all have.
        Operation("DELETE", f"{AT}/[^/]+", {200: done(record({"id": ID})), **REFUSED}),
    ],
)
