"""Real exim, Debian's configuration, dnssync's macros: what leaves is signed, and both signatures verify."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from dnssync.exim.macros import render
from tests.exim_host import EximHost, Received, needs_exim

pytestmark = [needs_exim, pytest.mark.exim]

PLAIN = b"From: Ann <ann@example.org>\nTo: someone@dest.test\nSubject: hello\n\nText.\n.a line with a dot\n"


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    """A private key as PKCS#8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture(scope="module")
def keys() -> dict[str, tuple[bytes, bytes]]:
    """One RSA and one Ed25519 key: kind → private PEM, DKIM key record."""
    old, new = rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()
    spki = old.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    raw = new.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {
        "rsa": (pem(old), b"v=DKIM1; k=rsa; p=" + base64.b64encode(spki)),
        "ed25519": (pem(new), b"v=DKIM1; k=ed25519; p=" + base64.b64encode(raw)),
    }


class Signing:
    """A host with dnssync's macros, a map and keys, and the records that DNS would hold for them."""

    def __init__(self, host: EximHost, keys: dict[str, tuple[bytes, bytes]], domains: tuple[str, ...]) -> None:
        self.host, self.records = host, dict[bytes, bytes]()
        for domain in domains:
            for selector, kind in (("r1", "rsa"), ("e1", "ed25519")):
                host.key(domain, selector, keys[kind][0])
                self.records[f"{selector}._domainkey.{domain}.".encode()] = keys[kind][1]
        host.map.write_text("".join(f"{domain}: r1 : e1\n" for domain in domains))

    def verified(self, received: Received) -> set[tuple[str, str]]:
        """The (domain, algorithm) of every signature; each must verify against the records."""
        message = dkim.DKIM(received.data)
        found = set()
        for index, (name, _) in enumerate(
            header for header in message.headers if header[0].lower() == b"dkim-signature"
        ):
            assert message.verify(idx=index, dnsfunc=lambda name, timeout=5: self.records.get(name, b"")), name
            fields = message.signature_fields
            assert int(fields[b"x"]) - int(fields[b"t"]) == 604800
            found.add((fields[b"d"].decode(), fields[b"a"].decode()))
        return found


def both(domain: str) -> set[tuple[str, str]]:
    """What a message signed for the domain carries."""
    return {(domain, "rsa-sha256"), (domain, "ed25519-sha256")}


@pytest.fixture(scope="module")
def signing(keys: dict[str, tuple[bytes, bytes]]) -> Iterator[Signing]:
    """An internet host with two domains of its own, and one below the second."""
    with EximHost(hostnames=("example.org", "example.net"), relay_nets="198.51.100.0/24") as host:
        signing = Signing(host, keys, ("example.org", "example.net", "mail.example.net"))
        host.macros(render(host.map, host.keys))
        host.render()
        yield signing


CASES = {
    "plain": (PLAIN, "ann@example.org", "example.org"),
    "encoded name with a comma": (
        b"From: =?utf-8?Q?Caf=C3=A9=2C_Sales?= <ann@example.org>\nSubject: x\n\nText.\n",
        "bounces@elsewhere.test",
        "example.org",
    ),
    "upper case": (b"From: ann@Example.ORG\nSubject: x\n\nText.\n", "ann@Example.ORG", "example.org"),
    "sub-domain, sent by the domain": (
        b"From: ann@news.example.org\nSubject: x\n\nText.\n",
        "ann@example.org",
        "example.org",
    ),
    "sub-domain, sent by itself": (
        b"From: ann@news.example.org\nSubject: x\n\nText.\n",
        "ann@news.example.org",
        "example.org",
    ),
    "deep below the domain": (
        b"From: ann@a.b.c.d.e.f.News.Example.ORG\nSubject: x\n\nText.\n",
        "bounces@elsewhere.test",
        "example.org",
    ),
    "the nearest parent": (
        b"From: ann@a.b.mail.example.net\nSubject: x\n\nText.\n",
        "bounces@example.net",
        "mail.example.net",
    ),
    "a parent goes before the sender": (
        b"From: ann@a.b.example.org\nSubject: x\n\nText.\n",
        "bounces@example.net",
        "example.org",
    ),
    "list post": (
        b"From: bob@elsewhere.test\nTo: list@example.net\nList-Id: <list.example.net>\nSubject: x\n\nText.\n",
        "list-bounces@example.net",
        "example.net",
    ),
    "two From addresses": (
        b"From: ann@example.org, bob@example.org\nSender: ann@example.org\nSubject: x\n\nText.\n",
        "ann@example.org",
        "example.org",
    ),
    "null sender": (b"From: Mailer-Daemon@example.org\nSubject: x\n\nText.\n", "", "example.org"),
}


@pytest.mark.parametrize("name", CASES)
def test_signs_with_both_algorithms(signing: Signing, name: str) -> None:
    """Each kind of mail that a naive set-up loses is signed twice, for the domain that receivers will align."""
    message, sender, domain = CASES[name]

    (received,) = signing.host.send(message, sender=sender)

    assert both(domain) == signing.verified(received)


@pytest.mark.parametrize("domain", ["notexample.org", "org", "example.org.elsewhere.test", "ple.org", "net"])
def test_a_name_that_only_looks_related(signing: Signing, domain: str) -> None:
    """A From: domain that is not below one of ours, though its name ends or begins alike, gets no signature."""
    message = f"From: ann@{domain}\nSubject: x\n\nText.\n".encode()

    (received,) = signing.host.send(message, sender=f"ann@{domain}")

    assert set() == signing.verified(received)


def test_mail_of_an_outside_host_is_not_signed(signing: Signing) -> None:
    """What a foreign host sends through us with our From: gets no signature of ours."""
    (received,) = signing.host.send(PLAIN, sender="ann@example.org", options=("-oMa", "203.0.113.9"))

    assert set() == signing.verified(received)


def test_mail_of_a_relay_host_and_of_a_user_is_signed(signing: Signing) -> None:
    """A host of relay_from_hosts and an authenticated user from anywhere are ours."""
    for options in (("-oMa", "198.51.100.7"), ("-oMa", "203.0.113.9", "-oMai", "ann")):
        (received,) = signing.host.send(PLAIN, sender="ann@example.org", options=options)

        assert both("example.org") == signing.verified(received)


def test_mail_over_loopback_is_signed_whatever_the_relay_list_holds(keys: dict[str, tuple[bytes, bytes]]) -> None:
    """A host name in relay_from_hosts, at which exim's look stops, does not leave webmail and lists of this host unsigned."""
    with EximHost(hostnames=("example.org",), relay_nets="relay.example.org") as host:
        signing = Signing(host, keys, ("example.org",))
        host.macros(render(host.map, host.keys))
        host.render()
        for address in ("127.0.0.1", "::1"):
            (received,) = host.send(PLAIN, sender="ann@example.org", options=("-oMa", address))

            assert both("example.org") == signing.verified(received)
