"""The private halves of DKIM keys, as PEM files that exim can read: `<root>/<domain>/<selector>.pem`.

Files are 0640 in 0750 directories, owned by the service's user and group Debian-exim. A private half is on disk, synced,
before its public half is told to anyone, and it never leaves this module. A file is never written over.
"""

from __future__ import annotations

import base64
import grp
import hashlib
import os
import re
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dnssync.core.model import KeyPair
from dnssync.errors import KeyFileError
from dnssync.files import group_id, make_directory, remedy, sweep, sync_directory, there, user_id, write_atomically

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

GROUP = "Debian-exim"
USER = "dnssync"
COPIED = ".copied"  # beside the copy of a hand-made key: that file is ours to delete, and not the administrator's own
HOST = "host-id"  # the file with this host's name
ALGORITHMS = ("rsa1024", "rsa2048", "rsa3072", "rsa4096", "ed25519")
MIN_RSA = 1024  # RFC 8301: shorter ones must not be used
# By file, a digest of how it looked and the public half that it held: reading a key takes 60 µs, and a pass looks at each. Never a private half.
_known: dict[str, tuple[bytes, tuple[str, str]]] = {}
_MOST = 100_000
_SETTLED = 2_000_000_000  # nanoseconds since the last change, after which the stamps of a file tell of the next one
_PUT_BACK = "Put back the name that stands between the date and the last four letters of the key files in the folders beside it."
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")


