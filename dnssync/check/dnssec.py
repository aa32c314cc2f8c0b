"""DNSSEC (RFC 9364): zones, mail exchanges, and this host's resolver."""

from __future__ import annotations

from dnssync.check.judging import Check

CHECKS: tuple[Check, ...] = ()
