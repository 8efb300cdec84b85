"""The installed commands. Each takes over SIGTERM and SIGINT before its imports, which take some tenths of a second."""

# ruff: noqa: PLC0415 - for this reason

import sys

from tap_auditlogs.core.interrupts import interrupts


def tap() -> None:
    """Run `tap-auditlogs`."""
    interrupts.install()
    from tap_auditlogs.tap import TapAuditLogs

    TapAuditLogs.cli()


def mapper() -> None:
    """Run `auditlogs-ocsf`."""
    interrupts.install()
    from tap_auditlogs.ocsf.mapper import OcsfMapper

    OcsfMapper.cli()


def pigment_target() -> None:
    """Run `target-pigment`."""
    interrupts.install()
    from tap_auditlogs.vendors.pigment.target.target import TargetPigment

    TargetPigment.cli()


def report() -> None:
    """Run `auditlogs-report`."""
    interrupts.install("The report was ended by %s; no page was written.")
    try:
        from tap_auditlogs.report.command import main
    except ImportError as error:
        sys.exit(f"auditlogs-report needs the extra `report`: pip install 'tap-auditlogs[report]'. {error}.")
    main()


def doctor() -> None:
    """Run `tap-auditlogs-doctor`."""
    interrupts.install("The examination was ended by %s; nothing was changed anywhere.")
    from tap_auditlogs.doctor.command import main

    main()
