"""One page of each list and of some change logs, for the doctor: what there is, and how much."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from tap_auditlogs.core.errors import ApiError, ProtocolError, RefusedError
from tap_auditlogs.core.sweep import listed_id, requests_for
from tap_auditlogs.core.times import format_timestamp
from tap_auditlogs.vendors.xandr.client import NotUnderstoodError
from tap_auditlogs.vendors.xandr.listing import list_query
from tap_auditlogs.vendors.xandr.reader import PAGE_SIZE, Reader, rows_of
from tap_auditlogs.vendors.xandr.services import FALLBACK_PARENTS, LOCAL_TIME_SERVICES, PARENTS, list_endpoint
from tap_auditlogs.vendors.xandr.streams import LOG_KEY

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_auditlogs.core.http import ApiResponse, HttpClient
    from tap_auditlogs.core.sweep import Row
    from tap_auditlogs.vendors.xandr.listing import Parents
    from tap_auditlogs.vendors.xandr.streams import ChangeLog

_MOST_PARENTS = 2
_STRIDE = 7


@dataclass(frozen=True)
class ListPage:
    """The first page of a list, and how many objects there are."""

    response: ApiResponse
    rows: Sequence[Row]
    total: int


@dataclass(frozen=True)
class LogPage:
    """The first page of an object's change log, and how many transactions it has."""

    service: str
    object_id: int
    listed: Row
    rows: Sequence[Row]
    total: int


@dataclass
class Service:
    """What is known of a service.

    Attributes:
        total: How many objects it has, perhaps estimated.
        list_requests: How many requests a first run needs to list them.
        hourly_list_requests: The same for a run that lists what has changed.
        listed: Some of them.
        logs: The change logs of some of them.
    """

    name: str
    total: int
    list_requests: int
    hourly_list_requests: int
    listed: Sequence[Row]
    logs: list[LogPage] = field(default_factory=list)

    @property
    def unasked(self) -> Sequence[Row]:
        """The listed objects whose log has not been requested, in an order that is spread over the list."""
        known = {page.object_id for page in self.logs}
        count = len(self.listed)
        stride = _STRIDE if count % _STRIDE else 1
        order = [(count // 2 + step * stride) % count for step in range(count)]
        return [self.listed[place] for place in order if listed_id(self.listed[place], where="xandr") not in known]


class Survey:
    """Requests pages as the tap does, each once.

    Attributes:
        services: The services that could be listed so far.
        failures: Why the others could not.
        log_failures: Why the change log of a service could not be read.
    """

    def __init__(self, client: HttpClient, api_url: str, stream: ChangeLog) -> None:
        self.services: dict[str, Service] = {}
        self.failures: dict[str, ApiError] = {}
        self.log_failures: dict[str, ApiError] = {}
        self.lists: dict[tuple[str, str, int], ListPage] = {}
        self.as_a_whole: dict[str, bool] = {}
        self._client = client
        self._api_url = api_url
        self._stream = stream

    def ask(self, name: str) -> None:
        """List a service, and request the change log of one of its objects; failures are noted."""
        if name in self.services or name in self.failures:
            return
        try:
            service = self._service(name)
            self.services[name] = service
        except (RefusedError, NotUnderstoodError, ProtocolError) as error:
            self.failures[name] = error
            return
        try:
            self.ask_log(service)
        except (RefusedError, NotUnderstoodError, ProtocolError) as error:
            self.log_failures[name] = error

    def ask_log(self, service: Service) -> None:
        """Request the change log of one more object of a service, if there is one."""
        unasked = service.unasked
        if not unasked:
            return
        object_id = listed_id(unasked[0], where="xandr")
        response = self.send_log(service.name, object_id)
        rows = rows_of(response, LOG_KEY, "change log")
        service.logs.append(LogPage(service.name, object_id, unasked[0], rows, _total(response, rows)))

    def send_log(self, service: str, object_id: int, **others: str) -> ApiResponse:
        """Request the first page of a change log, with other parameters than the tap's."""
        start = self._stream.start_date
        since = None if start is None else format_timestamp(start)
        query = self._stream.log_query(service, object_id, since, format_timestamp(self._client.server_time()))
        return self.send_page(self._stream.path, {**query, **others})

    def send_page(self, path: str, params: Mapping[str, t.Any]) -> ApiResponse:
        """Request a first page."""
        return self.send(path, {**params, "start_element": 0, "num_elements": PAGE_SIZE})

    def send(self, path: str, params: Mapping[str, t.Any]) -> ApiResponse:
        """Send a request as the tap does."""
        return Reader(self._client, self._api_url).send(path, params, what=path)

    def list_page(self, service: str, parameter: str = "", parent: int = 0) -> ListPage:
        """Request the first page of a list, as a whole or of one parent."""
        key = (service, parameter, parent)
        if key not in self.lists:
            endpoint = list_endpoint(service)
            response = self.send_page(endpoint.path, list_query(service, {parameter: parent} if parameter else {}))
            rows = rows_of(response, endpoint.rows_key, f"list of {service}")
            self.lists[key] = ListPage(response, rows, _total(response, rows))
        return self.lists[key]

    def _service(self, name: str) -> Service:
        if ids := self._stream.configured_ids(name):
            return Service(name, len(ids), 0, 0, [{"id": each} for each in ids])
        if name in PARENTS:
            return self._by_parents(name, PARENTS[name])
        try:
            page = self.list_page(name)
            self.as_a_whole[name] = True
        except NotUnderstoodError:
            if name not in FALLBACK_PARENTS:
                raise
            self.as_a_whole[name] = False
            return self._by_parents(name, FALLBACK_PARENTS[name])
        hourly = pages(page.total) if name in LOCAL_TIME_SERVICES else 1
        return Service(name, page.total, pages(page.total), hourly, page.rows)

    def _by_parents(self, name: str, parents_of: Parents) -> Service:
        refusal: RefusedError | None = None
        service = Service(name, 0, 0, 0, [])
        for parameter, parent in parents_of:
            try:
                parents = self.list_page(parent)
            except RefusedError as error:  # a buyer has no publishers, a seller no advertisers
                refusal = error
                continue
            asked = [listed_id(row, where="xandr") for row in parents.rows[:_MOST_PARENTS]]
            found = [self.list_page(name, parameter, each) for each in asked]
            mean = sum(page.total for page in found) / max(1, len(found))
            service.total += round(mean * parents.total)
            service.list_requests += pages(parents.total) + parents.total
            service.hourly_list_requests = service.list_requests
            service.listed = [*service.listed, *(row for page in found for row in page.rows)]
        if refusal is not None and not service.list_requests:
            raise refusal
        return service


def pages(total: int) -> int:
    """Return how many requests the tap needs for so many rows."""
    return requests_for(total, PAGE_SIZE)


def _total(response: ApiResponse, rows: Sequence[Row]) -> int:
    count = response.json()["response"].get("count")
    return count if isinstance(count, int) else len(rows)
