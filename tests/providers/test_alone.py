"""At Cloudflare and OVHcloud, a record of the same kind that somebody writes in the moment of ours: ours goes, and theirs stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from dnssync_providers import cloudflare, ovh
from dnssync_providers._alone import crowded
from dnssync_providers._by_id import Record, steps

from dnssync.core.model import Change, Kind, ProviderError, RRset, StaleZone, Value
from tests.cloudflare import Cloudflare
from tests.http_faults import Fault
from tests.ovh import Ovh
from tests.providers.asked import create, turn

ZONE, OLD, OURS, THEIRS = "example.org", "v=spf1 mx -all", "v=spf1 mx a -all", "v=spf1 include:other.test ~all"
ROWS = [("@", "TXT", 300, ['"site=1"', f'"{OLD}"', '"v=verify1 them"']), ("new", "TXT", 300, ['"site=2"'])]
Make = Callable[[Any, str, Any], list[Change]]


@dataclass
class Site:
    """A stand-in, a way to make its provider, and which requests come in its write, its look and its taking back."""

    stand_in: Any
    make: Callable[..., Any]
    comes: str
    look: str
    back: tuple[str, str]
    slept: list[float] = field(default_factory=list)

    @property
    def provider(self) -> Any:
        """With no patience, a clock that stands still, and a note of every pause."""
        options = {"timeout": (5.0, 2.0), "sleep": self.slept.append, "now": lambda: 0.0}
        return self.make(endpoint=self.stand_in.endpoint, **options)

    def race(self, method: str = "", name: str = "@", text: str = THEIRS) -> Fault:
        """Somebody adds a text in the moment of our first request of that method."""
        return Fault(
            method or "POST", self.comes, stranger=lambda: self.stand_in.add(ZONE, name, "TXT", 300, f'"{text}"')
        )

    def failing(self, times: int, **more: Any) -> Fault:
        """What takes ours out again goes wrong so many times."""
        return Fault(*self.back, answer=self.stand_in.erred(), times=times, **more)

    def spf(self, name: str = "@") -> list[str]:
        """The SPF texts at a name, as they are written; at OVHcloud, as they are served too, or there are two lists."""
        written = self._spf(self.stand_in.values(ZONE), name)
        served = self._spf(self.stand_in.served(ZONE), name) if isinstance(self.stand_in, Ovh) else written
        return written if written == served else [*written, "served:", *served]

    def _spf(self, values: Any, name: str) -> list[str]:
        texts = values.get((name, "TXT"), (0, frozenset()))[1]
        return sorted(text.decode() for text in texts if text.startswith(b"v=spf1"))

    def looks(self, since: int) -> int:
        """How many requests since then were looks at a whole list."""
        return sum(call.startswith("GET ") and call.endswith(self.look) for call in self.stand_in.calls()[since:])


@pytest.fixture(params=["cloudflare", "ovh"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Each of the two, with a small zone."""
    if request.param == "cloudflare":
        with Cloudflare({ZONE: ROWS}, gapless=False) as at:
            yield Site(
                at,
                lambda **more: cloudflare.Provider("p", token=at.token, **more),
                "batch$",
                "/dns_records",
                ("POST", "batch$"),
            )
    else:
        with Ovh({ZONE: ROWS}, gapless=False) as at:
            yield Site(
                at, lambda **more: ovh.Provider("p", **at.keys, **more), "record", "/record", ("DELETE", "record/")
            )


def first(provider: Any) -> list[Change]:
    """Ours comes to a name where others have texts."""
    return [turn(provider.read(ZONE), "new", None, OURS)]


def replaced(provider: Any) -> list[Change]:
    """Ours becomes another one."""
    return [turn(provider.read(ZONE), "", OLD, OURS)]


def put(site: Site, method: str) -> str:
    """At OVHcloud, another value is a PUT; at Cloudflare all is in the batch."""
    return method if isinstance(site.stand_in, Ovh) else "POST"


def test_the_first_one(site: Site) -> None:
    """Theirs stays alone, the texts of another kind stay too, and the plan is made anew."""
    provider = site.provider
    changes = first(provider)
    site.stand_in.faults = [site.race(name="new")]
    with pytest.raises(StaleZone, match=rf"^{ZONE}: new\.{ZONE} TXT at p is not what was read any more"):
        provider.write(ZONE, changes)
    assert site.spf("new") == [THEIRS] and b"site=2" in site.stand_in.values(ZONE)["new", "TXT"][1]


def test_a_new_record_set(site: Site) -> None:
    """The same where nothing stood at the name, and for DMARC."""
    provider = site.provider
    provider.read(ZONE)
    site.stand_in.faults = [site.race(name="_dmarc", text="v=DMARC1; p=reject")]
    with pytest.raises(StaleZone):
        provider.write(ZONE, [create("_dmarc", "v=DMARC1; p=none", ttl=300)])
    assert site.stand_in.values(ZONE)["_dmarc", "TXT"][1] == {b"v=DMARC1; p=reject"}


