"""DKIM (RFC 6376, RFC 8301, RFC 8463): what exim signs, and whether receivers can verify it."""

from __future__ import annotations

from dnssync.check.judging import Check

CHECKS: tuple[Check, ...] = ()
