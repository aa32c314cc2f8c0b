"""Which servers a zone has: the configured ones, and those of the delegation with root, parent and child played here."""

from __future__ import annotations

import re
import socket

import pytest

from dnssync.core.sighting import Question, Rcode, Sight
from dnssync.known import REMEMBER
from dnssync.resolver import Resolver
from dnssync.unlike import Expected
from dnssync.wire import split
from tests.looking import KEY, ZONE, look, record, see, serving
from tests.nameserver import Fault

serve = pytest.fixture(serving)
CHILD = "child.parent.test"
ASK = Question(f"s1._domainkey.{CHILD}", "TXT", CHILD)


def test_a_host_name_stands_for_all_its_addresses(serve):
    """A host name among the servers is asked at every address that it has."""
    server = serve({ZONE: record(KEY)})
    which = Resolver({ZONE: [f"localhost:{server.port}"]}, system=[])
    addresses = {info[4][0] for info in socket.getaddrinfo("localhost", server.port, type=socket.SOCK_DGRAM)}
    assert {split(reply.server, 0)[0] for reply in look(which).replies} == addresses


def test_one_server_without_address(serve):
    """A configured server whose name has no address makes the sight UNKNOWN and is named; alone, it is a problem."""
    server = serve({ZONE: record(KEY)})
    answer = look(Resolver({ZONE: [server.where, "no such host:53"]}, system=[]))
    assert see(answer) is Sight.UNKNOWN
    assert [(reply.server, reply.rcode) for reply in answer.replies if not reply.answered] == [
        ("no such host:53", Rcode.ERROR)
    ]
    assert re.fullmatch(r"no address \([A-Z][a-z ]+\)", next(r.note for r in answer.replies if not r.answered))
    assert look(Resolver({ZONE: ["127.0.0.1:x"]}, system=[])).problem.startswith(
        f"{ZONE}: none of its servers can be asked"
    )


def test_no_route_is_told_and_not_asked(serve):
    """Addresses that this host has no route to are not asked and named, so that the others can be enough."""
    server = serve({ZONE: record(KEY)})
    asked = {ZONE: [server.where, "2001:db8::53"]}
    which = Resolver(asked, system=[], routed=lambda address: ":" not in address)
    answer = look(which)
    assert see(answer) is Sight.VISIBLE
    assert answer.not_asked == ("2001:db8::53",)
    nowhere = look(Resolver(asked, system=[], routed=lambda address: False))
    assert not nowhere.known
    assert "no route" in nowhere.problem


class World:
    """A resolver, a parent and its child, each on a loopback address of its own and all on one port.

    The parent delegates the child to ns1 (127.0.0.4, glue) and ns2 (127.0.0.5, a name elsewhere); the child itself
    names ns3 (127.0.0.6) too, and knows a second address of ns1 (::1).
    """

    def __init__(self, serve) -> None:
        own = "@ NS ns1\n@ NS ns2.net.test.\n@ NS ns3\nns1 A 127.0.0.4\nns1 AAAA ::1\nns3 A 127.0.0.6\n"
        self.system = serve(
            {
                "parent.test": "@ NS ns.parent.test.\nns A 127.0.0.3",
                "net.test": "ns2 A 127.0.0.5",
            },
            address="127.0.0.2",
        )
        port = self.system.port
        above = "@ NS ns\nns A 127.0.0.3\nchild NS ns1.child\nchild NS ns2.net.test.\nns1.child A 127.0.0.4"
        self.parent = serve({"parent.test": above}, address="127.0.0.3", port=port)
        self.children = [
            serve({CHILD: own + record(KEY)}, address=address, port=port)
            for address in ("127.0.0.4", "127.0.0.5", "127.0.0.6", "::1")
        ]
        self.clock = [0.0]

    def resolver(self, zones=None, **options) -> Resolver:
        """A resolver that knows nobody but the system's resolver."""
        options = {"timeout": 2.0, "system": [self.system.where], "now": lambda: self.clock[0], **options}
        return Resolver(zones or {}, port=self.system.port, **options)


@pytest.fixture
def world(serve):
    """The three of them, running."""
    return World(serve)


