"""exim's own configuration, changed so that it signs as ever and sends nothing anywhere but to a server of ours on loopback.

What is kept is named, and all else falls away: of the main options those that an expansion may need, of a transport what shapes and
signs the message. So nothing that is unknown here can lead mail, or a connection, elsewhere; only look-ups that the signing options
themselves make go where they always go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dnssync.errors import EximError

HIDDEN = "<value not displayable>"
LISTS = ("domainlist", "hostlist", "addresslist", "localpartlist")
# Main options that what signs may depend on, by expansion or by the shape that a message gets when it is taken in.
MAIN = re.compile(
    r"(exim_path|primary_hostname|qualify_domain|qualify_recipient|headers_charset|exim_user|exim_group|trusted_users|trusted_groups|"
    r"keep_environment|add_environment|perl_startup|perl_at_start|perl_taintmode|lookup_open_max|ldap_\w+|mysql_servers|"
    r"pgsql_servers|redis_servers|ibase_servers|oracle_servers|sqlite_\w+|dns_\w+|disable_ipv6|timezone|local_interfaces|"
    r"message_id_header_\w+|received_header_text|allow_utf8_domains|allow_domain_literals|check_rfc2047_length|"
    r"smtputf8_advertise_hosts|gecos_\w+|unknown_\w+|strip_\w+|uucp_from_\w+|local_from_\w+suffix|local_from_prefix|spf_\w+)"
)
# Options of a transport that shape the message or sign it.
TRANSPORT = re.compile(r"(dkim_\w+|headers_\w+|return_path|return_path_add|delivery_date_add|envelope_to_add|body_only|"
                       r"message_linelength_limit|utf8_downconvert)")  # fmt: skip
AS_USER = re.compile(r"(user|group|initgroups)")
CHANGING = ("transport_filter", "arc_sign")  # change or sign the message too; cannot be carried over
ELSEWHERE = "dnssync.invalid"  # the recipients' domains lie below it; nobody can have it (RFC 6761)
_OPTION = re.compile(r"(?:hide\s+)?(?:(?:no|not)_)?([a-z0-9_]+)\s*(?:=.*)?", re.DOTALL)
_WORDS = {  # a hidden option and what its use looks like in an expansion
    "mysql_servers": "mysql", "pgsql_servers": "pgsql", "redis_servers": "redis", "ibase_servers": "ibase",
    "oracle_servers": "oracle", "ldap_default_servers": "ldap", "sqlite_dbfile": "sqlite", "perl_startup": "${perl",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A configuration to rehearse with. `domains`: by transport the recipients' domain that is routed to it; `left_out`: options of
    the transports, `transport: option`, that change the message and could not be carried over."""

    text: str
    domains: dict[str, str]
    left_out: tuple[str, ...] = ()


def derived(
    config: str, transports: Sequence[str], *, folder: str, port: int, user: str = "", group: str = ""
) -> Rehearsal:
    """From exim's whole configuration (`Exim.config`) one whose `transports` lead to `port` on loopback, with spool and logs in `folder`.

    `user` and `group`: whom exim runs as where it cannot become its own user; "" = its own. Raises `EximError` where something that
    signing depends on is hidden, or a transport is not there.
    """
    main, sections = _sections(config)
    blocks = _blocks(sections.get("transports", ()))
    lacking = [name for name in transports if name not in blocks]
    if lacking:
        raise EximError(f"exim's configuration shows no transport {lacking[0]}, so no test message can be made.")
    kept = {name: [line for line in blocks[name] if _keeps(line, own_user=not user)] for name in transports}
    head = [line for line in main if _keeps_main(line) and not (user and _name(line) in ("exim_user", "exim_group"))]
    rewrite = list(sections.get("rewrite", ()))
    acls = list(sections.get("acl", ()))
    used = "\n".join([*head, *(line for lines in kept.values() for line in lines), *rewrite])
    for line in [*head, *(line for lines in kept.values() for line in lines), *rewrite]:
        _not_hidden(line, used)
    head = [line for line in head if HIDDEN not in line]
    domains = {name: f"t{number}.{ELSEWHERE}" for number, name in enumerate(transports)}
    text = [
        *_ours(folder, user, group),  # first: exim tells of a mistake behind it in this log, and not in the host's own
        *head,
        "begin acl",
        *acls,
        "begin routers",
        *(line for name in transports for line in _router(name, domains[name])),
        "nowhere:\n  driver = redirect\n  data = :blackhole:",  # a bounce, should there ever be one
        "begin transports",
        *(line for name in transports for line in _transport(name, kept[name], port)),
        "begin retry\n* * F,1d,1d",
        "begin rewrite",
        *rewrite,
    ]
    left_out = [f"{name}: {_name(line)}" for name in transports for line in blocks[name] if _name(line) in CHANGING]
    return Rehearsal("\n".join(text) + "\n", domains, tuple(left_out))


