"""exim's own set-up, as it really works."""

from __future__ import annotations

from dnssync.check.judging import Check

CHECKS: tuple[Check, ...] = ()
