"""`dnssync check` as a person, a script and a monitoring system meet it: a real zone on a real BIND, a real exim, a clock of the test."""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import replace

import pytest

from dnssync import checked
from dnssync.check.facts import Domain, Facts
from dnssync.check.finding import Finding, Severity
from dnssync.check.gather import Sources
from dnssync.cli import check_table
from dnssync.cli.check import exit_code
from dnssync.core.policy import MailPolicy
from dnssync.reconcile import Line
from tests.check_site import HOST, CheckSite, site
from tests.site_under_test import DOMAIN

pytestmark = [pytest.mark.exim, pytest.mark.bind]
__all__ = ["site"]


def test_a_host_before_and_after_apply(site: CheckSite) -> None:
    """Before: errors that `apply` puts right, each with its remedy. After the keys sign: none of them."""
    before = site.found()
    errors = {f["id"] for f in before["findings"] if f["severity"] == "error"}
    assert {"SPF-01", "DMARC-01"} <= errors and before["exit"] == 1
    spf = next(f for f in before["findings"] if f["id"] == "SPF-01")
    assert (
        spf["subject"] == DOMAIN and spf["fixable"] and "dnssync apply" in spf["remedy"] and "v=spf1 " in spf["remedy"]
    )
    unsigned = next(f for f in before["findings"] if f["id"] == "DKIM-07" and f["subject"] == DOMAIN)
    assert unsigned["severity"] == "error" and unsigned["remedy"].startswith(
        "See DKIM-01"
    )  # its macros are right, its line is to come
    assert site.run("apply", "--yes", "--wait")[0] == 0
    after = site.found()
    left = {f["id"] for f in after["findings"] if f["severity"] == "error"}
    assert not left & {"SPF-01", "SPF-03", "DKIM-01", "DKIM-02", "DKIM-07", "DMARC-01", "SYNC-01", "EXIM-05", "EXIM-06"}


def test_the_table(site: CheckSite) -> None:
    """A block for the domain, the worst first, the remedy under its line, and a last line that sums up; no colours in a pipe."""
    code, out = site.check()
    assert code == 1 and "\x1b" not in out
    block = out[out.index(f"\n{DOMAIN}\n") :]
    rows = [line.split()[:2] for line in block.splitlines() if line[:2] == "  " and line[2:3].isalpha()]
    ranks = [Severity(severity).rank for severity, _ in rows]
    assert ranks == sorted(ranks) and ["error", "SPF-01"] in rows
    assert "→ `dnssync -c" in block and "apply` will publish it" in block
    assert " errors" in out.splitlines()[-1] and "are well (2 domains, " in out.splitlines()[-1]
    assert "  ok " not in out
    assert "  ok " in site.check("--all")[1]


def test_one_domain_is_asked_for(site: CheckSite) -> None:
    """A name outside every zone is an error with its sentence; a domain of ours is looked at alone."""
    code, out = site.check("example.net")
    assert code == 1 and "example.net lies in no configured zone" in out
    assert site.found(HOST)["domains"] == [HOST]


def test_strict() -> None:
    """Where there is no error, warnings give 1 only with --strict."""
    warning = Finding("X-1", Severity.WARNING, "a", "b")
    assert exit_code([warning], False) == 0 and exit_code([warning], True) == 1
    assert exit_code([replace(warning, severity=Severity.UNKNOWN)], True) == 0
    assert exit_code([replace(warning, severity=Severity.ERROR)], False) == 1


def test_since(site: CheckSite) -> None:
    """The first time all is new; the second time nothing is; what was mended is over, what broke is new."""
    first = site.found("--since")
    assert {"SPF-01"} <= {f["id"] for f in first["findings"]} and first["over"] == [] and first["since"] is None
    code, out = site.check("--since")
    assert code == 1 and "Nothing has changed since" in out
    assert site.run("apply", "--yes")[0] == 0
    third = site.found("--since")
    assert ("SPF-01", "error") in {(f["id"], f["severity"]) for f in third["over"]}
    assert checked.read(site.folder / "state", checked.BY_HAND) is not None


