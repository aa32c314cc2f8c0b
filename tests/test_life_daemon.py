"""The same lives with a daemon that has a pass every hour at least, and remembers what is settled (`dnssync.settled`): no rule is broken by not
deciding anew."""

from __future__ import annotations

import logging

import pytest

from tests.life import daemon_pass


@pytest.mark.parametrize("seed", (1, 2, 5))
def test_weeks_with_a_memory(seed: int) -> None:
    """Days of storm and a calm month in which most passes find all settled."""
    before = logging.root.manager.disable
    logging.disable()  # thousands of lines about failures that are meant
    try:
        told = daemon_pass.life(seed, hourly=True, years=0.02)
    finally:
        logging.disable(before)
    assert told["settled passes"] > 200
