"""What the tap assumes about OpenX's API, and how to find out."""

from __future__ import annotations

import typing as t

from tap_auditlogs.doctor.assumptions import DONE_BEFORE, LATER, Assumption, Reading, never_observable
from tap_auditlogs.vendors.openx.probes import Probes

_CLIENT: t.Final = "tap_auditlogs.vendors.openx.client"
_OCSF: t.Final = "tap_auditlogs.vendors.openx.ocsf"
_READER: t.Final = "tap_auditlogs.vendors.openx.reader"
_SETTINGS: t.Final = "tap_auditlogs.vendors.openx.settings"
_STREAMS: t.Final = "tap_auditlogs.vendors.openx.streams"
_HISTORIES: t.Final = "The history of one object of each type, as far as the requests allow"


class Doctor(Probes):
    """Asks OpenX."""

    assumptions = (
        Assumption(
            id="openx-01",
            sentence="A history needs `obj_id`: whole types are served nowhere.",
            relied_on=f"{_STREAMS}:history_query",
            request="A history with a type only",
            confirmed=Reading("refused", "asks object by object"),
            contradicted=Reading("rows come", "asks object by object, which is slower than it could be"),
            unseen="no type could be listed",
            probe=Probes.probe_bulk,
        ),
        Assumption(
            id="openx-02",
            sentence="A page may have 100 rows; no maximum is published.",
            relied_on=f"{_READER}:SAFE_PAGE_SIZE",
            request="The lists, and one with `limit=1000`",
            confirmed=Reading("`limit` is echoed", "asks for `page_size`"),
            contradicted=Reading("cut or refused", "goes on by the rows that came; asks for 20 once more is refused"),
            unseen="no answer has `limit`",
            probe=Probes.probe_page_size,
        ),
        Assumption(
            id="openx-03",
            sentence="`timestamp>=` and a day brings all from midnight UTC on.",
            relied_on=f"{_STREAMS}:AuditTrail",
            request="The history of an object since the day of its newest revision",
            confirmed=Reading("only rows of that day", "asks from the day before, and leaves out what is not wanted"),
            contradicted=Reading(
                "rows are missing, or earlier ones came",
                "asks from the day before, so that a day of any zone is early enough, and leaves "
                "out what is not wanted",
            ),
            unseen="no history has rows of two days",
            probe=Probes.probe_days,
        ),
        Assumption(
            id="openx-04",
            sentence="`timestamp` is a text in UTC.",
            relied_on=f"{_STREAMS}:AuditTrail",
            request=_HISTORIES,
            confirmed=Reading("a time that is not in the future", "takes it as UTC"),
            contradicted=Reading(
                "another type, or in the future",
                "keeps what is no time in `additional_properties` and emits the row in every "
                "run; moves no bookmark into the future",
            ),
            unseen="no history has a row",
            probe=Probes.probe_times,
        ),
        Assumption(
            id="openx-05",
            sentence="The revisions of an object count by one.",
            relied_on=f"{_STREAMS}:AuditTrail",
            request=_HISTORIES,
            confirmed=Reading("they do", "reads a history again where a number is missing"),
            contradicted=Reading(
                "numbers are left out", "reads such a history twice, and says in a warning which numbers are missing"
            ),
            unseen="no history has two revisions",
            probe=Probes.probe_numbering,
        ),
        Assumption(
            id="openx-06",
            sentence="A history is kept from its first revision on.",
            relied_on=f"{_STREAMS}:AuditTrail",
            request=_HISTORIES,
            confirmed=Reading("all begin with 1", "reads all there is"),
            contradicted=Reading(
                "some begin later", "reads all there is; what the vendor has removed is lost, so run it often"
            ),
            unseen="no history has a row",
            probe=Probes.probe_first,
        ),
        Assumption(
            id="openx-07",
            sentence="Every change moves the object's `modified_date`.",
            relied_on=f"{_STREAMS}:AuditTrail",
            request=_HISTORIES,
            confirmed=Reading("no revision is newer", "asks only objects modified since the last run"),
            contradicted=Reading(
                "some are newer", "finds such changes at the next full scan, every `full_scan_every_days`"
            ),
            unseen="no object with a time of modification",
            probe=Probes.probe_modified,
        ),
        Assumption(
            id="openx-08",
            sentence="`revision` is a number, unique for its object.",
            relied_on=f"{_STREAMS}:AuditTrail",
            request=_HISTORIES,
            confirmed=Reading("as assumed", "takes it as the key, together with type and id"),
            contradicted=Reading(
                "missing or repeated", "takes a negative hash of the row where there is none; emits all rows"
            ),
            unseen="no history has a row",
            probe=Probes.probe_key,
        ),
        Assumption(
            id="openx-09",
            sentence="`sort=revision` brings the oldest first.",
            relied_on=f"{_STREAMS}:history_query",
            request=_HISTORIES,
            confirmed=Reading("revisions ascend", "emits them in that order"),
            contradicted=Reading("they do not", "reads all pages of an object, and sorts them"),
            unseen="no history has two revisions",
            probe=Probes.probe_order,
        ),
        Assumption(
            id="openx-10",
            sentence="Lists and histories come with `has_more`, and not as a bare array.",
            relied_on=f"{_READER}:page_of",
            request="The lists",
            confirmed=Reading("as assumed", "reads until `has_more` is false"),
            contradicted=Reading("bare arrays", "asks for the next page while a page has ten rows or more"),
            unseen="no type could be listed",
            probe=Probes.probe_envelope,
        ),
        Assumption(
            id="openx-11",
            sentence="Listed objects have `modified_date`.",
            relied_on=f"{_STREAMS}:AuditTrail",
            request="The lists",
            confirmed=Reading("as assumed", "asks only objects modified since the last run"),
            contradicted=Reading("some have none", "asks those in every run"),
            unseen="no object was listed",
            probe=Probes.probe_listed_fields,
        ),
        Assumption(
            id="openx-12",
            sentence="A type that the instance does not know is refused with HTTP 400, 403 or 404.",
            relied_on=f"{_STREAMS}:AuditTrail",
            request="The list of a type that does not exist",
            confirmed=Reading("one of them", "skips such a type in this run, with a warning"),
            contradicted=Reading(
                "accepted, or another status", "takes it as empty, or stops with that status in the message"
            ),
            unseen="no answer",
            probe=Probes.probe_unknown_type,
        ),
        Assumption(
            id="openx-13",
            sentence="The instance knows every configured type; no list of types is public.",
            relied_on=f"{_SETTINGS}:DEFAULT_OBJECT_TYPES",
            request="The lists",
            confirmed=Reading("all are listed", "reads them"),
            contradicted=Reading("some are refused", "skips them in this run, with a warning"),
            unseen="no type could be listed",
            probe=Probes.probe_types,
        ),
        Assumption(
            id="openx-14",
            sentence="Deleted objects are in no list.",
            relied_on=f"{_STREAMS}:AuditTrail",
            request="The lists",
            confirmed=Reading("none is deleted", "does not read what is deleted, unless its id is in `object_ids`"),
            contradicted=Reading("some are deleted", "reads them as well"),
            unseen="no object has `deleted`",
            probe=Probes.probe_deleted,
        ),
        Assumption(
            id="openx-15",
            sentence="The history of an object that is gone is refused with HTTP 403 or 404.",
            relied_on=f"{_STREAMS}:AuditTrail",
            request="The history of an id behind the last one listed",
            confirmed=Reading("one of them", "skips the object, and names it in a warning"),
            contradicted=Reading("empty, or refused otherwise", "goes on with the next object"),
            unseen="no type was listed whole",
            probe=Probes.probe_missing_object,
        ),
        Assumption(
            id="openx-16",
            sentence="A session that is over is refused with HTTP 401 or 403.",
            relied_on=f"{_CLIENT}:BareForbiddenError",
            request="A history without a session",
            confirmed=Reading("one of them", "logs in again, once"),
            contradicted=Reading(
                "another status",
                "logs in in time by `expires_in`; a session that ends sooner ends the run, or "
                "skips objects with a warning",
            ),
            unseen="no answer",
            probe=Probes.probe_without_session,
        ),
        Assumption(
            id="openx-17",
            sentence="`/session` is served.",
            relied_on=f"{_READER}:Reader",
            request="`/session`",
            confirmed=Reading("it is", "asks it whether a 403 means the session or the object"),
            contradicted=Reading("refused", "takes a 403 for a refusal of the object"),
            unseen="no answer",
            probe=Probes.probe_session,
        ),
        Assumption(
            id="openx-18",
            sentence="HTTP 429 comes without `Retry-After`, and the quota begins again with the next hour.",
            relied_on=f"{_CLIENT}:connect",
            request="Nothing of its own: whether a request of the doctor was throttled",
            confirmed=Reading("429 without it", "waits for the next hour if `max_retry_wait_seconds` allows it"),
            contradicted=Reading("429 with it", "waits as long as it says"),
            unseen="no request was throttled",
            probe=Probes.probe_quota,
        ),
        Assumption(
            id="openx-19",
            sentence="The current API at `api.openx.com` serves the history.",
            relied_on=f"{_CLIENT}:api_url",
            request=_HISTORIES,
            confirmed=Reading("it does", "asks there"),
            contradicted=Reading(
                "cannot be seen", "stops with an error; `auth_method` `oauth1` asks the instance itself"
            ),
            unseen="`auth_method` is `oauth1`, or no object was listed",
            probe=Probes.probe_gateway,
        ),
        Assumption(
            id="openx-20",
            sentence="The login is that of the vendor's sample client: `session_id` is in one of five "
            "redirects, to hosts of the settings.",
            relied_on="tap_auditlogs.vendors.openx.oauth2:GatewayAuthenticator",
            request="The login",
            confirmed=Reading("it succeeds", "logs in so"),
            contradicted=Reading("cannot be seen", "stops with an error that names the step"),
            unseen="another `auth_method`",
            probe=Probes.probe_oauth2,
        ),
        Assumption(
            id="openx-21",
            sentence="A token without `expires_in` lives an hour.",
            relied_on="tap_auditlogs.vendors.openx.oauth2:DEFAULT_LIFETIME_SECONDS",
            request="Nothing: the doctor is done before",
            confirmed=Reading("cannot be seen", "renews it a minute before"),
            contradicted=Reading("cannot be seen", "renews it when it is refused"),
            unseen="always",
            probe=never_observable(DONE_BEFORE),
        ),
        Assumption(
            id="openx-22",
            sentence="In the older login the second step needs no signature, and the realm may be left out.",
            relied_on="tap_auditlogs.vendors.openx.oauth1:CookieAuthenticator",
            request="The login",
            confirmed=Reading("it succeeds", "logs in so"),
            contradicted=Reading("cannot be seen", "stops with an error that names the step"),
            unseen="another `auth_method`",
            probe=Probes.probe_oauth1,
        ),
        Assumption(
            id="openx-23",
            sentence="`action` is create, update, modify or delete; only create is shown.",
            relied_on=f"{_OCSF}:AuditTrailMapping",
            request=_HISTORIES,
            confirmed=Reading("as assumed", "`audit_events` has the same activity"),
            contradicted=Reading("another one", "keeps it as sent; `audit_events` has the activity Other"),
            unseen="no history has a row",
            probe=Probes.probe_actions,
        ),
        Assumption(
            id="openx-24",
            sentence="`changes`, and in it `new_value` and `old_value`, are objects.",
            relied_on=f"{_OCSF}:AuditTrailMapping",
            request=_HISTORIES,
            confirmed=Reading("as assumed", "keeps them as sent"),
            contradicted=Reading("another type", "keeps it, in `additional_properties` if `changes` is no object"),
            unseen="no history has a row",
            probe=Probes.probe_changes,
        ),
        Assumption(
            id="openx-25",
            sentence="`user` is an object, or missing for the system.",
            relied_on=f"{_OCSF}:AuditTrailMapping",
            request=_HISTORIES,
            confirmed=Reading("as assumed", "keeps it as sent; `audit_events` takes the user from it"),
            contradicted=Reading(
                "another type", "keeps it in `additional_properties`; `audit_events` then names no user"
            ),
            unseen="no row names a user",
            probe=Probes.probe_user,
        ),
        Assumption(
            id="openx-26",
            sentence="A change is in the history within `lookback_days`.",
            relied_on=f"{_SETTINGS}:SETTINGS",
            request="Nothing of its own",
            confirmed=Reading("cannot be seen", "asks each time for `lookback_days` that it has seen before"),
            contradicted=Reading("cannot be seen", "finds later ones only at a full scan: set `lookback_days` higher"),
            unseen="always",
            probe=never_observable(LATER),
        ),
    )
