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
from dnssync.exim.ask import Exim, Expansion
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


def expires(exim: Exim, options: Mapping[str, str]) -> int | None:
    """How long its signatures are valid, in seconds (x= − t=), None where they carry no x=."""
    text = options.get("dkim_timestamps", "").strip()
    if "$" in text:
        text = exim.expand([text])[text].text
    return int(text) if text.isdigit() and int(text) > 0 else None


def probe(
    exim: Exim,
    transports: Mapping[str, Mapping[str, str]],
    through: Mapping[str, Sequence[str]],
    reader: Reader,
) -> dict[tuple[str, str], Probe]:
    """For each domain and each transport that its mail leaves `through`: the signatures that exim would make."""
    signing = {name: options for name, options in transports.items() if all(options.get(o) for o in _NEEDED)}
    pairs = [(domain, name) for domain, names in through.items() for name in names if name in signing]
    domains = exim.expand(_text(signing[name], "dkim_domain", domain) for domain, name in pairs)
    named = {pair: domains[_text(signing[pair[1]], "dkim_domain", pair[0])] for pair in pairs}
    pending = [(*pair, d) for pair in pairs for d in _items(named[pair])]
    selectors = exim.expand(_text(signing[name], "dkim_selector", domain, d) for domain, name, d in pending)
    chosen = {at: selectors[_text(signing[at[1]], "dkim_selector", at[0], at[2])] for at in pending}
    lines = [(*at, s) for at in pending for s in _items(chosen[at])]
    keys = exim.expand(_text(signing[name], "dkim_private_key", domain, d, s) for domain, name, d, s in lines)
    opened: dict[str, Signer] = {}
    found: dict[tuple[str, str], Probe] = {}
    for pair in pairs:
        problem = _problem(pair[1], "dkim_domain", named[pair])
        signers: list[Signer] = []
        for d in _items(named[pair]):
            problem = problem or _problem(pair[1], "dkim_selector", chosen[(*pair, d)])
            for s in _items(chosen[(*pair, d)]):
                key = keys[_text(signing[pair[1]], "dkim_private_key", pair[0], d, s)]
                problem = problem or _problem(pair[1], "dkim_private_key", key)
                if not key.error and key.text.strip().lower() not in _NO_KEY:
                    signers.append(_signer(d, s, key.text.strip(), reader, opened))
        found[pair] = Probe(tuple(signers), problem)
    return _without_tainted(exim, signing, found)


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


def _signer(d: str, s: str, key: str, reader: Reader, opened: dict[str, Signer]) -> Signer:
    """One signature; a key file is opened once, however many domains share it."""
    if key not in opened:
        opened[key] = _open(key, reader)
    one = opened[key]
    return Signer(d.lower(), s, one.path, one.algorithm, one.public_key, one.problem)


def _open(key: str, reader: Reader) -> Signer:
    path = key if key.startswith("/") else INLINE
    if path == INLINE:
        pem = key.encode("utf-8", "surrogateescape")
    else:
        hindrance = obstacle(Path(path), reader.uid, reader.gid)
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
    if uid == 0:
        return ""
    real = Path(os.path.realpath(path))  # a link leads through other folders too
    for part in dict.fromkeys((*reversed(path.parents), *reversed(real.parents), path)):
        try:
            info = part.stat()
        except FileNotFoundError:
            return f"{path}: exim signs with this key, and there is no such file"
        except OSError as error:
            return f"{path}: dnssync cannot look at {part}: {error.strerror}"
        shift = 6 if info.st_uid == uid else 3 if info.st_gid == gid else 0
        wanted = stat.S_IXOTH if part != path else stat.S_IROTH
        if not (info.st_mode >> shift) & wanted:
            how = "enter the folder" if part != path else "read the file"
            return f"{path}: exim may not {how} {part} (mode {stat.S_IMODE(info.st_mode):04o}); give it to exim's group"
    return ""


def _without_tainted(
    exim: Exim, signing: Mapping[str, Mapping[str, str]], found: dict[tuple[str, str], Probe]
) -> dict[tuple[str, str], Probe]:
    """Mark the signers whose key file exim will not open because its name comes from the message (since 4.94)."""
    for name, options in signing.items():
        pairs = [pair for pair in found if pair[1] == name and found[pair].signers]
        from_file = any(signer.path != INLINE for pair in pairs for signer in found[pair].signers)
        if not from_file or not _message_in_path(options):
            continue
        path = written(options["dkim_private_key"], {"dkim_selector": options["dkim_selector"]})
        path = written(path, {"dkim_domain": options["dkim_domain"]})
        if not exim.tainted(path, f"postmaster@{pairs[0][0]}"):
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
            found[pair] = Probe(signers, found[pair].problem)
    return found


def _message_in_path(options: Mapping[str, str]) -> bool:
    """Whether anything of the message can get into the key's file name."""
    told: Iterable[str] = (options[name] for name in _NEEDED)
    return bool(set(message("x")) & set().union(*(variables(text) for text in told)))
