from __future__ import annotations

import json
import os
import signal
import subprocess
import sysconfig
import time
import typing as t
from pathlib import Path

import psutil
import pytest

from auditlogs_demo.errors import DemoError
from auditlogs_demo.meltano import (
    LOADER,
    Pipeline,
    flatten_settings,
    readable_lines,
    sync_seconds,
    to_environment,
    undeclared_settings,
)
from auditlogs_sandbox.server import Sandbox

ROOT = Path(__file__).parents[2]


def test_settings_become_dotted_names() -> None:
    config = {
        "start_date": "2026-01-01T00:00:00Z",
        "end_date": None,
        "openx": {"password": "p", "object_ids": {"order": [1]}, "page_size": None},
    }
    assert flatten_settings(config) == {
        "start_date": "2026-01-01T00:00:00Z",
        "openx.password": "p",
        "openx.object_ids": {"order": [1]},
    }


def test_settings_become_environment_variables() -> None:
    settings = {
        "openx.object_ids": {"order": [1]},
        "openx.object_types": ["order"],
        "xandr.include_raw_json": True,
        "pigment.lookback_hours": 0,
        "pigment.api_key": 'a$HOME"b',
    }
    assert to_environment("tap-auditlogs", settings) == {
        "TAP_AUDITLOGS_OPENX_OBJECT_IDS": '{"order": [1]}',
        "TAP_AUDITLOGS_OPENX_OBJECT_TYPES": '["order"]',
        "TAP_AUDITLOGS_XANDR_INCLUDE_RAW_JSON": "true",
        "TAP_AUDITLOGS_PIGMENT_LOOKBACK_HOURS": "0",
        "TAP_AUDITLOGS_PIGMENT_API_KEY": 'a$HOME"b',
    }


def test_a_setting_that_meltano_would_drop_is_found() -> None:
    assert undeclared_settings(ROOT / "meltano.yml", ["pigment.api_url", "pigment.api_ulr"]) == ["pigment.api_ulr"]


@pytest.mark.parametrize("text", ["", "plugins: {}", "plugins: {extractors: [{name: tap-other}]}", "{"])
def test_another_meltano_project_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "meltano.yml").write_text(text)
    with pytest.raises(DemoError, match="declares no extractor tap-auditlogs"):
        undeclared_settings(tmp_path / "meltano.yml", ["pigment.api_key"])


def test_the_users_own_settings_stay_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAP_AUDITLOGS_OPENX_PASSWORD", "the user's own")
    monkeypatch.setenv("MELTANO_DATABASE_URI", "the user's own")
    monkeypatch.setenv("TARGET_POSTGRES_HOST", "the user's own")
    monkeypatch.setenv("NO_PROXY", "intranet.example.com")
    pipeline = Pipeline.create(
        tmp_path, ROOT / "meltano.yml", {"pigment": {"api_key": "k"}}, {LOADER: {"sqlalchemy_url": "u"}}
    )
    assert "the user's own" not in pipeline.environment.values()
    assert pipeline.environment["TAP_AUDITLOGS_PIGMENT_API_KEY"] == "k"
    assert pipeline.environment["TARGET_POSTGRES_SQLALCHEMY_URL"] == "u"
    assert pipeline.environment["NO_PROXY"] == "intranet.example.com,127.0.0.1"


def test_an_undeclared_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=r"does not declare pigment\.api_ulr"):
        Pipeline.create(tmp_path, ROOT / "meltano.yml", {"pigment": {"api_ulr": "u"}}, {})


def test_meltano_hands_the_settings_to_the_tap(tmp_path: Path) -> None:
    with Sandbox(size=1) as sandbox:
        vendors = sandbox.config
    config = {
        **vendors,
        "start_date": "2026-01-01T00:00:00Z",
        "request_timeout_seconds": 20,
        "flattening_enabled": False,
    }
    pipeline = Pipeline.create(tmp_path, ROOT / "meltano.yml", config, {})
    dumped = subprocess.run(
        [Path(sysconfig.get_path("scripts"), "meltano"), "invoke", "--dump=config", "tap-auditlogs"],
        cwd=tmp_path,
        # No Hub is there to be asked.
        env={**pipeline.environment, "MELTANO_HUB_URL": "http://127.0.0.1:9"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    assert json.loads(dumped.stdout) == config


LOG: t.Final = """\
{"event": "Run started", "level": "info"}
{"event": "METRIC", "name": "tap-auditlogs", "metric_info": {"metric": "sync_duration", "value": 0.5, "tags": \
{"stream": "a"}}}
{"event": "METRIC", "name": "tap-auditlogs", "metric_info": {"metric": "record_count", "value": 7, "tags": \
{"stream": "b"}}}
not JSON
17
"""


def test_the_log_tells_how_long_each_stream_took(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG)
    assert sync_seconds(tmp_path / "log") == {"a": 0.5}


def test_the_log_is_shown_readably(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG)
    assert list(readable_lines(tmp_path / "log")) == [
        "meltano: Run started",
        "tap-auditlogs: METRIC",
        "tap-auditlogs: METRIC",
        "not JSON",
        "17",
    ]


def pipeline_with(script: str, folder: Path) -> Pipeline:
    """Make a pipeline whose `meltano` is a script."""
    (folder / "meltano").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "meltano").chmod(0o755)
    return Pipeline(folder, {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"})


def test_a_failed_run_shows_the_end_of_the_log(tmp_path: Path) -> None:
    pipeline = pipeline_with("""echo '{"event": "All is lost", "name": "tap-auditlogs"}'; exit 3""", tmp_path)
    with pytest.raises(DemoError, match=r"(?s)exit code 3.*tap-auditlogs: All is lost"):
        pipeline.run(tmp_path / "log")


def test_no_process_of_a_run_is_left_when_the_demo_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = pipeline_with("trap '' TERM; sleep 100 & echo $! > pid; wait; wait", tmp_path)

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("auditlogs_demo.meltano._GRACE_SECONDS", 1)
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1)
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(tmp_path / "log")
    signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begin < 10
    child = int((tmp_path / "pid").read_text())
    while _is_running(child) and time.monotonic() - begin < 30:  # killed, but not waited for
        time.sleep(0.05)
    assert not _is_running(child)


def _is_running(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_without_meltano_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="reinstall tap-auditlogs-demo"):
        Pipeline(tmp_path, {"PATH": str(tmp_path)}).run(tmp_path / "log")
