"""The name servers of the zones, wildcards, and TTLs while keys are changed."""

from __future__ import annotations

from dnssync.check.judging import Check

CHECKS: tuple[Check, ...] = ()
