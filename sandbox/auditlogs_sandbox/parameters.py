"""Strict parsing of request parameters: a wrong parameter is always refused."""

from __future__ import annotations

import abc
import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Container, Iterable

NUMBER: t.Final = re.compile(r"\d{1,18}")


class Parameters(abc.ABC):
    """The parameters of a request; each vendor defines how it refuses a wrong one."""

    def __init__(self, sent: Iterable[tuple[str, str]], allowed: Container[str]) -> None:
        self._sent: dict[str, str] = {}
        for name, value in sent:
            if name not in allowed:
                raise self.unknown(name)
            if name in self._sent:
                raise self.malformed(f"{name} is given more than once")
            self._sent[name] = value

    @abc.abstractmethod
    def malformed(self, message: str) -> Exception:
        """Return the error to raise for a wrong request."""

    def unknown(self, name: str) -> Exception:
        """Return the error to raise for an unknown parameter."""
        return self.malformed(f"unknown parameter {name}")

    def number(self, name: str, default: int) -> int:
        """Return a non-negative integer parameter."""
        text = self._sent.get(name, str(default))
        if not NUMBER.fullmatch(text):
            raise self.malformed(f"{name} must be an integer")
        return int(text)
