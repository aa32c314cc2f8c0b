"""What every command works with: the configuration, where to print, the time. `ctx.obj` of every click command.

A command is `@click.command(); @json_option; @click.pass_obj; def command(context, …) -> int` and returns its exit code.
It prints with `context.say` (people) or `context.emit` (`--json`), asks with `context.ask`, and gets one pass from
`context.line(read_only=…)`, for writing inside `with context.lock("apply"):`.
"""

from __future__ import annotations

import json as json_module
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from dnssync import clock
from dnssync.cli.streams import shown
from dnssync.errors import ConfigError, DnssyncError
from dnssync.lanes import Aloud, Count, Still

if TYPE_CHECKING:
    from rich.console import Console

    from dnssync.check.gather import Sources
    from dnssync.config import Config
    from dnssync.reconcile import Line

HINT = re.compile(r"\bdnssync (?=(?:plan|apply|status|rotate|history|confirm|freeze|release|exim|init|check)\b)")
BAR = 30  # columns of a progress bar
COLUMNS = 80  # of a terminal that does not tell
F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Context:
    """Time, input and output are injected: `now` seconds since 1970, `sleep` seconds; tests give their own."""

    config_option: str | None = None
    json: bool = False
    debug: bool = False
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    stdin: IO[str] = field(default_factory=lambda: sys.stdin)
    stdout: IO[str] = field(default_factory=lambda: sys.stdout)
    stderr: IO[str] = field(default_factory=lambda: sys.stderr)
    disciplined: Callable[[], bool | None] = clock.disciplined
    make_line: Callable[..., Line] | None = None  # another assembly of the parts (`demo`)
    make_sources: Callable[[Line], Sources] | None = None  # where `check` looks, if not at the world
    patience: float = 60.0  # seconds for another dnssync that is at work
    _config: Config | None = None

    @property
    def config(self) -> Config:
        """The configuration, read once."""
        if self._config is None:
            from dnssync import config

            self._config = config.load(config.find(self.config_option, self.environ))
        return self._config

    def use(self, config: Config) -> None:
        """Work with this configuration instead of one from a file."""
        self._config = config

    def line(self, *, read_only: bool, closed: bool = False) -> Line:
        """The parts of one pass over the configuration; `closed` as in `assemble.line`."""
        from dnssync import assemble

        make = self.make_line or assemble.line
        how: dict[str, Any] = {"closed": True} if closed else {}
        return make(self.config, read_only=read_only, environ=self.environ, now=self.now, progress=self.progress, **how)

    @contextmanager
    def lock(self, who: str) -> Iterator[None]:
        """Hold the state's lock while a command writes; waits up to `patience` for another one."""
        from dnssync.lock import hold

        with hold(self.config.state_directory / "lock", who=f"dnssync {who}", wait=self.patience, now=self.now):
            yield

    # --- output -------------------------------------------------------------------------------------------------------

    @property
    def terminal(self) -> bool:
        """Whether a person looks on."""
        return self.stdout.isatty() and not self.json

    @property
    def console(self) -> Console:
        """Where people read; colours only on a terminal, and not with NO_COLOR."""
        from rich.console import Console

        return Console(file=self.stdout, highlight=False, emoji=False, markup=False, soft_wrap=not self.stdout.isatty(),
                       no_color=not self.stdout.isatty() or "NO_COLOR" in self.environ)  # fmt: skip

    def say(self, text: str = "", style: str = "", *, whole: bool = False) -> None:
        """A line for people, broken at words on a narrow terminal, but never where it is `whole` (a record, which people
        copy); nothing with `--json`."""
        if not self.json:
            self.console.print(
                shown(text if whole else self.hinted(text)), style=style or None, soft_wrap=True if whole else None
            )

    def emit(self, data: Any) -> None:
        """The one JSON document of a command run with `--json`."""
        from dnssync.core.model import to_json

        self.stdout.write(json_module.dumps(to_json(data), indent=2, ensure_ascii=True) + "\n")

    def hinted(self, text: str) -> str:
        """A sentence whose commands (`dnssync plan`) work as they stand: with the `-c FILE` that was given."""
        if self.config_option is None:
            return text
        return HINT.sub(lambda found: f"dnssync -c {shlex.quote(self.config_option or '')} ", text)

    def warn(self, text: str) -> None:
        """A line on standard error."""
        self.stderr.write(shown(self.hinted(text)) + "\n")

    def progress(self, text: str) -> None:
        """What is being done, on a terminal's standard error; each line replaces the last, so that none is longer than the terminal is wide.
        What is counted gets a bar, where there is room for it; what is `Aloud` is a line that stays, wherever standard error goes."""
        if isinstance(text, Aloud):
            self.progress("")
            self.warn(text)
            return
        if not self.stderr.isatty() or self.json or isinstance(text, Still):
            return
        told, width = shown(text), self._width() - 1  # behind the last column a terminal begins another line
        if isinstance(text, Count) and len(told) + 1 + BAR <= width:
            self.stderr.write(f"\r\x1b[K{told} ")
            self._bar(text.done, text.whole)
        else:
            self.stderr.write(f"\r\x1b[K{told[: width - 1]}…" if text else "\r\x1b[K")
        self.stderr.flush()

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self.stderr.fileno()).columns or COLUMNS
        except OSError:
            return COLUMNS

    def _bar(self, done: int, whole: int) -> None:
        from rich.console import Console
        from rich.progress_bar import ProgressBar

        console = Console(file=self.stderr, no_color="NO_COLOR" in self.environ)
        console.print(ProgressBar(whole, done, width=BAR), end="")

    def fail(self, error: DnssyncError) -> None:
        """Tell an error, as JSON too where that was asked for."""
        self.progress("")
        if self.json:
            self.emit({**error_data(error), "exit": error.exit_code})
        else:
            self.warn(f"dnssync: {error}")

    def ask(self, question: str) -> bool | None:
        """Yes or no from a person; None where there is no terminal to ask at, or what is asked about is not shown (`--json`)."""
        if self.json or not self.stdin.isatty():
            return None
        self.progress("")
        self.stderr.write(f"{question} [y/N] ")
        self.stderr.flush()
        answer = self.stdin.readline()
        if not answer:
            raise click.Abort()
        return answer.strip().lower() in ("y", "yes")


def error_data(error: DnssyncError) -> dict[str, Any]:
    """What `--json` tells of an error, beside the exit code."""
    return {"error": str(error), "mistakes": list(error.mistakes) if isinstance(error, ConfigError) else []}


def json_option(command: F) -> F:
    """The `--json` option, which every command takes."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
        ctx.obj.json = ctx.obj.json or value
        return value

    return click.option("--json", is_flag=True, expose_value=False, callback=remember, help="One JSON document.")(
        command
    )


def spelled(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names as the configuration spells them: lower case, A-labels, no final dot. An empty one is a usage error."""
    from dnssync.config_check import Checker

    if any(not name.strip(". ") for name in names):
        raise click.UsageError("an empty name names nothing: leave it out, or give a domain or a zone.")
    return tuple(Checker().domain("", name) or name.rstrip(".").lower() for name in names)


def chosen(context: Context, names: tuple[str, ...]) -> tuple[str, ...]:
    """Zones and domains that a person named, as `spelled`; a name outside every zone is an error."""
    from dnssync.config_check import Checker
    from dnssync.core.model import zone_of

    known = context.config.zones
    found = spelled(names)
    for name in found:
        if zone_of(name, known) is None:
            hint = Checker.meant(name, known) or f"; configured are {', '.join(sorted(known)[:5])}."
            raise DnssyncError(f"{name} lies in no configured zone{hint}")
    return found
