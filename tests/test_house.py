"""The house as docs/design.md §2 draws it: which module may know which, how long files are, what names mean."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnssync.cli import COMMANDS
from tests.mutant_table import TABLE

ROOT = Path(__file__).parents[1]
PRODUCT = sorted([*(ROOT / "dnssync").rglob("*.py"), *(ROOT / "providers").rglob("*.py")])
TESTS = sorted((ROOT / "tests").rglob("*.py"))
STDLIB = sys.stdlib_module_names
# Each third-party library and the files that may import it; a test suite of a hundred importers would have no door at all.
DOORS = {
    "dns": r"dnssync/(wire|demo/nameserver)\.py|providers/(rfc2136|zonefile|octodns|_records|_master|_zone_file)\.py",
    "sqlalchemy": r"dnssync/state(_\w+)?\.py",
    "cryptography": r"dnssync/(keystore|check/gather_certificate)\.py",
    "click": r"dnssync/cli/\w+\.py",
    "rich": r"dnssync/cli/\w+\.py",
    "yaml": r"dnssync/config\.py",
    "attrs": r"dnssync/config(_check|_service)?\.py",
    "cattrs": r"dnssync/config\.py",
    "idna": r"dnssync/config_check\.py",
    "psycopg": r"-",
    "octodns": r"providers/_?octodns(_\w+)?\.py|dnssync/octodns\.py",
    "requests": r"providers/(_http|\w+)\.py",
    "urllib3": r"providers/_http\.py",
    "apscheduler": r"dnssync/daemon\.py",
    "prometheus_client": r"dnssync/metrics\.py",
    "spf": r"dnssync/check/spf\w*\.py",
    "dkim": r"dnssync/check/dkim\w*\.py",
}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, absolute, wherever in the file."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield ".".join([*package[: len(package) - node.level + 1], node.module or ""]).rstrip(".")
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


IMPURE = {
    "io",
    "os",
    "time",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "pathlib",
    "tempfile",
    "ssl",
    "smtplib",
    "urllib.request",
    "http",
}


def is_pure(path: Path, known: str, impure: set[str]) -> None:
    """A module imports what `known` matches, and a standard library without I/O, clock or randomness."""
    for module in imports(path):
        top = module.partition(".")[0]
        assert re.match(known, module) or module == "dnssync" or top in STDLIB, module
        assert not {top, module} & impure, module
    assert not re.search(r"datetime\.now|\.today\(|\bopen\(|\bprint\(", path.read_text())


@pytest.mark.parametrize("path", [path for path in PRODUCT if name(path).startswith("dnssync/core/")], ids=name)
def test_core_is_pure(path: Path) -> None:
    """The core knows itself alone."""
    is_pure(path, r"dnssync\.core\b", IMPURE | {"logging"})


@pytest.mark.parametrize(
    "path", [p for p in PRODUCT if re.fullmatch(r"dnssync/check/(?!gather|__init__)\w+\.py", name(p))], ids=name
)
def test_checks_are_pure(path: Path) -> None:
    """A check is a function of the facts: it knows the core, what evaluates SPF and verifies DKIM, and nothing that looks anywhere."""
    is_pure(path, r"dnssync\.(check(?!\.gather)|core)\b|(spf|dkim)\b", IMPURE)


@pytest.mark.parametrize("path", [path for path in PRODUCT if name(path).startswith("providers/")], ids=name)
def test_providers_know_the_model_alone(path: Path) -> None:
    """A provider knows of dnssync nothing but `dnssync.core.model`."""
    for module in imports(path):
        if module.partition(".")[0] == "dnssync":
            assert module.startswith("dnssync.core.model"), module


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_doors(path: Path) -> None:
    """Each third-party library is imported behind its own door, and none that is not named here."""
    for module in imports(path):
        top = module.partition(".")[0]
        if top in STDLIB or top in {"dnssync", "providers", "dnssync_providers"}:
            continue
        assert top in DOORS, module
        assert re.fullmatch(DOORS[top], name(path)), module


@pytest.mark.parametrize("path", [path for path in PRODUCT if not name(path).startswith("dnssync/cli/")], ids=name)
def test_nothing_knows_the_command_line(path: Path) -> None:
    """Arrows lead from the command line inward, never back."""
    assert not [module for module in imports(path) if module.startswith("dnssync.cli")]


def test_two_modules_join_the_halves() -> None:
    """Who imports both the deciding half and the state is reconcile with what it looks at, or carry_out."""
    joined = set()
    for path in PRODUCT:
        modules = set(imports(path))
        if any(m.startswith("dnssync.core.decide") for m in modules) and "dnssync.state" in modules:
            joined.add(name(path))
    assert joined <= {f"dnssync/{part}.py" for part in ("reconcile", "views", "quiet", "carry_out")}


@pytest.mark.parametrize("path", [*PRODUCT, *TESTS], ids=name)
def test_files_need_no_scroll_map(path: Path) -> None:
    """No file is longer than 350 lines, tables of cases apart."""
    if path.name != "mutant_table.py":
        assert len(path.read_text().splitlines()) <= 350 + 150 * name(path).startswith("tests/")


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_docstrings_and_names(path: Path) -> None:
    """Every public thing says what it is; nothing is called Manager, Helper or utils; nothing is left for later."""
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "the module"
    assert not re.search(r"TODO|FIXME|XXX|NotImplemented|pragma: no cover", text)
    assert not re.search(r"class \w*(Manager|Helper)\b", text) and path.stem not in {"utils", "helpers", "misc"}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name
            for member in node.body if isinstance(node, ast.ClassDef) else []:
                if isinstance(member, ast.FunctionDef) and not member.name.startswith("_") and node.name != "Commands":
                    assert ast.get_docstring(member), f"{node.name}.{member.name}"


@pytest.mark.parametrize("path", [path for path in TESTS if path.name.startswith("test_")], ids=name)
def test_tests_say_what_they_prove(path: Path) -> None:
    """Every test has its sentence, and none is skipped but for want of root or of a program that CI has."""
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), node.name
    if path.name != "test_house.py":
        assert not re.search(r"xfail|mark\.skip\(", text)


def test_each_breakage_names_text_that_stands_there_once() -> None:
    """Every row of the table of breakages changes one place of today's code, and its tests are there."""
    astray = []
    for (file, tests), rows in TABLE.items():
        assert all((ROOT / test.partition("::")[0]).is_file() for test in tests.split()), tests
        text = (ROOT / file).read_text()
        astray += [
            f"{file}: {old!r}: {text.count(old)} times" for old, new in rows if text.count(old) != 1 or old == new
        ]
    assert not astray, "\n".join(astray)


