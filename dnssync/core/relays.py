"""Which SPF term authorises mail that leaves through a well-known relay; data, by the relay's host name.

A relay that is not listed is asked about, never guessed: `a:smarthost` is right only for a relay with one address.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

INCLUDES: tuple[tuple[str, str], ...] = (
    ("smtp.gmail.com", "_spf.google.com"),
    ("smtp-relay.gmail.com", "_spf.google.com"),
    ("*.office365.com", "spf.protection.outlook.com"),
    ("*.outlook.com", "spf.protection.outlook.com"),
    ("email-smtp.*.amazonaws.com", "amazonses.com"),
    ("smtp.sendgrid.net", "sendgrid.net"),
    ("smtp.mailgun.org", "mailgun.org"),
    ("in*.mailjet.com", "spf.mailjet.com"),
    ("mail.gandi.net", "_mailcust.gandi.net"),
    ("smtp.fastmail.com", "spf.messagingengine.com"),
    ("ssl0.ovh.net", "mx.ovh.com"),
    ("smtp.postmarkapp.com", "spf.mtasv.net"),
    ("smtp-relay.brevo.com", "spf.brevo.com"),
)


def include_for(host: str) -> str | None:
    """The name to include for a relay, None where the relay is not known."""
    name = host.lower().rstrip(".")
    return next((include for pattern, include in INCLUDES if fnmatchcase(name, pattern)), None)
