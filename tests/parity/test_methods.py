"""Methods: handlers, HEAD, OPTIONS, and those that are not allowed."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import Http404
from rest_framework import permissions, serializers
from rest_framework.exceptions import APIException
from rest_framework.metadata import BaseMetadata, SimpleMetadata
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from tests.parity.harness import Ask, Parity, limit, table


def echo(base: Any) -> Any:
    class Echo(base):
        """Says what it *was* asked."""

        def get(self, request: Any, **kwargs: Any) -> Response:
            return Response({"method": request.method, "query": request.query_params})

        post = put = patch = delete = get

    return Echo


def empty(base: Any) -> Any:
    class EmptyView(base):
        pass

    return EmptyView


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("make", [echo, empty])
def test_a_method_is_handled_or_refused(parity: Parity, make: Any, method: str) -> None:
    answer = parity(make, method)
    assert answer.status == (
        200 if (make is echo and method not in {"TRACE", "PROPFIND"}) or method == "OPTIONS" else 405
    )
    assert "OPTIONS" in answer.header["Allow"]


def test_a_head_handler_of_its_own_is_called(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(base):
            def get(self, request: Any) -> Response:
                return Response("get")

            def head(self, request: Any) -> Response:
                return Response(status=204, headers={"X-Head": "own"})

        return V

    assert parity(make, "HEAD").header["X-Head"] == "own"


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "PROPFIND"])
def test_http_method_names_limit_the_handlers(parity: Parity, method: str) -> None:
    answer = parity(echo, method, initkwargs={"http_method_names": ["post", "propfind"]})
    assert answer.status == (200 if method == "POST" else 405)
    assert answer.header["Allow"] == "POST"


def test_a_method_name_of_the_views_own_is_handled(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(base):
            http_method_names = [*base.http_method_names, "propfind"]

            def propfind(self, request: Any) -> Response:
                return Response(request.method)

        return V

    assert parity(make, "PROPFIND").body == b'"PROPFIND"'


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_override_of_http_method_not_allowed_answers(parity: Parity, method: str) -> None:
    def make(base: Any) -> Any:
        class V(base):
            def get(self, request: Any) -> Response:
                return Response()

            def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Response:
                return Response({"no": request.method}, status=418)

        return V

    assert parity(make, method).status == (200 if method == "GET" else 418)


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_a_handler_that_is_none(parity: Parity, method: str) -> None:
    def make(base: Any) -> Any:
        return type("V", (echo(base),), {"post": None, "options": None})

    assert parity(make, method).status == 500


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(lambda make: staticmethod(make), id="staticmethod"),
        pytest.param(
            lambda make: type("Callable", (), {"__call__": lambda self, request: make(request)})(), id="object"
        ),
    ],
)
def test_a_handler_may_be_any_callable(parity: Parity, handler: Any) -> None:
    def make(base: Any) -> Any:
        class V(base):
            get = handler(lambda request: Response(request.method))

        return V

    assert parity(make).body == b'"GET"'


def test_a_handler_chosen_at_the_request_is_called(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(base):
            def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
                super().initial(request, *args, **kwargs)
                self.get = lambda request: Response("chosen")

            def get(self, request: Any) -> Response:
                return Response("class")

        return V

    assert parity(make).body == b'"chosen"'


# OPTIONS


class Fields(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=10, help_text="What it is called")
    kind = serializers.ChoiceField(choices=[("a", "A"), ("b", "B")])
    many = serializers.ListField(child=serializers.IntegerField(min_value=1), required=False)
    hidden = serializers.HiddenField(default=1)


class NoPost(permissions.BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return request.method != "POST"


class Nobody(permissions.BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return False


class Documented(SimpleMetadata):
    def determine_metadata(self, request: Any, view: Any) -> Any:
        return {"method": request.method, "view": view.get_view_name(), **super().determine_metadata(request, view)}


class Broken(BaseMetadata):
    def determine_metadata(self, request: Any, view: Any) -> Any:
        raise APIException("no metadata")


def with_serializer(base: Any) -> Any:
    class V(echo(base)):
        serializer_class = Fields

        def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
            return self.serializer_class(*args, **kwargs)

    return V


@pytest.mark.parametrize("make", [echo, empty, with_serializer])
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"metadata_class": None},
        {"metadata_class": SimpleMetadata},
        {"metadata_class": Documented},
        {"metadata_class": BaseMetadata},
        {"metadata_class": Broken},
        {"permission_classes": [NoPost]},
        {"permission_classes": [Nobody]},
        {"permission_classes": [~NoPost | permissions.IsAuthenticated]},
        {"renderer_classes": [JSONRenderer]},
    ],
    ids=lambda attributes: str(attributes).partition(" object at")[0],
)
@table
def test_options_answers_the_metadata(parity: Parity, make: Any, attributes: dict[str, Any]) -> None:
    answer = parity(make, "OPTIONS", initkwargs=attributes)
    assert answer.status in {200, 403, 405, 500}
    if make is with_serializer and "actions" in str(answer.body):
        assert ("POST" in answer.json()["actions"]) is (attributes.get("permission_classes") != [NoPost])
    else:
        assert b"actions" not in answer.body


@pytest.mark.parametrize("raises", ["get_serializer", "get_object"])
def test_options_passes_on_what_the_view_raises(parity: Parity, raises: str) -> None:
    def make(base: Any) -> Any:
        def refuse(self: Any, *args: Any, **kwargs: Any) -> Any:
            raise Http404

        return type("V", (with_serializer(base),), {raises: refuse})

    assert parity(make, "OPTIONS").status == (404 if raises == "get_serializer" else 200)


def test_an_override_of_options_extends_the_metadata(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(echo(base)):
            def options(self, request: Any, *args: Any, **kwargs: Any) -> Any:
                response = super().options(request, *args, **kwargs)
                if hasattr(response, "data"):
                    response.data["extra"] = True
                    return response
                return self.extended(response)

            async def extended(self, response: Any) -> Any:
                response = await response
                response.data["extra"] = True
                return response

        return V

    assert parity(make, "OPTIONS").json()["extra"] is True


@limit("a view with serializer_class alone has get_serializer, so OPTIONS lists actions where DRF's APIView lists none")
def test_options_of_an_apiview_with_serializer_class_alone(parity: Parity) -> None:
    def make(base: Any) -> Any:
        return type("V", (echo(base),), {"serializer_class": Fields})

    assert "actions" not in parity(make, "OPTIONS").json()


def test_a_request_after_another_starts_afresh(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(base):
            def get(self, request: Any) -> Response:
                self.headers["X-Own"] = request.query_params["n"]
                return Response(sorted(set(vars(self)) & {"args", "kwargs", "headers", "response", "format_kwarg"}))

        return V

    answer = parity(make, "GET", "/?n=1", Ask("GET", "/?n=2"))
    assert answer.header["X-Own"] == "2"
    assert "response" not in answer.json()
