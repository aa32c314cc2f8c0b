"""`dnssync exim --install` and `--uninstall` on Debian's configuration, and a hand-made key that is taken on."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dnssync.cli import run
from dnssync.cli.context import Context
from dnssync.errors import RefusedError
from dnssync.exim import install, macros
from dnssync.keystore import public_half
from tests.bind import Bind
from tests.e2e.test_straight_line import MESSAGE, verify
from tests.exim_host import EximHost
from tests.site_under_test import DOMAIN, ZONE, Site

pytestmark = [pytest.mark.exim, pytest.mark.bind]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a directory, but for the back-up."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".dnssync-old"
    }


def put(host: EximHost) -> install.Outcome:
    """Install into the host's own directory."""
    host.render()
    return install.install(host.exim(), macros.render(host.map, host.keys), map_path=host.map, confdir=host.confdir)


@pytest.mark.parametrize("split", [True, False], ids=["split", "unsplit"])
def test_in_and_out(split: bool) -> None:
    """In, in again, out: one file or one block comes and goes, everything else stays byte for byte."""
    with EximHost(split=split, extra="# of the administrator's own, without an end") as host:
        before = tree(host.confdir)
        first = put(host)
        assert first.changed and host.map.read_text().startswith("#")
        inside = tree(host.confdir)
        changed = {name for name in inside if inside[name] != before.get(name)}
        assert changed == {"conf.d/main/zz_dnssync" if split else "exim4.conf.localmacros"}
        for name in changed:
            assert inside[name].startswith(before.get(name, b""))
            assert macros.render(host.map, host.keys).encode() in inside[name]
        host.render()
        assert str(host.map) in host.exim().block("transport", "remote_smtp")["dkim_selector"]
        assert not put(host).changed
        assert tree(host.confdir) == inside
        assert install.uninstall(host.exim(), confdir=host.confdir).changed
        assert tree(host.confdir) == before
        assert not install.uninstall(host.exim(), confdir=host.confdir).changed


def printed(host: EximHost) -> str:
    """What `dnssync exim --print` has to tell on its standard output."""
    config = host.folder / "dnssync.yaml"
    paths = f"exim: {{map: {host.map}}}\nkeys: {host.keys}\n"
    config.write_text(f"providers: {{m: {{class: manual}}}}\nzones: {{{DOMAIN}: {{provider: m}}}}\n{paths}")
    out = io.StringIO()
    context = Context(environ={}, stdout=out, stderr=io.StringIO())
    assert run(["-c", str(config), "exim", "--print", "--confdir", str(host.confdir)], context) == 0
    return out.getvalue()


@pytest.mark.parametrize("split", [True, False], ids=["split", "unsplit"])
def test_printed_is_what_is_installed(split: bool) -> None:
    """What is shown is what is then written, octet for octet, marks and all, and so are where and what it replaces."""
    with EximHost(split=split, extra="# of the administrator's own, without an end") as host:
        text = macros.render(host.map, host.keys)
        file = host.confdir / ("conf.d/main/zz_dnssync" if split else "exim4.conf.localmacros")
        if not split:
            file.write_bytes(file.read_bytes().rstrip())
        before = file.read_bytes() if file.exists() else b""
        piece, where = install.shown(host.confdir, text)
        assert str(file) in where and ("all else in that file stays" in where) is not split
        assert printed(host) == piece
        put(host)
        assert file.read_bytes() == before + (b"" if split else b"\n") + piece.encode()
        again, where = install.shown(host.confdir, text)
        assert again == piece and "in place of" in where

        if split:
            file.write_text("# somebody else's\n")
            assert f"replaces all of {file}" in install.shown(host.confdir, text)[1]
        (host.confdir / "exim4.conf").write_text("# by hand\n")
        piece, where = install.shown(host.confdir, text)
        assert piece == text and "put these lines at its head" in where


@pytest.mark.parametrize("split", [True, False], ids=["split", "unsplit"])
def test_another_directory_than_the_live_one(split: bool) -> None:
    """How a directory of its own is rendered is told as Debian's script has it; it cannot render an unsplit one's macros."""
    with EximHost(split=split) as host:
        told = put(host).sentences[-1]
        read = split or Path("/etc/exim4/exim4.conf.localmacros").exists()
        assert (f"update-exim4.conf -d {host.confdir} -o FILE" in told) is read
        assert ("only where /etc/exim4 has such a file too" in told) is not read
        assert "--confdir" not in told
        out = host.folder / "rendered"
        subprocess.run(["/usr/sbin/update-exim4.conf", "-d", host.confdir, "-o", out], check=True)
        assert (str(host.map) in out.read_text()) is read


def test_hand_written_configuration() -> None:
    """An exim4.conf by hand is left alone; what to add is told, lines and all."""
    with EximHost() as host:
        host.render()
        (host.confdir / "exim4.conf").write_text(host.config.read_text())
        before = tree(host.confdir)
        with pytest.raises(RefusedError) as caught:
            put(host)
        assert "DKIM_SELECTOR ==" in str(caught.value) and "dkim_selector = DKIM_SELECTOR" in str(caught.value)
        assert tree(host.confdir) == before


