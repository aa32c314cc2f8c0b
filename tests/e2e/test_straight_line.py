"""The article: a domain on 46.101.91.82, real exim, real BIND; plan, apply, and mail that verifies. Nothing under /etc is touched."""

from __future__ import annotations

import dkim
import pytest
import spf as pyspf

from tests.bind import Bind
from tests.site_under_test import DOMAIN, IP, Site, site

__all__ = ["site"]

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
    assert not (site.folder / "state").exists() and not list(site.exim.keys.rglob("*.pem"))
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
