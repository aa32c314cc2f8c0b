"""What a command costs, as JSON on standard output: seconds of wall and CPU, megabytes, its exit code.

    python -I -S bench/spent.py OUT COMMAND ARGUMENT …

Its output goes to the file OUT. A process of its own, and a small one, since the kernel counts to a child's peak what its parent held when it was
started. CPU is that of the command and of all processes that it waited for, the peak that of the largest of them.
"""

import json
import os
import subprocess
import sys
import time

with open(sys.argv[1], "wb") as out:  # noqa: PTH123 - pathlib would make this process larger
    began = time.perf_counter()
    process = subprocess.Popen(sys.argv[2:], stdout=out, stderr=out)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
process.returncode = os.waitstatus_to_exitcode(status)
told = {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "rss": used.ru_maxrss / 1024, "code": process.returncode}
print(json.dumps(told))
