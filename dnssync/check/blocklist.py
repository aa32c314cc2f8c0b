"""What is asked of third parties, where a person says so: block lists, and whether port 25 is open outward."""

from __future__ import annotations

from dnssync.check.judging import Check

CHECKS: tuple[Check, ...] = ()