def _sections(config: str) -> tuple[list[str], dict[str, list[str]]]:
    """The lines of the main part and of each section; comments and macros, which exim has expanded, left out."""
    main: list[str] = []
    sections: dict[str, list[str]] = {}
    here = main
    for raw in config.splitlines():
        line = raw.strip()
        if begin := re.fullmatch(r"begin\s+(\w+)", line):
            here = sections.setdefault(begin[1], [])
        elif line and not line.startswith(("#", ".")) and not re.match(r"[A-Z]\w*\s*=", line):
            here.append(line)
    return main, sections


def _blocks(lines: Iterable[str]) -> dict[str, list[str]]:
    blocks: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if head := re.fullmatch(r"(\w+):", line):
            name = head[1]
            blocks[name] = []
        elif name:
            blocks[name].append(line)
    return blocks


def _name(line: str) -> str:
    match = _OPTION.fullmatch(line)
    return match[1] if match else ""


def _keeps_main(line: str) -> bool:
    words = re.sub(r"^hide\s+", "", line).split(None, 1)
    return words[0].removesuffix("_cache") in LISTS or MAIN.fullmatch(_name(line)) is not None


def _keeps(line: str, *, own_user: bool) -> bool:
    name = _name(line)
    return TRANSPORT.fullmatch(name) is not None or (own_user and AS_USER.fullmatch(name) is not None)


def _not_hidden(line: str, used: str) -> None:
    """Refuse a line whose value exim hides from us, where signing may depend on it."""
    if HIDDEN not in line:
        return
    bare = re.sub(r"^hide\s+", "", line)
    words = bare.split()
    what = words[1] if words[0] in LISTS else _name(line)
    word = f"+{what}" if words[0] in LISTS else _WORDS.get(what, what.partition("_")[0])
    others = used.replace(line, "")
    if what.startswith(("dkim_", "headers_", "return_path")) or word in others:
        raise EximError(
            f"exim hides the value of {what} from whoever is not its administrator, and signing may depend on it, so no test message "
            "can be made. Run `dnssync check` as root."
        )


def _ours(folder: str, user: str, group: str) -> list[str]:
    lines = [
        f"spool_directory = {folder}/spool",
        f"log_file_path = {folder}/log/%slog",
        f"process_log_path = {folder}/log/process",
        "log_selector = +received_recipients",
        "acl_smtp_rcpt = accept condition = yes",  # one word alone could be the name of an ACL
        "smtp_enforce_sync = false",
        "smtp_accept_max_per_connection = 0",
        "smtp_accept_queue_per_connection = 0",
        "untrusted_set_sender = *",
        "local_from_check = false",
        "local_sender_retain = true",
        "prod_requires_admin = false",
        "message_logs = false",
        "delay_warning =",
        "never_users =",
        "check_spool_space = 0",
        "check_spool_inodes = 0",
        "check_log_space = 0",
        "check_log_inodes = 0",
        "remote_max_parallel = 1",
    ]
    return [*lines, *([f"exim_user = {user}", f"exim_group = {group}"] if user else [])]


def _router(transport: str, domain: str) -> list[str]:
    return [f"to_{transport}:", "  driver = manualroute", f"  domains = {domain}", f"  transport = {transport}",
            "  route_list = * 127.0.0.1", "  self = send", "  no_more"]  # fmt: skip


def _transport(name: str, kept: Sequence[str], port: int) -> list[str]:
    return [f"{name}:", "  driver = smtp", *(f"  {line}" for line in kept), f"  port = {port}", "  allow_localhost",
            "  helo_data = mx.dnssync.invalid", "  connect_timeout = 5s", "  command_timeout = 30s", "  final_timeout = 30s"]  # fmt: skip
