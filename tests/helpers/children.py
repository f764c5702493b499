"""Run functions of a test module in Python processes of their own, which may then hang, be killed or crash."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

_CALL = """
import importlib, json, os, sys, threading, traceback

def call(folders, module, name, args):
    sys.path[:0] = [folder for folder in folders if folder not in sys.path]
    return getattr(importlib.import_module(module), name)(*args)
"""

_RUN = f"""{_CALL}
print(json.dumps(call(*json.loads(sys.argv[1]))))
"""

# Answers go to what was standard output; what functions print, to standard error. A process in which a call that was
# given up goes on is not used again: it would take time from others, and hold locks while they fork.
_SERVE = f"""{_CALL}
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for line in sys.stdin:
    try:
        good, answer = True, call(*json.loads(line))
    except Exception:
        good, answer = False, traceback.format_exc()
    print(json.dumps([good, answer, threading.active_count() > 1]), file=answers, flush=True)
"""


# How much longer than usual everything may take: under sanitizers, or beside other programs.
_PATIENCE = float(os.environ.get("FASTCLF_PATIENCE", "1"))


def _request(function, args):
    path = Path(inspect.getfile(function))
    return json.dumps([[str(path.parent), str(Path(__file__).parent)], path.stem, function.__name__, args])


def run(function, *args, env=None, timeout=60, prefix=()):
    """Run `function(*args)` under the command `prefix`; the finished process. `env` sets variables, None unsets one."""
    variables = {k: v for k, v in (os.environ | (env or {})).items() if v is not None}
    command = [*prefix, sys.executable, "-c", _RUN, _request(function, args)]
    return subprocess.run(
        command, env=variables, timeout=timeout * _PATIENCE, capture_output=True, text=True, check=False
    )


def result(function, *args, **options):
    """Return what `function(*args)` returns in a process of its own, by way of JSON."""
    done = run(function, *args, **options)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


class Worker:
    """A process that runs one function after another, so that it starts once; a new one if it fails or goes on."""

    def __init__(self):
        self._process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end()

    def result(self, function, *args, timeout=240):
        """Return what `function(*args)` returns, by way of JSON; pytest shows what it prints."""
        if self._process is None:
            command = [sys.executable, "-c", _SERVE]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            return self._asked(_request(function, args), timeout)
        except BaseException:
            self._end()
            raise

    def _asked(self, request, timeout):
        with contextlib.suppress(BrokenPipeError):  # it has died since, and answers nothing
            print(request, file=self._process.stdin, flush=True)
        in_time = select.select([self._process.stdout], [], [], timeout * _PATIENCE)[0]
        line = self._process.stdout.readline() if in_time else ""
        assert line, f"exit status {self._end()}, {timeout} s allowed"
        good, answer, goes_on = json.loads(line)
        assert good, answer
        if goes_on:
            self._end()
        return answer

    def _end(self):
        """Kill the process, if it has not ended; its exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.kill()
        with contextlib.suppress(BrokenPipeError), process:
            pass
        return process.wait()


def status_of_fork(work, seconds=20):
    """Fork, do `work` in the child: its exit status, or "hangs" after so many seconds."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    end = time.monotonic() + seconds * _PATIENCE
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hangs"
