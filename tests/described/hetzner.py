"""Hetzner Cloud's DNS as Hetzner describes it: docs.hetzner.cloud/cloud.spec.json, as github.com/MaximilianKoestler/hcloud-openapi keeps a
copy of it by machine (openapi/hcloud.json at commit 019800995536a4835402fd8390c494169db2a689)."""

from __future__ import annotations

from tests.described import BOOLEAN, INTEGER, TEXT, TIME, Described, Operation, Schema, many, nullable, one_of, record

ID = {"type": "integer", "minimum": 1, "maximum": 9007199254740991}
TTL = {"type": "integer", "minimum": 60, "maximum": 2147483647}
LABELS = {"type": "object", "additionalProperties": TEXT}
TYPES = (
    "A",
    "AAAA",
    "CAA",
    "CNAME",
    "DS",
    "HINFO",
    "HTTPS",
    "MX",
    "NS",
    "PTR",
    "RP",
    "SOA",
    "SRV",
    "SVCB",
    "TLSA",
    "TXT",
)
RECORD = record({"value": TEXT}, {"comment": TEXT})
RRSET = record(
    {"id": TEXT, "name": TEXT, "type": one_of(*TYPES), "ttl": nullable(TTL), "labels": LABELS, "zone": ID,
     "protection": record({"change": BOOLEAN}), "records": many(RECORD)}
)  # fmt: skip
NEW = record({"name": TEXT, "type": one_of(*TYPES), "records": many(RECORD)}, {"ttl": nullable(TTL), "labels": LABELS})
RECORDS = many(RECORD, minItems=1, maxItems=50)

NUMBERED = record({"page": INTEGER, "per_page": INTEGER, "previous_page": nullable(INTEGER), "next_page": nullable(INTEGER),
                   "last_page": nullable(INTEGER), "total_entries": nullable(INTEGER)})  # fmt: skip
META = record({"pagination": NUMBERED})
NAMESERVER = record(
    {"address": TEXT},
    {"port": INTEGER, "tsig_algorithm": one_of("hmac-md5", "hmac-sha1", "hmac-sha256"), "tsig_key": TEXT},
)
ZONE = record(
    {
        "id": ID, "name": {"type": "string", "maxLength": 255}, "ttl": TTL, "mode": one_of("primary", "secondary"), "created": TIME,
        "status": one_of("error", "ok", "updating"), "labels": LABELS, "protection": record({"delete": BOOLEAN}), "record_count": INTEGER,
        "registrar": one_of("hetzner", "other", "unknown"),
        "authoritative_nameservers": record(
            {"assigned": many(TEXT), "delegated": many(TEXT), "delegation_last_check": nullable(TIME)},
            {"delegation_status": one_of("invalid", "lame", "partially-valid", "unknown", "unregistered", "valid")},
        ),
    },
    {"primary_nameservers": many(NAMESERVER)},
)  # fmt: skip
ACTION = record(
    {"id": ID, "command": TEXT, "status": one_of("error", "running", "success"), "progress": INTEGER, "started": TIME,
     "finished": nullable(TIME), "resources": many(record({"id": ID, "type": TEXT})),
     "error": nullable(record({"code": TEXT, "message": TEXT}))}
)  # fmt: skip
# What `details` holds is not the same for all errors.
ERROR = record({"error": record({"code": TEXT, "message": TEXT}, {"details": nullable({"type": "object"})})})
REFUSED: dict[int, Schema | None] = {4: ERROR, 5: ERROR}
BEGUN: dict[int, Schema | None] = {201: record({"action": ACTION}), **REFUSED}
AT = "/zones/[^/]+/rrsets"
ONE = f"{AT}/[^/]+/[^/]+"

DESCRIBED = Described(
    "docs.hetzner.cloud/cloud.spec.json",
    [
        Operation("GET", "/zones", {200: record({"zones": many(ZONE), "meta": META}), **REFUSED}),
        Operation("GET", r"(/zones)?/actions/\d+", {200: record({"action": ACTION}), **REFUSED}),
        Operation("GET", "/zones/[^/]+", {200: record({"zone": ZONE}), **REFUSED}),
        Operation("GET", AT, {200: record({"rrsets": many(RRSET), "meta": META}), **REFUSED}),
        Operation("POST", AT, {201: record({"rrset": RRSET, "action": ACTION}), **REFUSED}, NEW),
        Operation("GET", ONE, {200: record({"rrset": RRSET}), **REFUSED}),
        Operation("DELETE", ONE, BEGUN),
        Operation("POST", f"{ONE}/actions/add_records", BEGUN, record({"records": RECORDS}, {"ttl": nullable(TTL)})),
        Operation("POST", f"{ONE}/actions/(remove|set)_records", BEGUN, record({"records": RECORDS})),
        Operation("POST", f"{ONE}/actions/change_ttl", BEGUN, record({"ttl": nullable(TTL)})),
    ],
)
