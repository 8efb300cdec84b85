"""Command line of `tap-auditlogs-sandbox`."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import typing as t
from contextlib import ExitStack

import click

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.world import DEFAULT_SIZE

if t.TYPE_CHECKING:
    from types import FrameType


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; 0 is any free one.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same data.")
@click.option("--vendors", help="Names of the vendors to imitate, separated by commas; all by default.")
@click.option(
    "--size",
    type=click.IntRange(min=1),
    default=DEFAULT_SIZE,
    show_default=True,
    help="About how many rows the largest log of each vendor has.",
)
def main(port: int, seed: int, vendors: str | None, size: int) -> None:
    """Imitate the vendors on 127.0.0.1 and print the tap configuration that reaches them.

    The data changes only on POST /_sandbox/advance; GET /_sandbox/truth returns what there is.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    stop = threading.Event()

    def request_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, request_stop)
    signal.signal(signal.SIGINT, request_stop)
    names = None if vendors is None else [name.strip() for name in vendors.split(",")]
    try:
        sandbox = Sandbox(seed=seed, vendors=names, size=size, port=port)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--vendors") from error
    with ExitStack() as stack:
        try:
            stack.enter_context(sandbox)
        except OSError as error:
            click.echo(f"The sandbox cannot listen on port {port}: {error.strerror}", err=True)
            sys.exit(1)
        click.echo(json.dumps(sandbox.config))
        stop.wait()
