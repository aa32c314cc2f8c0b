"""The daemon's daily check: made once a day, told once by each way, and never in the way of a pass or of the daemon's end."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dnssync import checked
from dnssync.alerts import Alerts
from dnssync.check.finding import Finding, Severity
from dnssync.check.gather import Looked
from dnssync.check.words import LISTED
from dnssync.daily import AGAIN, Daily
from dnssync.one_pass import Stopped
from tests.alerted import Post
from tests.check.world import World
from tests.check_site import CheckSite, site
from tests.daemon_process import DaemonProcess
from tests.site_under_test import DOMAIN
from tests.test_alerts_ways import Pager

pytestmark = [pytest.mark.exim, pytest.mark.bind]
__all__ = ["site"]
DAY, NAME = 86400, "mx.example.net"


class Watched:
    """The daily check of a site; `again` is what the daemon does after each pass."""

    def __init__(self, site: CheckSite, **alerts: Any) -> None:
        self.site, self.post, self.made = site, Post(), 0
        text = json.loads(site.config.read_text())
        text |= {"schedule": {"check": "24h"}, "alerts": {"mail": ["root@example.org"], **alerts}}
        site.config.write_text(json.dumps(text))
        self.restart()

    def restart(self, **more: Any) -> None:
        """The daemon begins anew."""
        self.daily = Daily(
            self._line,
            Alerts(smtp=self.post, host=lambda: NAME),
            now=lambda: self.site.now,
            host=lambda: NAME,
            sources=self.site.sources,
            **more,
        )

    def _line(self, config: Any, **options: Any) -> Any:
        self.made += 1
        return self.site.line(config, **options)

    def again(self, hours: float = 0, step: Any = lambda text: None) -> None:
        """After a pass, so many hours later."""
        self.site.now += hours * 3600
        self.daily(self.site.loaded(), step, contextlib.nullcontext)

    @property
    def kept(self) -> checked.Checked:
        """What stands in its file."""
        found = checked.read(self.site.folder / "state", checked.DAILY)
        assert found is not None
        return found


@pytest.fixture
def watched(site: CheckSite) -> Iterator[Watched]:
    """A host whose records were never applied: there is much to tell."""
    yield Watched(site)


def test_once_a_day_and_told_once(watched: Watched) -> None:
    """One check a day, one mail for what is new, one for what is over, and none where nothing changed."""
    watched.again()
    [(_, to, mail)] = watched.post.mails
    assert to == ["root@example.org"] and "SPF-01 esferas.example" in mail.get_content()
    watched.again(1)
    watched.again(22)
    assert watched.made == 1 and len(watched.post.mails) == 1
    watched.again(1)
    assert watched.made == 2 and len(watched.post.mails) == 1
    assert watched.site.run("apply", "--yes")[0] == 0
    watched.again(24)
    assert watched.made == 3 and len(watched.post.mails) == 2
    text = watched.post.mails[1][2].get_content()
    assert "well again" in text.lower() and "SPF-01 esferas.example" in text.split("well again")[1]


def test_a_restart_is_no_new_day(watched: Watched) -> None:
    """What was found and told is kept beside the state, for nobody but the service and its group."""
    watched.again()
    watched.restart()
    watched.again(1)
    assert watched.made == 1 and len(watched.post.mails) == 1
    assert (watched.site.folder / "state" / checked.DAILY).stat().st_mode & 0o777 == 0o640


def test_a_mail_that_cannot_be_sent_is_tried_again(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    """After the next pass, without another check; a command that went well is not run again meanwhile."""
    pager = Pager(watched.site.folder)
    watched = Watched(watched.site, hook=[str(pager.path)])
    watched.post.fails = OSError("no")
    watched.again()
    watched.again(0.25)
    assert watched.made == 1 and not watched.post.mails and len(pager.calls) == 1
    assert "It is tried again after the next pass" in caplog.text
    watched.post.fails = None
    watched.again(0.25)
    watched.again(0.25)
    assert watched.made == 1 and len(watched.post.mails) == 1 and len(pager.calls) == 1
    [call] = pager.calls
    assert {"id", "severity", "subject", "message", "remedy", "fixable"} == set(call["check"]["begun"][0]) and call[
        "host"
    ] == NAME


def test_a_broken_exim_makes_nothing_well(watched: Watched) -> None:
    """What cannot be looked at for a day, its subjects' names included, is neither over then nor new afterwards."""
    watched.again()
    stood = {(f.id, f.subject) for f in watched.kept.found}
    whole = watched.site.exim.config.read_text()
    watched.site.exim.config.write_text("nonsense\n")
    watched.again(24)
    assert stood <= {(f.id, f.subject) for f in watched.kept.found}
    assert not any("well again" in mail.get_content() for _, _, mail in watched.post.mails)
    watched.site.exim.config.write_text(whole)
    told = len(watched.post.mails)
    watched.again(24)
    assert not any(f"SPF-01 {DOMAIN}" in mail.get_content() for _, _, mail in watched.post.mails[told:])


