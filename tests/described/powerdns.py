"""PowerDNS' HTTP API as PowerDNS describes it: docs/http-api/openapi/authoritative-api-openapi.yaml of github.com/PowerDNS/pdns, version
0.0.19 at commit 13276547ad6ae6f3331d010b923b4525f402bcf4. A real server's answers are judged by this table, too (test_described.py)."""

from __future__ import annotations

from tests.described import BOOLEAN, INTEGER, TEXT, Described, Operation, many, one_of, record

# `modified_at` stands beside the fields there, not among them.
RECORD = record({"content": TEXT}, {"disabled": BOOLEAN, "modified_at": INTEGER})
COMMENT = record({}, {"content": TEXT, "account": TEXT, "modified_at": INTEGER})
SET = {"name": TEXT, "type": TEXT, "ttl": INTEGER}
RRSET = record({**SET, "records": many(RECORD)}, {"comments": many(COMMENT)})
# By the words of the fields: DELETE comes without records and comments, and EXTEND and PRUNE have one record. With DELETE, the schema wants
# a TTL and the words want none; both are taken.
NAMES = {"name": {"type": "string", "pattern": r"\.$"}, "type": TEXT}
CHANGE = {
    "oneOf": [
        record(
            {**NAMES, "ttl": INTEGER, "changetype": one_of("REPLACE"), "records": many(RECORD)},
            {"comments": many(COMMENT)},
        ),
        record(
            {**NAMES, "changetype": one_of("DELETE")},
            {"ttl": INTEGER, "records": many(RECORD, maxItems=0), "comments": many(COMMENT, maxItems=0)},
        ),
        record(
            {
                **NAMES,
                "ttl": INTEGER,
                "changetype": one_of("EXTEND", "PRUNE"),
                "records": many(RECORD, minItems=1, maxItems=1),
            },
            {"comments": many(COMMENT, maxItems=0), "write_unchanged": BOOLEAN},
        ),
    ]
}
ZONE = record(
    # No field is a must there; without these, an answer would say nothing.
    {"name": TEXT, "kind": one_of("Native", "Master", "Slave", "Producer", "Consumer"), "rrsets": many(RRSET)},
    {
        "id": TEXT, "type": TEXT, "url": TEXT, "record_count": INTEGER, "serial": INTEGER, "notified_serial": INTEGER,
        "edited_serial": INTEGER, "masters": many(TEXT), "dnssec": BOOLEAN, "nsec3param": TEXT, "nsec3narrow": BOOLEAN, "presigned": BOOLEAN,
        "soa_edit": TEXT, "soa_edit_api": TEXT, "api_rectify": BOOLEAN, "zone": TEXT, "catalog": TEXT, "account": TEXT,
        "master_tsig_key_ids": many(TEXT), "slave_tsig_key_ids": many(TEXT), "last_check": INTEGER,
    },
)  # fmt: skip
ERROR = record({"error": TEXT}, {"errors": many(TEXT)})
AT = "/servers/[^/]+/zones/[^/]+"

DESCRIBED = Described(
    "PowerDNS/pdns, docs/http-api/openapi/authoritative-api-openapi.yaml 0.0.19",
    [
        Operation("GET", AT, {200: ZONE, 4: ERROR, 5: ERROR}),
        Operation("PATCH", AT, {204: None, 4: ERROR, 5: ERROR}, record({"rrsets": many(CHANGE)})),
    ],
    # What the web server itself refuses comes as plain text, of which the description does not speak.
    {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed"},
)
