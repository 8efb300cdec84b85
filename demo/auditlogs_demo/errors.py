"""What ends the demo early."""


class DemoError(Exception):
    """The demo cannot go on, for a reason that its message tells in full."""
