"""The parts of the configuration that only the daemon looks at: whom it tells, and where it counts.

Like every check (`config_check`): a mistake is noted under its path, a harmless value returned, and the next one looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from dnssync.config_check import Checker

POSTMASTER = "postmaster"  # the one mailbox that every mail host has, with or without a domain (RFC 5321 §4.5.1)
_MAILBOX = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_SERVER = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?")


@attrs.frozen
class AlertConfig:
    """Who is told, and when: `mail` addresses (() = none), `sender` of that mail ("" = postmaster of this host), `after` seconds
    that something has needed a person, `hook` a command and its arguments (() = none), `digest` a mail every week,
    `smtp` (host, port) of the server that takes the mail."""

    mail: tuple[str, ...] = (POSTMASTER,)
    sender: str = ""
    after: int = 21600
    hook: tuple[str, ...] = ()
    digest: bool = False
    smtp: tuple[str, int] = ("localhost", 25)


def alerts(check: Checker, value: Any) -> AlertConfig:
    """The section `alerts`."""
    default = AlertConfig()
    data: Mapping[str, Any] = check.mapping("alerts", value, ("mail", "from", "after", "hook", "digest", "smtp"))
    mail, hook = default.mail, default.hook
    if "mail" in data:
        given = [data["mail"]] if isinstance(data["mail"], str) else check.items("alerts.mail", data["mail"])
        mail = tuple(_mailbox(check, f"alerts.mail[{n}]", item) for n, item in enumerate(given))
    if "hook" in data:
        words = [data["hook"]] if isinstance(data["hook"], str) else check.items("alerts.hook", data["hook"])
        hook = tuple(check.text(f"alerts.hook[{n}]", word) for n, word in enumerate(words))
        if hook and not hook[0].startswith("/"):
            check.mistake(
                "alerts.hook", "must begin with the absolute path of a command, such as [/usr/local/bin/tell]"
            )
    sender = _mailbox(check, "alerts.from", data["from"], bare=False) if data.get("from") else default.sender
    return AlertConfig(
        mail=mail,
        sender=sender,
        after=check.seconds("alerts.after", data.get("after", "6h"), default.after),
        hook=hook,
        digest=check.flag("alerts.digest", data.get("digest", default.digest)),
        smtp=_server(check, "alerts.smtp", data["smtp"]) if data.get("smtp") else default.smtp,
    )


def metrics(check: Checker, value: Any) -> Path | None:
    """The file `metrics`, None where there is to be none."""
    if not value:
        return None
    path = check.path("metrics", value)
    if path.suffix != ".prom":
        check.mistake("metrics", f"must end in .prom, since node_exporter reads nothing else; {str(value)!r} does not")
    return path


def _mailbox(check: Checker, path: str, value: Any, *, bare: bool = True) -> str:
    """An address in ASCII. Without a domain nobody but postmaster can be meant, since SMTP takes no other."""
    text = str(value).strip()
    if bare and text.lower() == POSTMASTER:
        return POSTMASTER
    if not _MAILBOX.fullmatch(text):
        known = ", or postmaster alone, which is this host's" if bare else ""
        check.mistake(path, f"{text!r} is no mail address; write postmaster@example.org{known}")
        return default_sender("localhost")
    return text


def _server(check: Checker, path: str, value: Any) -> tuple[str, int]:
    """The host and port of an SMTP server."""
    match = _SERVER.fullmatch(str(value).strip())
    if not match or not 0 < int(match[3] or 25) < 65536:
        check.mistake(path, f"{str(value)!r} is no mail server; write localhost:25, 127.0.0.1:25 or [::1]:25")
        return AlertConfig().smtp
    return match[1] or match[2], int(match[3] or 25)


def default_sender(host: str) -> str:
    """Whom mail of this host comes from where nobody is named: whoever gets its bounces is the one who can mend it."""
    return f"{POSTMASTER}@{host}"
