"""What the last check found, kept beside the state: to tell what has changed since. A file that is damaged or gone costs that, and no more."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dnssync.check.finding import Finding, Severity
from dnssync.files import group_id, home_owner, write_atomically
from dnssync.keystore import GROUP, USER

log = logging.getLogger("dnssync")
DAILY, BY_HAND = "checked.json", "checked-by-hand.json"  # the daemon's, and that of `check --since`


@dataclass(frozen=True, slots=True)
class Checked:
    """`at`: when it was looked, in seconds since 1970, 0 = never; `found`: what stood then (`changes.standing`); `told`: by each way,
    the same as it was when somebody was told by it last; `remembered`: what a check has to know of the last time (`Facts.remembered`)."""

    at: int = 0
    found: tuple[Finding, ...] = ()
    told: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)
    remembered: Mapping[str, str] = field(default_factory=dict)


def read(folder: Path, name: str) -> Checked | None:
    """What a file in the state's folder holds, None where it is not there or cannot be read."""
    path = folder / name
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Checked(
            int(data["at"]),
            _findings(data["found"]),
            {str(way): _findings(rows) for way, rows in data["told"].items()},
            {str(k): str(v) for k, v in data["remembered"].items()},
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.debug("%s cannot be used (%s); what was found is taken for new", path, error)
        return None


def write(folder: Path, name: str, checked: Checked) -> None:
    """Keep it. Raises `WriteError`."""
    data = {
        "at": checked.at,
        "found": _data(checked.found),
        "told": {way: _data(rows) for way, rows in checked.told.items()},
        "remembered": dict(checked.remembered),
    }
    path = folder / name
    text = json.dumps(data, ensure_ascii=True) + "\n"  # of what DNS holds, so some of it may be no character
    write_atomically(path, text.encode("ascii"), mode=0o640, owner=home_owner(path, USER), group=group_id(GROUP))


def _data(findings: Sequence[Finding]) -> list[dict[str, object]]:
    return [asdict(finding) for finding in findings]


def _findings(rows: Sequence[Mapping[str, object]]) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            str(row["id"]),
            Severity(str(row["severity"])),
            str(row["subject"]),
            str(row["message"]),
            str(row["remedy"]),
            bool(row["fixable"]),
        )
        for row in rows
    )
