"""Who may use the imitated Xandr: `/auth` and its tokens."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from datetime import timedelta

from auditlogs_sandbox.vendors.xandr.replies import RefusedError, success, syntax_error

if t.TYPE_CHECKING:
    from datetime import datetime

    from werkzeug.wrappers import Request, Response

    from auditlogs_sandbox.world import World

_HEX: t.Final = "0123456789abcdef"
_USER_ID: t.Final = 206_220
_MEMBER_ID: t.Final = 364


@dataclass
class _Session:
    begun: datetime
    used: datetime


class Login:
    """The user, the limit on authentications, and the tokens.

    All times are by the clock of the sandbox.

    Attributes:
        username: The one user.
        password: The user's password.
        limit: How many authentications may succeed within `window` (vendor page: 10 in 5 minutes).
        window: See `limit`.
        idle_end: How long after its latest use a token ends (vendor page: 2 hours).
        hard_end: How long after its creation a token ends whatever its use (vendor page: 24 hours).
        user_type: The user's type; no page has more than these.
        password_expires: When the password expires, if ever; the user service tells it.
        account: Whether the password is expired or the user disabled.
        successes: How many authentications have succeeded.
        tokens: Every token handed out, oldest first.
    """

    def __init__(self, world: World) -> None:
        self.username = "audit.observer"
        # Characters that suffer when a password is put anywhere but into JSON.
        self.password = world.secret("xandr", "password", length=24) + '+%&"é'
        self.limit = 10
        self.window = timedelta(minutes=5)
        self.idle_end = timedelta(hours=2)
        self.hard_end = timedelta(hours=24)
        self.user_type: t.Literal["member", "advertiser", "member_advertiser"] = "member"
        self.password_expires: datetime | None = world.base + timedelta(days=60)
        self.account: t.Literal["active", "password_expired", "disabled"] = "active"
        self.successes = 0
        self.tokens: list[str] = []
        self._world = world
        self._sessions: dict[str, _Session] = {}
        self._recent: list[datetime] = []

    def expire_tokens(self) -> None:
        """End every token handed out so far."""
        self._sessions.clear()

    def authenticate(self, request: Request) -> Response:
        """Respond to `/auth`.

        Raises:
            RefusedError: The body is malformed, the credentials are wrong, or it was too often.
        """
        username, password = _read_credentials(request)
        if (username, password) != (self.username, self.password):
            raise RefusedError("NOAUTH", "Authentication failed: unknown user or wrong password")
        self._refuse_account()
        now = self._world.now()
        self._recent = [moment for moment in self._recent if now - moment < self.window]
        if len(self._recent) >= self.limit:
            # The vendor's pages do not show this body; the one for throttling is taken.
            raise RefusedError("SYSTEM", "Too many authentications", code="RATE_EXCEEDED", status=429)
        self._recent.append(now)
        self.successes += 1
        secret = self._world.secret("xandr", "token", str(self.successes), length=13, alphabet=_HEX)
        token = f"authn:{self.successes}:{secret}:nym2"
        self.tokens.append(token)
        self._sessions[token] = _Session(now, now)
        return success({"token": token, "dbg_info": {"warnings": [], "version": "1.18.2024"}})

    def user(self) -> Response:
        """Respond to `/user?current`."""
        expires = None if self.password_expires is None else self.password_expires.strftime("%Y-%m-%d %H:%M:%S")
        user = {
            "id": _USER_ID,
            "username": self.username,
            "user_type": self.user_type,
            "entity_id": _MEMBER_ID,
            "password_expires_on": expires,
        }
        return success({"user": user, "count": 1})

    def check(self, request: Request) -> None:
        """Accept a request by its token, which extends the token's life.

        Raises:
            RefusedError: The token is missing, unknown or over, or the account is not active.
        """
        session = self._sessions.get(request.headers.get("Authorization", ""))
        now = self._world.now()
        if session is None or now - session.used >= self.idle_end or now - session.begun >= self.hard_end:
            raise RefusedError("NOAUTH", "Authentication failed: not logged in")
        self._refuse_account()
        session.used = now

    def _refuse_account(self) -> None:
        if self.account == "password_expired":
            raise RefusedError("NOAUTH_EXPIRED", "The password has expired")
        if self.account == "disabled":
            raise RefusedError("NOAUTH_DISABLED", "The user is disabled")


def _read_credentials(request: Request) -> tuple[str, str]:
    if request.method != "POST":
        raise RefusedError("SYNTAX", "/auth is for POST", status=405)
    try:
        sent = json.loads(request.get_data())["auth"]
        username, password = sent["username"], sent["password"]
    except (ValueError, TypeError, KeyError):
        raise syntax_error("the body must be an auth object with username and password") from None
    return username, password
