"""Hooks that are a step of the serializer's or a field's own: they convert, show, save."""

from __future__ import annotations

from typing import Any

from rest_framework import exceptions
from rest_framework import serializers as drf

from tests.serializers.support import case, kept, money, post, put, refuse_above, refuse_odd, show


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
