from __future__ import annotations

import re
import typing as t
from importlib import import_module
from pathlib import Path

import pytest

import tap_auditlogs
from tap_auditlogs.vendors import VENDORS

if t.TYPE_CHECKING:
    from tap_auditlogs.doctor.assumptions import Assumption

ID = re.compile(rf"\b(?:{'|'.join(vendor.name.replace('_', '-') for vendor in VENDORS)})-\d\d\b")


def registered() -> list[Assumption[t.Any]]:
    return [assumption for vendor in VENDORS for assumption in vendor.load("doctor").Doctor.assumptions]


def cited() -> set[str]:
    files = Path(tap_auditlogs.__file__).parent.rglob("*.py")
    return {
        found
        for file in files
        if file.name not in {"doctor.py", "probes.py"} and "doctor" not in file.parts[-2:-1]
        for found in ID.findall(file.read_text(encoding="utf-8"))
    }


def test_code_cites_every_assumption_and_none_that_does_not_exist() -> None:
    assert cited() == {assumption.id for assumption in registered()}


@pytest.mark.parametrize("assumption", registered(), ids=lambda assumption: assumption.id)
def test_the_place_named_is_there_and_cites_the_assumption(assumption: Assumption[t.Any]) -> None:
    module_name, _, name = assumption.relied_on.partition(":")
    module = import_module(module_name)
    assert hasattr(module, name)
    assert assumption.id in ID.findall(Path(str(module.__file__)).read_text(encoding="utf-8"))


@pytest.mark.parametrize("vendor", VENDORS)
def test_ids_are_numbered_without_gaps(vendor: t.Any) -> None:
    ids = [assumption.id for assumption in vendor.load("doctor").Doctor.assumptions]
    prefix = vendor.name.replace("_", "-")
    assert ids == [f"{prefix}-{number:02}" for number in range(1, len(ids) + 1)]
