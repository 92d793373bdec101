"""Serializers with async hooks in requests: hops, requests at once, cancellation, contexts, errors."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.http import Http404
from rest_framework import exceptions
from rest_framework import serializers as drf
from rest_framework.response import Response
from rest_framework.views import APIView as DRFAPIView

from restflow import serializers as restflow
from restflow.views import AsyncAPIView, AsyncCreateAPIView, AsyncListAPIView
from tests.safety.support import ask, here
from tests.safety.test_cancellation import Trace, leave
from tests.serializers.support import either_family
from tests.shop.models import Author, Book
from tests.site import Site


def books(m: Any) -> Any:
    class Books(m.ModelSerializer):
        class Meta:
            model = Book
            fields = ["title", "author"]

    return Books


def checked(m: Any) -> Any:
    class Checked(books(m)):
        length = drf.SerializerMethodField()

        class Meta:
            model = Book
            fields = ["title", "author", "length"]

        async def validate_title(self, value: str) -> str:
            assert await Author.objects.acount() == 1
            return value

        async def validate(self, attrs: Any) -> Any:
            return attrs

        async def get_length(self, obj: Any) -> int:
            return len(obj.title)

    return Checked


@pytest.mark.parametrize("serializer", [books(drf), books(restflow), checked(restflow)])
def test_a_generic_view_goes_to_the_thread_once(serializer: Any, author: Author) -> None:
    class View(AsyncListAPIView, AsyncCreateAPIView):
        serializer_class = serializer
        queryset = Book.objects.all()

    with Site({"x/": View.as_view()}) as site:
        made = site.send("POST", "/x/", {"title": "Emma", "author": author.pk})
        shown = site.send("GET", "/x/")
    assert (made.status, made.json()["title"], made.hops) == (201, "Emma", 1)
    assert (shown.status, shown.json()[0]["title"], shown.hops) == (200, "Emma", 1)


@either_family
def test_an_async_handler_goes_to_the_thread_once_a_call(m: Any, author: Author) -> None:
    class View(AsyncAPIView):
        serializer_class = books(m)

        async def post(self, request: Any) -> Response:
            serializer = await self.avalidated_serializer()
            await serializer.asave()
            return Response(await serializer.adata)

    with Site({"x/": View.as_view()}) as site:
        answer = site.send("POST", "/x/", {"title": "Emma", "author": author.pk})
    assert (answer.status, answer.hops) == (200, 3)


class Together(restflow.Serializer):
    n = drf.IntegerField()

    async def validate_n(self, value: int) -> int:
        # All requests stand here before the first goes on.
        self.context["waiting"].append(value)
        while len(self.context["waiting"]) < 5:  # noqa: ASYNC110 - other requests count
            await asyncio.sleep(0.001)
        return value

    async def validate(self, attrs: Any) -> Any:
        await asyncio.sleep(0.001 * (5 - attrs["n"]))
        return {**attrs, "seen": self.initial_data["n"]}

    async def create(self, validated_data: Any) -> Any:
        return validated_data

    async def to_representation(self, instance: Any) -> Any:
        return {**instance, "mine": self.initial_data["n"]}


def test_requests_at_once_share_nothing() -> None:
    waiting: list[int] = []

    class View(AsyncAPIView):
        serializer_class = Together

        def get_context(self) -> Any:
            return {**super().get_context(), "waiting": waiting}

        async def post(self, request: Any) -> Response:
            serializer = await self.avalidated_serializer()
            await serializer.asave()
            return Response(await serializer.adata)

    async def main(site: Site) -> Any:
        return await asyncio.gather(*[site.asend("POST", "/x/", {"n": n}) for n in range(5)])

    with Site({"x/": View.as_view()}) as site:
        got = asyncio.run(main(site))
    assert [answer.json() for answer in got] == [{"n": n, "seen": n, "mine": n} for n in range(5)]


@pytest.mark.parametrize("how", ["disconnect", "cancel"])
def test_a_request_is_cancelled_in_an_async_validator(how: str) -> None:
    trace = Trace()

    async def query(value: int) -> None:
        assert await sync_to_async(here)() == "thread"  # as the async ORM does

    async def stand(value: int) -> None:
        await trace.forever("validator")

    class S(restflow.Serializer):
        n = drf.IntegerField(validators=[query, stand])

        async def validate(self, attrs: Any) -> Any:
            trace.note("went on")
            return attrs

    class View(AsyncAPIView):
        async def get(self, request: Any) -> Response:
            try:
                await self.avalidated_serializer(serializer_class=S, data={"n": 1})
            finally:
                trace.note("handler finally")
            return Response({})

    assert leave(View, trace, how) == ["validator cancelled on the loop", "validator finally", "handler finally"]


def test_a_context_variable_set_in_an_async_hook_is_seen_afterwards() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    class S(restflow.Serializer):
        n = drf.IntegerField()
        seen = drf.SerializerMethodField()

        async def validate_n(self, value: int) -> int:
            assert variable.get() == "handler"
            variable.set("validate_n")
            return value

        def validate(self, attrs: Any) -> Any:
            assert (variable.get(), here()) == ("validate_n", "thread")
            variable.set("validate")
            return attrs

        async def create(self, validated_data: Any) -> Any:
            assert variable.get() == "validate"
            variable.set("create")
            return validated_data

        async def get_seen(self, obj: Any) -> str:
            return variable.get()

    class View(AsyncAPIView):
        serializer_class = S

        async def post(self, request: Any) -> Response:
            variable.set("handler")
            serializer = await self.avalidated_serializer()
            await serializer.asave()
            return Response([await serializer.adata, variable.get()])

    assert ask(View, "POST", {"n": 1}).json() == [{"n": 1, "seen": "create"}, "create"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (drf.ValidationError({"n": ["bad"]}), 400),
        (exceptions.PermissionDenied("no"), 403),
        (exceptions.Throttled(3), 429),
        (Http404(), 404),
        (ZeroDivisionError(), 500),
    ],
)
def test_what_an_async_hook_raises_is_answered_as_drf_does(error: Exception, status: int) -> None:
    def make(m: Any, *, is_async: bool) -> Any:
        def refuse(self: Any, value: Any) -> None:
            raise error

        async def arefuse(self: Any, value: Any) -> None:
            raise error

        namespace = {"n": drf.IntegerField(), "validate_n": arefuse if is_async else refuse}
        return type("S", (m.Serializer,), namespace)

    class Reference(DRFAPIView):
        def post(self, request: Any) -> Any:
            make(drf, is_async=False)(data=request.data).is_valid(raise_exception=True)

    class View(AsyncAPIView):
        async def post(self, request: Any) -> Any:
            await self.avalidated_serializer(serializer_class=make(restflow, is_async=True))

    expected, got = ask(Reference, "POST", {"n": 1}), ask(View, "POST", {"n": 1})
    assert (got.status, got.body) == (expected.status, expected.body) == (status, got.body)
