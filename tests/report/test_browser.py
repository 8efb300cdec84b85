"""The page in a real browser, opened from disk.

    uv run --group browser pytest tests/report/test_browser.py

Screenshots are kept in the folder that REPORT_SCREENSHOTS names.
"""

from __future__ import annotations

import os
import shutil
import typing as t
from pathlib import Path

import pytest

from tests.report.reports import as_duckdb, make_page
from tests.report.rows import all_tables, request_rows
from tests.report.test_odd_data import HOSTILE

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.report.rows import Tables

api = pytest.importorskip("playwright.sync_api", reason="in the dependency group `browser`")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="in the dependency group `browser`")

CHROMIUM: t.Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium; `.ci/run report` installs it"),
    # One browser for all of them.
    pytest.mark.xdist_group("browser"),
]

WIDTHS: t.Final = (360, 800, 1600)
SCHEMES: t.Final = ("light", "dark")
A4_HEIGHT: t.Final = (297 - 2 * 15) / 25.4 * 96
"""Of the content of a page, in CSS pixels."""


class Opened(t.NamedTuple):
    """A page in the browser, and what it said and asked for."""

    page: t.Any
    messages: list[str]
    requests: list[str]


def odd_tables() -> Tables:
    tables = all_tables(days=70, actors=HOSTILE)
    for row in tables["index_exchange_hourly"]:
        row["dsp_name"] = HOSTILE[row["site_id"] % 4]
    for row in tables["cryptolens_web_api_log"]:
        row["method"] = HOSTILE[0]
    return tables


TABLES: t.Final[dict[str, Tables]] = {
    "usual": all_tables(),
    "odd": odd_tables(),
    "one-vendor": {"cryptolens_web_api_log": list(request_rows([True, False, None]))},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {}
    for name, tables in TABLES.items():
        folder = tmp_path_factory.mktemp(name)
        make_page(folder, "--from", as_duckdb(folder, tables), "--time-zone", "Europe/Berlin")
        found[name] = folder / "page.html"
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[t.Any]:
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def open_page(browser: t.Any, path: Path, *, width: int = 1600, scheme: str = "light") -> Opened:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened = Opened(page, [], [])
    page.on("console", lambda message: opened.messages.append(message.text))
    page.on("pageerror", lambda error: opened.messages.append(str(error)))
    page.on("dialog", lambda dialog: opened.messages.append(dialog.message))
    page.on("request", lambda request: opened.requests.append(request.url))
    page.goto(path.as_uri())
    return opened


def open_details(page: t.Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_asks_for_nothing_and_fits(
    browser: t.Any, files: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    page, messages, requests = open_page(browser, files[name], width=width, scheme=scheme)
    open_details(page)
    assert messages == []
    assert requests == [files[name].as_uri()]
    assert page.evaluate("window.attacked") is None
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    charts = page.locator(".chart").all()
    assert charts
    for chart in charts:
        (drawn,) = [box for svg in chart.locator("svg").all() if (box := svg.bounding_box())]
        assert drawn["width"] > 200
        assert drawn["x"] >= 0
        assert drawn["x"] + drawn["width"] <= width
        assert chart.evaluate(
            "it => [...it.querySelectorAll('.mark-rect path, .mark-line path')]"
            ".some(mark => mark.getBoundingClientRect().width > 1)"
        )
    page.close()


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        *(("usual", width, scheme) for width in WIDTHS for scheme in SCHEMES),
        ("odd", 1600, "light"),
        ("odd", 360, "dark"),
        ("one-vendor", 800, "light"),
    ],
)
def test_axe_finds_no_fault(browser: t.Any, files: dict[str, Path], name: str, width: int, scheme: str) -> None:
    page, *_ = open_page(browser, files[name], width=width, scheme=scheme)
    open_details(page)
    results = axe.Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", TABLES)
def test_screenshots(
    browser: t.Any, files: dict[str, Path], name: str, width: int, scheme: str, tmp_path: Path
) -> None:
    folder = Path(os.environ.get("REPORT_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page, *_ = open_page(browser, files[name], width=width, scheme=scheme)
    image = folder / f"{name}-{width}-{scheme}.png"
    page.screenshot(path=image, full_page=True)
    assert image.stat().st_size > 20_000
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, background.removeprefix("rgb(").removesuffix(")").split(","))) / 3
    assert (brightness > 200) == (scheme == "light")
    page.close()


def test_print_cuts_no_chart(browser: t.Any, files: dict[str, Path], tmp_path: Path) -> None:
    page, *_ = open_page(browser, files["usual"], width=680, scheme="dark")
    page.emulate_media(media="print")
    for chart in page.locator(".chart").all():
        box = chart.bounding_box()
        assert box["height"] < A4_HEIGHT
        assert chart.evaluate("it => getComputedStyle(it).breakInside") == "avoid"
        assert chart.locator("svg:visible").count() == 1
    # Ink on white, whatever the screen has.
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    printed = page.pdf(path=tmp_path / "page.pdf", format="A4", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    page.close()


def test_the_keyboard_reaches_everything(browser: t.Any, files: dict[str, Path]) -> None:
    page, *_ = open_page(browser, files["usual"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    reached = set()
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            reached.add(page.evaluate("document.activeElement.textContent"))
    expected = set(page.locator("summary").all_text_contents())
    assert reached == expected
    assert len(expected) == page.locator("summary").count()  # each has a name of its own
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.evaluate("it => it.open")
    page.close()


def test_a_screen_reader_is_told_what_a_chart_shows(browser: t.Any, files: dict[str, Path]) -> None:
    page, *_ = open_page(browser, files["usual"])
    chart = page.get_by_role("img", name="Chart: Successful vs. failed API requests. 11.1 % of 720 requests failed")
    assert chart.count() == 1
    assert page.get_by_role("banner").count() == page.get_by_role("main").count() == 1
    assert page.get_by_role("navigation", name="Sections").count() == page.get_by_role("contentinfo").count() == 1
    for section in ("Audit trail", "Cryptolens", "Index Exchange", "Streams"):
        assert page.get_by_role("region", name=section, exact=True).count() == 1
    for table in page.locator("table").all():
        assert table.locator("caption").text_content()
        assert table.locator("thead th:not([scope=col])").count() == 0
    page.close()
