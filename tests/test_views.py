"""Views: what as_view refuses, dispatch's corners, and the helpers."""

from __future__ import annotations

import asyncio
from functools import wraps
from typing import Any
from unittest.mock import call

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.test import RequestFactory, override_settings
from django.utils.decorators import method_decorator
from django.utils.functional import SimpleLazyObject
from django.views.decorators.cache import never_cache
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.pagination import PageNumberPagination
from rest_framework.views import exception_handler

from restflow.permissions import BasePermission
from restflow.responses import Response
from restflow.serializers import Serializer
from restflow.views import OFF, APIView, AsyncAPIView
from restflow.views.helpers import MissingSerializer
from tests.safety.support import ask


class Named(serializers.Serializer):
    name = serializers.CharField()
    context_keys = serializers.SerializerMethodField()

    def get_context_keys(self, obj: Any) -> list[str]:
        return sorted(self.context)


class PageOfOne(PageNumberPagination):
    page_size = 1


BOOKS = [{"name": "Emma"}, {"name": "Persuasion"}]

views = pytest.mark.parametrize("base", [APIView, AsyncAPIView], ids=["sync", "async"])


def getting(base: type, helper: str, *args: Any, **kwargs: Any) -> type:
    """A view whose GET answers with a helper, in the colour of the view."""

    def get(self: Any, request: Any) -> Response:
        return getattr(self, helper)(*args, **kwargs)

    async def aget(self: Any, request: Any) -> Response:
        return await getattr(self, f"a{helper}")(*args, **kwargs)

    return type("Books", (base,), {"get": aget if base is AsyncAPIView else get})


# as_view --------------------------------------------------------------------------------------------------------------


def test_async_handlers_of_a_sync_view_are_refused_where_its_url_is_made() -> None:
    class Books(APIView):
        async def get(self, request: Any) -> Response:
            return Response([])

    with pytest.raises(ImproperlyConfigured, match=r"^Books has async handlers\. Derive it from AsyncAPIView\.$"):
        Books.as_view()


def test_a_setup_without_super_is_told_what_it_forgot() -> None:
    class Books(AsyncAPIView):
        def setup(self, request: Any, *args: Any, **kwargs: Any) -> None:
            pass

    with pytest.raises(AttributeError, match=r"^Books instance has no 'request' attribute\. Did you override setup"):
        asyncio.run(Books.as_view()(RequestFactory().get("/")))


# Exceptions -----------------------------------------------------------------------------------------------------------


@views
def test_an_exception_that_nobody_handles_is_raised_where_raise_uncaught_exception_returns(base: type) -> None:
    class Boom(Exception):
        pass

    reported: list[Exception] = []

    def get(self: Any, request: Any) -> Response:
        raise Boom

    def raise_uncaught_exception(self: Any, exc: Exception) -> None:
        reported.append(exc)

    view: Any = type("Books", (base,), {"get": get, "raise_uncaught_exception": raise_uncaught_exception})

    async def request() -> Any:
        response = view.as_view()(RequestFactory().get("/"))
        return await response if base is AsyncAPIView else response

    with pytest.raises(Boom) as caught:
        asyncio.run(request())
    assert reported == [caught.value]


@views
def test_options_without_metadata_are_what_http_method_not_allowed_answers(base: type) -> None:
    def http_method_not_allowed(self: Any, request: Any, *args: Any, **kwargs: Any) -> Response:
        return Response({"try": "GET"}, status=405)

    view = type("Books", (base,), {"metadata_class": None, "http_method_not_allowed": http_method_not_allowed})
    answer = ask(view, "OPTIONS")
    assert (answer.status, answer.json()) == (405, {"try": "GET"})


# Helpers --------------------------------------------------------------------------------------------------------------


def test_off_shows_itself_by_its_name() -> None:
    assert repr(OFF) == "OFF"


@views
@pytest.mark.parametrize("helper", ["validated_serializer", "get_serializer"])
def test_a_helper_without_a_serializer_class_says_what_to_set(base: type, helper: str) -> None:
    caught: list[Exception] = []

    def handle_exception(self: Any, exc: Exception) -> Response:
        caught.append(exc)
        return Response({})

    view = getting(base, helper)
    view.handle_exception = handle_exception  # type: ignore[attr-defined]
    assert ask(view).status == 200
    (error,) = caught
    assert isinstance(error, MissingSerializer)
    assert str(error) == (
        "Books has no serializer class. Set Books.serializer_class, override get_serializer_class(), or pass "
        "serializer_class= to the helper."
    )


@views
def test_a_context_that_is_passed_is_the_serializers_whole_context(base: type) -> None:
    given = getting(base, "serialized_response", BOOKS[0], serializer_class=Named, context={"shelf": 1})
    assert ask(given).json() == {"name": "Emma", "context_keys": ["shelf"]}
    not_given = getting(base, "serialized_response", BOOKS[0], serializer_class=Named)
    assert ask(not_given).json() == {"name": "Emma", "context_keys": ["request", "view"]}


