"""Lists the objects of a service."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from tap_auditlogs.core.errors import RefusedError
from tap_auditlogs.core.sweep import Listed, UnsupportedTypeError, listed_id, name_objects
from tap_auditlogs.core.times import parse_timestamp, timestamp_or_none
from tap_auditlogs.core.workers import Workers, look_ahead
from tap_auditlogs.vendors.xandr.client import NotUnderstoodError
from tap_auditlogs.vendors.xandr.reader import Reader
from tap_auditlogs.vendors.xandr.services import FALLBACK_PARENTS, LOCAL_TIME_SERVICES, PARENTS, list_endpoint

if t.TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping, Sequence

    from tap_auditlogs.core.http import HttpClient

    Parents: t.TypeAlias = Sequence[tuple[str, str]]

LARGEST_ZONE = timedelta(hours=24)


class Lister:
    """Lists objects with their times of modification, through their parents where a service wants that."""

    def __init__(self, client: HttpClient, api_url: str, logger: logging.Logger) -> None:
        self._client = client
        self._api_url = api_url
        self._logger = logger

    def list_objects(self, service: str, since: str | None, workers: Workers) -> Iterator[Listed]:
        """List the objects of a service.

        Args:
            service: The service.
            since: Objects not changed since may be left out; None if every object is wanted.
            workers: For the lists of several parents.

        Raises:
            UnsupportedTypeError: If there is no such service.
            RefusedError: If the user may not list it.
            ApiError: If it fails.
        """
        try:
            if service in PARENTS:
                yield from self._list_by_parents(service, PARENTS[service], since, workers)
            else:
                yield from self._list_as_a_whole(service, since, workers)
        except NotUnderstoodError as error:
            raise UnsupportedTypeError(str(error), status=error.status) from error

    def _list_as_a_whole(self, service: str, since: str | None, workers: Workers) -> Iterator[Listed]:
        try:
            yield from self._list(service, {}, since)
        except NotUnderstoodError:
            if service not in FALLBACK_PARENTS:
                raise
            self._logger.info("%s: the vendor does not list them as a whole; asking each parent.", service)
            yield from self._list_by_parents(service, FALLBACK_PARENTS[service], since, workers)

    def _list_by_parents(
        self, service: str, parents_of: Parents, since: str | None, workers: Workers
    ) -> Iterator[Listed]:
        """Ask each parent. Every one: a child's change does not show at its parent."""
        refusal: RefusedError | None = None
        listed_any = False
        for parameter, parent in parents_of:
            try:
                parents = self._list(parent, {}, None)
            except RefusedError as error:  # a buyer has no publishers, a seller no advertisers
                refusal = refusal or error
                continue
            refused: list[int] = []
            jobs = (workers.submit(self._list, service, {parameter: listed.id}, since) for listed in parents)
            for listed, job in zip(parents, look_ahead(jobs, workers.window), strict=True):
                try:
                    yield from job.result()
                except RefusedError as error:  # says nothing about the other parents
                    refused.append(listed.id)
                    refusal = refusal or error
            listed_any |= len(refused) < len(parents) or not parents
            if refused:
                self._warn_of_refused(service, parent, refused, len(parents))
        if refusal is not None and not listed_any:
            raise refusal

    def _warn_of_refused(self, service: str, parent: str, refused: Sequence[int], asked: int) -> None:
        self._logger.warning(
            "%s: %d of %d objects of %s were refused or are gone, and what belongs to them is not listed: %s.",
            service,
            len(refused),
            asked,
            parent,
            name_objects(refused),
        )

    def _list(self, service: str, scope: dict[str, int], since: str | None) -> list[Listed]:
        endpoint = list_endpoint(service)
        return Reader(self._client, self._api_url, rows_key=endpoint.rows_key).read_all(
            endpoint.path,
            list_query(service, scope, since),
            # Ids come as numbers and as texts: xandr-19
            take=lambda row: Listed(
                listed_id(row, where=f"xandr: list of {service}"), _latest_change(row.get(endpoint.modified), service)
            ),
            key=lambda listed: listed.id,
            what=f"list of {service}",
        )


def list_query(service: str, scope: Mapping[str, int], since: str | None = None) -> dict[str, t.Any]:
    """Return the parameters of a list, without paging."""
    endpoint = list_endpoint(service)
    params: dict[str, t.Any] = {"sort": endpoint.sort, **scope}
    if endpoint.has_options:  # vendor pages on API semantics and best practices: they work with every other list
        params["fields"] = f"id,{endpoint.modified}"
        if since is not None and service not in LOCAL_TIME_SERVICES:
            params["min_last_modified"] = write_time(parse_timestamp(since))
    return params


def write_time(moment: datetime) -> str:
    """Return a time as the vendor writes it, in UTC: `2026-11-20 05:00:00`."""
    # `strftime` would leave out the zeros of early years
    return moment.replace(tzinfo=None).isoformat(" ", "seconds")


def _latest_change(last_modified: object, service: str) -> datetime | None:
    """Return until when an object may have been changed, or None if its time of modification does not tell."""
    moment = timestamp_or_none(last_modified)
    if moment is None:
        return None
    return moment + LARGEST_ZONE if service in LOCAL_TIME_SERVICES else moment
