"""An API that is asked with secrets in headers, most often with one token."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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
    secret = token.strip()
    wrong = amiss("token", secret, what, service)
    return asked_with(
        wrong,
        id,
        service,
        endpoint,
        {"Authorization": f"{scheme} {secret}"},
        explain=explain,
        timeout=timeout,
        sleep=sleep,
    )


def amiss(option: str, secret: str, what: str, service: str) -> list[str]:
    """What is wrong with a secret that goes into a header, a line or none. `what` says which one is meant."""
    if not secret:
        return [f"{option}: is missing; it is {what}"]
    if not WORD.fullmatch(secret):
        return [f"{option}: is not one word of printable ASCII characters, so it is not what {service} gave out"]
    return []


def asked_with(
    wrong: list[str], id: str, service: str, endpoint: str, headers: Mapping[str, str], **options: Any
) -> Api:
    """The API that is asked with these headers; `options` as `Api` takes them. `wrong` is what is wrong with other options.

    Raises `ProviderError`, a line an option that is wrong.
    """
    try:
        api = Api(id, service, endpoint, lambda sent: sent.update(headers), **options)
    except ProviderError as error:
        wrong.append(str(error))
    if wrong:
        raise ProviderError("\n".join(wrong))
    return api
