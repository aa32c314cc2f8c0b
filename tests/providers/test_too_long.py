"""Where a provider wants a pause that a pass which writes has no time for: what is begun comes to as good an end as it can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from dnssync.core.model import Change, ProviderError, RRset
from dnssync.under_lock import _briefly
from dnssync.zones import TooLong, _Guarded
from tests.http_faults import Answer, Fault
from tests.ovh import Ovh
from tests.providers import test_ovh
from tests.providers.asked import turn

ZONE = test_ovh.ZONE
SLOW = Answer(429, {"message": "slow"}, {"Retry-After": "30"})
FIRST, AFTER = "v=spf1 include:mx.ovh.com ~all", "v=spf1 mx -all"
short = partial(_briefly, lambda seconds: None)  # what the daemon gives its providers to sleep with


def test_ovh_has_it_served() -> None:
    """A look before the second record that is put off for half a minute ends the write. As long as nobody sees whether somebody else's record
    stands beside ours, all is served as before; once it can be seen, the first one is served."""
    with Ovh({ZONE: test_ovh.ROWS}) as ovh:
        clock = [0.0]
        provider = _Guarded("ovh", test_ovh.client(ovh, sleep=short, now=lambda: clock[0]))
        found = provider.read(ZONE)
        made = [turn(found, "", FIRST, AFTER), turn(found, "_dmarc", "v=DMARC1;p=none;", "v=DMARC1;p=reject;")]
        late = Fault("PUT", "record/", stranger=lambda: clock.__setitem__(0, 6.0))  # which took its time
        ovh.faults = [late, Fault("GET", "record/", SLOW, times=99)]
        with pytest.raises(ProviderError, match=rf"^{ZONE}: .* more requests for 30 seconds") as caught:
            provider.write(ZONE, made)
        assert "1 of 2 changes were done" in str(caught.value) and "Nothing was done" not in str(caught.value)
        assert caught.value.transient and "are not served before that is done" in str(caught.value)
        assert FIRST.encode() in ovh.served(ZONE)["@", "TXT"][1]
        ovh.faults = []
        provider.finish(ZONE)
        assert AFTER.encode() in ovh.served(ZONE)["@", "TXT"][1]


class Sleeping:
    """A plug-in of somebody's that sleeps by itself, in a reading or a write."""

    limits: Any = None

    def read(self, zone: str) -> tuple[RRset, ...]:
        """See `core.model.Provider`."""
        short(30.0)
        return ()

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """See `core.model.Provider`."""
        short(30.0)
        return ()


@pytest.mark.parametrize(
    ("act", "end"),
    [
        (lambda plugin: plugin.read(ZONE), "A later pass tries again."),
        (lambda plugin: plugin.write(ZONE, ()), "What of the write is done is not known; a later pass reads the zone."),
    ],
)
def test_anybody_s(act: Callable[[_Guarded], object], end: str) -> None:
    """A plug-in that does nothing about it fails the zone with a sentence, for now; of a write nobody says that nothing was done."""
    with pytest.raises(ProviderError, match=rf"^{ZONE}: provider p1 wants no more requests for 30 seconds, ") as caught:
        act(_Guarded("p1", Sleeping()))
    assert str(caught.value).endswith(end) and caught.value.transient and not isinstance(caught.value, TooLong)
