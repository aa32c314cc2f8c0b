"""A real exim to look at, with the world around it: what the tests of exim's checks share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dnssync.check.finding import Finding
from dnssync.core.model import KeyPair
from dnssync.exim.macros import render
from tests.check.world import World
from tests.exim_host import EximHost
from tests.exim_told import told

ZONES = ("example.org", "example.net")
OWN = """\
DKIM_DOMAIN = ${lookup{${lc:${domain:$rh_from:}}}lsearch,ret=key{/DIR/own}}
DKIM_SELECTOR = mail
DKIM_PRIVATE_KEY = /DIR/keys/own/mail.pem
"""


Pems = dict[str, tuple[bytes, KeyPair]]


class Built:
    """A host with its world: `host` is the real exim, `findings` the checks over what is observed of it."""

    def __init__(self, folder: Path, host: EximHost, **world: object) -> None:
        self.folder, self.host, self.world = folder, host, dict(world)

    def findings(self, *ids: str, zones: dict[str, str] | None = None, **more: object) -> list[Finding]:
        """The findings over what exim tells now; without DNS, unless zones are given (the name server runs then)."""
        texts = zones or dict.fromkeys(ZONES, "mx A 192.0.2.1\n")
        host = told(self.host, *texts, map_path=self.host.map)
        facts = {"map_path": str(self.host.map), **more.pop("facts", {})}  # type: ignore[dict-item]
        world = World(
            self.folder, texts, host=host, exim=self.host.exim(), sources={"confdir": self.host.confdir}, facts=facts,
            **{**self.world, **more},
        )  # fmt: skip
        if zones is None:
            return world.findings(*ids)
        with world:
            return world.findings(*ids)


def severities(found: list[Finding]) -> list[str]:
    """The severities alone, as text."""
    return [str(finding.severity) for finding in found]


Build = Callable[..., Built]


def ours(built: Built, pems: Pems, *, install: bool = True, **macros: object) -> None:
    """dnssync's macros, a map line and a key for example.org; example.net has a line of the same key."""
    if install:
        built.host.macros(render(built.host.map, built.host.keys, **macros))  # type: ignore[arg-type]
    built.host.map.write_text("example.org: s1\nexample.net: s1\n")
    for name in ZONES:
        built.host.key(name, "s1", pems["s1"][0])
    built.world["observed"] = {"map": {"example.org": ("s1",), "example.net": ("s1",)}}


def by_hand(built: Built, pems: Pems, *, more: str = "") -> None:
    """An administrator's own selector and key for both domains."""
    host = built.host
    (host.folder / "own").write_text("example.org: x\nexample.net: x\n")
    host.key("own", "mail", pems["s1"][0])
    text = (host.confdir / "conf.d/main/000_localmacros").read_text()
    host.head(text + (OWN + more).replace("/DIR", str(host.folder)))