def test_defined_again_behind_ours() -> None:
    """A later file that defines one of our macros anew is named, with its line."""
    with EximHost() as host:
        host.render()
        (host.confdir / "conf.d/main/zzz_mine").write_text("# mine\nDKIM_STRICT = false\n")
        before = tree(host.confdir)
        with pytest.raises(RefusedError) as caught:
            install.install(host.exim(), macros.render(host.map, host.keys), map_path=host.map, confdir=host.confdir)
        assert f"{host.confdir}/conf.d/main/zzz_mine line 2" in str(caught.value)
        assert tree(host.confdir) == before


def test_smarthost_is_told_the_lines() -> None:
    """Debian's smarthost transport has no DKIM options: the macros reach nothing, and the lines to add are told."""
    with EximHost(configtype="smarthost") as host:
        told = " ".join(put(host).sentences)
        assert "remote_smtp_smarthost" in told and "dkim_domain = DKIM_DOMAIN" in told


def test_example_file_is_what_print_prints() -> None:
    """config/exim4/zz_dnssync is what `dnssync exim --print` prints with the default paths."""
    example = Path(__file__).parents[2] / "config/exim4/zz_dnssync"
    text = macros.render(Path("/var/lib/dnssync/exim/selectors"), Path("/var/lib/dnssync/keys"))
    assert example.read_text() == text


def test_a_selector_with_capitals(tmp_path: Path) -> None:
    """A hand-made selector in capitals keeps its spelling for exim, and is found in DNS, where case means nothing."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    zone = ZONE + f'S1._domainkey 300 IN TXT "k=rsa; p={public_half(pem)[1]}"\n'
    with EximHost(hostnames=(DOMAIN,)) as exim, Bind(tmp_path / "bind", {DOMAIN: zone}) as bind:
        file = exim.folder / "dkim.pem"
        file.write_bytes(pem)
        file.chmod(0o640)
        os.chown(file, -1, exim.gid)
        own = (exim.confdir / "conf.d/main/000_localmacros").read_text()
        exim.head(own + f"DKIM_DOMAIN = {DOMAIN}\nDKIM_SELECTOR = S1\nDKIM_PRIVATE_KEY = {file}\n")
        exim.render()
        site = Site(tmp_path, exim, bind)
        code, out = site.run("apply", "--yes")
        assert code == 0, out
        assert f"\n{DOMAIN}: S1\n" in exim.map.read_text()
        code, out = site.run("plan")
        assert code == 0, out


def test_a_hand_made_key_is_taken_on(tmp_path: Path) -> None:
    """The administrator's key signs before, during and after; its record and its file stay as they are."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = public_half(pem)[1]
    record = f"k=rsa; t=s; p={public}"
    zone = ZONE + f'mail2019._domainkey 300 IN TXT "{record[:200]}" "{record[200:]}"\n'
    with EximHost(hostnames=(DOMAIN,)) as exim, Bind(tmp_path / "bind", {DOMAIN: zone}) as bind:
        file = exim.folder / "dkim.pem"
        file.write_bytes(pem)
        file.chmod(0o640)
        os.chown(file, -1, exim.gid)
        own = (exim.confdir / "conf.d/main/000_localmacros").read_text()
        exim.head(
            own + f"DKIM_DOMAIN = ${{lc:${{domain:$h_from:}}}}\nDKIM_SELECTOR = mail2019\nDKIM_PRIVATE_KEY = {file}\n"
        )
        exim.render()
        site = Site(tmp_path, exim, bind)
        [received] = exim.send(MESSAGE.encode(), sender=f"a@{DOMAIN}")
        assert verify(bind, received.data) == {b"rsa-sha256": True}

        code, out = site.run("exim", "--install", "--confdir", str(exim.confdir))
        assert code == 3 and DOMAIN in out and "apply" in out

        code, out = site.run("plan")
        assert (
            code == 2 and "<new ed25519>" in out and "<new rsa2048>" in out
        )  # the first to sign, the second to stand by
        code, out = site.run("apply", "--yes")
        assert code == 0, out
        assert f"\n{DOMAIN}: mail2019\n" in exim.map.read_text()
        code, out = site.run("plan")
        assert code == 0, out

        code, out = site.run("exim", "--install", "--confdir", str(exim.confdir))
        assert code == 0, out
        exim.render()
        [received] = exim.send(MESSAGE.encode(), sender=f"a@{DOMAIN}")
        assert b"s=mail2019" in received.data
        assert verify(bind, received.data) == {b"rsa-sha256": True}

        code, out = site.run("apply", "--yes", "--wait")
        assert code == 0, out
        [received] = exim.send(MESSAGE.encode(), sender=f"a@{DOMAIN}")
        assert b"s=mail2019" in received.data
        assert verify(bind, received.data) == {b"rsa-sha256": True, b"ed25519-sha256": True}
        assert bind.texts(f"mail2019._domainkey.{DOMAIN}") == [record]
        assert file.read_bytes() == pem
        code, out = site.run("plan")
        assert code == 0, out


