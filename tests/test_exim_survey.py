"""exim is asked once a pass for what is the same for all domains, and about domains in batches: few processes, and the same answers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnssync.core.host import Host
from dnssync.exim.observe import observe
from dnssync.exim.survey import Survey
from dnssync.keystore import Keystore
from tests.exim_host import EximHost

pytestmark = pytest.mark.exim
NAMES = tuple(f"d{number}.test" for number in range(6))


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A private key."""
    store = Keystore(tmp_path_factory.mktemp("keys"))
    store.generate("example.org", "s1", "ed25519")
    return store.path("example.org", "s1").read_bytes()


class Counted:
    """Starts exim's processes, and counts them; `texts` are what they were given to read."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, *args: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        self.texts.append(options["input"])
        return subprocess.run(*args, **options)


def survey(host: EximHost, run: Callable[..., Any] = subprocess.run, v4: str = "192.0.2.1", **more: Any) -> Survey:
    """One, with the kernel's address as told."""
    return Survey(
        host.exim(run),
        lookup=lambda name, kind: (),
        map_path=host.map,
        source_address=lambda family: v4 if family == 4 else None,
        passing_addresses=frozenset,
        **more,
    )


def head(host: EximHost, text: str) -> None:
    """More lines at the head of exim's configuration, which is rendered anew."""
    host.head((host.confdir / "conf.d/main/000_localmacros").read_text() + text + "\n")
    host.render()


def files(host: EximHost, pem: bytes) -> None:
    """A host whose domains stand in a file, whose interface is looked up, and that signs: whatever can be asked is asked."""
    (host.folder / "domains").write_text("".join(f"{name}:\n" for name in NAMES[1:]))
    (host.folder / "interfaces").write_text(f"{NAMES[2]}: 192.0.2.7\n")
    head(
        host,
        f"MAIN_LOCAL_DOMAINS = @ : {NAMES[0]} : lsearch;{host.folder}/domains\n"
        f"REMOTE_SMTP_INTERFACE = ${{lookup{{$sender_address_domain}}lsearch{{{host.folder}/interfaces}}{{$value}}fail}}",
    )
    host.switched()
    host.map.write_text("".join(f"{name}: s1\n" for name in NAMES[:4]))
    for name in NAMES[:3]:
        host.key(name, "s1", pem)


def test_batches_say_what_all_at_once_does(pem: bytes) -> None:
    """However the names are cut, each domain is what one observation of all of them says, and so are the host's own names."""
    with EximHost(hostnames=()) as host:
        files(host, pem)
        asked: dict[str, Any] = {"recipients": ["root@{domain}", f"root@{NAMES[1]}", "x@elsewhere.test"]}
        whole = observe(
            host.exim(),
            (*NAMES, "other.test"),
            lookup=lambda name, kind: (),
            map_path=host.map,
            source_address=lambda family: "192.0.2.1" if family == 4 else None,
            passing_addresses=frozenset,
            **asked,
        )
        one = survey(host)
        names = one.names((*NAMES, "other.test"))
        local = one.local(names)
        parts = [one.host(names[at : at + 3], **asked) for at in range(0, len(names), 3)]

    assert tuple(mail for part in parts for mail in part.domains) == whole.domains
    assert {part.helo for part in parts} == {whole.helo} == {("mx.example.org",)}
    assert local == {mail.name for mail in whole.domains if mail.local} == {*NAMES, "mx.example.org"}
    signed = {m.name for m in whole.domains for t in m.transports for s in t.signers if not s.problem}
    assert signed == set(NAMES[:3]) and {m.name for m in whole.domains if m.accepts} == local


def test_few_processes(pem: bytes) -> None:
    """Six for the host, one for which names it has, five for a batch in which everything can be asked; the next batch is one less, since a
    transport is asked once whether it takes the names of keys."""
    with EximHost(hostnames=()) as host:
        files(host, pem)
        run = Counted()
        one = survey(host, run)
        assert len(run.texts) == 6
        names = one.names(NAMES)
        one.local(names)
        assert len(run.texts) == 7
        for batch, most in ((names[:3], 5), (names[3:], 4)):
            before = len(run.texts)
            one.host(batch, ["root@{domain}"])
            assert len(run.texts) - before <= most


