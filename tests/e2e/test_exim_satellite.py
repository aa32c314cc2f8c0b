"""A satellite: From: is rewritten by the transport, and the visible domain signs."""

from __future__ import annotations

import dkim
import pytest

from dnssync.exim import macros
from dnssync.exim.observe import observe
from dnssync.keystore import Keystore
from tests.exim_host import EximHost

pytestmark = pytest.mark.exim
MESSAGE = b"From: ann@host.internal.test\nTo: someone@dest.test\nSubject: x\nMessage-ID: <1@x>\nDate: Tue, 24 Nov 2026 08:20:00 +0000\n\nText.\n"


@pytest.mark.parametrize("split", [True, False])
def test_the_visible_domain_signs(split: bool) -> None:
    """Both signatures are by the domain that receivers see, and verify over the rewritten header."""
    with EximHost(
        configtype="satellite",
        hostname="host.internal.test",
        hostnames=("host.internal.test",),
        readhost="example.org",
        hide=True,
        split=split,
    ) as host:
        keystore = Keystore(host.keys)
        records = {}
        for selector, algorithm in (("r1", "rsa2048"), ("e1", "ed25519")):
            made, public = keystore.generate("example.org", selector, algorithm)
            kind = "ed25519" if made == "ed25519" else "rsa"
            records[f"{selector}._domainkey.example.org."] = f"v=DKIM1; k={kind}; p={public}"
        host.map.write_text("example.org: r1 : e1\n")
        if split:
            host.macros(macros.render(host.map, host.keys))
        else:  # there the macros stand before Debian's own
            local = host.confdir / "exim4.conf.localmacros"
            local.write_text(local.read_text() + macros.render(host.map, host.keys))
        host.edit("remote_smtp_smarthost", macros.transport_lines())
        host.render()
        for sender in ("ann@host.internal.test", ""):  # a bounce has no sender
            [received] = host.send(MESSAGE, sender=sender)
            assert b"From: ann@example.org" in received.data
            seen = set()
            for index in range(2):
                message = dkim.DKIM(received.data)
                assert message.verify(idx=index, dnsfunc=lambda name, timeout=5: records[name.decode()].encode())
                seen.add((message.signature_fields[b"d"], message.signature_fields[b"a"]))
            assert seen == {(b"example.org", b"rsa-sha256"), (b"example.org", b"ed25519-sha256")}


def test_observed() -> None:
    """A satellite owns its visible name only where the configuration lists it; its mail leaves through the relay alone."""
    with EximHost(
        configtype="satellite",
        hostname="host.internal.test",
        hostnames=("host.internal.test",),
        readhost="example.org",
        hide=True,
    ) as host:
        host.render()
        told = observe(host.exim(), ["example.org"], lookup=lambda name, kind: (), map_path=host.map)
        mail = told.domain("example.org")
        assert mail is not None and not mail.local
        assert mail.addresses == () and mail.smarthosts
        assert [transport.name for transport in mail.transports] == ["remote_smtp_smarthost"]
        assert not mail.transports[0].can_sign