@pytest.mark.parametrize("what", ["missing", "garbage", "differs"])
def test_a_hand_made_key_that_cannot_be_used(tmp_path: Path, what: str) -> None:
    """A hand-made key that exim cannot use, or that is not the one in DNS, is told with its file or record."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    zone = ZONE + 'mail2019._domainkey 300 IN TXT "v=DKIM1; p=AAAA"\n'
    with EximHost(hostnames=(DOMAIN,)) as exim, Bind(tmp_path / "bind", {DOMAIN: zone}) as bind:
        file = exim.folder / "dkim.pem"
        if what != "missing":
            file.write_bytes(pem if what == "differs" else b"nonsense")
            file.chmod(0o640)
            os.chown(file, -1, exim.gid)
        own = (exim.confdir / "conf.d/main/000_localmacros").read_text()
        exim.head(own + f"DKIM_DOMAIN = {DOMAIN}\nDKIM_SELECTOR = mail2019\nDKIM_PRIVATE_KEY = {file}\n")
        exim.render()
        code, out = Site(tmp_path, exim, bind).run("plan")
    flat = " ".join(out.split())
    if what == "differs":
        assert code == 3 and "another key than the one that exim signs" in flat, out
    else:
        assert code == 2 and "mx.example.org: exim is told to sign with selector" in flat and str(file) in flat, out


@pytest.mark.skipif(os.geteuid() != 0, reason="only root installs for another user")
def test_installed_by_root_for_the_service(tmp_path: Path) -> None:
    """The map that root makes for --install belongs to whoever owns the state: the service must be able to replace it."""
    import pwd

    nobody = pwd.getpwnam("nobody").pw_uid
    with EximHost(hostnames=(DOMAIN,)) as host:
        home = host.folder / "lib"
        home.mkdir(mode=0o755)
        os.chown(home, nobody, -1)
        host.render()
        path = home / "exim" / "selectors"
        install.install(host.exim(), macros.render(path, host.keys), map_path=path, confdir=host.confdir)
        assert path.stat().st_uid == path.parent.stat().st_uid == nobody


def test_back_up() -> None:
    """What stood in the file before the first install is kept beside it."""
    with EximHost(split=False, extra="# mine") as host:
        before = (host.confdir / "exim4.conf.localmacros").read_bytes()
        put(host)
        assert (host.confdir / "exim4.conf.localmacros.dnssync-old").read_bytes() == before


@pytest.mark.parametrize("damage", ["no end", "no begin", "twice"])
def test_a_damaged_block(damage: str) -> None:
    """Where one of the two marks is missing nobody knows which lines are whose: refused with the line, and nothing is changed."""
    with EximHost(split=False, extra="# mine") as host:
        put(host)
        file = host.confdir / "exim4.conf.localmacros"
        whole = file.read_text()
        begin = next(line for line in whole.splitlines() if line.startswith("# >>> dnssync"))
        broken = {
            "no end": ("# <<< dnssync <<<", "MYOWN = keepme"),
            "no begin": (begin, "MYOWN = keepme"),
            "twice": (begin, f"{begin}\n{begin}"),
        }
        file.write_text(whole.replace(*broken[damage]) + "MYOTHER = keepme\n")
        before = file.read_bytes()
        for act in (lambda: put(host), lambda: install.uninstall(host.exim(), confdir=host.confdir)):
            with pytest.raises(RefusedError, match=r"exim4\.conf\.localmacros, line \d+: a mark"):
                act()
            assert file.read_bytes() == before


@pytest.mark.parametrize("was", [None, b"", b"# mine", b"# mine\n"])
def test_uninstall_leaves_the_file_as_it_was(was: bytes | None) -> None:
    """Also an empty one, or one without its last line's end; only a file that install made goes."""
    with EximHost(split=False) as host:
        file = host.confdir / "exim4.conf.localmacros"
        file.unlink(missing_ok=True)
        if was is not None:
            file.write_bytes(was)
        for _ in range(2):
            put(host)
        install.uninstall(host.exim(), confdir=host.confdir)
        assert (file.read_bytes() if file.exists() else None) == was


def test_a_link_stays_a_link() -> None:
    """Where the file is kept elsewhere (a repository of /etc), it is changed there."""
    with EximHost(split=False, extra="# mine") as host:
        file, kept = host.confdir / "exim4.conf.localmacros", host.folder / "kept"
        file.rename(kept)
        file.symlink_to(kept)
        put(host)
        assert file.is_symlink() and "DNSSYNC_MAP" in kept.read_text() and "# mine" in kept.read_text()


def test_uninstall_without_a_configuration(tmp_path: Path) -> None:
    """Whoever removed dnssync's configuration first can take the macros out all the same."""
    with EximHost() as host:
        put(host)
        out = io.StringIO()
        code = run(
            ["-c", str(tmp_path / "none.yaml"), "exim", "--uninstall", "--confdir", str(host.confdir)],
            Context(stdout=out, stderr=out),
        )
        assert code == 0 and not (host.confdir / "conf.d/main/zz_dnssync").exists(), out.getvalue()
        assert run(["-c", str(tmp_path / "none.yaml"), "exim", "--print"], Context(stdout=out, stderr=out)) == 78
