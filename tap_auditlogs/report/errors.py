"""Errors of the report."""


class ReportError(Exception):
    """The report cannot be made; the message gives the reason and what to do."""
