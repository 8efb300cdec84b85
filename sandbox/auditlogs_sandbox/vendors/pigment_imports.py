"""The imitation of Pigment's import API: takes CSV, works on it for a while, and keeps what was imported.

Written from Pigment's swagger; the bodies of its refusals and the size limit are not published.
"""

from __future__ import annotations

import csv
import hmac
import io
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from auditlogs_sandbox.vendor import encode, json_response
from auditlogs_sandbox.world import made_up_uuid

if t.TYPE_CHECKING:
    from datetime import datetime

    from werkzeug.wrappers import Request, Response

    from auditlogs_sandbox.world import World

PUSH_PATHS: t.Final = ("/api/v1/import/push/csv", "/api/import/push/csv")
_STATUS_PREFIX: t.Final = "/api/v1/import/"
_STATUS_SUFFIX: t.Final = "/status"
_CONTENT_TYPES: t.Final = {"text/csv", "application/octet-stream", "application/csv"}  # the last one: the script

Detail: t.TypeAlias = dict[str, str]


@dataclass
class Import:
    """One import that was accepted."""

    import_id: str
    configuration: str
    body: bytes
    created: datetime
    errors: list[Detail]
    polls_left: int
    completed: datetime | None = None

    @property
    def status(self) -> str:
        """The status as the API spells it."""
        if self.completed is None:
            return "InProgress"
        return "Failed" if self.errors else "Completed"


@dataclass
class ImportApi:
    """The import API of one workspace.

    Attributes:
        api_key: The key of the kind Import.
        other_keys: Genuine keys of other kinds, which may not import.
        configurations: The ids of the import configurations that exist.
        max_bytes: The largest body accepted; about 500 MB is inferred from the community's script.
        too_large_status: 413 or 400, both of which the swagger lists.
        imports_per_hour: The limit for each configuration.
        polls_in_progress: How often the status is InProgress first.
        failures: The errorsDetails of the next imports, one list for each; an empty list lets that import succeed.
        imports: Everything accepted so far, oldest first.
    """

    world: World
    api_key: str
    other_keys: tuple[str, ...]
    configurations: list[str]
    max_bytes: int = 500_000_000
    too_large_status: int = 413
    imports_per_hour: int = 300
    polls_in_progress: int = 1
    failures: list[list[Detail]] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)

    @classmethod
    def create(cls, world: World, audit_key: str) -> ImportApi:
        """Generate a key and two configurations."""
        rng = world.rng("pigment", "imports")
        key = world.secret("pigment", "import_key")
        return cls(world, key, (audit_key,), [made_up_uuid(rng) for _ in range(2)])

    def serves(self, path: str) -> bool:
        """Whether a path belongs to this API."""
        return path in PUSH_PATHS or (path.startswith(_STATUS_PREFIX) and path.endswith(_STATUS_SUFFIX))

    def handle(self, request: Request) -> Response:
        """Respond as Pigment would."""
        if refusal := self._refuse_caller(request):
            return refusal
        if request.path in PUSH_PATHS:
            return self._push(request) if request.method == "POST" else _refusal(405, "Method Not Allowed")
        import_id = request.path.removeprefix(_STATUS_PREFIX).removesuffix(_STATUS_SUFFIX)
        return self._status(import_id) if request.method == "GET" else _refusal(405, "Method Not Allowed")

    def rows(self, configuration: str) -> list[dict[str, str]]:
        """Return the rows that a configuration has imported, as often as they came."""
        return [
            row
            for each in self.imports
            if each.configuration == configuration and each.status == "Completed"
            for row in csv.DictReader(io.StringIO(each.body.decode(), newline=""))
        ]

    def _refuse_caller(self, request: Request) -> Response | None:
        sent = request.headers.get("Authorization", "").encode()
        if hmac.compare_digest(sent, f"Bearer {self.api_key}".encode()):
            return None
        if any(hmac.compare_digest(sent, f"Bearer {key}".encode()) for key in self.other_keys):
            return _refusal(403, "Forbidden")
        return _refusal(401, "Unauthorized")

    def _push(self, request: Request) -> Response:
        names = {name.casefold(): values for name, values in request.args.lists()}
        if set(names) != {"configurationid"} or len(names["configurationid"]) != 1:
            return _refusal(400, "configurationId is required")
        configuration = names["configurationid"][0]
        if configuration not in self.configurations:
            return _refusal(404, "Import configuration not found")
        if self._recent()[configuration] >= self.imports_per_hour:
            limit = f"Maximum number of reports per configuration per hour exceeded, maximum: {self.imports_per_hour}"
            return _refusal(429, limit)
        body = request.get_data()
        return self._refuse_body(request.mimetype, body) or self._accept(configuration, body)

    def _refuse_body(self, mimetype: str, body: bytes) -> Response | None:
        if mimetype not in _CONTENT_TYPES or not body:
            return _refusal(400, "The body has to be CSV")
        return _refusal(self.too_large_status, "Size limit exceeded") if len(body) > self.max_bytes else None

    def _accept(self, configuration: str, body: bytes) -> Response:
        import_id = made_up_uuid(self.world.rng("pigment", "import", str(len(self.imports))))
        errors = (self.failures.pop(0) if self.failures else []) or _faults_of(body)
        accepted = Import(import_id, configuration, body, self.world.now(), errors, self.polls_in_progress)
        self.imports.append(accepted)
        return json_response(encode({"importId": import_id}))

    def _recent(self) -> Counter[str]:
        begin = self.world.now() - timedelta(hours=1)
        return Counter(each.configuration for each in self.imports if each.created > begin)

    def _status(self, import_id: str) -> Response:
        found = next((each for each in self.imports if each.import_id == import_id), None)
        if found is None:
            return _refusal(404, "Import not found")
        if found.completed is None:
            found.polls_left -= 1
            if found.polls_left < 0:
                found.completed = self.world.now()
        body = {
            "importId": import_id,
            "importStatus": found.status,
            "createdAt": found.created.isoformat(),
            "completedAt": found.completed and found.completed.isoformat(),
            "errorsDetails": found.errors if found.status == "Failed" else [],
        }
        return json_response(encode(body))


def _faults_of(body: bytes) -> list[Detail]:
    """Find what no import accepts: text that is not UTF-8, and rows with more or fewer cells than the header."""
    try:
        header, *rows = csv.reader(io.StringIO(body.decode(), newline=""), strict=True)
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        return [{"name": "InvalidFile", "description": str(error)}]
    return [
        {"name": "InvalidRow", "description": f"Row {number} has {len(row)} cells, the header has {len(header)}"}
        for number, row in enumerate(rows, 1)
        if len(row) != len(header)
    ][:10]


def _refusal(status: int, message: str) -> Response:
    return json_response(encode({"status": status, "title": message}), status)
