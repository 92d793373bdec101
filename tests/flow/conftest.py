"""The worker threads each test of cancellation runs with."""

from __future__ import annotations

import pytest

from tests.flow.support import Worker, found_by_another_asgiref, kept_for_the_request, shared_by_all


@pytest.fixture(params=[kept_for_the_request, shared_by_all, found_by_another_asgiref])
def worker(request: pytest.FixtureRequest) -> Worker:
    return Worker(request.param)
