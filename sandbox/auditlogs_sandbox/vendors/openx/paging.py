"""Pages and lists of the imitated OpenX."""

from __future__ import annotations

import typing as t

from auditlogs_sandbox.vendors.openx.replies import Parameters, RefusedError, value_error

if t.TYPE_CHECKING:
    from auditlogs_sandbox.vendor import Row
    from auditlogs_sandbox.vendors.openx.objects import Objects

UNKNOWN_TYPE_STATUSES: t.TypeAlias = t.Literal[400, 404, 403, 500]


class Paging:
    """Base of lists and history.

    Attributes:
        default_limit: How many rows a page has when nothing is asked (vendor pages: 10 here, 20 there).
        most: The largest page; no page of the vendor tells it.
        beyond_most: Whether a larger `limit` is cut, which the echoed limit tells, or refused.
        answer_as: How a page is wrapped; an early sample of the vendor is a bare array.
        unknown_type_status: How a type that the instance does not know is refused.
    """

    def __init__(self) -> None:
        self.default_limit = 10
        self.most = 100
        self.beyond_most: t.Literal["cut", "refuse"] = "cut"
        self.answer_as: t.Literal["envelope", "array", "without_more"] = "envelope"
        self.unknown_type_status: UNKNOWN_TYPE_STATUSES = 400

    def read(self, sent: Parameters) -> tuple[int, int]:
        """Read which page is asked for.

        Raises:
            RefusedError: These are no such numbers.
        """
        limit = sent.number("limit", self.default_limit)
        if limit == 0 or (limit > self.most and self.beyond_most == "refuse"):
            raise value_error(f"limit must be from 1 to {self.most}")
        return min(limit, self.most), sent.number("offset", 0)

    def envelope(self, page: list[Row], limit: int, offset: int, total: int) -> t.Any:
        """Wrap a page."""
        if self.answer_as == "array":
            return page
        if self.answer_as == "without_more":
            return {"objects": page, "limit": limit, "offset": offset}
        return {"has_more": offset + len(page) < total, "objects": page, "limit": limit, "offset": offset}

    def unknown_type(self, kind: str) -> RefusedError:
        """Return the error for an unknown type."""
        names = {400: "Object Type", 404: "Object Not Found", 403: "Permission", 500: "Internal"}
        name = names[self.unknown_type_status]
        return RefusedError(self.unknown_type_status, name, f"there is no object type {kind}")


class Listing:
    """Handles lists of objects and reads of one.

    Attributes:
        newest_first: Whether lists begin with the newest object, so that new ones shift the pages; otherwise they are
            by id.
        without: Fields that lists do not have; no page shows those that they have.
        shows_deleted: Whether deleted objects are in the lists.
        unlistable: Types that the user may not list.
    """

    def __init__(self, objects: Objects, paging: Paging) -> None:
        self.newest_first = False
        self.without: set[str] = set()
        self.shows_deleted = False
        self.unlistable: set[str] = set()
        self._objects = objects
        self._paging = paging

    def answer(self, kind: str, parts: list[str]) -> t.Any:
        """Return the list of a type, without deleted objects.

        Raises:
            RefusedError: The request is malformed, or the type unknown or not to be read.
        """
        self._check(kind)
        limit, offset = self._paging.read(Parameters(parts, {"limit", "offset"}))
        live = self._objects.catalogue.live(kind)
        if self.newest_first:
            live.reverse()
        if self.shows_deleted:
            live = [*live, *self._objects.catalogue.deleted(kind)]
        page = [self._objects.listed(item) for item in live[offset : offset + limit]]
        page = [{name: value for name, value in row.items() if name not in self.without} for row in page]
        return self._paging.envelope(page, limit, offset, len(live))

    def read_one(self, kind: str, identifier: str) -> list[Row]:
        """Return one object.

        Raises:
            RefusedError: It is unknown or deleted, or not to be read.
        """
        self._check(kind)
        for item in self._objects.catalogue.live(kind):
            if identifier in {str(item.id), self._objects.uid(item)}:
                return [self._objects.listed(item)]
        raise RefusedError(404, "Object Not Found", f"there is no {kind} {identifier}")

    def _check(self, kind: str) -> None:
        if kind not in self._objects.catalogue.kinds:
            raise self._paging.unknown_type(kind)
        if kind in self.unlistable:
            raise RefusedError(403, "Permission", f"you may not read objects of type {kind}")
