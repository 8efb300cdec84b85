"""Control URLs under `/_sandbox/`, for use from another process."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

from auditlogs_sandbox.faults import fault_from_json
from auditlogs_sandbox.vendor import encode, json_response

if t.TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from auditlogs_sandbox.state import SandboxState


class Control:
    """Handler of the control URLs."""

    MOUNT: t.Final = "_sandbox"

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._routes = Map(
            [
                Rule("/truth", methods=["GET"], endpoint=self._truth),
                Rule("/advance", methods=["POST"], endpoint=self._advance),
                Rule("/requests", methods=["GET"], endpoint=self._requests),
                Rule("/counts", methods=["GET"], endpoint=self._counts),
                Rule("/faults", methods=["POST"], endpoint=self._faults),
            ]
        )

    def handle(self, request: Request) -> Response:
        """Respond to a request, whose path begins after the mount point."""
        try:
            endpoint, _ = self._routes.bind_to_environ(request.environ).match()
            return json_response(encode(endpoint(request)))
        except HTTPException as refusal:
            return Response(f"{refusal.description}\n", refusal.code)

    def _truth(self, request: Request) -> dict[str, t.Any]:
        truth = self._state.truth()
        if request.args.get("rows") == "1":
            return dict(truth)
        return {stream: len(rows) for stream, rows in truth.items()}

    def _advance(self, request: Request) -> dict[str, t.Any]:
        self._state.advance()
        return self._truth(request)

    def _requests(self, _request: Request) -> list[dict[str, t.Any]]:
        return [
            {**asdict(logged), "body": logged.body.decode(errors="replace")} for logged in list(self._state.requests)
        ]

    def _counts(self, _request: Request) -> dict[str, dict[str, int]]:
        return self._state.counts()

    def _faults(self, request: Request) -> dict[str, int]:
        """Replace the faults in force with those of the body, a JSON list."""
        rules = request.get_json(force=True)
        try:
            faults = [fault_from_json(rule) for rule in rules]
        except (TypeError, ValueError) as error:
            raise BadRequest(str(error)) from error
        self._state.faults.replace(faults)
        return {"faults": len(faults)}