def test_a_replacement(site: Site) -> None:
    """Neither the old nor the new one of ours is left beside theirs, and theirs is never gone."""
    provider = site.provider
    changes = replaced(provider)
    site.stand_in.faults = [site.race(put(site, "PUT"))]
    with pytest.raises(StaleZone):
        provider.write(ZONE, changes)
    assert site.spf() == [THEIRS] and b"v=verify1 them" in site.stand_in.values(ZONE)["@", "TXT"][1]


def test_among_others(site: Site) -> None:
    """What else was written stays and is served, and is told: the zone is not planned anew as if nothing had been done."""
    provider = site.provider
    changes = [*replaced(provider), create("one._domainkey", "v=DKIM1; p=AAAA")]
    site.stand_in.faults = [site.race(put(site, "PUT"))]
    with pytest.raises(
        ProviderError, match=r"not what was read any more\. Before that, 1 of 2 changes were done"
    ) as caught:
        provider.write(ZONE, changes)
    assert not isinstance(caught.value, StaleZone) and caught.value.transient
    assert site.spf() == [THEIRS] and ("one._domainkey", "TXT") in site.stand_in.values(ZONE)


@pytest.mark.parametrize("text", ["site=3", "v=verify1 them too", "v=spf2.0/pra -all", "V=SPF10"])
def test_something_else_beside_it(site: Site, text: str) -> None:
    """Ours stays beside a text of another kind."""
    provider = site.provider
    changes = replaced(provider)
    site.stand_in.faults = [site.race(put(site, "PUT"), text=text)]
    start = len(site.stand_in.requests)
    assert provider.write(ZONE, changes) == () and site.spf() == [OURS] and site.looks(start) == 1
    assert text.encode() in site.stand_in.values(ZONE)["@", "TXT"][1]


def test_one_that_was_read(site: Site) -> None:
    """What stood there when it was planned is no surprise, and what is ours neither."""
    provider = site.provider
    assert provider.write(ZONE, [turn(provider.read(ZONE), "", None, "v=verify1 us")]) == ()
    provider = site.provider
    assert provider.write(ZONE, [create("twice", "v=verify1 a", "v=verify1 b", ttl=300)]) == () and site.slept == []


def test_what_is_not_looked_at(site: Site) -> None:
    """Keys, texts that do not say what they are, and what goes: for them nothing more is asked."""
    provider = site.provider
    found = provider.read(ZONE)
    start = len(site.stand_in.requests)
    provider.write(ZONE, [turn(found, "", OLD, None), create("a._domainkey", "v=DKIM1; p=A"), create("x", "plain")])
    assert site.looks(start) == 0


def test_it_is_taken_back_late(site: Site) -> None:
    """An error of the API's does not end it; all that time nothing is served of it where that is a request of its own."""
    provider = site.provider
    changes = replaced(provider)
    site.stand_in.faults = [site.race(put(site, "PUT")), site.failing(2)]
    with pytest.raises(StaleZone):
        provider.write(ZONE, changes)
    assert site.spf() == [THEIRS] and site.slept == [1.0, 5.0]
    if isinstance(site.stand_in, Ovh):
        calls = [call for call in site.stand_in.calls() if not call.startswith("GET")]
        assert [call.rpartition("/")[2] for call in calls].index("refresh") == len(calls) - 1


def test_it_cannot_be_taken_back(site: Site) -> None:
    """Then a person is asked to look at once, with the name, the reason and the error; it is tried for as long as that helps."""
    provider = site.provider
    changes = replaced(provider)
    failing = site.failing(9)
    site.stand_in.faults = [site.race(put(site, "PUT")), failing]
    with pytest.raises(
        ProviderError,
        match=rf"^{ZONE}: taking back what was added to {ZONE} TXT: another record of the same kind \(v=spf1\)",
    ) as caught:
        provider.write(ZONE, changes)
    assert f"Look at {ZONE} TXT at {provider.who} now: of two, receivers take neither" in str(caught.value)
    assert "answered 500" in str(caught.value) and caught.value.transient and not isinstance(caught.value, StaleZone)
    assert failing.struck == 4 and site.slept == [1.0, 5.0, 15.0]
    if isinstance(site.stand_in, Ovh):
        assert f"POST /domain/zone/{ZONE}/refresh" not in site.stand_in.calls()
        assert "The records are written, and are not served" in str(caught.value)


