"""Where a zone's name servers listen: those that the configuration names, else those of the delegation.

The delegation is the parent's NS set and the zone's own, united, with every address of every server in them: only a
record that all of these show is seen by everybody. The parent's servers are found through the system's resolver; a name
inside a configured zone is asked of that zone's own servers, never of a resolver, which would remember its absence.

Thousands of zones are looked for at once, and most of them share their servers: what one of them asks just now, the others wait for.
"""

from __future__ import annotations

import asyncio
import socket
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from dnssync.core.model import relative, zone_of
from dnssync.core.sighting import ANSWERS, Rcode
from dnssync.known import Addresses, Known, Servers, Told
from dnssync.wire import Message, Records, Server, routed, split

REFERRALS = 8  # zone cuts between the parent that was found and the zone
AT_A_TIME = 200  # zones whose servers are looked for

ALONE = "the zone above it has no delegation for it"

T = TypeVar("T")


class Delegations:
    """Finds the servers of zones, in the event loop of one look.

    `nameservers` has every configured zone, with the servers to ask or with none for those of the delegation. `ask`
    asks an authoritative server, `resolve` the system's resolver. `known` outlives the look. `port` is the servers' port where none is named.
    """

    def __init__(
        self,
        nameservers: Mapping[str, Sequence[str]],
        ask: Callable[[Server, str, str], Awaitable[Message]],
        resolve: Callable[[str, str], Awaitable[Message]],
        known: Known,
        *,
        port: int = 53,
        routed: Callable[[str], bool] = routed,
        getaddrinfo: Callable[..., Sequence[tuple[Any, ...]]] = socket.getaddrinfo,
    ) -> None:
        self._named, self._known, self._port = nameservers, known, port
        self._ask_now, self._resolve_now, self._routed, self._getaddrinfo = ask, resolve, routed, getaddrinfo
        self._under_way: dict[tuple[Any, ...], asyncio.Task[Any]] = {}
        self._routes: dict[str, bool] = {}
        self._places = asyncio.Semaphore(AT_A_TIME)

    def known(self, zone: str) -> Servers | None:
        """The servers of a zone, where they were found a short while ago."""
        return self._known.servers.get(zone)

    async def find(self, zone: str) -> Servers:
        """The servers of one of many zones: a bounded number of them is looked for at a time."""
        known = self.known(zone)
        if known is not None:
            return known
        async with self._places:
            return await self.servers(zone)

    async def servers(self, zone: str, within: frozenset[str] = frozenset()) -> Servers:
        """The servers of a zone. `within` are the zones whose servers are being found: it ends circles."""
        known = self.known(zone)
        if known is not None:
            return known
        if zone in within:
            return Servers(problem=f"{zone}: its servers' names lie in zones that need {zone} to be found")
        named = self._named.get(zone)
        found = self._configured(zone, named) if named else await self._delegated(zone, within | {zone})
        return self._known.servers.put(zone, found, good=not found.problem and not found.unknown)

    async def _shared(self, key: tuple[Any, ...], work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the work gives, which is done once where several want it at the same time. It waits for messages alone and never for another
        such work, so no two can wait for each other."""
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.get_running_loop().create_task(work())
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        result: T = await task
        return result

    async def _ask(self, server: Server, name: str, kind: str) -> Message:
        return await self._shared((server, name, kind), lambda: _of_it(self._ask_now(server, name, kind)))

    async def told(self, zone: str) -> Told:
        """What the zone above says, asked anew."""
        if self._named.get(zone):
            return Told(named=True)
        within = frozenset({zone})
        parents = await self._parent(zone, within)
        if parents.problem:
            return Told(problem=parents.problem)
        names, glue, problem = await self._referral(zone, parents, within)
        alone = ALONE in problem
        return Told(
            names, tuple((n, tuple(texts)) for n, texts in glue.items()), alone=alone, problem="" if alone else problem
        )

    def _configured(self, zone: str, named: Sequence[str]) -> Servers:
        addresses: dict[str, Addresses] = {}
        targets: list[tuple[str, Server]] = []
        for text in named:
            try:
                host, port = split(text, self._port)
                # The operator's own word for where a server is, so /etc/hosts counts; an address costs no look-up.
                infos = self._getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            except (OSError, ValueError) as error:
                addresses[text] = Addresses(trouble=f"no address ({getattr(error, 'strerror', None) or error})")
                continue
            targets += [(text, Server(info[4][0], port)) for info in infos]
        return self._sort(zone, targets, addresses)

    async def _delegated(self, zone: str, within: frozenset[str]) -> Servers:
        parents = await self._parent(zone, within)
        if parents.problem:
            return parents
        names, glue, problem = await self._referral(zone, parents, within)
        if problem:
            return Servers(problem=problem)
        first: dict[str, Addresses] = {}
        for name in names:
            told = tuple(glue.get(name, ()))
            first[name] = Addresses(told) if told else await self._of(name, zone, (), within)
        via = self._sort(zone, self._targets(first), {}).asked
        own: list[str] = []
        for message in await asyncio.gather(*(self._ask_now(server, zone, "NS") for server in via)):
            records = message.found(zone, "NS") if message.authoritative else None
            own += [_host(text) for text in records.texts] if records else []
        united = {}
        for name in dict.fromkeys([*names, *own]):
            found = await self._of(name, zone, via, within)
            told = tuple(dict.fromkeys([*glue.get(name, ()), *found.found]))
            united[name] = Addresses(told, "" if name in glue else found.trouble)
        return self._sort(zone, self._targets(united), united)

    async def _parent(self, zone: str, within: frozenset[str]) -> Servers:
        """The servers of the zone above: the nearest name that has an NS set."""
        name = zone
        while name:
            name = name.partition(".")[2]
            holder = zone_of(name, self._named)
            if holder is not None:
                return await self.servers(holder, within)
            known = self._known.parents.get(name)
            if known is not None:
                return known
            message = await self._shared(("above", name), partial(self._above, name))
            records = message.found(name, "NS")
            if records is not None:
                addresses = {host: await self._of(host, "", (), within) for host in map(_host, records.texts)}
                found = self._sort(name or "the root", self._targets(addresses), addresses)
                return self._known.parents.put(name, found, good=bool(found.asked))
            if message.rcode not in ANSWERS:
                break
        return Servers(
            problem=f"{zone}: the servers of the zone above it ({name or 'the root'}) cannot be found: the system's "
            f"resolver says {message.rcode}{_because(message)}. Check /etc/resolv.conf, or name the servers of {zone} "
            "under `nameservers`."
        )

    async def _above(self, name: str) -> Message:
        """What the system's resolver says of the NS set of a name above a zone."""
        known = self._known.above.get(name)
        if known is not None:
            return known
        message = await self._resolve_now(name, "NS")
        return self._known.above.put(name, message, good=True) if message.rcode in ANSWERS else message

    async def _referral(
        self, zone: str, parents: Servers, within: frozenset[str]
    ) -> tuple[tuple[str, ...], dict[str, list[str]], str]:
        """The NS set that the zone above has for it, its glue, and the problem where there is none."""
        asked, above, words = parents.asked, "", "no server of the zone above it answers"
        for _ in range(REFERRALS):
            start = zlib.crc32(zone.encode()) % max(1, len(asked))  # spreads many zones over the parent's servers
            for server in (*asked[start:], *asked[:start]):
                message = await self._ask(server, zone, "NS")
                found = message.found(zone, "NS") or _cut(message, zone, above)
                if found is not None or (message.rcode in ANSWERS and message.authoritative):
                    break
                words = f"{server}, a server of the zone above it, says {message.rcode}{_because(message)}"
            else:
                return (), {}, f"{zone}: {words}. Try again later, or name the servers of {zone} under `nameservers`."
            if found is None:
                words = "Register it, or, where only your network knows it"
                return (), {}, f"{zone}: {ALONE}. {words}, name its servers under `nameservers`."
            names = tuple(_host(text) for text in found.texts)
            glue: dict[str, list[str]] = {}
            for records in message.additional:
                if records.name in names and records.type in {"A", "AAAA"}:
                    glue.setdefault(records.name, []).extend(records.texts)
            if found.name == zone:
                return names, glue, ""
            above = found.name
            addresses = {
                n: Addresses(tuple(glue[n])) if n in glue else await self._of(n, "", (), within) for n in names
            }
            asked = self._sort(above, self._targets(addresses), {}).asked
        return (), {}, f"{zone}: more than {REFERRALS} zones lie between it and the zone above it that was found"

    async def _of(self, name: str, zone: str, via: Sequence[Server], within: frozenset[str]) -> Addresses:
        """The addresses of a server's name, A and AAAA; a name inside the zone is asked of its servers, `via`."""
        if relative(name, zone) is not None:
            return await self._addresses(name, via)
        known = self._known.addresses.get(name)
        if known is not None:
            return known
        holder = zone_of(name, self._named)
        servers = None if holder is None else (await self.servers(holder, within)).asked
        return await self._shared(("address", name, servers), partial(self._remembered, name, servers))

    async def _remembered(self, name: str, via: Sequence[Server] | None) -> Addresses:
        addresses = await self._addresses(name, via)
        return self._known.addresses.put(name, addresses, good=not addresses.trouble)

    async def _addresses(self, name: str, via: Sequence[Server] | None) -> Addresses:
        """The addresses that these servers tell, or, without any, the system's resolver."""
        asked = [
            self._resolve_now(name, kind) if via is None else self._united(via, name, kind) for kind in ("A", "AAAA")
        ]
        answers = await asyncio.gather(*asked)
        # Through a resolver a CNAME may stand before the address; RFC 2181 §10.3 forbids it, resolvers live with it.
        found = [r.texts for message in answers for r in message.answer if r.type in {"A", "AAAA"}]
        trouble = next((f"its address: {m.rcode}{_because(m)}" for m in answers if m.rcode not in ANSWERS), "")
        return Addresses(tuple(dict.fromkeys(text for texts in found for text in texts)), trouble)

    async def _united(self, via: Sequence[Server], name: str, kind: str) -> Message:
        """What the zone's servers say together, since one that lags behind may lack an address."""
        messages = await asyncio.gather(*(self._ask_now(server, name, kind) for server in via))
        told = [message for message in messages if message.authoritative and message.rcode in ANSWERS]
        if told:
            return Message(Rcode.DATA, True, tuple(records for message in told for records in message.answer))
        failed = [message for message in messages if message.rcode not in ANSWERS]
        return failed[0] if failed else Message(Rcode.LAME, note="" if messages else "no server to ask")

    def _targets(self, addresses: Mapping[str, Addresses]) -> list[tuple[str, Server]]:
        return [(name, Server(text, self._port)) for name, held in addresses.items() for text in held.found]

    def _sort(self, zone: str, targets: Iterable[tuple[str, Server]], addresses: Mapping[str, Addresses]) -> Servers:
        """Each address once, apart from those that this host has no route to."""
        servers = tuple(dict.fromkeys(server for _, server in targets))
        for server in servers:
            if server.address not in self._routes:
                self._routes[server.address] = self._routed(server.address)
        asked = tuple(server for server in servers if self._routes[server.address])
        without = [name for name, held in addresses.items() if not held.found and not held.trouble]
        not_asked = (
            *(str(server) for server in servers if not self._routes[server.address]),
            *(f"{n} (no address)" for n in without),
        )
        unknown = tuple((name, held.trouble) for name, held in addresses.items() if held.trouble)
        problem = ""
        if not asked:
            reasons = [
                *(f"{name}: {trouble}" for name, trouble in unknown),
                *(f"{text}: no route" for text in not_asked),
            ]
            problem = f"{zone}: none of its servers can be asked ({'; '.join(reasons) or 'none is known'})"
        return Servers(asked, not_asked, unknown, problem)


def _cut(message: Message, zone: str, above: str) -> Records | None:
    """The NS set of a referral towards the zone, from below `above`; None where the message is none."""
    for records in message.authority:
        towards = relative(zone, records.name) is not None and records.name != above and bool(records.name)
        if records.type == "NS" and towards and (not above or relative(records.name, above) is not None):
            return records
    return None


async def _of_it(future: Awaitable[Message]) -> Message:
    return await future


def _host(text: str) -> str:
    return text.lower().removesuffix(".")


def _because(message: Message) -> str:
    return f" ({message.note})" if message.note else ""
