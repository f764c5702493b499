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

import serving

# How much longer than usual everything may take: under sanitizers, or beside other programs.
_PATIENCE = float(os.environ.get("FASTCLF_PATIENCE", "1"))


def _request(function, args):
    path = Path(inspect.getfile(function))
    return json.dumps([[str(path.parent), str(Path(__file__).parent)], path.stem, function.__name__, args])


def _variables(env):
    """The environment of a process, where `env` sets variables, and None unsets one."""
    return {k: v for k, v in (os.environ | (env or {})).items() if v is not None}


def run(function, *args, env=None, timeout=60, prefix=()):
    """Run `function(*args)` under the command `prefix`; the finished process. `env` sets variables, None unsets one."""
    command = [*prefix, sys.executable, serving.__file__, "once", _request(function, args)]
    return subprocess.run(
        command, env=_variables(env), timeout=timeout * _PATIENCE, capture_output=True, text=True, check=False
    )


def result(function, *args, **options):
    """Return what `function(*args)` returns in a process of its own, by way of JSON."""
    done = run(function, *args, **options)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


class Worker:
    """A process that runs one function after another, so that it starts once; a new one if it fails or goes on.

    With `in_forks` each function runs in a fork of it, in which nothing has been used before, and which ends then. What
    is imported at the top of the function's module is there already. A process in which a call that was given up goes
    on is not used again: it would take time from others, and hold locks while they fork.
    """

    def __init__(self, env=None, in_forks=False):
        self._process, self._env, self._how = None, _variables(env), "in forks" if in_forks else "in turn"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end()

    def result(self, function, *args, timeout=240):
        """Return what `function(*args)` returns, by way of JSON; pytest shows what it prints."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, serving.__file__, self._how],
                env=self._env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                process_group=0,  # so that forks end with it
            )
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
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
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