def test_the_delegation(world):
    """Parent's and child's NS sets are united, every address is asked, and no name of the zone reaches the resolver."""
    answer = look(world.resolver(), ASK)
    assert see(answer) is Sight.VISIBLE
    assert {reply.server for reply in answer.replies} == {child.where for child in world.children}
    assert {query.name for query in world.system.log if query.name.endswith(CHILD)} == set()
    assert {query.recursive for query in world.parent.log} == {False}


@pytest.mark.parametrize("lagging", range(4))
def test_every_address_counts(world, lagging):
    """One address that lags behind, wherever its name was found, makes the sight PARTIAL."""
    world.children[lagging].faults[ASK.name] = Fault.NXDOMAIN
    assert see(look(world.resolver(), ASK)) is Sight.PARTIAL


def test_many_zones_and_looks(world):
    """The parent is asked once, whatever the number of looks and questions, and again when the memory is over."""
    which = world.resolver()
    questions = [Question(f"s{i}._domainkey.{CHILD}", "TXT", CHILD) for i in range(20)]
    which.look(questions)
    which.look(questions)
    assert len(world.parent.asked(CHILD)) == 1
    assert all(len(child.asked(questions[3].name)) == 2 for child in world.children)
    assert REMEMBER < 70 * 60  # the shortest season (1 h + 10 min), so no key is READY by a former delegation's servers
    world.clock[0] = REMEMBER
    which.look(questions)
    assert len(world.parent.asked(CHILD)) == 2


def test_a_configured_parent(world):
    """Where the zone above is configured too, its own servers tell the delegation and the resolver hears nothing of it."""
    which = world.resolver({"parent.test": [world.parent.where], CHILD: []})
    assert see(look(which, ASK)) is Sight.VISIBLE
    assert [query.name for query in world.system.log if query.name.endswith("parent.test")] == []


def test_referrals_from_further_up(world, serve):
    """Where the resolver knows only the zone at the top, referrals lead down to the zone."""
    root = "@ NS ns.net.test.\nparent.test NS ns.parent.test.\nns.parent.test A 127.0.0.3"
    serve({"": root}, address="127.0.0.7", port=world.system.port)
    known = serve({"": "@ NS ns.net.test.", "net.test": "ns2 A 127.0.0.5\nns A 127.0.0.7"})
    assert see(look(world.resolver(system=[known.where]), ASK)) is Sight.VISIBLE
    assert [query.name for query in known.log if query.name.endswith(CHILD)] == []


def test_no_delegation(world):
    """A zone that the zone above does not delegate is a problem with its remedy, not an absence."""
    answer = look(world.resolver(), Question("x.other.parent.test", "TXT", "other.parent.test"))
    assert not answer.known
    assert answer.problem == (
        "other.parent.test: the zone above it has no delegation for it. Register it, or, where only your network knows "
        "it, name its servers under `nameservers`."
    )


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED])
def test_the_parent_fails(world, serve, fault):
    """A parent that gives no answer is a problem that names the server; another server of the parent helps out."""
    world.parent.faults[CHILD] = fault
    answer = look(world.resolver(), ASK)
    assert not answer.known
    assert answer.problem.startswith(f"{CHILD}: 127.0.0.3:{world.system.port}, a server of the zone above it, says")
    above = world.parent.zones[0].path.read_text()
    world.system.write("parent.test", "@ NS ns\n@ NS nt\nns A 127.0.0.3\nnt A 127.0.0.8")
    second = serve({"parent.test": ""}, address="127.0.0.8", port=world.system.port)
    second.zones[0].path.write_text(above)
    assert see(look(world.resolver(), ASK)) is Sight.VISIBLE


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED])
def test_the_resolver_fails(world, fault):
    """Without the system's resolver the servers cannot be found: a problem with its remedy, never an absence."""
    world.system.faults["parent.test"] = fault
    answer = look(world.resolver(), ASK)
    assert not answer.known
    assert f"resolver says {fault}" in answer.problem
    assert "/etc/resolv.conf" in answer.problem


def test_a_server_whose_address_nobody_tells(world):
    """A server of the delegation whose address cannot be found out makes the sight UNKNOWN, and is named."""
    world.system.faults["ns2.net.test"] = Fault.SERVFAIL
    answer = look(world.resolver(), ASK)
    assert see(answer) is Sight.UNKNOWN
    assert [(reply.server, reply.note) for reply in answer.replies if not reply.answered] == [
        ("ns2.net.test", "its address: servfail")
    ]
    assert answer.not_asked == ()


