"""exim's mainlog, line by line: what left this host, for which sender domain, through which transport, from which address.

The log holds the envelope sender and not the From: header, and what is counted here is by that: by `P=` of a delivery (the return path that
was sent, with `log_selector = +return_path_on_delivery`), else by its `F=` (`+sender_on_delivery`), else by the `<=` line of the message. A
bounce has no sender; it is counted under no domain at all. `I=` is there with `+incoming_interface` (`+outgoing_interface` alone does nothing), `DKIM=` of a delivery since 4.98
with `+dkim_verbose`: `domain:selector:domain:selector`, what exim chose to sign with, also where signing then failed.
"""

from __future__ import annotations

import ipaddress
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dnssync.check.facts import Wish

DAYS = 7
OPEN = 50_000  # messages that are followed at once; of an older one it is not known any more who sent it
ROWS = 20_000  # sender domains and ways that are told apart; a host that forwards mail sees everybody's
FEW = 50  # addresses, and selectors, that are told apart in a row
NOBODY = ""  # the domain of what has no sender
UNTOLD = "?"  # the domain of what the log does not tell the sender of

_LINE = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)?(?: [+-]\d{4})?(?: \[\d+\])? "
    r"(?P<id>[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})) (?P<mark><=|=>|->|>>|Completed)(?: (?P<rest>.*))?"
)
_ADDRESS = re.compile(r'<>|"(?:[^"\\]|\\.)*"(?:@\S*)?|[^\s"]+')
_FIELD = re.compile(
    r" (?:<[^>]*>"  # the address that was written to, before it was routed
    r"|H=(?P<name>[^=]*?)\[(?P<ip>[0-9A-Fa-f:.]+)\](?::\d+)?\*?(?= |$)"
    r'|(?P<key>[A-Za-z][A-Za-z0-9]*\*?)=(?P<value>"(?:[^"\\]|\\.)*"|<[^>]*>|\[[^\]]*\](?::\d+)?|[^\s"]*))'
)
_MARKS = (" <= ", " => ", " -> ", " >> ", " Completed")


@dataclass(frozen=True, slots=True)
class Log(Wish["Logged"]):
    """The wish for what exim's mainlog tells of the last `days`."""

    days: int = DAYS


@dataclass(frozen=True, slots=True)
class Sent:
    """What left of one domain by one transport. `domain`: of the envelope sender, `NOBODY`, `UNTOLD`, or a star where there are too many. `own`: it was handed
    in here, by a local program, an authenticated user or a host that may relay; else it only passed through. `messages`: each once, `recipients`: addresses it was
    delivered to. `addresses`: how many messages left from which local address (empty: the log does not tell). `selected`: how many deliveries
    exim chose to sign with `domain:selector`; `bare`: messages without such a word, while the log had them."""

    domain: str
    own: bool
    transport: str
    here: bool = False
    messages: int = 0
    recipients: int = 0
    addresses: Mapping[str, int] = field(default_factory=dict)
    selected: Mapping[str, int] = field(default_factory=dict)
    bare: int = 0


