"""The command line of plugins that read Singer messages from standard input: mapper and target."""

from __future__ import annotations

import abc
import sys
import typing as t

from typing_extensions import override

from tap_auditlogs.core.run import EXIT_COMPLETE, relax_garbage_collection, run_process
from tap_auditlogs.core.sdk_hooks import HookedPlugin
from tap_auditlogs.core.writer import MessageWriter


class ReaderCommand(HookedPlugin, abc.ABC):
    """Runs a plugin, whose constructor takes `writer`, to the end of its input.

    Attributes:
        writer_class: Writes to standard output.
    """

    writer_class: t.ClassVar[type[MessageWriter]] = MessageWriter

    @classmethod
    @override
    def invoke(  # type: ignore[override] # as in the SDK's own mappers and targets
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: t.Any = None,
        file_input: t.IO[str] | None = None,
    ) -> None:
        if about:
            cls.print_about(about_format)
            return
        cls.print_version(print_fn=cls.logger.info)
        writer = cls.writer_class()

        def work() -> int:
            plugin = t.cast("t.Any", cls)(
                writer=writer,
                config=config.config if config else None,
                parse_env_config=bool(config and config.parse_env),
            )
            relax_garbage_collection()
            plugin.listen(file_input)
            return EXIT_COMPLETE

        sys.exit(run_process(work, writer))
