"""octoDNS and lexicon on the same zones as ours: the files that a user of theirs would have, and how they are started."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import many_zones as stock
from bench.many import Cost, Many

ROOT = Path(__file__).parents[1]

BIN = Path(sys.executable).parent
KNOWN = frozenset({"A", "MX", "TXT", "CNAME"})  # of our rows; octodns knows the type SPF no more, and leaves it alone


class Octodns:
    """octodns-sync with octodns-gandi and a file of records for each zone. `workers`: its max_workers."""

    def __init__(self, site: Many, workers: int = 20) -> None:
        self.site, self._workers = site, workers
        self.folder = site.folder / "octodns"
        (self.folder / "zones").mkdir(parents=True, exist_ok=True)
        for name in site.names:
            self.records(name, site.rows[name])

    def records(self, zone: str, rows: Sequence[stock.Row]) -> None:
        """The file of a zone."""
        by_name: dict[str, list[str]] = {}
        for name, kind, ttl, values in rows:
            if kind in KNOWN:
                by_name.setdefault("" if name == "@" else name, []).append(_record(zone, kind, ttl, values))
        text = "---\n" + "".join(f"'{name}':\n{''.join(each)}" for name, each in sorted(by_name.items()))
        (self.folder / "zones" / f"{zone}.yaml").write_text(text)

    def sync(self, *args: str, patient: bool = False) -> Cost:
        """octodns-sync as a process. `patient`: with the waiting that the plug-in lacks."""
        file = self.folder / "octodns.yaml"
        file.write_text(
            f"manager: {{max_workers: {self._workers}}}\n"
            "providers:\n"
            "  config:\n    class: octodns.provider.yaml.YamlProvider\n"
            f"    directory: {self.folder}/zones\n    default_ttl: 3600\n    enforce_order: false\n"
            "  gandi:\n    class: bench.gandi_of_octodns.Provider\n"
            f"    token: {self.site.gandi.token}\n    endpoint: {self.site.gandi.endpoint}\n"
            f"    patient: {str(patient).lower()}\n"
            "zones:\n  '*':\n    sources: [config]\n    targets: [gandi]\n"
        )
        argv = [str(BIN / "octodns-sync"), "--config-file", str(file), *args]
        return self.site.cost(argv, {**self.site.env, "PYTHONPATH": str(ROOT)})

    def unchanged(self, patient: bool = False) -> Cost:
        """One run that must find nothing to do, if the provider lets it."""
        cost = self.sync(patient=patient)
        if not cost.code and "No changes were planned" not in cost.out:
            raise RuntimeError(f"octodns finds something to do:\n{cost.out[-3000:]}")
        return cost


def lexicon(site: Many, workers: int, name: str, kind: str, texts: Sequence[str]) -> Cost:
    """An update in each of the zones, with `texts` in their order."""
    given = site.folder / "lexicon"
    given.write_text("".join(f"{zone} {text}\n" for zone, text in zip(site.names, texts, strict=True)))
    where = [site.gandi.endpoint, site.gandi.token, str(workers), name, kind]
    argv = [sys.executable, str(ROOT / "bench/pool_of_lexicon.py"), *where]
    return site.cost(argv, given=given)


def _record(zone: str, kind: str, ttl: int, values: Sequence[str]) -> str:
    """A record as an item of octodns' file."""
    if kind == "TXT":
        shown = ["'" + value.replace('" "', "").strip('"').replace(";", "\\;") + "'" for value in values]
    elif kind == "MX":
        parted = [value.split() for value in values]
        shown = [f"{{preference: {number}, exchange: {host}.{zone}.}}" for number, host in parted]
    elif kind == "CNAME":
        shown = [f"'{value}.{zone}.'" for value in values]
    else:
        shown = list(values)
    lines = "".join(f"    - {value}\n" for value in shown)
    one = f"    value: {shown[0]}\n" if len(shown) == 1 else f"    values:\n{lines}"
    return f"  - type: {kind}\n    ttl: {ttl}\n{one}"
