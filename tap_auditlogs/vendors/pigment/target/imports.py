"""HTTP client for Pigment's import API: pushes CSV and waits until it has been imported."""

from __future__ import annotations

import logging
import time
import typing as t
from http import HTTPStatus
from urllib.parse import quote

import requests

from tap_auditlogs.core.errors import ApiError, ProtocolError, TapError
from tap_auditlogs.core.http import BearerAuthenticator, HttpClient, Throttle
from tap_auditlogs.vendors.pigment.client import REQUESTS_PER_WINDOW, WINDOW_SECONDS

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_auditlogs.core.http import HttpOptions
    from tap_auditlogs.vendors.pigment.target.csv_file import Chunk

logger = logging.getLogger(__name__)

# Pigment's swagger on 429: maximum 300 imports per configuration per hour.
IMPORTS_PER_HOUR = 300
_HOUR = 3600.0

_FIRST_POLL_SECONDS = 0.25
_LONGEST_POLL_SECONDS = 30.0
_MOST_DETAILS = 5
_DETAIL_CHARACTERS = 300

_KEY_ADVICE = {
    HTTPStatus.UNAUTHORIZED: "Check api_key: an API key of the kind `Import` that has not expired",
    HTTPStatus.FORBIDDEN: "Check that api_key is of the kind `Import`, not `Audit logs`, that its owner may run this "
    "import, and the key's IP allow list",
}
_PUSH_ADVICE = {
    **_KEY_ADVICE,
    HTTPStatus.BAD_REQUEST: "Pigment refuses the CSV or its size: compare its columns with the import configuration, "
    "or lower max_chunk_megabytes",
    HTTPStatus.NOT_FOUND: "Pigment does not know this import configuration: check import_configurations",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The chunk is too large for Pigment: lower max_chunk_megabytes",
}


class ImportFailedError(TapError):
    """Pigment has not imported what it accepted."""


class ImportClient:
    """Pushes CSV into import configurations, one import after the other, at the pace that Pigment allows."""

    def __init__(
        self,
        api_url: str,
        api_key: str,
        options: HttpOptions,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base = f"{api_url.rstrip('/')}/api/v1/import"
        self._http = HttpClient(
            "pigment",
            options,
            authenticator=BearerAuthenticator(api_key),
            throttle=Throttle(REQUESTS_PER_WINDOW, per_seconds=WINDOW_SECONDS),
            rate_limit_window=WINDOW_SECONDS,
        )
        self._throttles: dict[str, Throttle] = {}
        self._sleep = sleep

    def push(self, stream: str, configuration: str, body: Chunk | bytes) -> str:
        """Send one CSV and return the id of the import that it started.

        Args:
            stream: The stream, for messages.
            configuration: The id of the import configuration.
            body: The CSV; sent anew with each try.

        Raises:
            ApiError: If Pigment does not accept it.
        """
        throttle = self._throttles.setdefault(configuration, Throttle(IMPORTS_PER_HOUR, per_seconds=_HOUR))
        throttle.wait()
        request = requests.Request(
            "POST",
            f"{self._base}/push/csv",
            params={"configurationId": configuration},
            headers={"Content-Type": "text/csv"},
            data=body,
        )
        what = _describe(stream, configuration)
        answer = self._ask(request, what, _PUSH_ADVICE)
        import_id = answer.get("importId")
        if not isinstance(import_id, str) or not import_id:
            raise ProtocolError("the answer has no importId", where=f"pigment: {what}")
        return import_id

    def wait(self, stream: str, configuration: str, import_id: str) -> None:
        """Return when an import is completed.

        Raises:
            ImportFailedError: If the import failed.
            ApiError: If its status cannot be read.
        """
        what = f"status of the {_describe(stream, configuration)}"
        url = f"{self._base}/{quote(import_id, safe='')}/status"
        pause = _FIRST_POLL_SECONDS
        while True:
            answer = self._ask(requests.Request("GET", url), what, _KEY_ADVICE)
            match answer.get("importStatus"):
                case "Completed":
                    return
                case "Failed":
                    msg = f"pigment: {_describe(stream, configuration)}: failed: {_details(answer)}"
                    raise ImportFailedError(msg)
                case "InProgress":
                    self._sleep(pause)
                    pause = min(2 * pause, _LONGEST_POLL_SECONDS)
                case other:
                    msg = f"the importStatus {other!r:.40} is not known"
                    raise ProtocolError(msg, where=f"pigment: {what}")

    def _ask(self, request: requests.Request, what: str, advices: Mapping[HTTPStatus, str]) -> dict[str, t.Any]:
        try:
            answer = self._http.send(request, what=what).json()
        except ApiError as error:
            advice = advices.get(HTTPStatus(error.status)) if error.status in set(HTTPStatus) else None
            if advice is None:
                raise
            problem = "the request was not accepted"
            raise ApiError(
                problem, where=f"pigment: {what}", answer=f"HTTP {error.status}", advice=advice, status=error.status
            ) from error
        if not isinstance(answer, dict):
            raise ProtocolError("the answer is not a JSON object", where=f"pigment: {what}")
        return answer


def _describe(stream: str, configuration: str) -> str:
    return f"import of `{stream}` into configuration {configuration}"


def _details(answer: dict[str, t.Any]) -> str:
    """Return what Pigment says about a failed import, shortened."""
    details = answer.get("errorsDetails")
    if not isinstance(details, list) or not details:
        return "Pigment gives no details"
    texts = [_detail(detail) for detail in details[:_MOST_DETAILS]]
    more = len(details) - len(texts)
    return "; ".join(texts) + (f"; and {more} more" if more else "")


def _detail(detail: object) -> str:
    if not isinstance(detail, dict):
        return f"{detail!s:.{_DETAIL_CHARACTERS}}"
    return f"{detail.get('name')}: {detail.get('description')}"[:_DETAIL_CHARACTERS]
