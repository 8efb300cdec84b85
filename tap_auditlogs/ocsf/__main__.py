"""The command `auditlogs-ocsf`, also run by `python -m tap_auditlogs.ocsf`."""

from tap_auditlogs.core.interrupts import interrupts


def main() -> None:
    """Run the mapper."""
    interrupts.install()  # before the imports, which take some tenths of a second
    from tap_auditlogs.ocsf.mapper import OcsfMapper  # noqa: PLC0415

    OcsfMapper.cli()


if __name__ == "__main__":
    main()
