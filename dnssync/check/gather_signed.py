"""Test messages that exim signs, as it would those of people: taken in, signed and sent to a server of ours on loopback, and nowhere else.

A folder of its own holds the changed configuration (`exim.rehearsal`), the queue, its databases and the logs, and is gone at the end.
exim runs as itself where we are root, and so opens keys as ever; else as whoever we are.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dnssync.check.dkim_messages import Made, Shape, Signed, SignedMail
from dnssync.check.facts import Failed
from dnssync.check.gather import Sources
from dnssync.errors import EximError
from dnssync.exim.ask import Exim
from dnssync.exim.rehearsal import Rehearsal, derived
from dnssync.exim.sink import Sink

FULL = 100  # domains that get a message of each shape; with more, each has its plain one
BATCH = 100  # messages that one exim takes in before it delivers them
TIMEOUT = 120.0  # seconds for one step of a batch, which takes one
LONGEST = 240.0  # seconds for all; what is not made by then is not made
PREFIX = "dnssync-signed-"
LEFT = 3600.0  # seconds after which a folder is one that a check left behind which was killed
NOTHING = "exim made no test message"
RUNNERS = 2  # queue runners at a time
_ID = r"[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}"
_TAKEN = re.compile(rf"(?: ({_ID}))? <= .* for (\S+)$")
_DULL = re.compile(r" <= | => | Completed$| is locked \(another process|^Start queue|^End queue")


@dataclass(frozen=True, slots=True)
class _Job:
    """One message to make: `to` is its own recipient, by which it is known again."""

    domain: str
    shape: Shape
    transport: str
    to: str


def fetch(
    wishes: Sequence[Signed], sources: Sources, *, full: int = FULL, longest: float = LONGEST
) -> Mapping[Signed, SignedMail | Failed]:
    """Every domain's messages; `Failed` where none could be made. `full` domains at most get all shapes, and what is not made after
    `longest` seconds is not. Raises `EximError` where exim's configuration cannot be rehearsed."""
    config = sources.exim.config()
    transports = tuple(dict.fromkeys(name for wish in wishes for name in wish.transports))
    if not transports:
        return {wish: Failed("exim has no smtp transport for it") for wish in wishes}
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with Sink() as sink:
            owner = _owner(sources.exim) if os.geteuid() == 0 else None
            user, group = ("", "") if owner else (str(os.geteuid()), str(os.getegid()))
            plan = derived(config, transports, folder=str(folder), port=sink.port, user=user, group=group)
            _lay_out(folder, plan.text, owner)
            jobs = list(_jobs(wishes, plan, tuple(Shape) if len(wishes) <= full else (Shape.PLAIN,)))
            made, why = _made(jobs, folder, owner, sources, sink, longest)
    except BaseException:
        _end(folder)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    of: dict[str, list[Made]] = {}
    for job in jobs:
        if job.to in made:
            of.setdefault(job.domain, []).append(made[job.to])
    found: dict[Signed, SignedMail | Failed] = {}
    for wish in wishes:
        left = tuple(text for text in plan.left_out if text.partition(":")[0] in wish.transports)
        own = tuple(of.get(wish.domain, ()))
        found[wish] = SignedMail(own, owner is not None, left, len(wishes) > full) if own else Failed(why or NOTHING)
    return found


def _made(
    jobs: Sequence[_Job],
    folder: Path,
    owner: tuple[int, int] | None,
    sources: Sources,
    sink: Sink,
    longest: float,
) -> tuple[dict[str, Made], str]:
    """By recipient what became of the messages, and why some were not made, "" where all were."""
    made: dict[str, Made] = {}
    until = time.monotonic() + longest
    for begin in range(0, len(jobs), BATCH):
        some = jobs[begin : begin + BATCH]
        if time.monotonic() >= until:
            return made, f"exim was given {longest:g} seconds to make test messages, and they are over"
        _fresh(folder, owner)
        sink.messages.clear()
        try:
            said = _deliver(some, folder, sources)
        except (OSError, subprocess.SubprocessError) as error:
            _end(folder)
            return made, f"exim could not make a test message: {_short(error)}"
        made.update(_results(some, folder, sink, said))
    return made, ""


def _end(folder: Path) -> None:
    """End what exim still runs with this configuration, after it was given up: its queue runners have children of their own, which may be
    other programs (`${run`)."""
    ours = os.fsencode(folder / "exim.conf")
    for pause in (0, 0.2):  # a process that is just becoming another program shows no arguments
        time.sleep(pause)
        found, parents = set[int](), dict[int, int]()
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it ended by itself
                parents[int(place.name)] = int((place / "stat").read_bytes().rpartition(b")")[2].split()[1])
                if ours in (place / "cmdline").read_bytes().split(b"\0"):
                    found.add(int(place.name))
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _sweep() -> None:
    """Take away what a check of ours left that had no time to (SIGKILL, a crash of the host)."""
    for place in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            info = place.lstat()
            if stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and info.st_mtime < time.time() - LEFT:
                shutil.rmtree(place, ignore_errors=True)


def _lay_out(folder: Path, text: str, owner: tuple[int, int] | None) -> None:
    """The folder as exim needs it. Its user may look at the configuration, which stays ours, and write queue and logs alone."""
    file = folder / "exim.conf"
    file.write_text(text, encoding="utf-8", errors="surrogateescape")
    file.chmod(0o640)
    if owner is not None:
        for place in (folder, file):
            os.chown(place, -1, owner[1])
        folder.chmod(0o710)


def _fresh(folder: Path, owner: tuple[int, int] | None) -> None:
    """An empty queue and empty logs: what waits of the batch before would be tried again, and again, with each that follows."""
    for place in (folder / "spool", folder / "log"):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700)
        if owner is not None:
            os.chown(place, *owner)


