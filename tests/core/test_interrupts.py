from __future__ import annotations

import subprocess
import sys

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
