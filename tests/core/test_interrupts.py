from __future__ import annotations

import json
import signal
import subprocess
import sys
from importlib.metadata import distribution

import pytest

CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}
COMMANDS = {
    **{
        entry.name: f"from {entry.module} import {entry.attr}; {entry.attr}()"
        for entry in distribution("tap-auditlogs").entry_points
        if entry.group == "console_scripts"
    },
    "python -m tap_auditlogs": "import runpy; runpy.run_module('tap_auditlogs', run_name='__main__')",
}


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True, timeout=60)


# The signal comes when the SDK is about to be imported, which most of the start-up's time is spent on.
SIGNAL_WHILE_IMPORTING = """
import importlib.abc, os, sys

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "singer_sdk":
            os.kill(os.getpid(), {signum})

sys.meta_path.insert(0, Finder())
sys.argv = ["command", "--version"]
{command}
"""


@pytest.mark.parametrize("signum", CODES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_signal_while_a_command_starts_ends_it_in_one_line(command: str, signum: signal.Signals) -> None:
    done = python(SIGNAL_WHILE_IMPORTING.format(command=COMMANDS[command], signum=int(signum)))
    assert done.returncode == CODES[signum], done.stderr
    assert f"ended by {signum.name}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not done.stdout


# Every module of the package; `__main__` too, which does something only when called.
IMPORT_ALL = """
import gc, importlib, json, logging, os, pkgutil, signal, sys, threading, warnings
import polars, singer_sdk, sqlalchemy  # they set up variables and loggers of their own

def snapshot():
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    return {
        "handlers": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "environment": dict(os.environ),
        "logging": [
            (each.name, each.level, each.disabled, handlers, str(each.filters))
            for each in loggers
            if isinstance(each, logging.Logger)
            # which libraries give their loggers
            for handlers in [[str(it) for it in each.handlers if not isinstance(it, logging.NullHandler)]]
            if each.level or handlers or each.filters or each.disabled
        ],
        "levels": [logging.root.manager.disable, logging.raiseExceptions, str(logging.getLoggerClass())],
        "hooks": [str(sys.excepthook), str(threading.excepthook), str(sys.stdout), str(sys.stderr), gc.get_threshold()],
        "threads": [thread.name for thread in threading.enumerate()],
        "folder": os.getcwd(),
    }

before = snapshot()
import tap_auditlogs
names = [module.name for module in pkgutil.walk_packages(tap_auditlogs.__path__, "tap_auditlogs.")]
for name in names:
    importlib.import_module(name)
after = snapshot()
print(json.dumps([len(names), {key: [before[key], after[key]] for key in before if before[key] != after[key]}]))
"""


def test_importing_the_package_changes_nothing() -> None:
    done = python(IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    modules, changes = json.loads(done.stdout)
    assert modules > 40
    assert changes == {}
