"""Async hooks count that come late or in a way of the serializer's own; what it gave itself stays."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework import serializers as drf
from rest_framework.response import Response

from restflow import serializers as restflow
from restflow.views import APIView, AsyncAPIView
from tests.safety.support import ask, here


def test_a_hook_set_on_the_class_later_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(self: Any, value: Any) -> Any:
        raise drf.ValidationError("patched")

    class S(restflow.Serializer):
        n = drf.IntegerField()
        m = drf.IntegerField(required=False)

    assert S(data={"n": 1}).is_valid()
    monkeypatch.setattr(S, "validate_n", refuse, raising=False)
    assert not S(data={"n": 1}).is_valid()
    monkeypatch.setattr(S, "validate", refuse)
    serializer = S(data={"n": 1, "m": 1})
    assert not serializer.is_valid()


@pytest.mark.parametrize("base", [APIView, AsyncAPIView])
def test_a_serializer_may_set_its_own_entry(base: Any) -> None:
    """What an instance sets itself stays, and what its fields have of async code is still asked."""

    async def odd(value: int) -> None:
        raise drf.ValidationError("odd")

    class S(restflow.Serializer):
        n = drf.IntegerField(validators=[odd])

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.run_validation = lambda data: drf.Serializer.run_validation(self, {"n": data["n"]})

    class View(base):
        serializer_class = S

        def post(self, request: Any) -> Response:
            return Response(self.validated_serializer().data)

    assert ask(View, "POST", {"n": 1}).json() == {"n": ["odd"]}


def test_what_is_no_serializer_of_drfs_gets_the_surface_only() -> None:
    class Other:
        data = {"n": 1}

        def is_valid(self, *, raise_exception: bool = False) -> bool:
            return here() == "thread"

        def save(self) -> str:
            return "saved"

    async def main() -> None:
        other = restflow.add_async_methods(Other())
        assert await other.ais_valid()
        assert await other.asave() == "saved"
        assert await other.adata == {"n": 1}

    asyncio.run(main())


def test_fields_that_are_no_mapping_of_drfs_are_looked_at_each_time() -> None:
    async def refuse(value: int) -> None:
        raise drf.ValidationError("refused")

    class S(restflow.Serializer):
        @property
        def fields(self) -> Any:
            made = self.__dict__.setdefault("_made", {"n": drf.IntegerField()})
            for name, field in made.items():
                if field.field_name is None:
                    field.bind(name, self)
            return made

    serializer = restflow.add_async_methods(S(data={"n": 1, "k": 1}))
    assert serializer.run_validation({"n": 1}) == {"n": 1}
    serializer.fields["k"] = drf.IntegerField(validators=[refuse])
    assert not serializer.is_valid()
    assert serializer.errors == {"k": ["refused"]}


class FalsyRefusal:
    """A callable that is false, as an empty container is."""

    def __bool__(self) -> bool:
        return False

    async def __call__(self, value: Any) -> Any:
        raise drf.ValidationError("refused")


@pytest.mark.parametrize("base", [APIView, AsyncAPIView])
def test_a_validate_method_that_is_a_false_object_is_asked(base: Any) -> None:
    class Named(restflow.Serializer):
        name = restflow.CharField()
        validate_name = FalsyRefusal()

    class Sync(APIView):
        serializer_class = Named

        def post(self, request: Any) -> Response:
            return Response(self.validated_serializer().validated_data)

    class Async(AsyncAPIView):
        serializer_class = Named

        async def post(self, request: Any) -> Response:
            return Response((await self.avalidated_serializer()).validated_data)

    answer = ask(Sync if base is APIView else Async, "POST", {"name": "ada"})
    assert (answer.status, answer.json()) == (400, {"name": ["refused"]})


def test_an_async_name_that_a_serializer_gave_itself_is_kept() -> None:
    class Named(drf.Serializer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.asave = "its own"

    assert restflow.add_async_methods(Named()).asave == "its own"  # type: ignore[comparison-overlap]


async def _title() -> str:
    return "Emma"


_asked = {"title": _title}


class _Book:
    title = property(lambda self: _asked["title"]())  # nothing in its code tells


@pytest.mark.parametrize("base", [drf, restflow])
@pytest.mark.parametrize("make", [_Book, lambda: SimpleNamespace(title=_title())])
def test_a_coroutine_that_nothing_foretold_is_awaited_by_ours_and_never_shown_by_drfs(base: Any, make: Any) -> None:
    class S(base.Serializer):
        title = drf.CharField()

    class View(AsyncAPIView):
        async def get(self, request: Any) -> Response:
            return await self.aserialized_response([make()], many=True, serializer_class=S)

    answer = ask(View, "GET")
    if base is restflow:
        assert answer.json() == [{"title": "Emma"}]
    else:
        assert answer.status == 500


def test_a_serializer_of_drfs_may_hold_itself() -> None:
    class Node(drf.Serializer):
        name = drf.CharField()

    Node._declared_fields["below"] = Node(required=False)

    class View(AsyncAPIView):
        async def get(self, request: Any) -> Response:
            return await self.aserialized_response({"name": "root", "below": {"name": "leaf"}}, serializer_class=Node)

    assert ask(View, "GET").json() == {"name": "root", "below": {"name": "leaf"}}