def test_a_server_in_another_configured_zone(world, serve):
    """A server's name in another configured zone is asked of that zone's servers, not of the resolver."""
    other = serve({"net.test": "ns2 A 127.0.0.5"})
    answer = look(world.resolver({CHILD: [], "net.test": [other.where]}), ASK)
    assert see(answer) is Sight.VISIBLE
    assert len(answer.replies) == len(world.children)
    assert world.system.asked("ns2.net.test") == []


def test_glue_of_old(world, serve):
    """An address that only the parent's glue has counts too: some of the world still goes there."""
    path = world.parent.zones[0].path
    path.write_text(path.read_text() + "ns1.child A 127.0.0.9\n")
    serve({CHILD: record("v=DKIM1; p=")}, address="127.0.0.9", port=world.system.port)
    assert see(look(world.resolver(), ASK)) is Sight.PARTIAL


def test_a_name_server_without_authority_names_no_others(world):
    """The NS set that a server tells without authority adds no servers."""
    world.children[1].write(CHILD, "@ NS ns9.net.test.\n" + record(KEY))
    world.children[1].faults[CHILD] = Fault.LAME
    answer = look(world.resolver(), ASK)
    assert see(answer) is Sight.VISIBLE
    assert answer.not_asked == ()


@pytest.mark.parametrize("lagging", [0, 1])
def test_an_address_that_only_one_server_tells(world, lagging):
    """The addresses of the zone's own servers are asked of all of them, since one may not know the newest."""
    world.children[lagging].write(CHILD, "@ NS ns1\n@ NS ns2.net.test.\n@ NS ns3\n" + record(KEY))
    answer = look(world.resolver(), ASK)
    assert {reply.server for reply in answer.replies} == {child.where for child in world.children}


def test_a_failed_search_is_soon_repeated(world):
    """That the servers could not be found is remembered for a minute only."""
    which = world.resolver()
    world.system.faults["parent.test"] = Fault.SERVFAIL
    assert not look(which, ASK).known
    world.system.faults.clear()
    assert not look(which, ASK).known
    world.clock[0] = 60.0
    assert see(look(which, ASK)) is Sight.VISIBLE


def test_a_server_without_address(world):
    """A server that has no address at all cannot be asked by anybody: told, and no obstacle."""
    world.system.write("net.test", "")
    answer = look(world.resolver(), ASK)
    assert see(answer) is Sight.VISIBLE
    assert answer.not_asked == ("ns2.net.test (no address)",)


def test_a_lame_child(world):
    """A server of the delegation that does not serve the zone makes the sight UNKNOWN."""
    world.children[1].zones.clear()
    answer = look(world.resolver(), ASK)
    assert see(answer) is Sight.UNKNOWN
    assert {reply.rcode for reply in answer.replies} == {Rcode.DATA, Rcode.REFUSED}


def test_servers_in_each_other(serve):
    """Two zones whose servers lie in each other, without an address anywhere, are a problem and no endless search."""
    system = serve({"up.test": "@ NS ns.net.test.", "net.test": "ns A 127.0.0.2"})
    serve({"up.test": "a NS ns.b.up.test.\nb NS ns.a.up.test."}, address="127.0.0.2", port=system.port)
    which = Resolver({"a.up.test": [], "b.up.test": []}, port=system.port, timeout=2.0, system=[system.where])
    answers = which.look([Question("a.up.test", "TXT", "a.up.test"), Question("b.up.test", "TXT", "b.up.test")])
    assert [answer.known for answer in answers.values()] == [False, False]
    assert all("none of its servers can be asked" in answer.problem for answer in answers.values())


def test_a_name_given_as_foreign(world):
    """A name of a configured zone that is asked as a foreign one still goes to the zone's own servers."""
    assert world.resolver({CHILD: []}).texts(ASK.name, "TXT") == (KEY,)
    answers = world.resolver().look([Question(CHILD, "A"), ASK])
    assert all(answer.known for answer in answers.values())
    assert {query.name for query in world.system.log if query.name.endswith(CHILD)} == set()


