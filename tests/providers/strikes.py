"""How each fault of the table is made for each provider, and which cannot be there, with the reason."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

from dnssync.core.model import Provider
from tests.between import Spoil
from tests.faults import full_disk, unprivileged
from tests.http_faults import HTML
from tests.powerdns import PowerDns
from tests.providers.conformance import ZONE
from tests.providers.conformance_faults import Strike
from tests.providers.site_desec import one_refused
from tests.providers.sites import PARTLY, READER, Site
from tests.providers.strikes_anywhere import EVERYWHERE, SOON, strike
from tests.providers.strikes_http import BY_CLOUDFLARE, BY_GANDI, BY_HTTP, BY_STAND_IN, no_type_spf

OTHER_KEY = "c29tZSBvdGhlciBzZWNyZXQgdGhhdCBubyBzZXJ2ZXIga25vd3M="


# --- between a provider and its server ----------------------------------------------------------------------------------


@strike
def spoiled(site: Site, spoil: Spoil | bytes, writes: bool, **options: Any) -> Iterator[Provider]:
    """What goes through is spoiled; `options` are the provider's."""
    provider = site.make(**options) if options else site.provider
    with site.between.spoiling(spoil, writes):
        yield provider


@strike
def other(site: Site, **options: Any) -> Iterator[Provider]:
    """The provider has other options."""
    yield site.make(**options)


@strike
def another_server(site: Site, zones: dict[str, str], writes: bool) -> Iterator[Provider]:
    """Another server of the same make is asked instead of the right one."""
    with (
        tempfile.TemporaryDirectory() as folder,
        type(site.bind)(Path(folder) / "server", zones) as bind,
        site.between.spoiling(bind.port, writes),
    ):
        yield site.provider


def lines(nonsense: bytes, patience: float | tuple[float, float]) -> dict[str, Strike]:
    """What can befall any connection, of a provider that waits so many seconds for an answer."""
    return {
        "reading: the server is gone": spoiled(Spoil.REFUSED, False),
        "reading: the connection is lost": spoiled(Spoil.LOST, False),
        "reading: the answer is cut short": spoiled(Spoil.CUT, False),
        "reading: no answer comes": spoiled(Spoil.SILENT, False, timeout=patience),
        "reading: the answer is nonsense": spoiled(nonsense, False),
        "writing: the server is gone": spoiled(Spoil.REFUSED, True),
        "writing: the connection is lost before": spoiled(Spoil.LOST, True),
        "writing: the connection is lost afterwards": spoiled(Spoil.LOST_AFTER, True),
        "writing: the answer is cut short": spoiled(Spoil.CUT, True),
        "writing: no answer comes, and nothing is done": spoiled(Spoil.SILENT, True, timeout=patience),
        "writing: no answer comes, and all is done": spoiled(Spoil.SILENT_AFTER, True, timeout=patience),
    }


def by_update(patience: float) -> dict[str, Strike]:
    """What can befall dynamic update."""
    return {
        **EVERYWHERE,
        **lines(b"\x00\x05hello", patience),
        "writing: the answer is nonsense": spoiled(b"\x00\x05hello", True),
        "reading: the credentials are refused": other(key_secret=OTHER_KEY),
        "writing: the credentials are refused": other(key_name=READER),
        "reading: the server has an error of its own": another_server({ZONE: "@ IN SOA this is not one"}, False),
        "writing: the server has an error of its own": another_server({ZONE: "@ IN SOA this is not one"}, True),
        "reading: the zone is not there": another_server({"example.net": ""}, False),
        "writing: the zone is not there any more": another_server({"example.net": ""}, True),
        "writing: one of several changes is refused": other(key_name=PARTLY),
    }


def http(status: str, body: str) -> bytes:
    """An answer of HTTP."""
    return f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@strike
def no_zone_in_powerdns(site: Site) -> Iterator[Provider]:
    """The zone is deleted, and afterwards made again as it was."""
    where, key = f"{site.pdns.api}/zones/{ZONE}.", {"X-API-Key": site.pdns.api_key}
    zone = requests.get(where, headers=key, timeout=5).json()
    assert requests.delete(where, headers=key, timeout=5).status_code == 204
    try:
        yield site.provider
    finally:
        again = {"name": zone["name"], "kind": zone["kind"], "rrsets": zone["rrsets"], "nameservers": []}
        assert requests.post(f"{site.pdns.api}/zones", json=again, headers=key, timeout=5).status_code == 201


