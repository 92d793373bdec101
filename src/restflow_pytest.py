"""The pytest plugin of restflow, loaded in every run of pytest where restflow is installed.

It stands outside the package, and imports it only when a fixture is used: what pytest imports so early is missed by
coverage, and a project without Django pays nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from restflow.test import AsyncAPIClient, AsyncAPIRequestFactory


@pytest.fixture
def async_api_client() -> AsyncAPIClient:
    """A client whose requests are awaited; a new one for each test."""
    from restflow.test import AsyncAPIClient

    return AsyncAPIClient()


@pytest.fixture
def async_api_rf() -> AsyncAPIRequestFactory:
    """A factory of requests that are passed to a view directly."""
    from restflow.test import AsyncAPIRequestFactory

    return AsyncAPIRequestFactory()
