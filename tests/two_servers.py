"""A mail host whose zone is on two real name servers, of which the second lags, and mail that leaves all the time.

    with two_servers(folder) as site:
        site.live(lambda: site.now > site.began + 90 * DAY)     # passes, each when the one before asked for it

Every message is looked at as it arrives: two signatures, of keys whose records had stood on both servers for a whole season,
and each verifies against what each server says. It is kept, and verified again in the last second before its keys may be revoked.
"""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dkim

from dnssync import assemble
from dnssync.core.durations import DAY, HOUR, MINUTE
from dnssync.core.model import KeyPair, Phase
from dnssync.core.rotation import Policy, phase
from dnssync.state import State
from tests.bind import Bind, Secondary
from tests.exim_host import EximHost
from tests.site_under_test import DOMAIN, ZONE, Site

LETTER = f"From: Someone <a@{DOMAIN}>\nTo: b@dest.test\nSubject: letter {{}}\nDate: Tue, 24 Nov 2026 08:20:00 +0000\nMessage-ID: <{{}}@{DOMAIN}>\n\nHello.\n"
BOTH = {"rsa-sha256", "ed25519-sha256"}
SEASON = HOUR + 10 * MINUTE
BATCH = 10  # exim delivers that many messages of a connection at once, and queues the rest
POLICY = Policy(lifetime=90 * DAY)


@dataclass(frozen=True)
class Letter:
    """A message as it arrived: when it was sent by the test's clock, and the selector of each signature, in their order."""

    data: bytes
    sent: int
    selectors: tuple[str, ...]

    def verifies(self, selector: str, records: Mapping[str, str]) -> bool:
        """Whether the signature of a selector is good, by dkimpy, for a receiver who finds these records."""

        def txt(name: bytes, timeout: int = 5) -> bytes | None:
            text = records.get(name.decode().split("._domainkey.")[0])
            return None if text is None else text.encode()

        return bool(dkim.DKIM(self.data).verify(idx=self.selectors.index(selector), dnsfunc=txt))


