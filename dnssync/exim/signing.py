"""The effective-signer probe: which selectors and which keys would exim sign a domain's mail with now?

exim itself expands its dkim_* options, for a message from `postmaster@` the domain; no mail is sent. For ten thousand
domains that is a handful of processes: what an option asks of the message is written into it as text.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dnssync.core.host import TAINTED, Signer
from dnssync.errors import KeyFileError
from dnssync.exim.ask import Asking, Exim, Expansion
from dnssync.exim.lists import message, split, variables, written

PublicHalf = Callable[[bytes, str], tuple[str, str]]
_NEEDED = ("dkim_domain", "dkim_selector", "dkim_private_key")
_NO_KEY = ("", "0", "false")  # exim: sign nothing, and do not complain
INLINE = "(in exim's configuration)"


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom exim opens its keys as, and what takes the public half out of a PEM: `public_half(pem, where)` gives
    (algorithm, text of p=) or raises `KeyFileError`, with `where` the key stands in its sentence."""

    uid: int
    gid: int
    public_half: PublicHalf


@dataclass(frozen=True, slots=True)
class Probe:
    """What one transport signs one domain's mail with; `problem` where exim could not say."""

    signers: tuple[Signer, ...] = ()
    problem: str = ""


def reader(exim_user: str, exim_group: str, public_half: PublicHalf) -> Reader:
    """Whom exim delivers as, from its options `exim_user` and `exim_group` (names or numbers)."""
    try:
        user = pwd.getpwuid(int(exim_user)) if exim_user.isdigit() else pwd.getpwnam(exim_user)
    except KeyError:
        return Reader(os.geteuid(), os.getegid(), public_half)
    try:
        gid = int(exim_group) if exim_group.isdigit() else grp.getgrnam(exim_group).gr_gid
    except KeyError:
        gid = user.pw_gid
    return Reader(user.pw_uid, gid, public_half)


def shown(options: Mapping[str, str]) -> dict[str, str]:
    """The dkim_* options that are set, a key that stands among them taken out."""
    secret = re.compile(r"-----BEGIN .*", re.DOTALL)
    return {name: secret.sub(INLINE, text) for name, text in options.items() if name.startswith("dkim_") and text}


def expires(options: Mapping[str, str]) -> Asking[int | None]:
    """How long its signatures are valid, in seconds (x= − t=), None where they carry no x=."""
    text = options.get("dkim_timestamps", "").strip()
    if "$" in text:
        text = (yield [text])[text].text
    return int(text) if text.isdigit() and int(text) > 0 else None


def probe(
    transports: Mapping[str, Mapping[str, str]], pairs: Sequence[tuple[str, str]], reader: Reader
) -> Asking[dict[tuple[str, str], Probe]]:
    """For each pair of a domain and a transport that its mail may leave through: the signatures that exim would make."""
    signing = {name: options for name, options in transports.items() if all(options.get(o) for o in _NEEDED)}
    pairs = [pair for pair in pairs if pair[1] in signing]
    texts = {pair: _text(signing[pair[1]], "dkim_domain", pair[0]) for pair in pairs}
    answers = yield texts.values()
    named = {pair: answers[text] for pair, text in texts.items()}
    of_domain = {
        (*pair, d): _text(signing[pair[1]], "dkim_selector", pair[0], d) for pair in pairs for d in _items(named[pair])
    }
    answers = yield of_domain.values()
    chosen = {at: answers[text] for at, text in of_domain.items()}
    of_selector = {
        (*at, s): _text(signing[at[1]], "dkim_private_key", at[0], at[2], s)
        for at in of_domain
        for s in _items(chosen[at])
    }
    keys = yield of_selector.values()
    obstructed = Obstacles(reader.uid, reader.gid)
    opened: dict[str, Signer] = {}
    found: dict[tuple[str, str], Probe] = {}
    for pair in pairs:
        problem = _problem(pair[1], "dkim_domain", named[pair])
        signers: list[Signer] = []
        for d in _items(named[pair]):
            problem = problem or _problem(pair[1], "dkim_selector", chosen[(*pair, d)])
            for s in _items(chosen[(*pair, d)]):
                key = keys[of_selector[(*pair, d, s)]]
                problem = problem or _problem(pair[1], "dkim_private_key", key)
                if not key.error and key.text.strip().lower() not in _NO_KEY:
                    signers.append(_signer(d, s, key.text.strip(), reader, obstructed, opened))
        found[pair] = Probe(tuple(signers), problem)
    return found


def _text(options: Mapping[str, str], option: str, domain: str, d: str = "", s: str = "") -> str:
    values = message(domain)
    values.update({"dkim_domain": d} if d else {}, **({"dkim_selector": s} if s else {}))
    return written(options[option], values)


def _items(expansion: Expansion) -> tuple[str, ...]:
    return () if expansion.error else tuple(dict.fromkeys(split(expansion.text)))


def _problem(transport: str, option: str, expansion: Expansion) -> str:
    if not expansion.error:
        return ""
    return (
        f"exim cannot work out {option} of its transport {transport}: {expansion.error}. Mail leaves unsigned, or "
        "waits where dkim_strict is set."
    )


