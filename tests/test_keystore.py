"""Private keys: on disk before anybody hears of them, readable by exim, never written over, never told."""

from __future__ import annotations

import base64
import grp
import os
import stat
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from dnssync import keystore
from dnssync.core.model import KeyPair
from dnssync.errors import DnssyncError, KeyFileError
from dnssync.files import WriteError
from dnssync.keystore import Keystore, public_half, read_public

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
PLAIN = serialization.NoEncryption()


@pytest.fixture
def store(tmp_path: Path) -> Keystore:
    """A keystore whose way down is open to exim."""
    for place in (tmp_path, *tmp_path.parents):
        if place.stat().st_uid == os.geteuid() and not place.stat().st_mode & stat.S_IXOTH:
            place.chmod(0o755)
    return Keystore(tmp_path / "keys")


@pytest.mark.parametrize("algorithm", ["rsa1024", "rsa2048", "ed25519"])
def test_generate(store: Keystore, algorithm: str) -> None:
    """The file is there, 0640 in a 0750 directory, and holds the private half of what is told."""
    told = store.generate("example.org", "s1", algorithm)
    path = store.path("example.org", "s1")
    assert told[0] == algorithm and read_public(path) == told
    assert stat.S_IMODE(path.stat().st_mode) == 0o640 and stat.S_IMODE(path.parent.stat().st_mode) == 0o750
    if os.geteuid() == 0:
        assert path.stat().st_gid == path.parent.stat().st_gid == grp.getgrnam("Debian-exim").gr_gid
    assert store.problem(KeyPair("example.org", "s1", *told, 1)) == ""


def test_never_written_over(store: Keystore) -> None:
    """A selector is never used for two keys."""
    told = store.generate("example.org", "s1", "ed25519")
    with pytest.raises(WriteError, match="exists already"):
        store.generate("example.org", "s1", "ed25519")
    assert read_public(store.path("example.org", "s1")) == told


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "a\nb", ".hidden"])
def test_names_that_lead_out(store: Keystore, name: str) -> None:
    """No name leads out of the directory."""
    with pytest.raises(KeyFileError):
        store.path(name, "s1")
    with pytest.raises(KeyFileError):
        store.path("example.org", name)


def test_unknown_algorithm(store: Keystore) -> None:
    """A kind of key that is not made is told, not tried."""
    with pytest.raises(KeyFileError, match="rsa512"):
        store.generate("example.org", "s1", "rsa512")


class TestPublicHalf:
    def test_traditional_rsa(self) -> None:
        """RSA in its traditional form is read too, and gives what PKCS#8 gives."""
        key = rsa.generate_private_key(65537, 2048)
        traditional = key.private_bytes(PEM, serialization.PrivateFormat.TraditionalOpenSSL, PLAIN)
        assert public_half(traditional) == public_half(key.private_bytes(PEM, PKCS8, PLAIN))

    def test_rfc_8463_key(self) -> None:
        """p= of Ed25519 is the raw key in base64, as in RFC 8463 appendix A.2."""
        import base64

        seed = base64.b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
        pem = ed25519.Ed25519PrivateKey.from_private_bytes(seed).private_bytes(PEM, PKCS8, PLAIN)
        assert public_half(pem) == ("ed25519", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")

    @pytest.mark.parametrize(
        ("pem", "word"),
        [
            (b"", "does not hold a private key"),
            (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "does not hold a private key"),
            (ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, PKCS8, PLAIN), "neither RSA nor Ed25519"),
            (dsa.generate_private_key(1024).private_bytes(PEM, PKCS8, PLAIN), "neither RSA nor Ed25519"),
            (
                ed25519.Ed25519PrivateKey.generate().private_bytes(
                    PEM, PKCS8, serialization.BestAvailableEncryption(b"x")
                ),
                "passphrase",
            ),
        ],
        ids=["empty", "nonsense", "elliptic curve", "dsa", "encrypted"],
    )
    def test_not_a_dkim_key(self, pem: bytes, word: str) -> None:
        """What is no key for DKIM is told as what it is, with the file's name and none of its content."""
        with pytest.raises(KeyFileError) as caught:
            public_half(pem, "/etc/exim4/dkim.pem")
        assert word in str(caught.value) and "/etc/exim4/dkim.pem" in str(caught.value)
        assert "BEGIN" not in str(caught.value)

    def test_512_bits(self, tmp_path: Path) -> None:
        """An RSA key of 512 bits is refused: receivers do not take it."""
        (tmp_path / "k.pem").write_bytes(RSA512)
        with pytest.raises(KeyFileError, match=r"512 bits|too short"):
            read_public(tmp_path / "k.pem")

    @pytest.mark.parametrize("part", ["p", "q", "d", "e", "dmp1", "dmq1", "iqmp"])
    def test_a_damaged_file(self, part: str) -> None:
        """An RSA key of which one number was changed would sign what nobody can verify: it is no key."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        numbers = key.private_numbers()
        number = numbers.public_numbers.e if part == "e" else getattr(numbers, part)
        size = (number.bit_length() + 7) // 8
        der = key.private_bytes(serialization.Encoding.DER, PKCS8, PLAIN)
        bad = der.replace(
            bytes([size]) * (part == "e") + number.to_bytes(size, "big"),
            bytes([size]) * (part == "e") + (number ^ 4).to_bytes(size, "big"),
        )
        assert bad != der
        lines = base64.encodebytes(bad).decode("ascii")
        with pytest.raises(KeyFileError, match=r"damaged|does not hold a private key"):
            public_half(f"-----BEGIN PRIVATE KEY-----\n{lines}-----END PRIVATE KEY-----\n".encode(), "the key")


class TestAdopt:
    def test_copied(self, store: Keystore, tmp_path: Path) -> None:
        """The administrator's file is copied, and neither changed nor deleted; a second time is fine."""
        source = tmp_path / "mine.pem"
        source.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, PKCS8, PLAIN))
        before = source.read_bytes()
        told = store.adopt("example.org", "old", str(source))
        assert store.adopt("example.org", "old", str(source)) == told
        assert source.read_bytes() == before == store.path("example.org", "old").read_bytes()

    def test_another_key_there(self, store: Keystore, tmp_path: Path) -> None:
        """Another key under the same name is told, not replaced."""
        told = store.generate("example.org", "old", "ed25519")
        source = tmp_path / "mine.pem"
        source.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, PKCS8, PLAIN))
        with pytest.raises(KeyFileError, match="holds another key"):
            store.adopt("example.org", "old", str(source))
        assert read_public(store.path("example.org", "old")) == told

    def test_missing(self, store: Keystore) -> None:
        """A file that is not there is named."""
        with pytest.raises(KeyFileError, match=r"/nonexistent/key\.pem is not there"):
            store.adopt("example.org", "old", "/nonexistent/key.pem")


