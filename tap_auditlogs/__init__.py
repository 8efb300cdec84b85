"""Singer tap for the audit logs of Pigment, Cryptolens, OpenX, Xandr and Index Exchange."""

import signal
import sys
from pathlib import PurePath

_COMMANDS = frozenset({"tap-auditlogs", "auditlogs-ocsf"})
"""Those that take SIGINT over once they run. They import this first, and then for some tenths of a second the rest."""


def end_on_sigint() -> None:
    """Let SIGINT end the process as SIGTERM does, until the run takes both over: nothing is begun that could be hurt.

    Python's own handler would show a traceback of whatever is being imported. A SIGINT that is ignored stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if PurePath(*sys.argv[:1]).stem in _COMMANDS:  # as a library it leaves the process as it is
    end_on_sigint()
