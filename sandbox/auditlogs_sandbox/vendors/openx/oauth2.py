"""The OAuth 2.0 login of the imitated OpenX: authorization code with PKCE behind an identity service."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import typing as t
from dataclasses import dataclass
from urllib.parse import urlencode

from werkzeug.wrappers import Response

from auditlogs_sandbox.vendor import encode, json_response

if t.TYPE_CHECKING:
    from werkzeug.datastructures import MultiDict
    from werkzeug.wrappers import Request

    from auditlogs_sandbox.vendors.openx.account import Account

SCOPE: t.Final = "openid email profile api"
LOGIN_ORIGIN: t.Final = "https://login.openx.com"

FOLLOW_PATH: t.Final = "/oauth2/v1/login/follow"

_LOGIN_COOKIE: t.Final = "openx_login"
_CHALLENGE: t.Final = re.compile(r"[A-Za-z0-9_-]{43}")  # base64url of a SHA-256 without its padding
_VERIFIER: t.Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636, 4.1
_BEARER: t.Final = "Bearer"


@dataclass
class _Authorization:
    """A login under way."""

    challenge: str
    redirect_uri: str
    scope: str
    code: str = ""


class OAuth2Login:
    """Handles the five steps.

    Attributes:
        redirects: How many redirects lead from `/authorize` to the login page; the vendor's samples follow any number.
    """

    def __init__(self, account: Account) -> None:
        self.redirects = 1
        self._account = account
        self._id_tokens: set[str] = set()
        self._authorizations: dict[str, _Authorization] = {}

    def sign_in(self, request: Request) -> Response:
        """Respond to the identity service's `accounts:signInWithPassword`."""
        if request.args.get("key") != self._account.identity_api_key:
            return _identity_error("API key not valid. Please pass a valid API key.")
        sent = request.get_json(silent=True) if request.is_json else request.form.to_dict()
        if not isinstance(sent, dict) or not self._account.accepts(sent.get("email"), sent.get("password")):
            return _identity_error("INVALID_LOGIN_CREDENTIALS")
        answer: dict[str, t.Any] = {"email": self._account.email, "registered": True}
        if sent.get("returnSecureToken") in {True, "true"}:
            answer["idToken"] = self._account.make_secret("id_token", length=200)
            answer["expiresIn"] = "3600"
            self._id_tokens.add(answer["idToken"])
        return json_response(encode(answer))

    def authorize(self, request: Request) -> Response:
        """Begin an authorization."""
        sent = request.args
        expected = {
            "response_type": "code",
            "client_id": self._account.client_id,
            "redirect_uri": f"https://{self._account.instance_host}",
            "code_challenge_method": "S256",
        }
        wrong = [name for name, value in expected.items() if sent.getlist(name) != [value]]
        wrong += [name for name in ("state", "nonce") if not sent.get(name)]
        if set(sent.get("scope", "").split()) != set(SCOPE.split()):
            wrong.append("scope")
        if not _CHALLENGE.fullmatch(sent.get("code_challenge", "")):
            wrong.append("code_challenge")
        if wrong:
            return _error("invalid_request", f"wrong or missing: {', '.join(wrong)}")
        session = self._account.make_secret("session_id")
        self._authorizations[session] = _Authorization(sent["code_challenge"], sent["redirect_uri"], sent["scope"])
        return self._redirect(session, sent["state"], request, self.redirects - 1)

    def follow(self, request: Request) -> Response:
        """Return an intermediate redirect, which needs the cookie set by the one before."""
        session = request.cookies.get(_LOGIN_COOKIE, "")
        left = request.args.get("left", "")
        if session not in self._authorizations or not left.isdecimal():
            return _error("invalid_request", "no login is under way")
        return self._redirect(session, request.args.get("state", ""), request, int(left) - 1)

    @staticmethod
    def _redirect(session: str, state: str, request: Request, left: int) -> Response:
        if left > 0:
            response = Response(status=302)
            response.headers["Location"] = (
                f"{request.root_path}{FOLLOW_PATH}?{urlencode({'left': left, 'state': state})}"
            )
            response.set_cookie(_LOGIN_COOKIE, session, path="/", httponly=True)
            return response
        query = urlencode({"session_id": session, "state": state})
        return Response(status=302, headers={"Location": f"{request.root_url.rstrip('/')}/login?{query}"})

    @staticmethod
    def login_page(_request: Request) -> Response:
        """Return the page that a browser would be redirected to."""
        return Response("<!DOCTYPE html><html><body>Log in</body></html>", content_type="text/html; charset=utf-8")

    def session_info(self, request: Request) -> Response:
        """Return an authorization."""
        if refusal := self._refuse_login(request):
            return refusal
        authorization = self._authorizations.get(request.args.get("session_id", ""))
        if authorization is None:
            return _error("invalid_request", "unknown session_id")
        return json_response(encode({"scope": authorization.scope, "client_name": "Platform API", "consent": None}))

    def consent(self, request: Request) -> Response:
        """Record the user's consent."""
        if refusal := self._refuse_login(request):
            return refusal
        sent = request.form
        authorization = self._authorizations.get(sent.get("session_id", ""))
        if (
            authorization is None
            or sent.get("consent") != "true"
            or sent.get("scope") != authorization.scope
            or sent.get("instance_hostname") != self._account.instance_host
        ):
            return _error("invalid_request", "consent, scope, session_id or instance_hostname is wrong")
        authorization.code = self._account.make_secret("code")
        return json_response(encode({"code": authorization.code}))

    def token(self, request: Request) -> Response:
        """Hand out the access token."""
        sent = request.form
        if sent.get("grant_type") != "authorization_code":
            return _error("unsupported_grant_type", "only authorization_code is imitated")
        if sent.get("client_id") != self._account.client_id:
            return _error("invalid_client", "unknown client", 401)
        if not self._redeem(sent):
            return _error("invalid_grant", "code, redirect_uri or code_verifier is wrong")
        answer = {
            "access_token": self._account.open_bearer_session(),
            "token_type": _BEARER,
            "expires_in": int(self._account.token_lifetime.total_seconds()),
            "scope": SCOPE,
        }
        return json_response(encode(answer))

    def _redeem(self, sent: MultiDict[str, str]) -> bool:
        """Use up a code, and tell whether it was rightly used; a code is good for one try."""
        code = sent.get("code", "")
        session = next((key for key, each in self._authorizations.items() if each.code and each.code == code), None)
        if session is None:
            return False
        authorization = self._authorizations.pop(session)
        verifier = sent.get("code_verifier", "")
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        return (
            _VERIFIER.fullmatch(verifier) is not None
            and hmac.compare_digest(digest, authorization.challenge)
            and sent.get("redirect_uri") == authorization.redirect_uri
        )

    def _refuse_login(self, request: Request) -> Response | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != _BEARER or token not in self._id_tokens:
            return _error("unauthorized", "the identity token is missing or wrong", 401)
        if request.headers.get("Origin") != LOGIN_ORIGIN:
            return _error("forbidden", "wrong origin", 403)
        return None


def _error(code: str, description: str, status: int = 400) -> Response:
    return json_response(encode({"error": code, "error_description": description}), status)


def _identity_error(message: str) -> Response:
    """Refuse as the identity service does."""
    return json_response(encode({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}), 400)
