"""The one door to the exim binary: every question is asked of exim, in as few processes as can be.

Nothing here needs root: `-bP`, `-be`, `-bem` and `-bV` answer anyone who may read the configuration; `-bP macro` wants
an administrator (root, or the group Debian-exim) and is answered with None where that is refused. exim caches its
look-ups within one process, so each reading starts a new one.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dnssync.errors import EximError

TIMEOUT = 120  # seconds for one process; ten thousand expansions take two
_LINE = 1000  # exim reads -be's standard input in lines of at most 4 kB; longer ones are continued with a backslash
_MARK = "dnssync-mark-"
_GUARD = "="  # before every text: a line that begins with a capital or with `set` defines a macro or a variable in -be
_BLOCK = re.compile(r"^\n(\S+) (transport|router):\n", re.MULTILINE)
_OPTION = re.compile(r"(?:(no_)?([a-z0-9_]+)|([a-z0-9_]+) = ?(.*))")
# lines by which exim tells of a fault on standard error, after its own log prefix has been taken off
_NOISE = re.compile(r"^(LOG: .*|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d .*lost privilege.*)$")


@dataclass(frozen=True, slots=True)
class Expansion:
    """What exim made of one string: `text`, or `error` (exim's own words) where the expansion failed.

    `forced` marks a failure that the configuration asked for (`fail`): for exim that is "not set", not a fault.
    """

    text: str = ""
    error: str = ""

    @property
    def forced(self) -> bool:
        """Whether the configuration itself said `fail`."""
        return '"fail" requested' in self.error

    @property
    def true(self) -> bool:
        """How exim reads it as a condition: empty, `0`, `no` and `false` are false, and so is a failure."""
        return not self.error and self.text.strip().lower() not in ("", "0", "no", "false")


_T = TypeVar("_T")
# What asks in rounds: it yields texts, is sent what exim made of them, and returns what it has learned.
Asking = Generator[Iterable[str], Mapping[str, Expansion], _T]


class Exim:
    """One exim, named by the command that starts it (`/usr/sbin/exim4`, perhaps with `-C FILE`)."""

    def __init__(
        self, command: Sequence[str], *, run: Callable[..., Any] = subprocess.run, timeout: float = TIMEOUT
    ) -> None:
        self.command = tuple(command)
        self._run = run
        self._timeout = timeout

    def with_config(self, file: Path | str) -> Exim:
        """The same binary with another configuration file (an absolute path)."""
        return Exim((self.command[0], "-C", str(file)), run=self._run, timeout=self._timeout)

    def _start(self, *arguments: str, text: str = "", broken_ok: bool = False) -> subprocess.CompletedProcess[str]:
        argv = [*self.command, *arguments]
        try:
            done: subprocess.CompletedProcess[str] = self._run(
                argv,
                input=text,
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                timeout=self._timeout,
            )
        except FileNotFoundError:
            raise EximError(
                f"exim is not here: {self.command[0]} does not exist. Install exim4, or name the binary under "
                "`exim: command:` in the configuration."
            ) from None
        except PermissionError:
            raise EximError(
                f"exim cannot be started: {self.command[0]}: permission denied. Run dnssync as root or as its own "
                "user with the group Debian-exim."
            ) from None
        except subprocess.TimeoutExpired:
            raise EximError(
                f"exim did not answer `{' '.join(arguments)}` within {self._timeout:g} seconds. A look-up in its "
                "configuration (a database, LDAP, DNS) may hang; try the same command by hand."
            ) from None
        said = _fault(done.stderr)
        if done.returncode != 0 and not broken_ok:
            if "permission denied" in said.lower():
                raise EximError(
                    f"exim refuses `{' '.join(arguments)}`: {said}. Run dnssync as root, or give its user the group "
                    "Debian-exim."
                )
            raise EximError(
                f"exim cannot use its configuration: {said or 'it gave no reason'}. Nothing can be learned from a "
                f"broken exim; mend it until `{' '.join(self.command)} -bV` succeeds."
            )
        return done

    def version(self) -> tuple[str, str]:
        """The release (`4.96`) and the configuration file in use; raises `EximError` where the file is broken."""
        out = self._start("-bV").stdout
        release = re.search(r"^Exim version (\S+)", out, re.MULTILINE)
        file = re.search(r"^Configuration file is (.+)$", out, re.MULTILINE)
        if not release or not file:
            raise EximError(
                f"`{' '.join(self.command)} -bV` answers with something else than exim's version: is it exim?"
            )
        return release[1], file[1]

    def built(self) -> frozenset[str]:
        """What this exim was built with, in its own words (`SPF`, `DKIM`, …)."""
        support = re.search(r"^Support for: (.*)$", self._start("-bV").stdout, re.MULTILINE)
        return frozenset(support[1].split() if support else ())

    def options(self, *names: str) -> dict[str, str]:
        """Main options as exim has them, unexpanded; a boolean is `yes` or `no`, an unset one empty."""
        return _options(self._start("-bP", *names).stdout)

    def listing(self, kind: str) -> tuple[str, ...]:
        """The names of all routers (`router_list`) or transports (`transport_list`), in exim's order."""
        return tuple(self._start("-bP", kind).stdout.split())

    def block(self, kind: str, name: str) -> dict[str, str]:
        """All options of one `router` or `transport`, unexpanded."""
        return _options(self._start("-bP", kind, name).stdout)

    def overview(self, *names: str) -> tuple[dict[str, str], dict[str, dict[str, str]], dict[str, dict[str, str]]]:
        """Main options, and every transport and every router with all of its options, in exim's order, unexpanded: in one process."""
        main, *blocks = _BLOCK.split(self._start("-bP", *names, "transports", "routers").stdout)
        found: dict[str, dict[str, dict[str, str]]] = {"transport": {}, "router": {}}
        for name, kind, text in zip(blocks[0::3], blocks[1::3], blocks[2::3], strict=True):
            found[kind][name] = _options(text)
        return _options(main), found["transport"], found["router"]

    def config(self) -> str:
        """The whole configuration as exim parsed it, macros expanded, hidden options masked."""
        return self._start("-bP", "config").stdout

    def macro(self, name: str) -> str | None:
        """The text of a macro; None where it is not defined or exim does not tell (that needs the group)."""
        done = self._start("-n", "-bP", "macro", name, broken_ok=True)
        return done.stdout.strip() if done.returncode == 0 else None

    def expand(self, texts: Iterable[str]) -> Mapping[str, Expansion]:
        """Expand many strings in one process (`-be`); the result is keyed by the string as it was given.

        A question may hold any text up to exim's buffer (16 kB; a longer one is answered with an error). Each is fenced
        by a mark, so an answer of several lines, or none, cannot shift the answers that follow it.
        """
        asked = tuple(dict.fromkeys(texts))
        if not asked:
            return {}
        lines = []
        for number, text in enumerate(asked):
            lines += [_stdin(text), f"{_MARK}{number}"]
        out = self._start("-be", text="\n".join(lines) + "\n").stdout
        answers = re.split(rf"^> {_MARK}\d+\n", out, flags=re.MULTILINE)
        if len(answers) != len(asked) + 1:
            raise EximError(
                f"exim answered {len(answers) - 1} of {len(asked)} expansions and stopped. Its log says why; "
                f"`{' '.join(self.command)} -be` by hand shows it too."
            )
        return {text: _expansion(answer) for text, answer in zip(asked, answers, strict=False)}

    def ask(self, asking: Asking[_T]) -> _T:
        """Run what asks in rounds, a process a round; returns what it returns."""
        answers: Mapping[str, Expansion] | None = None
        while True:
            try:
                texts = next(asking) if answers is None else asking.send(answers)
            except StopIteration as end:
                result: _T = end.value
                return result
            answers = self.expand(texts)

    def tainted(self, text: str, sender: str) -> bool:
        """Whether the expansion depends on the message so that exim will not use it in a file name (≥ 4.94).

        Asked with a message of `sender` and a file that cannot exist; exim complains of the taint before it looks.
        """
        with tempfile.TemporaryDirectory(prefix="dnssync-") as folder:
            Path(folder).chmod(0o755)
            message = Path(folder, "message")
            message.write_text(f"From: {sender}\n\n\n", encoding="utf-8")
            message.chmod(0o644)
            probe = _stdin(f"${{readfile{{/nonexistent/dnssync/{text}}}}}")  # arguments may not be long, lines may
            done = self._start("-f", sender, "-bem", str(message), text=probe + "\n", broken_ok=True)
        return "tainted" in (done.stdout + done.stderr).lower()

    def verifies(self, addresses: Iterable[str]) -> frozenset[str]:
        """Those of the recipient addresses that exim's routers accept (`-bv`), in one process.

        An address that exim cannot judge now (a look-up that defers) is not among them.
        """
        return frozenset(address for address, taken in self.verdicts(addresses).items() if taken)

    def verdicts(self, addresses: Iterable[str]) -> Mapping[str, bool | None]:
        """Whether exim's routers accept each of the recipient addresses (`-bv`), in one process; None where exim cannot judge it now."""
        asked = tuple(dict.fromkeys(addresses))
        if not asked:
            return {}
        out = self._start("-bv", text="\n".join(asked) + "\n", broken_ok=True).stdout
        told = re.finditer(r"^(?:> ?)*(\S+) (verified|failed to verify)\b", out, re.MULTILINE)
        found = {match[1].lower(): match[2] == "verified" for match in told}
        return {address: found.get(address.lower()) for address in asked}

    def session(self, address: str, commands: Sequence[str]) -> tuple[tuple[int, str], ...]:
        """exim's replies (code, text) to an SMTP session from a host of that address (`-bh`), its greeting first: without network,
        nothing is delivered. Fewer than commands + 1 where it ended the session before."""
        text = "\r\n".join([*commands, "QUIT", ""])
        found: list[tuple[int, str]] = []
        texts: list[str] = []
        for line in self._start("-bh", address, text=text, broken_ok=True).stdout.splitlines():
            match = re.match(r"(\d{3})([ -]|$)(.*)", line.rstrip("\r"))
            if match:
                texts.append(match[3])
                if match[2] != "-":
                    found.append((int(match[1]), "\n".join(texts)))
                    texts = []
        return tuple(found)


def together(*asking: Asking[Any]) -> Asking[list[Any]]:
    """What asks for several in the same rounds, since they do not depend on each other; gives what each of them returns."""
    done: list[Any] = [None] * len(asking)
    answers: dict[int, Mapping[str, Expansion] | None] = dict.fromkeys(range(len(asking)))
    while True:
        texts: list[str] = []
        for at, got in tuple(answers.items()):
            try:
                texts.extend(next(asking[at]) if got is None else asking[at].send(got))
            except StopIteration as end:
                done[at] = end.value
                del answers[at]
        if not answers:
            return done
        told = yield texts
        answers = dict.fromkeys(answers, told)


def _stdin(text: str) -> str:
    """One expansion as exim's -be reads it: no line break, no line above its buffer, no break before a space."""
    text = _GUARD + text.replace("\n", "\\n").strip()
    pieces = []
    while len(text) > _LINE:
        cut = next((at for at in range(_LINE, 0, -1) if not text[at].isspace()), _LINE)
        pieces.append(text[:cut])
        text = text[cut:]
    if text.endswith("\\"):
        text += "${lc:}"  # nothing: a backslash at the end of a line would join it with its mark
    return "\\\n".join([*pieces, text])


def _expansion(answer: str) -> Expansion:
    answer = answer.removeprefix("> ").removesuffix("\n")
    if answer.startswith(_GUARD):
        return Expansion(answer.removeprefix(_GUARD).strip())
    return Expansion(error=answer.removeprefix("Failed: ").strip())


def _options(out: str) -> dict[str, str]:
    """`-bP`'s answer as a mapping; a line break inside a value is `\\n` there, as in the configuration."""
    found: dict[str, str] = {}
    for line in out.splitlines():
        match = _OPTION.fullmatch(line)
        if match and match[3]:
            found[match[3]] = match[4]
        elif match:
            found[match[2]] = "no" if match[1] else "yes"
    return found


def _fault(stderr: str) -> str:
    """What exim complains of, in one line, without its log prefixes."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and not _NOISE.match(line.strip())]
    return " ".join(re.sub(r"^(?:exim: |\d{4}-\d\d-\d\d [\d:]{8} )", "", line) for line in lines)
