"""What a real exim tells of itself: its domains, and the addresses that its mail leaves from."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from dnssync.exim.outbound import passing_addresses
from tests.exim_host import EximHost
from tests.exim_told import ips, mail, reasons, told

pytestmark = pytest.mark.exim


class TestDomains:
    """Which names exim has, whatever look-up stands behind its lists."""

    def test_lists_name_and_are_asked(self) -> None:
        """Plain items are found without being asked for; wildcards, files and exceptions answer for candidates."""
        with EximHost(hostnames=("example.org", "*.wild.test", "!no.files.test", "lsearch;/dev/null")) as host:
            extra = host.folder / "domains"
            extra.write_text("in.files.test:\nno.files.test:\n")
            host.head(
                (host.confdir / "conf.d/main/000_localmacros").read_text()
                + f"MAIN_LOCAL_DOMAINS = @ : localhost : example.org : *.wild.test : !no.files.test : lsearch;{extra}\n"
            )
            host_told = told(host, "a.wild.test", "in.files.test", "no.files.test", "other.test", "Example.NET.")

        local = {domain.name for domain in host_told.domains if domain.local}
        assert {"example.org", "mx.example.org", "a.wild.test", "in.files.test"} == local
        assert {"no.files.test", "other.test", "example.net"} == {d.name for d in host_told.domains} - local

    def test_a_list_that_matches_anything_is_no_evidence(self) -> None:
        """A list that ends in an exception matches every other name, so exim's word on it is not taken."""
        with EximHost(extra="MAIN_LOCAL_DOMAINS = !bad.test\n") as host:
            host_told = told(host, "other.test")

        assert not mail(host_told, "other.test").local
        assert [notice.reason for notice in host_told.notices] == ["list_matches_all"]

    def test_mailname_claims_nothing(self) -> None:
        """The qualify domain is asked about like any other name, and is ours only if a list holds it."""
        with EximHost(extra="MAIN_QUALIFY_DOMAIN = mailname.test\n") as host:
            host_told = told(host)

        assert not mail(host_told, "mailname.test").local

    def test_single_labels_never_count(self) -> None:
        """A machine called `vm` in local_domains is no mail domain, nor is localhost."""
        with EximHost(hostnames=("example.org", "vm", "localhost.localdomain")) as host:
            host_told = told(host, "vm")

        assert [domain.name for domain in host_told.domains] == ["example.org", "mx.example.org"]

    def test_which_recipients_it_takes(self) -> None:
        """exim is asked whether a report address leads anywhere; it need not be local to be a domain's own."""
        with EximHost(hostnames=("example.org",)) as host:
            host_told = told(host, recipients=["root@{domain}", "nobody-by-this-name@{domain}", "x@elsewhere.test"])

        assert frozenset({"root@example.org"}) == mail(host_told).accepts

    def test_processes_do_not_grow_with_domains(self) -> None:
        """A thousand candidates cost as many exim processes as one."""
        counts = []
        for number in (1, 1000):
            started: list[int] = []

            def run(*args: Any, started: list[int] = started, **options: Any) -> subprocess.CompletedProcess[str]:
                started.append(1)
                return subprocess.run(*args, **options)

            with EximHost() as host:
                host.map.write_text("".join(f"d{n}.test: s1\n" for n in range(number)))
                host_told = told(host, *(f"d{n}.test" for n in range(number)), run=run)
            assert number + 2 == len(host_told.domains)
            counts.append(len(started))

        assert counts[0] == counts[1]