BY_POWERDNS: dict[str, Strike] = {
    **EVERYWHERE,
    **lines(http("200 OK", HTML), SOON),
    "writing: the answer is nonsense": spoiled(b"\x00\x01hello\r\n\r\n", True),
    "reading: the credentials are refused": other(api_key="another key"),
    "writing: the credentials are refused": spoiled(http("401 Unauthorized", "Unauthorized"), True),
    "reading: the server has an error of its own": spoiled(http("500 Internal Server Error", HTML), False),
    "writing: the server has an error of its own": spoiled(http("500 Internal Server Error", HTML), True),
    "reading: the zone is not there": no_zone_in_powerdns(),
    "writing: the zone is not there any more": no_zone_in_powerdns(),
}


@strike
def another_powerdns(site: Site, writes: bool) -> Iterator[Provider]:
    """Another PowerDNS, which does not have the zone, is asked instead of the right one."""
    with (
        tempfile.TemporaryDirectory() as folder,
        PowerDns(Path(folder) / "pdns", {"example.net": ""}) as pdns,
        site.between.spoiling(pdns.api_port, writes),
    ):
        yield site.provider


BY_OUR_POWERDNS: dict[str, Strike] = {
    **BY_POWERDNS,
    **lines(http("200 OK", HTML), (SOON, SOON)),
    "writing: the answer is nonsense": spoiled(http("200 OK", HTML), True),
    "reading: the zone is not there": another_powerdns(False),
    "writing: the zone is not there any more": another_powerdns(True),
}


# --- a file -------------------------------------------------------------------------------------------------------------


@strike
def file_is(site: Site, change: Callable[[bytes], bytes | None]) -> Iterator[Provider]:
    """The file is another one (or gone), and afterwards what it was; whatever was written over it is seen."""
    right = site.file.read_bytes()
    wrong = change(right)
    site.file.unlink()
    if wrong is not None:
        site.file.write_bytes(wrong)
    yield site.provider
    assert (site.file.read_bytes() if site.file.exists() else None) == wrong
    site.file.write_bytes(right)


@strike
def not_root(site: Site) -> Iterator[Provider]:
    """The service's user may not look into the folder, let alone write there."""
    folder, provider = site.file.parent, site.provider
    mode = folder.stat().st_mode
    folder.chmod(0o700 if os.geteuid() == 0 else 0)
    try:
        with unprivileged():
            yield provider
    finally:
        folder.chmod(mode)


@strike
def may_only_read(site: Site) -> Iterator[Provider]:
    """The service's user may read the file and not write beside it."""
    opened = [folder for folder in (site.file.parent, *site.file.parents) if not folder.stat().st_mode & 0o005]
    modes = [folder.stat().st_mode for folder in opened]
    site.watched = False
    for folder in opened:
        folder.chmod(folder.stat().st_mode | 0o055)
    site.file.parent.chmod(0o555)
    try:
        with unprivileged():
            yield site.provider
    finally:
        for folder, mode in zip(opened, modes, strict=True):
            folder.chmod(mode)
        site.file.parent.chmod(0o755)


@strike
def no_room(site: Site) -> Iterator[Provider]:
    """The disk is full."""
    text = site.file.read_bytes()
    with full_disk(site.file.parent) as fill:
        site.file.write_bytes(text)
        fill()
        yield site.provider
        text = site.file.read_bytes()
    site.file.write_bytes(text)


@strike
def reload(site: Site, words: list[str], **how: Any) -> Iterator[Provider]:
    """The command that tells the server goes wrong."""
    yield site.make(reload=words, run=lambda argv, **options: subprocess.run(argv, **{**options, **how}))


BY_FILE: dict[str, Strike] = {
    **EVERYWHERE,
    "reading: the server is gone": file_is(lambda right: None),
    "reading: the answer is cut short": file_is(lambda right: right[: right.rindex(b'"')]),
    "reading: the answer is nonsense": file_is(lambda right: b"\x7fELF\x02\x01\x01\x00" + b"\x00" * 99),
    "reading: the credentials are refused": not_root(),
    "reading: the zone is not there": file_is(lambda right: right.replace(b"SOA", b"TYPE6 ;", 1)),
    "writing: the server is gone": file_is(lambda right: None),
    "writing: the connection is lost afterwards": reload(["sh", "-c", "echo connection refused >&2; exit 1"]),
    "writing: no answer comes, and all is done": reload(["sleep", "60"], timeout=0.1),
    "writing: the answer is nonsense": file_is(lambda right: b"\x7fELF\x02\x01\x01\x00" + b"\x00" * 99),
    "writing: the credentials are refused": may_only_read(),
    "writing: the server has an error of its own": no_room(),
    "writing: the zone is not there any more": file_is(lambda right: b"$TTL 5\n@ NS elsewhere.test.\n"),
}


