"""The name that exim greets with (RFC 5321 §4.1.1.1)."""

from __future__ import annotations

from dnssync.check.judging import Check

CHECKS: tuple[Check, ...] = ()
