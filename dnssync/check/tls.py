"""STARTTLS at our own mail exchanges (RFC 3207, RFC 8996)."""

from __future__ import annotations

from dnssync.check.judging import Check

CHECKS: tuple[Check, ...] = ()
