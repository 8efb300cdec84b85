"""The table `audit_events`: comparison with its source streams, and an example query."""

from __future__ import annotations

import typing as t
from collections import Counter

from tap_auditlogs.ocsf.mapper import OcsfMapper
from tap_auditlogs.ocsf.schema import KEY, NAME

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auditlogs_demo.report import Comparison

COLUMNS: t.Final = ("source_stream", KEY)

# One of the three in docs/audit-trail.md.
QUESTION: t.Final = """\
SELECT date_trunc('hour', event_time) AS hour, count(*) AS failed_activations
FROM audit_events
WHERE vendor = 'cryptolens' AND action = 'activation' AND outcome = 'failure'
GROUP BY hour
ORDER BY hour DESC
LIMIT 24
"""
_SHOWN: t.Final = 5


class Trail(t.NamedTuple):
    """The table `audit_events` after a run.

    Attributes:
        expected: How many records of each source stream should have an event.
        events: How many there are, by source stream.
        repeated: How many rows have the key of another one.
    """

    expected: Mapping[str, int]
    events: Counter[str]
    repeated: int

    def differences(self) -> Iterator[str]:
        """Yield one sentence per stream that differs."""
        for stream in sorted(self.expected.keys() | self.events.keys()):
            source, found = self.expected.get(stream, 0), self.events.get(stream, 0)
            if source != found:
                yield f"{NAME}: {source:,} records of {stream} have {found:,} events"
        if self.repeated:
            yield f"{NAME}: {self.repeated:,} events are in the table more than once"


def compare_trail(sources: Mapping[str, Comparison], rows: Sequence[tuple[t.Any, ...]]) -> Trail:
    """Compare the events with the records they are made from."""
    mapped = OcsfMapper(config={}).mapped_streams
    return Trail(
        expected={stream: sources[stream].source for stream in mapped if stream in sources},
        events=Counter(stream for stream, _ in rows),
        repeated=len(rows) - len({uid for _, uid in rows}),
    )


def render_answer(columns: Sequence[str], rows: Sequence[tuple[t.Any, ...]]) -> str:
    """Format the first rows of a query result."""
    cells = [tuple(columns), *(tuple(map(str, row)) for row in rows[:_SHOWN])]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)
