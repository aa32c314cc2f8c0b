"""Which smtp transports, and which relays, mail of a domain can leave through: exim's routers, read in exim's order.

exim has no question for this (`-bt` routes one address, with DNS look-ups of its own), so the routers' options are
read, and what they ask of the sender is expanded by exim. What cannot be judged counts as "can be reached": a transport
too many costs a term in an SPF record, a transport too few loses mail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dnssync.exim.ask import Asking, Expansion
from dnssync.exim.lists import message, split, unknown, written

ELSEWHERE = "remote.dnssync.invalid"  # stands for any domain that is not ours (RFC 6761: nobody can have it)
_LOOKING_UP = ("dnslookup", "ipliteral", "iplookup", "queryprogram")
_NARROWING = ("local_parts", "require_files", "local_part_prefix", "local_part_suffix")
_KNOWN = tuple(message("x"))


@dataclass(frozen=True, slots=True)
class Router:
    """A router that can send mail away.

    `tests` are exim conditions on the sender and `senders` is the address list it is for, unexpanded; `relays` exim host lists that it sends mail for any domain
    to, empty for one that follows DNS or serves certain domains alone. `final`: what passes its tests goes no further.
    """

    name: str
    transport: str
    tests: tuple[str, ...]
    senders: str
    relays: tuple[str, ...]
    final: bool


@dataclass(frozen=True, slots=True)
class Way:
    """What one domain's mail can leave through: smtp transports in order, the relays' names, and whether any of it
    goes straight to its destination, from this host's own addresses."""

    transports: tuple[str, ...]
    relays: tuple[str, ...]
    direct: bool


