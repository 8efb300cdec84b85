from __future__ import annotations

import typing as t

import pytest

from tests.support.tap_runs import sync

GIVEN: dict[str, t.Any] = {"username": "user", "password": "secret-password", "api_url": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"services": ["line-item", "budget-splitter"]}, "budget-splitter"),
        ({"services": []}, "services: must not be empty"),
        ({"resource_ids": {"deal": []}}, "resource_ids.deal: must not be empty"),
        ({"services": ["deal"], "resource_ids": {"line-item": [1]}}, "line-item is not among the services"),
        ({"max_concurrency": 16}, "max_concurrency"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"api_url": "http://api.example.com"}, "must be https"),
        ({"sevices": ["deal"]}, "did you mean `services`"),
        ({"username": None, "password": None}, "missing username, password"),
    ],
)
def test_a_wrong_setting_is_told_without_its_value(changes: dict[str, t.Any], told: str) -> None:
    run = sync(
        {
            "xandr": {
                name: value
                for name, value in {**GIVEN, **changes, "include_raw_json": False}.items()
                if value is not None
            }
        }
    )
    assert run.exit_code == 1
    assert told in run.log
    assert "secret-password" not in run.log
    assert not run.stdout
