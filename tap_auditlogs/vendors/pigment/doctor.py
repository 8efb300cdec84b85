"""What the tap assumes about Pigment's API, and how to find out."""

from __future__ import annotations

import typing as t

from tap_auditlogs.doctor.assumptions import Assumption, Reading, never_observable
from tap_auditlogs.vendors.pigment.probes import Probes

_STREAMS: t.Final = "tap_auditlogs.vendors.pigment.streams"
_WINDOW: t.Final = "tap_auditlogs.vendors.pigment.window"


class Doctor(Probes):
    """Asks Pigment."""

    assumptions = (
        Assumption(
            id="pigment-01",
            sentence="A date in `ingestedSince` means midnight UTC, inclusive.",
            relied_on=f"{_WINDOW}:query_start",
            request="Events since the date at whose midnight the first page has events nearest on both sides",
            confirmed=Reading("all events from midnight UTC on, and none before", "asks from a date on"),
            contradicted=Reading(
                "events after midnight are missing, or earlier ones came",
                "asks from 12 hours before the time that it needs, so that midnight in any zone is early enough, and "
                "leaves out what is too early",
            ),
            unseen="no midnight on the first page has events within an hour on both sides",
            probe=Probes.probe_date,
        ),
        Assumption(
            id="pigment-02",
            sentence="`ingestedSince` may be a full time in UTC.",
            relied_on=f"{_STREAMS}:AuditEvents",
            request="Events since the time of the newest event, in seconds and with `Z`",
            confirmed=Reading("accepted", "asks for the oldest events, at the end of the 180 days, by a full time"),
            contradicted=Reading("refused", "asks from the next midnight on, and logs that"),
            unseen="there are no events",
            probe=Probes.probe_time,
        ),
        Assumption(
            id="pigment-03",
            sentence="A full time in `ingestedSince` is inclusive.",
            relied_on=f"{_WINDOW}:query_start",
            request="Events since the exact time of an event",
            confirmed=Reading("that event came as well", "asks from a second before the time that it needs"),
            contradicted=Reading("that event did not come", "asks from a second before the time that it needs"),
            unseen="fractions of seconds are refused, or no event has a time that can be sent",
            probe=Probes.probe_inclusive,
        ),
        Assumption(
            id="pigment-04",
            sentence="A start more than 180 days ago is refused.",
            relied_on=f"{_WINDOW}:REACH",
            request="Events since 181 days ago",
            confirmed=Reading("refused", "never asks for more than 180 days less one hour"),
            contradicted=Reading("accepted", "never asks for more than 180 days less one hour"),
            unseen="no answer",
            probe=Probes.probe_beyond_retention,
        ),
        Assumption(
            id="pigment-05",
            sentence="`ingestedSince` is required.",
            relied_on=f"{_STREAMS}:AuditEvents",
            request="Events without `ingestedSince`",
            confirmed=Reading("refused", "always sends it"),
            contradicted=Reading("accepted", "always sends it"),
            unseen="no answer",
            probe=Probes.probe_no_start,
        ),
        Assumption(
            id="pigment-06",
            sentence="A cursor is valid only with the `ingestedSince` that it came with.",
            relied_on=f"{_WINDOW}:Window",
            request="The cursor of the second page with another `ingestedSince`",
            confirmed=Reading("refused", "keeps `ingestedSince` for all pages, in the state too"),
            contradicted=Reading("accepted", "keeps `ingestedSince` for all pages, in the state too"),
            unseen="all events fit on one page",
            probe=Probes.probe_foreign_cursor,
        ),
        Assumption(
            id="pigment-07",
            sentence="A cursor can be used again, so that a run goes on where the last one was interrupted.",
            relied_on=f"{_STREAMS}:AuditEvents",
            request="The second page, twice",
            confirmed=Reading("the same events", "goes on with the cursor in the state"),
            contradicted=Reading("refused, or other events", "reads the window again from its start"),
            unseen="all events fit on one page",
            probe=Probes.probe_cursor_again,
        ),
        Assumption(
            id="pigment-08",
            sentence="A cursor that is not valid is refused with HTTP 400, 404, 410 or 422.",
            relied_on=f"{_STREAMS}:CURSOR_REFUSED",
            request="A page with a made-up cursor",
            confirmed=Reading("refused with one of them", "reads the window again from its start"),
            contradicted=Reading(
                "accepted, or refused otherwise",
                "reads the window again if the first answer to a cursor from the state is any error or has no events",
            ),
            unseen="no answer",
            probe=Probes.probe_damaged_cursor,
        ),
        Assumption(
            id="pigment-09",
            sentence="`hasMoreEvents` is a boolean, and `nextEventsCursor` is there whenever it is true.",
            relied_on="tap_auditlogs.vendors.pigment.paginator:EventPaginator",
            request="The first three pages",
            confirmed=Reading("a boolean, and a cursor whenever it is true", "reads until `hasMoreEvents` is false"),
            contradicted=Reading(
                "another type, or no cursor",
                "goes by the cursor if `hasMoreEvents` is missing, else stops with an error, and the bookmark stays",
            ),
            unseen="no page could be read",
            probe=Probes.probe_more,
        ),
        Assumption(
            id="pigment-10",
            sentence="The newest events come first, as documented; the community script expects the oldest first.",
            relied_on=f"{_STREAMS}:AuditEvents",
            request="The first page",
            confirmed=Reading("times descend", "moves the bookmark only when all pages are read"),
            contradicted=Reading("times ascend", "moves the bookmark only when all pages are read"),
            unseen="fewer than two times",
            probe=Probes.probe_order,
        ),
        Assumption(
            id="pigment-11",
            sentence="Every event has a unique `eventId`.",
            relied_on=f"{_STREAMS}:AuditEvents",
            request="The first page",
            confirmed=Reading("a text in every event, none twice", "takes it as the key"),
            contradicted=Reading("missing or repeated", "takes a hash of the event as the key where there is none"),
            unseen="there are no events",
            probe=Probes.probe_ids,
        ),
        Assumption(
            id="pigment-12",
            sentence="Times are ISO 8601 texts with a zone.",
            relied_on=f"{_STREAMS}:AuditEvents",
            request="The first page",
            confirmed=Reading("texts with a zone", "converts them to UTC"),
            contradicted=Reading(
                "another type, or no zone",
                "takes a time without a zone as UTC; keeps anything else in `additional_properties`, emits the event "
                "in every run, and moves no bookmark by it",
            ),
            unseen="there are no events",
            probe=Probes.probe_times,
        ),
        Assumption(
            id="pigment-13",
            sentence="`actor` and `context` are objects, and `actor.user.id` names the user.",
            relied_on="tap_auditlogs.vendors.pigment.ocsf:_read_actor",
            request="The first page; names of members only",
            confirmed=Reading(
                "objects, with `user.id` in `actor`", "keeps them as sent; `audit_events` takes the user from them"
            ),
            contradicted=Reading(
                "another type, or no `id`",
                "keeps them, in `additional_properties` if they are no objects; `audit_events` then names no user",
            ),
            unseen="no event has one",
            probe=Probes.probe_members,
        ),
        Assumption(
            id="pigment-14",
            sentence="HTTP 429 comes without `Retry-After`.",
            relied_on="tap_auditlogs.vendors.pigment.client:connect",
            request="Nothing of its own: whether a request of the doctor was throttled",
            confirmed=Reading("429 without it", "spreads its tries over the five minutes of the limit"),
            contradicted=Reading("429 with it", "waits as long as it says"),
            unseen="no request was throttled",
            probe=Probes.probe_throttling,
        ),
        Assumption(
            id="pigment-15",
            sentence="A key that is not accepted is answered with HTTP 401.",
            relied_on="tap_auditlogs.vendors.pigment.client:connect",
            request="Events without a key; a wrong one is never sent",
            confirmed=Reading("401", "stops at once and names the credentials"),
            contradicted=Reading("another status", "stops with that status in the message"),
            unseen="no answer",
            probe=Probes.probe_without_key,
        ),
        Assumption(
            id="pigment-16",
            sentence="A GET needs no `Content-Type`.",
            relied_on=f"{_STREAMS}:AuditEvents",
            request="The first page",
            confirmed=Reading("answered", "sends none"),
            contradicted=Reading("refused with HTTP 415", "stops with that status in the message"),
            unseen="no page could be read for another reason",
            probe=Probes.probe_content_type,
        ),
        Assumption(
            id="pigment-17",
            sentence="A page without events may be followed by pages with events.",
            relied_on="tap_auditlogs.vendors.pigment.paginator:EventPaginator",
            request="The first ten pages",
            confirmed=Reading("an empty page, and events after it", "reads on after an empty page"),
            contradicted=Reading(
                "empty pages without end", "stops with an error after 100 of them, and the bookmark stays"
            ),
            unseen="no page is empty with more to follow",
            probe=Probes.probe_empty_pages,
        ),
        Assumption(
            id="pigment-18",
            sentence="An import may have 480 MB.",
            relied_on="tap_auditlogs.vendors.pigment.target.settings:SETTINGS",
            request="Nothing: the doctor stores nothing",
            confirmed=Reading("cannot be seen", "`target-pigment` sends chunks of at most `max_chunk_megabytes`"),
            contradicted=Reading("cannot be seen", "`target-pigment` stops with the vendor's answer and keeps the CSV"),
            unseen="always",
            probe=never_observable("the doctor sends nothing to be stored"),
        ),
    )