def test_a_check_that_takes_too_long_ends(watched: Watched) -> None:
    """When its time is over nothing more is looked into: passes wait no longer."""
    watched.restart(longest=-1)
    steps: list[str] = []
    watched.again(step=steps.append)
    assert watched.kept.at > 0 and not any("questions" in step for step in steps)
    assert not any(f.id.startswith("SPF") for f in watched.kept.found)


def test_ten_thousand_do_not_drown_the_log(watched: Watched, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As many changes as a mail lists are logged, the worst first, and how many more there are."""
    caplog.set_level("INFO", "dnssync")
    note = Finding("MX-06", Severity.INFO, "a.example", "one")
    many = [replace(note, subject=f"d{n}.example") for n in range(10_000)]
    facts = World(tmp_path, {"example.org": ""}).facts()
    looked = Looked(facts, (*many, replace(note, severity=Severity.ERROR)))
    watched.daily._kept(watched.site.loaded(), checked.Checked(), looked)
    assert len(caplog.records) == LISTED + 2 and "check error MX-06 a.example" in caplog.text
    assert f"{10_001 - LISTED} more have changed" in caplog.text


def test_never(watched: Watched) -> None:
    """`schedule: check: never` means never."""
    text = json.loads(watched.site.config.read_text())
    watched.site.config.write_text(json.dumps({**text, "schedule": {"check": "never"}}))
    watched.again()
    assert watched.made == 0 and not (watched.site.folder / "state" / checked.DAILY).exists()


def test_what_goes_wrong_stays_there(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    """A check that cannot be made is logged in one line and tried again in an hour; the daemon goes on."""
    text = json.loads(watched.site.config.read_text())
    watched.site.config.write_text(json.dumps({**text, "state": f"sqlite:///{watched.site.folder}/none/state.db"}))
    (watched.site.folder / "none").write_text("no folder")
    watched.again()
    assert watched.made == 1 and "the daily check could not be made" in caplog.text and "Traceback" not in caplog.text
    watched.again(0.5)
    assert watched.made == 1
    watched.again(AGAIN / 3600)
    assert watched.made == 2


def test_a_damaged_file_is_as_none(watched: Watched) -> None:
    """What was kept can be lost: then all is told anew."""
    watched.again()
    (watched.site.folder / "state" / checked.DAILY).write_text("{")
    watched.again(1)
    assert watched.made == 2 and len(watched.post.mails) == 2


def test_a_clock_that_was_ahead(watched: Watched) -> None:
    """A check of next year does not keep the next one off for a year."""
    watched.site.now += 365 * DAY
    watched.again()
    watched.site.now -= 365 * DAY
    watched.again()
    assert watched.made == 2


def test_the_end_of_the_daemon_comes_through(watched: Watched) -> None:
    """Whoever ends the daemon does not wait for a check: each step may be the last, and nothing is kept of it."""
    steps = []

    def step(text: str) -> None:
        steps.append(text)
        if len(steps) == 4:
            raise Stopped

    with pytest.raises(Stopped):
        watched.again(step=step)
    assert not (watched.site.folder / "state" / checked.DAILY).exists()


def test_the_daemon_does_it(watched: Watched, tmp_path: Path) -> None:
    """A real daemon checks after its first pass, tells by its command, keeps what it found, and ends when it is told to."""
    pager = Pager(tmp_path)
    text = json.loads(watched.site.config.read_text())
    text["alerts"] = {"mail": [], "hook": [str(pager.path)]}
    watched.site.config.write_text(json.dumps(text))
    main = (
        "from dnssync import resolver; "
        f"resolver.Resolver.__init__.__kwdefaults__['system'] = ['{watched.site.bind.server}']; "  # nothing leaves this machine
        "from dnssync.cli import main; main()"
    )
    with DaemonProcess(watched.site.config, main=main) as daemon:
        daemon.logged("the set-up was checked: ")
        daemon.logged("was run: [dnssync ")
        assert daemon.end(signal.SIGTERM) == 0
    assert watched.kept.at > 0 and pager.calls[0]["check"]["begun"]
