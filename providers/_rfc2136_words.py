"""What the refusals of a name server mean, for a person: BIND and Knot say the same thing in different words."""

from __future__ import annotations


def hint(what: str, code: str, key: str) -> str:
    """What to look at after a refused `what`, `transfer` or `update`, by its rcode; `key` is the TSIG key's name, "" where none was sent."""
    name = key or "NAME"
    told = {
        ("transfer", "REFUSED"): f"Allow it there: allow-transfer {{ key {name}; }}; in the zone (BIND), or an acl with action transfer (Knot)",
        ("update", "REFUSED"): f"Allow it there: update-policy {{ grant {name} zonesub ANY; }}; in the zone (BIND), or "
                               "an acl with action update (Knot)",
        ("transfer", "NOTAUTH"): "It is not the server of that zone, or no acl with action transfer has the key (Knot). Look at `host:` and at "
                                 "the zone's name",
        ("update", "NOTAUTH"): "It is not the primary of that zone, or no acl with action update has the key (Knot). Look at `host:` and at "
                               "the zone's name",
        ("update", "NOTZONE"): "The zone's name in the configuration is not the zone's at that server",
        ("transfer", "SERVFAIL"): "It has the zone but cannot serve it: look at its log (a zone file that does not load?)",
        ("update", "SERVFAIL"): "It could not store the change: look at its log (may it write its journal?). Whether it was done is read again",
        ("update", "NOTIMP"): "It does not take dynamic updates",
        ("update", "FORMERR"): "It does not understand the update; please report it with the server's version",
    }.get((what, code), "Look at its log")  # fmt: skip
    return f"{told}." + ("" if key else " dnssync sent no TSIG key: set key_name and key_secret.")
