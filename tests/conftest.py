from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings


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
