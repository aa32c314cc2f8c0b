"""What mail leaves from, by each transport's `interface`, and what the configuration's text says that exim tells nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from dnssync.core.model import Refusal
from dnssync.exim.ask import Asking
from dnssync.exim.lists import message, unknown, written
from dnssync.exim.outbound import Outbound

DEFAULT_CUTOFF = 4 * 86400  # Debian's retry rule
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_KNOWN = tuple(name for name in message("x") if name != "sender_address_local_part")


def bound(
    transports: Mapping[str, Mapping[str, str]], pairs: Iterable[tuple[str, str]]
) -> Asking[dict[tuple[str, str], str | Refusal]]:
    """For each pair of a domain and a transport the addresses that its mail is bound to: exim's `interface`, expanded ("" = none is
    set), or why nobody can say."""
    texts = {name: options.get("interface", "") for name, options in transports.items()}
    moving = {name: unknown(text, _KNOWN) for name, text in texts.items()}
    asked = {(d, n): written(texts[n], message(d)) if texts[n] and not moving[n] else "" for d, n in pairs}
    answers = yield (text for text in asked.values() if text)
    found: dict[tuple[str, str], str | Refusal] = {}
    for pair, text in asked.items():
        if moving[pair[1]]:
            found[pair] = _dynamic(moving[pair[1]])
        elif not text:
            found[pair] = ""
        elif answers[text].error and not answers[text].forced:
            found[pair] = _unexpandable(answers[text].error)
        else:
            found[pair] = answers[text].text
    return found


def leaving(
    interfaces: Mapping[tuple[str, str], str | Refusal],
    domain: str,
    transports: Sequence[str],
    out: Callable[[tuple[str, ...]], Outbound],
) -> Outbound:
    """The addresses that a domain's mail leaves from through these transports: `out` of what they bind to, or why nobody can say."""
    told = [interfaces[domain, name] for name in transports]
    problems = [text for text in told if isinstance(text, Refusal)]
    if problems:  # what is known only at delivery first
        return Outbound(problems=(min(problems, key=lambda problem: problem.reason != "dynamic_interface"),))
    return out(tuple(text for text in told if isinstance(text, str)))


def _unexpandable(error: str) -> Refusal:
    return Refusal(
        "interface_unexpandable",
        f"exim cannot work out the address that its mail leaves from (`interface`: {error}), so that mail waits in the queue. "
        "Mend that in exim's configuration.",
    )


def _dynamic(variables: Sequence[str]) -> Refusal:
    names = ", ".join(f"${name}" for name in variables)
    return Refusal(
        "dynamic_interface",
        f"the address that its mail leaves from depends on {names} (`interface` in exim's transport), which is known "
        "only at delivery. Name all the addresses it can be under `addresses:` in the configuration.",
    )


def retry_cutoff(config: str) -> int:
    """The longest time that exim tries to deliver a message, in seconds, over all retry rules of `-bP config`."""
    section = re.search(r"^begin retry\n(.*?)(?=^begin |\Z)", config, re.MULTILINE | re.DOTALL)
    cutoffs = re.findall(r"\b[FGH],\s*((?:\d+[smhdw])+|\d+)\s*,", section[1] if section else "")
    return max((_seconds(text) for text in cutoffs), default=DEFAULT_CUTOFF)


def _seconds(text: str) -> int:
    return sum(int(n) * _UNITS[unit or "s"] for n, unit in re.findall(r"(\d+)([smhdw]?)", text))


def takes_macros(config_file: str, transport: str) -> bool:
    """Whether the DKIM_* macros would reach a transport: its text in the configuration file names them.

    Where the file may not be read, Debian's own `remote_smtp` is taken to be what Debian ships.
    """
    try:
        text = Path(config_file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return transport == "remote_smtp"
    section = re.search(
        rf"^\s*{re.escape(transport)}:\s*\n(.*?)(?=^\s*[A-Za-z0-9_]+:\s*$|^begin |\Z)", text, re.M | re.S
    )
    return section is not None and "DKIM_DOMAIN" in section[1]
