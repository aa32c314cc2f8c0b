"""Test messages that exim signs: ways of writing dkim_domain that lose some of them, and that nothing of it gets anywhere."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnssync.check import gather_signed
from dnssync.check.dkim_messages import Shape, Signed, SignedMail, author, signatures
from dnssync.check.facts import Failed
from dnssync.check.finding import Finding
from dnssync.check.gather import Sources, fetch
from dnssync.errors import EximError
from dnssync.exim.rehearsal import HIDDEN, derived
from dnssync.resolver import Resolver
from tests.check.dkim_site import Site, by_subject
from tests.daemon.test_confined import CONFINED, NOBODY, ROOT, python
from tests.exim_host import needs_exim

pytestmark = [needs_exim, pytest.mark.exim]
needs_strace = pytest.mark.skipif(
    not shutil.which("strace") and not os.environ.get("CI"), reason="no strace here (apt install strace)"
)

# Whoever runs it has exim's group as the unit gives it, as the first one, or as one of several.
OTHER = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--groups=Debian-exim", "--bounding-set=-all", "--inh-caps=-all")
ASIDE = ("setpriv", "--no-new-privs", *(OTHER if ROOT else ()))

# From: decoded first, the envelope sender alone, a fixed table: three ways that the web shows. No dkim_strict.
NAIVE = r"""
DKIM_DOMAIN = ${if match{$rh_from:}{sender.test}{${lookup{$sender_address_domain}lsearch{{map}}}}{${lookup{${lc:${domain:$h_from:}}}lsearch{{map}}}}}
DKIM_SELECTOR = s1
DKIM_PRIVATE_KEY = {keys}/$dkim_domain/s1.pem
"""
DOMAINS = (
    "decoded.test",
    "sender.test",
    "away.test",
    "provider.test",
    "under.test",
    "sub.under.test",
    "strict.test",
    "sub.strict.test",
    "shut.test",
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], list[Finding]]]:
    """DKIM-07 over domains whose exim signs as the web says."""
    with Site(tmp_path_factory.mktemp("naive"), DOMAINS, macros=NAIVE) as site:
        for domain in ("decoded.test", "sender.test", "provider.test", "under.test", "strict.test", "shut.test"):
            site.line(domain, s1="rsa2048")
        signs = {domain: domain for domain in DOMAINS} | {
            "away.test": "provider.test", "sub.under.test": "under.test", "sub.strict.test": "strict.test",
        }  # fmt: skip
        site._lines = signs
        site.more["sub.strict.test"] = '_dmarc TXT "v=DMARC1; p=none; adkim=s"\n'
        (site.exim_host.keys / "shut.test/s1.pem").chmod(0)
        yield site.findings("DKIM-07")


def said(found: dict[tuple[str, str], list[Finding]], domain: str) -> list[tuple[str, str, str]]:
    """(severity, message, remedy) about one domain."""
    return sorted((str(f.severity), f.message, f.remedy) for f in found["DKIM-07", domain])


def test_the_decoded_header_loses_a_comma(found: Any) -> None:
    """`$h_from:` loses people whose name has a comma: an error, since everybody may have one; sub-domains: a warning."""
    [one, two] = said(found, "decoded.test")
    assert one[0] == "error" and one[1].startswith("One whose From: has an encoded name") and "$rh_from:" in one[2]
    assert two[0] == "warning" and two[1].startswith("One from a sub-domain") and "parents" in two[2]


def test_the_envelope_sender_loses_lists_and_bounces(found: Any) -> None:
    """Who asks the envelope sender signs neither list posts nor bounces: a warning that names both."""
    [one] = said(found, "sender.test")
    assert one[0] == "warning" and "without a signature" in one[1]
    assert one[1].startswith("One from a sub-domain, a post through a mailing list and a bounce through remote_smtp")


def test_signed_by_another_domain(found: Any) -> None:
    """A signature of another domain verifies, and does not help."""
    errors = [one for one in said(found, "away.test") if one[0] == "error" and "no signature is aligned" in one[1]]
    assert len(errors) == 1 and "From: away.test (signed by provider.test)" in errors[0][1]
    assert errors[0][1].startswith("A plain message")


def test_relaxed_and_strict_alignment(found: Any) -> None:
    """Signed by the parent is worth knowing where DMARC is relaxed, and an error where it is strict."""
    plain = [one for one in said(found, "sub.under.test") if "A plain message" in one[1]]
    assert [one[0] for one in plain] == ["info"] and "adkim=r" in plain[0][1]
    plain = [one for one in said(found, "sub.strict.test") if "A plain message" in one[1]]
    assert [one[0] for one in plain] == ["error"] and "_dmarc.sub.strict.test wants" in plain[0][1]
    assert not any("A plain message" in one[1] for one in said(found, "under.test"))


def test_unsigned_because_the_key_is_shut(found: Any) -> None:
    """Without dkim_strict it leaves unsigned, and exim's log line says why."""
    plain = [one for one in said(found, "shut.test") if "plain message" in one[1]]
    assert plain[0][0] == "error" and "without a signature" in plain[0][1] and "unable to open file" in plain[0][1]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Two domains that exim signs for with dnssync's macros."""
    with Site(tmp_path, ("a.test", "b.test"), relay_nets="198.51.100.0/24") as site:
        site.line("a.test", s1="rsa2048", e1="ed25519")
        site.line("b.test", s1="rsa2048")
        site.switch()
        yield site


