"""Serializers with async hooks are to DRF's rules, forms and schemas what DRF's own are."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from django.test import override_settings
from django.urls import path
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework import serializers as drf
from rest_framework.response import Response
from rest_framework.views import APIView as DRFAPIView

from restflow import serializers as restflow
from restflow.views import AsyncAPIView, AsyncCreateAPIView, AsyncListAPIView
from tests.matrix import examples
from tests.safety.support import ask
from tests.serializers.support import awaited, either_family, plainly
from tests.shop.models import Author, Book


@either_family
def test_drfs_assertions_hold(m: Any) -> None:
    class S(m.Serializer):
        n = drf.IntegerField()

    async def main() -> None:
        unasked = restflow.add_async_methods(S(data={"n": 1}))
        with pytest.raises(AssertionError, match="is_valid"):
            await unasked.adata
        with pytest.raises(AssertionError, match="is_valid"):
            await unasked.asave()
        with pytest.raises(AssertionError, match="no `data=` keyword"):
            await restflow.add_async_methods(S({"n": 1})).ais_valid()
        invalid = restflow.add_async_methods(S(data={}))
        assert not await invalid.ais_valid()
        with pytest.raises(AssertionError, match="invalid data"):
            await invalid.asave()
        valid = restflow.add_async_methods(S(data={"n": 1}))
        assert await valid.ais_valid()
        with pytest.raises(AssertionError, match="commit"):
            await valid.asave(commit=False)
        with pytest.raises(NotImplementedError):
            await valid.asave()

    asyncio.run(main())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "1", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["n", "child", "items"]), inner),
    max_leaves=12,
)


def tree(m: Any, do: Any) -> Any:
    @do
    def refuse_two(value: int) -> None:
        if value == 2:
            raise drf.ValidationError("two")

    class Leaf(m.Serializer):
        n = drf.IntegerField(validators=[refuse_two], default=do(lambda: 0))

        @do
        def validate_n(self, value: int) -> int:
            return value + 1

        @do
        def validate(self, attrs: Any) -> Any:
            if attrs["n"] == 0:
                raise drf.ValidationError("nought")
            return attrs

    class Tree(Leaf):
        child = Leaf(required=False, allow_null=True)
        items = Leaf(many=True, required=False)

    return Tree


@settings(max_examples=examples(60), deadline=None)
@given(data=JSON, many=st.booleans())
def test_any_data_are_found_valid_as_drf_finds_them(data: Any, many: bool) -> None:
    async def validated(serializer: Any) -> Any:
        return await serializer.ais_valid(), serializer.errors, serializer.validated_data

    with override_settings(REST_FRAMEWORK={"LIST_SERIALIZER_ERRORS_AS_DICT": True}):
        reference = tree(drf, plainly)(data=data, many=many)
        expected = reference.is_valid(), reference.errors, reference.validated_data
        for m, do in ((restflow, awaited), (drf, plainly)):
            serializer = restflow.add_async_methods(tree(m, do)(data=data, many=many))
            assert asyncio.run(validated(serializer)) == expected


def documented(m: Any, *, is_async: bool) -> Any:
    async def even(value: int) -> None: ...

    class Leaf(m.Serializer):
        n = drf.IntegerField(max_value=3, validators=[even] if is_async else [])

    class Length:
        def get_length(self, obj: Any) -> int:
            return 1

    class AsyncLength:
        async def get_length(self, obj: Any) -> int:
            return 1

    mixin: Any = AsyncLength if is_async else Length

    class Documented(mixin, m.ModelSerializer):
        leaves = Leaf(many=True)
        length = drf.SerializerMethodField()

        class Meta:
            model = Book
            fields = ["id", "title", "author", "leaves", "length"]

    return Documented


def test_a_schema_is_made_of_them_as_of_drfs(capsys: pytest.CaptureFixture[str]) -> None:
    from drf_spectacular import generators, openapi

    def schema(base: Any, serializer: Any) -> Any:
        class BookView(base):
            """Books."""

            serializer_class = serializer
            schema = openapi.AutoSchema()

            def post(self, request: Any) -> None: ...

        generator = generators.SchemaGenerator(patterns=[path("x/", BookView.as_view())])
        return generator.get_schema(request=None, public=True)

    ours = schema(AsyncAPIView, documented(restflow, is_async=True))
    assert "Documented" in ours["components"]["schemas"]
    assert ours == schema(DRFAPIView, documented(drf, is_async=False))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_browsable_api_shows_their_forms(method: str, author: Author) -> None:
    def refuse(value: str) -> None:
        raise drf.ValidationError("refused by a validator")

    def page(m: Any, do: Any) -> bytes:
        class Books(m.ModelSerializer):
            title = drf.CharField(initial=do(lambda: "begins with this"), validators=[do(refuse)])

            class Meta:
                model = Book
                fields = ["title", "author"]

        class BookList(AsyncListAPIView, AsyncCreateAPIView):
            serializer_class = Books
            queryset = Book.objects.all()

        answer = ask(BookList, method, {"title": "x", "author": author.pk}, headers={"accept": "text/html"})
        assert answer.status == (200 if method == "GET" else 400)
        return re.sub(rb'(csrfToken": "|csrfmiddlewaretoken" value=")[^"]+', b"", answer.body)

    shown = page(restflow, awaited)
    assert (b"begins with this" if method == "GET" else b"refused by a validator") in shown
    assert shown == page(drf, plainly)


def test_a_base_serializer_needs_no_fields() -> None:
    class High(restflow.BaseSerializer):
        async def to_internal_value(self, data: Any) -> Any:
            if not isinstance(data, int):
                raise drf.ValidationError("a number, please")
            return {"score": data}

        async def to_representation(self, instance: Any) -> Any:
            return {"high": instance["score"]}

        async def create(self, validated_data: Any) -> Any:
            return validated_data

    class View(AsyncAPIView):
        serializer_class = High

        async def post(self, request: Any) -> Response:
            serializer = await self.avalidated_serializer()
            await serializer.asave()
            return Response(await serializer.adata)

    assert ask(View, "POST", 3).json() == {"high": 3}
    assert ask(View, "POST", "x").json() == ["a number, please"]


def test_what_a_serializer_without_data_begins_with() -> None:
    async def three() -> int:
        return 3

    class S(restflow.Serializer):
        n = drf.IntegerField(initial=three)
        m = drf.IntegerField(initial=4)

    assert S().data == {"n": 3, "m": 4}
