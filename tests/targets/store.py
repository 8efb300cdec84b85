"""An S3 API on loopback, by moto."""

from __future__ import annotations

import logging
import typing as t
from contextlib import contextmanager

import pytest

if t.TYPE_CHECKING:
    from collections.abc import Iterator

boto3 = pytest.importorskip("boto3", reason="in the dependency group `stores`")
moto_server = pytest.importorskip("moto.server", reason="in the dependency group `stores`")

BUCKET: t.Final = "audit-logs"
ACCESS_KEY: t.Final = "made-up-access-key"
SECRET_KEY: t.Final = "made-up-secret-key"
REGION: t.Final = "us-east-1"


class Store:
    """A bucket.

    Attributes:
        url: Of the API.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._client: t.Any = boto3.client(
            "s3", endpoint_url=url, region_name=REGION, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY
        )
        self._client.create_bucket(Bucket=BUCKET)

    def objects(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Yield key and content of the objects below a prefix, the oldest first."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        found = [entry for page in pages for entry in page.get("Contents", ())]
        for entry in sorted(found, key=lambda each: (each["LastModified"], each["Key"])):
            yield entry["Key"], self._client.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()


@contextmanager
def serve_store() -> Iterator[Store]:
    """Serve an empty bucket that ends with the block."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else a line on standard error for each request
    server = moto_server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield Store(f"http://{host}:{port}")
    finally:
        server.stop()