def test_docs_name_every_command() -> None:
    """README or the design tells of every command, and each has its line of help."""
    docs = (ROOT / "README.md").read_text() + (ROOT / "docs/design.md").read_text()
    for command, told in COMMANDS.items():
        assert re.search(rf"`(dnssync )?{command}\b", docs) or f"dnssync {command}" in docs, command
        assert told


def test_docs_lead_somewhere() -> None:
    """Every file that README names is there."""
    named = re.findall(r"\b((?:docs|config|tests|bench)/[\w./-]+\w)", (ROOT / "README.md").read_text())
    assert named
    for file in named:
        assert (ROOT / file).exists(), file


def test_nothing_names_the_workshop() -> None:
    """What is committed speaks of the project alone: no path of a machine it was written on."""
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    secret = re.compile("/wor" + "k/|/far" + "m/|[.]librar" + "y|[.][.]/share" + "d|/root/dnssy" + "nc")
    for file in files:
        if file not in ("LICENSE",) and (ROOT / file).is_file():
            text = (ROOT / file).read_text(encoding="utf-8", errors="replace")
            assert not secret.search(text), file


@pytest.mark.parametrize("nothing", [True, False])
def test_a_skip_fails_the_run_where_nothing_may_be_left_out(tmp_path, nothing):
    """With `DNSSYNC_TESTS=all` a skipped test is a failure, without it a line in the summary."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    (tmp_path / "test_one.py").write_text(
        "import pytest\n\n\n@pytest.mark.skipif(True, reason='x')\ndef test_x():\n    pass\n"
    )
    environ = {k: v for k, v in os.environ.items() if k not in ("CI", "DNSSYNC_TESTS")} | (
        {"DNSSYNC_TESTS": "all"} if nothing else {}
    )
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path],
        capture_output=True,
        text=True,
        env=environ,
    )
    assert (ran.returncode == 0) is not nothing, ran.stdout
    assert ("none may be left out" in ran.stdout) is nothing
