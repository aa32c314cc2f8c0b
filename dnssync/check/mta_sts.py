"""MTA-STS (RFC 8461): record and policy."""

from __future__ import annotations

from dnssync.check.judging import Check

CHECKS: tuple[Check, ...] = ()
