"""The addresses of this host's full name, and those that its mail leaves from."""

from __future__ import annotations

from dnssync.check.judging import Check

CHECKS: tuple[Check, ...] = ()
