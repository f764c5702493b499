"""Run a function of a test module in a Python process of its own, which may then hang, be killed or crash."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_RUN = """
import importlib, json, sys
folder, module, name, args = sys.argv[1:]
sys.path.insert(0, folder)
print(json.dumps(getattr(importlib.import_module(module), name)(*json.loads(args))))
"""


def run(function, *args, env=None, timeout=60, prefix=()):
    """Run `function(*args)` under the command `prefix`; the finished process. `env` sets variables, None unsets one."""
    variables = {k: v for k, v in (os.environ | (env or {})).items() if v is not None}
    where = [str(Path(inspect.getfile(function)).parent), Path(inspect.getfile(function)).stem, function.__name__]
    command = [*prefix, sys.executable, "-c", _RUN, *where, json.dumps(args)]
    return subprocess.run(command, env=variables, timeout=timeout, capture_output=True, text=True, check=False)


def result(function, *args, **options):
    """Return what `function(*args)` returns in a process of its own, by way of JSON."""
    done = run(function, *args, **options)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


def status_of_fork(work, seconds=20):
    """Fork, do `work` in the child: its exit status, or "hangs" after so many seconds."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hangs"
