"""The command `tap-auditlogs-doctor`: asks the live vendors whether the tap's assumptions hold."""
