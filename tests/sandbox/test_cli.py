from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tap_auditlogs.vendors import VENDORS

if t.TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = str(Path(sys.executable).with_name("tap-auditlogs-sandbox"))


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, t.Any]]]:
    with subprocess.Popen([COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_the_configuration_serves_and_stops_cleanly(number: signal.Signals) -> None:
    with started("--size", "50", "--seed", "3") as (process, config):
        assert list(config) == [vendor.name for vendor in VENDORS]
        form = {"token": config["cryptolens"]["access_token"]}
        url = f"{config['cryptolens']['api_url']}/ai/GetWebAPILog"
        with requests.Session() as http:
            http.trust_env = False
            assert len(http.post(url, data=form, timeout=30).json()["logs"]) == 10
        process.send_signal(number)
        rest, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert rest == ""
    assert "POST /cryptolens/api/ai/GetWebAPILog: 200" in log
    assert "Traceback" not in log
    assert config["cryptolens"]["access_token"] not in log


def test_it_serves_only_the_vendors_asked_for_on_the_port_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with started("--size", "5", "--vendors", "cryptolens", "--port", str(port)) as (_, config):
        assert list(config) == ["cryptolens"]
        assert config["cryptolens"]["api_url"] == f"http://127.0.0.1:{port}/cryptolens/api"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_an_unknown_vendor_is_a_usage_error() -> None:
    result = run(COMMAND, "--vendors", "pigment,fantasy")
    assert result.returncode == 2
    assert "unknown vendor fantasy" in result.stderr
    assert result.stdout == ""


def test_a_taken_port_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run(COMMAND, "--size", "5", "--port", str(taken.getsockname()[1]))
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "cannot listen" in result.stderr
