"""Every fault at every request of a pass at Gandi, once and for as long as the pass lasts: one table of laws for all of them.

The pass reads, then writes one change of each kind: a value patched in at the apex among others', a record set of ours replaced,
two taken away (one of them at a name that others may use), three made. Time passes in between, so that it looks again, too.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import traceback
from collections.abc import Callable, Iterator

import pytest
from dnssync_providers.gandi import Provider

from dnssync.core.model import Change, Kind, ProviderError, RRset, Value
from tests.gandi import Gandi
from tests.gandi_faults import DNS_RECORD, ERRED, FORBIDDEN, NOT_FOUND, UNAUTHORIZED, invalid
from tests.gaps import Items
from tests.http_faults import HTML, Answer, Fault

ZONE = "example.org"
THEIRS = [
    ("@", "A", 3600, ["192.0.2.1"]),
    ("@", "MX", 3600, ["10 mx"]),
    ("Mail", "A", 3600, ["192.0.2.2"]),
    ("*", "TXT", 3600, ['"everything; \\"else\\""']),
    ("selector._domainkey", "TXT", 3600, ['"v=DKIM1; p=" "theirs"']),
    ("www", "CNAME", 3600, ["@"]),
]
BESIDE = ['"site=1" "2"', '"v=spf10"', '"\\195\\188"']  # values of others at the apex
OURS = [
    ("@", "TXT", 1800, [*BESIDE[:1], '"v=spf1 mx -all"', *BESIDE[1:]]),
    ("_dmarc", "TXT", 3600, ['"v=DMARC1; p=none"']),
    ("old._domainkey", "TXT", 3600, ['"v=DKIM1; p=OLD"']),
    ("gone", "TXT", 3600, ['"v=spf1 a -all"']),
]
WANTED = {
    ("", "TXT"): "v=spf1 mx a -all",
    ("", "SPF"): "v=spf1 mx a -all",
    ("_dmarc", "TXT"): "v=DMARC1; p=reject",
    ("old._domainkey", "TXT"): None,
    ("gone", "TXT"): None,
    ("mail", "TXT"): "v=spf1 a -all",
    ("new._domainkey", "TXT"): "v=DKIM1; k=rsa; p=" + "A" * 392,
}
PATHS = (
    "GET /dns/rrtypes",
    "GET /domains/example.org/records$",
    "PATCH .*/records/@/TXT",
    "PUT .*/records/_dmarc/TXT",
    "DELETE .*/records/old._domainkey/TXT",
    "GET .*/records/gone/TXT",
    "DELETE .*/records/gone/TXT",
    "POST .*/records/Mail/TXT",
    "POST .*/records/new._domainkey/TXT",
    "POST .*/records/@/SPF",
)
FAULTS: dict[str, Fault] = {
    "latency": Fault(latency=0.05),
    "invalid": Fault(answer=invalid("'x': is not good")),
    "invalid, with a message": Fault(answer=Answer(400, {"code": 400, "message": "No", "cause": "x", "errors": [{"description": "d"}]})),
    "invalid, without a word": Fault(answer=Answer(400)),
    "invalid, and done": Fault(answer=invalid("'x': is not good"), commits=True),
    "unauthorized": Fault(answer=Answer(401, UNAUTHORIZED)),
    "unauthorized, and the token told": Fault(answer=Answer(401, {"message": f"{Gandi.token} has expired"})),
    "forbidden": Fault(answer=Answer(403, FORBIDDEN)),
    "forbidden, in HTML": Fault(answer=Answer(403, HTML)),
    "no such domain": Fault(answer=Answer(404, NOT_FOUND)),
    "no such record": Fault(answer=Answer(404, {**DNS_RECORD, "message": "Can't find the DNS record"})),
    "no such anything": Fault(answer=Answer(404, HTML)),
    "conflict": Fault(answer=Answer(409, {"code": 409, "message": "This record already exists"})),
    "too many requests": Fault(answer=Answer(429, headers={"Retry-After": "3"})),
    "too many requests for a date": Fault(answer=Answer(429, headers={"Retry-After": "Tue, 24 Nov 2099 00:00:00 GMT"})),
    "too many requests for a time unknown": Fault(answer=Answer(429, HTML)),
    "erred": Fault(answer=Answer(500, ERRED)),
    "erred, and done": Fault(answer=Answer(500, ERRED), commits=True),
    "bad gateway": Fault(answer=Answer(502, HTML)),
    "bad gateway, and done": Fault(answer=Answer(502, HTML), commits=True),
    "unavailable": Fault(answer=Answer(503)),
    "gateway's time-out, and done": Fault(answer=Answer(504, HTML), commits=True),
    "no answer": Fault(hang=True),
    "no answer, and done": Fault(hang=True, commits=True),
    "connection lost before": Fault(drop=True),
    "connection lost after": Fault(drop=True, commits=True),
    "connection lost in mid-body": Fault(torn=True, commits=True),
    "cut short": Fault(cut=True, commits=True),
    "HTML for JSON": Fault(answer=Answer(200, HTML), commits=True),
    "a list for an object": Fault(answer=Answer(200, [1, None, {}]), commits=True),
    "an object for a list": Fault(answer=Answer(200, {"message": "?"}), commits=True),
    "nothing for anything": Fault(answer=Answer(200), commits=True),
    "not done, and said to be": Fault(answer=Answer(200, {"message": "ok"})),
    "redirect": Fault(answer=Answer(307, headers={"Location": "https://evil.example/v5"})),
}  # fmt: skip

LIES = {"not done, and said to be", "no such record"}  # the second one for a DELETE: what is not there need not go


def _elsewhere(gandi: Gandi) -> None:
    gandi.put(ZONE, "later", "TXT", 300, ['"somebody\'s"'])


def _beside(gandi: Gandi) -> None:
    kept = gandi.shown(ZONE, gandi.zones[ZONE].entries["@", "TXT"])["rrset_values"]
    gandi.put(ZONE, "@", "TXT", 1800, [*kept, '"somebody\'s"'])


STRANGERS: dict[str, Callable[[Gandi], None]] = {"a stranger elsewhere": _elsewhere, "a stranger beside ours": _beside}


@pytest.fixture
def gandi() -> Iterator[Gandi]:
    """The stand-in with a zone that is others' and ours."""
    with Gandi({ZONE: [*THEIRS, *OURS]}) as running:
        yield running