def test_plain_items_are_not_asked_for() -> None:
    """A list of ten thousand names would be gone through for each of them; where it makes an exception, it is."""
    for more, asked in (("", 0), (f"!{NAMES[0]} : ", len(NAMES))):
        with EximHost() as host:
            head(host, f"MAIN_LOCAL_DOMAINS = {more}{' : '.join(NAMES)}")
            run = Counted()
            one = survey(host, run)
            assert one.local(one.names(NAMES)) == set(NAMES[1:] if more else NAMES)
            assert run.texts[-1].count("match_domain{d") == asked


def test_a_notice_is_told_once() -> None:
    """What is wrong with the host is said with the first batch, and not with each."""
    with EximHost(extra="REMOTE_SMTP_HELO_DATA = $host\nMAIN_LOCAL_DOMAINS = !bad.test\n") as host:
        host.render()
        one = survey(host, lists=("local_domains", "relay_to_domains"))
        told = [[notice.reason for notice in one.host([name]).notices] for name in NAMES]
    assert "list_matches_all" in told[0] and told[1:] == [[]] * 5


def test_greetings_are_the_hosts() -> None:
    """Two transports greet with two names: each batch has both, though its own domains leave through one of them."""
    with EximHost(hostnames=("example.org", "example.net")) as host:
        router = host.confdir / "conf.d/router/150_local_other"
        router.write_text(
            "other:\n  driver = dnslookup\n  domains = ! +local_domains\n  senders = *@example.org\n  transport = other_smtp\n  no_more\n"
        )
        (host.confdir / "conf.d/transport/40_other").write_text(
            "other_smtp:\n  driver = smtp\n  helo_data = other.example.net\n"
        )
        host.render()
        one = survey(host)
        names = one.names(["example.org", "example.net"])
        one.local(names)
        parts: list[Host] = [one.host([name]) for name in ("example.net", "example.org")]
    assert {part.helo for part in parts} == {("mx.example.org", "other.example.net")}
    assert [part.domains[0].transports[-1].name for part in parts] == ["remote_smtp", "other_smtp"]


def touched(path: Path, text: str) -> None:
    """Another text in a file, as long as the old one, with the time of the old one on it."""
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_the_mark(pem: bytes) -> None:
    """The same as long as exim could say nothing else, whatever stands in our map; another one with the configuration, a list, a file or
    folder that is looked up, a macro's way into the file, an address or a user."""
    with EximHost(hostnames=()) as host:
        files(host, pem)
        folder = host.folder / "elsewhere"
        folder.mkdir()
        head(host, f"domainlist elsewhere = dsearch,ret=full;{folder} : lsearch;{host.map}.theirs")
        first = survey(host).mark
        host.map.write_text("other.test: s2\n")
        assert survey(host).mark == first
        assert survey(host, v4="192.0.2.2").mark != first
        assert survey(host, addresses=["192.0.2.1"]).mark != first
        assert survey(host, lists=("local_domains", "relay_to_domains")).mark != first
        marks = [first]
        for change in (
            lambda: touched(host.folder / "interfaces", f"{NAMES[3]}: 192.0.2.7\n"),
            lambda: (host.folder / "domains").write_text("none.test:\n"),
            lambda: Path(f"{host.map}.theirs").write_text(f"{NAMES[4]}:\n"),
            lambda: (folder / NAMES[2]).write_text(""),
            lambda: head(host, "REMOTE_SMTP_HELO_DATA = mail.example.org"),
            lambda: host.config.write_text(host.config.read_text() + "\n# only a remark\n"),
        ):
            change()
            marks.append(survey(host).mark)
        assert len(set(marks)) == len(marks)
