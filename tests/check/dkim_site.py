"""A real exim with many domains, their keys, and the key records that a name server shows: what the tests of DKIM checks look at.

with Site(tmp_path, ("a.test", "b.test")) as site:
    site.line("a.test", s1="rsa2048")                       # a key, and the map's line
    site.records("b.test", s1=site.text("a.test", "s1"))    # other records than those of its keys
    site.findings("DKIM-02")                                # subject → its findings
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnssync.check.finding import Finding
from dnssync.core.host import Host
from dnssync.core.model import kind_of
from dnssync.exim.macros import render
from dnssync.exim.observe import observe
from dnssync.keystore import Keystore
from tests.check.world import World
from tests.exim_host import EximHost


def txt(text: str) -> str:
    """A TXT value as a master file has it."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return " ".join(f'"{quoted[at : at + 200]}"' for at in range(0, len(quoted), 200)) or '""'


class Site:
    """See the module. `macros`: the text of exim's DKIM_* macros instead of dnssync's, `{map}` and `{keys}` filled in; `edits`: option
    lines by transport; `domains` are exim's own, and zones."""

    def __init__(
        self,
        folder: Path,
        domains: tuple[str, ...],
        *,
        macros: str = "",
        edits: Mapping[str, str] | None = None,
        **host: Any,
    ) -> None:
        self.exim_host = EximHost(hostnames=domains, **host)
        self.domains, self._folder, self._macros = domains, folder, macros
        self.keystore = Keystore(self.exim_host.keys)
        self._lines: dict[str, str] = {}
        self.texts: dict[tuple[str, str], list[str]] = {}  # (domain, selector) → what stands there
        self.more: dict[str, str] = {}
        for transport, lines in (edits or {}).items():
            self.exim_host.edit(transport, lines)

    def __enter__(self) -> Site:
        self.exim_host.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.exim_host.__exit__()

    def line(self, domain: str, **selectors: str) -> None:
        """Keys of these algorithms, their records, and the line of the map."""
        for selector, algorithm in selectors.items():
            _, p = self.keystore.generate(domain, selector, algorithm)
            self.texts[domain, selector] = [f"v=DKIM1; k={kind_of(algorithm)}; p={p}"]
        self._lines[domain] = " : ".join(selectors)

    def records(self, domain: str, **texts: str | list[str]) -> None:
        """What stands at the selectors instead."""
        for selector, text in texts.items():
            self.texts[domain, selector] = [text] if isinstance(text, str) else text

    def text(self, domain: str, selector: str) -> str:
        """The record of a key."""
        return self.texts[domain, selector][0]

    def zones(self) -> dict[str, str]:
        """Master files with all key records."""
        found = {domain: self.more.get(domain, "") for domain in self.domains}
        for (domain, selector), texts in self.texts.items():
            found[domain] += "".join(f"{selector}._domainkey TXT {txt(text)}\n" for text in texts)
        return found

    def switch(self) -> None:
        """The macros, the map, and exim's configuration rendered from both."""
        exim = self.exim_host
        exim.map.write_text("".join(f"{domain}: {selectors}\n" for domain, selectors in self._lines.items()))
        macros = self._macros.replace("{map}", str(exim.map)).replace("{keys}", str(exim.keys))
        exim.macros(macros or render(exim.map, exim.keys))
        exim.render()

    def observed(self) -> Host:
        """What dnssync learns of this exim."""
        return observe(
            self.exim_host.exim(),
            self.domains,
            lookup=lambda name, kind: (),
            addresses=("192.0.2.1",),
            map_path=self.exim_host.map,
        )

    def world(self, **more: Any) -> World:
        """The records on a real name server, with what exim told."""
        return World(
            self._folder, self.zones(), host=self.observed(), domains=self.domains, exim=self.exim_host.exim(), **more
        )

    def findings(self, *ids: str, **more: Any) -> dict[tuple[str, str], list[Finding]]:
        """(id, subject) → findings."""
        self.switch()
        with self.world(**more) as world:
            return by_subject(world.findings(*ids))


def by_subject(findings: list[Finding]) -> dict[tuple[str, str], list[Finding]]:
    """(id, subject) → findings."""
    found: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        found.setdefault((finding.id, finding.subject), []).append(finding)
    return found
