"""Make the pictures of the report from the sandbox: uv run --group browser python -m scripts.pictures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from auditlogs_sandbox.server import Sandbox

if t.TYPE_CHECKING:
    from playwright.sync_api import Browser

IMAGES: t.Final = Path(__file__).parents[1] / "docs" / "images"
CHROMIUM: t.Final = shutil.which("chromium") or shutil.which("google-chrome")
BIN: t.Final = Path(sys.executable).parent

# The figure that stands in each vendor's guide.
FIGURES: t.Final = {
    "pigment": "events-actions",
    "cryptolens": "cryptolens-success",
    "openx": "events-actions",
    "xandr": "events-actions",
    "index_exchange": "index-exchange-impressions",
}


def main() -> None:
    """Make all pictures."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - in the group `browser`

    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as name:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        take(browser, make_page(Path(name), None), "report.png", None)
        for vendor, figure in FIGURES.items():
            take(browser, make_page(Path(name), vendor), f"report-{vendor.replace('_', '-')}.png", figure)
        browser.close()


def _run(name: str, *arguments: str | Path, given: bytes = b"") -> bytes:
    command = [BIN / name, *arguments]
    return subprocess.run(command, check=True, input=given, stdout=subprocess.PIPE).stdout  # noqa: S603 - a command of ours


def make_page(folder: Path, vendor: str | None) -> Path:
    """Make the page of one vendor's sandbox, or of all."""
    config, page = folder / "config.json", folder / "page.html"
    with Sandbox(vendors=[vendor] if vendor else None) as sandbox:
        config.write_text(json.dumps(sandbox.config))
        records = _run("tap-auditlogs", "--config", config)
    _run("auditlogs-report", "--from", "-", "--output", page, given=_run("auditlogs-ocsf", given=records))
    return page


def take(browser: Browser, page: Path, image: str, figure: str | None) -> None:
    """Photograph a figure, or the beginning of the page."""
    tab = browser.new_page(
        viewport={"width": 1500, "height": 1000} if figure is None else {"width": 760, "height": 600}
    )
    tab.goto(page.as_uri())
    if figure is None:
        tab.screenshot(path=IMAGES / image)
    else:
        tab.locator(f"#{figure}").screenshot(path=IMAGES / image)
    tab.close()


if __name__ == "__main__":
    main()
