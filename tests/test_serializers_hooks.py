"""Hooks of serializers, written ``async def``, do what the same hooks do in DRF's own serializers on DRF's own view.

Each case is written once. It is asked with sync hooks on DRF's view, and with async ones on each of ours, with DRF's
own serializers and with ours.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import exceptions
from rest_framework import serializers as drf
from rest_framework.response import Response
from rest_framework.views import APIView as DRFAPIView

from restflow import serializers as restflow
from restflow.views import APIView, AsyncAPIView
from tests.matrix import each_pair
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


@case(post({"n": 2}), post({"n": 3}), post({"n": 4}), put({"n": 3}), put({"n": "x"}), put([]), post(None))
def validate(m: Any, do: Any) -> Any:
    class S(kept(m)):
        n = drf.IntegerField()

        @do
        def validate(self, attrs: Any) -> Any:
            if attrs["n"] == 3:
                raise drf.ValidationError("three", code="three")
            if attrs["n"] == 4:
                raise exceptions.PermissionDenied("four")
            return {"n": attrs["n"] * 10}

    return S


@case(post({"n": 2, "m": 1}), post({"n": 3, "m": 1}), put({"n": 4, "m": 1}), put({"n": 3, "m": "x"}), put({}))
def validate_a_field(m: Any, do: Any) -> Any:
    class S(kept(m)):
        n = drf.IntegerField()
        m = drf.IntegerField(required=False)

        @do
        def validate_n(self, value: Any) -> Any:
            if value == 3:
                raise DjangoValidationError("three")
            if value == 4:
                raise drf.ValidationError({"inner": ["four"]})
            return value + 1

    return S


class Above:
    def __init__(self, limit: int) -> None:
        self.limit = limit

    def __call__(self, value: Any) -> None:
        refuse_above(self.limit, value)


class InContext:
    requires_context = True

    def __call__(self, value: Any, field: Any) -> None:
        if value == 8:
            raise drf.ValidationError(f"eight in {field.field_name} of {type(field.parent).__name__}")


def objects(do: Any) -> Any:
    """Return classes of validators whose ``__call__`` is ``do``'s."""
    above = type("Above", (Above,), {"__call__": do(Above.__call__)})
    in_context = type("InContext", (InContext,), {"__call__": do(InContext.__call__)})
    return above, in_context


@case(post({"n": 2}), put({"n": 3}), put({"n": 8}), put({"n": 99}), put({"n": 100}), put({"n": "x"}))
def validators_of_a_field(m: Any, do: Any) -> Any:
    above, in_context = objects(do)

    class S(kept(m)):
        n = drf.IntegerField(
            max_value=1000,
            validators=[do(refuse_odd), functools.partial(do(refuse_above), 50), above(60), in_context()],
        )

    return S


class Judge:
    def __init__(self, do: Any) -> None:
        self.do = do

    def judge(self, value: Any) -> Any:
        return self.do(refuse_odd)(value)


@case(post({"n": 2}), put({"n": 3}))
def a_bound_method_or_a_lambda_as_a_validator(m: Any, do: Any) -> Any:
    class S(kept(m)):
        n = drf.IntegerField(validators=[Judge(do).judge])
        k = drf.IntegerField(default=1, validators=[lambda value: do(refuse_odd)(value)])

    return S


@case(post({"n": 2, "c": 3}), put({"n": 2, "c": 2}), put({"n": 2, "c": 9}))
def validators_of_the_serializer(m: Any, do: Any) -> Any:
    def no_pair(attrs: Any) -> None:
        if attrs["n"] == attrs["c"]:
            raise drf.ValidationError("a pair")

    class Nine:
        requires_context = True

        @do
        def __call__(self, attrs: Any, serializer: Any) -> None:
            if attrs["c"] == 9:
                raise drf.ValidationError({"c": f"nine in {type(serializer).__name__}"})

    class S(kept(m)):
        n = drf.IntegerField()
        c = drf.IntegerField()

        class Meta:
            validators = [do(no_pair), Nine()]

    return S


@case(put({}), put({"child": {"n": 1}}), put({"child": {"n": 2}}), put({"children": [{"n": 2}, {"n": 1}]}))
def validators_given_to_a_nested_serializer(m: Any, do: Any) -> Any:
    @do
    def not_one(attrs: Any) -> None:
        if attrs["n"] == 1:
            raise drf.ValidationError("one")

    @do
    def not_two(items: Any) -> None:
        if len(items) == 2:
            raise drf.ValidationError("two")

    class Child(m.Serializer):
        n = drf.IntegerField()

    class S(kept(m)):
        child = Child(validators=[not_one], required=False)
        children = m.ListSerializer(child=Child(validators=[not_one]), validators=[not_two], required=False)

    return S


