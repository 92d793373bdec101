"""What a checker knows of a generic view that is told its model, and of one that is not."""

from __future__ import annotations

from typing import Any, assert_type

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from restflow import generics, serializers, viewsets
from restflow.serializers import AsyncSerializer
from restflow.views import action
from tests.shop.models import Author


class AuthorSerializer(serializers.ModelSerializer[Author]):
    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride]  # DRF's stubs declare one
        model = Author
        fields = ["id", "name"]


class Authors(viewsets.AsyncModelViewSet[Author]):
    queryset = Author.objects.all()
    serializer_class = AuthorSerializer

    async def aget_queryset(self) -> QuerySet[Author]:
        return (await super().aget_queryset()).filter(name="")

    async def aget_object(self) -> Author:
        author = await super().aget_object()
        return assert_type(author, Author)

    async def aperform_create(self, serializer: AsyncSerializer[Author]) -> None:
        assert_type(await serializer.asave(), Author)

    @action(detail=True)
    async def shout(self, request: Request, pk: int) -> Response:
        assert_type(await self.aget_queryset(), QuerySet[Author])
        assert_type(self.get_object(), Author)
        author = await (await self.avalidated_serializer()).asave()
        assert_type(author, Author)
        assert_type(self.validated_serializer().save(), Author)
        return await self.aserialized_response(await self.aget_object())


class Names(generics.AsyncRetrieveUpdateAPIView[Author]):
    queryset = Author.objects.all()
    serializer_class = AuthorSerializer


class SyncNames(generics.ListCreateAPIView[Author]):
    queryset = Author.objects.all()
    serializer_class = AuthorSerializer

    def perform_create(self, serializer: Any) -> None:
        assert_type(self.get_object(), Author)


class Unnamed(viewsets.AsyncReadOnlyModelViewSet):
    """A generic class without its model is of any; strict checkers ask for none."""

    async def retrieve(self, request: Request, pk: int) -> Response:
        assert_type(await self.aget_object(), Any)
        return await self.aserialized_response(await self.aget_object())


async def names(view: Names, sync_view: SyncNames, serializer: AuthorSerializer) -> None:
    assert_type(await view.aget_object(), Author)
    assert_type(sync_view.get_object(), Author)
    assert_type(sync_view.get_queryset(), QuerySet[Author])
    assert_type(await serializer.asave(), Author)
    assert_type(await serializer.acreate({}), Author)
