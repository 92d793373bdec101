"""Two processes execute a write once, by a cache in Redis."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings

pytestmark = pytest.mark.programs

CONCURRENTLY = 100  # in each of two processes


@pytest.mark.skipif(not settings.REDIS, reason="Redis is not running")
def test_of_200_requests_with_one_key_in_two_processes_one_is_executed() -> None:
    prefix = f"restflow-tests-{uuid4().hex}"
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-m", __name__, colour],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PREFIX": prefix},
            cwd=Path(__file__).resolve().parent.parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for colour in ("async", "sync")
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
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            executed = int(client.get(f"{prefix}-executed") or 0)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.delete(*client.scan_iter(f"*{prefix}*"))
    assert executed == 1
    statuses = Counter(status for answer in answers for status, _ in answer["burst"])
    assert statuses.keys() <= {201, 409}
    assert statuses.total() == 2 * CONCURRENTLY
    # Whoever comes afterwards gets what the one that was executed got.
    afterwards = [answer["afterwards"] for answer in answers]
    assert afterwards == [[201, "1"]] * 2
    assert all(body == "1" for answer in answers for status, body in answer["burst"] if status == 201)


def work(colour: str) -> None:
    import django

    django.setup()
    from rest_framework.response import Response

    from restflow.views import APIView, AsyncAPIView
    from tests.site import Site

    prefix = os.environ["PREFIX"]
    client = redis.Redis.from_url(settings.REDIS_URL)

    class Sync(APIView):
        authentication_classes = []
        idempotency_key = "required"

        def post(self, request: Any) -> Any:
            return Response(client.incr(f"{prefix}-executed"), status=201)

    class Async(AsyncAPIView):
        authentication_classes = []
        idempotency_key = "required"

        async def post(self, request: Any) -> Any:
            count = await asyncio.to_thread(client.incr, f"{prefix}-executed")
            await asyncio.sleep(0.2)
            return Response(count, status=201)

    async def send(site: Any) -> tuple[int, str]:
        answer = await site.asend("POST", "/x/", {"book": 1}, headers={"idempotency-key": "one"})
        return answer.status, answer.body.decode() if answer.status == 201 else ""

    async def send_all(site: Any) -> dict[str, Any]:
        burst = await asyncio.gather(*(send(site) for _ in range(CONCURRENTLY)))
        while (afterwards := await send(site))[0] == 409:  # noqa: ASYNC110 - as a client would
            await asyncio.sleep(0.05)
        return {"burst": burst, "afterwards": afterwards}

    backend = "django.core.cache.backends.redis.RedisCache"
    caches = {"default": {"BACKEND": backend, "LOCATION": settings.REDIS_URL, "KEY_PREFIX": prefix}}
    view = {"async": Async, "sync": Sync}[colour]
    with Site({"x/": view.as_view()}, entry="restflow", CACHES=caches) as site:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        answers = asyncio.run(send_all(site))
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    work(sys.argv[1])
