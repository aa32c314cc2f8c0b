"""The configuration: every option and its default, every mistake at once with its path, and secrets that stay secret."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from dnssync import config
from dnssync.cli.init import EXAMPLES
from dnssync.config import Config, EximConfig, ProviderConfig, duration, parse
from dnssync.config_check import Schedule
from dnssync.config_service import AlertConfig
from dnssync.core.policy import DkimPolicy, DmarcPolicy, MailPolicy, SpfPolicy
from dnssync.errors import ConfigError
from dnssync.zones import Zones

HERE = Path("site.yaml")
SHIPPED = Path(__file__).parents[1] / "config" / "dnssync.yaml"
SMALL = "providers: {p: {class: manual}}\nzones: {example.org: {provider: p}}\n"


def mistakes(text: str) -> list[str]:
    """What is wrong with a configuration."""
    with pytest.raises(ConfigError) as caught:
        parse(text, HERE)
    return list(caught.value.mistakes)


def zone(lines: str) -> str:
    """A configuration whose one zone has these options, in flow style."""
    return f"providers: {{p: {{class: manual}}}}\nzones: {{example.org: {{provider: p, {lines}}}}}\n"


# --- the file that is shipped -----------------------------------------------------------------------------------------


def test_shipped_file_says_the_defaults() -> None:
    """The file that lists all options changes none of them."""
    shipped, small = config.load(SHIPPED), parse(SMALL, HERE)

    assert shipped.zones["example.org"].policy == small.zones["example.org"].policy == MailPolicy()
    for name in ("exim", "addresses", "keys", "state", "schedule", "disclose", "alerts", "metrics"):
        assert getattr(shipped, name) == getattr(small, name), name
    assert shipped.zones["example.org"].nameservers == ()
    assert shipped.zones["example.org"].domains is None


def test_shipped_file_has_every_option() -> None:
    """Every option stands in the file, live or commented out, with a sentence behind it."""
    text = SHIPPED.read_text()
    policy = [f.name for kind in (MailPolicy, SpfPolicy, DkimPolicy, DmarcPolicy) for f in dataclasses.fields(kind)]
    others = [f.name for kind in (EximConfig, Schedule, AlertConfig) for f in attrs.fields(kind)]
    top = [f.name for f in attrs.fields(Config) if f.name != "file"]
    names = {*policy, *others, *top, "provider", "domains", "nameservers", "defaults", "class", "from"}
    names -= {"all_explicit", "explicit", "sender"}

    assert sorted(n for n in names if not re.search(rf"^\s*(# )?{n}:", text, re.MULTILINE)) == []
    leaves = [line for line in text.splitlines() if re.match(r"(\s+# )?\s*[a-z_]+: \S", line)]
    assert [line for line in leaves if not re.search(r"\S +# \S", line.lstrip(" #"))] == []


def test_what_is_commented_out_would_load() -> None:
    """An option that the file shows in a comment is taken when its `#` is removed."""
    live = re.sub(r"^(\s+)# ([a-z]+: \S)", r"\1\2", SHIPPED.read_text(), flags=re.MULTILINE)
    got = parse(live, SHIPPED).zones["example.org"]

    assert (got.policy.dmarc.sp, got.policy.dmarc.np, got.policy.dmarc.adkim, got.domains) == (
        "none", "none", "r", ("example.org",),
    )  # fmt: skip


# --- what it becomes --------------------------------------------------------------------------------------------------


def test_a_zone_lays_its_options_over_the_defaults() -> None:
    """What a zone does not say comes from `defaults`, and only its own words count as said for it."""
    text = """
providers: {p: {class: manual}}
defaults: {ttl: 600, spf: {all: softfail, extra: ["include:spf.example.net"]}, dmarc: {p: reject}, dkim: {lifetime: 30d}}
zones:
  example.org: {provider: p}
  example.net: {provider: [p], spf: {all: neutral}, dmarc: {sp: none}, dkim: {algorithms: [rsa1024]}, parked: true}
