"""Alerts: told once when something has needed a person for a while, once when it is over; never lost, never twice."""

from __future__ import annotations

import json
import os
import smtplib
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dnssync.config import parse
from dnssync.config_service import AlertConfig
from dnssync.errors import ConfigError, DnssyncError, StateError
from dnssync.one_pass import PASS
from dnssync.state import State
from dnssync.state_rows import Trouble
from tests.alerted import CNAME, HOST, HOUR, NOW, Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Mail to postmaster after six hours, as by default."""
    return Host(tmp_path)


def test_once_when_it_lasts_and_once_when_it_is_over(host: Host) -> None:
    """Nothing for six hours, then one mail, nothing more while it goes on, and one when it is well again."""
    for _ in range(6):
        host.say(CNAME, hours=0.99)
    assert host.post.mails == []
    for _ in range(30):
        host.say(CNAME, hours=1)
    assert host.post.subjects == [f"[dnssync {HOST}] 1 thing needs a person: one.example"]
    for _ in range(5):
        host.say(hours=1)
    assert host.post.subjects[1:] == [f"[dnssync {HOST}] well again: one.example"]
    assert host.state.troubles() == ()


def test_what_mends_itself_is_not_told(host: Host) -> None:
    """A provider that is back after five hours, and what needs nobody: no mail, neither then nor later."""
    host.say(CNAME)
    host.say(CNAME, hours=5.9)
    host.say(Trouble("two.example", "notice", "rsa1024", "two.example: x", NOW))
    host.say(Trouble("two.example", "notice", "rsa1024", "two.example: x", NOW), hours=48)
    host.say(hours=48)
    host.say(hours=1)
    assert host.post.mails == [] and host.state.troubles() == ()


def test_a_mail_says_what_status_says(host: Host) -> None:
    """Zone, sentence with its remedy, since when, and the word that the documentation explains; each sentence in one line."""
    two = "two.example: exim uses other keys. Run: dnssync exim --install " + "x" * 200
    host.say(
        CNAME,
        Trouble("two.example", "notice", "exim_not_switched", two, NOW),
        Trouble("", "notice", "clock", "Jumped.", NOW),
    )
    host.say(CNAME, Trouble("two.example", "notice", "exim_not_switched", two, NOW), Trouble("", "notice", "clock", "Jumped.", NOW), hours=7)  # fmt: skip
    [(sender, to, mail)] = host.post.mails
    lines = mail.get_content().splitlines()

    assert "refused: one.example: a CNAME stands there. Delete it. (since 2026-11-24 00:00 UTC) [cname]" in lines
    assert f"note: {two} (since 2026-11-24 00:00 UTC) [exim_not_switched]" in lines
    assert "note: this host: Jumped. (since 2026-11-24 00:00 UTC) [clock]" in lines
    assert mail["Subject"] == f"[dnssync {HOST}] 3 things need a person: this host, one.example, two.example"
    assert (sender, to, mail["To"]) == (f"postmaster@{HOST}", ["postmaster"], f"postmaster@{HOST}")
    assert mail["From"] == f"dnssync <postmaster@{HOST}>" and mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"] == "Tue, 24 Nov 2026 07:00:00 +0000" and mail["Message-ID"].endswith(f".dnssync@{HOST}>")
    assert host.post.where == [("localhost", 25, HOST)]
    assert max(map(len, mail.as_bytes().split(b"\r\n"))) <= 998


def test_commands_work_as_they_stand(host: Host) -> None:
    """Where the daemon has a configuration of its own, the commands in a mail name it."""
    host.restart(hinted=lambda text: text.replace("dnssync status", "dnssync -c /x status"))
    host.say(CNAME)
    host.say(CNAME, hours=6)
    assert "`dnssync -c /x status`" in host.post.mails[0][2].get_content()


def test_one_mail_for_a_thousand_zones(host: Host) -> None:
    """A provider that is down is one mail, whose length has an end."""
    rows = [Trouble(f"z{n}.example", "failed", "unread", f"z{n}.example: no answer.", NOW) for n in range(1000)]
    host.state.save_troubles([row.zone for row in rows], rows, NOW)
    host.result(hours=6)
    host.result(hours=1)
    [(_, _, mail)] = host.post.mails
    assert (
        mail["Subject"]
        == f"[dnssync {HOST}] 1000 things need a person: z0.example, z1.example, z10.example and 997 more"
    )
    assert mail.get_content().count("no answer.") == 50 and "… and 950 more" in mail.get_content()


def test_what_begins_and_what_ends_go_together(host: Host) -> None:
    """A pass that ends one and finds another tells both in one mail; what began meanwhile comes in its own time."""
    other = Trouble("two.example", "failed", "unread", "two.example: no answer.", NOW + 6 * HOUR)
    host.say(CNAME)
    host.say(CNAME, other, hours=6)
    host.say(other, hours=5)
    assert len(host.post.mails) == 1
    host.say(other, hours=1)
    assert host.post.subjects[1:] == [f"[dnssync {HOST}] 1 thing needs a person: two.example; well again: one.example"]
    text = host.post.mails[1][2].get_content()
    assert "(since 2026-11-24 00:00 UTC) until 2026-11-24 11:00 UTC [cname]" in text


@pytest.mark.parametrize(
    "error",
    [ConnectionRefusedError(111, "Connection refused"), TimeoutError("timed out"), smtplib.SMTPServerDisconnected("gone"),
     smtplib.SMTPSenderRefused(451, b"later", "x"), socket.gaierror(-2, "Name or service not known")],
)  # fmt: skip
def test_a_mail_that_cannot_be_sent_is_tried_again(
    host: Host, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """After every pass, also after a restart, until it is taken; each failure is told to the log with what to look at."""
    host.post.fails = error
    host.say(CNAME)
    for _ in range(3):
        host.say(CNAME, hours=6)
    assert "localhost, port 25" in caplog.text and "tried again after the next pass" in caplog.text
    host.restart()
    host.post.fails = None
    host.say(CNAME, hours=1)
    host.say(CNAME, hours=1)
    assert len(host.post.mails) == 1
    host.post.fails = error
    host.say(hours=1)
    host.post.fails = None
    host.say(hours=1)
    host.say(hours=1)
    assert len(host.post.mails) == 2 and host.state.troubles() == ()


def test_a_restart_tells_nothing_twice(host: Host) -> None:
    """What was told stands in the state."""
    host.say(CNAME)
    host.say(CNAME, hours=6)
    host.restart()
    host.say(CNAME, hours=6)
    host.restart()
    host.say(hours=1)
    host.restart()
    host.say(hours=1)
    assert len(host.post.mails) == 2


def test_a_crash_before_the_note_sends_the_same_message(host: Host) -> None:
    """Twice rather than never, and under one Message-ID, by which mail programs know it; another message has another."""
    host.say(CNAME)
    before = host.state.troubles()
    host.say(CNAME, hours=6)
    host.state._keep(before)  # as if it had died between the mail and the note
    host.restart()
    host.say(CNAME, hours=1)
    host.say(hours=1)
    host.say(hours=1)
    names = [mail["Message-ID"] for _, _, mail in host.post.mails]
    assert names[0] == names[1] != names[2]


def test_some_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The others were told, so it is not sent again; where all are refused it is. Both are in the log, with the server's words."""
    host = Host(tmp_path, {"mail": ["a@example.org", "b@example.org"]})
    host.post.refuses = {"b@example.org": (550, b"5.1.1 unknown\nuser")}
    host.say(CNAME)
    host.say(CNAME, hours=6)
    host.say(CNAME, hours=1)
    assert len(host.post.mails) == 1 and "b@example.org (550 5.1.1 unknown user)" in caplog.text
    host.post.refuses = dict.fromkeys(("a@example.org", "b@example.org"), (550, b"no"))
    host.say(hours=1)
    assert len(host.post.mails) == 1 and host.state.troubles() != ()
    host.post.refuses = {}
    host.say(hours=1)
    assert len(host.post.mails) == 2