def test_since_of_one_domain_leaves_the_others(site: CheckSite) -> None:
    """What is compared is of that domain alone, and the whole is not overwritten by a part."""
    stranger = Finding("SPF-01", Severity.ERROR, "other.example", "none")
    checked.write(site.folder / "state", checked.BY_HAND, checked.Checked(5, (stranger,)))
    data = site.found("--since", DOMAIN)
    assert data["over"] == [] and data["since"] == 5
    kept = checked.read(site.folder / "state", checked.BY_HAND)
    assert kept is not None and kept.found == (stranger,)


def test_monitoring(site: CheckSite) -> None:
    """One line and its code, also where nothing could be looked at."""
    code, out = site.check("--monitoring")
    assert code == 2 and out.startswith("DNSSYNC CRITICAL - ") and out.count("\n") == 1 and "| error=" in out
    site.config.write_text("nonsense: 1\n")
    code, out = site.check("--monitoring")
    assert code == 3 and out.startswith("DNSSYNC UNKNOWN - ") and out.count("\n") == 1
    code, out = site.check("--monitoring", "--since")
    assert code == 64


def test_without_exim_the_rest_is_looked_at(site: CheckSite) -> None:
    """A broken exim makes what depends on it unknown, and takes nothing else with it."""
    site.exim.config.write_text("nonsense\n")
    data = site.found()
    of = {(f["id"], f["severity"]) for f in data["findings"]}
    assert ("SPF-01", "error") in of and ("SYNC-01", "unknown") in of
    assert not {f["id"] for f in data["findings"] if f["severity"] == "error" and f["id"].startswith("DKIM")}
    assert "Traceback" not in json.dumps(data)


def test_silent_name_servers(site: CheckSite) -> None:
    """With no DNS at all everything that needs it is unknown, none of it well and none an error."""
    site.bind.stop()
    data = site.found()
    dns = [
        f
        for f in data["findings"]
        if f["id"].startswith(("SPF", "DMARC", "MX", "NS", "PTR", "STS", "DANE", "TLSRPT", "DNSSEC"))
    ]
    assert dns
    assert not [f for f in dns if f["severity"] == "error"]
    assert ("SPF-01", "unknown") in {(f["id"], f["severity"]) for f in dns}


def test_since_forgets_nothing_that_was_not_looked_at(site: CheckSite) -> None:
    """What only a look into the log tells is not over for a check without one; what is to be remembered stays."""
    noted = Finding("LOG-02", Severity.ERROR, "other.example", "unsigned")
    kept = checked.Checked(5, (noted,), remembered={"sts": "1"})
    checked.write(site.folder / "state", checked.BY_HAND, kept)
    assert site.found("--since")["over"] == []
    after = checked.read(site.folder / "state", checked.BY_HAND)
    assert after is not None and noted in after.found and after.remembered["sts"] == "1"


def test_monitoring_of_a_fault(site: CheckSite) -> None:
    """Whatever goes wrong is 3 and one line, since 1 would be taken for a warning."""

    def broken(line: Line) -> Sources:
        raise RuntimeError("no")

    code, out = site.run("check", "--monitoring", make_line=site.line, make_sources=broken)
    assert code == 3 and out.startswith("DNSSYNC UNKNOWN - ") and out.count("\n") == 1


