"""`apply --wait` beside a zone that is refused, and through failures that pass; exim is the recorded sample's."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dnssync import signing_map
from dnssync.cli import run
from dnssync.cli.context import Context
from dnssync.demo import sample, stage
from dnssync.demo.nameserver import NameServer
from dnssync.errors import EximError
from tests.e2e.test_crash import Scene, open_folder

__all__ = ["open_folder"]
DOMAIN, OTHER = stage.DOMAIN, "other.example"


class Pair(Scene):
    """Two zones of one host; `during(number)` happens before the n-th look that exim is asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.other = self.stage.zone_file.with_name(f"{OTHER}.zone")
        self.other.write_text(stage.ZONE.replace(DOMAIN, OTHER))
        self.looks = 0
        self.during: Callable[[int], None] = lambda number: None

    @contextmanager
    def served(self) -> Iterator[None]:
        """Both zones on one name server."""
        with NameServer({DOMAIN: self.stage.zone_file, OTHER: self.other}) as server:
            text = stage.write_config(self.stage, server.where)
            [entry] = re.findall(rf"  {DOMAIN}:\n.*\n.*\n", text)
            self.stage.config.write_text(text.replace(entry, entry + entry.replace(DOMAIN, OTHER)))
            yield

    def line(self, config: Any, **options: Any) -> Any:
        """The parts, with an exim that has both domains."""
        line = super().line(config, **options)

        def observe(names: Sequence[str], recipients: Sequence[str]) -> Any:
            self.looks += 1
            self.during(self.looks)
            one, two = (
                sample.observe(name, "mx.elsewhere.example", stage.IP, config.exim.map, line.keystore, recipients)
                for name in (DOMAIN, OTHER)
            )
            return replace(one, domains=(*one.domains, *two.domains))

        line.observe_host = observe
        return line

    def wait(self, *args: str) -> tuple[int, str]:
        """`apply --yes --wait`, with a clock that every sleep moves; its exit code and what it told."""
        out = io.StringIO()

        end = self.now + 86400

        def sleep(seconds: float) -> None:
            self.now += seconds
            assert self.now < end, "it waits for ever"

        context = Context(now=lambda: self.now, sleep=sleep, environ={}, stdin=io.StringIO(), stdout=out, stderr=out,
                          make_line=self.line)  # fmt: skip
        code = run(["-c", str(self.stage.config), "apply", "--yes", "--wait", *args], context)
        return code, out.getvalue()

    def signed(self) -> dict[str, int]:
        """How many keys exim's map names for each domain."""
        return {domain: len(selectors) for domain, selectors in signing_map.read(self.stage.map).items()}


@pytest.fixture
def pair(open_folder: Path) -> Iterator[Pair]:
    """Two zones that are served, and nothing done to them yet."""
    made = Pair(open_folder / "pair")
    with made.served():
        yield made


class TestBesideARefusedZone:
    def test_waits_for_the_other(self, pair: Pair) -> None:
        """A zone that waits for --adopt keeps no other from its keys; at the end that it is refused is still told by 3."""
        foreign = pair.other.read_text() + f'{OTHER}. IN TXT "v=spf1 -all"\n'
        pair.other.write_text(foreign)

        code, out = pair.wait()

        assert code == 3 and "the waiting ends here" not in out, out
        assert pair.signed() == {DOMAIN: 2} and pair.other.read_text() == foreign

    def test_whose_keys_wait_themselves(self, pair: Pair) -> None:
        """Keys of a refused zone are not waited for: nobody would publish them."""
        assert pair.run("apply", "--yes", OTHER) == 0
        two = "".join(f'{OTHER}. IN TXT "v=spf1 {term} -all"\n' for term in ("mx", "a"))
        foreign = stage.ZONE.replace(DOMAIN, OTHER) + two
        pair.other.write_text(foreign)

        code, out = pair.wait()

        assert code == 3 and pair.signed() == {DOMAIN: 2}, out

    def test_refused_while_it_waits(self, pair: Pair) -> None:
        """What is refused only now is for a person to see: the waiting ends and shows it."""

        def taken_over(number: int) -> None:
            if number == 3:
                pair.other.write_text(pair.other.read_text().replace("v=spf1 mx a ", "v=spf1 include:x.example "))

        pair.during = taken_over
        code, out = pair.wait()
        assert code == 3 and "the waiting ends here" in out and "v=spf1 include:x.example" in out, out

    def test_of_the_named_zone_only(self, pair: Pair) -> None:
        """Keys of a zone that was not named are not waited for."""
        assert pair.run("apply", "--yes", OTHER) == 0
        pair.other.rename(pair.other.with_suffix(".gone"))

        code, out = pair.wait(DOMAIN)

        assert code == 0 and pair.signed() == {DOMAIN: 2}, out


class TestFailures:
    def test_a_zone_that_comes_back(self, pair: Pair) -> None:
        """A zone that cannot be read for a while is told, once, and the waiting goes on till its keys sign, too."""
        away = pair.other.with_suffix(".away")

        def come_and_go(number: int) -> None:
            if number == 2:
                pair.other.rename(away)
            if number == 5:
                away.rename(pair.other)

        pair.during = come_and_go
        code, out = pair.wait()

        assert code == 0 and pair.signed() == {DOMAIN: 2, OTHER: 2}, out
        told = [line for line in out.splitlines() if line.startswith("failed: ")]
        assert len(told) == 1 and OTHER in told[0], out
        assert "It is tried again every minute, until 2026-11-24 09:" in out

    def test_exim_that_comes_back(self, pair: Pair) -> None:
        """exim may be silent for a minute as well."""

        def silent(number: int) -> None:
            if number in (2, 3):
                raise EximError("exim does not answer.")

        pair.during = silent
        code, out = pair.wait()
        assert code == 0 and out.count("failed: exim does not answer.") == 1, out
        assert pair.signed() == {DOMAIN: 2, OTHER: 2}

    @pytest.mark.parametrize("who", ["zone", "exim"])
    def test_that_last(self, pair: Pair, who: str) -> None:
        """What goes on failing ends the waiting when the keys would have been ready, with its reason and exit code 1."""
        began = pair.now

        def gone(number: int) -> None:
            if number > 1 and who == "exim":
                raise EximError("exim does not answer.")
            if number == 2:
                pair.other.rename(pair.other.with_suffix(".gone"))
                pair.stage.zone_file.rename(pair.stage.zone_file.with_suffix(".gone"))

        pair.during = gone
        code, out = pair.wait()

        assert code == 1 and 3600 < pair.now - began < 3 * 3600, out
        ending = out.strip().splitlines()[-1]
        assert (
            ending
            == {"zone": "It went on failing; the waiting ends here.", "exim": "dnssync: exim does not answer."}[who]
        )
        assert who == "exim" or all(f"failed: {zone}" in out for zone in (DOMAIN, OTHER)), out