class Pass:
    """One pass: a provider of its own, which lives in a time that passes whenever it is looked at."""

    def __init__(self, gandi: Gandi, timeout: float = 2.0) -> None:
        self.time, self.waited = 0.0, 0.0
        self.provider = Provider(
            "gandi", token=gandi.token, endpoint=gandi.endpoint, timeout=(timeout, timeout), now=self.now, sleep=self.sleep
        )  # fmt: skip

    def now(self) -> float:
        """A minute later each time."""
        self.time += 60
        return self.time

    def sleep(self, seconds: float) -> None:
        """No time is lost over it."""
        self.waited += seconds

    def plan(self) -> list[Change]:
        """The changes from what is read to what is wanted."""
        found = {rrset.key: rrset for rrset in self.provider.read(ZONE)}
        made = []
        for key, text in WANTED.items():
            old = found.get(key)
            if key[1] == "SPF" and not self.provider.limits.type99:
                continue
            before = old.values if old else ()
            foreign = tuple(v for v in before if not re.match(r"v=(spf1|dmarc1|dkim1)( |;)", v.text.lower()))
            same = tuple(v for v in before if v.text == text)
            after = (*foreign, *(same or ([Value(text, "")] if text else [])))
            if {v.text for v in before} == {v.text for v in after}:
                continue
            new = RRset(*key, old.ttl if old else 3600, after) if after else None
            made.append(Change(Kind.CREATE if old is None else Kind.UPDATE if new else Kind.DELETE, *key, old, new))
        return made

    def run(self) -> ProviderError | None:
        """Read, plan, write; the error that it ended with."""
        try:
            self.provider.write(ZONE, self.plan())
        except ProviderError as error:
            return error
        return None


def told(gandi: Gandi, error: ProviderError, log: str) -> None:
    """The laws of a sentence."""
    sentence = str(error)
    everything = "".join(traceback.format_exception(error)) + repr(error) + log
    assert sentence.startswith(f"{ZONE}: ") and "gandi" in sentence and sentence.isprintable()
    assert gandi.token not in everything and "<html" not in sentence and len(sentence) < 700
    assert re.search(r"See |Look at |next pass|later pass|set `spf|please report|is not what was read any more|Nothing is taken", sentence), sentence  # fmt: skip


def states(gandi: Gandi) -> list[Items]:
    """What stood in the zone after each request."""
    return [moment.items for moment in gandi.history[ZONE]]


