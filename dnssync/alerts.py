"""Whoever does not look is told: by mail over SMTP, and by a command, once when something has needed a person for a while, and once
when it is well again. What could not be told is tried again after the next pass.

Mail goes to the mail server of this host by SMTP, as it comes from anywhere: the daemon gains no rights, so that exim's own binary
could not spool it. What was told is noted in the state after it was: a crash in between tells it twice, never not at all. Where the
state itself cannot be read or written (a full disk), what was told is remembered as long as the daemon lives.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import platform
import signal
import smtplib
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from dnssync import failed_start
from dnssync.config_service import AlertConfig, default_sender
from dnssync.core.alerts import Message, cannot_begin, digest, due, message
from dnssync.core.attention import FAILED
from dnssync.core.durations import DAY
from dnssync.errors import DnssyncError, StateError
from dnssync.files import WriteError, write_atomically
from dnssync.one_pass import PASS, PassResult
from dnssync.standing import next_event
from dnssync.state_rows import Trouble

log = logging.getLogger("dnssync")
Place = tuple[str, str, str, str, int]
MAIL, HOOK = "mail", "hook"  # the ways, as the configuration names them
STATE = "state"  # the word of what the state itself cannot take
WEEK = 7 * DAY
PATIENCE = 60.0  # seconds for the mail server's answers, and for the command
WORDS = 300  # characters of what a command says, at most
DIGEST = "digest"  # the file beside the state that says when the last digest went out, in seconds since 1970
# What a command gets of the daemon's environment: the rest may be a secret (`env/NAME` in the configuration), or speaks to the supervisor.
HANDED_ON = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")


class AlertError(DnssyncError):
    """A message could not be handed over; the sentence says to whom, why, and what to do."""


def full_name() -> str:
    """This host's name with its domain, as far as it knows that."""
    name = platform.node()
    if "." not in name:
        longer = socket.getfqdn(name)
        name = longer if "." in longer and not longer.startswith("localhost") else name
    return name or "localhost"


