"""What the tests of ``ActionConfig`` share: viewsets of authors, and requests to each of their actions."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from django.core.signals import got_request_exception
from rest_framework import serializers
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from restflow.views import action
from tests.colours import ASYNC, BASES
from tests.shop.models import Author
from tests.site import Answer, Site, on_loop


class AuthorSerializer(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["id", "name"]


class Named(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["name"]


class Shouted(serializers.ModelSerializer):
    loud = serializers.SerializerMethodField()

    class Meta:
        model = Author
        fields = ["loud"]

    def get_loud(self, author: Any) -> str:
        return f"{author.name}!".upper()


class Renamed(serializers.ModelSerializer):
    title = serializers.CharField(source="name")

    class Meta:
        model = Author
        fields = ["title"]


class Deny(BasePermission):
    message = "denied"

    def has_permission(self, request: Any, view: Any) -> bool:
        return False


class Pages(PageNumberPagination):
    page_size = 2


def urls(viewset: Any) -> list[Any]:
    router = SimpleRouter()
    router.register("authors", viewset, basename="author")
    return router.urls


def send(viewset: Any, method: str, url: str = "/authors/", data: Any = None, **kwargs: Any) -> Answer:
    with Site(urls(viewset)) as site:
        return on_loop(site.asend(method, url, data, **kwargs))


def failure(viewset: Any, method: str, **changes: Any) -> BaseException | None:
    """What a view raised, where its request ended in a 500; ``changes`` come to its class after its routes are made."""
    raised: list[BaseException | None] = []

    def note(**kwargs: Any) -> None:
        raised.append(sys.exception())

    got_request_exception.connect(note)
    try:
        with Site(urls(viewset)) as site:
            for name, value in changes.items():
                setattr(viewset, name, value)
            assert asyncio.run(site.asend(method, "/authors/")).status == 500
    finally:
        got_request_exception.disconnect(note)
    return raised[0]


def viewset_of(base: Any, **attributes: Any) -> Any:
    """A viewset of authors, over the bases of one colour."""
    given = {
        "queryset": Author.objects.order_by("pk"),
        "serializer_class": AuthorSerializer,
        "authentication_classes": [],
        "permission_classes": [],
        "renderer_classes": [JSONRenderer],
    }
    return type("Authors", (base.ModelViewSet,), {**given, **attributes})


ALWAYS = {"permission", "authentication", "throttle", "renderer"}


BODY = {"parser", "request serializer", "response serializer"}


ONE = {"queryset", "filter"}


ASKED = {
    "list": ("GET", "/authors/", None, ALWAYS | ONE | {"pagination", "response serializer"}),
    "retrieve": ("GET", "/authors/1/", None, ALWAYS | ONE | {"response serializer"}),
    "create": ("POST", "/authors/", {"name": "Woolf"}, ALWAYS | BODY),
    "update": ("PUT", "/authors/1/", {"name": "Wilde"}, ALWAYS | BODY | ONE),
    "partial_update": ("PATCH", "/authors/1/", {"name": "Shaw"}, ALWAYS | BODY | ONE),
    "destroy": ("DELETE", "/authors/1/", None, ALWAYS | ONE),
    "metadata": ("OPTIONS", "/authors/1/", None, ALWAYS | ONE),
    "praise": ("POST", "/authors/1/praise/", {"name": "Yeats"}, ALWAYS | BODY | ONE),
    "blame": ("DELETE", "/authors/1/praise/", None, ALWAYS | ONE),
}


def praising(base: Any) -> dict[str, Any]:
    """An extra action, and another under the same URL, that use what the view gives."""

    async def praise(self: Any, request: Any, pk: Any = None) -> Response:
        await self.aget_object()
        serializer = await self.avalidated_serializer()
        return await self.aserialized_response(Author(pk=1, **serializer.validated_data))

    def sync_praise(self: Any, request: Any, pk: Any = None) -> Response:
        self.get_object()
        serializer = self.validated_serializer()
        return self.serialized_response(Author(pk=1, **serializer.validated_data))

    def blame(self: Any, request: Any, pk: Any = None) -> Response:
        self.get_object()
        return Response(status=204)

    sync_praise.__name__ = "praise"
    extra: Any = action(detail=True, methods=["post"])(praise if base is BASES[ASYNC] else sync_praise)
    return {"praise": extra, "blame": extra.mapping.delete(blame)}
