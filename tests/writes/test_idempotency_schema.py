"""The schema tells of ``idempotency_key``, and ``manage.py check`` of a cache that nobody shares."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import override_settings
from django.urls import path

from restflow.views import ActionConfig, AsyncModelViewSet, ModelViewSet
from tests.test_spectacular import in_force, made, urls
from tests.writes.test_etag_schema import ATTRIBUTES, described

viewsets = pytest.mark.parametrize("base", [ModelViewSet, AsyncModelViewSet])


def orders(base: Any, **attributes: Any) -> Any:
    configs = {"create": ActionConfig(idempotency_key="required")}
    return type("Authors", (base,), {**ATTRIBUTES, "action_configs": configs, **attributes})


@viewsets
def test_header_and_statuses_are_described(base: Any) -> None:
    with in_force():
        paths = made(urls(orders(base, idempotency_key="optional")))["paths"]
    create, update = paths["/authors/"]["post"], paths["/authors/{id}/"]["put"]
    assert described(create)[0] == {"Idempotency-Key": True}
    assert described(update)[0] == {"Idempotency-Key": False}
    for said in (create, update, paths["/authors/{id}/"]["delete"]):
        assert {"400", "409", "422"} <= said["responses"].keys()
        assert "Retry-After" in said["responses"]["409"]["headers"]
    assert described({"parameters": [], **paths["/authors/"]["get"]}) == ({}, set())


@viewsets
def test_a_cache_that_processes_do_not_share_is_found(base: Any, tmp_path: Any) -> None:
    def found(backend: str, **attributes: Any) -> list[str]:
        location = "redis://127.0.0.1" if "redis" in backend else str(tmp_path)
        view = orders(base, **attributes).as_view({"post": "create"})
        caches = {"default": {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": location}}
        with override_settings(ROOT_URLCONF=(path("", view),), INSTALLED_APPS=["restflow"], CACHES=caches):
            return [message.id for message in run_checks(tags=["restflow"]) if message.id == "restflow.W012"]

    assert found("locmem.LocMemCache") == ["restflow.W012"]
    assert found("filebased.FileBasedCache") == ["restflow.W012"]
    assert found("redis.RedisCache") == []
    assert found("locmem.LocMemCache", action_configs={}) == []
