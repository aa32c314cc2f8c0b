"""Dynamic update (RFC 2136) with TSIG (RFC 8945) and zone transfer (RFC 5936): BIND, Knot, PowerDNS and others.

A zone is read by AXFR, whole. All changes of a plan go in one UPDATE message, which the server does whole or not at all.
Its prerequisites list every RRset that is touched as it was read, foreign values included (§2.4.2): a compare-and-swap.
Values are added and deleted one by one, so that a stranger's value in the same RRset is neither taken out nor put in. The one
exception is another TTL, which an RRset has as a whole: dnssync's guard never asks for it where a stranger's value is.

A server leaves out, without a word, a CNAME where other records stand and a record beside a CNAME (§3.4.2.2). So prerequisites
say that nothing stands there, and where a CNAME takes the place of others it is asked for afterwards.
"""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.update
import dns.xfr
import dns.zone

from dnssync.core.model import Change, Limits, ProviderError, RRset, StaleZone, Value, absolute

from . import _text
from ._rfc2136_words import hint

T = TypeVar("T")
ALGORITHMS = {
    "hmac-md5": dns.tsig.HMAC_MD5,
    "hmac-sha1": dns.tsig.HMAC_SHA1,
    "hmac-sha224": dns.tsig.HMAC_SHA224,
    "hmac-sha256": dns.tsig.HMAC_SHA256,
    "hmac-sha384": dns.tsig.HMAC_SHA384,
    "hmac-sha512": dns.tsig.HMAC_SHA512,
}
STATEMENT = re.compile(r'\bsecret\s+"?([^\s";]+)"?\s*;')  # in `key "name" { algorithm …; secret "…"; };`
ROOM = 60000  # octets of changes in one message, which can hold 65535 with its own records
# What people have where a CNAME is to come; of other types, the look afterwards tells. DNSSEC's own may stand beside one.
COMPANY = frozenset({
    "A", "AAAA", "AFSDB", "CAA", "CERT", "CNAME", "DNAME", "DS", "HINFO", "HTTPS", "LOC", "MX", "NAPTR", "NS", "OPENPGPKEY", "PTR", "RP",
    "SMIMEA", "SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT", "URI",
})  # fmt: skip
STALE = frozenset({dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN})
PASSING = frozenset({dns.rcode.SERVFAIL})
MAYBE = " (it may have done the update all the same; the next pass reads it)"


