"""Hooks of serializers and fields that stand in others, where DRF keeps them or where their owner does."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as drf

from restflow import serializers as restflow
from tests.serializers.support import case, kept, post, put, refuse_odd, show


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