def smtp_transports(blocks: Mapping[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Of all transports, with their options unexpanded, the smtp ones; LMTP (RFC 2033) hands mail to a mailbox, never to another host."""
    return {
        name: options
        for name, options in blocks.items()
        if options.get("driver") == "smtp" and options.get("protocol") != "lmtp"
    }


def routers(
    blocks: Mapping[str, Mapping[str, str]], transports: Mapping[str, Mapping[str, str]], lists: Sequence[str]
) -> Asking[tuple[Router, ...]]:
    """Of all routers, with their options unexpanded, those that hand mail to smtp transports; local ones and those that can never match
    are left out.

    `lists`: the named domain lists that hold our own domains.
    """
    sending = {
        name: block
        for name, block in blocks.items()
        if block.get("transport") and block.get("driver") != "redirect" and block.get("verify_only", "no") == "no"
        if block["transport"] in transports or "$" in block["transport"]
    }
    listed = {name: written(block.get("domains", ""), {"domain": ELSEWHERE}) for name, block in sending.items()}
    lists_said = yield listed.values()
    matches = {name: _match("domain", ELSEWHERE, lists_said[text].text) for name, text in listed.items()}
    named = sorted({item for text in listed.values() for item in _named(lists_said[text].text)})
    texts = {item: f"${{listnamed:{item}}}" for item in named}
    answers = yield [*matches.values(), *texts.values()]
    empty = {item for item in named if not answers[texts[item]].text and not answers[texts[item]].error}
    found = []
    for name, block in sending.items():
        said, answer = lists_said[listed[name]], answers[matches[name]]
        if said.forced:
            continue
        any_domain = not listed[name].strip() or bool(said.error or answer.error) or answer.text == "yes"
        if any_domain or _certain(said.text, {*lists, *empty}):
            found.append(_router(name, block, transports.get(block["transport"], {}), any_domain))
    return tuple(found)


def _match(kind: str, name: str, items: str) -> str:
    """The question whether a list, expanded already, holds a name: exim does not expand it again there, and reads it up
    to the first brace."""
    items = items.replace("\\", "\\\\").replace("}", "\\}")
    return f"${{if match_{kind}{{{name}}}{{{items}}}{{yes}}{{no}}}}"


def _named(domains: str) -> tuple[str, ...]:
    return tuple(re.findall(r"(?<!\S)!?\s*\+([A-Za-z0-9_]+)", domains.replace(":", " ")))


def _certain(domains: str, not_foreign: Iterable[str]) -> bool:
    """Whether the list names certain foreign domains: what is left of it without its exceptions, our own lists and
    the empty ones."""
    positive = [item for item in split(domains) if not item.startswith("!")]
    return any(item.removeprefix("+").strip() not in not_foreign for item in positive)


def _router(name: str, block: Mapping[str, str], transport: Mapping[str, str], any_domain: bool) -> Router:
    relays: tuple[str, ...] = ()
    driver = block.get("driver", "")
    if driver == "manualroute" and any_domain:
        relays = _hosts(block)
    elif driver not in (*_LOOKING_UP, "manualroute") or transport.get("hosts_override") == "yes":
        relays = (transport.get("hosts", ""),)
    backup = [block.get("fallback_hosts", ""), transport.get("fallback_hosts", "")]
    conditions = [text for text in (block.get("condition", ""), block.get("senders", "")) if text]
    judged_by = {text for text in conditions if not unknown(text, _KNOWN)}
    narrowed = any(block.get(option) for option in _NARROWING) or block.get("check_local_user") == "yes"
    judged = not narrowed and len(judged_by) == len(set(conditions))
    return Router(
        name=name,
        transport=block["transport"],
        tests=tuple(text for text in conditions[:1] if block.get("condition") and text in judged_by),
        senders=block.get("senders", "") if block.get("senders", "") in judged_by else "",
        relays=tuple(text for text in (*relays, *(backup if any_domain else ())) if text),
        final=any_domain and judged and (driver == "manualroute" or block.get("more") == "no"),
    )


def _hosts(block: Mapping[str, str]) -> tuple[str, ...]:
    """The host lists of a manualroute router for any domain: of route_data, or of the rules for `*`."""
    if block.get("route_data"):
        return (block["route_data"],)
    rules = [re.findall(r'"[^"]*"|\S+', rule) for rule in split(_semicolons(block.get("route_list", "")))]
    return tuple(
        rule[1].strip('"') for rule in rules if len(rule) > 1 and rule[0].strip('"') in ("*", "!+local_domains")
    )


def _semicolons(text: str) -> str:
    """A route_list is separated by semicolons where it does not say otherwise."""
    return text if text.startswith("<") else f"<;{text}"


def reach(found: Sequence[Router], transports: Iterable[str]) -> tuple[str, ...]:
    """The transports that mail of some domain may leave through, in order: none that `ways` can name is missing."""
    names = tuple(transports)
    through: list[str] = []
    for router in found:
        through.extend([router.transport] if router.transport in names else names)
    return tuple(dict.fromkeys(through))


def ways(found: Sequence[Router], transports: Iterable[str], domains: Sequence[str]) -> Asking[dict[str, Way]]:
    """Each domain's ways out; what the routers ask of the sender is expanded for each domain."""
    texts = {text for r in found for text in (*r.tests, *r.relays, r.transport, r.senders) if text}
    asked = {domain: _filled(texts, domain) for domain in domains}
    answers = yield (text for filled in asked.values() for text in filled.values())
    lists = {(r.senders, domain): answers[asked[domain][r.senders]] for r in found if r.senders for domain in domains}
    senders = {at: _match("address", f"postmaster@{at[1]}", said.text) for at, said in lists.items()}
    matched = yield senders.values()
    names = tuple(transports)
    same: dict[tuple[object, ...], Way] = {}
    result = {}
    for domain in domains:
        told = {text: answers[filled] for text, filled in asked[domain].items()}
        matching = {
            text: said if (said := lists[text, domain]).error else matched[senders[text, domain]]
            for text in dict.fromkeys(router.senders for router in found if router.senders)
        }
        key = (*told.values(), *matching.values())
        if key not in same:  # ten thousand domains, and a handful of ways
            same[key] = _way(found, names, told, matching)
        result[domain] = same[key]
    return result


def _filled(texts: Iterable[str], domain: str) -> dict[str, str]:
    values = message(domain)
    return {text: written(text, values) for text in texts}


def _way(
    found: Sequence[Router], names: Sequence[str], told: Mapping[str, Expansion], matching: Mapping[str, Expansion]
) -> Way:
    """The way out, by what exim made of the routers' texts (`told`), and whether their address lists hold the sender (`matching`)."""
    through: list[str] = []
    relays: list[str] = []
    beside: tuple[list[str], list[str]] = ([], [])  # transports and hosts of this very machine: a filter, a tunnel
    direct = False
    for router in found:
        tests = [told[text] for text in router.tests]
        if router.senders:
            tests.append(matching[router.senders])
        if any(test.forced or not (test.true or test.error) for test in tests):
            continue
        target = told[router.transport].text
        hosts = [host for text in router.relays for host in host_names(told[text].text)]
        conditional = bool(router.tests or router.senders) or not router.final
        if conditional and hosts and all(map(_here, hosts)):
            # A content filter gives the mail back, and it comes to the routers again, which are its ways out then. It has
            # a condition, or it would never see the last of a message; without one it is a tunnel to a smarthost.
            beside[0].extend([target] if target in names else names)
            beside[1].extend(hosts)
            continue
        through.extend([target] if target in names else names)
        relays.extend(hosts)
        direct = direct or not router.relays
        if router.final:
            break
    if not through:  # what listens here is the only way: where it sends mail on is not known
        through, relays = beside
    return Way(tuple(dict.fromkeys(through)), tuple(dict.fromkeys(relays)), direct)


def _here(host: str) -> bool:
    """Whether a relay is this machine itself."""
    return host in ("localhost", "localhost.localdomain", "::1") or host.startswith("127.")


def host_names(text: str) -> tuple[str, ...]:
    """The hosts of an exim host list, or of route_data: ports, `/MX`, `+` and the options behind it taken off."""
    listed = split(re.sub(r"\s+(randomize|byname|bydns|no_randomize|ipv4_only|ipv4_prefer)\b.*$", "", text.strip()))
    hosts = []
    for item in listed:
        name = item.split()[0].lower().removesuffix("/mx")
        bracketed = re.fullmatch(r"\[(.+)\](?::\d+)?", name)
        name = bracketed[1] if bracketed else re.sub(r"^([^:]+):\d+$", r"\1", name)
        if name and name != "+":
            hosts.append(name.rstrip("."))
    return tuple(hosts)
