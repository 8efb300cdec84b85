"""The imitation of OpenX: both ways to log in, the lists of objects, and the history of each.

Written from the vendor's pages and public clients, not from what the tap sends. Where they say nothing, it takes the
reading that forgives least.
"""

from __future__ import annotations

import typing as t
from datetime import timedelta

from auditlogs_sandbox.histories import Catalogue
from auditlogs_sandbox.metered import MeteredSandbox
from auditlogs_sandbox.vendor import encode, json_response
from auditlogs_sandbox.vendors.openx.account import Account
from auditlogs_sandbox.vendors.openx.audit_trail import AuditTrail
from auditlogs_sandbox.vendors.openx.oauth1 import OAuth1Login
from auditlogs_sandbox.vendors.openx.oauth2 import FOLLOW_PATH, OAuth2Login
from auditlogs_sandbox.vendors.openx.objects import FIRST_ID, Objects
from auditlogs_sandbox.vendors.openx.paging import Listing, Paging
from auditlogs_sandbox.vendors.openx.replies import RefusedError, read_query

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from werkzeug.wrappers import Request, Response

    from auditlogs_sandbox.vendor import Row
    from auditlogs_sandbox.world import World

__all__ = ["OpenxSandbox", "create"]

STREAM: t.Final = "openx_audit_trail"
COOKIE: t.Final = "openx3_access_token"
GATEWAY_PATH: t.Final = "/api/v1/ox/4.0"
INSTANCE_PATH: t.Final = "/ox/4.0"
OBJECT_TYPES: t.Final = ("order", "lineitem", "ad", "adunit", "account", "creative", "deal", "site", "user")

_ROWS_PER_OBJECT: t.Final = 600  # of the world's size: each object costs a request, so this log is small
_LONG_HISTORY: t.Final = 120  # more than a page
_MOST_CHANGES: t.Final = 7


