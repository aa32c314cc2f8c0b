"""Which machine the keys belong to: kept beside them, so that a copy of a host is known for one before it ends what the other signs with.

The machine is known by a digest of its machine-id(5), and by the name that exim gives itself; a host whose rows in the state had
another name once keeps them, since that name is kept here too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from dnssync.errors import KeyFileError
from dnssync.files import group_id, make_directory, user_id, write_atomically
from dnssync.keystore import GROUP, USER

FILE = "machine"
MACHINE_ID = Path("/etc/machine-id")


@dataclass(frozen=True, slots=True)
class Identity:
    """`machine`: what `machine` gives, "" = not known; `host`: exim's primary_hostname; `rows`: the name of the state's rows."""

    machine: str
    host: str
    rows: str

    def differs(self, machine: str, host: str) -> bool:
        """Whether a machine of this id and name is another one. What is not known does not differ."""
        return any(old and new and old != new for old, new in ((self.machine, machine), (self.host, host)))


def machine(path: Path = MACHINE_ID) -> str:
    """This machine's id, hashed, since the file itself is not to be told to others (machine-id(5)); "" where it has none."""
    try:
        told = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return (
        hmac.new(told.encode(), b"dnssync", hashlib.sha256).hexdigest()[:32]
        if told not in ("", "uninitialized")
        else ""
    )


def read(keys: Path) -> Identity | None:
    """Whose keys lie in that folder, None where it was not noted yet. Raises `KeyFileError`."""
    path = keys / FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Identity(*(str(data[name]) for name in ("machine", "host", "rows")))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyFileError(f"{path}, which says whose keys lie there, cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise KeyFileError(
            f"{path}, which says whose keys lie there, is damaged. Delete it, if this is the machine that they were made on."
        ) from None


def write(keys: Path, who: Identity) -> None:
    """Note whose keys lie in that folder."""
    owner, group = user_id(USER), group_id(GROUP)
    make_directory(keys, mode=0o750, owner=owner, group=group)
    data = json.dumps(asdict(who), ensure_ascii=True) + "\n"
    write_atomically(keys / FILE, data.encode("ascii"), mode=0o640, owner=owner, group=group)


def moved(keys: Path, here: Callable[[], str] | None, hostname: str) -> str:
    """The name of the host that the keys in that folder were made for, where that was another machine than `here` tells (None: nobody
    looks), or has another name; "" for this one. Raises `KeyFileError`."""
    kept = read(keys) if here is not None else None
    return kept.host if kept is not None and here is not None and kept.differs(here(), hostname) else ""


def rows(keys: Path) -> str:
    """The name of this host's rows in the state: the one that they had when it was first noted, whatever the host is called now.
    Raises `KeyFileError`."""
    kept = read(keys)
    return kept.rows if kept is not None and kept.rows else platform.node()
