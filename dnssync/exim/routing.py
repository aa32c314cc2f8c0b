"""Which smtp transports, and which relays, mail of a domain can leave through: exim's routers, read in exim's order.

exim has no question for this (`-bt` routes one address, with DNS look-ups of its own), so the routers' options are
read, and what they ask of the sender is expanded by exim. What cannot be judged counts as "can be reached": a transport
too many costs a term in an SPF record, a transport too few loses mail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dnssync.exim.ask import Exim, Expansion
from dnssync.exim.lists import message, split, unknown, written

ELSEWHERE = "remote.dnssync.invalid"  # stands for any domain that is not ours (RFC 6761: nobody can have it)
_LOOKING_UP = ("dnslookup", "ipliteral", "iplookup", "queryprogram")
_NARROWING = ("local_parts", "require_files", "local_part_prefix", "local_part_suffix")
_KNOWN = tuple(message("x"))


@dataclass(frozen=True, slots=True)
class Router:
    """A router that can send mail away.

    `tests` are exim conditions on the sender, unexpanded; `relays` exim host lists that it sends mail for any domain
    to, empty for one that follows DNS or serves certain domains alone. `final`: what passes its tests goes no further.
    """

    name: str
    transport: str
    tests: tuple[str, ...]
    relays: tuple[str, ...]
    final: bool


@dataclass(frozen=True, slots=True)
class Way:
    """What one domain's mail can leave through: smtp transports in order, the relays' names, and whether any of it
    goes straight to its destination, from this host's own addresses."""

    transports: tuple[str, ...]
    relays: tuple[str, ...]
    direct: bool


def smtp_transports(exim: Exim) -> dict[str, dict[str, str]]:
    """Every smtp transport with its options, unexpanded."""
    blocks = {name: exim.block("transport", name) for name in exim.listing("transport_list")}
    return {name: options for name, options in blocks.items() if options.get("driver") == "smtp"}


def routers(exim: Exim, transports: Mapping[str, Mapping[str, str]], lists: Sequence[str]) -> tuple[Router, ...]:
    """The routers that hand mail to smtp transports; local ones and those that can never match are left out.

    `lists`: the named domain lists that hold our own domains.
    """
    blocks = {name: exim.block("router", name) for name in exim.listing("router_list")}
    sending = {
        name: block
        for name, block in blocks.items()
        if block.get("transport") and block.get("driver") != "redirect" and block.get("verify_only", "no") == "no"
        if block["transport"] in transports or "$" in block["transport"]
    }
    matches = {name: _matches(block.get("domains", "")) for name, block in sending.items()}
    named = sorted({item for block in sending.values() for item in _named(block.get("domains", ""))})
    texts = {item: f"${{listnamed:{item}}}" for item in named}
    answers = exim.expand([*matches.values(), *texts.values()])
    empty = {item for item in named if not answers[texts[item]].text.strip() and not answers[texts[item]].error}
    found = []
    for name, block in sending.items():
        answer = answers[matches[name]]
        any_domain = answer.text == "y" or bool(answer.error and not answer.forced)
        if answer.forced or not (any_domain or _certain(block["domains"], {*lists, *empty})):
            continue
        found.append(_router(name, block, transports.get(block["transport"], {}), any_domain))
    return tuple(found)


def _matches(domains: str) -> str:
    if not domains.strip():
        return "y"
    return written(f"${{if match_domain{{{ELSEWHERE}}}{{{domains}}}{{y}}{{n}}}}", {"domain": ELSEWHERE})


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
    conditions = [block["condition"]] if block.get("condition") else []
    if block.get("senders"):
        conditions.append(f"${{if match_address{{$sender_address}}{{{block['senders']}}}{{yes}}{{no}}}}")
    tests = tuple(text for text in conditions if not unknown(text, _KNOWN))
    narrowed = any(block.get(option) for option in _NARROWING) or block.get("check_local_user") == "yes"
    judged = not narrowed and len(tests) == len(conditions)
    return Router(
        name=name,
        transport=block["transport"],
        tests=tests,
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


def ways(exim: Exim, found: Sequence[Router], transports: Iterable[str], domains: Sequence[str]) -> dict[str, Way]:
    """Each domain's ways out; what the routers ask of the sender is expanded for each domain, in one process."""
    texts = {text for router in found for text in (*router.tests, *router.relays, router.transport)}
    asked = {(text, domain): written(text, message(domain)) for text in texts for domain in domains}
    answers = exim.expand(asked.values())
    names = tuple(transports)
    result = {}
    for domain in domains:

        def say(text: str, domain: str = domain) -> Expansion:
            return answers[asked[text, domain]]

        through: list[str] = []
        relays: list[str] = []
        direct = False
        for router in found:
            if not all(say(test).true or (say(test).error and not say(test).forced) for test in router.tests):
                continue
            target = say(router.transport).text
            through.extend([target] if target in names else names)
            relays.extend(host for text in router.relays for host in host_names(say(text).text))
            direct = direct or not router.relays
            if router.final:
                break
        result[domain] = Way(tuple(dict.fromkeys(through)), tuple(dict.fromkeys(relays)), direct)
    return result


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
