"""Dynamic update where Knot answers otherwise than BIND: each refusal of a real knotd, and what the sentence says of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from dnssync_providers.rfc2136 import Provider

from dnssync.core.model import Change, Kind, ProviderError, RRset, StaleZone, Value
from tests.knot import Knot

pytestmark = pytest.mark.knot

ZONE = "example.org"


def created(name: str, kind: str = "TXT", text: str = "ours") -> Change:
    """A new RRset."""
    raw = "" if kind == "TXT" else text
    return Change(Kind.CREATE, name, kind, None, RRset(name, kind, 300, (Value(text, raw),)))


def refused(one: Provider, writes: bool, zone: str = ZONE) -> str:
    """What a read, or a write, says when it fails for good."""
    with pytest.raises(ProviderError) as caught:
        one.write(zone, [created("new")]) if writes else one.read(zone)
    assert not caught.value.transient and str(caught.value).startswith(f"{zone}: ")
    return str(caught.value)


def knot(folder: Path, text: str = "", **how: str) -> Knot:
    """A knotd with that zone."""
    return Knot(folder / "knot", {ZONE: text}, **how)


def provider(server: Knot, **options: object) -> Provider:
    """The provider of it."""
    return Provider("theirs", **{**server.options(), **options})


@pytest.mark.parametrize(("writes", "what"), [(False, "transfer"), (True, "update")])
class TestRefusals:
    """What a person has to look at."""

    def test_without_a_key(self, tmp_path: Path, writes: bool, what: str) -> None:
        """Where BIND says REFUSED, Knot says NOTAUTH, as for a zone that it does not have; that no key was sent is told."""
        with knot(tmp_path) as server:
            told = refused(provider(server, key_name=None, key_secret=None, key_algorithm=None), writes)
        assert f"refused the {what} with NOTAUTH" in told and f"acl with action {what}" in told
        assert "dnssync sent no TSIG key: set key_name and key_secret" in told

    def test_an_acl_without_that_action(self, tmp_path: Path, writes: bool, what: str) -> None:
        """Knot 3.2 calls a right key that may not do it BADKEY, Knot 3.4 says NOTAUTH: the sentence speaks of the acl each time."""
        with knot(tmp_path, actions="transfer" if writes else "update") as server:
            told = refused(provider(server), writes)
        assert "(BADKEY)" in told or "NOTAUTH" in told or "did not sign its answer" in told
        assert f"no acl with action {what} " in told

    def test_another_secret(self, tmp_path: Path, writes: bool, what: str) -> None:
        """A wrong secret is the key's fault, and nothing is said of an acl."""
        with knot(tmp_path) as server:
            told = refused(provider(server, key_secret="c29tZSBvdGhlciBzZWNyZXQ="), writes)
        assert "(BADSIG)" in told and "acl" not in told and "c29t" not in told

    def test_a_zone_that_is_not_there(self, tmp_path: Path, writes: bool, what: str) -> None:
        """To an update Knot answers without a signature then: that is told, with what it may mean."""
        with knot(tmp_path) as server:
            told = refused(provider(server), writes, "example.net")
        assert ("did not sign its answer to the update" if writes else "refused the transfer with NOTAUTH") in told
        assert "ook at `host:`" in told and "the zone's name" in told


class TestWrites:
    """What the table does not ask for."""

    def test_a_journal_that_it_cannot_write(self, tmp_path: Path) -> None:
        """An update that could not be stored is told with where to look, and may pass."""
        with knot(tmp_path) as server:
            one = provider(server)
            server.stop()
            shutil.rmtree(server.databases)
            server.start()
            with pytest.raises(
                ProviderError, match=r"SERVFAIL\. It could not store the change: look at its log"
            ) as caught:
                one.write(ZONE, [created("new")])
            assert caught.value.transient and server.texts("new.example.org") == []

    def test_a_cname_takes_others_place(self, tmp_path: Path) -> None:
        """In one update, and where something else stands there, the whole of it is refused."""
        with knot(tmp_path, "a A 192.0.2.1\na TXT x\nb A 192.0.2.1\nb RP m t\n") as server:
            one = provider(server)
            found = {rrset.key: rrset for rrset in one.read(ZONE)}
            goes = [Change(Kind.DELETE, *key, found[key], None) for key in (("a", "A"), ("a", "TXT"), ("b", "A"))]
            one.write(ZONE, [created("a", "CNAME", "w.example.org."), *goes[:2]])
            assert server.ask("a.example.org", "CNAME") == ["w.example.org."]
            with pytest.raises(StaleZone):
                one.write(ZONE, [goes[2], created("b", "CNAME", "w.example.org.")])
            assert server.ask("b.example.org", "A") == ["192.0.2.1"]

    def test_more_than_a_message_holds(self, tmp_path: Path) -> None:
        """Hundreds of keys go in several messages, each of which is taken."""
        with knot(tmp_path) as server:
            provider(server).write(ZONE, [created(f"s{number}", text="x" * 700) for number in range(200)])
            assert len(server.transfer(ZONE)) == 202
