"""The worker threads each test of cancellation runs with."""

from __future__ import annotations

import pytest

from tests.flow.support import Worker, kept_for_the_request, shared_by_all


@pytest.fixture(params=[kept_for_the_request, shared_by_all])
def worker(request: pytest.FixtureRequest) -> Worker:
    return Worker(request.param)
