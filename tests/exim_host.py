"""A real exim in a folder of its own, and a sink for what it sends: nothing under /etc or /var is touched.

    with EximHost(hostnames=("example.org",)) as host:
        (host.folder / "selectors").write_text("example.org: s1\\n")
        host.macros(render(host.map, host.keys))        # what `dnssync exim --print` prints, as conf.d/main/zz_dnssync
        host.render()                                   # update-exim4.conf on the copy
        received = host.send(MESSAGE, sender="a@example.org")      # → the messages that reached the sink
        host.exim()                                     # a dnssync.exim.ask.Exim that asks this exim

The configuration is Debian's own (/etc/exim4 copied; package exim4-config), with paths moved into the folder. Mail to
any name under `dest.test` goes to the sink on loopback, by Debian's own means: the file hubbed_hosts, or the smarthost.
Works as root (deliveries then run as Debian-exim) and as an ordinary user.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dnssync.exim.ask import Exim
from dnssync.exim.macros import render
from dnssync.exim.sink import Received, Sink

__all__ = ["EximHost", "Received", "Sink", "needs_exim"]

EXIM = "/usr/sbin/exim4"
CONFDIR = Path("/etc/exim4")
HERE = Path(EXIM).exists() and (CONFDIR / "exim4.conf.template").exists()
# left out only on a machine without exim, and never in CI: there a missing exim is a failure
needs_exim = pytest.mark.skipif(not HERE and not os.environ.get("CI"), reason="no exim4 here (apt install exim4)")
RECIPIENT = "someone@dest.test"


class EximHost:
    """Debian's configuration of a mail host, rendered into a folder; see the module's docstring.

    `configtype`: internet, smarthost or satellite (mail then goes to the sink as to the relay). `hostnames` become
    local domains; `readhost` is the visible name of a satellite, with `hide` its From: is rewritten to it;
    `relay_nets` may relay. `extra` is text of the administrator's own at the head of the configuration.
    """

    def __init__(
        self,
        *,
        configtype: str = "internet",
        split: bool = True,
        hostname: str = "mx.example.org",
        hostnames: tuple[str, ...] = ("example.org",),
        readhost: str = "",
        hide: bool = False,
        relay_nets: str = "",
        relay_domains: str = "",
        smarthost: str = "",
        extra: str = "",
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dnssync-exim-"))  # not tmp_path: Debian-exim must get in
        self.folder.chmod(0o755)
        self.confdir = self.folder / "etc"
        self.config = self.folder / "exim.conf"
        self.map = self.folder / "selectors"
        self.keys = self.folder / "keys"
        self.sink = Sink()
        self._split = split
        user = pwd.getpwnam("Debian-exim") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.user, self.uid, self.gid = user.pw_name, user.pw_uid, user.pw_gid
        shutil.copytree(CONFDIR, self.confdir, ignore=lambda *_: ["passwd.client", "exim4.conf", "zz_dnssync"])
        for name in ("spool", "log", "keys"):
            (self.folder / name).mkdir(mode=0o755)
            os.chown(self.folder / name, self.uid, self.gid)
        self._configure(
            f"dc_eximconfig_configtype='{configtype}'\n"
            f"dc_other_hostnames='{' ; '.join(hostnames)}'\n"
            "dc_local_interfaces='127.0.0.1'\n"
            f"dc_readhost='{readhost}'\ndc_hide_mailname='{str(hide).lower()}'\n"
            f"dc_relay_nets='{relay_nets}'\ndc_relay_domains='{relay_domains}'\n"
            f"dc_smarthost='{smarthost or f'127.0.0.1::{self.sink.port}'}'\n"
            f"dc_use_split_config='{str(split).lower()}'\ndc_minimaldns='false'\nCFILEMODE='644'\n"
        )
        self.head(
            f"CONFDIR = {self.confdir}\nSPOOLDIR = {self.folder}/spool\nlog_file_path = {self.folder}/log/%slog\n"
            f"exim_user = {self.user}\nexim_group = {grp.getgrgid(self.gid).gr_name}\n"
            f"MAIN_HARDCODE_PRIMARY_HOSTNAME = {hostname}\nETC_MAILNAME = {hostname}\nDC_minimaldns = 1\n"
            f"MAIN_KEEP_ENVIRONMENT =\n{extra}"
        )
        # exim takes loopback for itself, whatever the port, until it is told otherwise
        for router in ("hubbed_hosts", "smarthost", "hub_user_smarthost"):
            self.edit(router, "  self = send")
        for transport in ("remote_smtp", "remote_smtp_smarthost"):
            self.edit(transport, "  allow_localhost")
        if configtype == "internet":
            (self.confdir / "hubbed_hosts").write_text(f"dest.test: 127.0.0.1::{self.sink.port}\n")

    def __enter__(self) -> EximHost:
        self.sink.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.sink.__exit__()
        shutil.rmtree(self.folder)

    def _configure(self, text: str) -> None:
        (self.confdir / "update-exim4.conf.conf").write_text(text)

    def head(self, text: str) -> None:
        """Text at the very beginning of the configuration, as an administrator writes local macros."""
        name = "conf.d/main/000_localmacros" if self._split else "exim4.conf.localmacros"
        (self.confdir / name).write_text(text if text.endswith("\n") else text + "\n")

    def macros(self, text: str) -> None:
        """dnssync's macros, where `dnssync exim --install` puts them in the split scheme."""
        assert self._split, "install() knows how to add a block to the unsplit scheme"
        (self.confdir / "conf.d/main/zz_dnssync").write_text(text)

    def switched(self) -> None:
        """The macros installed, a map without a line: dnssync's keys will be used as soon as there are any."""
        self.macros(render(self.map, self.keys))
        self.map.write_text("")
        self.render()

    def edit(self, name: str, lines: str) -> None:
        """Add option lines to a router or transport, as an administrator does who follows printed advice."""
        for file in (self.confdir / "exim4.conf.template", *self.confdir.glob("conf.d/[rt]*/*")):
            text = file.read_text()
            begin = rf"^{name}:\n(?:.*\n)*? *driver = \w+\n"  # private options come after the driver
            file.write_text(re.sub(begin, lambda head: head[0] + lines + "\n", text, flags=re.MULTILINE))

    def key(self, domain: str, selector: str, pem: bytes) -> Path:
        """Store a private key where the macros look for it, readable by exim alone."""
        path = self.keys / domain / f"{selector}.pem"
        path.parent.mkdir(mode=0o755, exist_ok=True)
        path.write_bytes(pem)
        path.chmod(0o640)
        os.chown(path, -1, self.gid)
        return path

    def render(self) -> Path:
        """Render the directory with Debian's own script; the result is `self.config`."""
        source = self.confdir
        if not self._split:  # the script reads its local macros only where /etc/exim4 has some too
            source = Path(tempfile.mkdtemp(dir=self.folder)) / "etc"
            shutil.copytree(self.confdir, source)
            template = source / "exim4.conf.template"
            local = source / "exim4.conf.localmacros"
            if local.exists():
                template.write_bytes(local.read_bytes() + template.read_bytes())
                local.write_bytes(b"")
        subprocess.run(["/usr/sbin/update-exim4.conf", "-d", source, "-o", self.config], check=True)
        self.config.chmod(0o644)
        return self.config

    @property
    def command(self) -> tuple[str, ...]:
        """What starts this exim: for `exim: command:` in a dnssync configuration."""
        return (EXIM, "-C", str(self.config))

    def exim(self, run: Callable[..., Any] = subprocess.run) -> Exim:
        """dnssync's own door to this exim."""
        return Exim(self.command, run=run)

    def send(
        self, message: bytes, *, sender: str, to: tuple[str, ...] = (RECIPIENT,), options: tuple[str, ...] = ()
    ) -> tuple[Received, ...]:
        """Give exim a message (LF line ends) and have it delivered at once; returns what reached the sink meanwhile.

        `options`: more of exim's, such as `-oMa ADDRESS` for mail that came from another host and `-oMai NAME` for an
        authenticated one. Empty: deferred or failed; `self.log()` says why.
        """
        before = len(self.sink.messages)
        argv = [*self.command, "-odi", *options, "-f", sender or "<>", *to]
        done = subprocess.run(argv, input=message, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return tuple(self.sink.messages[before:])

    @contextlib.contextmanager
    def listening(self, *options: str) -> Iterator[int]:
        """This exim as a mail server on a free loopback port; `-odq` among the options only queues. Gives the port."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        command = [*self.command, "-bdf", "-oX", f"127.0.0.1.{port}", "-oP", f"{self.folder}/spool/pid", *options]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                for _ in range(600):
                    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as talk:
                        if talk.recv(3) == b"220":
                            break
                    assert process.poll() is None, self.log()
                    time.sleep(0.1)
                yield port
            finally:
                process.terminate()
                process.wait(60)

    def retry(self) -> tuple[Received, ...]:
        """Deliver what waits in the queue, whatever its retry time; returns what reached the sink meanwhile."""
        before = len(self.sink.messages)
        subprocess.run([*self.command, "-qff"], check=True, capture_output=True, timeout=60)
        return tuple(self.sink.messages[before:])

    def log(self) -> str:
        """exim's main and panic log so far."""
        return "".join(file.read_text() for file in sorted((self.folder / "log").iterdir()))