def _owner(exim: Exim) -> tuple[int, int]:
    """exim's own user and group."""
    told = exim.options("exim_user", "exim_group")
    user, group = told["exim_user"], told["exim_group"]
    try:
        entry = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
        return entry.pw_uid, int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise EximError(f"exim's user {user} or its group {group} does not exist on this host.") from None


def _jobs(wishes: Sequence[Signed], plan: Rehearsal, shapes: Sequence[Shape]) -> Iterator[_Job]:
    token = secrets.token_hex(6)  # so that nobody else on this host can hand the sink a message in its place
    number = 0
    for wish in wishes:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", wish.domain):  # it becomes part of a dialogue
            continue
        for shape in shapes:
            for transport in wish.transports:
                number += 1
                yield _Job(wish.domain, shape, transport, f"m{number}-{token}@{plan.domains[transport]}")


def message(domain: str, shape: Shape, to: str) -> tuple[str, str]:
    """(envelope sender, text) of a test message."""
    sender, name, more = f"postmaster@{domain}", f"postmaster@{domain}", ""
    if shape is Shape.ENCODED:
        name = f"=?utf-8?Q?Caf=C3=A9=2C_Sales?= <postmaster@{domain}>"
    elif shape is Shape.BELOW:
        sender = name = f"postmaster@news.{domain}"
    elif shape is Shape.LIST:
        sender, more = f"team-bounces@lists.{domain}", f"List-Id: <team.lists.{domain}>\n"
    elif shape is Shape.BOUNCE:
        sender, name, more = "", f"Mail Delivery System <Mailer-Daemon@{domain}>", "Auto-Submitted: auto-replied\n"
    text = f"From: {name}\nTo: {to}\nSubject: A test message of dnssync\n{more}\nIt stays on this host.\n"
    return sender, text


def _deliver(jobs: Sequence[_Job], folder: Path, sources: Sources) -> str:
    """Have exim take the messages in and deliver them; what it said on standard error."""
    talk = ["HELO localhost"]
    for job in jobs:
        sender, text = message(job.domain, job.shape, job.to)
        talk += [f"MAIL FROM:<{sender}>", f"RCPT TO:<{job.to}>", "DATA", *text.splitlines(), "."]
    talk.append("QUIT")
    command = [sources.exim.command[0], "-C", str(folder / "exim.conf")]
    said = [_run([*command, "-odq", "-bs"], "\n".join(talk) + "\n", sources)]
    with ThreadPoolExecutor(RUNNERS) as pool:  # -qff: also what waits since a message before it could not be signed
        try:
            said += pool.map(lambda _: _run([*command, "-qff"], "", sources), range(RUNNERS))
        except BaseException:
            _end(folder)  # what a runner waits for; else nobody who ends this check is heard until they are done
            raise
    return "\n".join(said)


def _run(argv: Sequence[str], text: str, sources: Sources) -> str:
    done = sources.run(argv, input=text, capture_output=True, encoding="utf-8", errors="surrogateescape", timeout=TIMEOUT,
                       cwd="/")  # fmt: skip
    if done.returncode and "configuration" in done.stderr.lower():
        raise EximError(
            f"exim does not take its configuration with the changes that a test message needs: {_last(done.stderr)}"
        )
    refused = [line for line in str(done.stdout or "").splitlines() if re.match(r"[45]\d\d ", line)]
    return "\n".join([str(done.stderr), *refused])


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"^\d{4}-\d\d-\d\d [\d:]{8} ", "", " ".join(lines[-2:]))[:300]


def _short(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it did not come to an end within {TIMEOUT:g} seconds"
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _results(jobs: Sequence[_Job], folder: Path, sink: Sink, said: str) -> dict[str, Made]:
    """By recipient what became of each message."""
    came = {recipient: got.data for got in tuple(sink.messages) for recipient in got.recipients}
    lines = [*_log(folder), *said.splitlines()]
    taken: dict[
        str, str
    ] = {}  # recipient → the message's id, "" where exim logs to standard error: there it names none
    for line in lines:
        if match := _TAKEN.search(line):
            taken[match[2]] = match[1] or ""
    of: dict[str, list[str]] = {}
    for line in lines:
        if not _DULL.search(line):
            for word in set(re.findall(r"[^\s<>()/]+", line)):
                of.setdefault(word, []).append(line)
    found = {}
    refused = tuple(dict.fromkeys(line for line in said.splitlines() if re.match(r"[45]\d\d ", line)))[:2]
    for job in jobs:
        id = taken.get(job.to, "")
        of_it = of.get(id, ()) if id else (line for line in of.get(job.domain, ()) if " == " not in line)
        log = tuple(dict.fromkeys(_bare(line) for line in (*of_it, *of.get(job.to, ()))))
        data = came.get(job.to)
        if data is None and job.to not in taken:
            log = log or refused
        found[job.to] = Made(job.shape, job.transport, data, log, waits=data is None and job.to in taken)
    return found


def _log(folder: Path) -> Iterator[str]:
    for name in ("mainlog", "paniclog", "rejectlog"):
        try:
            with open(folder / "log" / name, "rb", opener=_no_link) as file:
                yield from file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            continue


def _no_link(path: str, flags: int) -> int:
    """The folder belongs to exim's user: what it may put there must not lead root elsewhere."""
    opened = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError("not a file")
    return opened


def _bare(line: str) -> str:
    """A log line without its time, the message's id and our recipient."""
    line = re.sub(r"^\d{4}-\d\d-\d\d [\d:]{8}(?:\.\d+)? (?:[+-]\d{4} )?", "", line)
    line = re.sub(rf"^{_ID} ", "", line)
    return re.sub(r"m\d+-[0-9a-f]{12}@t\d+\.dnssync\.invalid", "(test message)", line)