def sources(site: Site, **more: Any) -> Sources:
    """What looks into wishes, with this site's exim."""
    return Sources(None, Resolver({}, system=[]), site.exim_host.exim(), **more)  # type: ignore[arg-type]


A = Signed("a.test", ("remote_smtp",))


def everything(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Watched:
    """`subprocess.run`, or what stands in for it, which notes the folders of the configurations that exim is started with."""

    def __init__(self, run: Any = subprocess.run) -> None:
        self.run, self.folders = run, set[Path]()

    def __call__(self, argv: list[str], **more: Any) -> Any:
        self.folders.add(Path(argv[argv.index("-C") + 1]).parent)
        return self.run(argv, **more)

    @property
    def gone(self) -> bool:
        """Whether there was one, and nothing of it is left."""
        return bool(self.folders) and not any(folder.exists() for folder in self.folders)


def test_five_messages_each_as_people_send_them(site: Site) -> None:
    """All shapes are made, signed with each selector, and leave nothing behind: no file, nothing in exim's own queue, logs and databases."""
    before, run = everything(site.exim_host.folder), Watched()
    made = gather_signed.fetch([A], sources(site, run=run))[A]
    assert isinstance(made, SignedMail)
    assert [one.shape for one in made.messages] == list(Shape)
    for one in made.messages:
        assert one.data is not None and [s.selector for s in signatures(one.data)] == ["s1", "e1"]
        assert author(one.data) == ("news.a.test" if one.shape is Shape.BELOW else "a.test")
    assert b"List-Id:" in (made.messages[3].data or b"") and made.own_user == (os.geteuid() == 0)
    assert everything(site.exim_host.folder) == before and run.gone


ELSEWHERE = """  interface = 127.0.0.9
  hosts = 127.0.0.8
  hosts_override
  fallback_hosts = 127.0.0.8
  hosts_require_tls = *
  hosts_require_auth = *
  hosts_require_dane = *
  socks_proxy = 127.0.0.8 port=PORT
  transport_filter = /usr/bin/touch FOLDER/filtered
  event_action = ${run{/usr/bin/touch FOLDER/event}}
  headers_add = X-Kept: yes
  return_path = bounces@kept.test"""


@needs_strace
def test_nothing_connects_anywhere_but_to_the_sink(tmp_path: Path) -> None:
    """Whatever leads elsewhere in the transport and the main options: the only connections of exim's are those to the sink, and what shapes
    the message is there."""
    main = "spamd_address = 127.0.0.8 783\nevent_action = ${run{/usr/bin/touch FOLDER/main}}\nsystem_filter = /nonexistent\nnotifier_socket =\n"
    with socket.create_server(("127.0.0.8", 0)) as trap:
        trap.setblocking(False)

        def filled(text: str) -> str:
            return text.replace("FOLDER", str(tmp_path)).replace("PORT", str(trap.getsockname()[1]))

        edits = {"remote_smtp": filled(ELSEWHERE)}
        with Site(tmp_path, ("a.test",), edits=edits, extra=filled(main)) as site:
            site.line("a.test", s1="rsa2048")
            site.switch()
            calls = tmp_path / "calls"
            tmp_path.chmod(0o777)

            def traced(argv: list[str], **more: Any) -> Any:
                return subprocess.run(
                    ["strace", "-f", "-A", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", str(calls), *argv], **more
                )

            made = gather_signed.fetch([A], sources(site, run=traced))[A]
            with pytest.raises(BlockingIOError):
                trap.accept()
    assert isinstance(made, SignedMail) and made.left_out == ("remote_smtp: transport_filter",)
    first = made.messages[0].data or b""
    assert signatures(first) and b"X-Kept: yes" in first
    aims = re.findall(
        r"sin6?_port=htons\((\d+)\), (?:sin_addr=inet_addr|.*inet_pton\(AF_INET6, )\(?\"([^\"]+)\"", calls.read_text()
    )
    assert aims and {address for _, address in aims} == {"127.0.0.1"} and len({port for port, _ in aims}) == 1
    assert not any((tmp_path / name).exists() for name in ("filtered", "event", "main"))


CHILD = "import subprocess; p = subprocess.Popen(['sleep', '300']); print('begun', flush=True); p.wait()"


def test_all_is_gone_after_a_failure_too(site: Site) -> None:
    """exim that never ends is given up, and exim that is not there is told; the folder goes."""
    left: list[subprocess.Popen[str]] = []

    def endless(argv: list[str], **more: Any) -> Any:
        left.append(
            subprocess.Popen(
                [sys.executable, "-c", CHILD, *argv], text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
            )
        )
        assert left[-1].stdout is not None and left[-1].stdout.readline() == "begun\n"
        raise subprocess.TimeoutExpired(argv, more["timeout"])

    run = Watched(endless)
    made = gather_signed.fetch([A], sources(site, run=run))[A]
    assert isinstance(made, Failed) and "did not come to an end within 120 seconds" in made.reason
    assert run.gone and [process.wait(10) for process in left] == [-9]  # what it left running was ended
    assert left[0].stdout is not None and left[0].stdout.read() == ""  # and what that ran: nobody has the pipe any more
    left[0].stdout.close()

    def broken(argv: list[str], **more: Any) -> Any:
        return subprocess.CompletedProcess(
            argv, 1, "", "2026-01-01 00:00:00 Exim configuration error in line 3:\n  main option unknown\n"
        )

    run = Watched(broken)
    with pytest.raises(EximError, match="does not take its configuration with the changes"):
        gather_signed.fetch([A], sources(site, run=run))
    assert run.gone


def test_what_a_killed_check_left(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of a check that was killed goes with a later one; one that may be in use, or is no folder, stays."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)  # exim's user has to get in
    left, fresh, link = (tmp_path / f"dnssync-signed-{name}" for name in ("left", "fresh", "link"))
    for folder in (left / "spool", fresh, tmp_path / "away"):
        folder.mkdir(parents=True)
    link.symlink_to(tmp_path / "away")
    old = time.time() - gather_signed.LEFT - 60
    os.utime(left, (old, old))
    os.utime(link, (old, old), follow_symlinks=False)
    gather_signed.fetch([A], sources(site))
    assert not left.exists() and fresh.exists() and link.is_symlink()


def test_what_exim_logs_of_a_mistake(tmp_path: Path) -> None:
    """A mistake in what is carried over is told in the folder of the test, not in the host's own logs; an ACL named `accept` takes no part."""
    text = derived(CONFIG.replace("{domain}", "a.test"), ("remote_smtp",), folder="/f", port=1).text
    assert text.index("log_file_path = /f/log") < text.index("domainlist local_domains")
    with Site(tmp_path, ("a.test",)) as site:
        (site.exim_host.confdir / "conf.d/acl/99_accept").write_text("accept:\n  deny message = no\n")
        site.line("a.test", s1="rsa2048")
        site.switch()
        made = gather_signed.fetch([A], sources(site))[A]
    assert isinstance(made, SignedMail) and all(one.data for one in made.messages)


def test_many_domains_get_a_plain_message_each(site: Site) -> None:
    """Beyond the bound there is one message for a domain, and what is not made in time says so."""
    b = Signed("b.test", ("remote_smtp",))
    made = gather_signed.fetch([A, b], sources(site), full=1)
    for wish in (A, b):
        one = made[wish]
        assert isinstance(one, SignedMail) and one.plain_only and [m.shape for m in one.messages] == [Shape.PLAIN]
    with site.world(have=made) as world:
        got = by_subject(world.findings("DKIM-07"))
    assert sum("many domains" in f.message for some in got.values() for f in some) == 1
    late = gather_signed.fetch([A], sources(site), longest=-1)[A]
    assert isinstance(late, Failed) and "seconds" in late.reason


def test_a_name_that_would_speak_smtp(site: Site) -> None:
    """A name with a line break in it becomes no part of the dialogue, and the others get theirs."""
    odd = Signed("a.test>\nRCPT TO:<x@b.test", ("remote_smtp",))
    made = gather_signed.fetch([odd, A], sources(site))
    assert isinstance(made[odd], Failed) and isinstance(made[A], SignedMail)


def test_what_exim_does_not_take(site: Site) -> None:
    """A message that exim refuses proves nothing of signatures: unknown, with exim's own words."""

    def refusing(argv: list[str], **more: Any) -> Any:
        return subprocess.CompletedProcess(argv, 0, "220 mx ESMTP\n250 mx\n550 Administrative prohibition\n", "")

    made = gather_signed.fetch([A], sources(site, run=refusing))
    with site.world(have={**made, Signed("b.test", A.transports): Failed("x")}) as world:
        [one] = by_subject(world.findings("DKIM-07"))["DKIM-07", "a.test"]
    assert (
        str(one.severity) == "unknown" and "exim did not take it" in one.message and "550 Administrative" in one.message
    )


INNER = """
import sys
from dnssync.check import gather_signed
from dnssync.check.dkim_messages import Signed, signatures
from dnssync.check.gather import Sources
from dnssync.exim.ask import Exim
wish = Signed("a.test", ("remote_smtp",))
made = gather_signed.fetch([wish], Sources(None, None, Exim(sys.argv[1:])))[wish]
sys.stdout.write(f"{made.own_user} {[len(signatures(one.data or b'')) for one in made.messages]} {made.messages[0].log}")
"""


@pytest.mark.parametrize("start", [CONFINED, ASIDE], ids=["first", "aside"])
def test_as_the_service_runs_it(site: Site, start: tuple[str, ...]) -> None:
    """Another user, in exim's group alone, without a way to new privileges: keys that the group may read sign; one that it may not is exim's log line."""
    import sysconfig

    code = f"import site, sys; sys.path.insert(0, {sysconfig.get_path('purelib')!r}); site.addsitedir(sys.path[0])\n{INNER}"
    argv = [*start, python(), "-c", code, *site.exim_host.command]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.stdout == "False [2, 2, 2, 2, 2] ()", done.stderr
    (site.exim_host.keys / "a.test/s1.pem").chmod(0)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("False [0, 0, 0, 0, 0]") and "unable to open file" in done.stdout, done.stderr


def test_a_key_that_we_alone_cannot_open(site: Site) -> None:
    """Where exim runs as another user than its own, a closed key is no proof: unknown, and how to know."""
    (site.exim_host.keys / "a.test/s1.pem").chmod(0)
    made = gather_signed.fetch([A], sources(site))[A]
    assert isinstance(made, SignedMail)
    for own_user, severity in ((True, "error"), (False, "unknown")):
        have = {A: SignedMail(made.messages, own_user), Signed("b.test", A.transports): Failed("x")}
        with site.world(have=have) as world:
            [one] = by_subject(world.findings("DKIM-07"))["DKIM-07", "a.test"]
        assert str(one.severity) == severity and ("root" in one.remedy) is not own_user


CONFIG = """
domainlist local_domains = a.test
hide mysql_servers = {hidden}
begin transports
  remote_smtp:
    driver = smtp
    hide dkim_private_key = /keys/s.pem
    dkim_domain = {domain}
begin retry
"""


def test_what_exim_hides(site: Site) -> None:
    """A hidden option that nothing of ours asks for is left out; one that signing may depend on is a reason to give up, and names itself."""

    def rehearsed(**values: str) -> str:
        text = CONFIG.replace("{hidden}", HIDDEN)
        for name, value in {"domain": "a.test", **values}.items():
            text = text.replace(f"{{{name}}}", value)
        return derived(text, ("remote_smtp",), folder="/f", port=1).text

    assert "mysql" not in rehearsed() and "dkim_private_key = /keys/s.pem" in rehearsed()
    with pytest.raises(EximError, match="hides the value of mysql_servers"):
        rehearsed(domain="${lookup mysql{SELECT 1}}")
    with pytest.raises(EximError, match="hides the value of dkim_private_key"):
        derived(CONFIG.replace("/keys/s.pem", HIDDEN), ("remote_smtp",), folder="/f", port=1)
    with pytest.raises(EximError, match="shows no transport other"):
        derived(CONFIG, ("other",), folder="/f", port=1)


def test_what_cannot_be_rehearsed_is_unknown(site: Site) -> None:
    """An exim that says nothing makes the finding unknown, with the reason, and no crash."""
    lost = Sources(None, Resolver({}, system=[]), site.exim_host.exim().with_config("/nonexistent"))  # type: ignore[arg-type]
    with site.world(have=fetch(lost, [A, Signed("b.test", A.transports)])) as world:
        got = by_subject(world.findings("DKIM-07"))
    assert {str(f.severity) for some in got.values() for f in some} == {"unknown"}
