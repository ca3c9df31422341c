"""Runs a command and says how much processor time each of its threads took.

    python threads.py sdarts bench --device wgpu --steps 20

The last line of the output is a JSON object: name of the thread to seconds in user and kernel mode. Linux only.
Threads of one name are added up; one that ended more than a fifth of a second before the command is missing.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def seconds(task):
    """Name, user and kernel seconds of a thread."""
    name, fields = task.joinpath("stat").read_text().split("(", 1)[1].rsplit(")", 1)
    fields = fields.split()
    return name, int(fields[11]) / TICK, int(fields[12]) / TICK


def watch(process):
    found = {}
    while process.poll() is None:
        for task in Path(f"/proc/{process.pid}/task").glob("*"):
            try:
                found[task.name] = seconds(task)
            except (OSError, IndexError):
                pass  # it has just ended
        time.sleep(0.05)
    return found


def main():
    process = subprocess.Popen(sys.argv[1:])
    sums = {}
    for name, user, kernel in watch(process).values():
        sum = sums.setdefault(name, [0.0, 0.0])
        sum[0] += user
        sum[1] += kernel
    rounded = {name: [round(user, 2), round(kernel, 2)] for name, (user, kernel) in sums.items()}
    print(json.dumps({"thread_seconds": rounded}))
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