class TestProblem:
    @pytest.fixture
    def key(self, store: Keystore) -> KeyPair:
        """A key that is fine."""
        return KeyPair("example.org", "s1", *store.generate("example.org", "s1", "ed25519"), 1)

    def test_gone(self, store: Keystore, key: KeyPair) -> None:
        """A lost file is told."""
        store.path("example.org", "s1").unlink()
        assert "is not there" in store.problem(key)

    def test_not_matching(self, store: Keystore, key: KeyPair) -> None:
        """A file with another key is told: receivers would look for the published one."""
        other = ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, PKCS8, PLAIN)
        store.path("example.org", "s1").write_bytes(other)
        assert "another" in store.problem(key)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to exim's group")
    @pytest.mark.parametrize("which", [0, 1, 2, 3], ids=["file", "domain", "root", "above"])
    def test_closed_to_exim(self, store: Keystore, key: KeyPair, which: int) -> None:
        """A mode that shuts exim out, of the file or of any directory on the way, is told with the command that opens it."""
        path = store.path("example.org", "s1")
        place = [path, *path.parents][which]
        place.chmod(0o600 if which == 0 else 0o700)
        assert f"chmod g+{'r' if which == 0 else 'x'} {place}" in store.problem(key)


def test_nothing_shows_a_private_key(store: Keystore) -> None:
    """A repr of the store tells nothing of what is in it."""
    store.generate("example.org", "s1", "ed25519")
    assert "PRIVATE" not in repr(store) and "PRIVATE" not in str(vars(store))


# Made by `openssl genrsa -traditional 512`; today's libraries make none so short.
RSA512 = b"""-----BEGIN RSA PRIVATE KEY-----
MIIBOgIBAAJBANrqLoLdvYOaD7oM8ksCHL9LaVWHgsg8yvGhvWmJ0+DFP9YiKB4f
GPVVSKlJ4LdQ4/oeKjg7DNAKU3uRtNKNIB8CAwEAAQJARkDxPD49G4bNlT+iYkAD
ScDBxRj/95LK7lChoMUCohcTIj5c3+yZFmv8+yAeVGiO0RYFGhkSVNgfCwzeNpSS
AQIhAPVnMVONjMrX31tP4rzt8ZcqOLclce78zpUpZYBo1/FhAiEA5F4siD5Fdq8S
kBMJJ6BkCD1igGmRwNtiD+ILw2pbAX8CIHdZLYsmH2ATZuRg0LPzwPg0p4qi4mtJ
dirjDCNMWiFhAiEAzmQGX0PYR8FGR4vMtFGS1peT1HaU0fX0FGK5Ou1+PkUCIE8S
EnZJdJMgTG47JZ9RzzYzWQ3L9hDPbOADpl5Dzc/6
-----END RSA PRIVATE KEY-----
"""


