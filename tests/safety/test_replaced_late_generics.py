"""A serializer class or a query set that is patched in after a request is used."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from rest_framework import permissions, serializers

from restflow.views import AsyncRetrieveAPIView, RetrieveAPIView
from tests.matrix import each_pair
from tests.safety.support import ask
from tests.shop.models import Author

pytestmark = pytest.mark.usefixtures("each_version")


class AuthorSerializer(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ("id", "name")


class NameOnly(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ("name",)


def by(value: Any, colour: str) -> Any:
    async def asynchronous(self: Any, *args: Any) -> Any:
        return value

    def sync(self: Any, *args: Any) -> Any:
        return value

    return asynchronous if colour == "async" else sync


def details(base: Any, **attributes: Any) -> Any:
    return type("V", (base,), {"queryset": Author.objects.all(), "serializer_class": AuthorSerializer, **attributes})


generic = pytest.mark.parametrize("base", [RetrieveAPIView, AsyncRetrieveAPIView])


@each_pair
@generic
@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize(
    "name", ["get_serializer_class", "get_response_serializer_class", "serializer_class", "response_serializer_class"]
)
@pytest.mark.django_db(transaction=True)
def test_a_serializer_class_that_is_patched_in_after_a_request_represents(base, colour, name, monkeypatch):
    author = Author.objects.create(name="Ada")
    view = details(base)
    send = functools.partial(ask, view, url=f"/x/{author.pk}/")
    assert send().json() == {"id": author.pk, "name": "Ada"}
    with monkeypatch.context() as patch:
        patch.setattr(view, name, by(NameOnly, colour) if name.startswith("get") else NameOnly)
        assert send().json() == {"name": "Ada"}
    assert send().json() == {"id": author.pk, "name": "Ada"}


@each_pair
@generic
@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("name", ["get_queryset", "filter_queryset"])
@pytest.mark.parametrize("where", ["class", "view"])
@pytest.mark.django_db(transaction=True)
def test_a_query_set_that_is_patched_in_after_a_request_hides_rows(base, colour, name, where, monkeypatch):
    author = Author.objects.create(name="Ada")
    view = details(base)
    send = functools.partial(ask, view, url=f"/x/{author.pk}/")
    assert send().status == 200
    nobody = by(Author.objects.none(), colour)
    if where == "class":
        monkeypatch.setattr(view, name, nobody)
    else:

        class Putting(permissions.BasePermission):
            def has_permission(self, request, view):
                setattr(view, name, functools.partial(nobody, view))
                return True

        monkeypatch.setattr(view, "permission_classes", [Putting])
    assert send().status == 404
