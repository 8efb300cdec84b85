"""The archive and BATCH files against a real S3 API on loopback."""

from __future__ import annotations

import json
import typing as t

import pytest
import requests

from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox

moto_server = pytest.importorskip("moto.server", reason="in the dependency group `stores`")
s3fs = pytest.importorskip("s3fs", reason="in the dependency group `stores`")

Settings: t.TypeAlias = "dict[str, t.Any]"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up-access-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up-secret-key")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = moto_server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    s3fs.S3FileSystem.clear_instance_cache()
    requests.post(f"{url}/moto-api/reset", timeout=10)  # what it stores is the process's, not the server's
    s3fs.S3FileSystem(anon=False).mkdir("bucket")
    yield url
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.mark.parametrize("by_environment", [True, False])
def test_verified_files_are_kept_with_their_md5_as_metadata(
    vendor: IndexExchangeSandbox,
    config: Settings,
    endpoint: str,
    monkeypatch: pytest.MonkeyPatch,
    by_environment: bool,
) -> None:
    hour = vendor.hours[-1]
    vendor.clear()
    vendor.publish(HourKey(hour), 5)
    vendor.publish(HourKey(hour, "bids"), 4, parts=2)
    config["index_exchange"]["archive_url"] = "s3://bucket/cal"
    if not by_environment:
        options = {"key": "made-up-access-key", "secret": "made-up-secret-key", "endpoint_url": endpoint}
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
            monkeypatch.delenv(name)
        config["index_exchange"]["archive_options"] = options
    first = sync(config)
    assert first.exit_code == 0, first.log
    store = s3fs.S3FileSystem(key="made-up-access-key", secret="made-up-secret-key", endpoint_url=endpoint)
    name = f"{hour:%Y-%m-%dT%H}"
    for path, key, part in [
        (f"bucket/cal/impressions/41/{name}.gz", HourKey(hour), 0),
        (f"bucket/cal/bids/41/{name}.part-0.gz", HourKey(hour, "bids"), 0),
        (f"bucket/cal/bids/41/{name}.part-1.gz", HourKey(hour, "bids"), 1),
    ]:
        file = vendor.file(key, part)
        assert store.metadata(path)["md5sum"] == file.content.md5sum
        assert store.info(path)["size"] == file.content.size
    written = store.info(f"bucket/cal/impressions/41/{name}.gz", refresh=True)["LastModified"]
    again = sync(config)  # without the state: all is there unchanged
    assert again.exit_code == 0
    store.invalidate_cache()
    assert store.info(f"bucket/cal/impressions/41/{name}.gz", refresh=True)["LastModified"] == written
    vendor.republish(HourKey(hour), 2)
    assert sync(config, first.state).exit_code == 0
    store.invalidate_cache()
    kept = store.metadata(f"bucket/cal/impressions/41/{name}.gz", refresh=True)["md5sum"]
    assert kept == vendor.file(HourKey(hour)).content.md5sum


@pytest.mark.parametrize("encoding", ["jsonl", "parquet"])
@pytest.mark.usefixtures("endpoint")
def test_batch_files_are_written_to_the_bucket(vendor: IndexExchangeSandbox, config: Settings, encoding: str) -> None:
    run = sync(
        {
            **config,
            "batch_config": {
                "encoding": {"format": encoding, "compression": "gzip"},
                "storage": {"root": "s3://bucket/batches", "prefix": "ix-"},
            },
        }
    )
    assert run.exit_code == 0, run.log
    urls = [url for message in run.messages if message["type"] == "BATCH" for url in message["manifest"]]
    store = s3fs.S3FileSystem()
    rows = 0
    for url in urls:
        assert url.startswith("s3://bucket/batches/ix-")
        with store.open(url, "rb") as file:
            if encoding == "jsonl":
                import gzip  # noqa: PLC0415 - here only

                rows += len([json.loads(line) for line in gzip.decompress(file.read()).splitlines()])
            else:
                import pyarrow.parquet as pq  # noqa: PLC0415 - here only

                rows += pq.read_table(file).num_rows
    truth = vendor.truth()
    assert rows == len(truth["index_exchange_impressions"]) + len(truth["index_exchange_bids"])