def test_theirs_is_gone_again(site: Site) -> None:
    """Ours stays where theirs went while ours was being taken back: there is never none."""

    def away() -> None:
        for entry in list(site.stand_in.zones[ZONE].entries.values()):
            if THEIRS.encode() == entry.octets:
                del site.stand_in.zones[ZONE].entries[entry.id]

    provider = site.provider
    changes = replaced(provider)
    site.stand_in.faults = [site.race(put(site, "PUT")), site.failing(1, stranger=away)]
    with pytest.raises(StaleZone):
        provider.write(ZONE, changes)
    assert site.spf() == [OURS]


def test_ours_is_gone_already(site: Site) -> None:
    """A record that somebody else took out need not be taken out."""

    def away() -> None:
        for entry in list(site.stand_in.zones[ZONE].entries.values()):
            if OURS.encode() == entry.octets:
                del site.stand_in.zones[ZONE].entries[entry.id]

    provider = site.provider
    changes = replaced(provider)
    site.stand_in.faults = [site.race(put(site, "PUT")), Fault(*site.back, stranger=away)]
    with pytest.raises(StaleZone):
        provider.write(ZONE, changes)
    assert site.spf() == [THEIRS] and site.slept == []


def test_the_look_fails(site: Site) -> None:
    """What was not seen is not told as success, and is not served where that is a request of its own."""
    provider = site.provider
    changes = replaced(provider)
    site.stand_in.faults = [Fault("GET", f"{site.look}$", answer=site.stand_in.erred())]
    with pytest.raises(
        ProviderError, match=rf"^{ZONE}: reading the zone: .*500.*in that moment is not known"
    ) as caught:
        provider.write(ZONE, changes)
    assert caught.value.transient
    assert site.spf() == ([OURS, "served:", OLD] if isinstance(site.stand_in, Ovh) else [OURS])


@pytest.mark.parametrize("commits", [True, False])
def test_an_answer_that_is_lost(site: Site, commits: bool) -> None:
    """What may have been done is looked at, too: ours goes if it came, and what stopped the write is what is told."""
    provider = site.provider
    changes = first(provider)
    lost = site.race(name="new")
    lost.drop, lost.commits = True, commits
    site.stand_in.faults = [lost]
    with pytest.raises(
        ProviderError, match=r"Whether the change was made is not known\. A later pass tries again\.$"
    ) as caught:
        provider.write(ZONE, changes)
    assert not isinstance(caught.value, StaleZone) and site.spf("new") == [THEIRS]


def test_a_replacement_whose_answer_is_lost(site: Site) -> None:
    """It is not taken for what it was before: ours goes if it became what it was to be."""
    provider = site.provider
    changes = replaced(provider)
    lost = site.race(put(site, "PUT"))
    lost.drop = lost.commits = True
    site.stand_in.faults = [lost, Fault("PUT", drop=True, commits=True, times=9)]  # a PUT is tried again by itself
    with pytest.raises(ProviderError, match=r"Whether the change was made is not known"):
        provider.write(ZONE, changes)
    assert site.spf() == [THEIRS]


def test_an_answer_that_is_lost_and_no_way_back(site: Site) -> None:
    """Both are told."""
    provider = site.provider
    changes = first(provider)
    lost = site.race(name="new")
    lost.drop = lost.commits = True
    site.stand_in.faults = [lost, site.failing(9)]
    with pytest.raises(
        ProviderError, match=r"Whether the change was made is not known.*of two, receivers take neither"
    ):
        provider.write(ZONE, changes)


def test_a_later_change_that_fails(site: Site) -> None:
    """What was written before it is looked at, too."""
    if isinstance(site.stand_in, Ovh):
        changes = [*first(provider := site.provider), create("x", "plain")]
        site.stand_in.faults = [site.race(name="new"), Fault("POST", "record$", answer=site.stand_in.erred())]
    else:
        changes = [*first(provider := site.provider), create("x", *(f"n{number}" for number in range(200)))]
        site.stand_in.faults = [site.race(name="new"), Fault("POST", "batch$", answer=site.stand_in.erred())]
    with pytest.raises(ProviderError, match=r"500.*Before that, 1 of 2 changes were done"):
        provider.write(ZONE, changes)
    assert site.spf("new") == [THEIRS]


def test_what_was_ours_is_no_strangers() -> None:
    """A text that was read is none that somebody wrote in that moment, though it still stands there."""
    records = [Record(str(number), "", "TXT", 300, Value(text, text)) for number, text in enumerate((OLD, THEIRS))]
    [old, theirs] = records
    both = RRset("", "TXT", 300, (old.value,))
    change = Change(Kind.UPDATE, "", "TXT", both, RRset("", "TXT", 300, (Value(OURS, ""),)))
    found, ours = steps(change, [old]), Record("2", "", "TXT", 300, Value(OURS, OURS))
    assert crowded(change, found, [old, ours]) == []
    assert crowded(change, found, [theirs, ours]) == [ours]