class OpenxSandbox(MeteredSandbox):
    """The imitated API.

    Attributes:
        account: The customer, the credentials and the sessions.
        auth_method: What `config` is made for.
        oauth2: The current login and its levers.
        catalogue: The objects and when they changed.
        objects: The objects, and what their history looks like.
        audit_trail: The history and its levers.
        listing: The lists and their levers.
        paging: How pages are cut.
        expired_cookie_status: How a session that is over is refused at the instance's own host, where no page tells;
            without the body that other errors have.
        serves_session: Whether `/session` is there, which only the older pages show.
        hourly_quota: How many API requests each clock hour has; None is no limit. The vendor publishes no number.
    """

    name = "openx"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.account = Account(world)
        self.auth_method: t.Literal["oauth2", "oauth1", "token"] = "oauth2"
        self.catalogue = Catalogue(world, self.name, dict.fromkeys(OBJECT_TYPES, FIRST_ID))
        objects = Objects(world, self.catalogue)
        self.paging = Paging()
        self.audit_trail = AuditTrail(objects, self.paging)
        self.listing = Listing(objects, self.paging)
        self.expired_cookie_status: t.Literal[401, 403] = 401
        self.serves_session = True
        self.hourly_quota: int | None = None
        self.objects = objects
        self._hour = (0, 0)
        self.oauth2 = oauth2 = OAuth2Login(self.account)
        oauth1 = OAuth1Login(self.account)
        self._login: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("POST", "/sso/api/index/initiate"): oauth1.initiate,
            ("POST", "/sso/login/process"): oauth1.process,
            ("POST", "/sso/api/index/token"): oauth1.token,
            ("POST", "/identity/v1/accounts:signInWithPassword"): oauth2.sign_in,
            ("GET", "/oauth2/v1/authorize"): oauth2.authorize,
            ("GET", FOLLOW_PATH): oauth2.follow,
            ("GET", "/login"): oauth2.login_page,
            ("GET", "/oauth2/v1/login/session-info"): oauth2.session_info,
            ("POST", "/oauth2/v1/login/consent"): oauth2.consent,
            ("POST", "/oauth2/v1/token"): oauth2.token,
        }
        self._make_up(world.size)

    # What the server needs.

    def answer(self, request: Request, _in_flight: int) -> Response:
        """Respond as the vendor would; the lock is held."""
        try:
            return self._route(request)
        except RefusedError as refusal:
            return refusal.response()

    def config(self, base_url: str) -> dict[str, t.Any]:
        """Return the tap's settings for this vendor."""
        account = self.account
        common = {
            "auth_method": self.auth_method,
            "instance_host": account.instance_host,
            "object_types": [kind for kind in self.catalogue.kinds if self.catalogue.live(kind)],
        }
        user = {"email": account.email, "password": account.password}
        if self.auth_method == "oauth1":
            return {
                **common,
                **user,
                "consumer_key": account.consumer_key,
                "consumer_secret": account.consumer_secret,
                "realm": account.realm,
                "sso_url": f"{base_url}/sso",
                "api_url": f"{base_url}{INSTANCE_PATH}",
            }
        if self.auth_method == "token":
            return {**common, "access_token": account.access_token, "api_url": f"{base_url}{GATEWAY_PATH}"}
        return {
            **common,
            **user,
            "client_id": account.client_id,
            "identity_api_key": account.identity_api_key,
            "identity_url": f"{base_url}/identity/v1",
            "oauth2_url": f"{base_url}/oauth2/v1",
            "api_url": f"{base_url}{GATEWAY_PATH}",
        }

    def truth(self) -> dict[str, list[Row]]:
        """Return, by stream, the rows that the API would return now."""
        with self.lock:
            return {STREAM: list(self.audit_trail.readable())}

    def advance(self) -> None:
        """Add new rows."""
        with self.lock:
            self.catalogue.advance()

    def secrets(self) -> list[str]:
        """Return all credentials of this vendor."""
        return self.account.secrets()

    # Levers.

    def truth_keys(self) -> Iterator[tuple[str, str, int]]:
        """Return the keys of the truth without generating the rows."""
        for kind in self.catalogue.kinds:
            for item in self.catalogue.live(kind):
                if (kind, item.id) not in self.audit_trail.unreadable:
                    for revision in range(self.audit_trail.purged[kind, item.id] + 1, item.changes + 1):
                        yield kind, str(item.id), revision

    def fill(self, sizes: Mapping[str, int], *, changes: int) -> None:
        """Replace all objects by generated ones; none has changed in the last three days."""
        with self.lock:
            self.catalogue.fill(sizes, lambda _kind, _number: changes, ancient=False)

    def change(self, obj_type: str, obj_id: int, *, age: timedelta = timedelta(seconds=1), bump: bool = True) -> Row:
        """Log a change of an object; with `bump` its `modified_date` and `revision` show it."""
        with self.lock:
            item = self.catalogue.known(obj_type, obj_id)
            moment = self.catalogue.now() - int(age.total_seconds())
            return self.objects.record(item, self.catalogue.change(item, moment, bump=bump) + 1, moment)

    def add(self, obj_type: str) -> int:
        """Create an object now."""
        with self.lock:
            return self.catalogue.add(obj_type).id

    def delete(self, obj_type: str, obj_id: int) -> None:
        """Delete an object, so that it is in no list any more; its history can still be asked for by its id."""
        with self.lock:
            self.catalogue.delete(self.catalogue.known(obj_type, obj_id))

    def purge(self, obj_type: str, obj_id: int, revisions: int) -> None:
        """Remove the oldest revisions of an object."""
        with self.lock:
            self.audit_trail.purged[obj_type, obj_id] += revisions

    # The data.

    def _make_up(self, size: int) -> None:
        long = 0 if size >= _ROWS_PER_OBJECT else None

        def changes(kind: str, number: int) -> int:
            return _LONG_HISTORY if kind == "order" and number == long else 1 + number % _MOST_CHANGES

        sizes = dict.fromkeys(self.catalogue.kinds, max(2, size // _ROWS_PER_OBJECT))
        self.catalogue.fill(sizes, changes, ancient=True)
        for kind in ("ad", "site"):
            self.catalogue.delete(self.catalogue.add(kind))

    # The answers.

    def _route(self, request: Request) -> Response:
        if login := self._login.get((request.method, request.path)):
            return login(request)
        for base, check in ((GATEWAY_PATH, self._check_bearer), (INSTANCE_PATH, self._check_cookie)):
            if request.path.startswith(f"{base}/"):
                token = check(request)
                return self._answer(request, request.path.removeprefix(f"{base}/").split("/"), token)
        raise RefusedError(404, None, "Not Found")

    def _check_bearer(self, request: Request) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not self.account.has_bearer_session(token):
            raise RefusedError(self.account.unauthorized_status, None, "Unauthorized")
        if request.headers.get("X-Openx-Instance") != self.account.instance_host:
            raise RefusedError(403, "Permission", "X-Openx-Instance names no instance of yours")
        return token

    def _check_cookie(self, request: Request) -> str:
        token = request.cookies.get(COOKIE, "")
        if not self.account.has_cookie_session(token):
            raise RefusedError(self.expired_cookie_status, None, "The session is over")
        return token

    def _answer(self, request: Request, path: list[str], token: str) -> Response:
        if request.mimetype != "application/json":
            # Vendor page: on every request, GET included; how its absence is refused is not told.
            raise RefusedError(415, None, "Unsupported Media Type")
        self._count_for_quota()
        if path == ["session"] and request.method == "DELETE":
            self.account.close_session(token)
            return json_response(b"{}")
        if request.method != "GET":
            raise RefusedError(405, None, "Method Not Allowed")
        response = json_response(encode(self._read(path, read_query(request.query_string)), escaped=len(path) > 1))
        response.headers["x-request-id"] = f"sandbox-{self._hour[0]}-{self._hour[1]}"
        return response

    def _read(self, path: list[str], parts: list[str]) -> t.Any:
        match path:
            case ["audittrail"]:
                return self.audit_trail.answer(parts, None)
            case [kind, identifier, "audittrail"]:
                return self.audit_trail.answer(parts, (kind, identifier))
            case ["session"] if self.serves_session:
                return {"user": {"email": self.account.email}, "instance": {"uid": self.objects.instance_uid}}
            case [kind]:
                return self.listing.answer(kind, parts)
            case [kind, identifier]:
                return self.listing.read_one(kind, identifier)
            case _:
                raise RefusedError(404, None, "Not Found")

    def _count_for_quota(self) -> None:
        hour, used = self._hour
        now = self.catalogue.now() // 3600
        self._hour = (now, used + 1 if now == hour else 1)
        if self.hourly_quota is not None and self._hour[1] > self.hourly_quota:
            raise RefusedError(429, "Too Many Requests", "the quota of this hour is used up")


def create(world: World) -> OpenxSandbox:
    """Generate the vendor's data."""
    return OpenxSandbox(world)
