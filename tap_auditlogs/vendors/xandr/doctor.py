"""What the tap assumes about Xandr's API, and how to find out."""

from __future__ import annotations

import typing as t

from tap_auditlogs.doctor.assumptions import LATER, Assumption, Reading, never_observable
from tap_auditlogs.vendors.xandr.probes import Probes

_CLIENT: t.Final = "tap_auditlogs.vendors.xandr.client"
_LISTING: t.Final = "tap_auditlogs.vendors.xandr.listing"
_READER: t.Final = "tap_auditlogs.vendors.xandr.reader"
_SERVICES: t.Final = "tap_auditlogs.vendors.xandr.services"
_SETTINGS: t.Final = "tap_auditlogs.vendors.xandr.settings"
_STREAMS: t.Final = "tap_auditlogs.vendors.xandr.streams"
_FIRST_LOGS: t.Final = "The first page of the change log of one object of each service"


class Doctor(Probes):
    """Asks Xandr."""

    assumptions = (
        Assumption(
            id="xandr-01",
            sentence="The change log knows every default service; no complete list is public.",
            relied_on=f"{_SERVICES}:DEFAULT_SERVICES",
            request=_FIRST_LOGS,
            confirmed=Reading("all are answered", "reads them"),
            contradicted=Reading("one is not understood", "skips that service in this run, with a warning"),
            unseen="a service is not configured, or has no object with a transaction",
            probe=Probes.probe_default_services,
        ),
        Assumption(
            id="xandr-02",
            sentence="A service that the change log does not know is answered with `SYNTAX`.",
            relied_on=f"{_STREAMS}:ChangeLog",
            request="The change log of a service that does not exist",
            confirmed=Reading("`SYNTAX`", "skips such a service with a warning, and others are read"),
            contradicted=Reading(
                "refused otherwise, or empty",
                "takes its objects as refused, which fails the stream at its end, or as without transactions",
            ),
            unseen="no answer",
            probe=Probes.probe_unsupported,
        ),
        Assumption(
            id="xandr-03",
            sentence="The change log of an object that is gone is refused as not found.",
            relied_on=f"{_STREAMS}:ChangeLog",
            request="The change log of an id behind the last one listed",
            confirmed=Reading("not found, or not permitted", "skips the object, and names it in a warning"),
            contradicted=Reading("empty, or `SYNTAX` without a reason", "goes on with the next object"),
            unseen="no service has an object",
            probe=Probes.probe_missing_object,
        ),
        Assumption(
            id="xandr-04",
            sentence="Errors come with HTTP 200.",
            relied_on=f"{_CLIENT}:check_answer",
            request="The change log of a service that does not exist",
            confirmed=Reading("HTTP 200", "goes by `error_id` in the answer"),
            contradicted=Reading("another status", "goes by `error_id`, and by the status if there is none"),
            unseen="that is not an error",
            probe=Probes.probe_error_status,
        ),
        Assumption(
            id="xandr-05",
            sentence="A transaction comes if asked for from a second before to a second after it, in UTC.",
            relied_on=f"{_STREAMS}:ChangeLog",
            request="The change log of an object around one of its transactions",
            confirmed=Reading("it comes", "asks for a day more on both sides, and leaves out what is not wanted"),
            contradicted=Reading(
                "it does not", "asks for a day more on both sides, so that bounds in any zone are wide enough"
            ),
            unseen="no object has transactions of two times",
            probe=Probes.probe_bounds,
        ),
        Assumption(
            id="xandr-06",
            sentence="GET takes `min_timestamp` and `max_timestamp`, which are documented for POST.",
            relied_on=f"{_STREAMS}:ChangeLog",
            request="The same",
            confirmed=Reading("no transaction of another time", "asks for what may be new"),
            contradicted=Reading("others came as well", "leaves out what is not wanted"),
            unseen="no object has transactions of two times",
            probe=Probes.probe_bounds_work,
        ),
        Assumption(
            id="xandr-07",
            sentence="`created_on` is a text in UTC.",
            relied_on=f"{_STREAMS}:ChangeLog",
            request=_FIRST_LOGS,
            confirmed=Reading("a time that is not in the future", "takes it as UTC"),
            contradicted=Reading(
                "another type, or in the future",
                "keeps what is no time in `additional_properties` and emits the row in every run; moves no bookmark "
                "into the future, and reads what lies there in a later run",
            ),
            unseen="no transactions",
            probe=Probes.probe_times,
        ),
        Assumption(
            id="xandr-08",
            sentence="`sort=created_on.asc` is followed.",
            relied_on=f"{_STREAMS}:ChangeLog",
            request=_FIRST_LOGS,
            confirmed=Reading("times ascend", "emits the transactions of an object in that order"),
            contradicted=Reading("they do not", "reads all pages of an object before its bookmark can move"),
            unseen="no object has transactions of two times",
            probe=Probes.probe_order,
        ),
        Assumption(
            id="xandr-09",
            sentence="`transaction_id` is a text, unique for its object; the vendor's table says integer.",
            relied_on=f"{_STREAMS}:ChangeLog",
            request=_FIRST_LOGS,
            confirmed=Reading("as assumed", "takes it as the key, together with service and object"),
            contradicted=Reading("integers, or repeated", "takes integers as text"),
            unseen="no transactions",
            probe=Probes.probe_ids,
        ),
        Assumption(
            id="xandr-10",
            sentence="Details take `resource_id`, as in the vendor's table of endpoints; its sample has none.",
            relied_on=f"{_STREAMS}:ChangeLogDetail",
            request="The details of one transaction",
            confirmed=Reading("accepted", "names the object"),
            contradicted=Reading("refused as malformed", "asks again without it"),
            unseen="no transaction, or no right to read details",
            probe=Probes.probe_detail_query,
        ),
        Assumption(
            id="xandr-11",
            sentence="Details that there are not come as an empty list.",
            relied_on=f"{_STREAMS}:ChangeLog",
            request="The details of a transaction that does not exist",
            confirmed=Reading("an empty list", "keeps the transaction, and says so in a warning"),
            contradicted=Reading(
                "refused", "keeps the transaction, and counts its details as refused; all of them fail the stream"
            ),
            unseen="no transactions",
            probe=Probes.probe_unknown_transaction,
        ),
        Assumption(
            id="xandr-12",
            sentence="The details of a transaction of several objects are of the one that was named.",
            relied_on=f"{_STREAMS}:ChangeLogDetail",
            request="The details of one transaction",
            confirmed=Reading("all rows are", "emits them"),
            contradicted=Reading(
                "some are of other objects",
                "emits all rows, each under its own key; if none is of the object, stops with an error, and the "
                "bookmark stays",
            ),
            unseen="no transaction, or no right to read details",
            probe=Probes.probe_detail_of_object,
        ),
        Assumption(
            id="xandr-13",
            sentence="Every logged change moves the object's `last_modified`.",
            relied_on=f"{_SETTINGS}:SETTINGS",
            request=f"{_FIRST_LOGS}, and the lists",
            confirmed=Reading("no transaction is newer", "asks only objects modified since the last run"),
            contradicted=Reading(
                "some are newer", "finds such changes at the next full scan, every `full_scan_every_days`"
            ),
            unseen="no object with a time of modification",
            probe=Probes.probe_modified,
        ),
        Assumption(
            id="xandr-14",
            sentence="The local time in a deal's `last_modified` is less than a day from UTC.",
            relied_on=f"{_SERVICES}:LOCAL_TIME_SERVICES",
            request="The change log of a deal, and the list of deals",
            confirmed=Reading("within a day of the newest transaction", "asks deals modified up to a day earlier too"),
            contradicted=Reading("a day or more before it", "finds such changes at the next full scan"),
            unseen="no deal has a transaction",
            probe=Probes.probe_local_time,
        ),
        Assumption(
            id="xandr-15",
            sentence="Insertion orders, line items and campaigns can be listed as a whole.",
            relied_on=f"{_SERVICES}:FALLBACK_PARENTS",
            request="Their lists",
            confirmed=Reading("as assumed", "lists them as a whole"),
            contradicted=Reading("refused", "lists them advertiser by advertiser"),
            unseen="none is configured",
            probe=Probes.probe_as_a_whole,
        ),
        Assumption(
            id="xandr-16",
            sentence="Placements, profiles and payment rules can be listed only by their parents.",
            relied_on=f"{_SERVICES}:PARENTS",
            request="The list of one of them as a whole",
            confirmed=Reading("refused", "lists them parent by parent"),
            contradicted=Reading("accepted", "lists them parent by parent"),
            unseen="none is configured",
            probe=Probes.probe_needs_parent,
        ),
        Assumption(
            id="xandr-17",
            sentence="A start from before what is kept gives less, and no error.",
            relied_on=f"{_STREAMS}:ChangeLog",
            request="A change log since two years ago",
            confirmed=Reading("accepted", "sends no start that is more than 180 days ago"),
            contradicted=Reading("refused", "sends no start that is more than 180 days ago"),
            unseen="no transactions",
            probe=Probes.probe_old_start,
        ),
        Assumption(
            id="xandr-18",
            sentence="A list of one object has it under the singular key, and not in a list.",
            relied_on=f"{_READER}:rows_of",
            request="A list with one object",
            confirmed=Reading("as assumed", "takes the object"),
            contradicted=Reading("a list of one", "takes the list"),
            unseen="no list has an object",
            probe=Probes.probe_single,
        ),
        Assumption(
            id="xandr-19",
            sentence="Ids are 64-bit numbers, perhaps as text.",
            relied_on=f"{_LISTING}:Lister",
            request="The lists",
            confirmed=Reading("as assumed", "reads the objects by ascending id"),
            contradicted=Reading("something else", "stops with an error, and the bookmark of that service stays"),
            unseen="no list has an object",
            probe=Probes.probe_listed_ids,
        ),
        Assumption(
            id="xandr-20",
            sentence="The rows of a list are under the key that `dbg_info` names, else under the only one with a list.",
            relied_on=f"{_READER}:rows_of",
            request="The lists",
            confirmed=Reading("as assumed", "reads them"),
            contradicted=Reading("several lists", "stops with an error, and the bookmark of that service stays"),
            unseen="nothing could be listed",
            probe=Probes.probe_rows_key,
        ),
        Assumption(
            id="xandr-21",
            sentence="A change is in the log within `lookback_hours`.",
            relied_on=f"{_SETTINGS}:SETTINGS",
            request="Nothing of its own",
            confirmed=Reading("cannot be seen", "asks each time for `lookback_hours` that it has seen before"),
            contradicted=Reading("cannot be seen", "finds later ones only at a full scan: set `lookback_hours` higher"),
            unseen="always",
            probe=never_observable(LATER),
        ),
        Assumption(
            id="xandr-22",
            sentence="100 requests a minute are allowed; no number is published.",
            relied_on=f"{_SETTINGS}:SETTINGS",
            request="Nothing of its own: whether a request of the doctor was throttled",
            confirmed=Reading("cannot be seen", "sends at most `requests_per_minute`"),
            contradicted=Reading("throttled", "waits as long as it is told, and tries again"),
            unseen="no request was throttled",
            probe=Probes.probe_pace,
        ),
        Assumption(
            id="xandr-23",
            sentence="Throttling comes with HTTP 429 and `Retry-After`.",
            relied_on=f"{_CLIENT}:DEFAULT_WAIT_SECONDS",
            request="Nothing of its own: whether a request of the doctor was throttled",
            confirmed=Reading("as assumed", "waits as long as it says"),
            contradicted=Reading("another status, or without it", "waits a minute"),
            unseen="no request was throttled",
            probe=Probes.probe_throttling,
        ),
        Assumption(
            id="xandr-24",
            sentence="A throttled login is answered with `RATE_EXCEEDED`.",
            relied_on=f"{_CLIENT}:LOGIN_WAIT_SECONDS",
            request="Nothing: the doctor logs in once",
            confirmed=Reading("cannot be seen", "waits two and a half minutes, unless told how long"),
            contradicted=Reading("cannot be seen", "stops with the vendor's answer"),
            unseen="always",
            probe=never_observable("the doctor does not log in often enough to be throttled"),
        ),
        Assumption(
            id="xandr-25",
            sentence="The change log knows universal pixels as `universal-pixel`.",
            relied_on=f"{_SERVICES}:list_endpoint",
            request="The change log of a universal pixel, if configured",
            confirmed=Reading("answered", "reads it"),
            contradicted=Reading("not understood", "skips it in this run, with a warning"),
            unseen="not configured",
            probe=Probes.probe_universal_pixel,
        ),
    )
