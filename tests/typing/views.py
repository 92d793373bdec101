"""What a type checker says of users' views: async handlers, actions and overrides need no ignore."""

from __future__ import annotations

from typing import Any, assert_type

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from restflow.views import OFF, ActionConfig, AsyncListAPIView, AsyncModelViewSet, action, api_view
from tests.shop.models import Author


class AuthorSerializer(serializers.Serializer[Author]):
    name = serializers.CharField()


class Authors(AsyncModelViewSet):
    queryset = Author.objects.all()
    serializer_class = AuthorSerializer
    permission_classes = [IsAuthenticated]
    action_configs = {"list": ActionConfig(pagination_class=OFF)}

    def get_queryset(self) -> QuerySet[Author]:
        return Author.objects.all()

    async def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = await super().list(request, *args, **kwargs)
        return response

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response({})

    async def aperform_create(self, serializer: Any) -> None:
        await serializer.asave(name="")

    def perform_update(self, serializer: Any) -> None:
        serializer.save()

    @action(detail=True)
    async def shout(self, request: Request, pk: int) -> Response:
        serializer = await self.avalidated_serializer(data={})
        assert_type(await serializer.ais_valid(), bool)
        return await self.aserialized_response(await self.aget_object())


class Names(AsyncListAPIView):
    queryset = Author.objects.all()
    serializer_class = AuthorSerializer

    async def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = await self.list(request, *args, **kwargs)
        return response


@api_view(["GET"])
async def ping(request: Request) -> Response:
    return Response({})
