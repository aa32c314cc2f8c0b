"""lexicon's provider for Gandi, one update in each of many zones, in a pool of threads.

    python bench/pool_of_lexicon.py ENDPOINT TOKEN WORKERS NAME TYPE < zones, each with its text after a blank

The provider is used as `lexicon.client.Client` uses it, without the client itself: that one guesses the zone from a list of public
suffixes which it fetches. lexicon has no option for another address of the API; its attribute is set.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from lexicon._private.providers.gandi import Provider
from lexicon.config import ConfigResolver

ENDPOINT, TOKEN, WORKERS, NAME, KIND = sys.argv[1:]


def update(line: str) -> bool:
    """One zone: `lexicon gandi update ZONE TYPE --name NAME --content TEXT`."""
    zone, _, text = line.rstrip("\n").partition(" ")
    options = {"auth_token": TOKEN, "api_protocol": "rest"}
    provider = Provider(
        ConfigResolver().with_dict({"domain": zone, "provider_name": "gandi", "ttl": 3600, "gandi": options})
    )
    provider.api_endpoint = f"{ENDPOINT}/livedns"
    provider.authenticate()
    return bool(provider.update_record(None, KIND, f"{NAME}.{zone}", text))


with ThreadPoolExecutor(int(WORKERS)) as pool:
    if not all(pool.map(update, sys.stdin.readlines())):
        sys.exit(1)
