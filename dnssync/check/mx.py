"""MX records (RFC 5321 §5.1, RFC 7505): where mail for a domain is to be sent."""

from __future__ import annotations

from dnssync.check.judging import Check

CHECKS: tuple[Check, ...] = ()
