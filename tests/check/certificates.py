"""A CA of the tests' own, and certificates from it."""

from __future__ import annotations

import datetime
import ssl
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

KeyOf = Any


def curve() -> KeyOf:
    """A new EC key; made at once."""
    return ec.generate_private_key(ec.SECP256R1())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


class Ca:
    """A root; `cafile` is what trusts it."""

    def __init__(self, folder: Path, name: str = "Tests' Root") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.key, self.name = folder, curve(), _name(name)
        self.certificate = self._signed(self.name, self.key, self.name, self.key, [], ca=True)
        self.cafile = folder / "root.pem"
        self.cafile.write_bytes(self.pem(self.certificate))
        self._made = 0

    def below(self, name: str) -> Ca:
        """A CA that this one certifies; what it issues comes with its own certificate behind it."""
        under = Ca(self.folder / name, name)
        under.certificate = self._signed(under.name, under.key, self.name, self.key, [], ca=True)
        return under

    @staticmethod
    def pem(certificate: x509.Certificate) -> bytes:
        """As a file has it."""
        return certificate.public_bytes(serialization.Encoding.PEM)

    @staticmethod
    def _signed(
        subject: x509.Name, key: KeyOf, issuer: x509.Name, by: KeyOf, names: Sequence[str], *, days: tuple[float, float] = (-1, 90),
        ca: bool = False,
    ) -> x509.Certificate:  # fmt: skip
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False
            )
        return builder.sign(by, hashes.SHA256())

    def issue(
        self, *names: str, days: tuple[float, float] = (-1, 90), bits: int = 0, key: Path | None = None, self_signed: bool = False,
        chain: bool = True,
    ) -> tuple[Path, Path]:  # fmt: skip
        """A certificate with its chain, and its key, as files. `bits`: an RSA key of that length, else an EC one; `key`: that of another
        certificate."""
        made = rsa.generate_private_key(65537, bits) if bits else curve()
        if key is not None:
            made = serialization.load_pem_private_key(key.read_bytes(), None)
        subject = _name(names[0])
        issuer, by = (subject, made) if self_signed else (self.name, self.key)
        certificate = self._signed(subject, made, issuer, by, names, days=days)
        self._made += 1
        files = self.folder / f"{self._made}.pem", self.folder / f"{self._made}.key"
        files[0].write_bytes(self.pem(certificate) + (self.pem(self.certificate) if chain and not self_signed else b""))
        files[1].write_bytes(_pem(made))
        for file in files:
            file.chmod(0o644)
        return files

    def old_fashioned(self, name: str) -> tuple[Path, Path]:
        """One that is signed with SHA-1, which the library no longer does and OpenSSL still can."""
        files = self.issue(name)
        (self.folder / "root.key").write_bytes(_pem(self.key))
        (self.folder / "names").write_text(f"subjectAltName=DNS:{name}\n")
        new = ["openssl", "req", "-new", "-key", files[1], "-subj", f"/CN={name}"]
        sign = ["openssl", "x509", "-req", "-sha1", "-days", "30", "-CA", self.cafile, "-CAkey", self.folder / "root.key",
                "-extfile", self.folder / "names"]  # fmt: skip
        request = subprocess.run(new, capture_output=True, check=True).stdout
        signed = subprocess.run(sign, input=request, capture_output=True, check=True).stdout
        files[0].write_bytes(signed + self.pem(self.certificate))
        return files


def _pem(key: KeyOf) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def serving(files: tuple[Path, Path], *, lowest: str = "TLSv1_2", highest: str = "TLSv1_3") -> ssl.SSLContext:
    """What a server shows a certificate with; versions as `ssl.TLSVersion` names them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(*map(str, files))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a version is old is what is wanted
        context.minimum_version, context.maximum_version = ssl.TLSVersion[lowest], ssl.TLSVersion[highest]
    return context