class TwoServers(Site):
    """The site; `lag`: by how many seconds of the test's clock the secondary is behind."""

    def __init__(self, folder: Path, exim: EximHost, bind: Bind, secondary: Secondary) -> None:
        self.secondary, self.servers = secondary, (bind, secondary)
        super().__init__(folder, exim, bind)
        self.lag = 90
        self.batches = 1  # while a command runs
        self.letters: list[Letter] = []
        self.sent = 0
        self.wake: int | None = None
        self.passes: list[int] = []  # their exit codes
        self.kept_promise: set[str] = set()  # selectors whose mail verified in the last second of their overlap
        self._serial = bind.serial(DOMAIN)  # the primary's
        self._behind: float | None = None  # since when the secondary is
        self._stood: dict[tuple[int, str], tuple[str, float]] = {}  # (server, selector) → text, since when
        self._stand()

    def write(self, zone: str = "") -> None:
        """The configuration; both servers are named."""
        more = json.loads(zone or "{}")
        super().write(
            json.dumps({"nameservers": [each.server for each in self.servers], "dkim": {"lifetime": "90d"}, **more})
        )

    # --- keys and records -------------------------------------------------------------------------------------------

    def keys(self) -> tuple[KeyPair, ...]:
        """Every key there ever was."""
        state = State.open(f"sqlite:///{self.folder}/state/state.db", host=platform.node(), read_only=True)
        return state.keys()

    def phases(self, kind: str = "") -> dict[str, Phase]:
        """Where each key stands, of one kind or of both."""
        return {k.selector: phase(k, POLICY, int(self.now)) for k in self.keys() if kind in ("", k.kind)}

    def at(self, wanted: Phase, kind: str) -> tuple[str, ...]:
        """The selectors of a kind in one phase."""
        return tuple(selector for selector, found in self.phases(kind).items() if found is wanted)

    def steady(self) -> bool:
        """Whether of each kind one key signs and one stands by, and every other one is gone with its private half."""
        return all(
            sorted(at for at in self.phases(kind).values() if at is not Phase.REMOVED) == [Phase.ACTIVE, Phase.READY]
            for kind in ("rsa", "ed25519")
        ) and all(key.purged is not None for key in self.keys() if key.removed is not None)

    def _stand(self) -> None:
        """Note what each server shows, and since when without a gap."""
        for number, server in enumerate(self.servers):
            if not server.running:
                continue
            shown = server.selectors(DOMAIN)
            for at in [at for at in self._stood if at[0] == number and at[1] not in shown]:
                del self._stood[at]
            for selector, text in shown.items():
                if self._stood.get((number, selector), ("", 0.0))[0] != text:
                    self._stood[(number, selector)] = (text, self.now)

    # --- mail -------------------------------------------------------------------------------------------------------

    def post(self, batches: int = 1, *, doomed: Mapping[str, str] | None = None) -> list[Letter]:
        """Send mail through exim and look at it as it arrives. `doomed`: records of keys that may be revoked any
        moment, in an emergency; mail that they still signed is held against these."""
        arrived = []
        for _ in range(batches):
            before = len(self.exim.sink.messages)
            names = range(self.sent, self.sent + BATCH)
            text = "".join(
                f"MAIL FROM:<a@{DOMAIN}>\nRCPT TO:<b@dest.test>\nDATA\n{LETTER.format(n, n)}.\n" for n in names
            )
            done = subprocess.run(
                [*self.exim.command, "-bS", "-odi"], input=text.encode(), capture_output=True, timeout=60
            )
            assert done.returncode == 0, done.stderr.decode()
            received = self.exim.sink.messages[before:]
            assert len(received) == BATCH, self.exim.log()
            self.sent += BATCH
            letters = [self._opened(message.data) for message in received]
            self._check(letters, doomed or {})
            arrived += letters
        self.letters += arrived
        return arrived

    def _opened(self, data: bytes) -> Letter:
        """A message with its signatures' selectors; each must be there, for the domain."""
        message = dkim.DKIM(data)
        found = [
            dkim.util.parse_tag_value(value) for name, value in message.headers if name.lower() == b"dkim-signature"
        ]
        assert {fields[b"a"].decode() for fields in found} == BOTH and len(found) == 2, data.decode()
        assert {fields[b"d"].decode() for fields in found} == {DOMAIN}
        return Letter(data, int(self.now), tuple(fields[b"s"].decode() for fields in found))

    def _check(self, letters: Sequence[Letter], doomed: Mapping[str, str]) -> None:
        """As a receiver does, at each server; and by the world's own truth: the records had stood for a whole season."""
        for number, server in enumerate(self.servers):
            records = dict(doomed)
            for selector in {selector for letter in letters for selector in letter.selectors} - set(doomed):
                text, since = self._stood.get((number, selector), ("", self.now))
                assert self.now - since >= SEASON, f"{selector} stands for {self.now - since} s only"
                [records[selector]] = server.texts(f"{selector}._domainkey.{DOMAIN}") if server.running else [text]
            for letter in letters:
                assert all(letter.verifies(selector, records) for selector in letter.selectors), letter

    def promise(self, selector: str) -> None:
        """Every message that a key signed verifies now, at every server that answers."""
        mine = [letter for letter in self.letters if selector in letter.selectors]
        for server in self.servers:
            records = server.selectors(DOMAIN) if server.running else {}
            assert not server.running or all(letter.verifies(selector, records) for letter in mine), selector
        self.kept_promise.add(selector)

    # --- time -------------------------------------------------------------------------------------------------------

    def act(self, *args: str, codes: tuple[int, ...] = (0,), doomed: Mapping[str, str] | None = None) -> str:
        """A command, while mail leaves; afterwards some more. Returns what it printed."""
        signing = bool(self.exim.map.exists() and DOMAIN in self.exim.map.read_text())
        with ThreadPoolExecutor(1) as pool:
            mail = pool.submit(self.post, self.batches, doomed=doomed) if signing else None
            code, out = self.run(*args, make_line=self._line)
            if mail is not None:
                mail.result()
        assert code in codes, out
        self.passes.append(code)
        self._stand()
        if self.bind.running and (serial := self.bind.serial(DOMAIN)) != self._serial:
            self._behind, self._serial = self.now, serial
        return out

    def _line(self, config: Any, **options: Any) -> Any:
        line = assemble.line(config, **options)
        real = line.plan

        def plan(*args: Any, **named: Any) -> Any:
            seen, got = real(*args, **named)
            wakes = [step.wake for step in got.steps.values() if step.wake is not None]
            self.wake = min(wakes, default=None)
            return seen, got

        line.plan = plan
        return line

    def go(self, to: float) -> None:
        """Let the time pass: the secondary follows in its own time, and no promise is forgotten."""
        while True:
            ends = {
                key.retired + key.overlap - 1: key.selector
                for key in self.keys()
                if key.retired is not None and key.revoked is None and key.compromised is None
                and key.selector not in self.kept_promise
                and any(key.selector in letter.selectors for letter in self.letters)
            }  # fmt: skip
            end = min(ends, default=to + 1)
            follow = to + 1 if self._behind is None or not self.bind.running else self._behind + self.lag
            self.now = max(self.now, min(to, end, follow))
            if follow <= min(to, end):
                self.secondary.follow(DOMAIN)
                self._behind = None
                self._stand()
            elif end <= to:
                self.act("apply", "--yes", codes=(0, 1))  # a pass in that very second revokes nothing
                self.promise(ends[end])
            else:
                return

    def live(self, over: Callable[[], bool], *, codes: tuple[int, ...] = (0,), longest: int = DAY * 400) -> None:
        """Passes, each when the one before asked for it, until it is over."""
        end = self.now + longest
        while not over():
            assert self.now < end, f"it does not come to its end: {self.phases()}"
            self.act("apply", "--yes", codes=codes)
            self.go(max(self.wake or 0, self.now + 1))

    def keep_all_promises(self) -> None:
        """Whatever was signed by a key that still stands verifies at the end too."""
        for key in self.keys():
            if key.retired is None and key.activated is not None:
                self.promise(key.selector)
        signed = {selector for letter in self.letters for selector in letter.selectors}
        compromised = {key.selector for key in self.keys() if key.compromised is not None}
        assert signed - compromised <= self.kept_promise
        assert len(self.letters) == self.sent == len(self.exim.sink.messages)


@contextmanager
def two_servers(folder: Path) -> Iterator[TwoServers]:
    """Everything running: exim told of dnssync's macros, a primary that takes updates, a secondary."""
    with (
        EximHost(hostnames=(DOMAIN,)) as exim,
        Bind(folder / "bind", {DOMAIN: ZONE + f"@ 3600 IN NS ns2.{DOMAIN}.\nns2 3600 IN A 127.0.0.1\n"}) as bind,
        Secondary(folder / "second", bind) as secondary,
    ):
        exim.switched()
        yield TwoServers(folder, exim, bind, secondary)
