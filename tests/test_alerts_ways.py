"""The ways by which an alert goes out: a real command, a real exim, and the weekly digest."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import smtplib
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from dnssync.alerts import full_name, run_whole
from dnssync.state_rows import Trouble
from tests.alerted import CNAME, DAY, HOST, HOUR, NOW, Host
from tests.exim_host import EximHost, Received, needs_exim

HOOK = """#!/bin/sh
cat > "$0.$(ls "$0".* 2>/dev/null | wc -l)"
echo "$1 $(env | grep -c '^\\(CREDENTIALS_DIRECTORY\\|NOTIFY_SOCKET\\|WATCHDOG_USEC\\|GANDI_TOKEN\\|PGPASSWORD\\)=')" >> "$0-how"
echo "the pager: out of order" >&2
exit $(cat "$0-code" 2>/dev/null || echo 0)
"""


class Pager:
    """A real command that keeps what it is given."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "pager"
        self.path.write_text(HOOK)
        self.path.chmod(0o755)

    @property
    def calls(self) -> list[dict[str, Any]]:
        """What came in, call by call."""
        return [
            json.loads(p.read_text()) for p in sorted(self.path.parent.glob("pager.*"), key=lambda p: int(p.suffix[1:]))
        ]

    def fail(self, code: int) -> None:
        """From now on it ends with this code."""
        Path(f"{self.path}-code").write_text(f"{code}\n")


def test_a_command_is_told_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON on standard input, its own arguments, no shell, and none of the daemon's own things in its environment."""
    for name in ("CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC", "GANDI_TOKEN", "PGPASSWORD"):
        monkeypatch.setenv(name, "x")
    pager = Pager(tmp_path)
    host = Host(tmp_path, {"mail": [], "hook": [str(pager.path), "$HOME;x"]})
    host.say(CNAME)
    host.say(CNAME, hours=6)
    host.say(CNAME, hours=1)
    host.say(hours=1)
    host.say(hours=1)
    first, second = pager.calls

    assert first["host"] == HOST and first["at"] == NOW + 6 * HOUR and first["over"] == []
    assert first["begun"] == [{"zone": "one.example", "kind": "refused", "reason": "cname", "subject": "", "sentences": list(CNAME.sentences),
                               "since": NOW, "ended": None}]  # fmt: skip
    assert CNAME.sentence in first["text"] and first["subject"].endswith("1 thing needs a person: one.example")
    assert second["begun"] == [] and second["over"][0]["ended"] == NOW + 8 * HOUR
    assert Path(f"{pager.path}-how").read_text() == "$HOME;x 0\n" * 2


def test_each_way_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A command that fails is run again, and the mail that went out is not sent again; and the other way round."""
    pager = Pager(tmp_path)
    host = Host(tmp_path, {"hook": [str(pager.path)]})
    pager.fail(3)
    host.say(CNAME)
    for _ in range(3):
        host.say(CNAME, hours=6)
    assert len(host.post.mails) == 1 and len(pager.calls) == 3
    assert f"{pager.path} ended with 3: the pager: out of order. It is run again" in caplog.text
    pager.fail(0)
    host.say(CNAME, hours=1)
    host.say(CNAME, hours=1)
    assert len(host.post.mails) == 1 and len(pager.calls) == 4
    host.post.fails = OSError("no")
    host.say(hours=1)
    host.say(hours=1)
    host.post.fails = None
    host.say(hours=1)
    assert len(host.post.mails) == 2 and len(pager.calls) == 5 and host.state.troubles() == ()


@pytest.mark.parametrize(
    ("does", "told"),
    [
        (
            FileNotFoundError(2, "No such file or directory"),
            "cannot be run: No such file or directory. See `alerts: hook:`",
        ),
        (PermissionError(13, "Permission denied"), "cannot be run: Permission denied"),
        (subprocess.TimeoutExpired("x", 60), "has not ended within 60 seconds and was ended"),
    ],
)
def test_a_command_that_cannot_be_run(
    does: Exception, told: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, and tried again."""

    def run(*_: Any, **options: Any) -> Any:
        assert options["timeout"] == 60
        raise does

    host = Host(tmp_path, {"mail": [], "hook": ["/x/tell"]})
    host.restart(run=run)
    host.say(CNAME)
    host.say(CNAME, hours=6)
    assert f"/x/tell {told}" in caplog.text
    assert [row.told for row in host.state.troubles()] == [""]


