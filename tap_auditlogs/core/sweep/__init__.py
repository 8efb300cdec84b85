"""Sweeps: for vendors that show the history of one object at a time and have no account-wide feed.

A sweep lists the objects of a type, keeps those that may have changed, asks each for its history with several
requests in flight, and writes objects whole in the order of their ids, with a STATE after each. One bookmark per type
moves when the sweep ends. What the state holds does not grow with the number of objects.

| module | what it does |
|---|---|
| `plan` | which objects, from when on, where to go on and how the bookmark moves: no I/O |
| `offsets` | reads a collection page by page while rows come and go: no I/O of its own |
| `track` | one stream's part in a sweep: its sweep and its bookmark |
| `settings` | what can be set for all of them |
| `stream` | the base of the streams that sweep, and of those written in the pass of another |
"""

from tap_auditlogs.core.sweep.offsets import OffsetPage, read_by_offset
from tap_auditlogs.core.sweep.plan import Listed, Outcome, Rules
from tap_auditlogs.core.sweep.stream import Ask, Reading, SweepStream, SweptStream, UnsupportedTypeError, name_objects

__all__ = [
    "Ask",
    "Listed",
    "OffsetPage",
    "Outcome",
    "Reading",
    "Rules",
    "SweepStream",
    "SweptStream",
    "UnsupportedTypeError",
    "name_objects",
    "read_by_offset",
]
