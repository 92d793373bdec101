"""Blocks of "Async in practice" that need a server's start, or a newer Django."""

from __future__ import annotations

import asyncio
import sys
import types
from typing import Any

import django
import httpx
import pytest
from django.test import override_settings

from restflow.asgi import ASGIHandler
from tests.docs.pages import ROOT, Block, blocks_of
from tests.site import Site

PAGE = ROOT / "docs" / "howto" / "async.md"


def block(title: str) -> Block:
    return next(each for each in blocks_of(PAGE) if each.title == title)


def run(title: str, names: dict[str, Any]) -> dict[str, Any]:
    exec(compile(block(title).code, str(PAGE), "exec"), names)
    return names


def test_the_client_lives_as_long_as_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")
    module: Any = types.ModuleType("shop.upstream")
    run("shop/upstream.py", vars(module))
    monkeypatch.setitem(sys.modules, "shop", types.ModuleType("shop"))
    monkeypatch.setitem(sys.modules, "shop.upstream", module)
    application = run("config/asgi.py", {})["application"]
    assert isinstance(application.application, ASGIHandler)  # seen by the checks
    sent: list[str] = []

    async def serve() -> None:
        told = asyncio.Queue[dict[str, str]]()
        answered = asyncio.Queue[dict[str, str]]()
        server = asyncio.create_task(application({"type": "lifespan"}, told.get, answered.put))
        for name in ("startup", "shutdown"):
            await told.put({"type": f"lifespan.{name}"})
            sent.append((await answered.get())["type"])
            assert module.upstream.client.is_closed == (name == "shutdown")
        await server

    asyncio.run(serve())
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert isinstance(module.upstream.client, httpx.AsyncClient)


@pytest.mark.skipif(django.VERSION < (6, 0), reason="Django has tasks from 6.0 on")
def test_work_is_enqueued(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = types.ModuleType("documented_tasks")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    tasks = {"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}}
    with override_settings(TASKS=tasks):
        names = run("shop/tasks.py", vars(module))
        with Site({"orders/": names["Orders"].as_view()}) as site:
            answer = site.send("POST", "/orders/")
        from django.tasks import default_task_backend

        backend: Any = default_task_backend
        assert answer.status == 202
        assert [str(result.id) for result in backend.results] == [answer.json()["task"]]
        assert backend.results[0].args == [7]
