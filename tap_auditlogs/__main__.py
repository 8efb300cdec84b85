"""`python -m tap_auditlogs` runs the tap."""

from tap_auditlogs.commands import tap

if __name__ == "__main__":
    tap()
