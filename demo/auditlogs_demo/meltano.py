"""Runs the pipeline of the repository's meltano.yml in a Meltano project of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sysconfig
import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from auditlogs_demo.errors import DemoError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

EXTRACTOR: t.Final = "tap-auditlogs"
MAPPER: t.Final = "auditlogs-ocsf"
LOADER: t.Final = "target-postgres"
COMMAND: t.Final = ("meltano", "run", EXTRACTOR, MAPPER)
REPORT: t.Final = "auditlogs-report"
PAGE: t.Final = f"{REPORT}:page"
PROJECT_FILE: t.Final = "meltano.yml"

_SCRUBBED: t.Final = (
    "MELTANO_",
    "TAP_AUDITLOGS_",
    "AUDITLOGS_OCSF_",
    "MAPPER_AUDITLOGS_OCSF_",
    "TARGET_POSTGRES_",
    "TARGET_PIGMENT_",
    "AUDITLOGS_REPORT_",
)
_GRACE_SECONDS: t.Final = 10
_SHOWN_LINES: t.Final = 15


def flatten_settings(config: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Convert the tap's configuration to Meltano's dotted names; deeper objects stay objects."""
    flat: dict[str, t.Any] = {}
    for name, value in config.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": item for inner, item in value.items()}
        else:
            flat[name] = value
    return {name: value for name, value in flat.items() if value is not None}


def to_environment(plugin: str, settings: Mapping[str, t.Any]) -> dict[str, str]:
    """Convert settings to the environment variables that Meltano reads; values that are not text become JSON."""
    return {
        f"{plugin}_{name}".upper().translate(str.maketrans(".-", "__")): (
            value if isinstance(value, str) else json.dumps(value)
        )
        for name, value in settings.items()
    }


def base_environment() -> dict[str, str]:
    """Return the environment for Meltano without the user's own settings of Meltano and these plugins."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SCRUBBED)}
    direct = ",".join(filter(None, (kept.get("no_proxy") or kept.get("NO_PROXY"), "127.0.0.1")))
    return {
        **kept,
        "PATH": os.pathsep.join((sysconfig.get_path("scripts"), kept.get("PATH", os.defpath))),
        "NO_PROXY": direct,  # the sandbox is on this machine
        "no_proxy": direct,
        "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
        "MELTANO_CLI_LOG_FORMAT": "json",  # to find the metrics in it
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def undeclared_settings(project_file: Path, settings: Iterable[str]) -> list[str]:
    """Return the settings that Meltano would not pass on: without its URLs the tap would call the real vendors.

    Raises:
        DemoError: The file is not a Meltano project with the tap.
    """
    try:
        project = YAML(typ="safe").load(project_file)
        (extractor,) = [it for it in project["plugins"]["extractors"] if it["name"] == EXTRACTOR]
        declared = {setting["name"] for setting in extractor["settings"]}
    except (KeyError, TypeError, ValueError, YAMLError) as error:
        msg = f"{project_file} declares no extractor {EXTRACTOR} with settings; run the demo in a clone."
        raise DemoError(msg) from error
    return [name for name in settings if name not in declared]


@dataclass(frozen=True)
class Pipeline:
    """A temporary Meltano project.

    Attributes:
        folder: Where it is.
        environment: The environment variables for Meltano.
    """

    folder: Path
    environment: Mapping[str, str]

    @classmethod
    def create(
        cls, folder: Path, project_file: Path, tap: Mapping[str, t.Any], loaders: Mapping[str, Mapping[str, t.Any]]
    ) -> t.Self:
        """Create a project from a copy of meltano.yml, so that the user's state, .env and database stay separate.

        Args:
            folder: Where to create it.
            project_file: The meltano.yml.
            tap: The tap's configuration.
            loaders: Each loader's settings, by its name, and each utility's.

        Raises:
            DemoError: The meltano.yml does not fit.
        """
        settings = flatten_settings(tap)
        if missing := undeclared_settings(project_file, settings):
            msg = f"{project_file} does not declare {', '.join(missing)}; run the demo in a clone."
            raise DemoError(msg)
        shutil.copyfile(project_file, folder / PROJECT_FILE)
        variables = to_environment(EXTRACTOR, settings)
        for loader, values in loaders.items():
            variables |= to_environment(loader, values)
        return cls(folder, {**base_environment(), **variables})

    def run(self, log: Path, *plugins: str) -> float:
        """Run the pipeline once and return its duration in seconds; `plugins` as for `start`.

        Raises:
            DemoError: The run failed.
        """
        begin = time.monotonic()
        plugins = plugins or (LOADER,)
        process = self.start(log, plugins=plugins)
        try:
            exit_code = process.wait()
        finally:
            _end_group(process)
        if exit_code != 0:
            lines = "\n".join(f"  {line}" for line in list(readable_lines(log))[-_SHOWN_LINES:])
            msg = f"`{' '.join((*COMMAND, *plugins))}` ended with exit code {exit_code}. The end of {log}:\n{lines}"
            raise DemoError(msg)
        return time.monotonic() - begin

    def start(self, log: Path, *options: str, plugins: Sequence[str] = (LOADER,)) -> subprocess.Popen[bytes]:
        """Start the pipeline in a process group of its own.

        Args:
            log: Where to write what Meltano and the plugins say.
            options: Further options of `meltano run`.
            plugins: What comes after the mapper: a loader, then utilities.

        Raises:
            DemoError: There is no Meltano.
        """
        executable = shutil.which(COMMAND[0], path=self.environment["PATH"])
        if executable is None:
            msg = "There is no `meltano` command on PATH: reinstall tap-auditlogs-demo."
            raise DemoError(msg)
        with log.open("wb") as sink:
            return subprocess.Popen(  # noqa: S603 - a constant command  # nosec B603
                [executable, "run", *options, *COMMAND[2:], *plugins],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=dict(self.environment),
                start_new_session=True,
            )


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Terminate Meltano and the plugins that still run."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
    process.wait()


def readable_lines(log: Path) -> Iterator[str]:
    """Yield the entries of a log as plain lines."""
    for line in log.read_text(errors="replace").splitlines():
        entry = _parse(line)
        if entry is None:
            yield line
        else:
            yield f"{entry.get('name', 'meltano')}: {entry.get('event')}"


def sync_seconds(log: Path) -> dict[str, float]:
    """Return how many seconds the tap took, by stream."""
    seconds: dict[str, float] = {}
    for line in log.read_text(errors="replace").splitlines():
        entry = _parse(line)
        metric = entry.get("metric_info") if entry else None
        if isinstance(metric, dict) and metric.get("metric") == "sync_duration":
            seconds[metric["tags"]["stream"]] = float(metric["value"])
    return seconds


def _parse(line: str) -> dict[str, t.Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
