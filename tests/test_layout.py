"""The packages import each other in one direction, without circles; type-only imports count."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

PACKAGES = ("tap_auditlogs", "auditlogs_sandbox", "auditlogs_demo", "scripts", "tests")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False, cache_dir=None)


def test_no_imports_form_a_circle(graph: grimp.ImportGraph) -> None:
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(f"these modules import each other: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize(
    ("importer", "forbidden"),
    [
        ("tap_auditlogs", {"auditlogs_sandbox", "auditlogs_demo", "scripts", "tests"}),
        ("auditlogs_sandbox", {"tap_auditlogs", "auditlogs_demo", "scripts", "tests"}),
        ("auditlogs_demo", {"scripts", "tests"}),
    ],
)
def test_a_package_imports_only_what_it_is_installed_with(
    graph: grimp.ImportGraph, importer: str, forbidden: set[str]
) -> None:
    modules = {importer, *graph.find_descendants(importer)}
    imported = {(module, found) for module in modules for found in graph.find_modules_directly_imported_by(module)}
    assert {pair for pair in imported if pair[1].partition(".")[0] in forbidden} == set()


def test_the_core_imports_no_vendor_and_vendors_do_not_import_each_other(graph: grimp.ImportGraph) -> None:
    vendors = graph.find_children("tap_auditlogs.vendors")
    assert len(vendors) == 5
    core = {"tap_auditlogs.core", *graph.find_descendants("tap_auditlogs.core")}
    wrong = [
        (module, found)
        for module in graph.modules
        for found in graph.find_modules_directly_imported_by(module)
        for vendor in vendors
        if is_within(found, vendor)
        and (module in core or any(is_within(module, other) for other in vendors - {vendor}))
    ]
    assert wrong == []


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
