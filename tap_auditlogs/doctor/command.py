"""The command line of `tap-auditlogs-doctor`."""

from __future__ import annotations

import json
import logging
import os
import typing as t
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import click
from singer_sdk.exceptions import ConfigValidationError
from typing_extensions import override

from tap_auditlogs.core import interrupts
from tap_auditlogs.core.errors import TapError
from tap_auditlogs.core.redaction import redact, redact_all_logging
from tap_auditlogs.core.run import EXIT_COMPLETE, EXIT_FAILED, log_config_faults
from tap_auditlogs.doctor.examination import Examination
from tap_auditlogs.doctor.report import to_report
from tap_auditlogs.doctor.request_log import RequestLog
from tap_auditlogs.tap import TapAuditLogs

if t.TYPE_CHECKING:
    from tap_auditlogs.core.http import HttpOptions
    from tap_auditlogs.core.stream import AuditStream
    from tap_auditlogs.core.vendor import Vendor

logger = logging.getLogger(__name__)


class ExaminedTap(TapAuditLogs):
    """The tap with its own settings, streams and clients, except that requests are watched and tried once."""

    def __init__(self, *args: t.Any, **options: t.Any) -> None:
        self.logs: dict[str, RequestLog] = {}
        super().__init__(*args, **options)

    @override
    def vendor_options(self, vendor: Vendor) -> HttpOptions:
        # Without retries a vendor that hangs is reported after one timeout, and throttling is seen.
        options = super().vendor_options(vendor)
        return replace(options, max_retry_wait_seconds=0.0, observer=self.logs[vendor.name])

    def examine(self, vendor: Vendor) -> Examination:
        """Examine an active vendor."""
        kind = vendor.load("doctor").Doctor
        self.logs[vendor.name] = RequestLog(kind.reading_posts)
        streams = {
            name: t.cast("AuditStream", it)
            for name, it in self.streams.items()
            if isinstance(it, tuple(vendor.streams))
        }
        connection = next(iter(streams.values())).connection
        examination = Examination(
            kind(connection.settings, connection.client, streams, self.logs[vendor.name]), vendor.title
        )
        examination.run()
        return examination


def _check_folder(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a report that could not be written, before anything is asked."""
    if path is not None and not os.access(path.absolute().parent, os.W_OK):
        raise click.BadParameter(f"there is no folder {path.absolute().parent} that can be written to")
    return path


@click.command(
    name="tap-auditlogs-doctor",
    help="Ask the configured vendors, read-only, whether everything is right here: host, clock, credentials, "
    "permissions, the tap's assumptions, and how long a first run will take. At most 40 requests for each vendor.",
)
@click.version_option(version("tap-auditlogs"))
@click.option(
    "--config",
    multiple=True,
    required=True,
    callback=TapAuditLogs.cb_config,
    help="The tap's configuration file, or ENV for the environment variables TAP_AUDITLOGS_*.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=_check_folder,
    help="Write the result as JSON without any value of the account, to attach to a bug report.",
)
@click.pass_context
def main(context: click.Context, config: t.Any, report: Path | None) -> None:
    """Examine the configured vendors."""
    logging.basicConfig(level=os.environ.get("LOGLEVEL", "ERROR").upper(), format="%(levelname)s %(message)s")
    logging.getLogger(interrupts.__name__).setLevel(logging.WARNING)
    redact_all_logging()
    try:
        tap = ExaminedTap(config=config.config, parse_env_config=config.parse_env)
        context.exit(_examine(tap, report))
    except ConfigValidationError as error:
        log_config_faults(error)
    except TapError as error:
        logger.error("%s", error)  # noqa: TRY400 - a traceback would not help
    except OSError as error:
        logger.error("Standard output cannot be written: %s", os.strerror(error.errno or 0))  # noqa: TRY400 - likewise
    context.exit(EXIT_FAILED)


def _examine(tap: ExaminedTap, report: Path | None) -> int:
    from tap_auditlogs.doctor import terminal  # noqa: PLC0415 - rich takes a tenth of a second, which --version does not need

    output = terminal.console()
    examinations = []
    for vendor in tap.active_vendors:
        click.echo(f"Asking {vendor.title} ...", err=True)
        examinations.append(tap.examine(vendor))
        terminal.show(output, examinations[-1])
    terminal.show_conclusion(output, examinations)
    if report is not None:
        _write(report, json.dumps(to_report(examinations), indent=2))
    return EXIT_COMPLETE if all(examination.is_well for examination in examinations) else EXIT_FAILED


def _write(path: Path, text: str) -> None:
    """Write the report; under another name first, so that an interrupted doctor leaves no half of it."""
    partial = path.with_name(f"{path.name}.part")
    try:
        partial.write_text(redact(text) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise TapError(f"The report cannot be written: {os.strerror(error.errno or 0)}") from error
    click.echo(f"The report is in {path}; it holds nothing of the account.", err=True)