"""
    zones = parse(text, HERE).zones
    org, net = zones["example.org"].policy, zones["example.net"].policy

    assert org == MailPolicy(
        ttl=600, spf=SpfPolicy(all="softfail", extra=("include:spf.example.net",)), dmarc=DmarcPolicy(p="reject"),
        dkim=DkimPolicy(lifetime=30 * 86400),
    )  # fmt: skip
    assert net == MailPolicy(
        ttl=600,
        spf=SpfPolicy(all="neutral", extra=("include:spf.example.net",), all_explicit=True),
        dmarc=DmarcPolicy(p="reject", sp="none", explicit=frozenset({"sp"})),
        dkim=DkimPolicy(lifetime=30 * 86400, algorithms=("rsa1024",)),
        parked=True,
    )


def test_names_are_a_labels_in_lower_case() -> None:
    """Zones and domains may be written as people write them."""
    text = (
        "providers: {p: {class: manual}}\nzones: {'BÜCHER.Example.': {provider: p, domains: [Mail.bücher.example.]}}\n"
    )
    [got] = parse(text, HERE).zones.values()

    assert (got.name, got.domains) == ("xn--bcher-kva.example", ("mail.xn--bcher-kva.example",))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90d", 7776000), ("15m", 900), ("24h", 86400), ("30s", 30), ("2w", 1209600),
     ("90", None), ("d", None), ("1.5h", None), ("-3d", None), ("3 days", None), (90, None)],
)  # fmt: skip
def test_durations(text: object, seconds: int | None) -> None:
    """A number and a unit; anything else is no duration."""
    assert duration(text) == seconds


def test_where_the_file_is_looked_for() -> None:
    """The option comes before the environment, and both before /etc."""
    assert config.find("a.yaml", {"DNSSYNC_CONFIG": "b.yaml"}) == Path("a.yaml")
    assert config.find(None, {"DNSSYNC_CONFIG": "b.yaml"}) == Path("b.yaml")
    assert config.find(None, {}) == Path("/etc/dnssync/dnssync.yaml")


@pytest.mark.parametrize(
    ("state", "folder"),
    [
        ("sqlite:////srv/dns/state.db", "/srv/dns"),
        ("sqlite:////srv/dns/state.db?timeout=3", "/srv/dns"),
        ("postgresql+psycopg://dnssync@db.example.org/dnssync", "/srv/mail"),
    ],
)
def test_where_the_lock_lies(state: str, folder: str) -> None:
    """Beside an SQLite state; above the keys where the state is on another machine."""
    assert parse(SMALL + f"state: '{state}'\nkeys: /srv/mail/keys\n", HERE).state_directory == Path(folder)


def test_one_name_for_the_secrets_file() -> None:
    """Whoever goes from the README to the shipped file, the page about providers or `init` finds the same file."""
    texts = [
        (SHIPPED.parents[1] / name).read_text() for name in ("README.md", "docs/providers.md", "config/dnssync.yaml")
    ]
    named = [set(re.findall(r"credential/tsig[-.\w]*", text)) for text in (*texts, EXAMPLES["rfc2136"])]
    assert named == [{"credential/tsig-secret"}] * 4
    assert set(re.findall(r"\S*/tsig[-.\w]*", texts[0])) == {
        "credential/tsig-secret",
        f"{config.CREDENTIALS}/tsig-secret",
    }


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_five_mistakes_are_told_at_once() -> None:
    """One run tells them all, each with its path and the file."""
    text = """
providers: {p: {class: manual}}
zones:
  example.org: {provider: q, spf: {all: hard}, dmarc: {rua: [postmaster@example.org]}}
  org: {provider: p}
keys: keys
"""
    with pytest.raises(ConfigError) as caught:
        parse(text, HERE)

    assert str(caught.value).splitlines() == [
        "site.yaml: zones.example.org.provider: 'q' is not one of `providers`",
        "site.yaml: zones.example.org.spf.all: 'hard' is not one of fail, softfail, neutral, pass",
        "site.yaml: zones.example.org.dmarc.rua[0]: 'postmaster@example.org' is no report address; write "
        "mailto:postmaster@{domain}",
        "site.yaml: zones.org: 'org' is not a domain name of two labels or more",
        "site.yaml: keys: must be an absolute path, not 'keys'",
    ]
    assert caught.value.exit_code == 78


def test_mistakes_of_every_kind_are_told_at_once() -> None:
    """What is wrong in YAML, in an option, in a provider's options, in what a provider makes of them, and a secret that
    cannot be read: one round, over several providers, in the order of the file."""
    text = """
providers:
  one: {class: rfc2136, host: 192.0.2.1, port: "53", key_nam: k, key_secret: env/ABSENT}
  two: {class: rfc2136, host: 192.0.2.1, port: 70000, key_algorithm: hmac-sha265}
  three: {class: gandy, token: env/GONE}
  four: {token: x}
