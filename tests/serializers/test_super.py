"""The nearest override is asked by either name, and super() gives it the result of the next, or is refused."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework import serializers as drf

from restflow import serializers as restflow
from tests.serializers.support import VIEWS, answers, awaited, kept, money, post


def test_a_plain_serializer_whose_sync_hook_would_get_a_coroutine_from_super_is_refused() -> None:
    class Base(drf.Serializer):
        n = drf.IntegerField()

        async def validate_n(self, value: Any) -> Any:
            return value

    class Plain(Base):
        def validate_n(self, value: Any) -> Any:
            return super().validate_n(value)

    with pytest.raises(TypeError, match=r"Plain\.validate_n is async.*restflow\.serializers"):
        restflow.add_async_methods(Plain(data={"n": 1}))

    class Field(money(awaited)):  # type: ignore[misc]
        def to_internal_value(self, data: Any) -> Any:
            return super().to_internal_value(data)

    class S(restflow.Serializer):
        m = Field()

    with pytest.raises(TypeError, match=r"Field\.to_internal_value is sync"):
        S(data={"m": 1}).is_valid()


def test_our_serializers_sync_hook_gets_the_result_from_an_async_super() -> None:
    class Base(kept(restflow)):
        n = drf.IntegerField()
        me = drf.SerializerMethodField()

        async def validate_n(self, value: Any) -> Any:
            return value + 1

        async def validate(self, attrs: Any) -> Any:
            return {**attrs, "base": 1}

        async def get_me(self, obj: Any) -> Any:
            return "base"

        async def compute(self, obj: Any) -> Any:
            return "computed"

    class S(Base):
        by_name = drf.SerializerMethodField(method_name="compute")

        def validate_n(self, value: Any) -> Any:
            return super().validate_n(value) * 10

        def validate(self, attrs: Any) -> Any:
            return {**super().validate(attrs), "sub": 1}

        def get_me(self, obj: Any) -> Any:
            return [super().get_me(obj)]

        def compute(self, obj: Any) -> Any:
            return [super().compute(obj)]

    for view in VIEWS.values():
        assert answers(view, S, [post({"n": 1})]) == [(201, b'{"n":20,"me":["base"],"by_name":["computed"]}')]


def test_the_async_name_and_the_sync_name_reach_the_nearest_override() -> None:
    class Async(kept(restflow)):
        n = drf.IntegerField()

        async def avalidate(self, attrs: Any) -> Any:
            return {"n": attrs["n"] + 1}

        async def acreate(self, validated_data: Any) -> Any:
            return {"n": (await super().acreate(validated_data))["n"] + 10}

        async def aupdate(self, instance: Any, validated_data: Any) -> Any:
            return await super().aupdate(instance, {"n": validated_data["n"] + 20})

        async def ato_internal_value(self, data: Any) -> Any:
            return await super().ato_internal_value(data)

        async def ato_representation(self, instance: Any) -> Any:
            return {**await super().ato_representation(instance), "shown": True}

        async def arun_validation(self, data: Any = drf.empty) -> Any:
            return await super().arun_validation(data)

        async def ais_valid(self, *, raise_exception: bool = False) -> bool:
            return await super().ais_valid(raise_exception=raise_exception)

        async def asave(self, **kwargs: Any) -> Any:
            return await super().asave(**kwargs)

    class Sync(Async):
        def validate(self, attrs: Any) -> Any:
            return {"n": super().validate(attrs)["n"] + 100}

        def create(self, validated_data: Any) -> Any:
            return {"n": super().create(validated_data)["n"] + 1000}

        def is_valid(self, *, raise_exception: bool = False) -> bool:
            return super().is_valid(raise_exception=raise_exception)

        def save(self, **kwargs: Any) -> Any:
            return super().save(**kwargs)

        def to_representation(self, instance: Any) -> Any:
            return {**super().to_representation(instance), "again": True}

    class Again(Sync):
        async def avalidate(self, attrs: Any) -> Any:
            return {"n": (await super().avalidate(attrs))["n"] + 5}

    shown = {
        Async: b'{"n":12,"shown":true}',
        Sync: b'{"n":1112,"shown":true,"again":true}',
        Again: b'{"n":1117,"shown":true,"again":true}',
    }
    for view in VIEWS.values():
        for make, body in shown.items():
            assert answers(view, make, [post({"n": 1})]) == [(201, body)]
        assert answers(view, Async, [post({"n": 1}, instance={"n": 0})]) == [(201, b'{"n":22,"shown":true}')]

    async def by_name() -> None:
        assert await Sync().avalidate({"n": 1}) == {"n": 102}
        assert await Sync().arun_validation({"n": 1}) == {"n": 102}
        assert await Sync().ato_internal_value({"n": "1"}) == {"n": 1}
        assert await Sync().ato_representation({"n": 1}) == {"n": 1, "shown": True, "again": True}
        assert await Sync().acreate({"n": 1}) == {"n": 1011}
        assert await Sync().aupdate({"n": 1}, {"n": 2}) == {"n": 22}

    asyncio.run(by_name())
    assert SimpleNamespace(**Sync().run_validation({"n": 1})).n == 102