class Full:
    """A state on a full disk: it can be read, and takes nothing."""

    def __init__(self, state: State) -> None:
        self.real = state

    def troubles(self) -> tuple[Trouble, ...]:
        """As it is."""
        return self.real.troubles()

    def told(self, *_: object) -> None:
        """No room."""
        raise StateError("The state is full.")

    forget_troubles = save_troubles = told


class Unreadable(Full):
    """A state that cannot even be read."""

    def troubles(self) -> tuple[Trouble, ...]:
        """No."""
        raise StateError("The state is damaged.")


def test_a_full_disk_is_told_once(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be noted is remembered; the trouble that the state could not take is told as well, and that it is over."""
    real = host.state
    host.say(CNAME)
    host.state = Full(real)  # type: ignore[assignment]
    for _ in range(10):
        host.result("The disk is full. Make room.", hours=3)
    assert host.post.subjects == [f"[dnssync {HOST}] 1 thing needs a person: one.example", f"[dnssync {HOST}] 1 thing needs a person: this host"]  # fmt: skip
    assert "failed: this host: The disk is full. Make room. (since" in host.post.mails[1][2].get_content()
    assert "could not be noted: The state is full." in caplog.text
    host.state = real
    host.say(CNAME, hours=1)
    host.say(CNAME, hours=1)
    assert host.post.subjects[2:] == [f"[dnssync {HOST}] well again: this host"]
    host.say(CNAME, hours=1)
    host.say(hours=1)
    host.say(hours=1)
    assert len(host.post.mails) == 4 and host.state.troubles() == ()


def test_a_state_that_cannot_be_read(host: Host) -> None:
    """It stops no alert: the pass's own error is told, once."""
    real = host.state
    host.state = Unreadable(real)  # type: ignore[assignment]
    for _ in range(4):
        host.result("The state is damaged. Restore it.", hours=3)
    assert len(host.post.mails) == 1 and "Restore it." in host.post.mails[0][2].get_content()
    host.state = real
    host.say(hours=1)
    host.say(hours=1)
    assert host.post.subjects[1:] == [f"[dnssync {HOST}] well again: this host"]


def test_a_full_disk_after_another_trouble(host: Host) -> None:
    """What the state still holds of a former failure, that it is over, is not taken for this one."""
    host.state.save_troubles((), [Trouble(*PASS, sentence="exim is gone.", since=host.now)], host.now)
    host.result("exim is gone.")
    host.result("exim is gone.", hours=6)
    host.state.over(PASS, host.now)
    host.post.fails = OSError("no")
    host.result(hours=1)
    host.state = Full(host.state)  # type: ignore[assignment]
    host.result("The disk is full. Make room.", hours=1)
    host.post.fails = None
    host.result("The disk is full. Make room.", hours=6)
    assert "The disk is full." in "".join(mail.get_content() for _, _, mail in host.post.mails[1:])


def test_one_failure_after_another(host: Host) -> None:
    """It is not well again as long as no pass comes to its end; when it is, the mail says since when, however late it goes out."""
    host.result("The state cannot be opened.", state=False)
    host.result("The state cannot be opened.", state=False, hours=6)
    assert len(host.post.mails) == 1
    host.state.save_troubles((), [Trouble(*PASS, sentence="exim is gone.", since=host.now)], host.now)
    host.result("exim is gone.", hours=1)
    host.result("exim is gone.", hours=1)
    assert len(host.post.mails) == 1
    host.state.over(PASS, host.now)
    host.post.fails = OSError("no")
    host.result(hours=1)
    host.result(hours=4)
    host.post.fails = None
    host.result(hours=4)
    [told] = [mail.get_content() for _, _, mail in host.post.mails[1:]]
    assert "cannot be opened." in told and "until 2026-11-24 09:00 UTC" in told


def test_a_state_that_is_away_for_a_pass(tmp_path: Path) -> None:
    """What went out by one way is not sent again for that, nor told as well again while nobody knows."""
    host = Host(tmp_path, {"hook": ["/nonexistent/tell"]})
    host.say(CNAME)
    host.say(CNAME, hours=6)
    host.result("The state cannot be opened.", state=False, hours=1)
    host.say(CNAME, hours=1)
    host.say(CNAME, hours=1)
    assert host.post.subjects == [f"[dnssync {HOST}] 1 thing needs a person: one.example"]


def test_a_state_that_is_gone(host: Host) -> None:
    """Without any state the pass's own error is told after six hours; what passes sooner is not."""
    host.result("The state cannot be opened.", state=False)
    host.result("The state cannot be opened.", state=False, hours=5)
    host.result(hours=1)
    host.result("The state cannot be opened.", state=False, hours=2)
    host.result("The state cannot be opened.", state=False, hours=5)
    assert host.post.mails == []
    host.result("Another.", state=False, hours=2)
    host.result("Another.", state=False, hours=2)
    assert len(host.post.mails) == 1 and "Another." in host.post.mails[0][2].get_content()
    host.result(hours=2)
    host.result(hours=1)
    assert host.post.subjects[1:] == [f"[dnssync {HOST}] well again: this host"]


def test_a_pass_that_fails_and_is_noted_is_told_once(host: Host) -> None:
    """exim is gone: the state knows it, and nothing is told beside that."""
    for _ in range(10):
        host.state.save_troubles((), [Trouble(*PASS, sentence="exim is gone.", since=host.now)], host.now)
        host.result("exim is gone.", hours=1)
    host.state.over(PASS, host.now)
    host.result(hours=1)
    assert host.post.subjects == [f"[dnssync {HOST}] 1 thing needs a person: this host", f"[dnssync {HOST}] well again: this host"]  # fmt: skip


def test_what_was_half_told_is_forgotten_with_its_trouble(tmp_path: Path) -> None:
    """A command that never works, and troubles that come and go: mail tells both halves of each, and nothing is left of them."""
    host = Host(tmp_path, {"hook": ["/nonexistent/tell"]})
    for number in range(50):
        row = Trouble("one.example", "refused", f"word{number}", "one.example: x", host.now)
        host.say(row)
        host.say(row, hours=7)
        host.say(hours=7)
        host.say(hours=1)
    host.say(hours=1)
    assert len(host.post.mails) == 100 and host.alerts._went == {} and host.state.troubles() == ()


def test_nobody_to_tell(tmp_path: Path) -> None:
    """Without a way nothing is sent and nothing counts as told: whoever turns it on later hears of what still is."""
    host = Host(tmp_path, {"mail": []})
    host.say(CNAME)
    host.say(CNAME, hours=9)
    assert [row.told for row in host.state.troubles()] == [""]
    host.state.told([replace(row, told="mail") for row in host.state.troubles()])
    host.say(hours=1)
    host.say(hours=1)
    assert host.post.mails == [] and host.state.troubles() == ()


def test_the_same_of_another_name(host: Host) -> None:
    """A second key that is lost is told as well, whatever was told of the first, and each is over for itself."""
    one, two = (
        Trouble("", "notice", "key_unusable", f"{name}: its key is lost", NOW, subject=name)
        for name in ("one.example", "two.example")
    )
    host.say(one)
    host.say(one, hours=6)
    host.say(one, replace(two, since=host.now), hours=1)
    host.say(one, two, hours=6)
    host.say(two, hours=1)
    host.say(two, hours=1)
    host.say(hours=1)
    host.say(hours=1)
    texts = [mail.get_content() for _, _, mail in host.post.mails]
    assert [("one.example" in text, "two.example" in text) for text in texts] == [
        (True, False),
        (False, True),
        (True, False),
        (False, True),
    ]


def test_one_more_under_a_standing_word(host: Host) -> None:
    """Ten thousand domains of which the same is said are one thing in one mail; another one is told for itself, and one that is well again."""

    def rows(first: int, last: int) -> list[Trouble]:
        names = (f"d{number:05}.example" for number in range(first, last))
        return [Trouble("", "notice", "exim_not_switched", f"{n}: exim has other keys. Switch it.", host.now, subject=n) for n in names]  # fmt: skip

    host.say(*rows(0, 10_000))
    host.say(*rows(0, 10_000), hours=6)
    host.say(*rows(0, 10_001), hours=1)
    host.say(*rows(0, 10_001), hours=6)
    host.say(*rows(1, 10_001), hours=6)
    host.say(*rows(1, 10_001), hours=6)
    texts = [mail.get_content() for _, _, mail in host.post.mails]
    begun, over = (f"[dnssync {HOST}] {words}: this host" for words in ("1 thing needs a person", "well again"))
    assert host.post.subjects == [begun, begun, over]
    assert (
        "\nnote: d00000.example, d00001.example, d00002.example and 9997 more: exim has other keys. Switch it. (since 2026-11-24 00:00 UTC) "
        "[exim_not_switched]\n" in texts[0]
    )
    assert "\nnote: d10000.example: exim has other keys. Switch it. (since 2026-11-24 06:00 UTC) [" in texts[1]
    assert "\nnote: d00000.example: exim has other keys. Switch it. (since 2026-11-24 00:00 UTC) until " in texts[2]
    assert [text.count(".example") for text in texts] == [4, 2, 2], "the host's own name among them"


class TestStart:
    MISTAKE = "providers: {p: {class: manual}}\nzones: {one.example: {provider: q}}\n"

    def test_told(self, host: Host) -> None:
        """A configuration that cannot be used names its mistakes to whom it says, by mail and by the command, and what that means."""
        seen = host.folder / "seen"
        alerts = f"alerts: {{mail: [ops@example.net], hook: [/bin/sh, -c, 'cat > {seen}']}}\n"
        with pytest.raises(ConfigError) as caught:
            parse(self.MISTAKE + alerts, host.folder / "site.yaml")
        assert isinstance(caught.value.alerts, AlertConfig)
        host.alerts.cannot_begin(caught.value, caught.value.alerts, NOW)
        [(_, to, mail)] = host.post.mails
        assert to == ["ops@example.net"] and host.post.subjects == [f"[dnssync {HOST}] dnssync does not run"]
        assert "zones.one.example.provider" in mail.get_content() and "systemctl start dnssync" in mail.get_content()
        assert "zones.one.example.provider" in seen.read_text()

    def test_a_secret_that_is_missing(self, tmp_path: Path) -> None:
        """What is wrong may not be the configuration itself: whom that names is told all the same."""
        seen, config = tmp_path / "seen", tmp_path / "site.yaml"
        given = {
            "providers": {"p": {"class": "gandi", "token": f"file/{tmp_path}/none"}},
            "zones": {"one.example": {"provider": "p"}},
            "keys": f"{tmp_path}/keys",
            "state": f"sqlite:///{tmp_path}/state.db",
            "alerts": {"mail": [], "hook": ["/bin/sh", "-c", f"cat > {seen}"]},
        }
        config.write_text(json.dumps(given))
        environ = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "socket")}
        command = [sys.executable, "-c", "from dnssync.cli import main; main()", "-c", config, "run", "--log-json"]
        assert subprocess.run(command, capture_output=True, env=environ).returncode == 78
        assert f"{tmp_path}/none" in seen.read_text()

    def test_nobody_takes_it(self, host: Host, caplog: pytest.LogCaptureFixture) -> None:
        """A mail server that is down costs a line in the log and no more; the command is told all the same."""
        host.post.fails = ConnectionRefusedError(111, "Connection refused")
        seen = host.folder / "seen"
        host.alerts.cannot_begin(DnssyncError("no"), AlertConfig(hook=("/bin/sh", "-c", f"cat > {seen}")), NOW)
        assert "could not be handed" in caplog.text and "no" in seen.read_text()

    def test_once_until_it_runs(self, host: Host) -> None:
        """However often it is started in vain; and when it runs, those are told who were told."""
        config = AlertConfig(mail=("ops@example.net",), hook=("/nonexistent/tell",))
        for number in range(3):
            host.restart(folder=host.folder)
            host.alerts.cannot_begin(ConfigError("site.yaml", [f"mistake {number}"]), config, NOW + number)
        assert len(host.post.mails) == 1
        host.post.fails = OSError("no")
        for hours in (1, 1):
            host.restart(folder=host.folder)
            host.result(hours=hours)
            host.post.fails = None
        host.result(hours=1)
        assert host.post.subjects[1:] == [f"[dnssync {HOST}] well again: this host"]
        assert "(since 2026-11-24 00:00 UTC) until 2026-11-24 02:00 UTC [start]" in host.post.mails[1][2].get_content()
        assert sorted(path.name for path in host.folder.iterdir()) == ["state.db"]
        host.restart(folder=host.folder)
        host.alerts.cannot_begin(ConfigError("site.yaml", ["again"]), config, host.now)
        assert len(host.post.mails) == 3

    @pytest.mark.parametrize("supervised", [True, False])
    def test_by_the_service(self, tmp_path: Path, supervised: bool) -> None:
        """The service tells it when it is started; a person at a terminal has the mistakes before his eyes."""
        seen, config = tmp_path / "seen", tmp_path / "site.yaml"
        config.write_text(self.MISTAKE + f"alerts: {{mail: [], hook: [/bin/sh, -c, 'cat > {seen}']}}\n")
        environ = {**os.environ, **({"NOTIFY_SOCKET": str(tmp_path / "socket")} if supervised else {})}
        command = [sys.executable, "-c", "from dnssync.cli import main; main()", "-c", config, "run", "--log-json"]
        assert subprocess.run(command, capture_output=True, env=environ).returncode == 78
        assert seen.exists() is supervised
