"""One observation of a real exim, with the kernel's addresses and DNS as a test tells them, and what to ask of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

from dnssync.core.host import Host, MailDomain
from dnssync.exim.observe import observe
from tests.exim_host import EximHost

Lookup = Callable[[str, str], tuple[str, ...] | None]


def told(
    host: EximHost,
    *candidates: str,
    lookup: Lookup = lambda name, kind: (),
    v4: str | None = "192.0.2.1",
    v6: str | None = None,
    passing: frozenset[str] = frozenset(),
    run: Callable[..., Any] = subprocess.run,
    **more: Any,
) -> Host:
    """One observation, with the kernel's source addresses and DNS as told."""
    host.render()
    return observe(
        host.exim(run),
        candidates,
        lookup=lookup,
        source_address=lambda family: v6 if family == 6 else v4,
        passing_addresses=lambda: passing,
        **more,
    )


def mail(host: Host, name: str = "example.org") -> MailDomain:
    """One of its domains."""
    found = host.domain(name)
    assert found is not None, f"{name} is not among {[domain.name for domain in host.domains]}"
    return found


def ips(host: Host, name: str = "example.org") -> list[str]:
    """The addresses of one of its domains."""
    return [address.ip for address in mail(host, name).addresses]


def reasons(host: Host, name: str = "example.org") -> list[str]:
    """Why one of its domains is refused."""
    return [problem.reason for problem in mail(host, name).problems]
