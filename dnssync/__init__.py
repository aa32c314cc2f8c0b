"""Keeps SPF, DKIM and DMARC in DNS true to what exim does, and rotates the DKIM keys.

A run is a straight line, and `reconcile` is the only module that joins its two halves:

    observe → advance → desire → plan → guard → apply

* `core`: the decisions; pure (no I/O, no clock, no randomness, only the standard library)
* `exim`, `signing_map`, `keystore`, `state`, `resolver`, `zones`: the host and DNS, seen and written
* `config`, `errors`: what the administrator told, and what is told back
* `cli`: the commands, each loaded only when it is called; `demo`: the whole line on one machine

Providers live beside this package, in `dnssync_providers`.
"""

__version__ = "0.1.0"