def test_a_digest_every_week(tmp_path: Path) -> None:
    """The first at once, then each week, whatever restarts in between: what waits for a person, what was changed, or that all is well."""
    host = Host(tmp_path, {"digest": True, "after": "30d"})
    host.state.add_event(NOW - 8 * DAY, "create", zone="one.example", sentence="too old")
    host.state.add_event(NOW - DAY, "create", zone="one.example", sentence="create one.example TXT")
    host.say()
    for _ in range(14 * 4):
        host.restart()
        host.say(CNAME, hours=6)
    assert host.post.subjects == [f"[dnssync {HOST}] the week: {told}" for told in ("all is well", *["1 thing needs a person"] * 2)]  # fmt: skip
    first, second, _ = [mail.get_content() for _, _, mail in host.post.mails]
    assert "3 zones are looked after." in first and "Nothing needs a person." in first
    assert "2026-11-23 00:00 UTC  one.example  create one.example TXT" in first and "too old" not in first
    assert CNAME.sentence in second and "Nothing was changed" in second


def test_a_digest_that_cannot_be_sent_or_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is tried again after the next pass; where its date cannot be kept it still comes once."""
    host = Host(tmp_path, {"digest": True})
    host.post.fails = OSError("no")
    host.say()
    assert not (tmp_path / "digest").exists()
    host.post.fails = None
    (tmp_path / "digest").mkdir()  # nothing can be renamed onto that
    host.say(hours=1)
    host.say(hours=1)
    assert len(host.post.mails) == 1 and "digest" in caplog.text


@pytest.mark.parametrize(
    ("noted", "mails"),
    [(NOW + 400 * DAY, 1), (NOW + DAY, 1), (NOW + DAY - 1, 0), (NOW, 0), (NOW - 7 * DAY + 1, 0), (NOW - 7 * DAY, 1), ("x", 1)],
)  # fmt: skip
def test_a_digest_of_another_clock(tmp_path: Path, noted: int | str, mails: int) -> None:
    """A clock that was wrong by years stops no digest for years, and one that goes back by hours sends none twice."""
    (tmp_path / "digest").write_text(f"{noted}\n")
    host = Host(tmp_path, {"digest": True})
    host.say()
    assert len(host.post.mails) == mails
    assert (tmp_path / "digest").read_text() == f"{NOW if mails else noted}\n"


def test_no_digest_of_nothing(tmp_path: Path) -> None:
    """Without a state there is nothing to tell of the week; it comes when there is one."""
    host = Host(tmp_path, {"digest": True})
    host.result("The state cannot be opened.", state=False)
    assert host.post.mails == []
    host.say(hours=1)
    assert len(host.post.mails) == 1


def test_no_digest_unless_asked(tmp_path: Path) -> None:
    """By default a host that is well is silent for years."""
    host = Host(tmp_path)
    for _ in range(10):
        host.say(hours=24 * 7)
    assert host.post.mails == []


def test_a_name_with_a_domain() -> None:
    """Mail needs one; where this host does not know its own, it is what there is, and never nothing."""
    assert full_name() and not full_name().startswith("localhost.")


# --- a real exim ------------------------------------------------------------------------------------------------------


def got(received: Received) -> EmailMessage:
    """The message as a mail program sees it."""
    return email.message_from_bytes(received.data, policy=email.policy.default)  # type: ignore[return-value]


@pytest.fixture
def on(tmp_path: Path) -> Callable[[int, dict[str, Any]], Host]:
    """A host that hands its mail to a server on that port."""

    def make(port: int, alerts: dict[str, Any]) -> Host:
        host = Host(tmp_path, {**alerts, "smtp": f"127.0.0.1:{port}"})
        host.restart(smtp=smtplib.SMTP)
        return host

    return make


@needs_exim
@pytest.mark.exim
def test_through_a_real_exim(on: Callable[..., Host]) -> None:
    """It takes the mail over SMTP and delivers it: whole, in UTF-8, from whom it should be, to all; once, and once when it is over."""
    long = Trouble(
        "one.example", "refused", "cname", "one.example: »" + "ü" * 1200 + "« stands there.\n\n.\nFrom here", NOW
    )
    with EximHost(hostname=HOST) as exim:
        exim.render()
        with exim.listening("-odi") as port:
            host = on(port, {"mail": ["a@dest.test", "b@dest.test"], "from": "dns@example.org"})
            host.say(long)
            for _ in range(3):
                host.say(long, hours=6)
            host.say(hours=1)
            host.say(hours=1)
        kept = exim.sink.messages
        assert len(kept) == 2 and {to for one in kept for to in one.recipients} == {"a@dest.test", "b@dest.test"}, (
            exim.log()
        )
    first, second = map(got, kept)
    assert kept[0].sender == "dns@example.org" and first["From"] == "dnssync <dns@example.org>"
    assert first["Auto-Submitted"] == "auto-generated" and len(first.get_all("Message-ID") or ()) == 1 == len(
        first.get_all("Date") or ()
    )
    body = first.get_content().replace("\r\n", "\n")
    assert "ü" * 1200 in body and "\n.\nFrom here" not in body and ". From here" not in body
    assert "[cname]" in body and second["Subject"] == f"[dnssync {HOST}] well again: one.example"
    assert max(map(len, kept[0].data.split(b"\r\n"))) <= 998


@needs_exim
@pytest.mark.exim
def test_postmaster_is_there_on_every_mail_host(on: Callable[..., Host]) -> None:
    """The address that is the default is taken without a domain by Debian's exim as it is, and the queue holds it."""
    with EximHost(hostname=HOST) as exim:
        exim.render()
        with exim.listening("-odq") as port:
            host = on(port, {})
            host.say(CNAME)
            host.say(CNAME, hours=6)
        queue = subprocess.run([*exim.command, "-bp"], capture_output=True, text=True, check=True).stdout
    assert f"<postmaster@{HOST}>" in queue and queue.count("postmaster@") == 2, queue


