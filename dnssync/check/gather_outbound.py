"""Connections to port 25 of others: the greeting is read and QUIT said; no mail is sent, and no name told."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from dnssync.check.blocklist import Called, Outbound
from dnssync.check.gather import Sources

PATIENCE = 10.0  # seconds for the connection, and as many for the greeting; who is slower than that tells nothing about a firewall
LONGEST = 2048  # octets of greeting that are read at most
WORKERS = 8


def fetch(wishes: Sequence[Outbound], sources: Sources, *, patience: float = PATIENCE) -> Mapping[Outbound, Called]:
    """What came of each connection, all of them at a time; a failure is an outcome."""
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="port25") as pool:
        return dict(zip(wishes, pool.map(partial(_call, sources, patience), wishes), strict=True))


def _call(sources: Sources, patience: float, wish: Outbound) -> Called:
    try:
        with sources.connect(wish.address, 25, patience) as sock:
            end, got = time.monotonic() + patience, b""
            while b"\n" not in got and len(got) < LONGEST:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                sock.settimeout(left)
                part = sock.recv(LONGEST)
                if not part:
                    return Called(failure="the connection was closed without a greeting")
                got += part
            with contextlib.suppress(OSError):
                sock.sendall(b"QUIT\r\n")
    except TimeoutError:
        return Called(failure=f"no answer within {patience:g} seconds")
    except OSError as error:
        return Called(failure=(error.strerror or str(error) or type(error).__name__).lower())
    line = got.partition(b"\n")[0].decode("utf-8", "replace").strip()
    return (
        Called(greeting=line)
        if line[:3].isdigit()
        else Called(failure=f"what answered is no mail server: {line[:60]!r}")
    )
