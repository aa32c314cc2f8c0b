"""OVHcloud's DNS zones as OVHcloud's API describes itself: api.ovh.com/1.0/domain.json and its later part domain/zone.json, in a form of OVHcloud's own,
read in copies of 2023 (which say what must be there) and 2026 (which have the types of today and what a change may hold)."""

from __future__ import annotations

from tests.described import BOOLEAN, INTEGER, TEXT, Described, Operation, Schema, many, nullable, one_of, record

TYPES = (
    "A", "AAAA", "CAA", "CNAME", "DKIM", "DMARC", "DNAME", "HTTPS", "LOC", "MX", "NAPTR", "NS", "PTR", "RP", "SPF", "SRV", "SSHFP", "SVCB",
    "TLSA", "TXT",
)  # fmt: skip
RECORD = record(
    {"id": INTEGER, "zone": TEXT, "fieldType": one_of(*TYPES), "target": TEXT},
    {"subDomain": nullable(TEXT), "ttl": nullable(INTEGER)},
)
# What is sent: the id and the zone stand in the path; the type of a record is read-only.
NEW = record({"fieldType": one_of(*TYPES), "target": TEXT}, {"subDomain": nullable(TEXT), "ttl": INTEGER})
CHANGED = record({}, {"target": TEXT, "subDomain": nullable(TEXT), "ttl": nullable(INTEGER)})
STATUS = record({"isDeployed": BOOLEAN}, {"errors": nullable(many(TEXT)), "warnings": nullable(many(TEXT))})
# Errors are not described; this is what they are known to be.
ERROR = record({"message": TEXT}, {"errorCode": TEXT})
REFUSED: dict[int, Schema | None] = {4: ERROR, 5: ERROR}
# "void" comes as null, or as nothing at all.
VOID: dict[int, Schema | None] = {200: None, 204: None, **REFUSED}
ZONE = "/domain/zone/[^/]+"

DESCRIBED = Described(
    "api.ovh.com/1.0/domain/zone.json",
    [
        Operation("GET", "/auth/time", {200: INTEGER}),
        Operation("GET", "/domain/zone", {200: many(TEXT), **REFUSED}),
        Operation("GET", f"{ZONE}/record", {200: many(INTEGER), **REFUSED}),
        Operation("POST", f"{ZONE}/record", {200: RECORD, **REFUSED}, NEW),
        Operation("GET", rf"{ZONE}/record/\d+", {200: RECORD, **REFUSED}),
        Operation("PUT", rf"{ZONE}/record/\d+", VOID, CHANGED),
        Operation("DELETE", rf"{ZONE}/record/\d+", VOID),
        Operation("POST", f"{ZONE}/refresh", VOID),
        Operation("GET", f"{ZONE}/status", {200: STATUS, **REFUSED}),
    ],
)
