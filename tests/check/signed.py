"""Zones signed for the tests, and a real named that validates them: a root of our own, and the zones below it.

world = signed(tmp_path, {"example.org": Sign()})     # → texts of zones for a `Bind`, the root among them, and the root's key
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdatatype
import dns.rrset
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from tests.bind import HEAD, Bind

FAR = 2_000_000_000  # later than any test
ROOT = "@ 3600 IN SOA ns.root. hostmaster.root. 1 3600 600 604800 300\n@ 3600 IN NS ns.root.\nns.root. 3600 IN A 127.0.0.1\n"


@dataclass(frozen=True, slots=True)
class Sign:
    """How a zone is signed: until when, whether the zone above has a DS, and one of another key (`wrong`). `bare`: it has
    a DNSKEY, and no signatures."""

    ends: int = FAR
    ds: bool = True
    wrong: bool = False
    begins: int = 1_600_000_000
    bare: bool = False


def _key() -> tuple[ec.EllipticCurvePrivateKey, dns.rdata.Rdata]:
    private = ec.generate_private_key(ec.SECP256R1())
    return private, dns.dnssec.make_dnskey(private.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)


def _text(origin: str, text: str, sign: Sign, keys) -> str:
    zone = dns.zone.from_text(text, origin=origin, relativize=False, check_origin=False)
    dns.dnssec.sign_zone(zone, keys=[keys], dnskey_ttl=300, inception=sign.begins, expiration=sign.ends)
    return zone.to_text(relativize=False)


def signed(zones: Mapping[str, tuple[str, Sign | None]]) -> tuple[dict[str, str], str]:
    """The texts of the zones, and of the root `.` over them; and the root's key as `trust-anchors` takes it. A zone without `Sign` is not signed."""
    texts: dict[str, str] = {}
    above = "$TTL 3600\n" + ROOT
    for name, (text, sign) in zones.items():
        whole = HEAD.format(zone=name) + text
        above += f"{name}. NS ns1.{name}.\nns1.{name}. A 127.0.0.1\n"
        if sign is None:
            texts[name] = whole
            continue
        keys = _key()
        texts[name] = _text(name + ".", whole, sign, keys)
        if sign.bare:
            texts[name] = "".join(
                line for line in texts[name].splitlines(True) if not {"RRSIG", "NSEC"} & {*line.split()}
            )
        if sign.ds:
            origin = dns.name.from_text(name)
            ds = dns.dnssec.make_ds(origin, _key()[1] if sign.wrong else keys[1], "SHA256")
            above += f"{name}. DS {ds.to_text()}\n"
    root = _key()
    texts["."] = _text(".", above, Sign(), root)
    words = root[1].to_text().split()
    return texts, f'. static-key {" ".join(words[:3])} "{"".join(words[3:])}";'


class Validating(Bind):
    """A resolver that asks the server at `port` alone, and validates with `anchor` as its trust anchor ("" = does not validate)."""

    def __init__(self, folder: Path, port: int, anchor: str) -> None:
        super().__init__(folder, {})
        self._upstream, self._anchor = port, anchor

    def _configured(self) -> list[str]:
        argv = super()._configured()
        conf = self.folder / "named.conf"
        how = "recursion yes; dnssec-validation " + ("yes" if self._anchor else "no")
        text = conf.read_text().replace("recursion no; dnssec-validation no", how)
        text = text.replace(
            "allow-transfer",
            f"allow-query {{ any; }}; forward only; forwarders {{ 127.0.0.1 port {self._upstream}; }}; allow-transfer",
        )
        conf.write_text(text + (f"trust-anchors {{ {self._anchor} }};\n" if self._anchor else ""))
        return argv
