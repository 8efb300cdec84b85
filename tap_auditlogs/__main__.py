"""The command `tap-auditlogs`, also run by `python -m tap_auditlogs`."""

from tap_auditlogs.core.interrupts import interrupts


def main() -> None:
    """Run the tap."""
    interrupts.install()  # before the imports, which take some tenths of a second
    from tap_auditlogs.tap import TapAuditLogs  # noqa: PLC0415

    TapAuditLogs.cli()


if __name__ == "__main__":
    main()
