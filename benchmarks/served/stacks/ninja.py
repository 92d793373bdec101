"""django-ninja's async operations, with its schemas of the model."""

from typing import Any

from django.http import HttpRequest
from django.urls import path
from ninja import ModelSchema, NinjaAPI, Schema
from ninja.errors import HttpError

from benchmarks import bare
from benchmarks.data import SHOWN, WRITTEN
from benchmarks.models import PostgreSQLBook
from benchmarks.served import work

Books = PostgreSQLBook.objects
api = NinjaAPI(docs_url=None, openapi_url=None)


class Shown(ModelSchema):
    class Meta:
        model = PostgreSQLBook
        fields = SHOWN


class Written(ModelSchema):
    class Meta:
        model = PostgreSQLBook
        fields = WRITTEN


class Made(ModelSchema):
    class Meta:
        model = PostgreSQLBook
        fields = ("id", *WRITTEN)


class Page(Schema):
    count: int
    next: str | None
    previous: str | None
    results: list[Shown]


@api.get("ping/")
async def ping(request: HttpRequest) -> Any:
    return work.PONG


@api.get("fanout/")
async def fanout(request: HttpRequest) -> Any:
    return await work.fanned_out()


@api.get("list20/", response=Page)
async def list20(request: HttpRequest) -> Any:
    count = await Books.acount()
    books = [book async for book in Books.all()[: work.PAGE]]
    return {**bare.page(request, count, ()), "results": books}


@api.get("detail/{int:pk}/", response=Shown)
async def detail(request: HttpRequest, pk: int) -> Any:
    return await Books.aget(pk=pk)


@api.post("create/", response={201: Made})
async def create(request: HttpRequest, data: Written) -> Any:
    if await Books.filter(isbn=data.isbn).aexists():
        raise HttpError(400, "taken")
    return 201, await Books.acreate(**data.dict())


urlpatterns = [path("", api.urls)]