def as_nobody(site: CheckSite, *args: str) -> tuple[int, str]:
    """`dnssync check` by a user who may read the configuration, and neither secrets nor the state."""
    site.check(*args)  # imports everything, while the interpreter's own files can be read
    (site.folder / "state").chmod(0o700)
    for folder in (site.folder, *site.folder.parents):
        if folder.stat().st_uid == os.getuid() and str(folder).startswith(tempfile.gettempdir() + "/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    into = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        code, out = site.check(*args)
        with os.fdopen(into[1], "w") as pipe:
            json.dump([code, out], pipe)
        os._exit(0)
    os.close(into[1])
    with os.fdopen(into[0]) as pipe:
        code, out = json.load(pipe)
    os.waitpid(child, 0)
    return code, out


@pytest.mark.parametrize("closed", ["secret", "keys"])
def test_a_user_who_may_not_read_everything(site: CheckSite, closed: str) -> None:
    """What DNS shows is looked at all the same; what rests on exim, providers and state is unknown, and says why."""
    if closed == "secret":
        text = json.loads(site.config.read_text())
        (site.folder / "secret").write_text(text["providers"]["bind"]["key_secret"])
        (site.folder / "secret").chmod(0o600)
        text["providers"]["bind"]["key_secret"] = f"file/{site.folder}/secret"
        site.config.write_text(json.dumps(text))
    else:
        assert site.run("apply", "--yes")[0] == 0
    code, out = as_nobody(site, "--json")
    found = json.loads(out)["findings"]
    of = {(f["id"], f["severity"]) for f in found}
    assert {
        ("SPF-01", "error") if closed == "secret" else ("SPF-02", "ok"),
        ("SYNC-01", "unknown"),
        ("SYNC-02", "unknown"),
    } <= of
    errors = {f["id"] for f in found if f["severity"] == "error"}
    assert errors == ({"SPF-01", "DMARC-01"} if closed == "secret" else set()) and code == bool(errors)
    assert next(f for f in found if f["id"] == "SYNC-01")["message"].count("secret" if closed == "secret" else "keys")
    code, out = as_nobody(site, "--monitoring")
    assert code == (2 if errors else 1) and out.startswith(f"DNSSYNC {'CRITICAL' if errors else 'WARNING'} - ")


def test_it_changes_nothing(site: CheckSite) -> None:
    """No key, no record, no state and no line of exim's log comes of it."""

    def everything() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in sorted(site.folder.rglob("*")) if p.is_file() and "bind" not in str(p)}

    before, log, zone = everything(), site.exim.log(), site.bind.transfer(DOMAIN)
    site.check()
    assert (everything(), site.exim.log(), site.bind.transfer(DOMAIN)) == (before, log, zone)


def test_from_log(site: CheckSite) -> None:
    """exim's log is read only where it is asked for: what left unsigned is found, and the table tells domain, number and way."""
    message = f"From: a@{DOMAIN}\nTo: someone@dest.test\nSubject: x\nMessage-ID: <1@{DOMAIN}>\nDate: Tue, 24 Nov 2026 08:20:00 +0000\n\nText.\n"
    site.exim.send(message.encode(), sender=f"a@{DOMAIN}")
    site.now = time.time()
    assert "log" not in site.found()
    data = site.found("--from-log")
    [row] = [row for row in data["log"]["rows"] if row["domain"] == DOMAIN]
    assert row["messages"] == 1 and row["zone"] == DOMAIN and list(row["transports"]) == ["remote_smtp"]
    assert ("LOG-01", "warning") in {(f["id"], f["severity"]) for f in data["findings"] if f["subject"] == DOMAIN}
    _, out = site.check("--from-log")
    assert "exim's log\n" in out and f"  {DOMAIN}  " in out.replace("\n", "\n  ")


def test_what_many_domains_have_alike_is_told_once() -> None:
    """Six domains with the same words take one block, with three names and a number; what several checks say in the same words takes one line."""
    names = [f"d{n}.example" for n in range(8)]
    facts = Facts(now=1, hostname=HOST, domains=tuple(Domain(n, n, MailPolicy()) for n in names), zones=tuple(names), configured=frozenset(names),
                  have=lambda wish: None)  # fmt: skip
    found = [
        Finding("DMARC-03", Severity.WARNING, name, f"The policy of {name} is none.", f"Publish: _dmarc.{name}.")
        for name in names
    ]
    found += [
        Finding(id, Severity.UNKNOWN, names[0], f"{names[0]} MX could not be looked up.")
        for id in ("MX-01", "MX-02", "MX-03")
    ]
    told = [text for text, _ in check_table.found(facts, found, 100)]
    text = "\n".join(told)
    assert text.count("DMARC-03") == 1 and "d0.example, d1.example, d2.example and 5 more" in text
    assert text.count("could not be looked up") == 1 and "(So also MX-02, MX-03.)" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_records_are_never_broken(width: int) -> None:
    """However narrow the terminal, a record or command stands in one line."""
    record = f'example.org. IN TXT "{"k" * 255}"'
    facts = Facts(now=1, hostname=HOST, domains=(), zones=(), configured=frozenset(), have=lambda wish: None)
    lines = [
        text
        for text, _ in check_table.found(
            facts, [Finding("X-1", Severity.ERROR, HOST, "word " * 60, f"Publish: {record}\nthen: do it")], width
        )
    ]
    assert (
        any(line.endswith(record) for line in lines)
        and lines[-2].endswith("then: do it")
        and lines[-2].startswith("      ")
    )