@case(
    post({}),
    put({"n": 5}),
    post({"n": 1}, instance={"n": 0, "o": 0, "h": 0, "c": 0}),
    put({}, partial=True),
    show({}),
)
def defaults(m: Any, do: Any) -> Any:
    @do
    def seven() -> int:
        return 7

    class Name:
        requires_context = True

        @do
        def __call__(self, field: Any) -> str:
            return field.field_name

    class S(kept(m)):
        n = drf.IntegerField(default=seven)
        o = drf.CharField(default=Name())
        h = drf.HiddenField(default=seven)
        c = drf.IntegerField(default=drf.CreateOnlyDefault(seven))
        d = drf.CharField(default=drf.CreateOnlyDefault(Name()))
        r = drf.CharField(default=Name(), read_only=True)
        k = drf.CharField(default=drf.CreateOnlyDefault("constant"))

    return S


@case(put({"n": "x"}), put([]))
def initial_values(m: Any, do: Any) -> Any:
    class Child(m.Serializer):
        k = drf.IntegerField(initial=do(lambda: 4))

    class S(kept(m)):
        n = drf.IntegerField()
        i = drf.IntegerField(initial=do(lambda: 3), required=False)
        child = Child(required=False)

    return S


@case(post({"n": 2}), show({"n": 3}), show([{"n": 3}, {"n": 4}], many=True))
def method_fields(m: Any, do: Any) -> Any:
    class S(kept(m)):
        n = drf.IntegerField()
        twice = drf.SerializerMethodField()
        thrice = drf.SerializerMethodField(method_name="compute")

        @do
        def get_twice(self, obj: Any) -> Any:
            return obj["n"] * 2

        @do
        def compute(self, obj: Any) -> Any:
            return obj["n"] * 3

    return S


@case(post({"n": 2}), post({"n": 3}, instance={"n": 2}), post([{"n": 1}, {"n": 2}], kwargs={"many": True}))
def create_and_update(m: Any, do: Any) -> Any:
    class S(m.Serializer):
        n = drf.IntegerField()

        @do
        def create(self, validated_data: Any) -> Any:
            return {"n": validated_data["n"] + 100}

        @do
        def update(self, instance: Any, validated_data: Any) -> Any:
            return {"n": instance["n"] + validated_data["n"]}

    return S


@case(post({"n": 2}), put({"n": "x"}), put({"n": 3}))
def the_loops_themselves(m: Any, do: Any) -> Any:
    class S(kept(m)):
        n = drf.IntegerField()

        @do
        def to_internal_value(self, data: Any) -> Any:
            if data["n"] == 3:
                raise drf.ValidationError({"n": ["three"]})
            return {**super().to_internal_value(data), "extra": 1}

        @do
        def to_representation(self, instance: Any) -> Any:
            return {**super().to_representation(instance), "shown": True}

    return S


@case(post({"n": 2}), put({"n": "x"}), put({"n": 3, "child": {"n": 3}}))
def run_validation(m: Any, do: Any) -> Any:
    class Child(kept(m)):
        n = drf.IntegerField()

        @do
        def run_validation(self, data: Any = drf.empty) -> Any:
            if data is not drf.empty and data["n"] == 3:
                raise drf.ValidationError({"n": ["three"]})
            return super().run_validation(data)

    class S(kept(m)):
        n = drf.IntegerField()
        child = Child(required=False)

    return S


@case(post({"n": 2}), post({"n": 3}), put({"n": 3}))
def is_valid_and_save(m: Any, do: Any) -> Any:
    class S(kept(m)):
        n = drf.IntegerField()

        @do
        def is_valid(self, *, raise_exception: bool = False) -> bool:
            valid = super().is_valid(raise_exception=raise_exception)
            if self.initial_data["n"] == 3 and raise_exception:
                raise exceptions.PermissionDenied
            return valid

        @do
        def save(self, **kwargs: Any) -> Any:
            return super().save(n=17, **kwargs)

    return S


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


