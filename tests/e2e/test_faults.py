"""Bad input and faults on the real parts: a clear sentence, nothing lost, and convergence once it is over."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dns.query
import dns.tsig
import dns.tsigkeyring
import dns.update
import pytest

import dnssync
from dnssync import assemble
from dnssync.core.model import Change, ProviderError
from tests.bind import SECRET, Bind
from tests.exim_host import EximHost
from tests.site_under_test import DOMAIN, IP, ZONE, Site, site

__all__ = ["site"]

pytestmark = [pytest.mark.bind, pytest.mark.exim]
WANTED = f"v=spf1 mx a ip4:{IP} -all"


def nsupdate(bind: Bind, *, add: str = "", delete: str = "", name: str = "@", kind: str = "TXT") -> None:
    """An edit by somebody else, with the same key."""
    keyring = dns.tsigkeyring.from_text({bind.key_name: SECRET})
    update = dns.update.UpdateMessage(DOMAIN, keyring=keyring, keyalgorithm=dns.tsig.HMAC_SHA256)
    if delete:
        update.delete(name, kind, delete)
    if add:
        update.add(name, 300, kind, add)
    assert dns.query.tcp(update, "127.0.0.1", port=bind.port).rcode() == 0


class Between:
    """Parts whose provider does something just before, or just after, its first write."""

    def __init__(self, before: Any = None, after: Any = None) -> None:
        self.before, self.after = before, after

    def __call__(self, config: Any, **options: Any) -> Any:
        line = assemble.line(config, **options)
        real, outer = line.zones, self

        class Provider:
            def __init__(self, name: str) -> None:
                self.real = real.provider(name)
                self.limits = self.real.limits
                self.read = self.real.read

            def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
                before, outer.before = outer.before, None
                if before:
                    before()
                told = self.real.write(zone, changes)
                after, outer.after = outer.after, None
                if after:
                    after()
                return told

        class Zones:
            limits = staticmethod(real.limits)
            provider = staticmethod(Provider)

        line.zones = Zones()  # type: ignore[assignment]
        return line


class TestSomebodyElse:
    def test_edit_between_read_and_write(self, site: Site) -> None:
        """An edit between our read and our write survives: the prerequisite fails, the zone is read again."""
        parts = Between(before=lambda: nsupdate(site.bind, add='"late=1"', delete='"v=spf10 is not SPF"'))
        code, out = site.run("apply", "--yes", make_line=parts)
        assert code == 0, out
        assert site.bind.texts(DOMAIN) == sorted(["late=1", "site-verification=abcdef", WANTED])
        assert site.run("plan")[0] == 0

    def test_our_record_edited_between(self, site: Site) -> None:
        """Where the edit makes another plan, nothing is written and a person is asked to look again."""
        parts = Between(before=lambda: nsupdate(site.bind, add='"v=spf1 include:other.example -all"'))
        code, out = site.run("apply", "--yes", make_line=parts)
        assert code == 3, out
        assert "apply --adopt" in out or "nothing was written" in out.lower()
        assert "v=spf1 include:other.example -all" in site.bind.texts(DOMAIN)
        assert WANTED not in site.bind.texts(DOMAIN)

    def test_cname_between_read_and_write(self, site: Site) -> None:
        """A CNAME that came where a new record should go is named at once, and refused by the next plan."""
        parts = Between(before=lambda: nsupdate(site.bind, name="_dmarc", add="dmarc.example.net.", kind="CNAME"))
        before = site.bind.transfer(DOMAIN)
        code, out = site.run("apply", "--yes", make_line=parts)
        assert code == 1 and f"_dmarc.{DOMAIN} is a CNAME at" in " ".join(out.split()), out
        assert "times in a row" not in out
        assert len(site.bind.transfer(DOMAIN)) == len(before) + 1
        code, out = site.run("plan")
        assert code == 3 and f"_dmarc.{DOMAIN} is a CNAME to dmarc.example.net." in " ".join(out.split())

    def test_named_ends_while_keys_wait(self, site: Site) -> None:
        """`--wait` tells that the zone cannot be read, tries again, and ends with that and exit code 1."""

        def sleep(seconds: float) -> None:
            site.now += seconds * 15
            site.bind.__exit__()

        site._sleep = sleep  # type: ignore[method-assign]
        code, out = site.run("apply", "--yes", "--wait")
        assert code == 1 and out.rstrip().endswith("It went on failing; the waiting ends here."), out
        assert f"failed: {DOMAIN}" in out and "tried again every minute, until 2026-11-24 09:" in out, out

    def test_connection_lost_after_the_write(self, site: Site) -> None:
        """A write whose answer is lost is found by the next run, which has nothing to do."""

        def lost() -> None:
            raise ProviderError(f"{DOMAIN}: the connection broke", transient=True)

        code, out = site.run("apply", "--yes", make_line=Between(after=lost))
        assert code == 1 and "connection broke" in out
        assert WANTED in site.bind.texts(DOMAIN)
        assert site.run("plan")[0] == 0
        assert site.run("apply", "--yes")[0] == 0
        assert len(list(site.exim.keys.rglob("*.pem"))) == 2


class TestTakeover:
    def test_found_spf_is_merged_once_adopted(self, site: Site) -> None:
        """An SPF record with an include is shown beside the merged one, refused, and merged after --adopt."""
        nsupdate(site.bind, name="_spf", add='"v=spf1 ip4:198.51.100.0/24 -all"')
        nsupdate(site.bind, add=f'"v=spf1 include:_spf.{DOMAIN} ~all"')
        before = site.bind.transfer(DOMAIN)
        code, out = site.run("plan")
        assert code == 3
        flat = " ".join(out.split())
        assert f'"v=spf1 include:_spf.{DOMAIN} ~all"' in flat
        assert f'"v=spf1 include:_spf.{DOMAIN} mx a ip4:{IP} ~all"' in flat and "apply --adopt" in flat
        assert site.run("apply", "--yes")[0] == 3
        assert site.bind.transfer(DOMAIN) == before
        code, out = site.run("apply", "--yes", "--adopt")
        assert code == 0, out
        assert f"v=spf1 include:_spf.{DOMAIN} mx a ip4:{IP} ~all" in site.bind.texts(DOMAIN)
        assert site.run("plan")[0] == 0

    def test_found_reject_is_kept(self, site: Site) -> None:
        """p=reject is never weakened, here or from a parent."""
        nsupdate(site.bind, name="_dmarc", add='"v=DMARC1; p=reject; adkim=s"')
        assert site.run("apply", "--yes", "--adopt")[0] == 0
        assert site.bind.texts(f"_dmarc.{DOMAIN}")[0].startswith("v=DMARC1; p=reject;")

    def test_two_spf(self, site: Site) -> None:
        """Two SPF records are refused with both texts."""
        nsupdate(site.bind, add='"v=spf1 mx -all"')
        nsupdate(site.bind, add='"v=spf1 a -all"')
        code, out = site.run("plan", "--adopt")
        assert code == 3 and "v=spf1 mx -all" in out and "v=spf1 a -all" in out

    def test_a_reviewed_plan(self, site: Site) -> None:
        """`plan --out` and `apply --plan` do exactly that plan, or nothing once the world has moved."""
        file = str(site.folder / "plan.json")
        assert site.run("plan", "--out", file)[0] == 2
        nsupdate(site.bind, add='"late=1"')
        code, out = site.run("apply", "--plan", file)
        assert code == 3 and "not the plan that was agreed to" in " ".join(out.split())
        assert site.run("plan", "--out", file)[0] == 2
        assert site.run("apply", "--plan", file)[0] == 0
        assert WANTED in site.bind.texts(DOMAIN)


class TestProvider:
    @pytest.mark.parametrize(
        ("option", "value", "word"),
        [("key_secret", "AAAA", "BADSIG"), ("key_name", "nobody", "BADKEY"), ("port", 1, "cannot be reached")],
    )
    def test_not_let_in(self, site: Site, option: str, value: object, word: str) -> None:
        """A wrong secret, an unknown key and a server that does not listen are told, without the secret."""
        text = site.config.read_text().replace(f'"{option}": ', f'"{option}": {value!r}, "x": '.replace("'", '"'))
        site.config.write_text(text.replace(f', "x": "{SECRET}"', "").replace(f', "x": "{site.bind.key_name}"', "")
                               .replace(f', "x": {site.bind.port}', ""))  # fmt: skip
        for command in (("plan",), ("apply", "--yes")):
            code, out = site.run(*command)
            assert code == 1, out
            assert word in out and DOMAIN in out and SECRET not in out and "Traceback" not in out

    def test_a_zone_that_does_not_load(self, tmp_path: Path) -> None:
        """SERVFAIL is told as what it is, and is not an empty zone."""
        with EximHost(hostnames=(DOMAIN,)) as exim, Bind(tmp_path / "bind", {DOMAIN: "SOA is broken"}) as bind:
            exim.render()
            code, out = Site(tmp_path, exim, bind).run("plan")
        assert code == 1
        assert "SERVFAIL" in out or "NOTAUTH" in out


class TestExim:
    def test_none(self, site: Site) -> None:
        """No exim: one sentence that says what to install."""
        site.config.write_text(site.config.read_text().replace("/usr/sbin/exim4", "/nonexistent/exim4"))
        code, out = site.run("plan")
        assert code == 1 and "exim is not here" in out and "Traceback" not in out

    def test_broken(self, site: Site) -> None:
        """A broken configuration is quoted in exim's words."""
        site.exim.config.write_text(site.exim.config.read_text() + "\nnonsense here\n")
        code, out = site.run("plan")
        assert code == 1 and "exim cannot use its configuration" in out and "Traceback" not in out

    def test_a_domain_without_a_zone(self, tmp_path: Path) -> None:
        """A domain that no zone holds is a notice, and the others go on."""
        with EximHost(hostnames=(DOMAIN, "homeless.example")) as exim, Bind(tmp_path / "bind", {DOMAIN: ZONE}) as bind:
            exim.render()
            code, out = Site(tmp_path, exim, bind).run("plan")
        assert code == 2 and "homeless.example" in out and "no zone" in out

    def test_not_switched(self, tmp_path: Path) -> None:
        """While exim does not read our map, keys get ready and mail stays as it was; the notice tells the command."""
        with EximHost(hostnames=(DOMAIN,)) as exim, Bind(tmp_path / "bind", {DOMAIN: ZONE}) as bind:
            exim.render()
            host = Site(tmp_path, exim, bind)
            code, out = host.run("apply", "--yes", "--wait")
            assert code == 0 and "exim --install" in " ".join(out.split())
            code, out = host.run("status")
            assert " ready " in out and " active " not in out


