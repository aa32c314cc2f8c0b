"""Stands in for pip where `make install-service` is tried: notes what was asked of it, and makes the one script that matters."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

asked = {"arguments": sys.argv[1:], "umask": oct(os.umask(0o022))}
if "-r" in sys.argv:
    asked["requirements"] = Path(sys.argv[sys.argv.index("-r") + 1]).read_text()
with Path(os.environ["PIP_ASKED"]).open("a") as log:
    log.write(json.dumps(asked) + "\n")
if sys.argv[-1] == ".":
    script = Path(sys.prefix, "bin", "dnssync")
    script.write_text(f"#!{sys.prefix}/bin/python\nimport sys\nfrom dnssync.cli import main\nsys.exit(main())\n")
    script.chmod(0o755)
    told = next(Path(sys.prefix, "lib").glob("python3*/site-packages")) / "dnssync-0.dist-info" / "direct_url.json"
    told.parent.mkdir(exist_ok=True)
    told.write_text(json.dumps({"url": Path.cwd().as_uri()}))
