"""No credential is in anything that the installed command writes, whatever goes wrong, at any log level."""

from __future__ import annotations

import json
import socket
import typing as t

import pytest

from tests.faults import oracles
from tests.faults.marks import case, every_vendor
from tests.faults.proxy import after, status
from tests.faults.subjects import SUBJECTS, Subject

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditlogs_sandbox.server import Sandbox
    from tests.faults.proxy import Action, FaultProxy, Reply
    from tests.support.raw_server import Talk
    from tests.support.tap_process import Outcome, TapRunner

Config: t.TypeAlias = "dict[str, t.Any]"
SECRET_SETTINGS = {
    "pigment": ["api_key"],
    "cryptolens": ["access_token"],
    "openx": ["password", "identity_api_key"],
    "xandr": ["password"],
    "index_exchange": ["client_key"],
}


def echo(code: int) -> Action:
    """Answer with everything that the request held, in the body and in a header."""

    def act(talk: Talk, _ask: Callable[[], Reply]) -> None:
        sent = {
            "headers": dict(talk.request.headers),
            "target": talk.request.target,
            "body": talk.request.body.decode("latin-1"),
        }
        target = talk.request.target.encode().decode("ascii", "ignore")
        status(code, {"X-Echo": target, "Location": f"http://127.0.0.2:9{target}"}, json.dumps(sent))(talk, _ask)

    return act


TROUBLES: dict[str, tuple[str, Action]] = {
    "echo-401": ("", echo(401)),
    "echo-500": ("", echo(500)),
    "echo-302": ("", echo(302)),
    "echo-200-page": ("page", echo(200)),
}


LEVELS = ["DEBUG", "INFO"]


def surroundings(tmp_path: Path, level: str) -> dict[str, str]:
    """Let a process log at a level, and make its temporary files where `check_quiet` sees them."""
    (tmp_path / "temporary").mkdir()
    return {"LOGLEVEL": level, "TAP_AUDITLOGS_LOGLEVEL": level, "TMPDIR": str(tmp_path / "temporary")}


def check_quiet(sandbox: Sandbox, outcome: Outcome, folder: Path) -> None:
    assert oracles.leaked(sandbox.secrets(), outcome.stdout, outcome.stderr, folder=folder) == []


@case("J1")
@case("J3")
@case("H10")
@pytest.mark.parametrize("level", LEVELS)
@every_vendor
def test_j1_a_good_run_shows_no_secret(
    sandbox: Sandbox,
    proxy: FaultProxy,
    config: Config,
    tap_runner: TapRunner,
    tmp_path: Path,
    level: str,
) -> None:
    """Nor do its temporary files, at any request of it."""
    leaked: list[str] = []
    proxy.inject(after(lambda: leaked.extend(oracles.leaked(sandbox.secrets(), folder=tmp_path / "temporary"))))
    outcome = tap_runner.run(config=config, env=surroundings(tmp_path, level))
    assert outcome.code == 0, outcome.stderr
    assert ("DEBUG" in outcome.stderr) == (level == "DEBUG")
    assert leaked == []
    check_quiet(sandbox, outcome, tmp_path)


@case("J1")
@case("J3")
@case("J4")
@pytest.mark.parametrize(
    ("trouble", "level"),
    [*((trouble, "DEBUG") for trouble in TROUBLES), ("echo-401", "INFO"), ("echo-200-page", "INFO")],
)
@every_vendor
def test_j4_what_a_vendor_echoes_shows_no_secret(
    sandbox: Sandbox,
    proxy: FaultProxy,
    config: Config,
    subject: Subject,
    tap_runner: TapRunner,
    tmp_path: Path,
    trouble: str,
    level: str,
) -> None:
    where, act = TROUBLES[trouble]
    path = {"login": subject.login or subject.page, "page": subject.page}.get(where, "")
    proxy.inject(act, path)
    outcome = tap_runner.run(config={**config, "max_retry_wait_seconds": 0}, env=surroundings(tmp_path, level))
    assert outcome.failed_plainly, outcome.stderr
    check_quiet(sandbox, outcome, tmp_path)


@case("J2", *SUBJECTS)
@case("D17", *SUBJECTS)
@pytest.mark.parametrize("level", LEVELS)
def test_j2_a_refused_connection_shows_no_secret(
    all_vendors: Sandbox, tap_runner: TapRunner, tmp_path: Path, level: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = json.loads(json.dumps(all_vendors.config).replace(all_vendors.url, closed))
    outcome = tap_runner.run(config={**config, "max_retry_wait_seconds": 0}, env=surroundings(tmp_path, level))
    assert outcome.failed_plainly
    assert "ConnectionRefusedError" in outcome.stderr
    assert all(f"`{name}" in outcome.stderr.splitlines()[-1] for name in SUBJECTS)
    check_quiet(all_vendors, outcome, tmp_path)


@case("J5")
@every_vendor
def test_j5_a_secret_of_the_wrong_type_is_told_without_its_value(
    sandbox: Sandbox, config: Config, subject: Subject, tap_runner: TapRunner, tmp_path: Path
) -> None:
    for setting in SECRET_SETTINGS[subject.name]:
        config[subject.name][setting] = [config[subject.name][setting], 87654321]
    config[subject.name]["pasword"] = 11223344
    outcome = tap_runner.run(config=config, env=surroundings(tmp_path, "DEBUG"))
    assert outcome.failed_plainly
    assert "87654321" not in outcome.stderr
    assert "11223344" not in outcome.stderr
    check_quiet(sandbox, outcome, tmp_path)


@case("J6", *SUBJECTS)
@pytest.mark.parametrize("arguments", [["--about"], ["--about", "--format=json"], ["--discover"], ["--help"]])
def test_j6_what_tells_of_the_tap_shows_no_secret(
    all_vendors: Sandbox, tap_runner: TapRunner, tmp_path: Path, arguments: list[str]
) -> None:
    outcome = tap_runner.run(*arguments, config=all_vendors.config, env=surroundings(tmp_path, "INFO"))
    assert outcome.code == 0, outcome.stderr
    check_quiet(all_vendors, outcome, tmp_path)


@case("J12", *SUBJECTS)
def test_j12_no_url_without_encryption_but_on_loopback(all_vendors: Sandbox, tap_runner: TapRunner) -> None:
    config = json.loads(json.dumps(all_vendors.config).replace(all_vendors.url, "http://vendor.example.com"))
    outcome = tap_runner.run(config=config)
    assert outcome.failed_plainly
    assert all(f"Settings: {name}." in outcome.stderr for name in SUBJECTS), outcome.stderr
    assert "https" in outcome.stderr
