"""Hand-made keys and keys that cannot be: two selectors of one domain, a copy that cannot be made, a folder closed to exim."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dnssync.exim import macros
from dnssync.exim.signing import obstacle
from dnssync.keystore import public_half
from tests.bind import Bind
from tests.e2e.test_straight_line import MESSAGE
from tests.exim_host import EximHost
from tests.site_under_test import DOMAIN, ZONE, Site

pytestmark = [pytest.mark.bind, pytest.mark.exim]
OTHER = "andere.example"


def made(exim: EximHost, name: str) -> str:
    """A key that the administrator made and exim may read; its record."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = exim.folder / f"{name}.pem"
    file.write_bytes(pem)
    file.chmod(0o640)
    os.chown(file, -1, exim.gid)
    return f'{name}._domainkey 300 IN TXT "v=DKIM1; k=rsa; p={public_half(pem)[1]}"\n'


def signs_by_hand(exim: EximHost, domain: str, selectors: str) -> None:
    """Tell exim of hand-made keys, as an administrator does."""
    own = (exim.confdir / "conf.d/main/000_localmacros").read_text()
    exim.head(
        f"{own}DKIM_DOMAIN = ${{if eq{{${{domain:$h_from:}}}}{{{domain}}}{{{domain}}}}}\nDKIM_SELECTOR = {selectors}\nDKIM_PRIVATE_KEY = {exim.folder}/$dkim_selector.pem\n"
    )
    exim.render()


def test_two_selectors_of_one_domain(tmp_path: Path) -> None:
    """Both sign before the macros are installed and after, and both are told as active."""
    with EximHost(hostnames=(DOMAIN,)) as exim:
        zone = ZONE + made(exim, "one") + made(exim, "two")
        with Bind(tmp_path / "bind", {DOMAIN: zone}) as bind:
            signs_by_hand(exim, DOMAIN, "one : two")
            site = Site(tmp_path, exim, bind)
            code, out = site.run("apply", "--yes")
            assert code == 0, out
            assert f"\n{DOMAIN}: one : two\n" in exim.map.read_text()
            code, out = site.run("exim", "--install", "--confdir", str(exim.confdir))
            assert code == 0, out
            exim.render()
            [received] = exim.send(MESSAGE.encode(), sender=f"a@{DOMAIN}")
            assert b"s=one" in received.data and b"s=two" in received.data
            code, out = site.run("status", "--json")
            phases = {key["key"]["selector"]: key["phase"] for key in json.loads(out)["keys"]}
            assert phases["one"] == phases["two"] == "active"


def test_a_record_behind_a_cname(tmp_path: Path) -> None:
    """A key whose record somebody else keeps behind a CNAME is taken on with that text and signs on; the CNAME stays."""
    with EximHost(hostnames=(DOMAIN,)) as exim:
        record = made(exim, "one").replace("one._domainkey", "one.keys").replace("k=rsa;", "k=rsa; t=s;")
        zone = ZONE + record + "one._domainkey 300 IN CNAME one.keys\n"
        with Bind(tmp_path / "bind", {DOMAIN: zone}) as bind:
            signs_by_hand(exim, DOMAIN, "one")
            site = Site(tmp_path, exim, bind)
            before = [row for row in bind.transfer(DOMAIN) if row[0].startswith("one.")]
            assert len(before) == 2
            for _ in range(2):
                code, out = site.run("apply", "--yes")
                assert code == 0, out
                assert f"\n{DOMAIN}: one\n" in exim.map.read_text()
                assert [row for row in bind.transfer(DOMAIN) if row[0].startswith("one.")] == before
            code, out = site.run("status", "--json")
            [key] = [row for row in json.loads(out)["keys"] if row["key"]["selector"] == "one"]
            assert key["phase"] == "active" and "t=s" in key["key"]["record"]


