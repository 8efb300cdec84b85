"""The definition of a vendor."""

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
        package: The dotted name of the folder.
        audit_streams: The names of the streams that the folder's `ocsf` module maps.
        connect: Creates the HTTP client from valid settings.
        check_settings: Yields one message for each error that the JSON schema cannot express.
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
        """Import a module of the folder on demand, such as `ocsf`."""
        return import_module(f"{self.package}.{part}")