# --- memory -------------------------------------------------------------------------------------------------------------


@strike
def forgotten(site: Site) -> Iterator[Provider]:
    """The zone is none of the dictionary's."""
    zone = site.provider.zones.pop(ZONE)
    yield site.provider
    assert ZONE not in site.provider.zones
    site.provider.zones[ZONE] = zone


BY_MEMORY: dict[str, Strike] = {
    **EVERYWHERE,
    "reading: the zone is not there": forgotten(),
    "writing: the zone is not there any more": forgotten(),
}

BY_DESEC: dict[str, Strike] = {
    **BY_HTTP,
    "writing: one of several changes is refused": strike(one_refused)(),
    "writing: type SPF is refused": no_type_spf(),
}
ONE_PATCH = {
    "writing: one of several changes is refused": "all changes are one PATCH, which PowerDNS does whole or not at all"
}
NO_BODY = {"writing: the answer is cut short": "a 204 is head alone; half a head is in the tables of the real servers"}
AT_ONCE = {title: made for title, made in BY_HTTP.items() if title not in ONE_PATCH | NO_BODY}
STRIKES: dict[str, dict[str, Strike]] = {
    "memory": BY_MEMORY,
    "zonefile": BY_FILE,
    "gandi": BY_GANDI,
    "octodns_gandi": BY_STAND_IN,
    "cloudflare": BY_CLOUDFLARE,
    "desec": BY_DESEC,
    "knot": by_update(2 * SOON),
    "ovh": BY_HTTP,
    "hetzner": BY_HTTP,
    "rfc2136": by_update(SOON),
    "octodns_bind": by_update(2.5 * SOON),
    "octodns_powerdns": BY_POWERDNS,
    "powerdns_single": AT_ONCE,
    "powerdns": BY_OUR_POWERDNS,
    "powerdns_lmdb": BY_OUR_POWERDNS,
}
NO_SPF = {
    "writing: type SPF is refused": "the provider says that it has no type SPF, so that it is never asked for one"
}
LIKE_ANY = {"writing: type SPF is refused": "type SPF is a type like any other there"}
NO_WIRE = (
    "the server is gone", "the connection is lost", "the connection is lost before", "the connection is lost afterwards",
    "the answer is cut short", "no answer comes", "no answer comes, and nothing is done", "no answer comes, and all is done",
    "the answer is nonsense", "the credentials are refused", "the server has an error of its own",
    "one of several changes is refused",
)  # fmt: skip
# Faults that cannot be there: each with its reason.
CANNOT: dict[str, dict[str, str]] = {
    "memory": {
        f"{when}: {what}": "a dictionary of this process: nothing lies between it and us, and all changes are one assignment"
        for what in NO_WIRE for when in ("reading", "writing")
    } | LIKE_ANY,
    "zonefile": LIKE_ANY | {
        "reading: the connection is lost": "a file is read whole or not at all; an error of the disk is told as one of rights is",
        "reading: no answer comes": "a file keeps nobody waiting",
        "reading: the server has an error of its own": "an error of the disk is told as one of rights is",
        "writing: the connection is lost before": "there is none; being killed at every step is in test_zonefile_half_written",
        "writing: the answer is cut short": "a command's end is its status; its words are only told",
        "writing: no answer comes, and nothing is done": "the file is written before the command is run",
        "writing: one of several changes is refused": "all changes are one rename",
    },
    "gandi": {},
    "desec": {},
    "hetzner": NO_SPF,
    "octodns_gandi": NO_SPF | {
        "reading: no answer comes": "it waits a minute and has no option for it; that it does wait no longer is in test_octodns_gandi",
        "writing: no answer comes, and nothing is done": "the same",
        "writing: no answer comes, and all is done": "the same",
        "writing: the answer is nonsense": "it takes every answer of status 2xx for done; the next pass reads what is",
    },
    "knot": LIKE_ANY,
    "cloudflare": {
        "writing: type SPF is refused": "the provider says that it has no type SPF, so that it is never asked for one",
        "writing: one of several changes is refused": "all changes are one batch, which Cloudflare does whole or not at all",
    },
    "ovh": {"writing: type SPF is refused": "the provider says that it has no type SPF, so that it is never asked for one"},
    "rfc2136": LIKE_ANY,
    "octodns_bind": LIKE_ANY,
    "octodns_powerdns": NO_SPF | ONE_PATCH,
    "powerdns_single": LIKE_ANY | ONE_PATCH | NO_BODY,
    "powerdns": LIKE_ANY | ONE_PATCH,
    "powerdns_lmdb": LIKE_ANY | ONE_PATCH,
}  # fmt: skip
