"""DMARC (RFC 9989; RFC 9990 for reports; where readers of RFC 7489 differ, that is told)."""

from __future__ import annotations

from dnssync.check.judging import Check

CHECKS: tuple[Check, ...] = ()
