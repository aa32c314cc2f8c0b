"""Looks into what the zones above say of zones, and what their servers show some seconds later where they did not agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dnssync.check.delegated import Delegated, Delegation, Settled, agreed
from dnssync.check.facts import Failed
from dnssync.check.gather import Sources
from dnssync.core.sighting import Answer, Question
from dnssync.resolver import Resolver

WORKERS = 32  # zones looked at at a time
PAUSES = (1.0, 2.0, 3.0)  # seconds; a secondary that was told of a change has it within these, or something is wrong


def fetch(wishes: Sequence[Any], sources: Sources) -> Mapping[Any, Any]:
    """What came of each wish."""
    delegated = [wish for wish in wishes if isinstance(wish, Delegated)]
    settled = [wish for wish in wishes if isinstance(wish, Settled)]
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="delegation")
    try:
        told = dict(zip(delegated, pool.map(lambda wish: _told(wish, sources.resolver), delegated), strict=True))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # waits for nobody after Ctrl-C
    answers = _settled([wish.question for wish in settled], sources) if settled else {}
    return {**told, **{wish: answers[wish.question] for wish in settled}}


def _told(wish: Delegated, resolver: Resolver) -> Delegation | Failed:
    told = resolver.delegation(wish.zone)
    if told.problem:
        return Failed(told.problem.rstrip("."))
    return Delegation(told.names, told.glue, told.named, told.alone)


def _settled(questions: Sequence[Question], sources: Sources) -> dict[Question, Answer]:
    """All of them at once, again and again while some are not agreed on; the pauses are for all together."""
    answers: dict[Question, Answer] = {}
    for pause in PAUSES:
        open_ = [question for question in questions if question not in answers or not agreed(answers[question])]
        if not open_:
            break
        sources.sleep(pause)
        answers.update(sources.resolver.look(open_))
    return answers
