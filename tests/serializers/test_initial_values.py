"""Initial values that are async."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as drf

from restflow import serializers


async def _today() -> str:
    return "Emma"


class Titled(serializers.Serializer[Any]):
    title = drf.CharField(initial=_today)


def test_an_async_initial_value_is_awaited() -> None:
    assert Titled().data == {"title": "Emma"}
