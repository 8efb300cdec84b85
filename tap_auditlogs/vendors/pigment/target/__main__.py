"""The command `target-pigment`, also run by `python -m tap_auditlogs.vendors.pigment.target`."""

from tap_auditlogs.core.interrupts import interrupts


def main() -> None:
    """Run the target."""
    interrupts.install()  # before the imports, which take some tenths of a second
    from tap_auditlogs.vendors.pigment.target.target import TargetPigment  # noqa: PLC0415

    TargetPigment.cli()


if __name__ == "__main__":
    main()