class Provider:
    """Options as in octodns' plug-in: `host` (address or name), `port`, `key_name`, `key_secret` (base64, or the
    key statement that tsig-keygen writes, of which the secret is taken), `key_algorithm` (hmac-sha256), `timeout` in seconds, `ipv6` (true or false: that family alone)."""

    limits = Limits(
        parallel=4
    )  # BIND gives out ten transfers at once (transfers-out), those to its secondaries included

    def __init__(
        self,
        id: str,
        host: str,
        port: int = 53,
        ipv6: bool | None = None,
        timeout: float = 15,
        key_name: str | None = None,
        key_secret: str | None = None,
        key_algorithm: str | None = None,
        *,
        resolve: Callable[..., Sequence[Any]] = socket.getaddrinfo,
    ) -> None:
        self.id = id
        self._resolve = resolve
        self._host, self._port, self._timeout = host, int(port), float(timeout)
        self._family = {None: socket.AF_UNSPEC, True: socket.AF_INET6, False: socket.AF_INET}.get(ipv6)
        algorithm = (key_algorithm or "hmac-sha256").lower().removesuffix(".")
        self._algorithm = ALGORITHMS.get(algorithm, dns.tsig.HMAC_SHA256)
        self._keyring: dict[dns.name.Name, Any] | None = None
        wrong = []  # told together, a line each
        if not 0 < self._port < 65536:
            wrong.append(f"port: must be 1 to 65535, not {port}")
        if not self._timeout > 0:
            wrong.append(f"timeout: must be some seconds, not {timeout}")
        if self._family is None:
            wrong.append("ipv6: must be true, false, or left out")
        if algorithm not in ALGORITHMS:
            wrong.append(f"key_algorithm: {algorithm} is none of {', '.join(sorted(ALGORITHMS))}")
        if key_name is None and key_secret is not None:
            wrong.append("key_name: is missing; it belongs to key_secret")
        elif key_name is not None and key_secret is None:
            wrong.append("key_secret: is missing; it belongs to key_name")
        elif key_name is not None and key_secret is not None:
            try:
                dns.name.from_text(key_name)
            except dns.exception.DNSException:
                wrong.append("key_name: is no name; it is the one in the server's key statement")
                key_name = "."
            statement = STATEMENT.search(key_secret)
            secret = statement[1] if statement else "".join(key_secret.split())
            try:
                base64.b64decode(secret or "=", validate=True)
                self._keyring = dns.tsigkeyring.from_text({key_name: (self._algorithm, secret)})
            except ValueError:
                wrong.append("key_secret: is neither base64 nor a key statement with a secret in base64, as tsig-keygen "
                             "writes one")  # fmt: skip
        if wrong:
            raise ProviderError("\n".join(wrong))

    def __repr__(self) -> str:
        return f"rfc2136.Provider({self.id!r}, host={self._host!r}, port={self._port})"

    # --- reading ------------------------------------------------------------------------------------------------------

    def read(self, zone: str) -> tuple[RRset, ...]:
        """The whole zone by AXFR; raises `ProviderError` for anything less."""
        origin = dns.name.from_text(zone)

        def transfer(address: str) -> dns.zone.Zone:
            received = dns.zone.Zone(origin, relativize=False)
            query, _ = dns.xfr.make_query(received, keyring=self._keyring, keyalgorithm=self._algorithm)
            dns.query.inbound_xfr(
                address,
                received,
                query=query,
                port=self._port,
                timeout=self._timeout,
                lifetime=max(60.0, 4 * self._timeout),
            )
            return received

        received = self._each_address(zone, "transfer", transfer)
        rrsets: dict[tuple[str, str], RRset] = {}
        for name, found in received.iterate_rdatasets():
            key = (_relative(name, origin), dns.rdatatype.to_text(found.rdtype))
            # dnspython keeps signatures apart by what they sign (RRSIG, SIG); by name and type they are one RRset.
            before = rrsets[key].values if key in rrsets else ()
            rrsets[key] = RRset(*key, found.ttl, (*before, *map(_value, found)))
        return tuple(sorted(rrsets.values(), key=lambda rrset: rrset.key))

    # --- writing ------------------------------------------------------------------------------------------------------

    def write(self, zone: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """All changes in one UPDATE, or none of them: `StaleZone` where an RRset is not what was read. Changes that no message
        can hold together (hundreds of keys) go in several, each of them whole or not at all."""
        done, turning = 0, _turning(changes)
        for update, part in self._messages(zone, changes):
            code = self._send(zone, update)
            if code == dns.rcode.YXRRSET:
                self._no_alias(zone, [c for c in part if c.old is None and c.name not in turning])
            if code in STALE and not done:
                raise StaleZone(f"{zone}: a record was changed at {self._server} between our read and our write; nothing was "
                                "written.")  # fmt: skip
            if code != dns.rcode.NOERROR:
                sentence = self._refused(zone, "update", dns.rcode.to_text(code))
                if done:
                    sentence += f" {done} of {len(changes)} changes were written before; the next pass does the others."
                raise ProviderError(sentence, transient=code in PASSING | STALE)
            done += len(part)
            self._stands(zone, [change for change in part if change.name in turning])
        return ()

    def _stands(self, zone: str, changes: Sequence[Change]) -> None:
        """Raise `ProviderError` for what the server took and left out, asked by prerequisites alone."""
        update = self._message(dns.name.from_text(zone))
        for change in changes:
            if change.new:
                values = [_rdata(change.type, value) for value in change.new.values]
                update.present(_owner(change.name), dns.rdataset.from_rdata_list(0, values))
        code = self._send(zone, update) if update.prerequisite else dns.rcode.NOERROR
        if code in STALE:
            names = ", ".join(sorted({absolute(change.name, zone) for change in changes}))
            raise ProviderError(f"{zone}: {self._server} took the update and left out records at one of {names}: something that no CNAME may "
                                "stand beside is there. What was to go is gone. Look at these names there.")  # fmt: skip
        if code:  # what is not known is not said to be done
            raise ProviderError(self._refused(zone, "update", dns.rcode.to_text(code)), transient=code in PASSING)

    def _no_alias(self, zone: str, changes: Sequence[Change]) -> None:
        """Raise `ProviderError` for a new RRset where a CNAME stands: reading again would show nothing that can be planned.
        It is asked for as the server judged it, by updates that hold a prerequisite and no change."""
        for change in changes:
            update = self._message(dns.name.from_text(zone))
            update.absent(_owner(change.name), "CNAME")
            if self._send(zone, update) == dns.rcode.YXRRSET:
                raise ProviderError(f"{zone}: {absolute(change.name, zone)} is a CNAME at {self._server}, and no {change.type} "
                                    "record may stand beside one; it was not written. Delete the CNAME there, or leave "
                                    "that domain out.")  # fmt: skip

    def _messages(
        self, zone: str, changes: Sequence[Change]
    ) -> Iterator[tuple[dns.update.UpdateMessage, list[Change]]]:
        """The updates, and the changes that each holds; where a CNAME comes or goes, all changes of its name are in one."""
        origin, turning = dns.name.from_text(zone), _turning(changes)
        together: dict[tuple[str, int], list[Change]] = {}
        for number, change in enumerate(changes):
            together.setdefault((change.name, -1 if change.name in turning else number), []).append(change)
        whole, part, size = self._message(origin), list[Change](), 0
        for group in together.values():
            alone = dns.update.UpdateMessage(origin)
            _add(alone, group)
            # Behind 16 kB of a message no name is compressed (RFC 1035 §4.1.4): here only the first of a group is not.
            records = sum(len(rrset) or 1 for section in alone.sections for rrset in section)
            more = len(alone.to_wire()) + len(group[0].name) * records
            if part and size + more > ROOM:
                yield whole, part
                whole, part, size = self._message(origin), [], 0
            _add(whole, group)
            part += group
            size += more
        if part:
            yield whole, part

    def _send(self, zone: str, update: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        ask = partial(dns.query.tcp, update, port=self._port, timeout=self._timeout)
        return self._each_address(zone, "update", ask).rcode()

    def _message(self, origin: dns.name.Name) -> dns.update.UpdateMessage:
        return dns.update.UpdateMessage(origin, keyring=self._keyring, keyalgorithm=self._algorithm)

    # --- errors -------------------------------------------------------------------------------------------------------

    @property
    def _server(self) -> str:
        return self._host if self._port == 53 else f"{self._host} port {self._port}"

    def _addresses(self, zone: str) -> Iterator[str]:
        try:
            found = self._resolve(self._host, self._port, self._family, socket.SOCK_STREAM)
        except OSError as error:
            raise ProviderError(f"{zone}: the name {self._host} of provider {self.id} has no address here ({error}). Look at "
                                "its `host:`, or at this machine's resolver.", transient=True) from None  # fmt: skip
        yield from dict.fromkeys(str(info[4][0]) for info in found)

    def _each_address(self, zone: str, what: str, ask: Callable[[str], T]) -> T:
        """Ask the first address that takes the connection; a server that was reached and refused is not asked twice."""
        unreached = ""
        for address in self._addresses(zone):
            try:
                return ask(address)
            except OSError as error:
                unreached = getattr(error, "strerror", None) or str(error) or type(error).__name__
                if what == "update" and isinstance(error, ConnectionResetError):
                    unreached += MAYBE
            except dns.exception.Timeout:
                unreached = f"no answer within {self._timeout:g} seconds"
                unreached += MAYBE if what == "update" else ""
            except dns.xfr.TransferError as error:
                sentence = self._refused(zone, what, dns.rcode.to_text(error.rcode))
                raise ProviderError(sentence, transient=error.rcode in PASSING) from None
            except (dns.tsig.PeerBadTime, dns.tsig.BadTime):
                raise ProviderError(f"{zone}: the clocks of {self._server} and of this host differ too much (TSIG BADTIME). Set "
                                    "both by NTP.", transient=True) from None  # fmt: skip
            except (dns.tsig.PeerError, dns.tsig.BadSignature, dns.tsig.BadKey, dns.message.UnknownTSIGKey) as error:
                name = type(error).__name__
                word = {"PeerBadKey": "BADKEY", "PeerBadSignature": "BADSIG"}.get(name, name)
                knot = f"; Knot says the same where no acl with action {what} names the key" if word == "BADKEY" else ""
                raise ProviderError(f"{zone}: {self._server} does not accept the TSIG key of provider {self.id} ({word}). Compare "
                                    f"key_name, key_algorithm and key_secret with the server's key statement{knot}.") from None  # fmt: skip
            except EOFError:
                so = {"transfer": "nothing is taken from half a zone"}.get(what, "whether it was done is read in the next pass")  # fmt: skip
                raise ProviderError(f"{zone}: {self._server} ended the {what} before it was complete; {so}. If it happens again, look "
                                    "at the server's log.", transient=True) from None  # fmt: skip
            except dns.exception.DNSException as error:
                if "requires a TSIG" in str(error):
                    raise ProviderError(f"{zone}: {self._server} (provider {self.id}) did not sign its answer to the {what}, so nothing is taken from "
                                        f"it. Knot answers so where it does not have the zone, or where no acl with action {what} names the key: look at "
                                        "`host:`, at the zone's name and at the acl.") from None  # fmt: skip
                raise ProviderError(f"{zone}: the answer of {self._server} to the {what} cannot be understood "
                                    f"({type(error).__name__}); nothing is taken from it.", transient=True) from None  # fmt: skip
        raise ProviderError(f"{zone}: {self._server} (provider {self.id}) cannot be reached for the {what}: {unreached}. Is the "
                            "name server running, and may this host reach its TCP port?", transient=True)  # fmt: skip

    def _refused(self, zone: str, what: str, code: str) -> str:
        key = next(iter(self._keyring)).to_text(omit_final_dot=True) if self._keyring else ""
        return f"{zone}: {self._server} (provider {self.id}) refused the {what} with {code}. {hint(what, code, key)}"


def _relative(name: dns.name.Name, origin: dns.name.Name) -> str:
    short = name.relativize(origin)
    return "" if short == dns.name.empty else short.to_text().lower()


def _owner(name: str) -> dns.name.Name:
    return dns.name.from_text(name, None) if name else dns.name.empty


def _value(rdata: dns.rdata.Rdata) -> Value:
    if rdata.rdtype in (dns.rdatatype.TXT, dns.rdatatype.SPF):
        return _text.value(getattr(rdata, "strings"))  # noqa: B009 - both types have it, their base has not
    text = rdata.to_text()
    return Value(text, text)


def _rdata(kind: str, value: Value) -> dns.rdata.Rdata:
    rdtype = dns.rdatatype.from_text(kind)
    if kind in _text.TYPES:
        wire = b"".join(bytes([len(string)]) + string for string in _text.strings(value))
        return dns.rdata.from_wire(dns.rdataclass.IN, rdtype, wire, 0, len(wire))
    return dns.rdata.from_text(
        dns.rdataclass.IN, rdtype, value.raw or value.text, origin=dns.name.root, relativize=False
    )


def _turning(changes: Sequence[Change]) -> frozenset[str]:
    """The names at which a CNAME and other records change places."""
    return frozenset(c.name for c in changes if c.type == "CNAME") & {c.name for c in changes if c.type != "CNAME"}


def _add(update: dns.update.UpdateMessage, group: Sequence[Change]) -> None:
    """The prerequisites and the deletions and additions of changes: what goes, then what comes."""
    going = {change.type for change in group if change.new is None}
    for change in sorted(group, key=lambda change: change.new is not None):
        name, rdtype = _owner(change.name), change.type
        old = [_rdata(rdtype, value) for value in change.old.values] if change.old else []
        new = [_rdata(rdtype, value) for value in change.new.values] if change.new else []
        if old:
            update.present(name, dns.rdataset.from_rdata_list(0, old))
        elif rdtype != "CNAME":
            update.absent(name, rdtype)
            if "CNAME" not in going:
                update.absent(name, "CNAME")
        elif going:
            for kind in sorted(COMPANY - going):
                update.absent(name, kind)
        else:
            update.absent(name)
        ttl = change.new.ttl if change.new else 0
        if change.old and change.new and change.old.ttl != ttl:
            # Every value goes and comes back with the new TTL, octet for octet, in the same transaction.
            update.replace(name, dns.rdataset.from_rdata_list(ttl, new))
            continue
        for rdata in (each for each in old if each not in new):
            update.delete(name, rdata)
        for rdata in (each for each in new if each not in old):
            update.add(name, ttl, rdata)
