"""Domains that never send nor receive mail (RFC 7505, RFC 7208 §10.1.2, RFC 9989)."""

from __future__ import annotations

from dnssync.check.judging import Check

CHECKS: tuple[Check, ...] = ()
