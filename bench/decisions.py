"""What is decided for many domains, without any I/O: real keys in steady state, a host and name servers that are as they should be.

    python bench/decisions.py [--domains 10000] [--runs 5] [--profile]

`advance` for every key set (two a domain, two keys each), and its projections: the lines of exim's map, and what each key's record is to say. Below,
`decide` as a whole: that is what a pass would cost that looks at every zone anew, SPF, DMARC, plan and guard included. CPU seconds.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import many_zones as stock
from bench.figures import shown, spread
from dnssync.core import rotation
from dnssync.core.decide import decide
from dnssync.core.dkim import record_for
from dnssync.core.host import Address, Host, MailDomain, Signer, Transport
from dnssync.core.key_sets import lines_of, steps_of
from dnssync.core.model import KeyPair, Limits, Owner, RRset, Value
from dnssync.core.observed import Observed, ZoneView
from dnssync.core.ownership import Applied
from dnssync.core.policy import HOUR, DmarcPolicy, MailPolicy
from dnssync.core.sighting import Sight

Row = dict[str, object]
PROVIDER = "gandi"
DMARC = "v=DMARC1; p=none"


def observed(count: int, folder: Path) -> Observed:
    """A host with so many domains, each a zone of its own, as a pass sees it when nothing is pending."""
    made, now = stock.pairs(folder), int(time.time())
    keys = {zone: [key for key, _ in stock.keys_of(n, zone, made, now)] for n, zone in enumerate(stock.names(count))}
    every = tuple(key for each in keys.values() for key in each)
    names = frozenset((key.domain, key.selector) for key in every)
    policy = MailPolicy(dmarc=DmarcPolicy(rua=()))
    return Observed(
        now=now,
        host=Host("mx.host.test", "4.96", "exim.conf", (), tuple(_mail(zone, each) for zone, each in keys.items())),
        zones=tuple(_view(zone, each, policy) for zone, each in keys.items()),
        keys=every,
        sights=dict.fromkeys(names, Sight.VISIBLE),
        readable=names,
        map={zone: stock.line_of(each) for zone, each in keys.items()},
        beyond=lambda name, kind: None,
        policies=dict.fromkeys(keys, policy),
        configured=frozenset(keys),
        host_id=stock.HOST,
        attended=False,
    )


def _mail(zone: str, keys: list[KeyPair]) -> MailDomain:
    signers = tuple(
        Signer(zone, key.selector, f"/keys/{zone}/{key.selector}.pem", key.algorithm, key.public_key)
        for key in keys if key.activated is not None
    )  # fmt: skip
    transport = Transport("remote_smtp", takes_macros=True, uses_map=True, expires=604800, signers=signers)
    return MailDomain(zone, addresses=(Address(stock.IP, "configured"),), transports=(transport,))


def _view(zone: str, keys: list[KeyPair], policy: MailPolicy) -> ZoneView:
    ours = [
        *((f"{key.selector}._domainkey", "TXT", Owner.DKIM, record_for(key)) for key in keys),
        ("", "TXT", Owner.SPF, stock.SPF),
        ("", "SPF", Owner.SPF, stock.SPF),
        ("_dmarc", "TXT", Owner.DMARC, DMARC),
    ]
    others = [("", "A", stock.IP), ("", "MX", f"10 mx.{zone}."), ("mx", "A", stock.IP)]
    texts: dict[tuple[str, str], list[str]] = {}
    for name, kind, text in [*others, *((name, kind, text) for name, kind, _, text in ours)]:
        texts.setdefault((name, kind), []).append(text)
    found = {key: RRset(*key, HOUR, tuple(Value(each, each) for each in kept)) for key, kept in texts.items()}
    ledger = {(name, kind, owner): Applied(text, zone, "", HOUR) for name, kind, owner, text in ours}
    return ZoneView(
        zone, policy, (zone,), Limits(), {PROVIDER: found}, {PROVIDER: ledger}, negative_ttl=300, known_before=len(found)
    )  # fmt: skip


def parts(seen: Observed) -> dict[str, Callable[[], object]]:
    """What is measured, by its name."""
    steps = steps_of(seen)
    keys = tuple(key for step in steps.values() for key in step.keys)
    named = frozenset((domain, selector) for domain, line in seen.map.items() for selector in line)

    def records() -> list[str | None]:
        policy = rotation.Policy()
        claimed = rotation.claimed_keys(keys, policy, seen.now, True, lambda key: (key.domain, key.selector) in named)
        return [rotation.text(key, rotation.phase(key, policy, seen.now)) for key in claimed]

    return {
        "advance": lambda: steps_of(seen),
        "lines of the map": lambda: lines_of(seen, steps),
        "records": records,
        "decide, all of it": lambda: decide(seen),
    }


def measure(runs: int, domains: int = 10000) -> list[Row]:
    """The table: a row a part; the aim is about the sum of the first three."""
    with tempfile.TemporaryDirectory() as folder:
        seen = observed(domains, Path(folder))
    settled = decide(seen)
    wrong = [*(p.plan.zone for p in settled.zones if not p.plan.empty or p.refusals), *settled.failed]
    if wrong or settled.keys != seen.keys or settled.map_after != settled.map_before:
        raise RuntimeError(f"something was left to decide: {wrong[:3]}")
    todo = parts(seen)
    took: dict[str, list[float]] = {name: [] for name in todo}
    for _ in range(runs):
        for name, act in todo.items():
            began = time.process_time()
            act()
            took[name].append(time.process_time() - began)
    aim = [sum(each) for each in zip(*list(took.values())[:3], strict=True)]
    whole = {**dict(list(took.items())[:3]), "advance and projections": aim, **dict(list(took.items())[3:])}
    return [{"domains": domains, "": name, "CPU s": spread(each), "µs a domain": f"{1e6 * sorted(each)[len(each) // 2] / domains:.0f}"}
            for name, each in whole.items()]  # fmt: skip


def main() -> None:
    """Print the table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--domains", type=int, default=10000)
    words.add_argument("--runs", type=int, default=5)
    words.add_argument("--profile", action="store_true", help="where the time goes, instead")
    given = words.parse_args()
    if not given.profile:
        print(shown(measure(given.runs, given.domains)))
        return
    with tempfile.TemporaryDirectory() as folder:
        todo = parts(observed(given.domains, Path(folder)))
    for name, act in todo.items():
        print(f"--- {name}")
        with cProfile.Profile() as profile:
            act()
        pstats.Stats(profile).sort_stats("tottime").print_stats(12)


if __name__ == "__main__":
    main()