class TestHostName:
    def test_chosen_once(self, tmp_path: Path) -> None:
        """It is kept beside the keys, and read back; nothing is there before."""
        store = Keystore(tmp_path / "keys")
        assert store.host() == ""
        store.name_host("mx1-abcd")
        assert store.host() == "mx1-abcd" and (tmp_path / "keys/host-id").read_text() == "mx1-abcd\n"

    @pytest.mark.parametrize("content", [b"two words\n", b"", b"-x", b"gr\xc3\xbcn", b"x" * 60, b"a.b"])
    def test_what_is_no_name(self, tmp_path: Path, content: bytes) -> None:
        """A damaged file is an error that names it, and never a new name by chance."""
        (tmp_path / "host-id").write_bytes(content)
        with pytest.raises(KeyFileError, match="host-id"):
            Keystore(tmp_path).host()


class TestPurge:
    def test_gone(self, tmp_path: Path) -> None:
        """The file is deleted, and once more does no harm."""
        store = Keystore(tmp_path)
        key = KeyPair("example.org", "s1", *store.generate("example.org", "s1", "ed25519"), 1)
        store.purge(key)
        store.purge(key)
        assert not store.holds("example.org", "s1") and list((tmp_path / "example.org").iterdir()) == []

    def test_disclosed_first(self, tmp_path: Path) -> None:
        """With a folder to disclose it in, it stands there for all to read before it is deleted; where it cannot, it stays."""
        store, web = Keystore(tmp_path / "keys"), tmp_path / "web"
        key = KeyPair("example.org", "s1", *store.generate("example.org", "s1", "ed25519"), 1)
        pem = store.path("example.org", "s1").read_bytes()
        (tmp_path / "file").write_text("")
        with pytest.raises(DnssyncError, match="could not be written"):
            store.purge(key, tmp_path / "file" / "below")
        assert store.holds("example.org", "s1")
        store.purge(key, web)
        shown = web / "example.org/s1.pem"
        assert (
            shown.read_bytes() == pem and shown.stat().st_mode & 0o777 == 0o644 and not store.holds("example.org", "s1")
        )

    def test_another_key(self, tmp_path: Path) -> None:
        """A file that holds another key than the one that is to go stays."""
        store = Keystore(tmp_path)
        algorithm, _ = store.generate("example.org", "s1", "ed25519")
        with pytest.raises(KeyFileError, match=r"s1\.pem holds another key"):
            store.purge(KeyPair("example.org", "s1", algorithm, "AAAA", 1), tmp_path / "web")
        assert store.holds("example.org", "s1") and not (tmp_path / "web").exists()

    def test_hand_made(self, tmp_path: Path) -> None:
        """The copy of a hand-made key goes, the administrator's own file never, also where it lies in this very place."""
        store, own = Keystore(tmp_path / "keys"), Keystore(tmp_path / "own")
        algorithm, public = own.generate("example.org", "mail", "ed25519")
        key = KeyPair("example.org", "mail", algorithm, public, 1, adopted=True)
        store.adopt("example.org", "mail", str(own.path("example.org", "mail")))
        assert store.purge(key) is True
        assert not store.holds("example.org", "mail") and list((tmp_path / "keys/example.org").iterdir()) == []
        own.adopt("example.org", "mail", str(own.path("example.org", "mail")))
        assert own.purge(key) is False and own.holds("example.org", "mail")


def test_a_key_that_has_settled_is_not_parsed_again(store: Keystore) -> None:
    """What a file held is remembered until anything about it changes: another key of the same length with the same times on it, one that came
    by a rename, a mode. Of what was read, the public half alone is kept."""
    algorithm, public = store.generate("example.org", "s1", "ed25519")
    other, told = store.generate("example.org", "s2", "ed25519")
    first, second = (store.path("example.org", name) for name in ("s1", "s2"))
    key = KeyPair("example.org", "s1", algorithm, public, 1)
    time.sleep(2.1)  # the file system's own clock tells when a file is no longer new
    assert store.half("example.org", "s1") == (algorithm, public) and store.problem(key) == ""
    assert str(first) in keystore._known and "PRIVATE" not in repr(keystore._known)
    before, octets, mark = first.stat(), first.read_bytes(), store.mark("example.org", "s1")
    first.write_bytes(second.read_bytes())
    os.utime(first, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.half("example.org", "s1") == (other, told) and "another" in store.problem(key)
    assert store.mark("example.org", "s1") != mark
    assert str(first) not in keystore._known  # it was changed just now, however old it says that it is
    (first.parent / "new").write_bytes(octets)
    (first.parent / "new").rename(first)
    assert store.half("example.org", "s1") == (algorithm, public)
    first.unlink()
    assert "is not there" in store.problem(key)
