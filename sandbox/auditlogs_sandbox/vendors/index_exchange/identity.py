"""The imitated identity service: access tokens by client credentials, with Keycloak's conventions."""

from __future__ import annotations

import base64
import hmac
import json
import string
import typing as t
from dataclasses import dataclass
from datetime import timedelta

from auditlogs_sandbox.vendor import encode, json_response

if t.TYPE_CHECKING:
    from datetime import datetime

    from werkzeug.wrappers import Request, Response

    from auditlogs_sandbox.world import World

TOKEN_PATH: t.Final = "/auth/realms/eventlog/protocol/openid-connect/token"  # noqa: S105 - a path
TOKEN_LIFETIME: t.Final = timedelta(hours=1)  # vendor page
FORM: t.Final = "application/x-www-form-urlencoded"

_BEARER: t.Final = "Bearer"
_NO_STORE: t.Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@dataclass(frozen=True)
class Client:
    """A key that the vendor handed out; each account has its own.

    Attributes:
        id: The client id.
        secret: The client secret.
    """

    id: str
    secret: str

    @property
    def key(self) -> str:
        """The key as the vendor hands it out: already encoded."""
        return base64.b64encode(f"{self.id}:{self.secret}".encode()).decode()


@dataclass
class _Token:
    client: Client
    dies: datetime
    calls: int = 0


class Identity:
    """The token endpoint and its tokens.

    Attributes:
        client: The credential of the tap.
        other_client: A credential of another consumer of the same files.
        token_lifetime: How long a new token is good for.
        announcement: What an answer says besides the token; `expires_in` follows the lifetime unless it is here.
            A value of None leaves the key out.
        token_calls: How many calls a token is good for, whatever was announced; None is any number.
        refusal_status: The status with which wrong credentials are refused; the vendor's page names none.
        tokens: Every token handed out so far, oldest first.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.client = self._make_client("client")
        self.other_client = self._make_client("other_client")
        self.token_lifetime = TOKEN_LIFETIME
        self.announcement: dict[str, t.Any] = {}
        self.token_calls: int | None = None
        self.refusal_status: t.Literal[400, 401] = 401
        self._tokens: dict[str, _Token] = {}

    @property
    def tokens(self) -> list[str]:
        """Every token handed out so far, oldest first."""
        return list(self._tokens)

    def secrets(self) -> list[str]:
        """Return all credentials and tokens."""
        clients = (self.client, self.other_client)
        return [secret for client in clients for secret in (client.key, client.secret)] + self.tokens

    def revoke_tokens(self) -> None:
        """Make every token handed out so far invalid."""
        for token in self._tokens.values():
            token.dies = self._world.now()

    def caller(self, request: Request) -> Client | None:
        """Return the calling client and count the call."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        token = self._tokens.get(text)
        if scheme != _BEARER or token is None or self._world.now() >= token.dies:
            return None
        token.calls += 1
        return None if self.token_calls is not None and token.calls > self.token_calls else token.client

    def answer(self, request: Request) -> Response:
        """Respond to a token request."""
        client = self._authenticate(request.headers.get("Authorization", ""))
        if client is None:
            return _error(self.refusal_status, "invalid_client", "Invalid client or Invalid client credentials")
        return _fault_of(request) or self._issue(client)

    def _authenticate(self, header: str) -> Client | None:
        for client in (self.client, self.other_client):
            if hmac.compare_digest(header.encode(), f"Basic {client.key}".encode()):
                return client
        return None

    def _issue(self, client: Client) -> Response:
        now = self._world.now()
        dies = now + self.token_lifetime
        text = self._write_token(client, now, dies)
        self._tokens[text] = _Token(client, dies)
        body = {
            "access_token": text,
            "expires_in": int(self.token_lifetime.total_seconds()),
            "refresh_expires_in": 0,
            "token_type": _BEARER,
            "not-before-policy": 0,
            "scope": "profile email",
            **self.announcement,
        }
        return json_response(encode({name: value for name, value in body.items() if value is not None}), 200, _NO_STORE)

    def _write_token(self, client: Client, now: datetime, dies: datetime) -> str:
        claims = {"exp": int(dies.timestamp()), "iat": int(now.timestamp()), "azp": client.id, "typ": _BEARER}
        signature = self._world.secret("index_exchange", "token", str(len(self._tokens)), length=86)
        return ".".join((_segment({"alg": "RS256", "typ": "JWT"}), _segment(claims), signature))

    def _make_client(self, purpose: str) -> Client:
        number = self._world.rng("index_exchange", purpose).randrange(1000, 10_000)
        alphabet = string.ascii_letters + string.digits
        secret = self._world.secret("index_exchange", purpose, length=32, alphabet=alphabet)
        return Client(f"cal-publisher-{number}", secret)


def _fault_of(request: Request) -> Response | None:
    """Refuse a request that is not as the vendor's page shows it: one form value, and no query."""
    if request.method != "POST":
        return _error(405, "HTTP 405 Method Not Allowed")
    if request.mimetype != FORM:
        return _error(415, "HTTP 415 Unsupported Media Type")
    if "grant_type" not in request.form:
        return _error(400, "invalid_request", "Missing form parameter: grant_type")
    if request.query_string or len(list(request.form.items(multi=True))) > 1:
        return _error(400, "invalid_request", "unexpected or duplicated parameter")
    if request.form["grant_type"] != "client_credentials":
        return _error(400, "unsupported_grant_type", "Unsupported grant_type")
    return None


def _segment(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def _error(status: int, error: str, description: str | None = None) -> Response:
    body = {"error": error} if description is None else {"error": error, "error_description": description}
    return json_response(encode(body), status, _NO_STORE)
