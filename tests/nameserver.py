"""The demo's name server with faults on demand and a log of what it was asked, for the tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from dnssync.demo.nameserver import NameServer

HEAD = "$TTL 3600\n@ 7200 IN SOA ns1 hostmaster 1 3600 600 604800 300\n"
NS = "@ NS ns1\n"


class Fault(StrEnum):
    """How a server may go wrong."""

    SERVFAIL = "servfail"
    REFUSED = "refused"
    NOTAUTH = "notauth"
    NXDOMAIN = "nxdomain"  # without a word of truth in it
    DROP = "drop"
    DROP_FIRST = "drop_first"  # the first datagram of each question is lost
    LAME = "lame"  # AA=0
    NO_EDNS = "no_edns"  # FORMERR for every query with EDNS
    TRUNCATE = "truncate"  # TC over UDP whatever the size
    TRUNCATE_NO_TCP = "truncate_no_tcp"  # and nothing behind it
    LATE = "late"  # answers after `FaultyServer.late` seconds


class Asked(NamedTuple):
    """One query as it arrived."""

    name: str
    type: str
    tcp: bool
    recursive: bool


class FaultyServer(NameServer):
    """Serves zones given as master-file text (a SOA is added, and an NS where none is given); `faults` by owner name, or `"*"` for all names.

    `log` holds every query in order of arrival. Zones and faults may be changed while it runs.
    """

    def __init__(
        self,
        folder: Path,
        zones: Mapping[str, str],
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        faults: Mapping[str, Fault] | None = None,
        late: float = 0.0,
    ) -> None:
        self._files = folder / f"{address.replace(':', '_')}-{id(self)}"
        self._files.mkdir()
        for zone, text in zones.items():
            self.write(zone, text)
        super().__init__({zone: self._file(zone) for zone in zones}, address=address, port=port)
        self.faults: dict[str, Fault] = dict(faults or {})
        self.late = late
        self.log: list[Asked] = []
        self._log_lock = threading.Lock()
        self._seen: set[Asked] = set()

    def __enter__(self) -> FaultyServer:
        super().__enter__()
        return self

    def write(self, zone: str, text: str) -> None:
        """Put another text into a zone's file."""
        new = self._file(zone).with_suffix(".new")
        new.write_text(HEAD + ("" if text.startswith("@ NS ") else NS) + text + "\n")
        new.replace(self._file(zone))

    def asked(self, name: str) -> list[Asked]:
        """The queries for one name."""
        return [query for query in self.log if query.name == name]

    def _file(self, zone: str) -> Path:
        return self._files / f"{zone or 'root'}.zone"

    def respond(self, query: dns.message.Message, tcp: bool) -> dns.message.Message | None:
        """The demo server's answer, or the fault in its place."""
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        entry = Asked(name, dns.rdatatype.to_text(question.rdtype), tcp, bool(query.flags & dns.flags.RD))
        with self._log_lock:
            first = entry not in self._seen
            self._seen.add(entry)
            self.log.append(entry)
        fault = self.faults.get(name, self.faults.get("*"))
        response = super().respond(query, tcp)
        assert response is not None
        match fault:
            case Fault.DROP:
                return None
            case Fault.DROP_FIRST if first:
                return None
            case Fault.SERVFAIL | Fault.REFUSED | Fault.NOTAUTH | Fault.NXDOMAIN:
                response = dns.message.make_response(query)
                response.set_rcode(dns.rcode.from_text(fault.upper()))
                response.flags |= dns.flags.AA if fault is Fault.NXDOMAIN else 0
            case Fault.NO_EDNS if query.edns >= 0:
                query.use_edns(False)
                response = dns.message.make_response(query)
                response.set_rcode(dns.rcode.FORMERR)
            case Fault.LAME:
                response.flags &= ~dns.flags.AA
            case Fault.TRUNCATE | Fault.TRUNCATE_NO_TCP if not tcp:
                response = dns.message.make_response(query)
                response.flags |= dns.flags.TC | dns.flags.AA
            case Fault.TRUNCATE_NO_TCP:
                return None  # the connection is closed
            case Fault.LATE:
                time.sleep(self.late)
        return response
