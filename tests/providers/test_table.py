"""docs/providers.md says of each provider what can be seen of it."""

from __future__ import annotations

import pytest

from tests.providers import table

pytestmark = [pytest.mark.bind, pytest.mark.powerdns, pytest.mark.knot]


def test_the_page_has_what_is_measured() -> None:
    """The table is that of a run here and now; `make table` writes it."""
    assert table.told() == table.table()