zones:
  example.org: {provider: [one, two, three], ttl: 5}
  example.net: {provider: three, ttl: 300, ttl: 600}
"""
    with pytest.raises(ConfigError) as caught:
        parse(text, HERE, resolve=lambda source: config.secret(source, {}))

    assert [mistake.partition(" ")[0] for mistake in caught.value.mistakes] == [
        "line", "providers.four.class:",
        "providers.one.key_secret:", "providers.one.key_nam:", "providers.one.port:",
        "providers.two.port:", "providers.two.key_algorithm:", "providers.three.class:", "providers.three.token:",
        "zones.example.org.ttl:",
    ]  # fmt: skip


def test_mistakes_of_providers_alone_are_told_at_once() -> None:
    """Where nothing else is wrong, the providers are looked at when a pass begins, all of them."""
    text = """
providers:
  one: {class: rfc2136, host: 192.0.2.1, port: 0, ipv6: true, timeout: 0}
  two: {class: zonefile}
zones: {example.org: {provider: [one, two]}}
"""
    with pytest.raises(ConfigError) as caught:
        Zones(parse(text, HERE))

    assert [mistake.partition(" ")[0] for mistake in caught.value.mistakes] == [
        "providers.one.port:", "providers.one.timeout:", "providers.two.directory:",
    ]  # fmt: skip


def test_loading_imports_no_provider() -> None:
    """A configuration that is right is read without its plug-ins: only a pass needs them."""
    code = (
        "import sys; from pathlib import Path; from dnssync import config; config.load(Path(sys.argv[1])); "
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, SHIPPED], capture_output=True, text=True, check=True)

    assert "dnssync.config" in done.stdout
    assert not {"dnssync_providers", "dns", "importlib.metadata"} & set(done.stdout.split())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SMALL + "zone: {}\n", "zone: is not an option; did you mean zones?"),
        (SMALL + "defaults: {spf: {mechanism: [mx]}}\n",
         "defaults.spf.mechanism: is not an option; did you mean mechanisms?"),
        (zone("nameserver: [192.0.2.1]"), "zones.example.org.nameserver: is not an option; did you mean nameservers?"),
        (zone("dkim: {lifetimes: 3d}"), "zones.example.org.dkim.lifetimes: is not an option; did you mean lifetime?"),
        (SMALL + "exim: {maps: /m}\n", "exim.maps: is not an option; did you mean map?"),
        (SMALL + "schedule: {intervall: 3m}\n", "schedule.intervall: is not an option; did you mean interval?"),
        ("providers: {gandi: {class: manual}}\nzones: {example.org: {provider: ghandi}}\n",
         "zones.example.org.provider: 'ghandi' is not one of `providers`; did you mean gandi?"),
    ],
)  # fmt: skip
def test_what_is_mistyped_gets_a_question(text: str, told: str) -> None:
    """An unknown key is an error, and a near one is named."""
    assert mistakes(text) == [told]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["providers: is missing; at least one is needed", "zones: is missing; at least one is needed"]),
        ("zones: [a]\nproviders: {p: {class: manual}}\n", ["zones: must be a mapping (`key: value` lines)"]),
        ("- a\n", ["must be a mapping (`key: value` lines)"]),
        ("providers: {p: {}}\nzones: {example.org: }\n",
         ["providers.p.class: is missing", "zones.example.org.provider: is missing"]),
        (SMALL + "addresses: [10.0.0.1, 'fe80::1', 100.64.1.1, '::ffff:192.168.1.1', 127.0.0.1, 1.2.3, 192.0.2.1]\n",
         ["addresses[0]: 10.0.0.1 is a private address: receivers never see it. Name the public one",
          "addresses[1]: fe80::1 is a private", "addresses[2]: 100.64.1.1 is a private",
          "addresses[3]: 192.168.1.1 is a private", "addresses[4]: 127.0.0.1 is a private",
          "addresses[5]: '1.2.3' is no IP address"]),
        (zone("nameservers: [192.0.2.300, '[::1', '1::2::3', 'ns.example.org:0', 'ns.example.org:99999', 'a b']"),
         [f"zones.example.org.nameservers[{n}]: " for n in range(6)]),
        (zone("domains: [example.net, notexample.org, org]"),
         ["zones.example.org.domains[2]: 'org' is not a domain name",
          "zones.example.org.domains: example.net does not lie in the zone example.org",
          "zones.example.org.domains: notexample.org does not lie in the zone example.org"]),
        ("providers: {p: {class: manual}}\nzones: {example.org: {provider: p}, EXAMPLE.org.: {provider: p}}\n",
         ["zones.EXAMPLE.org.: is the same zone as another entry"]),
        (zone("ttl: 5"), ["zones.example.org.ttl: must be a number of seconds from 60 to 604800, not 5"]),
        (zone("ttl: true, adopt: maybe"), ["zones.example.org.ttl: must be", "zones.example.org.adopt: must be true or"]),
        (zone("dkim: {algorithms: [rsa512, ed25519]}"), ["zones.example.org.dkim.algorithms[0]: 'rsa512' is not one of"]),
        (zone("dkim: {algorithms: [ed25519]}"), ["zones.example.org.dkim.algorithms: needs an RSA key"]),
        (zone("dkim: {algorithms: [rsa1024, rsa2048]}"), ["zones.example.org.dkim.algorithms: names two algorithms"]),
        (zone("dkim: {lifetime: 90}"), ["zones.example.org.dkim.lifetime: 90 is no duration; write 90d"]),
        (zone("dmarc: {p: monitor, adkim: strict}"),
         ["zones.example.org.dmarc.p: 'monitor' is not one of none, quarantine, reject",
          "zones.example.org.dmarc.adkim: 'strict' is not one of r, s"]),
        (zone("spf: {extra: ['-all', 'ip4:300.1.1.1', 'a mx', 'include:a.example'], type99: yes}"),
         ["zones.example.org.spf.extra[0]: '-all' must be one SPF term, and not `all`",
          "zones.example.org.spf.extra[1]: ", "zones.example.org.spf.extra[2]: ",
          "zones.example.org.spf.type99: True is not one of auto, never"]),
        (SMALL + "exim: {command: exim4, map: m}\n", ["exim.command: must begin with the absolute", "exim.map: must be"]),
        (SMALL + "state: state.db\n", ["state: 'state.db' is no database URL"]),
        (SMALL + "schedule: {interval: often}\n", ["schedule.interval: 'often' is no duration"]),
        (SMALL + "schedule: {check: sometimes}\n", ["schedule.check: 'sometimes' is no duration"]),
        (SMALL + "schedule: {deep: never}\n", ["schedule.deep: 'never' is no duration"]),
    ],
)  # fmt: skip
def test_mistakes_and_their_paths(text: str, told: list[str]) -> None:
    """Each mistake is told once, under its path, with what would be right."""
    got = mistakes(text)

    assert len(got) == len(told), got
    assert [line[: len(want)] for line, want in zip(got, told, strict=True)] == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SMALL + "keys: /a\nkeys: /b\n", "line 4, column 1: 'keys' stands there twice"),
        (
            "providers: {p: {class: manual}}\nzones:\n  a.example: {provider: p}\n  a.example: {}\n",
            "line 4, column 3: 'a.example' stands there twice",
        ),
        (zone("[1]: 2"), "line 2, column 36: [1] cannot be a key"),
        ("zones: [a\n", "line 2, column 1: "),
        ("zones: !!python/object/apply:os.system [true]\n", "line 1, column 8: could not determine a constructor"),
        ("zones: \x00", "is not YAML: "),
    ],
)
def test_yaml_mistakes_have_a_line(text: str, told: str) -> None:
    """What is no YAML, or says a key twice, is told with line and column; nothing in it is ever run."""
    [got] = mistakes(text)

    assert got.startswith(told)


def test_nameservers_that_are_taken() -> None:
    """Addresses of both families and names, with a port or without."""
    servers = ["192.0.2.53", "127.0.0.1:5353", "2001:db8::1", "[2001:db8::1]:53", "[::1]", "ns1.example.org"]

    assert parse(zone(f"nameservers: {servers}"), HERE).zones["example.org"].nameservers == tuple(servers)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file names the command that writes one; one that cannot be read says why."""
    with pytest.raises(ConfigError, match=r"none\.yaml: there is no such file\. `dnssync init` writes"):
        config.load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"\A\S+: is a directory; name the file in it\.\Z"):
        config.load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"zones: \xff\n")
    with pytest.raises(ConfigError, match=r"latin\.yaml: is not UTF-8 text: octet 8 cannot"):
        config.load(tmp_path / "latin.yaml")
    with pytest.raises(ConfigError, match=r"latin\.yaml/below: cannot be read: Not a directory\. Run dnssync as root"):
        config.load(tmp_path / "latin.yaml" / "below")


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_where_secrets_come_from(tmp_path: Path) -> None:
    """The environment, a file by its absolute path, a systemd credential; anything else is the secret itself."""
    (tmp_path / "gandi").write_text("s3cret\n")
    (tmp_path / "dnssync_tsig").write_text("of a folder\n")
    (tmp_path / "dnssync_bind_tsig").write_text("of a folder in it\n")
    environ = {"GANDI": "s3cret", "CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert config.secret("env/GANDI", environ) == "s3cret"
    assert config.secret(f"file/{tmp_path}/gandi", environ) == "s3cret"
    assert config.secret("credential/gandi", environ) == "s3cret"
    assert config.secret("credential/tsig", environ) == "of a folder"
    assert config.secret("credential/bind/tsig", environ) == "of a folder in it"
    assert config.secret("credential/gandi", {}, tmp_path) == "s3cret"
    assert config.secret("s3cret", environ) == "s3cret"
    assert config.secret("abc/def+ghi==", environ) == "abc/def+ghi=="


@pytest.mark.parametrize(
    ("text", "environ", "told"),
    [
        ("env/GANDI", {}, "env/GANDI: the environment has no variable GANDI"),
        ("file//nonexistent/gandi", {}, "file//nonexistent/gandi: /nonexistent/gandi cannot be read: No such file"),
        ("credential/gandi-x", {}, "credential/gandi-x: /etc/dnssync/credentials/gandi-x cannot be read: No such file"),
        ("credential/gandi", {"CREDENTIALS_DIRECTORY": "/nonexistent"},
         "/nonexistent/dnssync_gandi cannot be read: No such file or directory. Put it into /etc/dnssync/credentials/gandi, as a plain file and no link, and restart"),
    ],
)  # fmt: skip
def test_a_missing_secret_names_its_source(text: str, environ: dict[str, str], told: str) -> None:
    """Never an empty secret: the error says where it was looked for."""
    with pytest.raises(ConfigError, match=re.escape(told)):
        config.secret(text, environ)


def test_a_missing_secret_names_the_option() -> None:
    """Where a provider is built, the error leads to the line of the configuration."""
    text = SMALL.replace("class: manual", "class: rfc2136, host: 192.0.2.1, key_name: k, key_secret: env/TSIG")
    with pytest.raises(ConfigError) as caught:
        Zones(parse(text, HERE), resolve=lambda source: config.secret(source, {}))

    assert str(caught.value) == "site.yaml: providers.p.key_secret: env/TSIG: the environment has no variable TSIG"


def test_a_secret_that_is_not_text_is_not_shown(tmp_path: Path) -> None:
    """A file of octets is an error without the octets."""
    (tmp_path / "gandi").write_bytes(b"s3cret\xff")
    with pytest.raises(ConfigError, match="is not text") as caught:
        config.secret(f"file/{tmp_path}/gandi", {})

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["token", "key_secret", "API_TOKEN", "password", "passwd", "key", "api_key", "apikey"])
def test_secrets_are_not_in_a_repr(name: str) -> None:
    """A log line or a traceback that holds the configuration holds no secret, however deep it lies."""
    text = f"providers: {{p: {{class: manual, {name}: s3cret, deep: {{{name}: s3cret}}}}}}\nzones: {{example.org: {{provider: p}}}}\n"
    got = parse(text, HERE)

    assert got.providers["p"].options[name] == "s3cret"
    assert "s3cret" not in repr(got)
    assert "s3cret" not in repr(got.providers)


def test_what_is_no_secret_is_in_a_repr() -> None:
    """A reference says only where the secret lies, and a key's name is none."""
    options = {"token": "env/GANDI", "key": "file//etc/k", "key_name": "dnssync", "host": "192.0.2.1"}

    for text in options.values():
        assert text in repr(ProviderConfig("p", "rfc2136", options))


def test_a_password_in_the_state_is_not_in_a_repr() -> None:
    """A database URL keeps its user and host, not its password."""
    got = parse(SMALL + "state: postgresql+psycopg://dns:s3c:r@t@db.example.org/dnssync\n", HERE)

    assert "postgresql+psycopg://dns:…@db.example.org/dnssync" in repr(got)
    assert "s3c" not in repr(got)


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 86400), ("schedule: {check: 12h}\n", 43200), ("schedule: {check: never}\n", 0)]
)
def test_the_daily_check(text: str, seconds: int) -> None:
    """Once a day, at another rhythm, or never."""
    assert parse(SMALL + text, Path("x.yaml")).schedule.check == seconds