def shared(serve, count: int, above: str = "parent.test", holder: str = "net.test"):
    """A system's resolver, and so many zones at the same two name servers: (resolver's server, the servers, the zones)."""
    hosts = "ns1 A 127.0.0.4\nns2 A 127.0.0.5"
    system = serve({above: "@ NS ns.top.test.", "top.test": "ns A 127.0.0.3", holder: hosts}, address="127.0.0.2")
    zones = [f"z{i}.{above}" for i in range(count)]
    cuts = "".join(f"{zone}. NS ns{n}.{holder}.\n" for zone in zones for n in (1, 2))
    serve({above: "@ NS ns.top.test.\n" + cuts}, address="127.0.0.3", port=system.port)
    own = f"@ NS ns1.{holder}.\n@ NS ns2.{holder}.\n" + record(KEY)
    servers = [
        serve({**dict.fromkeys(zones, own), holder: f"@ NS ns1.{holder}.\n{hosts}"}, address=address, port=system.port)
        for address in ("127.0.0.4", "127.0.0.5")
    ]
    return system, servers, zones


def test_shared_servers_are_looked_up_once(serve):
    """Zones at the same servers, looked for at once, have the addresses of these looked up once, and what is above them, too."""
    system, servers, zones = shared(serve, 100)
    which = Resolver(dict.fromkeys(zones, ()), port=system.port, timeout=30.0, system=[system.where])
    answers = which.look([Question(f"s1._domainkey.{zone}", "TXT", zone) for zone in zones])
    assert {see(answer) for answer in answers.values()} == {Sight.VISIBLE}
    asked = sorted((query.name, query.type) for query in system.log)
    names = [("ns.top.test", "A"), ("ns.top.test", "AAAA"), ("ns1.net.test", "A"), ("ns1.net.test", "AAAA"),
             ("ns2.net.test", "A"), ("ns2.net.test", "AAAA"), ("parent.test", "NS")]  # fmt: skip
    assert asked == names
    assert [len(server.log) for server in servers] == [200, 200]  # each zone's NS set, and the question
    for zone in zones[:3]:
        which.delegation(zone)
    assert len(system.log) == len(names)


def test_shared_servers_in_a_configured_zone(serve):
    """The same where the servers' names lie in a configured zone: its own servers are asked, once."""
    system, servers, zones = shared(serve, 100)
    configured = {**dict.fromkeys(zones, ()), "net.test": [servers[0].where]}
    which = Resolver(configured, port=system.port, timeout=30.0, system=[system.where])
    answers = which.look([Question(f"s1._domainkey.{zone}", "TXT", zone) for zone in zones])
    assert {see(answer) for answer in answers.values()} == {Sight.VISIBLE}
    assert {query.name for query in system.log} == {"parent.test", "ns.top.test"}
    hosts = sorted((query.name, query.type) for query in servers[0].log if query.name.startswith("ns"))
    assert hosts == [(f"ns{n}.net.test", kind) for n in (1, 2) for kind in ("A", "AAAA")]


def test_a_name_between_that_is_no_zone(world):
    """That a name between a zone and the zone above it is no zone is asked once, and again after a while."""
    which = world.resolver()
    for i in range(3):
        assert "no delegation" in which.servers(f"z{i}.between.parent.test").problem
    assert len(world.system.asked("between.parent.test")) == 1
    world.clock[0] = REMEMBER
    which.servers("z0.between.parent.test")
    assert len(world.system.asked("between.parent.test")) == 2


def test_kept_for_long(world):
    """A resolver that is kept finds a zone's servers anew after a while, also for what is asked of one server alone."""
    which = world.resolver()
    wanted = [Expected(ASK, b"", lambda answer: answer.texts == (KEY,))]
    assert list(which.unlike(wanted, 0)) == list(which.unlike(wanted, 1)) == []
    assert len(world.parent.asked(CHILD)) == 1
    world.clock[0] = REMEMBER
    for child in world.children:
        child.write(CHILD, record("v=DKIM1; p="))
    assert list(which.unlike(wanted, 0)) == [ASK]
    assert len(world.parent.asked(CHILD)) == 2
