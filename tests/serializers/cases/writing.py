"""The ways to write a hook: mixed in, static, wrapped, given on by a sync one."""

from __future__ import annotations

import functools
from typing import Any

from rest_framework import serializers as drf

from tests.serializers.support import case, kept, post, put, refuse_above, refuse_odd, show, wrapped


@case(post({"n": 2}), put({"n": 3}), show({"n": 1}))
def hooks_of_a_mixin(m: Any, do: Any) -> Any:
    class Mixin:
        @do
        def validate(self, attrs: Any) -> Any:
            return {"n": attrs["n"] + 1}

        @do
        def validate_n(self, value: Any) -> Any:
            refuse_odd(value)
            return value

        @do
        def get_me(self, obj: Any) -> Any:
            return "mixed in"

    class S(Mixin, kept(m)):
        n = drf.IntegerField()
        me = drf.SerializerMethodField()

    return S


@case(put({"n": 1}), put({"n": 2}), show({"n": 1}))
def hooks_that_are_static_or_of_the_class(m: Any, do: Any) -> Any:
    class S(kept(m)):
        n = drf.IntegerField()
        s = drf.SerializerMethodField()

        @staticmethod
        @do
        def validate_n(value: Any) -> Any:
            refuse_odd(value)
            return value

        @classmethod
        @do
        def get_s(cls, obj: Any) -> Any:
            return cls.__name__

    return S


@case(put({"n": 1}), put({"n": 2}))
def sync_wrappers_around_async_hooks(m: Any, do: Any) -> Any:
    def logged(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any) -> Any:
            return function(*args)

        return wrapper

    class S(kept(m)):
        n = drf.IntegerField(validators=[logged(do(refuse_odd))], default=logged(do(lambda: 3)))

        @logged
        @do
        def validate(self, attrs: Any) -> Any:
            return {"n": attrs["n"] + 1}

        @logged
        @do
        def validate_n(self, value: Any) -> Any:
            return value + 1

    return S


@case(post({"n": 2}), post({"n": 3}), post({"n": 5}), post({}), post({"n": 2}, instance={"n": 4}), show({"n": 6}))
def sync_wrappers_around_whatever_drf_calls(m: Any, do: Any) -> Any:
    class Number(drf.IntegerField):
        @wrapped
        @do
        def to_internal_value(self, data: Any) -> Any:
            return data + 10

        @wrapped
        @do
        def run_validators(self, value: Any) -> None:
            refuse_above(14, value)

        @wrapped
        @do
        def get_default(self) -> Any:
            return 7

        @wrapped
        @do
        def to_representation(self, value: Any) -> Any:
            return value + 100

    class S(m.Serializer):
        n = Number(required=False)
        s = drf.SerializerMethodField()

        @wrapped
        @do
        def get_s(self, obj: Any) -> Any:
            return obj["n"] * 1000

        @wrapped
        @do
        def run_validators(self, value: Any) -> None:
            refuse_odd(value["n"])

        @wrapped
        @do
        def create(self, validated_data: Any) -> Any:
            return {"n": validated_data["n"] + 20}

        @wrapped
        @do
        def update(self, instance: Any, validated_data: Any) -> Any:
            return {"n": validated_data["n"] + 40}

    return S


@case(post({"n": 2}), post({"n": 2}, instance={"n": 4}))
def sync_hooks_that_give_what_an_async_one_gives(m: Any, do: Any) -> Any:
    class S(m.Serializer):
        n = drf.IntegerField()

        @do
        def kept(self, n: int) -> Any:
            return {"n": n}

        def create(self, validated_data: Any) -> Any:
            return self.kept(validated_data["n"] + 1)

        def update(self, instance: Any, validated_data: Any) -> Any:
            return self.kept(instance["n"] + validated_data["n"])

    return S
