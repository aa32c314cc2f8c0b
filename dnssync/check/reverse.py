"""Reverse DNS of the addresses that mail leaves from (RFC 1912 §2.1)."""

from __future__ import annotations

from dnssync.check.judging import Check

CHECKS: tuple[Check, ...] = ()
