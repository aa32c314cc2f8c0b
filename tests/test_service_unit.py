"""What the lines of the unit are for: each is read as systemd reads it and held to what the daemon, or a host, needs of it."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from dnssync.daemon import SIGNALS
from dnssync.errors import ConfigError

UNIT = Path(__file__).parents[1] / "systemd/dnssync.service"
UNITS = {"": 1, "s": 1, "sec": 1, "min": 60, "h": 3600}


def values(name: str) -> list[str]:
    """All that a setting of the unit is given, in its order, split at blanks."""
    return " ".join(re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)).split()


def seconds(name: str) -> int:
    """A span of the unit, which has to be there, in seconds."""
    [value] = values(name)
    match = re.fullmatch(r"(\d+)(\w*)", value)
    assert match
    return int(match[1]) * UNITS[match[2]]


def test_it_is_up_when_it_says_so_and_not_before() -> None:
    """The daemon sends READY=1 itself, so that a start with a wrong configuration fails at once; with another type nobody waits for that."""
    assert values("Type") == ["notify"]
    assert values("NotifyAccess") in ([], ["main"]), "what exim's processes send must not count"


def test_a_daemon_that_hangs_is_ended_and_says_where() -> None:
    """The watchdog outlasts the longest step that says nothing, a quarter of an hour, and SIGABRT leaves the place it hung at in the journal."""
    assert 15 * 60 < seconds("WatchdogSec") <= 3600
    assert "PYTHONFAULTHANDLER=1" in values("Environment")
    assert values("WatchdogSignal") in ([], ["SIGABRT"]), "faulthandler has no word for another signal"


def test_a_daemon_that_fails_is_started_again_for_good() -> None:
    """After a crash or the watchdog it starts anew, however often, but neither after a stop nor where configuration or secrets are wrong."""
    assert values("Restart") == ["on-failure"]
    assert 5 <= seconds("RestartSec") <= 300, "soon, and without filling the journal"
    assert seconds("StartLimitIntervalSec") == 0, (
        "a limit would end it for good after some trouble that passes by itself"
    )
    assert {str(ConfigError.exit_code), "CREDENTIALS"} <= set(values("RestartPreventExitStatus")), (
        "a person has to mend it"
    )


def test_a_reload_is_the_signal_that_the_daemon_reads() -> None:
    """`systemctl reload` sends SIGHUP to the daemon alone."""
    command, option, whom = values("ExecReload")

    assert command == "/bin/kill" and whom == "$MAINPID"
    assert signal.Signals[f"SIG{option.removeprefix('-')}"] in set(SIGNALS) - {signal.SIGTERM, signal.SIGINT}


def test_a_stop_lets_the_step_at_hand_end() -> None:
    """SIGTERM goes to the daemon and to no exim that it asks; it has minutes for one zone's write, and then nothing is left behind."""
    assert values("KillMode") == ["mixed"]
    assert values("KillSignal") in ([], ["SIGTERM"])
    assert 60 <= seconds("TimeoutStopSec") <= 900
    assert values("SendSIGKILL") in ([], ["yes"])


def test_a_new_key_can_be_given_to_exim_s_group() -> None:
    """Without fchown(2) keys come without exim's group and mail waits; @privileged, which is taken out, holds it, so that it is let in after."""
    calls = re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.MULTILINE)
    allowed = False
    for line in calls:  # each line in turn adds to what is allowed, or takes away from it
        names = set(line.removeprefix("~").split())
        if names & {"@chown", "fchown", "@privileged"}:
            allowed = not line.startswith("~")
    assert allowed and calls[0] == "@system-service" and "@privileged" in calls[1].removeprefix("~").split()
    assert values("SystemCallErrorNumber") == ["EPERM"], "a call that is refused is told, and ends nothing"


@pytest.mark.parametrize(
    ("family", "why"),
    [
        ("AF_UNIX", "the journal, systemd's notifications, PostgreSQL's socket"),
        ("AF_INET", "name servers, providers and mail servers"),
        ("AF_INET6", "the same by IPv6"),
        ("AF_NETLINK", "exim learns the addresses of this host by it, and can't be asked without"),
    ],
)
def test_the_sockets_that_are_needed_can_be_made(family: str, why: str) -> None:
    """The families of sockets that the daemon, or exim below it, opens."""
    assert family in values("RestrictAddressFamilies"), why


def test_secrets_in_memory_and_files_stay_here() -> None:
    """No memory image holds a private key, and no file is readable by others that the code forgot to close."""
    assert values("LimitCORE") == ["0"]
    assert int(values("UMask")[0], 8) & 0o077 == 0o077


def test_it_starts_with_the_host_after_what_it_asks() -> None:
    """`systemctl enable` makes it start at boot, after the network, the clock and exim, and waits for the network to be there."""
    assert values("WantedBy") == ["multi-user.target"]
    assert {"network-online.target", "time-sync.target", "exim4.service"} <= set(values("After"))
    assert "network-online.target" in values("Wants")