class TestAddresses:
    """Where a domain's mail leaves from, by every way there is to know it."""

    def test_kernel(self) -> None:
        """Nothing is bound: the kernel's source address in each family."""
        with EximHost() as host:
            host_told = told(host, v6="2001:db8::25")

        assert ips(host_told) == ["192.0.2.1", "2001:db8::25"]

    def test_interface(self) -> None:
        """exim binds to the first address of each family in the list; where it binds, the kernel is not asked."""
        for written in ("<; 192.0.2.7 ; 2001:db8::7 ; 192.0.2.8", "192.0.2.7 : 2001::::0db8::::7"):
            with EximHost(extra=f"REMOTE_SMTP_INTERFACE = {written}\n") as host:
                host_told = told(host, v6="2001:db8::25")
            assert ips(host_told)[0] == "192.0.2.7" and "192.0.2.8" not in ips(host_told)
            assert "192.0.2.1" not in ips(host_told)

    def test_interface_of_one_family(self) -> None:
        """Where the list has no address of a family, the kernel chooses that one."""
        with EximHost(extra="REMOTE_SMTP_INTERFACE = 192.0.2.7\n") as host:
            host_told = told(host, v6="2001:db8::25")

        assert ips(host_told) == ["192.0.2.7", "2001:db8::25"]

    def test_interface_by_sender(self) -> None:
        """An interface that is looked up by the sender's domain differs from domain to domain."""
        look = "${lookup{$sender_address_domain}lsearch{/DIR/interfaces}{$value}fail}"
        with EximHost(hostnames=("example.org", "example.net", "example.com")) as host:
            (host.folder / "interfaces").write_text("example.org: 192.0.2.7\nexample.net: 192.0.2.8\n")
            host.head(
                (host.confdir / "conf.d/main/000_localmacros").read_text()
                + f"REMOTE_SMTP_INTERFACE = {look.replace('/DIR', str(host.folder))}\n"
            )
            host_told = told(host)

        assert [ips(host_told, name) for name in ("example.org", "example.net", "example.com")] == [
            ["192.0.2.7"],
            ["192.0.2.8"],
            ["192.0.2.1"],
        ]

    def test_interface_known_only_at_delivery(self) -> None:
        """An interface that depends on the destination is refused, with the way out; addresses that are told win."""
        with EximHost(extra="REMOTE_SMTP_INTERFACE = ${if eq{$host}{x}{192.0.2.7}{192.0.2.8}}\n") as host:
            host_told = told(host)
            explicit = told(host, addresses=["192.0.2.9", "2001:DB8::9"])

        assert reasons(host_told) == ["dynamic_interface"] and "$host" in mail(host_told).problems[0].sentence
        assert reasons(explicit) == [] and ips(explicit) == ["192.0.2.9", "2001:db8::9"]

    def test_behind_nat(self) -> None:
        """A private source: the authoritative servers' address of the host name, published by name; loopback does
        not count."""
        answers = {("mx.example.org", "A"): ("127.0.1.1", "203.0.113.5")}
        with EximHost() as host:
            host_told = told(host, v4="10.0.0.5", lookup=lambda name, kind: answers.get((name, kind), ()))

        (address,) = mail(host_told).addresses
        assert (address.ip, address.host) == ("203.0.113.5", "mx.example.org")

    @pytest.mark.parametrize(
        ("answer", "word"), [(None, "nobody answers"), ((), "no public A"), (("10.0.0.9",), "no public A")]
    )
    def test_behind_nat_unknown(self, answer: tuple[str, ...] | None, word: str) -> None:
        """Where DNS does not tell the public address, the domain is refused, and told what to do."""
        with EximHost() as host:
            host_told = told(host, v4="100.64.1.2", lookup=lambda name, kind: answer)

        assert reasons(host_told) == ["nat_address_unknown"] and ips(host_told) == []
        assert word in mail(host_told).problems[0].sentence and "`addresses:`" in mail(host_told).problems[0].sentence

    def test_temporary_ipv6(self) -> None:
        """A privacy address is another one tomorrow: refused, with its remedies."""
        with EximHost() as host:
            host_told = told(host, v6="2001:db8::dead", passing=frozenset({"2001:db8::dead"}))

        assert reasons(host_told) == ["temporary_ipv6"]
        assert all(word in mail(host_told).problems[0].sentence for word in ("INTERFACE", "use_tempaddr", "/64"))

    def test_no_ipv6_in_exim(self) -> None:
        """What exim never uses is not published."""
        for extra in ("disable_ipv6 = true\n", "dns_ipv4_lookup = *\n"):
            with EximHost(extra=extra) as host:
                assert ips(told(host, v6="2001:db8::25")) == ["192.0.2.1"]

    def test_none(self) -> None:
        """A host without a route is refused rather than given an empty record."""
        with EximHost() as host:
            assert reasons(told(host, v4=None)) == ["no_address"]

    def test_temporary_flags(self) -> None:
        """The kernel marks temporary (0x01) and deprecated (0x20) addresses in /proc/net/if_inet6."""
        table = (
            "20010db8000000000000000000000001 02 40 00 80 eth0\n"
            "20010db8000000000000000000000002 02 40 00 01 eth0\n"
            "20010db8000000000000000000000003 02 40 00 a0 eth0\n"
        )

        assert frozenset({"2001:db8::2", "2001:db8::3"}) == passing_addresses(lambda: table)
