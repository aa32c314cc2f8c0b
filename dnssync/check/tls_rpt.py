"""SMTP TLS reporting (RFC 8460)."""

from __future__ import annotations

from dnssync.check.judging import Check

CHECKS: tuple[Check, ...] = ()
