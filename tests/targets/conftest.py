from __future__ import annotations

import typing as t

import pytest

from tests.support.postgres import postgres_server
from tests.targets.source import Source
from tests.targets.store import serve_store
from tests.targets.target import Services

if t.TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="record what is seen of the targets in docs/targets.yml")


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    with postgres_server() as postgres, serve_store() as store:
        yield Services(postgres, store)