@dataclass(frozen=True, slots=True)
class Logged:
    """What the log tells. `since`, `oldest`, `newest`: times as the log has them ("" = it has no line); `files`: those that were read, `notes`: what
    could not be read, and why. `lines`: how many there were. `verbose`: whether exim now writes what it signs with."""

    since: str
    files: tuple[str, ...]
    rows: tuple[Sent, ...]
    lines: int = 0
    oldest: str = ""
    newest: str = ""
    notes: tuple[str, ...] = ()
    verbose: bool = False
    _named: Mapping[str, tuple[Sent, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named: dict[str, list[Sent]] = {}
        for row in self.rows:
            named.setdefault(row.domain, []).append(row)
        object.__setattr__(self, "_named", {name: tuple(rows) for name, rows in named.items()})

    @property
    def domains(self) -> tuple[str, ...]:
        """The sender domains that are told apart."""
        return tuple(name for name in self._named if name not in (NOBODY, UNTOLD, "*"))

    def of(self, domain: str) -> tuple[Sent, ...]:
        """The rows of one domain."""
        return self._named.get(domain, ())


@dataclass(slots=True)
class _Row:
    messages: int = 0
    recipients: int = 0
    bare: int = 0
    addresses: dict[str, int] = field(default_factory=dict)
    selected: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Message:
    """One that is on its way: whose it is (None: not told yet), and which rows have counted it. `early`: what was delivered before that was told."""

    domain: str | None = None
    own: bool = False
    counted: set[tuple[str, bool, str, bool]] = field(default_factory=set)
    early: list[_Delivery] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Delivery:
    transport: str
    here: bool
    sender: str | None
    address: str
    selected: tuple[str, ...]
    verbose: bool


class Counting:
    """Counts line after line; the oldest first, from as many files as there are. `since`: deliveries from then on, as text like the log's own;
    `relays`: networks whose mail is our own; `inner`: transports that send to no other host (LMTP has one to name, too). Needs memory for the messages on their way and for the domains, not for the lines."""

    def __init__(
        self,
        since: str,
        *,
        relays: Iterable[str] = (),
        inner: Iterable[str] = (),
        verbose: bool = False,
    ) -> None:
        self._since, self._verbose = since, verbose
        self._relays = [network for network in map(_network, relays) if network is not None]
        self._inner = frozenset(inner)
        self._open: OrderedDict[str, _Message] = OrderedDict()
        self._rows: dict[tuple[str, bool, str, bool], _Row] = {}
        self._told = False  # whether a delivery has said by now what it was signed with
        self.lines, self.oldest, self.newest = 0, "", ""

    def read(self, lines: Iterable[str]) -> None:
        """Count these lines."""
        for line in lines:
            self.lines += 1
            if any(mark in line for mark in _MARKS):
                found = _LINE.match(line)
                if found is not None:
                    self._one(found["at"], found["id"], found["mark"], (found["rest"] or "").rstrip("\r\n"))

    def result(self) -> tuple[Sent, ...]:
        """All rows: what is still on its way, too; the most messages first."""
        for message in self._open.values():
            self._settle(message)
        rows = [
            Sent(*key, row.messages, row.recipients, dict(row.addresses), dict(row.selected), row.bare)
            for key, row in self._rows.items()
        ]
        return tuple(sorted(rows, key=lambda row: (-row.messages, row.domain, row.transport, row.own)))

    def _one(self, at: str, name: str, mark: str, rest: str) -> None:
        if mark == "Completed":
            message = self._open.pop(name, None)
            if message is not None:
                self._settle(message)
        elif mark == "<=":
            self._received(self._message(name), rest)
        elif at >= self._since:
            self.oldest, self.newest = min(self.oldest or at, at), max(self.newest, at)
            self._delivered(self._message(name), rest)

    def _message(self, name: str) -> _Message:
        message = self._open.get(name)
        if message is None:
            if len(self._open) >= OPEN:
                self._settle(self._open.popitem(last=False)[1])
            message = self._open[name] = _Message()
        return message

    def _received(self, message: _Message, rest: str) -> None:
        sender = _ADDRESS.match(rest)
        if sender is None:
            return
        fields = _fields(rest[sender.end() :], until="S")
        message.domain = domain_of(sender[0])
        message.own = not {"ip", "H"} & fields.keys() or "A" in fields or self._relayed(fields.get("ip", ""))
        self._settle(message)

    def _relayed(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return address.is_loopback or any(address in network for network in self._relays)

    def _delivered(self, message: _Message, rest: str) -> None:
        recipient = _ADDRESS.match(rest)
        if recipient is None or recipient[0][0] in "|/:":
            return  # to a pipe, whose text is anybody's, a file, or nowhere
        fields = _fields(rest[recipient.end() :])
        transport = fields.get("T", "")
        if "ip" not in fields or not transport or transport in self._inner:
            return  # to a mailbox, a pipe, a file
        items = fields.get("DKIM", "").strip('"').split(":")
        signed = tuple(f"{domain}:{selector}" for domain, selector in zip(items[::2], items[1::2], strict=False))
        self._told = self._told or bool(signed)
        sender = fields.get("P", fields.get("F"))
        address = fields.get("I", "").partition("]")[0].removeprefix("[")
        message.early.append(
            _Delivery(
                transport,
                _here(fields["ip"]),
                None if sender is None else domain_of(sender),
                address,
                signed,
                self._told and self._verbose,
            )
        )
        if message.domain is not None or sender is not None or len(message.early) > FEW:
            self._settle(message)

    def _settle(self, message: _Message) -> None:
        """Count what was delivered, for whoever sent it."""
        for delivery in message.early:
            domain = delivery.sender if delivery.sender is not None else message.domain
            # Of whom it is not known how it came, it is not said that it is ours.
            self._count(
                message,
                (UNTOLD if domain is None else domain, message.own, delivery.transport, delivery.here),
                delivery,
            )
        message.early.clear()

    def _count(self, message: _Message, key: tuple[str, bool, str, bool], delivery: _Delivery) -> None:
        if key not in self._rows and len(self._rows) >= ROWS:
            key = ("*", key[1], "*", False)
        row = self._rows.setdefault(key, _Row())
        row.recipients += 1
        for item in delivery.selected:
            _add(row.selected, item)
        if key in message.counted:
            return
        message.counted.add(key)
        row.messages += 1
        if delivery.address:
            _add(row.addresses, delivery.address)
        row.bare += delivery.verbose and not delivery.selected


def domain_of(sender: str) -> str:
    """The domain of an envelope sender in lower case and as DNS has it (RFC 6531 lets it be in Unicode), `NOBODY` for a bounce."""
    if "@" not in sender:
        return NOBODY
    domain = sender.strip("<>").rpartition("@")[2].lower().rstrip(".")
    try:
        return domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


def _fields(text: str, until: str = "") -> dict[str, str]:
    """The items of a line by their letters, and `ip` of the other host; the first of each, up to the item `until` (what follows is
    of the message's own making)."""
    found: dict[str, str] = {}
    for match in _FIELD.finditer(text):
        if match["ip"]:
            found.setdefault("ip", match["ip"])
        elif match["key"] and match["key"] == until:
            break
        elif match["key"]:
            found.setdefault(match["key"], match["value"])
    return found


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _here(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False


def _add(counts: dict[str, int], item: str) -> None:
    if item in counts or len(counts) < FEW:
        counts[item] = counts.get(item, 0) + 1
