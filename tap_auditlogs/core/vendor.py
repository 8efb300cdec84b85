"""What a vendor folder offers to the rest of the tap."""

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


def _nothing_to_object(_settings: Settings) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Vendor:
    """One audited system: its settings, its streams and where its folder is.

    Attributes:
        name: The settings key and the name of the folder, for example `pigment`.
        title: The name people use, for example `Pigment`.
        package: The dotted name of the folder, from which optional parts such as `ocsf` are loaded.
        settings: The properties of the vendor's settings object.
        streams: The stream classes.
        audit_streams: The names of those whose records tell who changed what; the folder's `ocsf` maps them.
        connect: Makes the HTTP client, with its authenticator, pace and rules, from valid settings.
        check_settings: Says what a JSON schema cannot: yields one message for each further fault of settings
            that are valid by their schema.
    """

    name: str
    title: str
    package: str
    settings: th.PropertiesList
    streams: Sequence[type[AuditStream]]
    connect: Callable[[Settings, HttpOptions], HttpClient]
    audit_streams: Sequence[str] = ()
    check_settings: Callable[[Settings], Iterable[str]] = field(default=_nothing_to_object)

    def load(self, part: str) -> ModuleType:
        """Import a part of the vendor's folder that the tap itself does not need, such as `ocsf`.

        Args:
            part: The name of the module in the folder.

        Returns:
            The module.
        """
        return import_module(f"{self.package}.{part}")
