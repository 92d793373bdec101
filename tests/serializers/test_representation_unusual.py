"""Fields of DRF's that no generated line fits: a whole instance as source, values of other types behind a path."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework import serializers as drf

from restflow import serializers as restflow
from tests.serializers.representing import TIMES, outcome
from tests.shop.models import Author, Book


class Text(str):
    """A value of a type that is not exactly the usual one."""


def _whole(base: Any) -> Any:
    class Made(base.Serializer):  # type: ignore[misc,name-defined]
        whole = drf.CharField(source="*")

    return Made


def _behind_a_path(base: Any) -> Any:
    class Made(base.Serializer):  # type: ignore[misc,name-defined]
        number = drf.IntegerField(source="author.born")
        name = drf.CharField(source="author.name.text")

    return Made


def _author(base: Any) -> Any:
    class Made(base.Serializer):  # type: ignore[misc,name-defined]
        author = drf.CharField(source="author.name")

    return Made


def _key(base: Any) -> Any:
    class Made(base.Serializer):  # type: ignore[misc,name-defined]
        author = drf.PrimaryKeyRelatedField(read_only=True)

    return Made


def _fields_set(base: Any) -> Any:
    class Made(base.Serializer):  # type: ignore[misc,name-defined]
        title = drf.CharField()

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.fields = dict(self.fields.items())

    return Made


@pytest.mark.usefixtures("fast_versions")
def test_a_value_of_another_type_behind_a_relation_is_represented_as_by_drf() -> None:
    rows = [Book(title="Emma", author=Author(name=Text("Austen"))) for _ in range(TIMES)]
    expected, found = (outcome(lambda base=base: _author(base)(rows, many=True).data) for base in (drf, restflow))
    assert found == expected


@pytest.mark.usefixtures("fast_versions")
@pytest.mark.parametrize("make", [_whole, _behind_a_path, _fields_set])
def test_it_is_represented_as_by_drf(make: Any) -> None:
    name = SimpleNamespace(text=Text("Austen"))
    rows = [SimpleNamespace(title="Emma", author=SimpleNamespace(born="1775", name=name)) for _ in range(TIMES)]
    expected, found = (outcome(lambda base=base: make(base)(rows, many=True).data) for base in (drf, restflow))
    assert found == expected


@pytest.mark.usefixtures("fast_versions")
@pytest.mark.parametrize("author", [SimpleNamespace(pk=3), None])
def test_the_key_of_what_is_no_model_is_represented_as_by_drf(author: Any) -> None:
    rows = [SimpleNamespace(author=author) for _ in range(TIMES)]
    expected, found = (outcome(lambda base=base: _key(base)(rows, many=True).data) for base in (drf, restflow))
    assert found == expected
