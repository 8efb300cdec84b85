"""The definition of a vendor: what its folder provides to the rest of the tap."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from importlib import import_module

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import ModuleType

    from singer_sdk import typing as th

    from tap_auditlogs.core.http import HttpClient, HttpOptions
    from tap_auditlogs.core.stream import AuditStream

Settings: t.TypeAlias = "Mapping[str, t.Any]"


def _no_faults(_settings: Settings) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Vendor:
    """One vendor.

    Attributes:
        name: The settings key and the name of the folder, for example `pigment`.
        title: The name in titles and messages, for example `Pigment`.
        package: The dotted name of the folder, from which `load` imports optional parts.
        settings: The properties of the vendor's settings object.
        streams: The stream classes.
        audit_streams: The names of the streams that the folder's `ocsf` module maps to audit events.
        connect: Creates the HTTP client, with its authenticator, rate limit and rules, from valid settings.
        check_settings: Yields one message for each fault that the JSON schema cannot express.
    """

    name: str
    title: str
    package: str
    settings: th.PropertiesList
    streams: Sequence[type[AuditStream]]
    connect: Callable[[Settings, HttpOptions], HttpClient]
    audit_streams: Sequence[str] = ()
    check_settings: Callable[[Settings], Iterable[str]] = field(default=_no_faults)

    def load(self, part: str) -> ModuleType:
        """Import a module of the vendor's folder that the tap itself does not need, such as `ocsf`."""
        return import_module(f"{self.package}.{part}")
