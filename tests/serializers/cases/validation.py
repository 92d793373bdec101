"""Hooks that validate: methods, validators, defaults."""

from __future__ import annotations

import functools
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import exceptions
from rest_framework import serializers as drf

from tests.serializers.support import case, kept, post, put, refuse_above, refuse_odd, show


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