@needs_exim
@pytest.mark.exim
def test_a_real_exim_that_is_away(on: Callable[..., Host], caplog: pytest.LogCaptureFixture) -> None:
    """Stopped, it gets the mail after the pass at which it is back."""
    with EximHost(hostname=HOST) as exim:
        exim.render()
        with exim.listening("-odi") as port:
            pass
        host = on(port, {"mail": ["a@dest.test"]})
        host.say(CNAME)
        host.say(CNAME, hours=6)
        assert "could not be handed to the mail server 127.0.0.1" in caplog.text and not exim.sink.messages
        with exim.listening("-odi") as port:
            host.config = on(port, {"mail": ["a@dest.test"]}).config
            host.say(CNAME, hours=1)
            host.say(CNAME, hours=1)
        assert len(exim.sink.messages) == 1


@pytest.mark.parametrize("greeting", [b"", b"220 mx.example.org ESMTP\r\n"])
def test_a_mail_server_that_never_answers(
    on: Callable[..., Host], greeting: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """One that takes the connection and is silent, at once or after its greeting, holds no pass up for longer than a minute, which is a
    moment here; it is told to the log, and tried again after the next pass."""
    given, came = [], []

    def impatient(server: str, port: int, **options: Any) -> smtplib.SMTP:
        given.append(options.pop("timeout"))
        return smtplib.SMTP(server, port, **options, timeout=0.3)

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            while True:
                came.append(held.enter_context(listener.accept()[0]))
                came[-1].sendall(greeting)

    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as ends:
        host = on(listener.getsockname()[1], {})
        host.restart(smtp=impatient)
        server = threading.Thread(target=serve, args=[listener])
        server.start()
        ends.callback(server.join)
        ends.callback(listener.shutdown, socket.SHUT_RDWR)
        host.say(CNAME)
        host.say(CNAME, hours=6)
        assert len(came) == 1 and "could not be handed to the mail server 127.0.0.1, port" in caplog.text
        assert "timed out" in caplog.text and "tried again after the next pass" in caplog.text
        assert [row.told for row in host.state.troubles()] == [""]
        host.say(CNAME, hours=1)
    assert len(came) == 2 and given == [60, 60]


def half_over(folder: Path) -> tuple[Host, Pager]:
    """Mail and command told of a trouble; that it is over, for an hour now, mail alone: the command fails."""
    pager = Pager(folder)
    host = Host(folder, {"hook": [str(pager.path)]})
    host.say(CNAME)
    host.say(CNAME, hours=6)
    pager.fail(1)
    host.say(hours=1)
    host.say(hours=1)
    assert len(host.post.mails) == 2
    return host, pager


def test_what_is_over_is_over_when_it_was(tmp_path: Path) -> None:
    """A command that works again says until when a trouble went on."""
    host, pager = half_over(tmp_path)
    ended = host.now - HOUR
    pager.fail(0)
    host.say(hours=1)
    assert pager.calls[-1]["over"][0]["ended"] == ended and len(host.post.mails) == 2


def test_each_way_once_across_restarts(tmp_path: Path) -> None:
    """What each way told stands in the state: with `run --once` from cron every pass is a new process."""
    pager = Pager(tmp_path)
    host = Host(tmp_path, {"hook": [str(pager.path)]})
    pager.fail(1)
    host.say(CNAME)
    for _ in range(8):
        host.restart()
        host.say(CNAME, hours=2)
    assert len(host.post.mails) == 1 and host.state.troubles()[0].told == "mail"
    for hours in (1, 1, 1):
        host.restart()
        host.say(hours=hours)
    assert len(host.post.mails) == 2 and host.state.troubles() == (), (
        "the command was told of nothing, and hears of no end"
    )


def test_both_ways_stand_in_the_state(tmp_path: Path) -> None:
    """Where mail and command tell it after the same pass, neither tells it again after a restart."""
    pager = Pager(tmp_path)
    host = Host(tmp_path, {"hook": [str(pager.path)]})
    host.say(CNAME)
    for _ in range(3):
        host.say(CNAME, hours=6)
        assert host.state.troubles()[0].told == "hook mail"
        host.restart()
    assert len(host.post.mails) == len(pager.calls) == 1


def test_back_before_every_way_told_its_end(tmp_path: Path) -> None:
    """Who was told that it is over is told that it is not; who was not, has it still."""
    host, pager = half_over(tmp_path)
    pager.fail(0)
    for _ in range(2):
        host.say(CNAME, hours=6)
    assert len(host.post.mails) == 3
    assert [bool(call["begun"]) for call in pager.calls] == [True, False], "the end that it could not tell"


def test_a_server_that_says_no_good_bye(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A mail that was taken is not sent again, whatever a server answers to QUIT; what it says is told as it says it."""
    taken = []

    def serve(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = server.accept()[0]
                with connection, connection.makefile("rwb") as wire:
                    wire.write(b"220 mx.example.org ESMTP\r\n")
                    wire.flush()
                    for line in wire:
                        word = line.split()[0].upper() if line.split() else b""
                        answer = b"250 ok"
                        if word == b"DATA":
                            wire.write(b"354 go on\r\n")
                            wire.flush()
                            taken.append([*iter(wire.readline, b".\r\n")])
                        elif word == b"QUIT":
                            answer = b"421 closing"
                        elif word == b"MAIL" and len(taken) >= 1:
                            answer = b"451 come back later"
                        wire.write(answer + b"\r\n")
                        wire.flush()
                        if word == b"QUIT":
                            break

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        host = Host(tmp_path, {"smtp": f"127.0.0.1:{server.getsockname()[1]}"})
        host.restart(smtp=smtplib.SMTP)
        host.say(CNAME)
        for _ in range(3):
            host.say(CNAME, hours=6)
        assert len(taken) == 1 and not [record for record in caplog.records if record.levelname == "ERROR"]
        host.say(hours=1)
        host.say(hours=1)
    assert ": 451 come back later. It is tried again" in caplog.text


def test_a_command_that_hangs_leaves_nothing(tmp_path: Path) -> None:
    """When its time is over, what it has started is ended with it."""
    script = tmp_path / "hangs"
    script.write_text('#!/bin/sh\nsleep 600 &\necho $! > "$0.pid"\nwait\n')
    script.chmod(0o755)
    with pytest.raises(subprocess.TimeoutExpired):
        run_whole([str(script)], input=b"{}", timeout=2, stdout=subprocess.DEVNULL)
    pid = int((tmp_path / "hangs.pid").read_text())

    def lives() -> bool:
        with contextlib.suppress(OSError):  # it ended while it was looked at
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        return False

    for _ in range(3000):  # a signal takes its time where much is going on
        if not lives():
            break
        time.sleep(0.01)
    assert not lives()