def _for_everybody(folder: Path) -> list[str]:
    """A command that runs dnssync and that another user may run too, wherever this checkout and its Python lie."""
    folder.mkdir(mode=0o755)
    big = shutil.ignore_patterns(
        "mypy*", "hypothesis*", "ruff*", "pip*", "octodns*", "psycopg*", "__pycache__", "*.pth"
    )
    shutil.copytree(sysconfig.get_path("purelib"), folder / "lib", ignore=big)
    shutil.copytree(Path(dnssync.__file__).parent, folder / "lib" / "dnssync", ignore=big)
    shutil.copytree(Path(dnssync.__file__).parents[1] / "providers", folder / "lib" / "dnssync_providers", ignore=big)
    python = "/usr/bin/python3" if sys.base_prefix.startswith("/root/") else f"{sys.base_prefix}/bin/python3"
    code = f"import sys; sys.path.insert(0, {str(folder / 'lib')!r}); from dnssync.cli import main; main()"
    return [python, "-c", code]


class TestOneAtATime:
    def test_two_applies(self, site: Site) -> None:
        """Two applies at once: one waits for the other, and only one pair of keys is made."""
        argv = [
            sys.executable,
            "-c",
            "import sys; from dnssync.cli import main; main()",
            "-c",
            str(site.config),
            "apply",
            "--yes",
        ]
        both = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
        told = [process.communicate(timeout=120)[0] for process in both]
        assert [process.returncode for process in both] == [0, 0], told
        assert len(list(site.exim.keys.rglob("*.pem"))) == 2
        assert site.run("plan")[0] == 0

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can be beside another user's state")
    def test_root_beside_a_daemons_state(self, site: Site) -> None:
        """apply as root leaves no file of root's in a state that belongs to another user."""
        import pwd

        nobody = pwd.getpwnam("nobody").pw_uid
        site.folder.chmod(0o755)
        for parent in list(site.folder.parents)[:2]:  # the two that pytest made
            parent.chmod(0o755)
        for name in ("state",):
            os.chown(site.folder / name, nobody, -1)
        for path in (site.exim.keys, site.exim.map.parent, site.exim.map):
            os.chown(path, nobody, -1)
        argv = [*_for_everybody(site.folder / "copy"), "-c", str(site.config), "apply", "--yes"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, cwd=site.folder)
        assert done.returncode == 0, done.stdout + done.stderr
        made = [path for top in ("state",) for path in (site.folder / top).iterdir()] + list(
            site.exim.keys.rglob("*.pem")
        )
        assert len(made) >= 3
        assert {path.stat().st_uid for path in made} == {nobody}
