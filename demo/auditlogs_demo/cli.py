"""Command line of `tap-auditlogs-demo`."""

from __future__ import annotations

import signal
import sys
import typing as t
from pathlib import Path

import click

from auditlogs_demo.errors import DemoError
from auditlogs_demo.flow import run_demo

if t.TYPE_CHECKING:
    from types import FrameType


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same data.")
@click.option("--size", type=click.IntRange(min=1), help="About how many rows the largest log of a vendor has.")
def main(seed: int, size: int | None) -> None:
    """Load generated audit logs into PostgreSQL with Meltano, twice, and compare the tables with the source.

    Starts the sandbox, which imitates the vendors, and an embedded PostgreSQL; neither needs credentials or the
    network. With TARGET_POSTGRES_SQLALCHEMY_URL set, that server is used instead, in a schema of its own.
    """
    # A signal unwinds the stack like Ctrl-C does, so that whatever was started is stopped.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        agree = run_demo(Path.cwd(), seed=seed, size=size, echo=click.echo)
    except DemoError as error:
        click.echo(f"\n{error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("\nInterrupted; everything is stopped.", err=True)
        sys.exit(128 + signal.SIGINT)
    sys.exit(0 if agree else 1)


def _end(number: int, _frame: FrameType | None) -> t.NoReturn:
    sys.exit(128 + number)