def theirs(gandi: Gandi) -> dict[tuple[str, str], tuple[int, frozenset[bytes]]]:
    """What is others' in the zone: octets and TTL."""
    shown = {}
    for key, (ttl, values) in gandi.values(ZONE).items():
        kept = values if key == ("selector._domainkey", "TXT") else frozenset(
            v for v in values if not re.match(rb"v=(spf1 |DMARC1;|DKIM1;)", v)
        )  # fmt: skip
        if kept:
            shown[key] = (ttl, kept)
    return shown


def laws_of_the_zone(gandi: Gandi, before: dict[tuple[str, str], tuple[int, frozenset[bytes]]]) -> None:
    """After every request: others' values all there, one SPF record at the apex, and no record set missing that is there at both
    ends; now: others' record sets as they were, TTL and all."""
    foreign = {(*key, value) for key, (_, values) in before.items() for value in values}
    for state in states(gandi):
        assert foreign <= state
        assert len([i for i in state if i[:2] == ("@", "TXT") and i[2:] and i[-1].startswith(b"v=spf1 ")]) == 1
    assert gandi.gaps(ZONE) == {}
    assert before.items() <= theirs(gandi).items()


def undone(gandi: Gandi) -> set[tuple[str, str]]:
    """Which of the changes are not done."""
    stands = {key: values for key, (_, values) in gandi.values(ZONE).items()}
    found = {key: stands.get((key[0] or "@", key[1]), frozenset()) for key in WANTED}
    return {key for key, text in WANTED.items() if (text.encode() not in found[key] if text else found[key])}


def gets_there(gandi: Gandi, before: dict[tuple[str, str], tuple[int, frozenset[bytes]]]) -> None:
    """Once the fault is over the next pass does the rest, and the one after it finds nothing to do."""
    assert Pass(gandi).run() is None
    assert Pass(gandi).plan() == [] and undone(gandi) == set()
    laws_of_the_zone(gandi, before)


@pytest.mark.parametrize("request_", PATHS)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_at_every_request(fault: str, request_: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong wherever: it is weathered or told, nothing of anybody else's moves, and afterwards all is done."""
    caplog.set_level(logging.DEBUG)
    method, path = request_.split()
    for times in (1, 99):
        with Gandi({ZONE: [*THEIRS, *OURS]}) as stand_in:
            before = theirs(stand_in)
            strike = dataclasses.replace(
                FAULTS[fault], method=method, path=path, times=times, release=type(FAULTS[fault].release)()
            )
            stand_in.faults = [strike]
            one = Pass(stand_in, 0.1 if strike.hang else 2.0)
            error = one.run()
            assert strike.struck
            if error is not None:
                told(stand_in, error, caplog.text)
            elif fault not in LIES:  # for what is done a refusal must never be taken
                assert undone(stand_in) <= {("", "SPF")} - set(WANTED if one.provider.limits.type99 else ())
            laws_of_the_zone(stand_in, before)
            writes = [call for call in stand_in.calls() if call.startswith(("POST", "PATCH"))]
            assert len(writes) == len(set(writes)), "sent twice"
            strike.release.set()
            stand_in.faults = []
            gets_there(stand_in, before)


@pytest.mark.parametrize("request_", PATHS)
@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_before_every_request(gandi: Gandi, stranger: str, request_: str) -> None:
    """Somebody else writes just before a request of ours, whichever it is: what they wrote stays."""
    method, path = request_.split()
    gandi.faults = [Fault(method, path, skip=skip, stranger=lambda: STRANGERS[stranger](gandi)) for skip in (0, 1)]
    before = theirs(gandi)
    del before["@", "TXT"]
    error = Pass(gandi).run()
    assert gandi.faults[0].struck
    if error is not None:
        told(gandi, error, "")
    after = theirs(gandi)
    assert b"somebody's" in {value for _, values in after.values() for value in values}
    gandi.faults = []
    gets_there(gandi, before)
    assert after.items() <= theirs(gandi).items()


@pytest.mark.parametrize("skip", range(9))
def test_a_token_that_expires_in_mid_apply(gandi: Gandi, skip: int) -> None:
    """From one request on nothing is allowed any more: what was done is told, and a new token does the rest."""

    def over() -> None:
        gandi.expired = True

    before = theirs(gandi)
    gandi.faults = [Fault(stranger=over, skip=skip)]
    error = Pass(gandi).run()
    assert error is not None and "has expired" in str(error) and not error.transient
    told(gandi, error, "")
    done = sum(request.status in (200, 201, 204) and request.method != "GET" for request in gandi.requests)
    assert (f"Before that, {done} of 7 changes were done" in str(error)) is (done > 0)
    gandi.expired, gandi.faults = False, []
    gets_there(gandi, before)
