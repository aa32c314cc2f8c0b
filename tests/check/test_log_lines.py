"""Reading exim's mainlog: lines of 4.96 and 4.98 as exim writes them, and what strangers may have put into them."""

from __future__ import annotations

import pytest

from dnssync.check.log_lines import FEW, OPEN, ROWS, Counting, Sent, domain_of

SINCE = "2026-11-22 00:00:00"
AT = "2026-11-29 10:00:00"
ID, NEW = "1xXkkQ-0002Cr-1i", "1xXkkQ-000000002Cr-1abc"
LOCAL = f"{AT} {ID} <= a@example.org U=root P=local S=295\n"
OUT = "R=dnslookup T=remote_smtp H=mx.elsewhere.test [198.51.100.9]"


def counted(*lines: str, since: str = SINCE, **options: object) -> tuple[Sent, ...]:
    """The rows of these lines."""
    counting = Counting(since, **options)  # type: ignore[arg-type]
    counting.read(lines)
    return counting.result()


def one(*lines: str, **options: object) -> Sent:
    """The only row of these lines."""
    [row] = counted(*lines, **options)
    return row


def test_a_message_of_our_own() -> None:
    """Two recipients in one transaction are one message."""
    row = one(
        LOCAL,
        f'{AT} {ID} => x@b.test {OUT} C="250 ok"\n',
        f'{AT} {ID} -> y@b.test {OUT} C="250 ok"\n',
        f"{AT} {ID} Completed\n",
    )
    assert row == Sent("example.org", True, "remote_smtp", False, 1, 2)


def test_two_destinations_are_one_message() -> None:
    """One message to two hosts counts once, by each transport that it took."""
    rows = counted(
        LOCAL,
        f"{AT} {ID} => x@b.test {OUT}\n",
        f"{AT} {ID} => y@c.test {OUT}\n",
        f"{AT} {ID} => z@d.test {OUT.replace('remote_smtp', 'other')}\n",
    )
    assert [(row.transport, row.messages, row.recipients) for row in rows] == [("other", 1, 1), ("remote_smtp", 1, 2)]


@pytest.mark.parametrize(
    "stamp", [AT, f"{AT}.123", f"{AT} +0100", f"{AT} [4711]", f"{AT}.123 +0100 [4711]"], ids=["plain", "millisec", "zone", "pid", "all"]
)  # fmt: skip
@pytest.mark.parametrize("name", [ID, NEW], ids=["4.96", "4.98"])
def test_what_stands_before_a_line(stamp: str, name: str) -> None:
    """With +millisec, log_timezone and +pid, and with the longer message ids since 4.97."""
    row = one(f"{stamp} {name} <= a@Example.ORG U=root P=local S=2\n", f"{stamp} {name} => x@b.test {OUT}\n")
    assert (row.domain, row.messages) == ("example.org", 1)


@pytest.mark.parametrize(
    ("items", "own"),
    [
        ("U=root P=local S=1", True),
        ("H=(pc) [203.0.113.5]:4711 P=esmtpsa X=TLS1.3:x:256 CV=no A=plain_server:u S=1", True),
        ("H=localhost (x) [127.0.0.1]:4 P=esmtp S=1", True),
        ("H=(x) [::1] P=esmtp S=1", True),
        ("H=inner.example.org [10.0.0.5] P=esmtp S=1", True),
        ("H=mx.elsewhere.test [203.0.113.5] P=esmtps S=1", False),
        ("H=([127.0.0.1]) [203.0.113.5]:5 P=smtp S=1", False),
        ("H=(127.0.0.1) [203.0.113.5]:5 P=smtp S=1", False),
        ("H=mx.elsewhere.test [203.0.113.5] P=esmtps S=1 id=x A=plain:forged@x", False),
        ('H=mx.elsewhere.test [203.0.113.5] P=esmtps S=1 id=x@y T="a A=plain:forged" from <a@example.org> for x@b.test', False),
        ('H=mx.elsewhere.test [203.0.113.5] P=esmtps DN="/CN=x A=plain:forged" S=1', False),
    ],
)  # fmt: skip
def test_whose_mail_it_is(items: str, own: bool) -> None:
    """A local program's, an authenticated user's, a relay host's: ours. What strangers write into their lines makes nothing ours."""
    row = one(
        f"{AT} {ID} <= a@example.org {items}\n",
        f"{AT} {ID} => x@b.test {OUT}\n",
        relays=["10.0.0.0/8", "+hosts", "*.x"],
    )
    assert row.own is own