def public_half(pem: bytes, where: str = "the key") -> tuple[str, str]:
    """(algorithm, p=) of a private key in PEM: RSA as PKCS#8 or traditional, Ed25519 as PKCS#8 (RFC 6376, RFC 8463).

    p= is base64 of the SPKI DER for RSA, of the raw 32 octets for Ed25519. Raises `KeyFileError`.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    try:
        # The library would test both primes, 20 ms and more a key, at every pass; what a damaged file gets wrong is looked at below.
        key = serialization.load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        raise KeyFileError(
            f"{where} is protected by a passphrase; exim could not use it. Write it without one."
        ) from None
    except UnsupportedAlgorithm:
        raise KeyFileError(f"{where} is of a kind that DKIM does not know; it takes RSA and Ed25519.") from None
    except ValueError as error:
        short = "too small" in str(error).lower() or "key size" in str(error).lower()
        told = "is an RSA key that is too short to be used" if short else "does not hold a private key in PEM form"
        raise KeyFileError(f"{where} {told}. Make a new one, or name the right file.") from None
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < MIN_RSA:
            raise KeyFileError(f"{where} is an RSA key of {key.key_size} bits; receivers refuse fewer than {MIN_RSA} "
                               "(RFC 8301). Make a new one of 2048 bits.")  # fmt: skip
        if not _whole(key):
            raise KeyFileError(
                f"{where} is damaged: the parts of the RSA key do not belong together. Bring back a copy of it."
            )
        spki = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return f"rsa{key.key_size}", base64.b64encode(spki).decode("ascii")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return "ed25519", base64.b64encode(raw).decode("ascii")
    raise KeyFileError(f"{where} is neither RSA nor Ed25519; DKIM knows no other.")


def _whole(key: rsa.RSAPrivateKey) -> bool:
    """Whether the numbers of an RSA key fit (RFC 8017 §3.2), so that what it signs can be verified with its public half."""
    n = key.private_numbers()
    e, d, p, q = n.public_numbers.e, n.d, n.p, n.q
    fits = p > 1 and q > 1 and p * q == n.public_numbers.n and d * e % (p - 1) == 1 and d * e % (q - 1) == 1
    return fits and n.dmp1 == d % (p - 1) and n.dmq1 == d % (q - 1) and n.iqmp * q % p == 1


def read_public(path: Path) -> tuple[str, str]:
    """(algorithm, p=) of a private key file; raises `KeyFileError` naming the file. A file that has not changed since is not read again."""
    where = str(path)
    try:
        look = _look(os.stat(path))  # noqa: PTH116
    except OSError:
        look = None
    known = _known.get(where)
    if known is not None and look is not None and known[0] == _short(look):
        return known[1]
    half = public_half(_bytes(path), where)
    _known.pop(where, None)
    # A file that was written just now may be written again within the same tick of its stamps.
    if look is not None and max(look[:2]) < time.time_ns() - _SETTLED and _unmoved(path, look):
        if len(_known) >= _MOST:
            del _known[next(iter(_known))]
        _known[where] = (_short(look), (sys.intern(half[0]), half[1]))
    return half


def _look(info: os.stat_result) -> tuple[int, ...]:
    """What is another one after any change of a file, its owner or its mode, or of whom we read it as."""
    stamps = (info.st_mtime_ns, info.st_ctime_ns)
    return (*stamps, info.st_size, info.st_mode, info.st_uid, info.st_gid, info.st_ino, info.st_dev, os.geteuid())


def _short(look: tuple[int, ...]) -> bytes:
    """A digest of it: there are forty thousand keys, and nine numbers of each take more room than all else that is kept of it."""
    return hashlib.blake2b(repr(look).encode(), digest_size=16).digest()


def _unmoved(path: Path, look: tuple[int, ...]) -> bool:
    try:
        return _look(path.stat()) == look
    except OSError:
        return False


class Keystore:
    """The directory of private keys. `group` and `user` own what is written, where they exist on this machine."""

    def __init__(self, root: Path, *, group: str = GROUP, user: str = USER) -> None:
        self.root = root
        self._group = group
        self._user = user

    def path(self, domain: str, selector: str) -> Path:
        """Where a key's private half lies; refuses names that would lead out of the directory."""
        for name in (domain, selector):
            if not _NAME.fullmatch(name) or ".." in name:
                raise KeyFileError(f"{name!r} cannot name a key's file.")
        return self.root / domain / f"{selector}.pem"

    def host(self) -> str:
        """The name of this host in selectors, as it was chosen once; "" where it was not yet. Raises `KeyFileError`."""
        path = self.root / HOST
        try:
            name = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not ASCII"
            raise KeyFileError(
                f"{path}, which holds this host's name for its keys, cannot be read: {why}. {_PUT_BACK}"
            ) from None
        if not _HOST.fullmatch(name):
            raise KeyFileError(f"{path} holds {name[:40]!a}, which is no name for a host's keys. {_PUT_BACK}")
        return name

    def name_host(self, name: str) -> None:
        """Choose that name: kept beside the keys, so that a backup of both belongs together."""
        owner, group = user_id(self._user), group_id(self._group)
        make_directory(self.root, mode=0o750, owner=owner, group=group)
        write_atomically(self.root / HOST, f"{name}\n".encode("ascii"), mode=0o640, owner=owner, group=group)

    def purge(self, key: KeyPair, disclose: Path | None = None) -> bool:
        """Delete the private half of a key whose record is gone. With `disclose` it is first put into that folder for all to read,
        as `<domain>/<selector>.pem`: what it signed can then be denied, since anybody could have. No file is fine, another key's is not.
        False where it stays: a hand-made key that lay here before dnssync came is the administrator's own."""
        path = self.path(key.domain, key.selector)
        if key.adopted and not there(path.with_suffix(COPIED), KeyFileError):
            return False
        try:
            pem = path.read_bytes()
        except FileNotFoundError:
            return True
        except OSError as error:
            raise KeyFileError(f"The private key {path} cannot be read: {error.strerror}.") from None
        try:
            public = public_half(pem, str(path))
        except KeyFileError:
            public = None
        if public is not None and public[1] != key.public_key:
            raise KeyFileError(f"{path} holds another key than {key.selector} is; it stays. See who put it there.")
        if disclose is not None and public is not None:
            make_directory(disclose / key.domain, mode=0o755)
            write_atomically(disclose / key.domain / f"{key.selector}.pem", pem, mode=0o644)
        try:
            path.unlink()
            path.with_suffix(COPIED).unlink(missing_ok=True)
            sync_directory(path.parent)
        except OSError as error:
            raise KeyFileError(
                f"The private key {path} cannot be deleted: {error.strerror}. {remedy(path, error)}."
            ) from None
        return True

    def sweep(self) -> None:
        """Take away half-written files of a process that was killed; the caller holds the lock."""
        for folder in (self.root, *(path for path in self.root.glob("*") if path.is_dir() and not path.is_symlink())):
            sweep(folder)

    def any(self) -> bool:
        """Whether any private half lies here."""
        return next(self.root.rglob("*.pem"), None) is not None

    def holds(self, domain: str, selector: str) -> bool:
        """Whether a file is there for the key; raises `KeyFileError` where that cannot be looked at."""
        return there(self.path(domain, selector), KeyFileError)

    def mark(self, domain: str, selector: str | None = None) -> tuple[int, ...]:
        """How a key's file, or a domain's folder, looks without being opened: another one, or a changed one, has another mark; () where there is
        none, or it cannot be looked at."""
        try:
            info = (self.root / domain if selector is None else self.path(domain, selector)).stat()
        except (OSError, KeyFileError):
            return ()
        changed = (info.st_size, info.st_mtime_ns, info.st_ctime_ns) if selector is not None else ()
        return (info.st_ino, info.st_mode, info.st_uid, info.st_gid, *changed)

    def public(self, domain: str, selector: str) -> tuple[str, str] | None:
        """(algorithm, p=) of a key whose private half lies here and can be used, None where none does."""
        try:
            return self.half(domain, selector)
        except KeyFileError:
            return None

    def half(self, domain: str, selector: str) -> tuple[str, str]:
        """The same; raises `KeyFileError`, which says why, where none does."""
        return read_public(self.path(domain, selector))

    def generate(self, domain: str, selector: str, algorithm: str) -> tuple[str, str]:
        """Make a key; returns (algorithm, p=) once the private half is safely on disk. An existing file stays and is an
        error: a selector is never used for two keys (RFC 6376 §3.1)."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

        key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
        if algorithm not in ALGORITHMS:
            raise KeyFileError(f"{algorithm} is no kind of key that dnssync makes; it makes {', '.join(ALGORITHMS)}.")
        if algorithm == "ed25519":
            key = ed25519.Ed25519PrivateKey.generate()
        else:
            key = rsa.generate_private_key(public_exponent=65537, key_size=int(algorithm.removeprefix("rsa")))
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._write(self.path(domain, selector), pem)
        return public_half(pem)

    def adopt(self, domain: str, selector: str, source: str) -> tuple[str, str]:
        """Take a copy of a key that the administrator made; the source is neither changed nor deleted. A copy that is
        there already, of the same key, is fine."""
        pem = _bytes(Path(source))
        public = public_half(pem, source)
        path = self.path(domain, selector)
        if self.holds(domain, selector):
            if read_public(path) != public:
                raise KeyFileError(f"{path} holds another key than {source}; one of the two was put there by mistake. Take "
                                   "the wrong one away and run dnssync again.")  # fmt: skip
            return public
        # Before the copy: without this mark, the file counts as the administrator's own.
        self._write(path.with_suffix(COPIED), b"")
        self._write(path, pem)
        return public

    def problem(self, key: KeyPair) -> str:
        """Why exim could not sign with this key now, "" where it could: read, matched, and its modes looked at as
        exim's group sees them."""
        path = self.path(key.domain, key.selector)
        try:
            algorithm, public = read_public(path)
        except KeyFileError as error:
            return str(error)
        if public != key.public_key:
            return f"{path} holds another {algorithm} key than the one that is published for {key.selector}."
        return self._closed_to_exim(path)

    def closed(self, domain: str) -> str:
        """Why exim could not open a key that were made for the domain now, "" where it could: a folder on the way to it
        that is there and lets exim's group not through."""
        return self._closed_to_exim(self.path(domain, "selector").parent, "keys below it")

    def _closed_to_exim(self, path: Path, what: str = "") -> str:
        """Whether exim's group is shut out of a key's file, or of a directory on the way to it; what is not there yet
        will be made with the right modes. `what` names what cannot be opened, else it is the file."""
        try:
            wanted = grp.getgrnam(self._group).gr_gid
        except KeyError:
            return ""  # No such group here (a trial): then exim runs as the invoking user.
        place = os.path.realpath(path)
        while True:
            try:
                status = os.stat(place)  # noqa: PTH116 - a pass looks at ten thousand keys
            except OSError:
                status = None  # not there yet; or a folder further up is closed to ourselves, and looked at in its turn
            if status is not None and not self._lets_in(status, wanted):
                letter = "x" if stat.S_ISDIR(status.st_mode) else "r"
                return (
                    f"{place} is closed to group {self._group}, so exim cannot open {what or path}. Open it: "
                    f"chgrp {self._group} {place} && chmod g+{letter} {place}"
                )
            above = place.rpartition("/")[0] or "/"
            if above == place:
                return ""
            place = above

    def _lets_in(self, status: os.stat_result, group: int) -> bool:
        """Whether exim's group can read a file, or go through a folder."""
        need = stat.S_IXGRP if stat.S_ISDIR(status.st_mode) else stat.S_IRGRP
        # The kernel takes the owner's bits for the owner, the group's for the group, and only then the others'.
        allowed = status.st_mode & need if status.st_gid == group else status.st_mode & (need >> 3)
        return bool(allowed) or self._exim_is_us(status.st_uid)

    def _exim_is_us(self, owner: int) -> bool:
        """As an ordinary user without that group (a trial), exim can only be running as ourselves."""
        return os.geteuid() != 0 and owner == os.geteuid() and group_id(self._group) == -1

    def _write(self, path: Path, pem: bytes) -> None:
        owner, group = user_id(self._user), group_id(self._group)
        make_directory(path.parent, mode=0o750, owner=owner, group=group)
        write_atomically(path, pem, mode=0o640, owner=owner, group=group, exclusive=True)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise KeyFileError(f"The private key {path} is not there.") from None
    except OSError as error:
        raise KeyFileError(f"The private key {path} cannot be read: {error.strerror}. Run dnssync as root, or as a user of "
                           f"group {GROUP}.") from None  # fmt: skip