def test_a_copy_that_cannot_be_made_stops_its_zone_alone(tmp_path: Path) -> None:
    """Where another key lies already, that zone gets nothing and says why; its neighbour gets everything."""
    with EximHost(hostnames=(DOMAIN, OTHER)) as exim:
        zones = {DOMAIN: ZONE + made(exim, "mail"), OTHER: '@ 300 IN TXT "x"\n'}
        with Bind(tmp_path / "bind", zones) as bind:
            signs_by_hand(exim, DOMAIN, "mail")
            in_the_way = exim.keys / DOMAIN / "mail.pem"
            in_the_way.parent.mkdir(parents=True)
            made(exim, "stray")
            in_the_way.write_bytes((exim.folder / "stray.pem").read_bytes())
            site = Site(tmp_path, exim, bind)
            config = json.loads(site.config.read_text())
            config["zones"][OTHER] = dict(config["zones"][DOMAIN])
            site.config.write_text(json.dumps(config))
            before = bind.transfer(DOMAIN)
            code, out = site.run("apply", "--yes")
            flat = " ".join(out.split())
            assert code == 1 and f"the key that exim signs {DOMAIN} with cannot be taken on" in flat, out
            assert bind.transfer(DOMAIN) == before
            assert bind.texts(f"_dmarc.{OTHER}")
            assert [file.name for file in (exim.keys / DOMAIN).iterdir()] == ["mail.pem"]
            code, out = site.run("status")
            assert "cannot be taken on" in " ".join(out.split())


def test_a_folder_closed_to_exim(tmp_path: Path) -> None:
    """No key is made where exim could not open it, however often `apply` runs; the rest is done, and the remedy is told."""
    with EximHost(hostnames=(DOMAIN,)) as exim, Bind(tmp_path / "bind", {DOMAIN: ZONE}) as bind:
        exim.switched()
        exim.keys.chmod(0o700)
        os.chown(exim.keys, -1, 0)
        site = Site(tmp_path, exim, bind)
        for _ in range(3):
            code, out = site.run("apply", "--yes")
            flat = " ".join(out.split())
            assert code == 0 and f"{DOMAIN}: no new key is made: {exim.keys} is closed to group Debian-exim" in flat, (
                out
            )
            site.now += 100
        assert list(exim.keys.rglob("*.pem")) == [] and bind.texts(f"_dmarc.{DOMAIN}")
        exim.keys.chmod(0o750)
        os.chown(exim.keys, -1, exim.gid)
        code, out = site.run("apply", "--yes")
        assert code == 0 and len(list(exim.keys.rglob("*.pem"))) == 2, out


def test_macros_before_a_key_is_ready(tmp_path: Path) -> None:
    """Where somebody put the macros in by hand and no map is there yet, apply makes one: mail leaves as before, and does not wait."""
    with EximHost(hostnames=(DOMAIN,)) as exim, Bind(tmp_path / "bind", {DOMAIN: ZONE}) as bind:
        exim.macros(macros.render(exim.map, exim.keys))
        exim.map.unlink(missing_ok=True)
        exim.render()
        site = Site(tmp_path, exim, bind)
        code, out = site.run("apply", "--yes")
        assert code == 0 and exim.map.exists(), out
        [received] = exim.send(MESSAGE.encode(), sender=f"a@{DOMAIN}")
        assert b"DKIM-Signature" not in received.data
        assert site.run("apply", "--yes", "--wait")[0] == 0
        exim.map.unlink()  # with keys that sign, mail waits until the pass has written it whole
        code, out = site.run("apply", "--yes")
        assert code == 0 and f"\n{DOMAIN}: " in exim.map.read_text(), out


def test_a_key_behind_a_link_into_a_closed_folder(tmp_path: Path) -> None:
    """exim follows the link, and so does the look at what it may open."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "key.pem").write_text("x")
    (tmp_path / "key.pem").symlink_to(closed / "key.pem")
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    assert f"enter the folder {closed}" in obstacle(tmp_path / "key.pem", 65534, 65534)
    closed.chmod(0o755)
    assert obstacle(tmp_path / "key.pem", 65534, 65534) == ""
