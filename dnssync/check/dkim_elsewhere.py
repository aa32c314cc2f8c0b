"""Mail that this host cannot be seen to sign and that may be signed all the same: by somebody else, or for what only real mail has."""

from __future__ import annotations

import re

from dnssync.check.facts import Facts
from dnssync.core.host import Transport

SIGNING = ("dkim_domain", "dkim_selector", "dkim_private_key")
DECLARE = (
    "Where somebody else signs it (the relay, a filter), say so: `dkim: {algorithms: []}` for the zone in dnssync's "
    "configuration."
)
HOW = (
    "Send a message from a mail program to an address elsewhere, and look for DKIM-Signature there; `dnssync check --from-log` "
    "sees it too, with `+dkim_verbose` in exim's log_selector (4.98 and later)."
)
# What ACLs, routers, authentication and the connection leave with a message. A header that is not From: is like that, too.
_NAME = (
    r"acl_[cm]\w+|r_\w+|(?:sender_)?address_data|authenticated_\w+|sender_host_\w+|sender_fullhost|sender_ident|sender_helo_name|"
    r"interface_\w+|received_\w+|router_name|host|host_address|host_data|domain|domain_data|local_part\w*|(?:[rbl]?h|header)_(?!from:)[\w-]+:"
)
_VARIABLE = re.compile(rf"(?:\$(?=\w)|\$\{{(?=[\w-]+:?\}})|\bdef:)({_NAME})(?![\w-])", re.IGNORECASE)


def depends(transport: Transport) -> tuple[str, ...]:
    """The variables that a transport's signing depends on and that only real mail has, sorted. dnssync's own macros have an answer for a
    message of this host itself: of them, none."""
    if transport.uses_map:
        return ()
    texts = (transport.options.get(name, "") for name in SIGNING)
    return tuple(sorted({f"${found[1]}" for text in texts for found in _VARIABLE.finditer(text)}))


def elsewhere(facts: Facts, name: str) -> bool:
    """Whether the configuration wants no keys for the domain (`algorithms: []`): whoever signs its mail, it is not this host."""
    return any(domain.name == name and not domain.policy.dkim.algorithms for domain in facts.domains)


def left_alone(facts: Facts, name: str, transport: Transport) -> bool:
    """Whether nothing signs the domain's mail on the transport, and nothing is meant to."""
    return not transport.signers and not transport.problem and elsewhere(facts, name)
