"""Requests the lists of available files, and warns of hours that are missing from them."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from tap_auditlogs.core.errors import CredentialsError, TapError, unit_failure
from tap_auditlogs.vendors.index_exchange.listing import PATHS, ListedFile, Listing, read_listing
from tap_auditlogs.vendors.index_exchange.manifest import LATENESS, RETENTION, format_hour, missing_hours

if t.TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from tap_auditlogs.vendors.index_exchange.client import IndexExchangeClient

# Vendor page: file generation pauses after 35 days without a call, and is not made up for.
PAUSE_AFTER = timedelta(days=35)

_HOURS_NAMED = 5


class AvailableFiles:
    """The files that the vendor lists."""

    def __init__(self, client: IndexExchangeClient, event_types: Sequence[str], logger: logging.Logger) -> None:
        self._client = client
        self._event_types = event_types
        self._logger = logger

    def list_all(self, wants_hour: Callable[[datetime], bool]) -> Listing:
        """Request the lists of all event types.

        A list that is refused, malformed or incomplete does not stop the others: event types are subscribed separately.

        Raises:
            TapError: If there is no list at all.
        """
        files: list[ListedFile] = []
        faults: list[str] = []
        failures: dict[str, TapError] = {}
        for event_type in dict.fromkeys(self._event_types):
            try:
                listing = self._list(event_type)
            except CredentialsError:
                raise
            except Exception as error:  # noqa: BLE001 - the other lists go on
                failures[event_type] = unit_failure(error)
                continue
            files += listing.files
            faults += listing.faults
            self._warn_of_pause(event_type, listing.files)
        if len(failures) == len(set(self._event_types)):
            raise next(iter(failures.values()))
        for failure in failures.values():
            self._logger.error("%s", failure)
        for fault in faults:
            self._logger.error("index_exchange: %s. It is left for the next run.", fault)
        self._warn_of_holes(files, wants_hour)
        return Listing(sorted(files, key=lambda file: file.key), faults, failures)

    def list_again(self, file: ListedFile) -> ListedFile | None:
        """Return the file as it is listed now; None if its entry is unchanged or gone.

        Raises:
            ProtocolError: If the answer is not a complete list.
        """
        listing = self._list(file.key.event_type)
        current = next((listed for listed in listing.files if listed.key == file.key), None)
        if current is None or (current.md5, current.url) == (file.md5, file.url) or current.parts != file.parts:
            return None
        return current

    def _list(self, event_type: str) -> Listing:
        return read_listing(self._client.get(PATHS[event_type], what=f"list of {event_type} files"), event_type)

    def _warn_of_pause(self, event_type: str, files: Sequence[ListedFile]) -> None:
        newest = max((file.key.hour for file in files), default=None)
        if newest is None or newest < self._client.server_time() - 2 * LATENESS:
            self._logger.warning(
                "The newest listed file of %s is of %s. Index Exchange generates files only where that is enabled, and "
                "pauses after %d days without a call; hours in between are not made up for.",
                event_type,
                "no hour at all" if newest is None else format_hour(newest),
                PAUSE_AFTER.days,
            )

    def _warn_of_holes(self, files: Sequence[ListedFile], wants_hour: Callable[[datetime], bool]) -> None:
        hours: dict[str, set[datetime]] = {}
        for file in files:
            hours.setdefault(file.key.group, set()).add(file.key.hour)
        settled = self._client.server_time() - LATENESS
        oldest = (settled - RETENTION).replace(minute=0, second=0, microsecond=0)
        for group, there in hours.items():
            holes = [hour for hour in missing_hours(there, since=oldest, until=settled) if wants_hour(hour)]
            if holes:
                self._logger.warning(
                    "No file of %s is listed for %d hours between others, older than they should be to appear: %s%s.",
                    group,
                    len(holes),
                    ", ".join(format_hour(hour) for hour in holes[:_HOURS_NAMED]),
                    ", ..." if len(holes) > _HOURS_NAMED else "",
                )
