"""`/change-log` and `/change-log-detail` of the imitated Xandr."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta

from werkzeug.datastructures import MultiDict

from auditlogs_sandbox.vendors.xandr.replies import NotFoundError, Parameters, RefusedError, success, syntax_error
from auditlogs_sandbox.vendors.xandr.services import SERVICES
from auditlogs_sandbox.vendors.xandr.transactions import is_by_admin, is_by_plugin

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.wrappers import Request, Response

    from auditlogs_sandbox.histories import TrackedObject
    from auditlogs_sandbox.vendor import Row
    from auditlogs_sandbox.vendors.xandr.transactions import Transaction, Transactions

_IN_QUERY: t.Final = frozenset({"start_element", "num_elements", "sort"})
_ADDITIONAL_FIELDS: t.Final = frozenset({"request_source", "user_id", "object_json"})
_LOG_FILTERS: t.Final = frozenset(
    {
        "service",
        "resource_id",
        "min_timestamp",
        "max_timestamp",
        "transactions_with_changes",
        "additional_fields",
    }
)
_GET_FILTERS: t.Final = frozenset({"modified_by_admin", "modified_by_plugin"})  # vendor page: only in GET
_DETAIL_FILTERS: t.Final = frozenset({"service", "transaction_id", "previous_object"})
_DESCENDING: t.Final = "created_on.desc"


class ChangeLog:
    """Handles requests for the log.

    Attributes:
        transactions: What was logged.
        retention: How long it is kept (vendor page: at least six months).
        bounds: Whether `min_timestamp` and `max_timestamp` belong to what they bound; no page tells.
        unreadable: Objects, as service and id, whose log the user may not read.
        unreadable_services: Services whose log the user may not read.
        missing_object: What the log of an object that does not exist or is deleted is; other services have been
            recorded to say `not_found`, the change log has not.
        unsupported: Services that the log does not know, besides those that it never knows; no list of them is public.
        unsupported_answer: What the log of such a service is.
        bounds_zone: How far the zone in which the bounds are understood is ahead of UTC.
        ignores_bounds: Whether the bounds have no effect.
        ignores_order: Whether the newest always come first.
        refuses_old_bounds: Whether a bound from before what is kept is an error.
        details_by_object: Whether `resource_id` restricts details, is ignored, or refused; the vendor's page shows
            requests with and without it.
        details_of_one: Whether the details of a transaction of several objects show one of them.
        unknown_transaction: What the details of an unknown transaction are.
    """

    def __init__(self, transactions: Transactions) -> None:
        self.transactions = transactions
        self.retention = timedelta(days=184)
        self.bounds: t.Literal["exclusive", "inclusive"] = "exclusive"
        self.unreadable: set[tuple[str, int]] = set()
        self.unreadable_services: set[str] = set()
        self.missing_object: t.Literal["not_found", "status_422", "empty"] = "not_found"
        self.unsupported: set[str] = set()
        self.unsupported_answer: t.Literal["syntax", "unauth", "empty"] = "syntax"
        self.bounds_zone = timedelta()
        self.ignores_bounds = False
        self.ignores_order = False
        self.refuses_old_bounds = False
        self.details_by_object: t.Literal["taken", "ignored", "refused"] = "taken"
        self.details_of_one = False
        self.unknown_transaction: t.Literal["empty", "not_found", "syntax"] = "empty"

    def visible(self, item: TrackedObject) -> list[Transaction]:
        """Return what is still kept of an object's log."""
        oldest = self.transactions.objects.catalogue.now() - self.retention.total_seconds()
        return [change for change in self.transactions.of(item) if change.moment >= oldest]

    def readable(self) -> Iterator[Transaction]:
        """Return everything that a user can read who lists the objects first."""
        catalogue = self.transactions.objects.catalogue
        for kind in catalogue.kinds:
            if self._knows(kind) and kind not in self.unreadable_services:
                for item in catalogue.live(kind):
                    if (kind, item.id) not in self.unreadable:
                        yield from self.visible(item)

    def answer(self, request: Request) -> Response:
        """Respond to `/change-log`.

        Raises:
            RefusedError: The request is malformed, or the user may not read this.
        """
        sent = _read(request, "change-log", _LOG_FILTERS, _IN_QUERY, _GET_FILTERS)
        service = self._service(sent)
        additional = _additional_fields(sent)
        begin, count = sent.slice()
        found = self._select(self._object(service, sent), sent) if self._knows(service) else []
        rows = [self.transactions.row(change, additional) for change in found[begin : begin + count]]
        # No `dbg_info`: the vendor's samples of these two services have none.
        return success(
            {"change_logs": rows, "start_element": begin, "num_elements": count, "count": len(found)},
            escaped=bool(begin),
        )

    def answer_detail(self, request: Request) -> Response:
        """Respond to `/change-log-detail`.

        Raises:
            RefusedError: The request is malformed, or the user may not read this.
        """
        sent = _read(request, "change-log-detail", _DETAIL_FILTERS, frozenset(), frozenset({"resource_id"}))
        service = self._service(sent)
        transaction_id = sent.required("transaction_id")
        previous = sent.flag("previous_object")
        resource = sent.number("resource_id", 0)
        if self.details_by_object == "refused" and resource:
            raise syntax_error("unknown parameter resource_id")
        if self.details_by_object == "ignored":
            resource = 0
        rows: list[Row] = []
        for change in self.transactions.find(service, transaction_id):
            if (service, change.item.id) in self.unreadable:
                raise RefusedError("UNAUTH", "User is not permitted to read this object")
            if resource in {0, change.item.id} and transaction_id not in self.transactions.without_details:
                rows.append(self.transactions.detail(change, previous_object=previous))
        if self.details_of_one:
            del rows[1:]
        if not rows and self.unknown_transaction != "empty":
            raise (
                NotFoundError("transaction", 0) if self.unknown_transaction == "not_found" else syntax_error("unknown")
            )
        return success(
            {"change_log_details": rows, "start_element": 0, "num_elements": len(rows), "count": len(rows)},
            escaped=bool(rows) and rows[0]["resource_id"] % 2 == 0,
        )

    def _service(self, sent: Parameters) -> str:
        service = sent.required("service")
        if not self._knows(service) and self.unsupported_answer == "syntax":
            raise syntax_error(f"service {service} is not supported")
        if not self._knows(service) and self.unsupported_answer == "unauth":
            raise RefusedError("UNAUTH", "User is not permitted to read this service")
        if service in self.unreadable_services:
            raise RefusedError("UNAUTH", "User is not permitted to read this service")
        return service

    def _knows(self, service: str) -> bool:
        return service in SERVICES and SERVICES[service].logged and service not in self.unsupported

    def _object(self, service: str, sent: Parameters) -> TrackedObject | None:
        sent.required("resource_id")
        identifier = sent.number("resource_id", 0)
        if (service, identifier) in self.unreadable:
            raise RefusedError("UNAUTH", "User is not permitted to read this object")
        item = self.transactions.objects.catalogue.find(service, identifier)
        if item is not None and not item.deleted:
            return item
        if self.missing_object == "empty":
            return None
        if self.missing_object == "status_422":  # as a public client reports
            raise RefusedError("SYNTAX", f"{service} {identifier} does not exist", status=422)
        raise NotFoundError(service, identifier)

    def _select(self, item: TrackedObject | None, sent: Parameters) -> list[Transaction]:
        order = sent.text("sort", _DESCENDING)
        if order not in {"created_on.asc", _DESCENDING}:
            raise syntax_error("sort must be created_on.asc or created_on.desc")
        edge = 0 if self.bounds == "inclusive" else 1
        after, before = self._bound(sent, "min_timestamp"), self._bound(sent, "max_timestamp")
        with_changes = sent.flag("transactions_with_changes")
        by_admin, by_plugin = sent.flag("modified_by_admin"), sent.flag("modified_by_plugin")
        found = [
            change
            for change in (() if item is None else self.visible(item))
            if (after is None or change.moment >= after + edge)
            and (before is None or change.moment <= before - edge)
            and (not by_admin or is_by_admin(change))
            and (not by_plugin or is_by_plugin(change))
            and (not with_changes or self.transactions.has_changes(change))
        ]
        return found[::-1] if order == _DESCENDING or self.ignores_order else found

    def _bound(self, sent: Parameters, name: str) -> int | None:
        moment = sent.moment(name)
        if moment is None or self.ignores_bounds:
            return None
        kept_since = self.transactions.objects.catalogue.now() - self.retention.total_seconds()
        if self.refuses_old_bounds and moment < kept_since:
            raise syntax_error(f"{name} is too long ago")
        return moment - int(self.bounds_zone.total_seconds())


