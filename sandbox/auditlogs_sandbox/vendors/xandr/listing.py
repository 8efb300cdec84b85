"""The lists of objects of the imitated Xandr."""

from __future__ import annotations

import typing as t

from auditlogs_sandbox.vendors.xandr.replies import NotFoundError, Parameters, RefusedError, success, syntax_error
from auditlogs_sandbox.vendors.xandr.services import SERVICES, UNIVERSAL_PIXEL

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Request, Response

    from auditlogs_sandbox.histories import TrackedObject
    from auditlogs_sandbox.vendor import Row
    from auditlogs_sandbox.vendors.xandr.objects import Objects
    from auditlogs_sandbox.vendors.xandr.services import Service

_MOST_UNIVERSAL_PIXELS: t.Final = 1000
_COMMON: t.Final = frozenset(
    {"id", "fields", "sort", "min_id", "min_last_modified", "start_element", "num_elements", "add_mappings"}
)
_SORT_KEYS: t.Final[dict[str, Callable[[TrackedObject], tuple[int, int]]]] = {
    "id": lambda item: (item.id, 0),
    "last_modified": lambda item: (item.modified, item.id),
}


class Listing:
    """Handles requests for the lists.

    Attributes:
        objects: The objects.
        unlistable_services: Services whose objects the user may not list.
        unreadable_parents: Objects, as service and id, whose children the user may not list.
        min_id_inclusive: Whether `min_id` belongs to what it bounds; no page tells.
        single_as_object: Whether one result comes as an object under the singular key, as public clients expect.
        scopes_optional: Whether every list can be asked for as a whole.
        scopes_required: Whether every list that can be scoped must be.
        other_list: Whether answers have another list besides, and nothing that tells which is which.
        id_prefix: Before each id, which is a text then.
    """

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.unlistable_services: set[str] = set()
        self.unreadable_parents: set[tuple[str, int]] = set()
        self.min_id_inclusive = True
        self.single_as_object = True
        self.scopes_optional = False
        self.scopes_required = False
        self.other_list = False
        self.id_prefix = ""

    def answer(self, service: Service, request: Request) -> Response:
        """Return the list of a service.

        Raises:
            RefusedError: The request is malformed, or the user may not read this.
        """
        if request.method != "GET":
            raise RefusedError("SYNTAX", "only GET is imitated", status=405)
        if service.name in self.unlistable_services:
            raise RefusedError("UNAUTH", f"User is not permitted to read {service.name}")
        if service.name == UNIVERSAL_PIXEL:
            return self._answer_universal_pixels(service, request)
        sent = Parameters(request.args, _COMMON | service.scopes)
        sent.flag("add_mappings")
        begin, count = sent.slice()
        names = self._fields(sent)
        found = self._select(service, sent)
        rows = [self._row(item, names) for item in found[begin : begin + count]]
        return self._reply(service, rows, begin, count, len(found))

    def _answer_universal_pixels(self, service: Service, request: Request) -> Response:
        """Respond as the vendor's page on universal pixels shows: its own path, keys and order."""
        sent = Parameters(request.args, frozenset({"start_element", "num_elements", "sort"}))
        if sent.text("sort", "id.dsc") not in {"id.dsc", "id.asc"}:
            raise syntax_error("sort must be id.dsc or id.asc")
        begin, count = sent.slice(most=_MOST_UNIVERSAL_PIXELS)
        live = sorted(self.objects.catalogue.live(service.name), key=_SORT_KEYS["id"])
        if sent.text("sort", "id.dsc") == "id.dsc":
            live.reverse()
        rows = [self._row(item, None) for item in live[begin : begin + count]]
        for row in rows:
            row["last_updated"] = row.pop("last_modified")
        return success({"count": len(live), "start_element": begin, "num_elements": len(rows), "data": rows})

    def _reply(self, service: Service, rows: list[Row], begin: int, count: int, total: int) -> Response:
        single = len(rows) == 1 and self.single_as_object
        term = service.name if single else service.plural
        content: Row = {
            "count": total,
            "start_element": begin,
            "num_elements": count,
            term: rows[0] if single else rows,
        }
        if self.other_list:
            content["facets"] = []
        elif service.has_debug_info:
            content["dbg_info"] = {"warnings": [], "version": "1.18.2024", "output_term": term}
        return success(content, escaped=bool(begin))

    def _fields(self, sent: Parameters) -> set[str] | None:
        if "fields" not in sent:
            return None
        names = set(sent.text("fields").split(","))
        # Vendor page: a filter may need its field among the fields.
        for parameter, field in (("min_last_modified", "last_modified"), ("min_id", "id")):
            if parameter in sent and field not in names:
                raise syntax_error(f"{parameter} needs {field} among the fields")
        return names

    def _row(self, item: TrackedObject, names: set[str] | None) -> Row:
        row = self.objects.listed(item)
        if self.id_prefix:
            row["id"] = f"{self.id_prefix}{row['id']}"
        if names is None:
            return row
        if unknown := names - row.keys():
            raise syntax_error(f"unknown fields {', '.join(sorted(unknown))}")
        return {name: value for name, value in row.items() if name in names}

    def _select(self, service: Service, sent: Parameters) -> list[TrackedObject]:
        scopes = [name for name in sorted(service.scopes) if name in sent]
        required = self.scopes_required or service.scope_required
        if required and service.scopes and not scopes and not self.scopes_optional:
            raise syntax_error(f"{service.name} needs {' or '.join(sorted(service.scopes))}")
        ids = sent.numbers("id")
        least = sent.number("min_id", 0) + (0 if self.min_id_inclusive else 1)
        # "On or after", says the page; the time is compared as the service writes it, local or not.
        since = sent.moment("min_last_modified")
        wanted = {name: sent.number(name, 0) for name in scopes}
        for name, identifier in wanted.items():
            self._check_parent(name, identifier)
        field, _, direction = sent.text("sort", "id.asc").partition(".")
        if field not in _SORT_KEYS or direction not in {"asc", "desc"}:
            raise syntax_error("sort must be id or last_modified with .asc or .desc")
        found = [
            item
            for item in self._candidates(service, wanted)
            if (ids is None or item.id in ids)
            and ("min_id" not in sent or item.id >= least)
            and (since is None or self.objects.shown_modified(item) >= since)
        ]
        return sorted(found, key=_SORT_KEYS[field], reverse=direction == "desc")

    def _check_parent(self, parameter: str, identifier: int) -> None:
        parent = parameter.removesuffix("_id").replace("_", "-")
        found = self.objects.catalogue.find(parent, identifier) if parent in SERVICES else None
        if parent in SERVICES and (found is None or found.deleted):
            raise NotFoundError(parent, identifier)
        if (parent, identifier) in self.unreadable_parents:
            raise RefusedError("UNAUTH", f"User is not permitted to read {parent} {identifier}")

    def _candidates(self, service: Service, wanted: dict[str, int]) -> list[TrackedObject]:
        live = self.objects.catalogue.live(service.name)
        if not wanted:
            return live
        return [item for item in live if self._belongs(item, wanted)]

    def _belongs(self, item: TrackedObject, wanted: dict[str, int]) -> bool:
        # An object of the member itself has no other parent; there are none here.
        parents = self.objects.parents(item)
        return all(parents.get(name) == identifier for name, identifier in wanted.items())
