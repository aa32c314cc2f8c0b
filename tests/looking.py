"""One zone, one selector, and how a test looks at them: what the tests of the resolver share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dnssync.core.sighting import Answer, Question, Sight, sight
from dnssync.resolver import Resolver
from tests.nameserver import FaultyServer

ZONE = "example.org"
NAME = f"s1._domainkey.{ZONE}"
KEY = "v=DKIM1; p=QUJD"
ASK = Question(NAME, "TXT", ZONE)


def serving(tmp_path: Path) -> Iterator[Callable[..., FaultyServer]]:
    """Starts servers that end with the test: `serve({zone: text}, **options)`; each file makes it its fixture."""
    running: list[FaultyServer] = []

    def start(zones: Mapping[str, str], **options: Any) -> FaultyServer:
        running.append(FaultyServer(tmp_path, zones, **options).__enter__())
        return running[-1]

    yield start
    for server in running:
        server.__exit__()


def record(text: str, owner: str = "s1._domainkey") -> str:
    """A TXT record as a line of a master file, in strings of at most 255 octets."""
    return f"{owner} TXT " + " ".join(f'"{text[i : i + 255]}"' for i in range(0, len(text), 255))


def resolver(*servers: FaultyServer, zone: str = ZONE, **options: Any) -> Resolver:
    """A resolver that asks these servers for the zone, and nobody for anything else."""
    return Resolver({zone: [server.where for server in servers]}, **{"timeout": 2.0, "system": [], **options})


def see(answer: Answer, wanted: str = KEY) -> Sight:
    """The sight of the wanted text, where any TXT at the name counts as ours."""
    return sight(answer, wanted, lambda text: True, str.__eq__)


def look(which: Resolver, question: Question = ASK) -> Answer:
    """The answer to one question."""
    return which.look([question])[question]
