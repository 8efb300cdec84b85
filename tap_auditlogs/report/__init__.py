"""The command `auditlogs-report`: one HTML page that shows what was loaded. Needs the extra `report`."""
