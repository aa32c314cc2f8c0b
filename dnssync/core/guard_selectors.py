"""The guard's checks of selectors: a record set there is ours whole, so that anything else in it is a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dnssync.core import dkim
from dnssync.core.model import Change, Claim, Owner, Refusal, Value
from dnssync.core.ownership import claim_key, same

if TYPE_CHECKING:
    from dnssync.core.guard import Case


def selector_ours(case: Case, change: Change, claim: Claim, where: str) -> Iterator[Refusal]:
    """A change of a selector's record that holds what is neither ours nor the key that was taken on."""
    applied = case.ledger.get(claim_key(claim))
    known = {key.record for key in case.keys if key.record} | ({applied.value} if applied else set())
    selector = claim.name.partition("._domainkey")[0]
    # Where dnssync itself wrote that the key is revoked, it may take that back.
    revives = claim.value is not None and not any(map(dkim.is_revoked, (claim.value, applied.value if applied else "")))
    for value in change.old.values if change.old else ():
        mine = {*known, *([claim.value] if claim.value is not None else [])}
        if revives and dkim.is_revoked(value.text):
            yield Refusal(
                "revoked_by_others",
                f"{where}: says that the key is revoked, which dnssync did not write, and its state has the key as valid: the state may be older "
                "than that, or another host has revoked it. A key that was revoked is never brought back unasked. If it was in wrong hands, run: "
                f"`dnssync rotate --emergency --key {selector}`. If it was a mistake, delete the record at {case.plan.provider}, and dnssync writes it again.",
            )
            continue
        if not any(same(Owner.DKIM, value.text, text) for text in mine) and not _ours_by_key(case, claim, value.text):
            adopted = any(k.adopted and (k.domain, k.selector) == (claim.domain, selector) for k in case.keys)
            if adopted:
                yield Refusal(
                    "adopted_key_differs",
                    f'{where}: holds "{short(value.text)}", which is another key than the one that exim signs {claim.domain} '
                    "with under this selector: receivers refuse that mail's signature today. Put the right key there, or take "
                    f"the record out at {case.plan.provider} and let dnssync write it; or point exim at the other key.",
                )
                continue
            yield Refusal(
                "selector_taken",
                f'{where}: holds "{short(value.text)}", which dnssync did not write. If nobody needs it, delete it at '
                f"{case.plan.provider} by hand and run dnssync again; a key of dnssync's never replaces it.",
            )


def _ours_by_key(case: Case, claim: Claim, text: str) -> bool:
    """Whether a text found at one of our selectors carries the public half that we hold for it."""
    selector = claim.name.partition("._domainkey")[0]
    keys = [key for key in case.keys if key.selector == selector and key.domain == claim.domain]
    try:
        record = dkim.parse(text)
    except ValueError:
        return False
    return any(record.p == key.public_key for key in keys) or (bool(keys) and not record.p)


def beside_a_key(case: Case, claim: Claim, values: tuple[Value, ...]) -> Iterator[Refusal]:
    """A second record at a selector: which of the two a receiver takes is undefined (RFC 6376 §3.6.2.2)."""
    if claim.value is None:
        return
    strange = [value.text for value in values if not same(Owner.DKIM, value.text, claim.value)]
    if strange and len(strange) < len(values):
        yield Refusal(
            "selector_taken",
            f'{case.full(claim.name)} {claim.type}: "{short(strange[0])}" stands beside the key of dnssync\'s, and receivers may '
            f"take either, so that signatures fail by chance. Delete it at {case.plan.provider}, then run again.",
        )


def short(text: str, length: int = 60) -> str:
    """A text for a sentence, no longer than that."""
    return text if len(text) <= length else text[: length - 1] + "…"
