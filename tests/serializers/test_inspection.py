"""What is copied of serializers with async hooks, and what shows itself of them and of our classes."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from typing import Any

from asgiref.sync import iscoroutinefunction
from rest_framework import serializers as drf

from restflow import serializers as restflow


class Registered(restflow.Serializer):
    """Can be pickled by name, as a class in a module is."""

    n = drf.IntegerField()

    async def validate_n(self, value: int) -> int:
        return value + 1


def test_serializers_and_their_hooks_survive_copies_and_pickling() -> None:
    class Outer(restflow.Serializer):
        inner = Registered(validators=[])

    outer = Outer(data={"inner": {"n": 1}})
    for copied in (copy.deepcopy(outer), copy.deepcopy(outer)):
        assert copied.is_valid()
        assert copied.validated_data == {"inner": {"n": 2}}
    assert outer.is_valid()
    assert copy.deepcopy(outer.fields["inner"]).run_validation({"n": 4}) == {"n": 5}
    restored = pickle.loads(pickle.dumps(Registered(data={"n": 7})))
    assert restored.is_valid()
    assert restored.validated_data == {"n": 8}
    assert pickle.loads(pickle.dumps(Registered.validate_n)) is Registered.validate_n


def test_a_declared_field_is_not_changed_by_what_its_copies_are_asked() -> None:
    async def even(value: int) -> None:
        if value % 2:
            raise drf.ValidationError("odd")

    class S(restflow.Serializer):
        n = drf.IntegerField(validators=[even], default=None)

    for _ in range(2):
        assert not S(data={"n": 1}).is_valid()
    declared = S._declared_fields["n"]
    assert declared.validators == [even]
    assert S().fields["n"].validators == [even]


def test_hooks_keep_their_signatures_and_say_that_they_are_async() -> None:
    class S(restflow.Serializer):
        async def validate_n(self, value: int, *more: str) -> int:
            """Check n."""
            return value

        async def avalidate(self, attrs: Any) -> Any:
            return attrs

    assert str(inspect.signature(S.validate_n)) == "(self, value: 'int', *more: 'str') -> 'int'"
    assert S.validate_n.__doc__ == "Check n."
    assert iscoroutinefunction(S.validate_n)
    assert iscoroutinefunction(S.avalidate)
    assert not iscoroutinefunction(S.validate)


def test_many_gives_our_list_and_any_list_has_the_async_surface() -> None:
    class Plain(drf.ListSerializer):
        pass

    class Own(restflow.Serializer):
        n = drf.IntegerField()

        class Meta:
            list_serializer_class = Plain

    class Default(restflow.Serializer):
        n = drf.IntegerField(validators=[])

    class Nested(restflow.Serializer):
        items = Default(many=True, max_length=2)

    made = Default(data=[{"n": 1}], many=True, max_length=2)
    assert type(made) is type(Nested().fields["items"]) is restflow.ListSerializer
    assert made.max_length == 2
    assert type(Own(data=[], many=True)) is Plain

    async def main() -> None:
        for serializer in (made, Own(data=[{"n": 1}], many=True)):
            assert await serializer.ais_valid()
            assert await serializer.adata == [{"n": 1}]

    asyncio.run(main())


def test_our_classes_are_drfs() -> None:
    for name in ("BaseSerializer", "Serializer", "ListSerializer", "ModelSerializer", "HyperlinkedModelSerializer"):
        ours, theirs = getattr(restflow, name), getattr(drf, name)
        assert issubclass(ours, theirs)
        assert issubclass(ours, restflow.BaseSerializer)
        for attr in ("create", "update", "validate", "is_valid", "get_fields", "build_field"):
            assert getattr(ours, attr, None) is getattr(theirs, attr, None), (name, attr)


def test_a_module_is_ported_by_its_import() -> None:
    fields = [value for value in vars(drf).values() if isinstance(value, type) and issubclass(value, drf.Field)]
    for field in fields:
        ours = getattr(restflow, field.__name__)
        assert ours is field or issubclass(field, drf.BaseSerializer), field
    for name in ("ValidationError", "SkipField", "empty", "CreateOnlyDefault", "CurrentUserDefault", "PKOnlyObject"):
        assert getattr(restflow, name) is getattr(drf, name)
