"""octodns-gandi at another address: the plug-in itself has no option for that.

`patient`: an answer 429 is waited for as its Retry-After says, by urllib3's own means. The plug-in as it is ends with an error there.
"""

from __future__ import annotations

from typing import Any

from octodns_gandi import GandiProvider


class Provider(GandiProvider):  # type: ignore[misc]
    """`endpoint` is the address of the API."""

    def __init__(self, id: str, token: str, endpoint: str, patient: bool = False, **more: Any) -> None:
        super().__init__(id, token, **more)
        self._client.endpoint = endpoint
        if patient:
            from requests.adapters import HTTPAdapter
            from urllib3.util.retry import Retry

            again = Retry(total=1000, status_forcelist=[429], allowed_methods=None, respect_retry_after_header=True)
            self._client._session.mount("http://", HTTPAdapter(max_retries=again))
