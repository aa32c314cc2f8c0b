"""One dynamic update of example.org at the name server of `tests/boot`: KEYFILE, and nsupdate's lines (`update add …`, `update delete …`)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update

_, file, lines = sys.argv
[secret] = re.findall(r'secret "([^"]+)"', Path(file).read_text())
update = dns.update.UpdateMessage("example.org", keyring=dns.tsigkeyring.from_text({"dnssync": secret}))
for line in lines.split("\\n"):
    _, what, name, *rest = line.split()
    if what == "add":
        update.add(name, int(rest[0]), rest[1], " ".join(rest[2:]))
    else:
        update.delete(name, *rest)
answer = dns.query.tcp(update, "127.0.0.1", timeout=10)
if answer.rcode() != dns.rcode.NOERROR:
    sys.exit(f"the name server says {dns.rcode.to_text(answer.rcode())}")
