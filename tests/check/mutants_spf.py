"""Breakages for `make mutants`, as in `tests/mutant_table.py`."""

TABLE: dict[tuple[str, str], list[tuple[str, str]]] = {}
