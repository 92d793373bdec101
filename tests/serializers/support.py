"""Hooks of serializers in either colour, and views that ask them: DRF's, and each of ours."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers as drf
from rest_framework.response import Response
from rest_framework.views import APIView as DRFAPIView

from restflow import serializers as restflow
from restflow.views import APIView, AsyncAPIView
from tests.safety.support import ask, here

Make = Callable[[Any, Callable[..., Any]], Any]


def plainly(function: Any) -> Any:
    return function


def awaited(function: Any) -> Any:
    """Make a hook ``async def``; it runs on an event loop."""

    @functools.wraps(function)
    async def hook(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        assert here() == "loop"
        return function(*args, **kwargs)

    return hook


class DRFView(DRFAPIView):
    make: Any

    def serializer(self, **kwargs: Any) -> Any:
        return self.make(context={"request": self.request, "view": self}, **kwargs)

    def instance(self, request: Any) -> Any:
        return dict(request.data["instance"]) if "instance" in request.data else None

    def post(self, request: Any) -> Response:
        kwargs = request.data.get("kwargs", {})
        serializer = self.serializer(instance=self.instance(request), data=request.data["data"], **kwargs)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data, status=201)

    def put(self, request: Any) -> Response:
        kwargs = request.data.get("kwargs", {})
        serializer = self.serializer(data=request.data["data"], **kwargs)
        valid = serializer.is_valid()
        return Response([valid, serializer.errors, serializer.data])

    def patch(self, request: Any) -> Response:
        return Response(self.serializer(instance=request.data["data"], **request.data.get("kwargs", {})).data)


class SyncView(APIView, DRFView):
    def serializer(self, **kwargs: Any) -> Any:
        return self.get_serializer(serializer_class=self.make, **kwargs)


class SyncHandlers(AsyncAPIView, DRFView):
    def serializer(self, **kwargs: Any) -> Any:
        return self.get_serializer(serializer_class=self.make, **kwargs)


class AsyncHandlers(SyncHandlers):
    async def post(self, request: Any) -> Response:
        kwargs = request.data.get("kwargs", {})
        serializer = await self.avalidated_serializer(
            serializer_class=self.make, instance=self.instance(request), data=request.data["data"], **kwargs
        )
        await serializer.asave()
        return Response(await serializer.adata, status=201)

    async def put(self, request: Any) -> Response:
        kwargs = request.data.get("kwargs", {})
        serializer = await self.aget_serializer(serializer_class=self.make, data=request.data["data"], **kwargs)
        valid = await serializer.ais_valid()
        return Response([valid, serializer.errors, await serializer.adata])

    async def patch(self, request: Any) -> Response:
        kwargs = request.data.get("kwargs", {})
        return await self.aserialized_response(request.data["data"], serializer_class=self.make, **kwargs)


VIEWS = {"sync view": SyncView, "sync handlers": SyncHandlers, "async handlers": AsyncHandlers}


FAMILIES = {"drf": drf, "restflow": restflow}
either_family = pytest.mark.parametrize("m", FAMILIES.values(), ids=FAMILIES)


CASES: dict[str, tuple[Make, list[tuple[str, Any]]]] = {}


def case(*asks: tuple[str, Any]) -> Callable[[Make], Make]:
    def keep(make: Make) -> Make:
        CASES[make.__name__] = (make, list(asks))
        return make

    return keep


def post(data: Any, **more: Any) -> tuple[str, Any]:
    return "POST", {"data": data, **more}


def put(data: Any, **kwargs: Any) -> tuple[str, Any]:
    return "PUT", {"data": data, "kwargs": kwargs}


def show(data: Any, **kwargs: Any) -> tuple[str, Any]:
    return "PATCH", {"data": data, "kwargs": kwargs}


def answers(view: Any, make: Any, asks: list[tuple[str, Any]]) -> list[Any]:
    served = type("View", (view,), {"make": make, "serializer_class": make})
    settings = {"REST_FRAMEWORK": {"LIST_SERIALIZER_ERRORS_AS_DICT": True}}
    got = [ask(served, method, sent, settings=settings) for method, sent in asks]
    return [(answer.status, answer.body) for answer in got]


def kept(m: Any) -> Any:
    """Return a base of the family that keeps what it is given."""

    class Kept(m.Serializer):
        def create(self, validated_data: Any) -> Any:
            return validated_data

        def update(self, instance: Any, validated_data: Any) -> Any:
            return {**instance, **validated_data}

    return Kept


def refuse_odd(value: int) -> None:
    if value % 2:
        raise drf.ValidationError("odd", code="odd")


def refuse_above(limit: int, value: int) -> None:
    if value > limit:
        raise DjangoValidationError("above %(limit)s", params={"limit": limit})


def money(do: Any) -> Any:
    class Money(drf.Field):
        default_validators = [do(refuse_odd)]

        @do
        def to_internal_value(self, data: Any) -> Any:
            if not str(data).isdigit():
                self.fail("required")
            return int(data)

        @do
        def to_representation(self, value: Any) -> Any:
            return f"{value} EUR"

        @do
        def get_attribute(self, instance: Any) -> Any:
            return super().get_attribute(instance) + 1

    return Money


def wrapped(function: Any) -> Any:
    """Wrap a function of any colour in a sync one that does not say what it wraps."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper
