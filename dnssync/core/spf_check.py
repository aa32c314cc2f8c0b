"""What a receiver makes of an SPF record (RFC 7208 §4, §5): `check` for one message, `worst` for what it can cost.

DNS is asked through `dns(name, type)`: names without final dot in lower case, types TXT (strings joined), A, AAAA, MX
("10 mx.example.org") and PTR. `()` means that there is none, None that nobody answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from dnssync.core.spf import Mechanism, Record, is_spf, parse
from dnssync.core.spf_macro import MAX_NAME, expand_name, letters

Dns = Callable[[str, str], tuple[str, ...] | None]
MAX_LOOKUPS = 10  # terms that ask DNS (§4.6.4)
MAX_VOIDS = 2  # questions without an answer (§4.6.4)
MAX_HOSTS = 10  # exchanges of one mx, names of one ptr (§4.6.4)
ENOUGH = 100  # `worst` counts no further: a loop of includes has no end
_RESULT = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`result`: pass, fail, softfail, neutral, none, permerror or temperror (§2.6). `lookups`, `voids`: what it took until
    then. `unknown`: the names that nobody answered for."""

    result: str
    lookups: int
    voids: int
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Worst:
    """What a message that no term matches costs: `lookups` (at most `ENOUGH`; a loop has no end) and `voids`. `unknown`:
    names that nobody answered for. `broken`: targets of include and redirect without exactly one valid SPF record."""

    lookups: int
    voids: int
    unknown: tuple[str, ...]
    broken: tuple[str, ...]


def check(record: Record | None, *, ip: str, domain: str, sender: str, helo: str, dns: Dns) -> Evaluation:
    """Evaluate the record of `domain` for a message from `ip` (RFC 7208 §4); None = ask DNS for the record.

    `sender` is the address of MAIL FROM, "" for a bounce: postmaster at `helo` then (§2.4). A silent DNS ends in
    temperror with the name in `unknown`, as with a receiver; it counts as a look-up, but not as a void one.
    """
    evaluator = _Evaluator(ip, sender, helo, dns)
    try:
        result = evaluator.domain(domain) if record is None else evaluator.record(record, domain)
    except _Stop as stop:
        result = stop.result
    return Evaluation(result, evaluator.lookups, evaluator.voids, tuple(dict.fromkeys(evaluator.unknown)))


class _Stop(Exception):  # no error of ours: the evaluation has come to its end, however deep
    def __init__(self, result: str) -> None:
        self.result = result


class _Evaluator:
    """One evaluation: who sends, and what it has cost so far."""

    def __init__(self, ip: str, sender: str, helo: str, dns: Dns) -> None:
        address = ip_address(ip)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        self.ip: IPv4Address | IPv6Address = mapped or address
        local, at, host = (sender or helo).rpartition("@")
        self.local, self.host = (local or "postmaster") if at else "postmaster", host
        self.helo, self.dns = helo, dns
        self.lookups, self.voids = 0, 0
        self.unknown: list[str] = []

    def domain(self, domain: str) -> str:
        """check_host() of §4: from a domain name to a result."""
        if not _is_name(domain) or "." not in domain.rstrip("."):
            return "none"  # §4.3
        texts = self.dns(_plain(domain), "TXT")
        if texts is None:
            self.unknown.append(_plain(domain))
            raise _Stop("temperror")
        records = [text for text in texts if is_spf(text)]
        if not records:
            return "none"
        try:
            [text] = records
            record = parse(text)
        except ValueError:  # two records (§4.5), or one that is none by the grammar (§4.6)
            raise _Stop("permerror") from None
        return self.record(record, domain)

    def record(self, record: Record, domain: str) -> str:
        """The terms from left to right (§4.6.2); the result of the first that matches."""
        for mechanism in record.mechanisms:
            if self._matches(mechanism, domain):
                return _RESULT[mechanism.qualifier]
        redirect = record.modifier("redirect")
        if redirect is None:
            return "neutral"
        self._count()
        result = self.domain(self._name(redirect.value, domain))
        return "permerror" if result == "none" else result  # §6.1

    def _matches(self, mechanism: Mechanism, domain: str) -> bool:
        name = mechanism.name
        if name == "all":
            return True
        if name in ("ip4", "ip6"):
            length = mechanism.four if name == "ip4" else mechanism.six
            return self._within(mechanism.ip, length)
        self._count()
        target = self._name(mechanism.domain, domain) if mechanism.domain else domain
        if name == "include":
            result = self.domain(target)
            if result in ("none", "permerror"):
                raise _Stop("permerror")  # §5.2
            return result == "pass"
        if name == "ptr":
            return any(_below(host, target) for host in self._validated())
        if not _is_name(target):
            return False  # §4.8: a name that cannot be asked for matches nothing
        if name == "exists":
            return bool(self._ask(target, "A"))
        hosts = self._exchanges(target) if name == "mx" else [target]
        length = mechanism.four if self.ip.version == 4 else mechanism.six
        return any(self._within(address, length) for host in hosts for address in self._ask(host, self._kind))

    def _exchanges(self, target: str) -> list[str]:
        hosts = [text.split()[-1] for text in self._ask(target, "MX")]
        if len(hosts) > MAX_HOSTS:
            raise _Stop("permerror")
        return [host for host in hosts if _plain(host)]  # "0 ." takes no mail (RFC 7505)

    def _validated(self) -> list[str]:
        """The names of the client's address that point back to it (§5.5); silence makes none, and stops nothing."""
        pointer = _plain(self.ip.reverse_pointer)
        names = self.dns(pointer, "PTR")
        if names is None:
            self.unknown.append(pointer)
            return []
        if not names:
            self._void()
        return [name for name in map(_plain, names[:MAX_HOSTS]) if self._points_here(name)]

    def _points_here(self, name: str) -> bool:
        addresses = self.dns(name, self._kind)
        if addresses is None:
            self.unknown.append(name)
        return any(ip_address(address) == self.ip for address in addresses or ())

    @property
    def _kind(self) -> str:
        return "A" if self.ip.version == 4 else "AAAA"

    def _ask(self, name: str, kind: str) -> tuple[str, ...]:
        answer = self.dns(_plain(name), kind)
        if answer is None:
            self.unknown.append(_plain(name))
            raise _Stop("temperror")
        if not answer:
            self._void()
        return answer

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > MAX_LOOKUPS:
            raise _Stop("permerror")

    def _void(self) -> None:
        self.voids += 1
        if self.voids > MAX_VOIDS:
            raise _Stop("permerror")

    def _within(self, address: str, length: int | None) -> bool:
        network = _network(address, length)
        return network.version == self.ip.version and self.ip in network

    def _name(self, spec: str, domain: str) -> str:
        """A domain-spec with its macros filled in (§7.2)."""
        values = {"l": self.local, "o": self.host, "d": domain, "h": self.helo, "s": f"{self.local}@{self.host}"}
        if self.ip.version == 4:
            values.update(i=str(self.ip), v="in-addr")
        else:
            values.update(i=".".join(self.ip.exploded.replace(":", "")), v="ip6")
        if "p" in letters(spec):
            self._count()  # it asks DNS for the names of the client, whatever its term asks
            hosts = self._validated()
            below = [host for host in hosts if _below(host, domain)]
            values["p"] = next((h for h in hosts if h == _plain(domain)), (below or hosts or ["unknown"])[0])
        return expand_name(spec, values.__getitem__)


# --- the worst case ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Tally:
    """What the walk through a tree of records has met so far; `top` is the domain of its root."""

    top: str
    dns: Dns
    lookups: int = 0
    voids: int = 0
    unknown: dict[str, None] = field(default_factory=dict)
    broken: dict[str, None] = field(default_factory=dict)


def worst(record: Record, domain: str, dns: Dns) -> Worst:
    """Count the look-ups of the record of `domain` with all it includes, for a message that nothing matches (§4.6.4).

    Terms after `all`, and a redirect beside it, cost nothing. A target is followed if it holds no macros but d and o
    (o: mail of this very domain); any other is counted alone. A name is void if it has neither A nor AAAA.
    """
    tally = _Tally(domain, dns)
    _walk(tally, record, domain)
    return Worst(tally.lookups, tally.voids, tuple(tally.unknown), tuple(tally.broken))


def _walk(tally: _Tally, record: Record, domain: str) -> None:
    for mechanism in record.mechanisms:
        if mechanism.name == "all":
            return
        if mechanism.name not in ("ip4", "ip6"):
            _cost(tally, mechanism.name, mechanism.domain, domain)
    redirect = record.modifier("redirect")
    if redirect is not None:
        _cost(tally, "redirect", redirect.value, domain)


def _cost(tally: _Tally, name: str, spec: str, domain: str) -> None:
    """Count one term that asks DNS, and whatever stands behind its target."""
    if tally.lookups >= ENOUGH:
        return
    used = letters(spec)
    tally.lookups += 2 if "p" in used else 1
    if name == "ptr" or not used <= {"d", "o"}:
        return
    target = _plain(expand_name(spec, {"d": domain, "o": tally.top}.__getitem__) if spec else domain)
    if name in ("include", "redirect"):
        _follow(tally, target)
    elif not _is_name(target):
        return
    elif name == "mx":
        exchanges = tally.dns(target, "MX")
        _note(tally, target, [exchanges])
        for host in [_plain(text.split()[-1]) for text in exchanges or ()][:MAX_HOSTS]:
            if host:
                _note(tally, host, [tally.dns(host, "A"), tally.dns(host, "AAAA")])
    else:
        kinds = ("A",) if name == "exists" else ("A", "AAAA")
        _note(tally, target, [tally.dns(target, kind) for kind in kinds])


def _note(tally: _Tally, name: str, answers: list[tuple[str, ...] | None]) -> None:
    if any(answers):
        return
    if None in answers:
        tally.unknown[name] = None
    else:
        tally.voids += 1


def _follow(tally: _Tally, target: str) -> None:
    texts = tally.dns(target, "TXT") if _is_name(target) else ()
    if texts is None:
        tally.unknown[target] = None
        return
    records = [text for text in texts if is_spf(text)]
    try:
        [text] = records
        record = parse(text)
    except ValueError:
        tally.broken[target] = None
        return
    _walk(tally, record, target)


# --- names and addresses ----------------------------------------------------------------------------------------


def _network(address: str, length: int | None) -> IPv4Network | IPv6Network:
    return ip_network(address if length is None else f"{address}/{length}", strict=False)


def _plain(name: str) -> str:
    return name.rstrip(".").lower()


def _is_name(name: str) -> bool:
    """Whether DNS can be asked for it at all: labels of 1 to 63 octets, 253 together."""
    name = name[:-1] if name.endswith(".") else name
    return len(name) <= MAX_NAME and all(
        0 < len(label.encode(errors="surrogateescape")) <= 63 for label in name.split(".")
    )


def _below(name: str, domain: str) -> bool:
    domain = _plain(domain)
    return name == domain or name.endswith("." + domain)
