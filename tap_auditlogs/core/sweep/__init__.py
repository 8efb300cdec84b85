"""Sweeps: for vendors that show the history of one object at a time and have no account-wide feed.

A sweep lists the objects of a type, keeps those that may have changed, asks each for its history with several
requests in flight, and writes objects whole in the order of their ids, with a STATE after each. One bookmark per type
moves when the sweep ends. What the state holds does not grow with the number of objects.

| module | what it does |
|---|---|
| `plan` | which objects, from when on, where to go on and how the bookmark moves: no I/O |
| `offsets` | reads a collection page by page while rows come and go |
| `objects` | an object's query and its history |
| `stream_sweep` | one stream's sweep of one object type |
| `type_sweep` | the sweep of one object type for all streams |
| `skipped_types` | what could not be read, and whether a stream is incomplete without it |
| `settings` | what can be set for all of them |
| `history_stream`, `stream` | the base classes of the streams |
"""

from tap_auditlogs.core.sweep.history_stream import SweptStream
from tap_auditlogs.core.sweep.objects import ObjectHistory, ObjectQuery, UnsupportedTypeError, listed_id, name_objects
from tap_auditlogs.core.sweep.offsets import OffsetPage, OffsetReader, Row, requests_for
from tap_auditlogs.core.sweep.plan import Listed, Outcome
from tap_auditlogs.core.sweep.stream import SweepStream

__all__ = [
    "Listed",
    "ObjectHistory",
    "ObjectQuery",
    "OffsetPage",
    "OffsetReader",
    "Outcome",
    "Row",
    "SweepStream",
    "SweptStream",
    "UnsupportedTypeError",
    "listed_id",
    "name_objects",
    "requests_for",
]
