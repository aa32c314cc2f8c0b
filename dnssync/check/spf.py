"""SPF (RFC 7208): the record, and what a receiver makes of it for each address that mail leaves from."""

from __future__ import annotations

from dnssync.check.judging import Check

CHECKS: tuple[Check, ...] = ()