@case(
    post({"m": "2", "l": [], "d": {}}),
    put({"m": "x", "l": ["x", "3"], "d": {"a": "x"}}),
    put({"m": "3"}),
    put({"m": "2", "l": ["2", "4"], "d": {"a": "4"}}),
)
def fields_of_ones_own(m: Any, do: Any) -> Any:
    Money = money(do)

    class S(kept(m)):
        m = Money()
        l = drf.ListField(child=Money(), default=list)  # noqa: E741
        d = drf.DictField(child=Money(), default=dict)

    return S


@case(
    post({"n": 2, "child": {"n": 2}, "children": [{"n": 2}, {"n": 4}]}),
    put({"n": 2, "child": {"n": 3}, "children": [{"n": 2}, {"n": 3}, {"n": 5}]}),
    put({"n": 3, "child": None, "children": {}}),
    put([{"n": 2, "child": {"n": 2}, "children": []}, {"n": 2, "child": {"n": 5}, "children": []}], many=True),
    show([{"n": 2, "child": {"n": 2}, "children": [{"n": 2}, {"n": 4}]}] * 2, many=True),
)
def nested_serializers(m: Any, do: Any) -> Any:
    class Leaf(m.Serializer):
        n = drf.IntegerField(validators=[do(refuse_odd)])
        default = drf.IntegerField(default=do(lambda: 1))
        me = drf.SerializerMethodField()

        @do
        def get_me(self, obj: Any) -> Any:
            return [self.field_name, obj["n"]]

        @do
        def validate_n(self, value: Any) -> Any:
            if value == 5:
                raise drf.ValidationError("five")
            return value + 2

        @do
        def validate(self, attrs: Any) -> Any:
            return {**attrs, "validated": True}

    class S(Leaf):
        child = Leaf()
        children = Leaf(many=True)

        @do
        def create(self, validated_data: Any) -> Any:
            return validated_data

    return S


