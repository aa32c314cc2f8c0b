"""The macros that make Debian's exim sign with dnssync's map, as text: what `--print` prints and `--install` writes.

Debian's `remote_smtp` takes its DKIM options from DKIM_* macros. Three things are not obvious:

* Which domain signs is looked up in the map, and the answer of a look-up is the one thing that exim lets into a file
  name (4.94 and later refuse what comes from the message itself: "tainted").
* The raw header (`$rh_from:`) is asked. The decoded one loses messages whose From: name decodes to a comma or a colon.
* A message whose From: is not in the map is looked up again: by the nearest parent of the From: domain (mail from a
  sub-domain, however deep: d= is then aligned with it), then by the envelope sender (lists, two From: addresses). Where
  the transport rewrites addresses (HIDE_MAILNAME, a satellite), the envelope sender goes first: the From: seen here is
  not the one on the wire.
* The nearest parent is what exim calls a partial match: with nothing to be put before a shortened name (`()`), it takes
  labels away until a name of two or more is in the map, and $2 is that name; it is tainted, so it is looked up again.
"""

from __future__ import annotations

import string
from pathlib import Path

# The macros we define; also what an administrator's own file must not define after us.
NAMES = (
    "DKIM_DOMAIN",
    "DKIM_SELECTOR",
    "DKIM_PRIVATE_KEY",
    "DKIM_STRICT",
    "DKIM_SIGN_HEADERS",
    "DKIM_TIMESTAMPS",
)
# From is oversigned (`+`: nobody may add a second one), the rest signed where present (`=`). What mailing lists add or
# replace (Sender, List-*, Resent-*) stays out, else their copies would not verify (RFC 6376 §5.4.1).
SIGN_HEADERS = (
    "+From:=To:=Cc:=Subject:=Date:=Message-ID:=Reply-To:=In-Reply-To:=References:=MIME-Version:=Content-Type:"
    "=Content-Transfer-Encoding"
)
_OURS = (
    "or{{!def:sender_host_address}{def:authenticated_id}"
    "{match_ip{$sender_host_address}{<; 127.0.0.1 ; ::1}}{match_ip{$sender_host_address}{+relay_from_hosts}}}"
)
# the first of the look-ups that found something; "HIDE_MAILNAME" is a macro of Debian's, 1 where it is defined
_FIRST = (
    "${listextract{1}{${filter{${if eq{HIDE_MAILNAME}{1}{DNSSYNC_SENDER}} : DNSSYNC_FROM : DNSSYNC_PARENT"
    " : DNSSYNC_SENDER : ${if eq{HIDE_MAILNAME}{1}{DNSSYNC_VISIBLE}}}{!eq{$item}{}}}}}"
)
# An identity (i=) of the administrator's cannot fit every domain of the map (RFC 6376 §3.5: it must lie in d=).
_IDENTITY = ".ifdef DKIM_IDENTITY\nDKIM_IDENTITY ==\n.endif\n"
_PLAIN = frozenset(string.ascii_letters + string.digits + "/._-")
_EXPLAIN = {
    "ours": "Only mail of this host, of its relay_from_hosts and of authenticated users is signed.",
    "all": "Every message that leaves is signed, also what is only passed on for others.",
}
FIRST_LINE = "# dnssync: which DKIM keys exim signs with."  # by which our file is known


def render(
    map_path: Path, keys_dir: Path, *, strict: bool = True, sign: str = "ours", timestamps: int | None = 604800
) -> str:
    """The macros, ready to be a file of `conf.d/main` or a block of `exim4.conf.localmacros`.

    `strict`: a message whose key cannot be used waits instead of leaving unsigned. `sign`: `ours` or `all`.
    `timestamps`: seconds that a signature is valid (x= − t=), None = no x=.
    """
    if sign not in _EXPLAIN:
        raise ValueError(f"sign is one of {', '.join(_EXPLAIN)}, not {sign!r}")
    for path in (map_path, keys_dir):
        if not path.is_absolute() or not set(str(path)) <= _PLAIN:
            raise ValueError(f"{path}: exim needs an absolute path of plain characters (letters, digits and ./_-)")
    values = {
        "DKIM_DOMAIN": _FIRST if sign == "all" else f"${{if {_OURS}{{{_FIRST}}}}}",
        "DKIM_SELECTOR": "${lookup{$dkim_domain}lsearch{DNSSYNC_MAP}}",
        "DKIM_PRIVATE_KEY": f"{keys_dir}/$dkim_domain/$dkim_selector.pem",
        "DKIM_STRICT": "true" if strict else "false",
        "DKIM_SIGN_HEADERS": SIGN_HEADERS,
    }
    if timestamps is not None:
        values["DKIM_TIMESTAMPS"] = str(timestamps)
    return "\n".join(
        [_head(sign, strict), *_finders(map_path), *(_define(*pair) for pair in values.items()), _IDENTITY]
    )


def transport_lines() -> str:
    """The option lines that let the macros reach an smtp transport which Debian ships without them."""
    options = (f"  {name.lower()} = {name}" for name in NAMES if name != "DKIM_TIMESTAMPS")
    stamps = [".ifdef DKIM_TIMESTAMPS", "  dkim_timestamps = DKIM_TIMESTAMPS", ".endif"]
    return "\n".join([".ifdef DKIM_DOMAIN", *options, *stamps, ".endif"])


def _head(sign: str, strict: bool) -> str:
    lost = "all outgoing mail waits" if strict else "all outgoing mail leaves unsigned"
    return (
        f"{FIRST_LINE} Written by `dnssync exim --install`; a change made here is lost at the next one.\n"
        "# Take it out (`dnssync exim --uninstall`) before you delete the map it names: without the map\n"
        f"# {lost}. {_EXPLAIN[sign]}"
    )


def _finders(map_path: Path) -> list[str]:
    """Three look-ups of a signing domain in the map, each empty where the map does not hold it."""
    by = {
        "DNSSYNC_FROM": "${lc:${domain:$rh_from:}}",
        "DNSSYNC_PARENT": "${lookup{${lc:${domain:$rh_from:}}}partial()lsearch{DNSSYNC_MAP}{$2}}",
        "DNSSYNC_SENDER": "${lc:${domain:$return_path}}",
    }
    looks = [f"{name} = ${{lookup{{{key}}}lsearch,ret=key{{DNSSYNC_MAP}}}}" for name, key in by.items()]
    # A satellite's bounces have no sender to look up; what receivers see is Debian's DCreadhost.
    # It may be defined further down (in the unsplit scheme it is), and where it is not, "dcreadhost" is no domain of the map.
    looks.append("DNSSYNC_VISIBLE = ${lookup{${lc:DCreadhost}}lsearch,ret=key{DNSSYNC_MAP}}")
    return [f"DNSSYNC_MAP = {map_path}", *looks]


def _define(name: str, value: str) -> str:
    """Define a macro, also where an earlier file of the administrator's has defined it (`=` twice is an error)."""
    return f".ifndef {name}\n{name} =\n.endif\n{name} == {value}"
