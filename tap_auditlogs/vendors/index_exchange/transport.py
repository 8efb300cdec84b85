"""Which hosts files may be downloaded from.

The list has a URL per file. On the configured host (index-exchange-07) it is requested with the token. On any other
host it is requested without credentials, over https, and only if the host is public: a list must not make the tap read
the operator's network.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import typing as t
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection

from tap_auditlogs.core.errors import ApiError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NUMERIC_HOST = re.compile(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+))*\.?")


class UnsafeUrlError(ApiError):
    """A URL that must not be requested."""


class _Origin(t.NamedTuple):
    scheme: str
    host: str
    port: int


def is_own(url: str, api_url: str) -> bool:
    """Return whether a URL is on the configured host and port, so that the token may be sent there.

    Raises:
        UnsafeUrlError: If it must not be requested at all.
    """
    try:
        parts = urlsplit(url)
        origin = _origin(url)
    except ValueError:
        raise _unsafe("is not a URL") from None
    if parts.username is not None or parts.password is not None:
        raise _unsafe("holds credentials")
    if origin == _origin(api_url):
        return True
    if origin.scheme != "https":
        raise _unsafe("is on another host than the API and not https")
    _refuse_inner_name(origin.host)
    return False


def _origin(url: str) -> _Origin:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    host = (parts.hostname or "").rstrip(".")
    if not host or scheme not in _DEFAULT_PORTS:
        raise ValueError(url)
    return _Origin(scheme, host, parts.port or _DEFAULT_PORTS[scheme])


def _refuse_inner_name(host: str) -> None:
    """Refuse hosts that are not public by name; addresses are checked when connecting."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        if host == "localhost" or host.endswith(".localhost") or _NUMERIC_HOST.fullmatch(host):
            raise _unsafe("is on a host that is not public") from None
        return
    if not is_public(address):
        raise _unsafe("is on a host that is not public")


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether an address is on the public internet: not private, loopback, link-local, multicast or reserved."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is not None:
            return is_public(inner)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address.is_global and not address.is_multicast and not address.is_reserved


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _unsafe(why: str) -> UnsafeUrlError:
    return UnsafeUrlError(
        f"the download URL {why}", where="index_exchange", advice="It was not requested. Report this to Index Exchange"
    )


class _PublicConnection(HTTPSConnection):
    """A connection that is closed before anything is sent if it leads to a non-public address."""

    @override
    def connect(self) -> None:
        if self.proxy is None:  # a proxy resolves the name itself, and has its own rules
            self._refuse_inner_addresses()
        super().connect()
        if self.proxy is None:  # the name may have been resolved to another address in between
            _refuse_inner_address(t.cast("socket.socket", self.sock).getpeername()[0])

    def _refuse_inner_addresses(self) -> None:
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError:
            return  # connecting will tell
        for *_, address in found:
            _refuse_inner_address(str(address[0]))


def _refuse_inner_address(text: str) -> None:
    if not is_public(ipaddress.ip_address(text.partition("%")[0])):
        raise _unsafe("is on a host that is not public")


class _PublicPool(HTTPSConnectionPool):
    ConnectionCls = _PublicConnection


class PublicHostsAdapter(HTTPAdapter):
    """An adapter that connects to public addresses only."""

    @override
    def init_poolmanager(self, *args: t.Any, **options: t.Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"https": _PublicPool}
