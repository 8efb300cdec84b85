from __future__ import annotations

import signal
import subprocess
import sys

import pytest

# The lock of this condition sends the signal when it has just been taken, before the block is entered.
TAKES_A_LOCK = """
import functools, os, signal, threading, types
from tap_auditlogs.core.interrupts import Interrupted, Interrupts

taken = []
lock = types.SimpleNamespace(
    acquire=None,
    release=None,
    __enter__=functools.partial(os.kill, os.getpid(), signal.SIGTERM),
    __exit__=lambda *_: taken.append("released"),
)
Interrupts(progress=lambda: 0).install()
try:
    with threading.Condition(lock):
        taken.append("entered")
        threading.Event().wait(60)
except Interrupted as interrupt:
    print(*taken, interrupt.exit_code)
"""


def test_a_signal_does_not_leave_a_lock_taken_by_nobody() -> None:
    done = subprocess.run([sys.executable, "-c", TAKES_A_LOCK], capture_output=True, check=False, text=True, timeout=60)
    assert done.stdout.split() == ["entered", "released", "143"], done.stderr


# The signal comes when the SDK is about to be imported, from where most of the start-up's time goes.
IMPORTS = """
import importlib.abc, os, runpy, signal, sys

class Signals(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "singer_sdk":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Signals())
"""


def start(code: str, program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"{IMPORTS}\nsys.argv = [{program!r}]\n{code}"]
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("/usr/bin/tap-auditlogs", "import tap_auditlogs.tap"),
        ("/usr/bin/auditlogs-ocsf", "import tap_auditlogs.ocsf.mapper"),
        ("-m", "runpy.run_module('tap_auditlogs', run_name='__main__')"),
    ],
)
def test_sigint_while_a_command_starts_ends_it_without_a_traceback(program: str, code: str) -> None:
    done = start(code, program)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("program", ["", "/usr/bin/meltano", "/usr/bin/tap-auditlogs-sandbox"])
def test_as_a_library_the_package_leaves_sigint_to_the_program(program: str) -> None:
    done = start("try:\n    import tap_auditlogs.tap\nexcept KeyboardInterrupt:\n    print('told')", program)
    assert (done.returncode, done.stdout) == (0, "told\n"), done.stderr


def test_a_sigint_that_is_ignored_stays_ignored_while_a_command_starts() -> None:
    ignored = "signal.signal(signal.SIGINT, signal.SIG_IGN)"
    done = start(f"{ignored}\nimport tap_auditlogs.tap\nprint('imported')", "/usr/bin/tap-auditlogs")
    assert (done.returncode, done.stdout) == (0, "imported\n"), done.stderr
