"""TLS at our own mail server (RFC 3207, RFC 8996, RFC 9325): STARTTLS, version, certificate, keys, CAA."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from dnssync.check.facts import Facts, zone_line
from dnssync.check.finding import Verdict, info, unknown, warning
from dnssync.check.judging import Check
from dnssync.check.mta_sts import published
from dnssync.check.talking import Certificate, Talked, of_mx, own_mx, reached, secured, users

SOON = 10 * 86400  # seconds: an ACME client that works has renewed long before
STRONG = {"RSA": 2048, "DSA": 1 << 30, "EC": 224}  # bits; a DSA key is never enough
WEAK_HASHES = ("md5", "sha1")
RENEW = "Renew the certificate, and have exim use it: `exim -bP tls_certificate tls_privatekey` names the files."


def starttls(facts: Facts, host: str) -> Iterator[Verdict]:
    """TLS-01: mail can come encrypted."""
    for ip, talk in reached(facts, host):
        if not talk.starttls:
            yield warning(
                f"{host} does not offer STARTTLS at {ip}: mail comes in the clear.",
                "Set `tls_advertise_hosts = *`, `tls_certificate` and `tls_privatekey` in exim (Debian: MAIN_TLS_ENABLE = yes).",
            )
        elif talk.refused and talk.passing:
            yield unknown(f"Whether STARTTLS works for {host} at {ip} is not known: it is offered, and {talk.refused}.")
        elif talk.refused or not talk.chain:
            yield warning(
                f"{host} offers STARTTLS at {ip}, but {talk.refused or 'shows no certificate'}.",
                "See exim's mainlog; can user Debian-exim read what `exim -bP tls_certificate tls_privatekey` names?",
            )


def versions(facts: Facts, host: str) -> Iterator[Verdict]:
    """TLS-02: TLS 1.2 at least, and nothing older."""
    remedy = ("Set `tls_require_ciphers = NORMAL:-VERS-TLS1.0:-VERS-TLS1.1` in exim (GnuTLS, as on Debian), or "
              "`openssl_options = +no_sslv2 +no_sslv3 +no_tlsv1 +no_tlsv1_1` (OpenSSL).")  # fmt: skip
    for ip, talk in secured(facts, host):
        if talk.version not in ("TLSv1.2", "TLSv1.3"):
            yield warning(f"The best that {host} takes at {ip} is {talk.version}; many senders refuse that.", remedy)
        elif talk.old:
            yield warning(f"{host} takes TLS 1.0 or 1.1 at {ip}, which RFC 8996 has given up.", remedy)
        elif talk.old is None:
            yield unknown(f"Whether {host} still takes TLS 1.0 or 1.1 at {ip} could not be tried from here.")


def certificate(facts: Facts, host: str) -> Iterator[Verdict]:
    """TLS-03: chain, name and expiry. Senders look at chain and name only where MTA-STS tells them to; else it is worth knowing."""
    strict = [name for name in users(facts, host) if published(facts, name)]
    say = warning if strict else info
    why = f"; {strict[0]} has MTA-STS, so senders that follow it do not deliver" if strict else ""
    for ip, talk in secured(facts, host):
        own = talk.chain[0]
        yield from _times(facts, host, ip, own)
        if not own.holds(host):
            names = ", ".join(own.names[:5]) or "nobody"
            yield say(
                f"The certificate at {ip} is made out to {names}, not to {host}{why}.", f"Get one for {host}. {RENEW}"
            )
        yield from _trust(facts, host, ip, talk, say, why)


def _times(facts: Facts, host: str, ip: str, own: Certificate) -> Iterator[Verdict]:
    if own.not_after <= facts.now:
        yield warning(f"The certificate of {host} at {ip} expired on {_day(own.not_after)}.", RENEW)
    elif own.not_before > facts.now:
        yield warning(
            f"The certificate of {host} at {ip} is not valid before {_day(own.not_before)}.",
            "Is the clock right? " + RENEW,
        )
    elif own.not_after - facts.now < min(SOON, (own.not_after - own.not_before) // 6):
        yield warning(
            f"The certificate of {host} at {ip} expires on {_day(own.not_after)}, and it has not been renewed.",
            f"See why the ACME client does not (`systemctl list-timers`). {RENEW}",
        )


def _trust(facts: Facts, host: str, ip: str, talk: Talked, say: Callable[..., Verdict], why: str) -> Iterator[Verdict]:
    own = talk.chain[0]
    if talk.distrust is None:
        yield unknown(
            f"Whether the certificate at {ip} can be trusted is not known: this host trusts no CA.",
            "`apt install ca-certificates`",
        )
    elif own.self_signed:
        yield say(f"The certificate of {host} at {ip} is signed by itself alone{why}.", f"Get one from a CA. {RENEW}")
    elif talk.distrust and own.not_before <= facts.now < own.not_after:
        yield say(
            f"The certificate of {host} at {ip} is not trusted: {talk.distrust}{why}.",
            "The file of `tls_certificate` has to hold the whole chain, the host's certificate first (certbot: fullchain.pem).",
        )


def _day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def strength(facts: Facts, host: str) -> Iterator[Verdict]:
    """TLS-04: no SHA-1, no short key. What a root says of itself, nobody has to believe: its signature is not looked at."""
    for ip, talk in secured(facts, host):
        for at, one in enumerate(talk.chain):
            whose = f"The certificate of {host}" if at == 0 else f"The CA certificate {one.subject}"
            if one.hash in WEAK_HASHES and not one.self_signed:
                yield warning(f"{whose} at {ip} is signed with {one.hash.upper()}.", RENEW)
            if one.bits < STRONG.get(one.key, 0):
                yield warning(
                    f"{whose} at {ip} has a weak key: {one.key}, {one.bits} bits.",
                    f"Make a new key, RSA of 2048 bits or EC P-256. {RENEW}",
                )


def caa(facts: Facts, host: str) -> Iterator[Verdict]:
    """TLS-05: who may issue certificates for the host (RFC 8659 §3: the nearest set from the name upwards)."""
    labels = host.split(".")
    names = [".".join(labels[at:]) for at in range(len(labels))]
    for name in names:
        facts.ask(name, "CAA")
    for name in names:
        texts = facts.texts(name, "CAA")
        if not texts:
            continue
        issuers = [
            match[1].strip() for text in texts if (match := re.fullmatch(r'\d+ issue "?([^";]*)[^"]*"?', text, re.I))
        ]
        if not issuers:
            # Only `issue` binds (RFC 8659 §4.2); what else stands there keeps the names above from being looked at.
            yield warning(
                f"The CAA records at {name} name no CA, so every CA may issue certificates for {host}.",
                f"Name yours beside them; for Let's Encrypt: {zone_line(name, 'CAA', _issue())}",
            )
        elif not any(issuers):
            yield warning(
                f"The CAA records at {name} let no CA issue a certificate for {host}.",
                f"Name your CA: {zone_line(name, 'CAA', _issue())}",
            )
        return
    apex = max((zone for zone in facts.configured if host == zone or host.endswith(f".{zone}")), key=len, default=host)
    yield warning(
        f"No CAA record says who may issue certificates for {host}: every CA may.",
        f"Name your CA; for Let's Encrypt: {zone_line(apex, 'CAA', _issue())}",
    )


def _issue() -> str:
    return '0 issue "letsencrypt.org"'


CHECKS: tuple[Check, ...] = (
    Check("TLS-01", "STARTTLS is offered.", own_mx, of_mx(starttls)),
    Check("TLS-02", "TLS 1.2 or newer, and nothing older.", own_mx, of_mx(versions)),
    Check("TLS-03", "The certificate is trusted, valid and made out to the host.", own_mx, of_mx(certificate)),
    Check("TLS-04", "The certificate's keys and signatures are strong.", own_mx, of_mx(strength)),
    Check("TLS-05", "CAA records say who may issue certificates.", own_mx, of_mx(caa)),
)
