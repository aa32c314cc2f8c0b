"""The options of the daemon alone: whom it tells, and where it counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dnssync.config import parse
from dnssync.config_service import AlertConfig
from dnssync.errors import ConfigError

HERE = Path("site.yaml")
SMALL = "providers: {p: {class: manual}}\nzones: {example.org: {provider: p}}\n"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", {}),
        ("alerts:", {}),
        ("alerts: {mail: []}", {"mail": ()}),
        ("alerts: {mail: ops@example.org}", {"mail": ("ops@example.org",)}),
        ("alerts: {mail: [Postmaster, a+b@example.org], from: dns@example.org}",
         {"mail": ("postmaster", "a+b@example.org"), "sender": "dns@example.org"}),
        ("alerts: {after: 30m, digest: true}", {"after": 1800, "digest": True}),
        ("alerts: {hook: [/usr/local/bin/tell, --loud]}", {"hook": ("/usr/local/bin/tell", "--loud")}),
        ("alerts: {hook: /usr/local/bin/tell}", {"hook": ("/usr/local/bin/tell",)}),
        ("alerts: {smtp: '[::1]:2525'}", {"smtp": ("::1", 2525)}),
        ("alerts: {smtp: mail.example.org}", {"smtp": ("mail.example.org", 25)}),
    ],
)  # fmt: skip
def test_who_is_told(text: str, want: dict[str, Any]) -> None:
    """The postmaster of this host after six hours, where nothing else is said; each option changes itself alone."""
    assert parse(SMALL + text, HERE).alerts == AlertConfig(**want)


def test_where_it_counts() -> None:
    """Nowhere, unless a file is named."""
    assert parse(SMALL, HERE).metrics is parse(SMALL + "metrics:\n", HERE).metrics is None
    assert parse(SMALL + "metrics: /srv/dnssync.prom\n", HERE).metrics == Path("/srv/dnssync.prom")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("alerts: {mails: [a@example.org]}", ["alerts.mails: is not an option; did you mean mail?"]),
        ("alerts: [root]", ["alerts: must be a mapping"]),
        ("alerts: {mail: [root, 'A <a@example.org>', 3]}",
         ["alerts.mail[0]: 'root' is no mail address; write postmaster@example.org, or postmaster alone",
          "alerts.mail[1]: 'A <a@example.org>' is no", "alerts.mail[2]: '3' is no"]),
        ("alerts: {mail: {a: b}}", ["alerts.mail: must be a list"]),
        ("alerts: {from: postmaster}", ["alerts.from: 'postmaster' is no mail address; write postmaster@example.org"]),
        ("alerts: {after: soon}", ["alerts.after: 'soon' is no duration"]),
        ("alerts: {hook: [tell, 3]}", ["alerts.hook[1]: must be a text", "alerts.hook: must begin with the absolute path"]),
        ("alerts: {digest: weekly}", ["alerts.digest: must be true or false"]),
        ("alerts: {smtp: 'localhost:99999'}", ["alerts.smtp: 'localhost:99999' is no mail server"]),
        ("alerts: {smtp: 'a b'}", ["alerts.smtp: 'a b' is no mail server"]),
        ("metrics: dnssync.prom", ["metrics: must be an absolute path, not 'dnssync.prom'", "metrics: must end in .prom"]),
        ("metrics: /srv/dnssync.txt", ["metrics: must end in .prom, since node_exporter reads nothing else; '/srv/dnssync.txt'"]),
        ("alerts: {after: never, smtp: ''}\nmetrics: /x", ["alerts.after: 'never' is no", "metrics: must end"]),
    ],
)  # fmt: skip
def test_mistakes_are_told_together(text: str, told: list[str]) -> None:
    """Each mistake is told once, under its path, with what would be right."""
    with pytest.raises(ConfigError) as caught:
        parse(SMALL + text, HERE)
    got = caught.value.mistakes

    assert [line[: len(want)] for line, want in zip(got, told, strict=True)] == told
