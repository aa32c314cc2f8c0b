"""The article: a domain on 46.101.91.82, real exim, real BIND; plan, apply, and mail that verifies. Nothing under /etc is touched."""

from __future__ import annotations

from pathlib import Path

import dkim
import pytest
import spf as pyspf

from dnssync.exim import macros
from tests.bind import Bind
from tests.exim_host import EximHost
from tests.postgres import Postgres, postgres
from tests.site_under_test import DOMAIN, IP, ZONE, Site, site

__all__ = ["postgres", "site"]

pytestmark = [pytest.mark.bind, pytest.mark.exim]

MESSAGE = f"From: Someone <a@{DOMAIN}>\nTo: b@dest.test\nSubject: hello\nDate: Tue, 24 Nov 2026 08:20:00 +0000\nMessage-ID: <1@{DOMAIN}>\n\nHello.\n"


def verify(bind: Bind, raw: bytes) -> dict[bytes, bool]:
    """Each signature of a message, checked by dkimpy against what BIND serves: algorithm → verified."""

    def txt(name: bytes, timeout: int = 5) -> bytes | None:
        texts = bind.texts(name.decode().rstrip("."))
        return texts[0].encode() if texts else None

    results = {}
    count = raw.count(b"DKIM-Signature:")
    for index in range(count):
        message = dkim.DKIM(raw)
        good = message.verify(idx=index, dnsfunc=txt)
        results[message.signature_fields[b"a"]] = good
    return results


def test_the_article(site: Site) -> None:
    """From an empty zone to records in DNS and signed mail, and not a byte of anybody else's moved."""
    before = site.bind.transfer(DOMAIN)

    code, out = site.run("plan")
    assert code == 2, out
    assert f'"v=spf1 mx a ip4:{IP} -all"' in out
    assert "<new rsa2048>" in out and "<new ed25519>" in out
    assert "not ours, left alone" in out
    assert not list((site.folder / "state").iterdir()) and not list(site.exim.keys.rglob("*.pem"))
    assert site.bind.transfer(DOMAIN) == before

    code, out = site.run("apply")
    assert code == 3 and "--yes" in out
    assert site.bind.transfer(DOMAIN) == before

    code, out = site.run("apply", "--yes")
    assert code == 0, out
    assert site.bind.texts(DOMAIN, "SPF") == [f"v=spf1 mx a ip4:{IP} -all"]
    assert f"v=spf1 mx a ip4:{IP} -all" in site.bind.texts(DOMAIN)
    assert site.bind.texts(f"_dmarc.{DOMAIN}") == [f"v=DMARC1; p=none; rua=mailto:postmaster@{DOMAIN}"]
    assert site.exim.map.read_text() == ""
    [received] = site.exim.send(MESSAGE.encode(), sender=f"a@{DOMAIN}")
    assert b"DKIM-Signature" not in received.data

    code, out = site.run("plan")
    assert code == 0, out

    code, out = site.run("apply", "--yes", "--wait")
    assert code == 0, out
    assert site.now >= 1_795_507_200 + 3600 + 600
    code, out = site.run("status")
    assert code == 0 and out.count(" active ") == 2, out

    [received] = site.exim.send(MESSAGE.encode(), sender=f"a@{DOMAIN}")
    assert verify(site.bind, received.data) == {b"rsa-sha256": True, b"ed25519-sha256": True}
    code, out = site.run("plan")
    assert code == 0, out

    after = site.bind.transfer(DOMAIN)
    ours = {(f"{DOMAIN}.", "TXT"), (f"{DOMAIN}.", "SPF"), (f"_dmarc.{DOMAIN}.", "TXT")}
    strangers = {key: value for key, value in after.items() if key not in ours and "_domainkey" not in key[0]}
    assert strangers == {key: value for key, value in before.items() if key not in ours}
    ttl, values = before[(f"{DOMAIN}.", "TXT")]
    assert after[(f"{DOMAIN}.", "TXT")][0] == ttl and values < after[(f"{DOMAIN}.", "TXT")][1]


