"""Serializers that show which of them was taken, and in which context; and how a view is asked."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response

from tests.site import Site


class Name(serializers.Serializer):
    name = serializers.CharField()


class Shout(serializers.BaseSerializer):
    """Gives what it is given, and the mark of its class."""

    mark = "!"

    def to_internal_value(self, data: Any) -> Any:
        return f"{data}{self.mark}"

    def to_representation(self, instance: Any) -> Any:
        return f"{instance}{self.mark}"


class Ask(Shout):
    mark = "?"


class Whisper(Shout):
    mark = "..."


class ShowContext(serializers.BaseSerializer):
    def to_internal_value(self, data: Any) -> Any:
        return self.to_representation(data)

    def to_representation(self, instance: Any) -> Any:
        context = {name: value for name, value in self.context.items() if name not in {"request", "view"}}
        return {
            **context,
            "request": self.context["request"] is self.context["view"].request,
            "view": type(self.context["view"]).__name__,
        }


class PageOfTwo(PageNumberPagination):
    page_size = 2


class Found(serializers.BaseSerializer):
    """Shows what a PostFetch attached."""

    def to_representation(self, instance: Any) -> Any:
        book = instance["book"] if isinstance(instance, dict) else instance.book
        return book and book["title"]


def served(view: Any, method: str = "GET", data: Any = None, url: str = "/") -> Any:
    with Site({"": view.as_view()}) as site:
        return site.send(method, url, data)


def shown(given: Any) -> Any:
    """The response of a handler: a helper's own, or the data of a serializer."""
    if isinstance(given, Response):
        return given
    return Response(given.validated_data if hasattr(given, "_validated_data") else given.data)


THREE = {"serializer_class": Shout, "request_serializer_class": Ask, "response_serializer_class": Whisper}
