"""The one customer of the imitated OpenX: credentials, and the sessions that logging in begins."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import timedelta

if t.TYPE_CHECKING:
    from datetime import datetime

    from auditlogs_sandbox.world import World


@dataclass
class _Session:
    begun: datetime
    used: datetime
    lifetime: timedelta | None


class Account:
    """The customer.

    All times are by the clock of the sandbox.

    Attributes:
        instance_host: The host name of the customer's instance.
        email: The one user.
        password: The user's password.
        consumer_key: The OAuth 1.0a client.
        consumer_secret: Its secret.
        realm: Its realm, which clients may leave out.
        client_id: The OAuth 2.0 client, which has no secret.
        identity_api_key: The published key of the identity service.
        access_token: A token that was obtained beforehand, good until `expire_sessions`.
        token_lifetime: How long an OAuth 2.0 token is good, which is told as `expires_in`.
        idle_end: How long after its latest use the session of a cookie ends (vendor page of 2016: 2 hours).
        password_expired: Whether the password has expired, as it does after half a year.
        unauthorized_status: How a request without a session is refused at the gateway.
        logins: How many logins have succeeded.
        issued: Every secret made up during logins.
    """

    def __init__(self, world: World) -> None:
        self.instance_host = "ui.publisher.openx.example"
        self.email = "tap+audit@publisher.example"
        # Characters that suffer when a password is put into a form without encoding.
        self.password = world.secret("openx", "password", length=24) + '+%&="é'
        self.consumer_key = world.secret("openx", "consumer_key", length=30)
        self.consumer_secret = world.secret("openx", "consumer_secret", length=40)
        self.realm = "publisher_realm"
        self.client_id = world.secret("openx", "client_id", length=32)
        self.identity_api_key = "AIza" + world.secret("openx", "identity_api_key", length=35)
        self.access_token = world.secret("openx", "access_token", length=64)
        self.token_lifetime = timedelta(hours=1)
        self.idle_end = timedelta(hours=2)
        self.password_expired = False
        self.unauthorized_status = 401
        self.logins = 0
        self.issued: list[str] = []
        self._world = world
        self._cookies: dict[str, _Session] = {}
        self._bearers: dict[str, _Session] = {
            self.access_token: _Session(world.now(), world.now(), None),
        }

    def accepts(self, email: str | None, password: str | None) -> bool:
        """Whether these are the user's credentials."""
        return (email, password) == (self.email, self.password) and not self.password_expired

    def make_secret(self, purpose: str, length: int = 28) -> str:
        """Generate a token or the like for a login."""
        secret = self._world.secret("openx", purpose, str(len(self.issued)), length=length)
        self.issued.append(secret)
        return secret

    def admit_cookie(self, token: str) -> None:
        """Begin a session whose token goes into the cookie."""
        self.logins += 1
        self._cookies[token] = _Session(self._world.now(), self._world.now(), None)

    def open_bearer_session(self) -> str:
        """Begin a session whose token is sent as Bearer."""
        token = self.make_secret("bearer", length=64)
        self.logins += 1
        self._bearers[token] = _Session(self._world.now(), self._world.now(), self.token_lifetime)
        return token

    def has_cookie_session(self, token: str | None) -> bool:
        """Accept a cookie, which extends its session."""
        session = self._cookies.get(token or "")
        now = self._world.now()
        if session is None or now - session.used >= self.idle_end:
            return False
        session.used = now
        return True

    def has_bearer_session(self, token: str) -> bool:
        """Accept a Bearer token."""
        session = self._bearers.get(token)
        if session is None:
            return False
        return session.lifetime is None or self._world.now() - session.begun < session.lifetime

    def close_session(self, token: str) -> None:
        """Log out."""
        self._cookies.pop(token, None)
        self._bearers.pop(token, None)

    def expire_sessions(self) -> None:
        """End every session, that of the token obtained beforehand included."""
        self._cookies.clear()
        self._bearers.clear()

    def secrets(self) -> list[str]:
        """Return all credentials."""
        return [
            self.password,
            self.consumer_key,
            self.consumer_secret,
            self.client_id,
            self.identity_api_key,
            self.access_token,
            *self.issued,
        ]
