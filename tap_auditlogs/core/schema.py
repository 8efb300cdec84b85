"""Types of properties that the SDK's own do not cover."""

from __future__ import annotations

import typing as t

from singer_sdk import typing as th
from typing_extensions import override


class FreeFormObjectType(th.ObjectType):
    """An object of any shape.

    Without `properties`, since flattening drops a column whose list of them is empty; and without
    `additionalProperties`, whose default is the same, but which a target that validates would check in every record.
    """

    def __init__(self, *, nullable: bool | None = None) -> None:
        super().__init__(nullable=nullable)

    @property
    @override
    def type_dict(self) -> dict[str, t.Any]:
        return {key: value for key, value in super().type_dict.items() if key == "type"}