def test_pyspf_passes_our_address(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyspf, asked about mail from our address, says pass, and fail for another; its DNS is what BIND serves."""
    assert site.run("apply", "--yes")[0] == 0

    def answer(name: str, kind: str, strict: bool = True, timeout: int = 20) -> list:
        if kind == "TXT" or kind == "SPF":
            return [((name, kind), (text.encode(),)) for text in site.bind.texts(name, kind)]
        if kind == "MX":
            return [((name, kind), (int(v.split()[0]), v.split()[1])) for v in site.bind.ask(name, kind)]
        return [((name, kind), value) for value in site.bind.ask(name, kind)]

    monkeypatch.setattr(pyspf, "DNSLookup", answer)
    assert pyspf.check2(i=IP, s=f"a@{DOMAIN}", h=f"mx.{DOMAIN}")[0] == "pass"
    assert pyspf.check2(i="192.0.2.99", s=f"a@{DOMAIN}", h=f"mx.{DOMAIN}")[0] == "fail"


BOTH = {b"rsa-sha256": True, b"ed25519-sha256": True}
MAIL = {
    "encoded name with a comma": (
        f"From: =?utf-8?Q?Caf=C3=A9=2C_Sales?= <a@{DOMAIN}>\nSubject: x\n\nText.\n",
        f"a@{DOMAIN}",
    ),
    "sub-domain": (f"From: a@news.{DOMAIN}\nSubject: x\n\nText.\n", f"a@{DOMAIN}"),
    "list post": (f"From: b@elsewhere.test\nList-Id: <l.{DOMAIN}>\nSubject: x\n\nText.\n", f"list-bounces@{DOMAIN}"),
}


def test_mail_that_a_naive_set_up_loses(site: Site) -> None:
    """After apply, each of these leaves with both signatures, which verify against what BIND serves."""
    code, out = site.run("apply", "--yes", "--wait")
    assert code == 0, out
    for name, (message, sender) in MAIL.items():
        [received] = site.exim.send(message.encode(), sender=sender)
        assert verify(site.bind, received.data) == BOTH, name


def test_satellite(tmp_path: Path) -> None:
    """A satellite whose From: is rewritten: apply, and mail by the visible domain that verifies against what BIND serves."""
    hostname = "host.internal.test"
    with (
        EximHost(configtype="satellite", hostname=hostname, hostnames=(hostname,), readhost=DOMAIN, hide=True) as exim,
        Bind(tmp_path / "bind", {DOMAIN: ZONE}) as bind,
    ):
        exim.macros(macros.render(exim.map, exim.keys))
        exim.edit("remote_smtp_smarthost", macros.transport_lines())
        exim.map.write_text("")
        exim.render()
        satellite = Site(tmp_path, exim, bind)
        code, out = satellite.run("plan")
        assert code == 0, out
        satellite.write(f'{{"domains": ["{DOMAIN}"], "dmarc": {{"rua": []}}}}')
        code, out = satellite.run("plan")
        assert (
            code == 3 and "unknown" not in out and "what SPF has to say for it is not known" in " ".join(out.split())
        ), out
        satellite.write(
            f'{{"domains": ["{DOMAIN}"], "dmarc": {{"rua": []}}, "spf": {{"extra": ["ip4:192.0.2.128/25"]}}}}'
        )
        code, out = satellite.run("apply", "--yes", "--wait")
        assert code == 0, out
        assert "v=spf1 ip4:192.0.2.128/25 -all" in bind.texts(DOMAIN)
        [received] = exim.send(f"From: ann@{hostname}\nSubject: x\n\nText.\n".encode(), sender=f"ann@{hostname}")
        assert f"From: ann@{DOMAIN}".encode() in received.data
        assert verify(bind, received.data) == BOTH


@pytest.mark.postgres
def test_the_state_in_postgresql(site: Site, postgres: Postgres) -> None:
    """The whole line with its state in a database server: the keys sign, the second plan is empty, the history is there."""
    url = postgres.database()
    site.config.write_text(site.config.read_text().replace(f"sqlite:///{site.folder}/state/state.db", url))
    assert site.run("plan")[0] == 2
    assert site.run("apply", "--yes", "--wait")[0] == 0
    code, out = site.run("status")
    assert code == 0 and out.count(" active ") == 2, out
    assert site.run("plan")[0] == 0
    assert "exim signs" in site.run("history")[1]
    assert not list((site.folder / "state").iterdir())
