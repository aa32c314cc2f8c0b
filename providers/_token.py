"""An API that is asked with one token, in a header."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from dnssync.core.model import ProviderError

from ._http import Api

WORD = re.compile(r"[\x21-\x7e]+")  # what a header takes of a secret, and no blanks around it


def by_token(
    id: str,
    service: str,
    endpoint: str,
    scheme: str,
    token: str,
    what: str,
    explain: Callable[[Any], str],
    timeout: tuple[float, float],
    sleep: Callable[[float], None],
) -> Api:
    """The API. `scheme` goes before the token in `Authorization`; `what` says in a few words which token is meant.

    Raises `ProviderError`, a line an option that is wrong.
    """
    wrong, secret = [], token.strip()
    if not secret:
        wrong.append(f"token: is missing; it is {what}")
    elif not WORD.fullmatch(secret):
        wrong.append(f"token: is not one word of printable ASCII characters, so it is not what {service} gave out")

    def authorize(headers: dict[str, str]) -> None:
        headers["Authorization"] = f"{scheme} {secret}"

    try:
        api = Api(id, service, endpoint, authorize, explain=explain, timeout=timeout, sleep=sleep)
    except ProviderError as error:
        wrong.append(str(error))
    if wrong:
        raise ProviderError("\n".join(wrong))
    return api