@pytest.mark.parametrize(
    "line",
    [
        "=> root <root@example.org> R=local_user T=mail_spool",
        "=> |/usr/bin/vacation H=x [198.51.100.9] T=forged <x@example.org> R=userforward T=address_pipe",
        "=> :blackhole: <x@example.org> R=system_aliases",
        "== x@b.test R=dnslookup T=remote_smtp H=mx.b.test [198.51.100.9] defer (-53): retry time not reached",
        "** x@b.test R=dnslookup T=remote_smtp H=mx.b.test [198.51.100.9]: SMTP error => x@y T=remote_smtp H=z [198.51.100.9]",
        "*> x@b.test R=dnslookup T=remote_smtp H=mx.b.test [198.51.100.9]",
        "=> x@example.org R=to_mailbox T=dovecot_lmtp H=127.0.0.1 [127.0.0.1]",
    ],
)
def test_what_did_not_leave(line: str) -> None:
    """A mailbox, a pipe, nothing, a deferral, a failure, a mere try, LMTP."""
    assert counted(LOCAL, f"{AT} {ID} {line}\n", inner=["dovecot_lmtp"]) == ()


def test_a_filter_on_this_machine_is_told_apart() -> None:
    """What goes to loopback may come back: the row says so."""
    rows = counted(
        LOCAL, f"{AT} {ID} => x@b.test R=amavis T=filter H=localhost [127.0.0.1]\n", f"{AT} {ID} => x@b.test {OUT}\n"
    )
    assert [(row.transport, row.here) for row in rows] == [("filter", True), ("remote_smtp", False)]


