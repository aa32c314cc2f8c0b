"""The secret of an API on its way: in the headers of each request, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import requests


class Secret(requests.auth.AuthBase):
    """Puts the secret into the headers of each request, and a signature of it as it is; shows it to nobody."""

    def __init__(
        self, authorize: Callable[[dict[str, str]], None], sign: Callable[[str, str, bytes], Mapping[str, str]]
    ) -> None:
        self._authorize, self._sign = authorize, sign

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request, with them."""
        headers: dict[str, str] = {}
        self._authorize(headers)
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        headers.update(self._sign(request.method or "", request.url or "", body))
        request.prepare_headers({**request.headers, **headers})
        return request
