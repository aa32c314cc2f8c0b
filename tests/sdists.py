"""Source distributions of libraries that we use, for the tests that they carry: fetched by pip from wherever this machine fetches packages, told
by their hash, and kept in the virtual environment. Nothing of them is part of this project.

    folder = sdist("dkimpy", "1.1.8", "b5f6…")      # → where it was unpacked
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

CACHE = Path(sys.prefix) / ".cache" / "sdists"


def sdist(name: str, version: str, sha256: str) -> Path:
    """The folder of an unpacked source distribution. Raises `RuntimeError` where it cannot be had, or is another than it should be."""
    archive = CACHE / f"{name}-{version}.tar.gz"
    if not archive.exists():
        _fetch(name, version, archive)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != sha256:
        archive.unlink()
        raise RuntimeError(
            f"{archive.name} has the SHA-256 {found}, and should have {sha256}: it is not the release that was published"
        )
    folder = CACHE / f"{name}-{version}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=CACHE) as temporary, tarfile.open(archive) as packed:
            if hasattr(tarfile, "data_filter"):  # Python 3.11.4
                packed.extraction_filter = tarfile.data_filter
            packed.extractall(temporary)
            (Path(temporary) / folder.name).rename(folder)
    return folder


def _fetch(name: str, version: str, archive: Path) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--no-binary", name, "--dest", temporary, f"{name}=={version}"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            raise RuntimeError(
                f"pip could not fetch the source distribution of {name} {version}, which this test needs as `make venv` needs PyPI: "
                + " ".join(done.stderr.split())[-600:]
            )
        (Path(temporary) / archive.name).rename(archive)
