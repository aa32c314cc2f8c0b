"""What of exim's set-up a pass does not look at and the checks wish for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dnssync.check.facts import Wish


@dataclass(frozen=True, slots=True)
class Setup(Wish["SetUp"]):
    """The wish for a `SetUp`."""


@dataclass(frozen=True, slots=True)
class Panic:
    """exim's panic log. `lines` that tell of something, in the part of it that was read (its end); `last`: the last of them, what could be a
    secret taken out. `problem`: why it could not be read, then nothing of it is known."""

    path: str
    lines: int = 0
    last: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SetUp:
    """`file`: the configuration in use, `generated` whether Debian's update-exim4.conf made it, of the sources in `confdir`. `changed`: a source that is younger
    than it (its path, and both times in seconds since 1970); `differs`: whether rendering them anew gives another configuration, None where that
    could not be tried, and `untried` says why. `own`: path of a hand-written exim4.conf, "" = there is none. `ours`: files in which macros of
    dnssync's stand. `spf_built_in`: whether this exim can verify SPF; `verifies_spf`: whether its ACLs ask for that, `scans`: whether they
    ask a spam filter. `spf_wanted`: CHECK_RCPT_SPF is defined, None where exim does not tell. `listens`: whether it takes mail from other hosts. `strict`:
    dkim_strict of each smtp transport, worked out. `lines`: the option lines that let the DKIM_* macros reach a transport."""

    file: str
    generated: bool = False
    confdir: str = "/etc/exim4"
    changed: tuple[str, int, int] | None = None
    differs: bool | None = None
    untried: str = ""
    own: str = ""
    ours: tuple[str, ...] = ()
    panic: Panic | None = None
    spf_built_in: bool = True
    verifies_spf: bool = True
    scans: bool = False
    spf_wanted: bool | None = None
    listens: bool = True
    strict: Mapping[str, bool] = field(default_factory=dict)
    lines: str = ""
