"""What the tap assumes about Cryptolens' API, and how to find out."""

from __future__ import annotations

import typing as t

from tap_auditlogs.doctor.assumptions import LATER, Assumption, Reading, never_observable
from tap_auditlogs.vendors.cryptolens.probes import Probes

_STREAMS: t.Final = "tap_auditlogs.vendors.cryptolens.streams"
_CLIENT: t.Final = "tap_auditlogs.vendors.cryptolens.client"


class Doctor(Probes):
    """Asks Cryptolens."""

    assumptions = (
        Assumption(
            id="cryptolens-01",
            sentence="GetEvents returns rows in ascending order of id after StartingAfter.",
            relied_on=f"{_STREAMS}:LogStream",
            request="The first page of events",
            confirmed=Reading("ids ascend", "takes the last id of a page as the next cursor, and checks every page"),
            contradicted=Reading("they do not", "stops with an error that names the ids, and the bookmark stays"),
            unseen="fewer than two rows",
            probe=Probes.probe_order_of_events,
        ),
        Assumption(
            id="cryptolens-02",
            sentence="GetObjectLog returns rows in ascending order of id after StartingAfter.",
            relied_on=f"{_STREAMS}:LogStream",
            request="The first page of the object log",
            confirmed=Reading("ids ascend", "takes the last id of a page as the next cursor, and checks every page"),
            contradicted=Reading("they do not", "stops with an error that names the ids, and the bookmark stays"),
            unseen="fewer than two rows",
            probe=Probes.probe_order_of_objects,
        ),
        Assumption(
            id="cryptolens-03",
            sentence="GetObjectLog returns its rows under the key `events`.",
            relied_on=f"{_STREAMS}:ObjectLog",
            request="The first page of the object log",
            confirmed=Reading("`events`", "reads `events`"),
            contradicted=Reading(
                "another key", "reads `logs` and `objectLogs` too; any other key is an error, never an empty log"
            ),
            unseen="the object log may not be read",
            probe=Probes.probe_rows_key,
        ),
        Assumption(
            id="cryptolens-04",
            sentence="StartingAfter may have more than 32 bits.",
            relied_on=f"{_STREAMS}:FIRST_WIDE_ID",
            request="A page of each log after an id beyond 32 bits",
            confirmed=Reading("accepted", "reads forwards whatever the id"),
            contradicted=Reading(
                "refused",
                "reads backwards with EndingBefore once ids are that large; the object log then stops with an error",
            ),
            unseen="no log may be read",
            probe=Probes.probe_wide_cursors,
        ),
        Assumption(
            id="cryptolens-05",
            sentence="A Limit above the documented maximum brings no larger page.",
            relied_on=f"{_STREAMS}:Events",
            request="Events with Limit=101",
            confirmed=Reading("refused, or at most 100 rows", "asks for the documented maximum, never for more"),
            contradicted=Reading("101 rows", "asks for the documented maximum, never for more"),
            unseen="fewer than 100 events",
            probe=Probes.probe_limit,
        ),
        Assumption(
            id="cryptolens-06",
            sentence="`resourceType` and `resourceAction` count from 0.",
            relied_on=f"{_STREAMS}:ObjectLog",
            request="The first page of the object log",
            confirmed=Reading("0 occurs", "keeps the numbers as they are, without labels"),
            contradicted=Reading("the number of members of the list occurs", "keeps the numbers as they are"),
            unseen="neither or both occur",
            probe=Probes.probe_numbering,
        ),
        Assumption(
            id="cryptolens-07",
            sentence="A request that is refused is answered with HTTP 200 and `result` 1.",
            relied_on=f"{_CLIENT}:check_answer",
            request="A page with Limit=-1",
            confirmed=Reading("HTTP 200", "goes by the body"),
            contradicted=Reading("another status", "goes by the body, whatever the status"),
            unseen="accepted",
            probe=Probes.probe_error_status,
        ),
        Assumption(
            id="cryptolens-08",
            sentence="Requests one after the other are not throttled.",
            relied_on=f"{_CLIENT}:connect",
            request="Nothing of its own: whether a request of the doctor was throttled",
            confirmed=Reading("no HTTP 429", "sends one request after the other, without a pause"),
            contradicted=Reading("HTTP 429", "waits as long as `Retry-After` says, or ever longer without it"),
            unseen="never",
            probe=Probes.probe_throttling,
        ),
        Assumption(
            id="cryptolens-09",
            sentence="A row is visible at most `settle_seconds` after its time.",
            relied_on="tap_auditlogs.vendors.cryptolens.slices:Cutter",
            request="Nothing: one look does not show it",
            confirmed=Reading("cannot be seen", "leaves younger rows, and all after them, for the next run"),
            contradicted=Reading("cannot be seen", "could miss such a row: `settle_seconds` may be raised"),
            unseen="always",
            probe=never_observable(LATER),
        ),
        Assumption(
            id="cryptolens-10",
            sentence="After an id that has expired come the oldest rows that are kept.",
            relied_on=f"{_STREAMS}:LogStream",
            request="Events, or else the object log, after id 1",
            confirmed=Reading("the oldest rows", "goes on from there, and warns of the lost time"),
            contradicted=Reading("refused", "reads the log from its oldest row"),
            unseen="no log has lost a row yet",
            probe=Probes.probe_expired_cursor,
        ),
        Assumption(
            id="cryptolens-11",
            sentence="EndingBefore with the highest 64-bit id returns the newest rows in descending order.",
            relied_on=f"{_STREAMS}:HIGHEST_ID",
            request="The web API log and events with EndingBefore=2^63-1",
            confirmed=Reading("ids descend", "needs it only where StartingAfter refuses large ids"),
            contradicted=Reading("refused, or another order", "stops with an error where it needs it"),
            unseen="there are no rows",
            probe=Probes.probe_backward,
        ),
        Assumption(
            id="cryptolens-12",
            sentence="After the last row comes an empty list.",
            relied_on=f"{_STREAMS}:LogStream",
            request="A page after the newest row",
            confirmed=Reading("an empty list", "ends there"),
            contradicted=Reading("null", "ends there too; an answer without the key is an error"),
            unseen="the last row is not known, or new rows had come",
            probe=Probes.probe_empty_list,
        ),
        Assumption(
            id="cryptolens-13",
            sentence="Keys of rows are spelled as in the public samples, such as `doIntValue`.",
            relied_on=f"{_STREAMS}:LogStream",
            request="The first pages",
            confirmed=Reading("spelled like that", "reads them"),
            contradicted=Reading("another case", "reads them whatever their case"),
            unseen="there are no rows",
            probe=Probes.probe_spelling,
        ),
        Assumption(
            id="cryptolens-14",
            sentence="Ids are JSON integers.",
            relied_on=f"{_STREAMS}:parse_id",
            request="The first pages",
            confirmed=Reading("all are integers", "reads them"),
            contradicted=Reading("another type", "reads strings of digits too; a row with anything else is named"),
            unseen="there are no rows",
            probe=Probes.probe_ids,
        ),
        Assumption(
            id="cryptolens-15",
            sentence="`performedByUserId` is a string or an integer.",
            relied_on=f"{_STREAMS}:ObjectLog",
            request="The first page of the object log",
            confirmed=Reading("one of them, or both", "writes a string"),
            contradicted=Reading("another type", "keeps the value in `additional_properties`"),
            unseen="no row has it",
            probe=Probes.probe_performer,
        ),
        Assumption(
            id="cryptolens-16",
            sentence="The permissions of the access token are named Get Web API Log, Get Events and Get Object Log.",
            relied_on=f"{_CLIENT}:connect",
            request="Nothing: no answer names a permission",
            confirmed=Reading("cannot be seen", "names them where a log is refused"),
            contradicted=Reading("cannot be seen", "names them where a log is refused"),
            unseen="always",
            probe=never_observable("no answer names a permission"),
        ),
    )
