"""Four processes share one limit on Redis."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.matrix import LONG

pytestmark = pytest.mark.programs

CONCURRENTLY, EACH, PROCESSES, LIMIT = 50, 500, 4, 500


ONE = [["async"] * 4, ["sync"] * 4]
BOTH = ["async", "sync"] * 2


@pytest.mark.parametrize("colours", [BOTH, *(ONE if LONG else [])], ids="-".join)
def test_of_2000_requests_in_four_processes_as_many_pass_as_the_limit_says(
    colours: list[str], redis_storage: dict[str, Any]
) -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "STORAGE": json.dumps(redis_storage)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-m", __name__, colour],
            env=environment,
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for colour in colours
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        answers = [json.loads(worker.communicate(timeout=120)[0]) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    statuses = [status for answer in answers for status in answer]
    assert (statuses.count(200), statuses.count(429)) == (LIMIT, PROCESSES * EACH - LIMIT)


async def send_all(site: Any) -> list[int]:
    gate = asyncio.Semaphore(CONCURRENTLY)

    async def one() -> int:
        async with gate:
            return (await site.asend("GET", "/x/")).status

    return await asyncio.gather(*(one() for _ in range(EACH)))


def work(colour: str) -> None:
    import django

    django.setup()
    from rest_framework.response import Response

    from restflow.throttling import AnonRateThrottle
    from restflow.views import APIView, AsyncAPIView
    from tests.site import Site

    class Throttle(AnonRateThrottle):
        rate = f"{LIMIT}/hour"

    class Async(AsyncAPIView):
        throttle_classes = [Throttle]

        async def get(self, request: Any) -> Any:
            return Response({})

    class Sync(APIView):
        throttle_classes = [Throttle]

        def get(self, request: Any) -> Any:
            return Response({})

    view = {"async": Async, "sync": Sync}[colour]
    with Site({"x/": view.as_view()}, RESTFLOW=json.loads(os.environ["STORAGE"])) as site:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        statuses = asyncio.run(send_all(site))
    sys.stdout.write(json.dumps(statuses))


if __name__ == "__main__":
    work(sys.argv[1])
