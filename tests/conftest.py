from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings


def pytest_collection_finish() -> None:
    """Spare the garbage collector the twelve thousand tests, which are no garbage: it takes a third of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _remove_sqlite_file() -> Iterator[None]:
    yield
    for name in Path(settings.DATABASES["default"]["NAME"]).parent.glob(
        Path(settings.DATABASES["default"]["NAME"]).name + "*"
    ):
        name.unlink()


@pytest.fixture(params=["default", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    """The alias of each database the tests run on."""
    alias: str = request.param
    if alias not in settings.DATABASES:
        pytest.skip("PostgreSQL is not running")
    return alias


@pytest.fixture
def redis_storage() -> Iterator[dict[str, Any]]:
    """The setting ``RESTFLOW`` by which throttles count in Redis, under keys of this test's own."""
    if not settings.REDIS:
        pytest.skip("Redis is not running")
    prefix = f"restflow-tests-{uuid4().hex}"
    patient = dict.fromkeys(("socket_timeout", "socket_connect_timeout", "timeout"), 60.0)  # the machine may be busy
    yield {"THROTTLE_STORAGE": settings.REDIS_URL, "THROTTLE_STORAGE_OPTIONS": {"key_prefix": prefix, **patient}}
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        for key in client.scan_iter(f"{prefix}*"):
            client.delete(key)


@pytest.fixture(params=["memory", "redis"])
def throttle_storage(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The setting ``RESTFLOW`` for each storage that throttles can count in."""
    if request.param == "memory":
        return {"THROTTLE_STORAGE": "memory://"}
    storage: dict[str, Any] = request.getfixturevalue("redis_storage")
    return storage
