"""A host whose passes a test makes up, and what was told of them: a stand-in for the mail server that can fail in every way."""

from __future__ import annotations

import json
import smtplib
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from dnssync.alerts import Alerts
from dnssync.config import parse
from dnssync.errors import DnssyncError
from dnssync.one_pass import PassResult
from dnssync.state import State
from dnssync.state_rows import Trouble

NOW, HOUR, DAY = 1_795_478_400, 3600, 86400  # a midnight
CNAME = Trouble("one.example", "refused", "cname", "one.example: a CNAME stands there. Delete it.", NOW)
HOST = "mx.example.org"


class Post:
    """Stands in for `smtplib.SMTP`: keeps what it is given, or fails in the way that a test says."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], EmailMessage]] = []
        self.fails: Exception | None = None
        self.refuses: dict[str, tuple[int, bytes]] = {}
        self.where: list[tuple[Any, ...]] = []

    def __call__(self, server: str, port: int, **options: Any) -> Post:
        self.where.append((server, port, options["local_hostname"]))
        return self

    def __enter__(self) -> Post:
        if self.fails is not None:
            raise self.fails
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def send_message(self, mail: EmailMessage, sender: str, to: list[str]) -> dict[str, tuple[int, bytes]]:
        """As smtplib's."""
        if set(self.refuses) == set(to):
            raise smtplib.SMTPRecipientsRefused(self.refuses)
        self.mails.append((sender, to, mail))
        return self.refuses

    @property
    def subjects(self) -> list[str]:
        """Of all mails so far."""
        return [str(mail["Subject"]) for _, _, mail in self.mails]


class Host:
    """A host whose passes a test makes up: `say` is what the last one said."""

    def __init__(self, folder: Path, alerts: dict[str, Any] | None = None) -> None:
        self.folder, self.post, self.now = folder, Post(), NOW
        self.config = parse(
            json.dumps(
                {
                    "providers": {"p": {"class": "manual"}},
                    "zones": {f"{name}.example": {"provider": "p"} for name in ("one", "two", "three")},
                    "state": f"sqlite:///{folder}/state.db",
                    "alerts": alerts if alerts is not None else {},
                }
            ),
            folder / "site.yaml",
        )
        self.state: State = State.open(self.config.state)
        self.restart()

    def restart(self, **options: Any) -> None:
        """The daemon begins anew, with this state."""
        self.alerts = Alerts(**{"smtp": self.post, "host": lambda: HOST, **options})

    def say(self, *said: Trouble, hours: float = 0) -> None:
        """A pass, so many hours later, that has this to say."""
        self.now += int(hours * HOUR)
        self.state.save_troubles((*self.config.zones, ""), said, self.now)
        self.result()

    def result(self, error: str = "", *, state: bool = True, hours: float = 0) -> None:
        """A pass that came to its end, or to nothing."""
        self.now += int(hours * HOUR)
        failed = DnssyncError(error) if error else None
        self.alerts.after(PassResult(self.config, self.state if state else None, self.now, self.now, error=failed))