@case(post({"child": {"n": 1}, "children": [{"n": 1}]}), put({"child": {"n": 3}, "children": [{"n": 3}]}))
def the_other_familys_serializers_nested(m: Any, do: Any) -> Any:
    other = restflow if m is drf else drf

    class Child(other.Serializer):
        n = drf.IntegerField()
        me = drf.SerializerMethodField()

        @do
        def get_me(self, obj: Any) -> Any:
            return obj["n"]

        @do
        def validate_n(self, value: Any) -> Any:
            refuse_odd(value // 2)
            return value

    class S(kept(m)):
        child = Child()
        children = Child(many=True)

    return S


@case(
    post([{"n": 1}, {"n": 2}], kwargs={"many": True}),
    put([{"n": 1}], many=True),
    put([{"n": "3"}, {"n": 2}], many=True),
    put({}, many=True),
    put([], many=True, allow_empty=False),
)
def a_list_serializer_of_ones_own(m: Any, do: Any) -> Any:
    class Items(m.ListSerializer):
        @do
        def validate(self, attrs: Any) -> Any:
            if len(attrs) == 1:
                raise drf.ValidationError("alone")
            return attrs

        @do
        def create(self, validated_data: Any) -> Any:
            return [{"n": -item["n"]} for item in validated_data]

    class S(m.Serializer):
        n = drf.IntegerField()

        class Meta:
            list_serializer_class = Items

        @do
        def validate_n(self, value: Any) -> Any:
            refuse_above(2, value)
            return value

    return S


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


@case(put({"n": 1, "d": 1, "k": 1}), put({"n": 2, "d": 2, "k": 2}), show({"n": 1, "d": 1, "k": 1}))
def fields_that_are_changed_on_the_object(m: Any, do: Any) -> Any:
    class S(kept(m)):
        n = drf.IntegerField()

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.fields["n"].validators.append(do(refuse_odd))
            self.fields["d"] = drf.IntegerField(validators=[do(refuse_odd)])
            self.fields["m"] = drf.SerializerMethodField(method_name="measure")

        def get_fields(self) -> Any:
            return {**super().get_fields(), "k": drf.IntegerField(validators=[do(refuse_odd)])}

        @do
        def measure(self, obj: Any) -> Any:
            return obj["n"]

    return S


@case(post({"n": 2}), show([{"n": 1}, {"n": 2}], many=True))
def fields_that_are_added_between_validation_and_representation(m: Any, do: Any) -> Any:
    class Shown(drf.Field):
        @do
        def to_representation(self, value: Any) -> Any:
            return f"shown {value}"

    class S(kept(m)):
        n = drf.IntegerField()

        def to_representation(self, instance: Any) -> Any:
            self.fields[f"also_{instance['n']}"] = Shown(source="n", read_only=True)
            return super().to_representation(instance)

    return S


@case(put({"n": 2, "k": 2}), put({"n": 1, "k": 2}), put({"n": 2, "k": 1}), put({"n": 2, "k": 4}))
def what_is_added_while_validating(m: Any, do: Any) -> Any:
    class S(kept(m)):
        n = drf.IntegerField()

        def run_validation(self, data: Any = drf.empty) -> Any:
            self.fields["k"] = drf.IntegerField(validators=[do(refuse_odd)])
            return super().run_validation(data)

        def to_internal_value(self, data: Any) -> Any:
            self.fields["n"].validators.append(do(refuse_odd))
            self.validators.append(do(lambda attrs: refuse_above(3, attrs["k"])))
            return super().to_internal_value(data)

    return S


@case(put({"n": 1}), put({"n": 2}))
def validators_that_a_method_gives(m: Any, do: Any) -> Any:
    class Number(drf.IntegerField):
        def get_validators(self) -> Any:
            return [*super().get_validators(), do(refuse_odd)]

    class S(kept(m)):
        n = Number()

        def get_validators(self) -> Any:
            return [do(lambda attrs: refuse_above(1, attrs["n"]))]

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


def wrapped(function: Any) -> Any:
    """Wrap a function of any colour in a sync one that does not say what it wraps."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


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


class Held(drf.Field):
    """A field that asks other fields, which it keeps in its own way."""

    def __init__(self, do: Any, keep: Any) -> None:
        super().__init__()
        self.kept = keep(drf.IntegerField(validators=[do(refuse_odd)]))
        self.itself = self

    def to_internal_value(self, data: Any) -> Any:
        kept = self.kept["n"] if isinstance(self.kept, dict) else self.kept
        return (kept[0] if isinstance(kept, tuple) else kept).run_validation(data)

    def to_representation(self, value: Any) -> Any:
        return value


@case(
    post({"one": 2, "named": 4, "several": 6}),
    *(put({"one": 2, "named": 2, "several": 2, n: 3}) for n in ("one", "named", "several")),
)
def fields_that_a_field_keeps_in_its_own_way(m: Any, do: Any) -> Any:
    class S(kept(m)):
        one = Held(do, lambda field: field)
        named = Held(do, lambda field: {"n": field})
        several = Held(do, lambda field: (field,))

    return S


@case(
    post({"kind": "odd", "n": 3}),
    put({"kind": "even", "n": 2}),
    put({"kind": "even", "n": 3}),
    put({"kind": "odd", "n": 2}),
)
def serializers_that_a_serializer_keeps_and_fields_of_a_class(m: Any, do: Any) -> Any:
    class Even(drf.Field):
        number = drf.IntegerField(validators=[do(refuse_odd)])

        def to_internal_value(self, data: Any) -> Any:
            return self.number.run_validation(data)

        def to_representation(self, value: Any) -> Any:
            return value

    class EvenSerializer(kept(m)):
        n = Even()

    class OddSerializer(kept(m)):
        n = drf.IntegerField()

        @do
        def validate_n(self, value: Any) -> Any:
            refuse_odd(value + 1)
            return value

    class S(kept(m)):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.kinds = {"even": EvenSerializer(), "odd": OddSerializer()}

        def to_internal_value(self, data: Any) -> Any:
            return self.kinds[data["kind"]].run_validation(data)

        def to_representation(self, instance: Any) -> Any:
            return self.kinds["odd"].to_representation(instance)

    return S


@each_pair
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", CASES)
def test_async_hooks_do_what_sync_ones_do_in_drf(name: str, view: str, family: str) -> None:
    make, asks = CASES[name]
    expected = answers(DRFView, make(drf, plainly), asks)
    assert all(status in {200, 201, 400, 403} for status, _ in expected), expected
    assert len(expected) == 1 or len(set(expected)) > 1
    for do in (plainly, awaited):
        assert answers(VIEWS[view], make(FAMILIES[family], do), asks) == expected, do.__name__


def without_a_view(serializer: Any) -> Any:
    valid = serializer.is_valid()
    return json.loads(json.dumps([valid, serializer.errors, serializer.data]))


@pytest.mark.parametrize("name", [name for name, (_, asks) in CASES.items() if any(a[0] == "PUT" for a in asks)])
def test_our_serializers_run_async_hooks_in_a_script(name: str) -> None:
    make, asks = CASES[name]
    for method, sent in asks:
        if method == "PUT":
            kwargs = {**sent["kwargs"], "data": sent["data"]}
            ours = without_a_view(make(restflow, awaited)(**kwargs))
            assert ours == without_a_view(make(drf, plainly)(**kwargs))


LOOPS: dict[str, Callable[[Any], Any]] = {
    "is_valid": lambda serializer: serializer.is_valid(),
    "run_validation": lambda serializer: serializer.run_validation({"n": 2}),
    "to_internal_value": lambda serializer: serializer.to_internal_value({"n": 2}),
}


@each_pair
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "name",
    [
        "validate",
        "validate_a_field",
        "validators_of_a_field",
        "a_bound_method_or_a_lambda_as_a_validator",
        "defaults",
        "hooks_of_a_mixin",
        "sync_wrappers_around_async_hooks",
    ],
)
def test_a_sync_name_on_the_event_loop_never_passes_over_an_async_hook(name: str, loop: str, family: str) -> None:
    make = CASES[name][0](FAMILIES[family], awaited)
    if name == "validate" and loop == "to_internal_value":
        loop = "is_valid"  # it is not to_internal_value that calls validate

    async def on_loop() -> None:
        serializer = restflow.add_async_methods(make(data={"n": 2}))
        with pytest.raises(RuntimeError, match="on the event loop asked for"):
            LOOPS[loop](serializer)

    asyncio.run(on_loop())


class Later:
    """What can be awaited, and is no coroutine."""

    def __await__(self) -> Any:
        return self
        yield


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sync_name_on_the_event_loop_never_passes_over_what_can_be_awaited(family: str) -> None:
    class Validated(FAMILIES[family].Serializer):
        n = drf.IntegerField(validators=[lambda value: Later()])

    async def on_loop() -> None:
        with pytest.raises(RuntimeError, match="on the event loop asked for"):
            restflow.add_async_methods(Validated(data={"n": 2})).is_valid()

    asyncio.run(on_loop())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sync_representation_on_the_event_loop_never_holds_a_coroutine(family: str) -> None:
    make = CASES["method_fields"][0](FAMILIES[family], awaited)

    async def on_loop() -> None:
        with pytest.raises(RuntimeError, match="on the event loop asked for"):
            _ = restflow.add_async_methods(make({"n": 2})).data

    asyncio.run(on_loop())


def test_a_plain_serializers_async_loop_never_holds_a_coroutine_of_its_fields() -> None:
    class S(drf.Serializer):
        n = money(awaited)()

        async def to_representation(self, instance: Any) -> Any:
            return super().to_representation(instance)

    async def main() -> None:
        with pytest.raises(RuntimeError, match="get_attribute"):
            await restflow.add_async_methods(S({"n": 1})).adata

    asyncio.run(main())


def test_async_code_on_the_loop_gets_a_coroutine_from_an_async_hook_and_sync_code_an_error() -> None:
    class S(restflow.Serializer):
        n = drf.IntegerField()

        async def validate(self, attrs: Any) -> Any:
            return {**attrs, "validated": True}

        async def validate_n(self, value: Any) -> Any:
            return value + 1

        def helper(self, value: Any) -> Any:
            return self.validate_n(value)

    async def main() -> None:
        serializer = S()
        assert await serializer.validate({}) == await serializer.avalidate({}) == {"validated": True}
        assert await asyncio.gather(*[serializer.validate_n(n) for n in (1, 2)]) == [2, 3]
        assert await asyncio.gather(*(serializer.validate_n(n) for n in (1, 2))) == [2, 3]
        assert await asyncio.gather(*map(lambda n: serializer.validate_n(n), (1, 2))) == [2, 3]  # noqa: C417
        assert await asyncio.create_task(serializer.validate_n(1)) == 2
        with pytest.raises(RuntimeError, match="validate_n"):
            serializer.helper(1)

    asyncio.run(main())
    assert S().helper(1) == 2


def test_a_plain_serializer_whose_sync_hook_would_get_a_coroutine_from_super_is_refused() -> None:
    class Base(drf.Serializer):
        n = drf.IntegerField()

        async def validate_n(self, value: Any) -> Any:
            return value

    class Plain(Base):
        def validate_n(self, value: Any) -> Any:
            return super().validate_n(value)

    with pytest.raises(TypeError, match=r"Plain\.validate_n is sync.*restflow\.serializers"):
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