@views
def test_a_page_has_the_headers_and_the_status_it_was_given(base: type) -> None:
    view = getting(
        base,
        "paginated_response",
        BOOKS,
        serializer_class=Named,
        pagination_class=PageOfOne,
        headers={"X-Shelf": "1"},
        status=206,
    )
    answer = ask(view)
    assert (answer.status, answer.headers["X-Shelf"]) == (206, "1")
    assert answer.json()["count"] == 2


# Refused before authentication ----------------------------------------------------------------------------------------


class ByHeader(BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        name = request.headers.get("X-Name")
        return name and (name, None)


async def handler(exc: Exception, context: Any) -> Any:
    response = exception_handler(exc, context)
    response["X-User"] = str(context["request"].user)
    return response


class Finalized(AsyncAPIView):
    async def afinalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = await super().afinalize_response(request, response, *args, **kwargs)
        response["X-User"] = str(request.user)
        return response


class Handled(AsyncAPIView):
    async def handle_exception(self, exc: Exception) -> Any:
        response = await super().ahandle_exception(exc)
        response["X-User"] = str(self.request.user)
        return response


class Dispatched(AsyncAPIView):
    async def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        response = await super().dispatch(request, *args, **kwargs)
        response["X-User"] = str(self.request.user)
        return response


class Own(AsyncAPIView):
    def setup(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        finalize = self.afinalize_response

        async def finalized(request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
            response = await finalize(request, response, *args, **kwargs)
            response["X-User"] = str(request.user)
            return response

        self.afinalize_response = finalized  # type: ignore[method-assign]


@pytest.mark.parametrize("headers", [{}, {"x-name": "emma"}], ids=["stranger", "emma"])
@pytest.mark.parametrize("base", [Finalized, Handled, Dispatched, Own, AsyncAPIView])
def test_async_code_after_a_refusal_that_came_before_authentication_knows_the_user(base: type, headers: Any) -> None:
    class View(base):  # type: ignore[misc]
        authentication_classes = [ByHeader]

        async def get(self, request: Any) -> Response:
            return Response([])

    settings = {"EXCEPTION_HANDLER": "tests.test_views.handler"} if base is AsyncAPIView else {}
    with override_settings(REST_FRAMEWORK=settings):
        answer = ask(type("Refused", (View,), {}), headers={"accept": "text/never", **headers})
    assert (answer.status, answer.headers["X-User"]) == (406, headers.get("x-name", "AnonymousUser"))


def test_a_refusal_before_authentication_is_the_answer_whatever_the_credentials_are() -> None:
    class Failing(BaseAuthentication):
        def authenticate(self, request: Any) -> Any:
            raise ValueError("no such key")

    class View(Finalized):
        authentication_classes = [Failing]

        async def afinalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
            return await super(Finalized, self).afinalize_response(request, response, *args, **kwargs)

        async def get(self, request: Any) -> Response:
            return Response([])

    assert ask(View, headers={"accept": "text/never"}).status == 406


# Transactions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "decorate",
    [
        transaction.atomic,
        transaction.atomic(savepoint=False),
        method_decorator(transaction.atomic),
        method_decorator([transaction.atomic]),
    ],
    ids=["plain", "with arguments", "method_decorator", "list"],
)
@pytest.mark.parametrize("base", [AsyncAPIView, BasePermission, Serializer], ids=lambda base: base.__name__)
def test_atomic_around_an_async_method_is_refused_where_the_class_is_made(base: type, decorate: Any) -> None:
    async def create(self: Any, *args: Any) -> None: ...

    with pytest.raises(TypeError, match=r"Books\.create is async, and transaction\.atomic around it would end before"):
        type("Books", (base,), {"create": decorate(create), "__module__": __name__})


def test_atomic_around_a_sync_method_and_other_decorators_around_async_ones_are_fine() -> None:
    def create(self: Any) -> None: ...

    async def get(self: Any) -> None: ...

    @wraps(get)
    def wrapped(self: Any) -> Any:
        return get(later)

    kept = method_decorator(never_cache)(wrapped)
    cls = type("Books", (AsyncAPIView,), {"create": transaction.atomic(create), "get": kept})
    assert vars(cls)["get"] is kept
    later = None  # not there yet when the class is made


def test_what_a_class_holds_is_not_evaluated_when_it_is_made() -> None:
    def evaluated() -> Any:
        raise AssertionError("evaluated where the class is made")

    cls = type("Books", (AsyncAPIView,), {"lazy": SimpleLazyObject(evaluated), "any": call, "__module__": __name__})
    assert vars(cls)["any"] is call
