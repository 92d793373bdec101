from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import django
import pytest
import redis
from django.conf import settings
from django.contrib.contenttypes.management import create_contenttypes
from django.db.models.signals import post_migrate
from django.test import override_settings

from restflow.settings import DEFAULTS

# Before any directory's conftest imports them: what they assert is explained like a test's.
pytest.register_assert_rewrite("tests.parity.harness", "tests.colours")

SERVICES = {
    f"PostgreSQL ({settings.POSTGRES_HOST}:{settings.POSTGRES_PORT})": settings.POSTGRES,
    f"Redis ({settings.REDIS_URL.rpartition('@')[2]})": settings.REDIS,
}


def pytest_report_header() -> list[str]:
    return [
        f"The fast versions are {'on' if DEFAULTS['FAST_VERSIONS'] else 'off'}",
        *(
            f"{name} {'answers' if answers else 'does not answer, so tests that need it are skipped'}"
            for name, answers in SERVICES.items()
        ),
    ]


# RESTFLOW_FAST=off runs all tests by the general flows alone.
if os.environ.get("RESTFLOW_FAST") == "off":
    DEFAULTS["FAST_VERSIONS"] = False


def pytest_configure(config: pytest.Config) -> None:
    if django.VERSION < (6, 1):
        # Django's own handler leaves a request's body open where the application raises, and some test that comes
        # later would fail by it. Ours closes it on all versions, which the newest Django's runs would tell.
        ignored = "ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning"
        config.addinivalue_line("filterwarnings", ignored)
    missing = [name for name, answers in SERVICES.items() if not answers]
    if missing and os.environ.get("RESTFLOW_REQUIRE_SERVICES") == "1":
        raise pytest.UsageError(f"RESTFLOW_REQUIRE_SERVICES=1, and there is no answer from {' and '.join(missing)}.")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """Keep a flush from making content types and permissions anew, which takes longer than most tests.

    Content types are made when they are asked for; a test that needs permissions makes them.
    """
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)
    post_migrate.connect(_forget_contenttypes)


def _forget_contenttypes(**kwargs: Any) -> None:
    from django.contrib.contenttypes.models import ContentType

    ContentType.objects.clear_cache()


def pytest_collection_finish() -> None:
    # What is there now stays to the end: a collection of garbage need not go through it each time.
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _close_loop() -> Iterator[None]:
    yield
    from tests.site import close_loop

    close_loop()


@pytest.fixture(scope="session", autouse=True)
def _remove_sqlite_file() -> Iterator[None]:
    yield
    for name in Path(settings.DATABASES["default"]["NAME"]).parent.glob(
        Path(settings.DATABASES["default"]["NAME"]).name + "*"
    ):
        name.unlink()


@pytest.fixture
def collect() -> Callable[[], int]:
    """Collects the garbage that was made since the test began; all there is takes half a second to go through."""
    gc.freeze()
    return gc.collect


@pytest.fixture(params=["default", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    """The alias of each database the tests run on."""
    alias: str = request.param
    if alias not in settings.DATABASES:
        pytest.skip("PostgreSQL is not running")
    return alias


@pytest.fixture
def postgres() -> str:
    """PostgreSQL's alias."""
    if "postgres" not in settings.DATABASES:
        pytest.skip("PostgreSQL is not running")
    return "postgres"


@pytest.fixture
def redis_storage() -> Iterator[dict[str, Any]]:
    """The setting ``RESTFLOW`` by which throttles count in Redis, under keys of this test's own."""
    if not settings.REDIS:
        pytest.skip("Redis is not running")
    prefix = f"restflow-tests-{uuid4().hex}"
    patient = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), 60.0)  # the machine may be busy
    yield {"THROTTLE_STORAGE": settings.REDIS_URL, "THROTTLE_STORAGE_OPTIONS": {"key_prefix": prefix, **patient}}
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        for key in client.scan_iter(f"*{prefix}*"):
            client.delete(key)


@pytest.fixture(params=["memory", "redis"])
def throttle_storage(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The setting ``RESTFLOW`` for each storage that throttles can count in."""
    if request.param == "memory":
        return {"THROTTLE_STORAGE": "memory://"}
    storage: dict[str, Any] = request.getfixturevalue("redis_storage")
    return storage


@pytest.fixture(params=["fast", "general"])
def each_version(request: pytest.FixtureRequest) -> Iterator[None]:
    """Has the flows that have a fast version run in both."""
    with override_settings(RESTFLOW={"FAST_VERSIONS": request.param == "fast"}):
        yield


@pytest.fixture
def fast_versions() -> Iterator[None]:
    """Has the fast versions taken, whatever RESTFLOW_FAST says."""
    with override_settings(RESTFLOW={"FAST_VERSIONS": True}):
        yield


@pytest.fixture
def browser() -> Iterator[Any]:
    """A headless Chromium, where there is one, and playwright to drive it."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium here")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()
