"""Where the name servers of the tests are: this host's, or those of another Debian in a folder of its own (`make trixie`)."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(os.environ.get("DNSSYNC_SERVERS", "/"))  # where the other Debian's packages are unpacked


def program(path: str) -> list[str]:
    """How a program is started: one of another Debian by that Debian's own loader, with its libraries."""
    if Path("/") == ROOT:
        return [path]
    [loader] = ROOT.glob("usr/lib*/ld-linux*.so.*")
    [libraries] = {found.parent for found in ROOT.glob("usr/lib/*/libc.so.6")}
    return [str(loader), "--library-path", str(libraries), str(ROOT) + path]


def there(path: str) -> bool:
    """Whether a program, or anything that fits a pattern such as `/usr/lib/*/pdns/liblmdbbackend.so`, is installed there."""
    return any(ROOT.glob(path.removeprefix("/")))
