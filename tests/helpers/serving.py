"""What the processes of children.py do: run functions of test modules, whose names and arguments they are told."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import traceback


def module_of(folders, name):
    sys.path[:0] = [folder for folder in folders if folder not in sys.path]
    return importlib.import_module(name)


def call(folders, module, name, args):
    return getattr(module_of(folders, module), name)(*args)


def outcome(request):
    """Whether a function returned, and what; or what it raised."""
    try:
        return [True, call(*request)]
    except Exception:
        return [False, traceback.format_exc()]


def serve(requests, answers):
    """Run one function after the other; with each answer, tell whether something of the call goes on."""
    for line in requests:
        told = outcome(json.loads(line))
        print(json.dumps([*told, threading.active_count() > 1]), file=answers, flush=True)


def serve_in_forks(requests, answers):
    """Run each function in a fork, which has what the function's module imports and nothing that a function did."""
    for line in requests:
        request = json.loads(line)
        module_of(*request[:2])
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            try:
                with open(writer, "w") as file:
                    json.dump(outcome(request), file)
                sys.stdout.flush()
            finally:
                os._exit(0)  # without waiting for what the function has left to go on
        os.close(writer)
        with open(reader) as file:
            text = file.read()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        told = json.loads(text) if text and not status else [False, f"exit status {status}, no answer\n{text}"]
        print(json.dumps([*told, False]), file=answers, flush=True)


def main(how, *request):
    if how == "once":
        print(json.dumps(call(*json.loads(*request))))
        return
    # Answers go to what was standard output; what functions print, to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    {"in turn": serve, "in forks": serve_in_forks}[how](sys.stdin, answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
