"""Parameters of a request to the sandbox, read without lenience: a tap that sends a wrong one must hear of it."""

from __future__ import annotations

import abc
import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Container, Iterable

NUMBER: t.Final = re.compile(r"\d{1,18}")


class Parameters(abc.ABC):
    """The parameters of a request; a vendor says how it refuses a wrong one."""

    def __init__(self, sent: Iterable[tuple[str, str]], allowed: Container[str]) -> None:
        """Take in what was sent.

        Args:
            sent: Names and values.
            allowed: The names that the vendor knows.
        """
        self._sent: dict[str, str] = {}
        for name, value in sent:
            if name not in allowed:
                raise self.unknown(name)
            if name in self._sent:
                raise self.malformed(f"{name} is given more than once")
            self._sent[name] = value

    @abc.abstractmethod
    def malformed(self, message: str) -> Exception:
        """Refuse a request.

        Args:
            message: What is wrong with it.

        Returns:
            The error to raise.
        """

    def unknown(self, name: str) -> Exception:
        """Refuse a parameter that the vendor does not know.

        Args:
            name: Its name.

        Returns:
            The error to raise.
        """
        return self.malformed(f"unknown parameter {name}")

    def number(self, name: str, default: int) -> int:
        """Read a whole number that is not negative.

        Args:
            name: Its name.
            default: The value where none is sent.

        Returns:
            The number.
        """
        text = self._sent.get(name, str(default))
        if not NUMBER.fullmatch(text):
            raise self.malformed(f"{name} must be an integer")
        return int(text)