def test_the_address_that_it_left_from() -> None:
    """I= of the delivery, with and without ports, IPv6 too; not that of the reception."""
    incoming = f"{AT} {ID} <= a@example.org H=(x) [10.0.0.5]:9 I=[192.0.2.250]:25 P=esmtp S=1\n"
    for item, address in (
        ("[192.0.2.1]", "192.0.2.1"),
        ("[192.0.2.1]:4711", "192.0.2.1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
    ):
        row = one(
            incoming,
            f"{AT} {ID} => x@b.test R=r T=remote_smtp H=mx.b.test [198.51.100.9]:25* I={item} X=TLS1.3:x:256 CV=yes\n",
        )
        assert row.addresses == {address: 1}
    assert one(incoming, f"{AT} {ID} => x@b.test {OUT}\n").addresses == {}


def test_which_sender_counts() -> None:
    """The return path that was sent goes before the sender as received, and that before the `<=` line; a bounce has none."""
    for items, domain in (
        ("", "example.org"),
        ("F=<a@example.net> ", "example.net"),
        ("F=<a@example.net> P=<SRS0=x@srs.test> ", "srs.test"),
    ):
        assert one(LOCAL, f"{AT} {ID} => x@b.test {items}{OUT}\n").domain == domain
    assert (
        one(f"{AT} {ID} <= <> R=1xXkkQ-0002Cr-1h U=Debian-exim P=local S=9\n", f"{AT} {ID} => x@b.test {OUT}\n").domain
        == ""
    )
    assert one(LOCAL, f"{AT} {ID} => x@b.test F=<> {OUT}\n").domain == ""


def test_a_message_that_came_before_the_log_begins() -> None:
    """Its sender is not told, unless the delivery tells it."""
    assert one(f"{AT} {ID} => x@b.test {OUT}\n", f"{AT} {ID} Completed\n").domain == "?"
    assert one(f"{AT} {ID} => x@b.test F=<a@example.org> {OUT}\n").domain == "example.org"


def test_a_delivery_before_its_reception() -> None:
    """With cut-through delivery the line of the delivery comes first."""
    row = one(f"{AT} {ID} >> x@b.test {OUT}\n", f"{AT} {ID} <= a@example.org H=(x) [10.0.0.5] P=esmtp A=plain:u S=1\n")
    assert (row.domain, row.own, row.messages) == ("example.org", True, 1)


def test_only_the_last_days_count() -> None:
    """A delivery before the beginning is none; a message that came in before and left after is one."""
    old = "2026-11-21 23:59:59"
    assert counted(LOCAL.replace(AT, old), f"{old} {ID} => x@b.test {OUT}\n") == ()
    assert (
        one(LOCAL.replace(AT, old), f"{old} {ID} => y@b.test {OUT}\n", f"{SINCE} {ID} => x@b.test {OUT}\n").recipients
        == 1
    )


def test_what_exim_chose_to_sign_with() -> None:
    """DKIM= of 4.98's deliveries, a pair a signature; DKIM= of a reception is somebody else's; without it, once there were some, none was chosen."""
    first = f'{AT} {ID} => x@b.test {OUT} DKIM=example.org:r1:example.org:e1 C="250 ok DKIM=forged:x"\n'
    row = one(LOCAL, first, verbose=True)
    assert dict(row.selected) == {"example.org:r1": 1, "example.org:e1": 1} and row.bare == 0
    received = f"{AT} {ID} <= a@example.org H=(x) [10.0.0.5] P=esmtp DKIM=foreign.test S=1\n"
    assert one(received, f"{AT} {ID} => x@b.test {OUT}\n", verbose=True).selected == {}
    other = LOCAL.replace(ID, "1xXkkQ-0002Cr-1k"), f'{AT} 1xXkkQ-0002Cr-1k => x@b.test {OUT} C="250 ok"\n'
    assert (
        one(LOCAL, first, *other, verbose=True).bare,
        one(LOCAL, first, *other).bare,
        one(*other, LOCAL, first, verbose=True).bare,
    ) == (1, 0, 0)


@pytest.mark.parametrize(
    ("recipient", "transport"),
    [
        ('"a T=forged H=x [198.51.100.1]"@b.test', "remote_smtp"),
        ('x@b.test <"y T=forged"@example.org>', "remote_smtp"),
        ("x@b.test (y@c.test) <z@example.org>", "remote_smtp"),
    ],
)
def test_addresses_with_anything_in_them(recipient: str, transport: str) -> None:
    """What stands in an address is no item of the line."""
    assert one(LOCAL, f"{AT} {ID} => {recipient} {OUT}\n").transport == transport


@pytest.mark.parametrize(
    "line",
    [
        "", "\n", "\0\0\0", "garbage", f"{AT} {ID}", f"{AT} {ID} <= \n", f"{AT} {ID} =>", f"{AT} {ID} => \n", f'{AT} {ID} => "unterminated\n', f"{AT} {ID} <= <\n",
        f"{AT} {ID} <= a@example.org H= S=\n", "x" * 70000, f"{AT} {ID} => x@b.test T= H=[]\n", "\udcff => \udcfe", f"{AT} Start queue run: pid=1 => \n",
        f"{AT} {ID} => x@b.test T=t H=x [999.1.1.1]\n", f"{AT} {ID} <= a@b H=x [zz] P=smtp S=1\n",
    ],
)  # fmt: skip
def test_odd_lines_end_nothing(line: str) -> None:
    """A broken line counts for nothing or little, and those after it are read as ever."""
    rows = counted(line, LOCAL.replace(ID, NEW), f"{AT} {NEW} => x@b.test {OUT}\n")
    assert ("example.org", 1) in [(row.domain, row.messages) for row in rows]


@pytest.mark.parametrize(
    ("sender", "domain"),
    [
        ("a@Example.ORG.", "example.org"),
        ("<>", ""),
        ('"a@b"@example.org', "example.org"),
        ("root", ""),
        ("<a@b.test>", "b.test"),
        ("a@MÜNCHEN.test", "xn--mnchen-3ya.test"),
        ("a@ü..test", "ü..test"),
    ],
)
def test_the_domain_of_a_sender(sender: str, domain: str) -> None:
    """The part after the last @, as DNS compares names."""
    assert domain_of(sender) == domain


def test_memory_is_bounded() -> None:
    """A host that forwards everybody's mail, a queue that never ends, a host with very many addresses: what is one too many goes into a sum."""

    def names(number: int) -> str:
        return f"{number:06}-0002Cr-1i"

    counting = Counting(SINCE)
    counting.read(f"{AT} {names(n)} <= a@d{n % (ROWS + 10)}.test U=r P=local S=1\n" for n in range(OPEN + 5))
    assert len(counting._open) == OPEN
    counting = Counting(SINCE)
    for n in range(ROWS + 5):
        counting.read([f"{AT} {names(n)} => x@b.test F=<a@d{n}.test> {OUT}\n", f"{AT} {names(n)} Completed\n"])
    rows = {row.domain: row for row in counting.result()}
    assert len(rows) == ROWS + 1 and rows["*"].messages == 5 and not counting._open
    row = one(
        *(
            line
            for n in range(FEW + 5)
            for line in (f"{AT} {names(n)} => x@b.test F=<a@b.test> {OUT} I=[192.0.2.{n}]\n",)
        )
    )
    assert len(row.addresses) == FEW and row.messages == FEW + 5