def _additional_fields(sent: Parameters) -> set[str]:
    names = {name.strip() for name in sent.text("additional_fields").split(",") if name.strip()}
    if unknown := names - _ADDITIONAL_FIELDS:
        raise syntax_error(f"unknown additional_fields {', '.join(sorted(unknown))}")
    return names


def _read(
    request: Request, envelope: str, filters: frozenset[str], in_query: frozenset[str], get_only: frozenset[str]
) -> Parameters:
    """Read the parameters from the query of a GET, or from query and body of a POST."""
    if request.method == "GET":
        return Parameters(request.args, filters | in_query | get_only)
    if request.method != "POST":
        raise RefusedError("SYNTAX", "only GET and POST", status=405)
    sent = Parameters(request.args, in_query)
    try:
        body = dict(json.loads(request.get_data())[envelope])
    except (ValueError, TypeError, KeyError):
        raise syntax_error(f"the body must be a {envelope} object") from None
    fields = MultiDict((name, _as_text(name, value)) for name, value in body.items())
    Parameters(fields, filters)
    for name, text in fields.items():
        sent.add(name, text)
    return sent


def _as_text(name: str, value: object) -> str:
    if name == "additional_fields":  # vendor page: an array of strings in POST
        if not isinstance(value, list):
            raise syntax_error("additional_fields must be an array")
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
