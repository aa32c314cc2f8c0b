"""`dnssync init`: a first configuration from what exim and DNS say."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from dnssync import config as configuration
from dnssync.cli.context import Context, json_option
from dnssync.config import EximConfig
from dnssync.core.host import Host
from dnssync.core.sighting import Answer, Question
from dnssync.errors import RefusedError
from dnssync.exim.ask import Exim
from dnssync.exim.observe import observe
from dnssync.files import group_id, make_directory, write_atomically
from dnssync.keystore import GROUP
from dnssync.resolver import Resolver

EXAMPLES = {
    "gandi": "token: credential/gandi-token    # a personal access token",
    "cloudflare": "token: credential/cloudflare-token    # an API token that may edit the zone's DNS",
    "desec": "token: credential/desec-token    # a token of the account that has the domain",
    "ovh": "endpoint: ovh-eu            # where the keys were made\n    application_key: credential/ovh-application-key"
           "\n    application_secret: credential/ovh-application-secret\n    consumer_key: credential/ovh-consumer-key",
    "hetzner": "token: credential/hetzner-token  # an API token (Read & Write) of the project that has the zone",
    "rfc2136": "host: 192.0.2.53            # the zone's primary\n    key_name: dnssync\n    key_secret: credential/tsig-secret"
               "\n    key_algorithm: hmac-sha256",
    "powerdns": "host: 127.0.0.1             # where its API listens\n    api_key: credential/pdns-api-key",
    "zonefile": "directory: /etc/bind/zones\n    file_extension: .zone\n    # reload: [/usr/sbin/rndc, reload]",
    "manual": "type99: false               # whether its form knows records of type SPF",
}  # fmt: skip


@click.command(name="init")
@click.option(
    "--provider",
    type=click.Choice(list(EXAMPLES)),
    default="manual",
    show_default=True,
    help="The class of the first provider.",
)
@click.option(
    "--exim",
    "command_",
    default=EximConfig().command[0],
    show_default=True,
    metavar="COMMAND",
    help="How exim is started.",
)
@click.option("--print", "show", is_flag=True, help="Print it, write nothing.")
@click.option("--force", is_flag=True, help="Replace a configuration that is there.")
@json_option
@click.pass_obj
def command(context: Context, provider: str, command_: str, show: bool, force: bool) -> int:
    """Ask exim which domains it has, and DNS which zones hold them, and write a first configuration.

    It goes to -c FILE, else $DNSSYNC_CONFIG, else /etc/dnssync/dnssync.yaml; one that is there is replaced only with --force.
    """
    path = configuration.find(context.config_option, context.environ)
    if path.exists() and not show and not force:
        raise RefusedError(
            f"{path} is there already and stays as it is. --print shows what would be written, --force replaces it."
        )
    exim = command_.split()
    resolver = Resolver()
    host = observe(Exim(exim), [], lookup=lambda name, kind: resolver.texts(name, kind))
    local = [mail for mail in host.domains if mail.local]
    zones = zones_of([mail.name for mail in local], resolver)
    text = first(host, zones, provider, exim)
    configuration.parse(text, path)  # what is written must be readable; a mistake here is ours
    if show:
        if context.json:
            context.emit({"file": str(path), "zones": zones, "text": text, "exit": 0})
        else:
            context.stdout.write(text)
        return 0
    make_directory(path.parent, mode=0o755)
    # A secret may come to stand in it: nobody reads it but root and the group that the service runs with.
    write_atomically(path, text.encode(), mode=0o640, group=group_id(GROUP))
    if context.json:
        context.emit({"file": str(path), "zones": zones, "exit": 0})
    context.say(f"Wrote {path}: {len(local)} domains of exim {host.version} in {len(zones)} zones.")
    context.say("Fill in the provider, then look at what dnssync would do: dnssync plan")
    return 0


def zones_of(domains: Sequence[str], resolver: Resolver) -> dict[str, list[str]]:
    """The zone of each domain: the nearest name above it with a SOA of its own; where DNS is silent, the domain itself."""
    above = {domain: [domain, *_parents(domain)] for domain in domains}
    answers = resolver.look({Question(name, "SOA") for names in above.values() for name in names})
    zones: dict[str, list[str]] = {}
    for domain, names in above.items():
        holding = (name for name in names if _is_zone(answers[Question(name, "SOA")]))
        zones.setdefault(next(holding, domain), []).append(domain)
    return zones


def _parents(domain: str) -> list[str]:
    """The names above a domain, down to two labels."""
    labels = domain.split(".")
    return [".".join(labels[start:]) for start in range(1, len(labels) - 1)]


def _is_zone(answer: Answer) -> bool:
    """Whether a name has a SOA of its own, not one behind a CNAME, which no zone begins with (RFC 1034 §3.6.2)."""
    return answer.known and bool(answer.texts) and not any(reply.note.startswith("CNAME") for reply in answer.replies)


def first(host: Host, zones: dict[str, list[str]], provider: str, exim: Sequence[str]) -> str:
    """The configuration as a text, with what exim told of addresses and their doubts as comments."""
    local = [mail for mail in host.domains if mail.local]
    lines = [
        "# dnssync: written by `dnssync init`; config/dnssync.yaml in the sources shows every option.",
        f"# exim {host.version} on {host.hostname} has the domains below.",
        "providers:",
        "  first:",
        f"    class: {provider}",
        f"    {EXAMPLES[provider]}",
        "zones:",
    ]
    if not zones:
        lines.append("  # exim has no mail domain of two labels or more yet; this one stands for yours")
        zones = {"example.org": []}
    for zone, domains in sorted(zones.items()):
        lines += [f"  {zone}:", "    provider: first"]
        if any(domain != zone for domain in domains):
            lines.append(f"    # exim has in it: {', '.join(domains)}")
    sources = dict.fromkeys(f"{address.ip} ({address.source})" for mail in local for address in mail.addresses)
    if sources:
        lines.append(f"# mail leaves from {', '.join(sources)}")
    for problem in dict.fromkeys(problem.sentence for mail in local for problem in mail.problems):
        lines.append("# to settle: " + problem.replace("\n", " "))
    if any(mail.problems for mail in local) or not sources:
        lines.append("# addresses: [192.0.2.1]    # the public addresses that mail leaves from")
    if list(exim) != list(EximConfig().command):
        lines.append(f"exim: {{command: {json.dumps(list(exim))}}}")  # a JSON list is a YAML one
    return "\n".join(lines) + "\n"
