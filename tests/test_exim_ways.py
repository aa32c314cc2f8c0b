"""What a real exim tells of its routers and rules: the ways out for mail, and for how long it tries."""

from __future__ import annotations

import pytest

from dnssync.exim import routing
from dnssync.exim.leaving import retry_cutoff
from tests.exim_host import EximHost
from tests.exim_told import ips, mail, told

pytestmark = pytest.mark.exim


class TestWaysOut:
    """Which transports and relays a domain's mail leaves through."""

    def test_internet(self) -> None:
        """Mail goes straight to its destination through remote_smtp."""
        with EximHost() as host:
            found = mail(told(host))

        assert tuple(transport.name for transport in found.transports) == ("remote_smtp",)
        assert found.smarthosts == () and found.transports[0].takes_macros and not found.transports[0].uses_map

    def test_smarthost(self) -> None:
        """All mail goes to the relays: their names, and no address of this host."""
        with EximHost(configtype="smarthost", smarthost="smtp.isp.test::587;[192.0.2.99]::25;mail.other.test") as host:
            found = mail(told(host))

        assert found.smarthosts == ("smtp.isp.test", "192.0.2.99", "mail.other.test")
        assert tuple(transport.name for transport in found.transports) == ("remote_smtp_smarthost",)
        assert found.addresses == () and not found.transports[0].can_sign

    def test_smarthost_and_hubbed_hosts(self) -> None:
        """Some destinations are reached directly, all others through the relay: both are told."""
        with EximHost(configtype="smarthost", smarthost="smtp.isp.test") as host:
            (host.confdir / "hubbed_hosts").write_text("partner.test: 192.0.2.77\n")
            found = mail(told(host))

        assert found.smarthosts == ("smtp.isp.test",) and [a.ip for a in found.addresses] == ["192.0.2.1"]
        assert {"remote_smtp", "remote_smtp_smarthost"} == {transport.name for transport in found.transports}

    def test_a_content_filter_is_no_way_out(self) -> None:
        """What a filter on this machine gets comes back, and leaves through the routers behind it; so with LMTP to a mailbox. A
        tunnel to a smarthost, which has no condition, is the way out."""
        filters = (
            "amavis:\n  driver = manualroute\n  condition = ${if eq{$interface_port}{10025}{no}{yes}}\n"
            "  transport = amavis\n  route_list = * localhost byname\n  self = send\n"
            "boxes:\n  driver = accept\n  domains = boxes.test\n  transport = boxes\n"
        )
        transports = (
            "amavis:\n  driver = smtp\n  port = 10024\n  allow_localhost\n"
            "boxes:\n  driver = smtp\n  protocol = lmtp\n  hosts = 192.0.2.9\n  hosts_override\n"
        )
        with EximHost() as host:
            (host.confdir / "conf.d/router/110_filter").write_text(filters)
            (host.confdir / "conf.d/transport/10_filter").write_text(transports)
            found = mail(told(host))
        assert found.smarthosts == () and [a.ip for a in found.addresses] == ["192.0.2.1"]
        assert tuple(transport.name for transport in found.transports) == ("remote_smtp",)
        with EximHost(configtype="smarthost", smarthost="127.0.0.1::2525") as host:
            assert mail(told(host)).smarthosts == ("127.0.0.1",)

    def test_local_sends_nothing(self) -> None:
        """A host for local mail alone has no way out."""
        with EximHost(configtype="local") as host:
            found = mail(told(host))

        assert (found.transports, found.smarthosts, found.addresses) == ((), (), ())

    def test_a_relay_for_one_sender(self) -> None:
        """A router that asks for the sender takes that domain's mail; the others go on as before."""
        router = (
            "isp:\n  driver = manualroute\n  domains = ! +local_domains\n  senders = *@example.net\n"
            "  transport = remote_smtp_smarthost\n  route_list = * smtp.isp.test\n"
        )
        with EximHost(hostnames=("example.org", "example.net")) as host:
            (host.confdir / "conf.d/router/180_isp").write_text(router)
            (host.confdir / "hubbed_hosts").unlink()
            host_told = told(host)

        assert mail(host_told, "example.net").smarthosts == ("smtp.isp.test",)
        assert ips(host_told, "example.net") == [] and ips(host_told) == ["192.0.2.1"]

    def test_a_domain_list_with_braces(self) -> None:
        """A regular expression in a router's list goes to exim whole: this one takes certain domains alone."""
        router = (
            "isp:\n  driver = manualroute\n  domains = ! +local_domains : ^[a-z]{3}[.]partner[.]test\\$\n"
            "  transport = remote_smtp_smarthost\n  route_list = * smtp.isp.test\n"
        )
        with EximHost() as host:
            (host.confdir / "conf.d/router/180_isp").write_text(router)
            (host.confdir / "hubbed_hosts").unlink()
            found = mail(told(host))

        assert found.smarthosts == () and [address.ip for address in found.addresses] == ["192.0.2.1"]

    def test_a_condition_that_cannot_be_judged(self) -> None:
        """A router whose condition depends on the message may be passed by: what stands behind it counts too."""
        router = (
            "isp:\n  driver = manualroute\n  domains = ! +local_domains\n  condition = ${if eq{$h_x-isp:}{yes}}\n"
            "  transport = remote_smtp_smarthost\n  route_list = * smtp.isp.test\n"
        )
        with EximHost() as host:
            (host.confdir / "conf.d/router/180_isp").write_text(router)
            host_told = told(host)

        assert mail(host_told).smarthosts == ("smtp.isp.test",) and ips(host_told) == ["192.0.2.1"]

    @pytest.mark.parametrize(
        ("written", "hosts"),
        [
            ("smtp.isp.test", ("smtp.isp.test",)),
            ("Smtp.Isp.Test.::587", ("smtp.isp.test",)),
            ("a.test/MX:b.test randomize byname", ("a.test", "b.test")),
            ("<; [2001:db8::1]:587 ; 192.0.2.1", ("2001:db8::1", "192.0.2.1")),
            ("a.test:+:b.test", ("a.test", "b.test")),
            ("", ()),
        ],
    )
    def test_host_lists(self, written: str, hosts: tuple[str, ...]) -> None:
        """Ports, brackets, MX marks, groups and options are not part of a relay's name."""
        assert hosts == routing.host_names(written)

    def test_greeting(self) -> None:
        """exim's HELO name; where that depends on the connection, its host name and a notice."""
        with EximHost(extra="REMOTE_SMTP_HELO_DATA = Out.Example.ORG\n") as host:
            assert told(host).helo == ("out.example.org",)
        with EximHost(extra="REMOTE_SMTP_HELO_DATA = ${lookup dnsdb{ptr=$sending_ip_address}}\n") as host:
            host_told = told(host)
        assert host_told.helo == ("mx.example.org",)
        assert [notice.reason for notice in host_told.notices] == ["helo_dynamic"]


class TestTimes:
    """How long exim tries, and how long a signature is valid."""

    def test_retry(self) -> None:
        """Debian's own rule, as exim tells it: four days."""
        with EximHost() as host:
            assert mail(told(host)).retry_cutoff == 4 * 86400

    @pytest.mark.parametrize(
        ("rules", "cutoff"),
        [
            ("* * F,2h,15m; G,16h,1h,1.5; F,4d,6h", 4 * 86400),
            ("slow.test * F,2h,15m; F,2w1d,12h\n* quota F,1h,1m", 15 * 86400),
            ("* * F,600,60", 600),
            ("", 4 * 86400),
        ],
    )
    def test_longest_rule(self, rules: str, cutoff: int) -> None:
        """The longest cut-off over all rules counts; a configuration without rules is taken for Debian's."""
        assert cutoff == retry_cutoff(f"begin routers\n\nbegin retry\n{rules}\n\nbegin rewrite\n* F,9w,1h,1\n")