def _signer(d: str, s: str, key: str, reader: Reader, obstructed: Obstacles, opened: dict[str, Signer]) -> Signer:
    """One signature; a key file is opened once, however many domains share it."""
    if key not in opened:
        opened[key] = _open(key, reader, obstructed)
    one = opened[key]
    return Signer(d.lower(), s, one.path, one.algorithm, one.public_key, one.problem)


def _open(key: str, reader: Reader, obstructed: Obstacles) -> Signer:
    path = key if key.startswith("/") else INLINE
    if path == INLINE:
        pem = key.encode("utf-8", "surrogateescape")
    else:
        hindrance = obstructed(path)
        if hindrance:
            return Signer("", "", path, problem=hindrance)
        try:
            pem = Path(path).read_bytes()
        except OSError as error:
            return Signer("", "", path, problem=f"{path}: dnssync cannot read this key: {error.strerror}")
    try:
        algorithm, public_key = reader.public_half(pem, path)
    except KeyFileError as error:
        return Signer("", "", path, problem=str(error))
    return Signer("", "", path, algorithm, public_key)


def obstacle(path: Path, uid: int, gid: int) -> str:
    """Why exim, as this user and group, cannot open the file; "" where it can. Judged by owner, group and modes."""
    return Obstacles(uid, gid)(str(path))


class Obstacles:
    """The same for many files: each folder on the way to them is looked at once."""

    def __init__(self, uid: int, gid: int) -> None:
        self._uid, self._gid = uid, gid
        self._folders: dict[str, str] = {}
        self._parts: dict[str, str] = {}

    def __call__(self, path: str) -> str:
        """Why exim cannot open the file, "" where it can."""
        if self._uid == 0:
            return ""
        hindrance = self._way(os.path.split(path)[0])
        if not hindrance and Path(path).is_symlink():  # a link leads through other folders too
            hindrance = self._way(os.path.split(os.path.realpath(path))[0])
        hindrance = hindrance or self._judge(path, stat.S_IROTH, "read the file")
        return f"{path}: {hindrance}" if hindrance else ""

    def _way(self, folder: str) -> str:
        """What keeps exim from entering a folder, as it is named or as it really lies; "" = nothing."""
        if folder not in self._folders:
            parts = dict.fromkeys((*_down(folder), *_down(os.path.realpath(folder))))
            told = (self._enter(part) for part in parts)
            self._folders[folder] = next(filter(None, told), "")
        return self._folders[folder]

    def _enter(self, part: str) -> str:
        if part not in self._parts:
            self._parts[part] = self._judge(part, stat.S_IXOTH, "enter the folder")
        return self._parts[part]

    def _judge(self, part: str, wanted: int, how: str) -> str:
        try:
            info = os.stat(part)  # noqa: PTH116 - of ten thousand domains
        except FileNotFoundError:
            return "exim signs with this key, and there is no such file"
        except OSError as error:
            return f"dnssync cannot look at {part}: {error.strerror}"
        shift = 6 if info.st_uid == self._uid else 3 if info.st_gid == self._gid else 0
        if (info.st_mode >> shift) & wanted:
            return ""
        return f"exim may not {how} {part} (mode {stat.S_IMODE(info.st_mode):04o}); give it to exim's group"


def _down(folder: str) -> tuple[str, ...]:
    """The folders from the root down to one, itself the last."""
    steps = folder.split("/")
    return ("/", *("/".join(steps[:n]) for n in range(2, len(steps) + 1)))


def mark_tainted(
    found: Mapping[tuple[str, str], Probe],
    signing: Mapping[str, Mapping[str, str]],
    tainted: Callable[[str, str], bool],
) -> dict[tuple[str, str], Probe]:
    """Mark the signers whose key file exim will not open because its name comes from the message (since 4.94).

    `tainted(transport, domain)`: whether exim says so of mail of the domain; see `is_tainted`.
    """
    marked = dict(found)
    for name in dict.fromkeys(pair[1] for pair in found):
        pairs = [pair for pair in found if pair[1] == name and found[pair].signers]
        from_file = any(signer.path != INLINE for pair in pairs for signer in found[pair].signers)
        if not from_file or not _message_in_path(signing[name]) or not tainted(name, pairs[0][0]):
            continue
        why = (
            f"exim refuses a key file whose name comes from the message ({TAINTED}): dkim_domain of transport {name} has "
            "to go through a look-up. `dnssync exim --print` shows one that does"
        )
        for pair in pairs:
            signers = tuple(
                Signer(s.domain, s.selector, s.path, s.algorithm, s.public_key, s.problem or why)
                for s in found[pair].signers
            )
            marked[pair] = Probe(signers, found[pair].problem)
    return marked


def is_tainted(exim: Exim, options: Mapping[str, str], domain: str) -> bool:
    """Whether exim refuses the key files of a transport with these options, asked with a message of the domain."""
    path = written(options["dkim_private_key"], {"dkim_selector": options["dkim_selector"]})
    path = written(path, {"dkim_domain": options["dkim_domain"]})
    return exim.tainted(path, f"postmaster@{domain}")


def _message_in_path(options: Mapping[str, str]) -> bool:
    """Whether anything of the message can get into the key's file name."""
    told: Iterable[str] = (options[name] for name in _NEEDED)
    return bool(set(message("x")) & set().union(*(variables(text) for text in told)))
