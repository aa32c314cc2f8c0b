"""Many questions at once: what is taken for an answer, how many are under way, and what a loss costs."""

from __future__ import annotations

import contextlib
import itertools
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from dnssync.asking import Asking
from dnssync.core.sighting import Question, Rcode
from dnssync.datagrams import ATTEMPTS, BEGIN, STREAMS, Datagrams, connected
from dnssync.patience import Patience
from dnssync.resolver import Resolver
from dnssync.wire import Server
from tests.bind import Bind
from tests.looking import ZONE, record, serving
from tests.talker import Talker, honest, truth

serve = pytest.fixture(serving)
ASK = Question(f"s1.{ZONE}", "TXT", ZONE)


def many(count: int) -> list[Question]:
    """Questions for as many names."""
    return [Question(f"s{i}.{ZONE}", "TXT", ZONE) for i in range(count)]


def ours(talker: Talker, **options) -> Resolver:
    """A resolver that asks it for the zone, and nobody for anything else."""
    return Resolver({ZONE: [talker.where]}, **{"system": [], "timeout": 5.0, **options})


def open_files() -> set[str]:
    """What this process has open."""
    return {str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}


LIES = {
    "id": lambda lie: bytes([lie[0] ^ 1]) + lie[1:],
    "name": lambda lie: lie.replace(b"\x02s1", b"\x02s2"),
    "type": lambda lie: lie.replace(b"org\0\0\x10", b"org\0\0\x63"),
    "class": lambda lie: lie.replace(b"org\0\0\x10\0\1", b"org\0\0\x10\0\3"),
    "no question": lambda lie: lie[:4] + b"\0\0" + lie[6:12] + lie[12 + 20 :],
    "a query": lambda lie: lie[:2] + bytes([lie[2] & 0x7F]) + lie[3:],
    "another opcode": lambda lie: lie[:2] + bytes([lie[2] | 0x28]) + lie[3:],
    "cut in the question": lambda lie: lie[:20],
    "cut in the header": lambda lie: lie[:9],
    "nothing": lambda lie: b"",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_wrong_answer_is_passed_over(lie):
    """What has another id, question or opcode is no answer, and the right one that follows is taken."""

    def says(talker, batch):
        made = LIES[lie](truth(batch[0], "a lie"))
        return [(0, made), *([(0, truth(batch[0]))] if talker.truly else [])]

    with Talker(says, 0) as talker:
        talker.truly = False
        assert [r.rcode for r in ours(talker, timeout=0.2).look([ASK])[ASK].replies] == [Rcode.TIMEOUT]
        talker.truly = True
        assert ours(talker).look([ASK])[ASK].texts == ("true",)


def test_a_wrong_source_is_not_heard():
    """An answer with everything right in it that comes from another port is not taken."""

    def says(talker, batch):
        talker.aside.sendto(truth(batch[0], "a lie"), talker.clients[-1])
        return [(0, truth(batch[0]))] if len(talker.batches) > 1 else []

    with Talker(says, 0) as talker:
        assert ours(talker, timeout=1.0).look([ASK])[ASK].texts == ("true",)
        assert len(talker.batches) == ATTEMPTS


def test_letters_of_another_case_are_the_same_question():
    """A server may give the name back in another case (RFC 4343); the type is no letter."""

    def says(talker, batch):
        return [(0, truth(batch[0]).replace(b"s1\x07example", b"S1\x07eXample"))]

    with Talker(says, 0) as talker:
        assert ours(talker).look([ASK])[ASK].texts == ("true",)


def test_a_late_answer():
    """The answer to the first try that comes after the second try was sent is an answer."""

    def says(talker, batch):
        return [(0, truth(talker.batches[0][0]))] if len(talker.batches) == ATTEMPTS else []

    with Talker(says, 0) as talker:
        assert ours(talker, timeout=1.0).look([ASK])[ASK].texts == ("true",)


def test_duplicated_answers():
    """Answers that come twice, and in another order, are each the answer to their own question."""

    def says(talker, batch):
        answers = [
            (at, truth(query, str(dns.message.from_wire(query).question[0].name))) for at, query in enumerate(batch)
        ]
        return [*reversed(answers), *answers]

    with Talker(says) as talker:
        answers = ours(talker).look(many(300))
    assert {question.name: answer.texts for question, answer in answers.items()} == {
        f"s{i}.{ZONE}": (f"s{i}.{ZONE}.",) for i in range(300)
    }


def test_ids_and_ports_are_not_guessed():
    """No two questions under way have the same id, each look has another port, and ids have no order."""
    with Talker(honest) as talker:
        ours(talker).look(many(500))
        ours(talker).look(many(1))
    assert all(len({query[:2] for query in batch}) == len(batch) for batch in talker.batches)
    ids = [int.from_bytes(query[:2], "big") for batch in talker.batches for query in batch]
    assert 100 < sum(a < b for a, b in itertools.pairwise(ids)) < 400
    assert len(set(talker.clients)) == 2


def test_lost_datagrams():
    """A tenth of all datagrams lost costs second tries, and no answer."""
    lost: set[bytes] = set()

    def says(talker, batch):
        fresh = [query[12:] for query in batch[::10] if query[12:] not in lost]
        lost.update(fresh)
        return [(at, truth(query)) for at, query in enumerate(batch) if query[12:] not in fresh]

    with Talker(says) as talker:
        answers = ours(talker, timeout=1.0).look(many(400))
    assert all(answer.texts == ("true",) for answer in answers.values())
    assert sum(map(len, talker.batches)) >= 400 + len(lost)
    assert len(lost) >= 40


def test_few_at_first_and_never_more_than_the_bound():
    """A server gets few questions at first, more with each answer, and no more at a time than it may."""
    with Talker(honest) as talker:
        ours(talker, each=100).look(many(600))
    sizes = [len(batch) for batch in talker.batches]
    assert sizes[0] <= BEGIN
    assert BEGIN < max(sizes) <= 100
    assert sum(sizes) >= 600


def test_all_servers_together_have_a_bound():
    """Whatever the number of servers, no more than so many questions are under way."""
    with Talker(honest) as one, Talker(honest) as two:
        which = Resolver({ZONE: [one.where, two.where]}, system=[], total=10)
        answers = which.look(many(60))
    assert all(answer.known for answer in answers.values())
    assert max(len(batch) for talker in (one, two) for batch in talker.batches) <= 10


def test_a_loss_halves_the_window():
    """A server that drops packets gets half as many at a time from then on."""
    dropped = {question.name.encode()[:3] for question in many(28)[16:]}
    seen: set[bytes] = set()
    again: list[int] = []

    def says(talker, batch):
        names = [query[13:16] for query in batch]
        again.extend([len(batch)] if seen & {*names} else [])
        lost = {name for name in names if name in dropped and name not in seen}
        seen.update(names)
        return [(at, truth(query)) for at, query in enumerate(batch) if names[at] not in lost]

    with Talker(says) as talker:
        answers = ours(talker, each=16, timeout=1.0).look(many(36)[10:])
    assert all(answer.known for answer in answers.values())
    assert max(again) <= 8
    assert sum(again) >= 12


def test_nobody_listens_in_bulk():
    """Thousands of questions to a port where nobody listens are unreachable, at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    answers = Resolver({ZONE: [f"127.0.0.1:{port}"]}, timeout=600, system=[]).look(many(3000))
    assert {reply.rcode for answer in answers.values() for reply in answer.replies} == {Rcode.UNREACHABLE}


def test_a_server_that_starts_in_between(tmp_path):
    """That nobody listened is not remembered: the next look asks again."""
    bind = Bind(tmp_path / "bind", {ZONE: ""})
    which = Resolver({ZONE: [bind.server]}, timeout=600, system=[])
    assert not any(answer.known for answer in which.look(many(10)).values())
    with bind:
        assert which.look([ASK])[ASK].known


def test_thousands_of_questions_to_bind(tmp_path):
    """Thousands of names at a real server: every answer is that of its own name."""
    zone = "".join(record(f"text {i}", f"s{i}") + "\n" for i in range(0, 5000, 2))
    with Bind(tmp_path / "bind", {ZONE: zone}) as bind:
        answers = Resolver({ZONE: [bind.server]}, system=[]).look(many(5000))
    assert [answer.texts for answer in answers.values()] == [() if i % 2 else (f"text {i}",) for i in range(5000)]
    assert all(answer.known for answer in answers.values())


def test_a_version_of_edns_that_is_not_known():
    """BADVERS, which stands in the OPT record alone, has the question asked without EDNS."""

    def says(talker, batch):
        query = dns.message.from_wire(batch[0])
        if query.edns < 0:
            return [(0, truth(batch[0]))]
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.BADVERS)
        return [(0, response.to_wire())]

    with Talker(says, 0) as talker:
        assert ours(talker).look([ASK])[ASK].texts == ("true",)
        assert [len(batch) for batch in talker.batches] == [1, 1]


def test_an_error_without_a_question():
    """A server that knows so little of a query that it leaves the question out of its FORMERR is asked without EDNS."""

    def says(talker, batch):
        plain = dns.message.from_wire(batch[0]).edns < 0
        return [(0, truth(batch[0]) if plain else batch[0][:2] + b"\x80\x01" + b"\0" * 8)]

    with Talker(says, 0) as talker:
        assert ours(talker).look([ASK])[ASK].texts == ("true",)


def test_tcp_that_says_nothing():
    """A server that truncates and whose TCP is silent has not answered."""

    def says(talker, batch):
        return [(at, query[:2] + b"\x86\0" + query[4:6] + b"\0" * 6 + query[12:-11]) for at, query in enumerate(batch)]

    with Talker(says, 0) as talker, socket.create_server(("127.0.0.1", talker.server.port)):
        reply = ours(talker, timeout=0.2).look([ASK])[ASK].replies[0]
    assert (reply.rcode, reply.note) == (Rcode.TIMEOUT, "truncated over UDP, then no answer over TCP")


def test_tcp_that_says_nothing_in_bulk():
    """Where TCP is silent to hundreds of truncated questions, it is tried for as many as may be at a time, and the others wait no further."""

    def says(talker, batch):
        return [(at, query[:2] + b"\x86\0" + query[4:6] + b"\0" * 6 + query[12:-11]) for at, query in enumerate(batch)]

    tried = []
    with Talker(says, 0) as talker, socket.create_server(("127.0.0.1", talker.server.port), backlog=500) as deaf:
        answers = ours(talker, timeout=0.5).look(many(300))
        deaf.setblocking(False)
        with contextlib.suppress(BlockingIOError), contextlib.ExitStack() as stack:
            while True:
                tried.append(stack.enter_context(deaf.accept()[0]))
    assert {reply.rcode for answer in answers.values() for reply in answer.replies} == {Rcode.TIMEOUT}
    assert 0 < len(tried) <= 2 * STREAMS


def test_waiting_for_a_socket_costs_nothing():
    """Of many servers that wait for a socket, one is looked at when one is free, and not all of them at each answer."""

    class Watched(Patience):
        """Counts how often a server is looked at."""

        looks = 0

        def over(self, server):
            """One more."""
            self.looks += 1
            return super().over(server)

    with Talker(honest, 0) as talker:
        patience = Watched()
        carry = partial(
            Datagrams, timeout=5.0, patience=patience, sockets=4, connect=lambda _: connected(talker.server)
        )

        async def work(asking, order):
            futures = [asking.ask(Server(f"192.0.2.{i}"), f"s1.{ZONE}", "TXT") for i in order]
            return [(await future).rcode for future in futures]

        with Asking(carry) as asking:
            assert asking.run(work(asking, range(200))) == [Rcode.DATA] * 200
            # The first of these have their sockets still, and keep them while they wait for an answer.
            assert asking.run(work(asking, reversed(range(200)))) == [Rcode.DATA] * 200
    assert patience.looks <= 2 * 3 * 200
    assert sum(map(len, talker.batches)) == 2 * 200


def test_more_servers_than_sockets(serve):
    """More servers than sockets may be open are all asked, in turn."""
    servers = [serve({ZONE: record(f"by {i}", "s1")}) for i in range(8)]
    open_now = most = 0

    class Counted(socket.socket):
        """Counts those that are open."""

        def close(self):
            """One less."""
            nonlocal open_now
            open_now -= 1
            super().close()

    def connect(server):
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        sock = Counted(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.connect((server.address, server.port))
        return sock

    carry = partial(Datagrams, timeout=2.0, patience=Patience(), sockets=3, connect=connect)

    async def work(asking):
        for future in [asking.ask(Server(server.address, server.port), f"s1.{ZONE}", "TXT") for server in servers]:
            heard.append((await future).answer[0].texts)

    heard: list[tuple[str, ...]] = []
    with Asking(carry) as asking:
        asking.run(work(asking))
    assert heard == [(f"by {i}",) for i in range(8)]
    assert (most, open_now) == (3, 0)


def test_an_absence_is_each_servers_own():
    """What servers say alike is read once, but an absence: how long that may be remembered stands behind the answer section."""

    def absent(seconds):
        def says(talker, batch):
            response = dns.message.make_response(dns.message.from_wire(batch[0]))
            response.flags |= dns.flags.AA
            response.authority.append(dns.rrset.from_text(f"{ZONE}.", 9000, "IN", "SOA", f"ns. h. 1 2 3 4 {seconds}"))
            return [(0, response.to_wire())]

        return says

    with Talker(absent(60), 0) as one, Talker(absent(3600), 0) as two:
        replies = Resolver({ZONE: [one.where, two.where]}, system=[]).look([ASK])[ASK].replies
    assert [(r.rcode, r.negative_ttl) for r in replies] == [(Rcode.NODATA, 60), (Rcode.NODATA, 3600)]


def test_looks_from_many_threads():
    """Looks from several threads at once, with one resolver, each have their own answers."""
    with Talker(honest, 0) as talker, ThreadPoolExecutor(6) as pool:
        which = ours(talker, timeout=5)
        looks = list(pool.map(lambda _: which.look(many(50)), range(6)))
    assert all(answer.texts == ("true",) for look in looks for answer in look.values())


def test_nothing_stays_open():
    """Between looks no socket is open."""
    with Talker(honest, 0) as talker:
        before = open_files()
        which = ours(talker)
        which.look(many(20))
        assert open_files() == before


def test_ctrl_c():
    """Ctrl-C leaves a look at once, whatever is under way, and closes its sockets."""

    def says(talker, batch):
        if len(talker.batches) == 1:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return []

    # Whoever runs the tests in the background may have taught them to pay no heed to it.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Talker(says, 0) as talker:
            before = open_files()
            with pytest.raises(KeyboardInterrupt):
                ours(talker, timeout=600).look(many(100))
            assert open_files() == before
    finally:
        signal.signal(signal.SIGINT, former)