def run_whole(command: list[str], *, input: bytes, timeout: float, **more: Any) -> subprocess.CompletedProcess[bytes]:
    """As `subprocess.run`; when the time is over, not the command alone is ended but all that it has started."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, **more) as process:
        try:
            process.communicate(input, timeout)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    return subprocess.CompletedProcess(command, process.returncode)


class Alerts:
    """Listens to passes. `smtp` is `smtplib.SMTP`, `run` is `run_whole`, `host` gives this host's full name; `hinted` makes
    commands in a sentence such that they work as they stand; `folder` is the service's own, for what cannot stand in the state."""

    def __init__(
        self,
        *,
        smtp: Callable[..., Any] = smtplib.SMTP,
        run: Callable[..., Any] | None = None,
        host: Callable[[], str] = full_name,
        hinted: Callable[[str], str] = lambda text: text,
        folder: Path | None = None,
    ) -> None:
        self._folder = folder
        self._smtp, self._run, self._host, self._hinted = smtp, run or run_whole, host, hinted
        self._blind: Trouble | None = None  # what the state could not take
        # What went out in this life, whether the state could take that or not: by each way, last that it is so, or that it is over.
        self._went: dict[Place, dict[str, bool]] = {}
        self._digest = 0

    def after(self, result: PassResult) -> None:
        """Tell what is due after a pass. What goes wrong is logged, and tried again after the next one."""
        config = result.config.alerts
        self._begun(config, result.ended)
        ways = self._ways(config)
        rows = self._rows(result)
        begun, over = due(rows, config.after, result.ended)
        for way, tell in ways.items():
            fresh = [row for row in begun if way not in self._heard(row)]
            gone = [row for row in over if way in self._heard(row)]
            try:
                if fresh or gone:
                    tell(config, self._message(fresh, gone), fresh, gone, result.ended)
                    self._went_out(way, fresh, gone)
            except AlertError as error:
                log.error("%s", error)
        self._note(result, (*begun, *over))
        self._forget(result, [row for row in over if not self._heard(row) & ways.keys()])
        if result.error is None:  # else the state may not tell what goes on
            known = {_place(row) for row in rows}
            self._went = {place: went for place, went in self._went.items() if place in known}
        if config.digest and config.mail:
            self._week(result, rows)

    def cannot_begin(self, error: DnssyncError, config: AlertConfig, now: int) -> None:
        """Tell that the daemon did not start, for a reason that only a person can mend; once, until it has started again. There is no
        state to note that in, but the service's folder."""
        row, text = failed_start.noted(self._folder) or Trouble("", FAILED, "start", str(error), now), str(error)
        told, heard = cannot_begin(self._host(), text), {*row.ways}
        for way, tell in self._ways(config).items():
            try:
                if way not in heard:
                    tell(config, replace(told, text=self._hinted(told.text)), [replace(row, sentence=text)], [], now)
                    heard.add(way)
            except AlertError as trouble:
                log.error("%s", str(trouble).replace("after the next pass", "at the next start"))
        failed_start.note(self._folder, row.told_by(heard))

    def _begun(self, config: AlertConfig, now: int) -> None:
        """It runs again: tell those who were told that it does not."""
        row = failed_start.noted(self._folder)
        if row is None:
            return
        row = replace(row, ended=now)
        ways, heard = self._ways(config), {*row.ways}
        for way in row.ways:
            try:
                if way in ways:
                    ways[way](config, self._message([], [row]), [], [row], now)
            except AlertError as trouble:
                log.error("%s", trouble)
            else:
                heard.discard(way)
        failed_start.note(self._folder, row.told_by(heard))

    # --- what there is to tell ----------------------------------------------------------------------------------------

    def _rows(self, result: PassResult) -> tuple[Trouble, ...]:
        """What the state knows of, and what it could not take."""
        rows: tuple[Trouble, ...] = ()
        if result.state is not None:
            with contextlib.suppress(StateError):
                rows = result.state.troubles()
        noted = any(row.place[:3] == PASS and row.ended is None for row in rows)
        held, now = self._blind, result.ended
        if held is not None and held.past(now):
            held = self._blind = None
        if result.error is not None and not noted:
            told = Trouble("", FAILED, STATE, str(result.error), now)
            self._blind = told if held is None else replace(told, since=min(held.since, now), told=held.told)
        elif result.error is None and held is not None and held.ended is None:
            self._blind = replace(held, ended=now)
        return rows if self._blind is None else (*rows, self._blind)

    def _heard(self, row: Trouble) -> set[str]:
        """The ways that told of it, and not yet that it is over."""
        heard = {**dict.fromkeys(row.ways, True), **self._went.get(_place(row), {})}
        return {way for way, so in heard.items() if so}

    def _went_out(self, way: str, begun: Sequence[Trouble], over: Sequence[Trouble]) -> None:
        """Remember what went out by a way, whether the state can take that or not."""
        for row in (*begun, *over):
            self._went.setdefault(_place(row), {})[way] = row.ended is None
        if self._blind is not None and self._blind in (*begun, *over):
            self._blind = self._blind.told_by(self._blind.ways ^ {way})  # told of, or told to be over

    def _note(self, result: PassResult, rows: Sequence[Trouble]) -> None:
        """Note in the state what went out, now or when that could not be noted."""
        heard = ((row, self._heard(row)) for row in rows if row.reason != STATE)
        owed = [row.told_by(ways) for row, ways in heard if ways != row.ways]
        if result.state is None or not owed:
            return
        try:
            result.state.told(owed)
        except StateError as error:
            log.error("what was told of troubles could not be noted: %s", error)

    def _forget(self, result: PassResult, rows: Sequence[Trouble]) -> None:
        """These are over, and everybody who was told of them knows that."""
        if self._blind is not None and any(row.reason == STATE for row in rows):
            self._blind = None
        gone = [row for row in rows if row.reason != STATE]
        if result.state is None or not gone:
            return
        try:
            result.state.forget_troubles(gone)
        except StateError as error:
            log.error("what is over could not be noted: %s", error)

    def _message(self, begun: Sequence[Trouble], over: Sequence[Trouble]) -> Message:
        told = message(self._host(), begun, over)
        return replace(told, text=self._hinted(told.text))

    # --- the ways -----------------------------------------------------------------------------------------------------

    def _ways(self, config: AlertConfig) -> dict[str, Callable[..., None]]:
        """Those that are configured."""
        return {way: tell for way, tell in ((MAIL, self._mail), (HOOK, self._hook)) if getattr(config, way)}

    def _mail(
        self, config: AlertConfig, told: Message, begun: Sequence[Trouble], over: Sequence[Trouble], now: int
    ) -> None:
        # The same message has the same name, so that one which a crash made go out twice is known for what it is.
        self.mail(config, told, [(*row.place, row.since, row.ended) for row in (*begun, *over)] or now, now)

    def mail(self, config: AlertConfig, told: Message, about: object, now: int) -> None:
        """One mail to all; `about` names it (`repr`). Raises `AlertError` where nobody got it."""
        host = self._host()
        sender = config.sender or default_sender(host)
        mail = EmailMessage(policy=SMTP)
        mail["From"] = f"dnssync <{sender}>"
        mail["To"] = ", ".join(to if "@" in to else f"{to}@{host}" for to in config.mail)
        mail["Subject"] = told.subject
        mail["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
        mail["Message-ID"] = f"<{hashlib.sha256(repr((host, about)).encode()).hexdigest()[:32]}.dnssync@{host}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: nobody's holiday answers it
        mail.set_content(told.text)
        server, port = config.smtp
        where = f"the mail server {server}, port {port}"
        refused: dict[str, tuple[int, bytes]] | None = None
        trouble: Exception | None = None
        try:
            with self._smtp(server, port, local_hostname=host, timeout=PATIENCE) as connection:
                try:
                    refused = connection.send_message(mail, sender, list(config.mail))
                except (smtplib.SMTPException, OSError) as error:
                    trouble = error  # and not what may come of the good-bye after it
        except (smtplib.SMTPException, OSError) as error:
            if refused is None:  # else it has taken the mail, however it says good-bye
                trouble = trouble or error
        if isinstance(trouble, smtplib.SMTPRecipientsRefused):
            raise AlertError(f"{where} takes no mail for {_answers(trouble.recipients)}. See `alerts: mail:` in the configuration.")  # fmt: skip
        if trouble is not None:
            raise AlertError(
                f"a mail to {', '.join(config.mail)} could not be handed to {where}: {_worded(trouble)}. It is tried again "
                "after the next pass; see that the server runs, and `alerts:` in the configuration."
            )
        if refused:
            log.error("%s takes no mail for %s; the others were told. See `alerts: mail:` in the configuration.", where, _answers(refused))  # fmt: skip
        log.info("mail to %s: %s", ", ".join(config.mail), told.subject)

    def _hook(
        self, config: AlertConfig, told: Message, begun: Sequence[Trouble], over: Sequence[Trouble], now: int
    ) -> None:
        self.hook(config, told, {"begun": [_data(row) for row in begun], "over": [_data(row) for row in over]}, now)

    def hook(self, config: AlertConfig, told: Message, more: Mapping[str, Any], now: int) -> None:
        """Run the command, with all of it as JSON on its standard input; raises `AlertError` where that does not end with 0."""
        data = {"host": self._host(), "at": now, "subject": told.subject, "text": told.text, **more}
        name = config.hook[0]
        environ = {key: value for key, value in os.environ.items() if key in HANDED_ON}
        with tempfile.TemporaryFile() as said:  # not a pipe, which whatever the command leaves behind would hold open
            try:
                done = self._run(list(config.hook), input=json.dumps(data).encode(), stdout=subprocess.DEVNULL, stderr=said,
                                 timeout=PATIENCE, env=environ)  # fmt: skip
                said.seek(0)
                words = said.read(WORDS).decode(errors="replace")
            except subprocess.TimeoutExpired:
                raise AlertError(f"{name} has not ended within {PATIENCE:g} seconds and was ended; it is run again after the next pass.") from None  # fmt: skip
            except OSError as error:
                raise AlertError(f"{name} cannot be run: {error.strerror}. See `alerts: hook:` in the configuration.") from None  # fmt: skip
        if done.returncode != 0:
            why = f": {_one_line(words)}" if words.strip() else ""
            raise AlertError(f"{name} ended with {done.returncode}{why}. It is run again after the next pass.")
        log.info("%s was run: %s", name, told.subject)

    # --- the week -----------------------------------------------------------------------------------------------------

    def _week(self, result: PassResult, rows: Sequence[Trouble]) -> None:
        """Once a week, the first time at once: whoever turned it on sees that it comes."""
        file, now, state = result.config.state_directory / DIGEST, result.ended, result.state
        last = max(self._digest, _number(file))
        if (
            state is None or last - DAY < now < last + WEEK
        ):  # one from the day after tomorrow is of a clock that was wrong
            return
        try:
            zones = result.config.zones
            changes = [(event.at, event.domain or event.zone or "this host", event.sentence) for event in state.events(500) if event.at > now - WEEK]  # fmt: skip
            told = digest(self._host(), len(zones), rows, next_event(result), changes)
            self._mail(result.config.alerts, replace(told, text=self._hinted(told.text)), (), (), now)
            self._digest = now
            write_atomically(file, f"{now}\n".encode(), mode=0o640)
        except (AlertError, StateError, WriteError) as error:
            log.error("%s", error)


def _place(row: Trouble) -> Place:
    """Which trouble: what it is of, and since when."""
    return (*row.place, row.since)


def _data(row: Trouble) -> dict[str, Any]:
    return {"zone": row.zone, "kind": row.kind, "reason": row.reason, "subject": row.subject, "sentences": list(row.sentences),
            "since": row.since, "ended": row.ended}  # fmt: skip


def _answers(refused: dict[str, tuple[int, bytes]]) -> str:
    return ", ".join(
        f"{to} ({code} {_one_line(text.decode(errors='replace'))})" for to, (code, text) in refused.items()
    )


def _worded(error: Exception) -> str:
    """What a mail server says, or why it cannot be asked."""
    if isinstance(error, smtplib.SMTPResponseException):
        told = error.smtp_error
        return _one_line(f"{error.smtp_code} {told.decode(errors='replace') if isinstance(told, bytes) else told}")
    return _one_line(str(error))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:WORDS].rstrip(".")


def _number(file: Path) -> int:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
