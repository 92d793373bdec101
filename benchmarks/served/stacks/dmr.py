"""django-modern-rest's async controllers, with msgspec; its responses are not validated, as in production."""

import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import msgspec
from dmr import APIError, Body, Controller
from dmr.plugins.msgspec import MsgspecSerializer

from benchmarks import bare
from benchmarks.models import PostgreSQLBook
from benchmarks.served import work

Books = PostgreSQLBook.objects


class Written(msgspec.Struct):
    isbn: str
    title: str
    author: str
    pages: int
    price: Decimal
    published: datetime.date


class Made(msgspec.Struct):
    id: int
    isbn: str
    title: str
    author: str
    pages: int
    price: Decimal
    published: datetime.date


class Shown(Made):
    in_print: bool


class Page(msgspec.Struct):
    count: int
    next: str | None
    previous: str | None
    results: list[Shown]


class Ping(Controller[MsgspecSerializer]):
    async def get(self) -> dict[str, str]:
        return work.PONG


class Fanout(Controller[MsgspecSerializer]):
    async def get(self) -> dict[str, Any]:
        return await work.fanned_out()


class List20(Controller[MsgspecSerializer]):
    async def get(self) -> Page:
        count = await Books.acount()
        found = [msgspec.convert(book, Shown, from_attributes=True) async for book in Books.all()[: work.PAGE]]
        return Page(**{**bare.page(self.request, count, ()), "results": found})


class Detail(Controller[MsgspecSerializer]):
    async def get(self) -> Shown:
        return msgspec.convert(await Books.aget(pk=self.kwargs["pk"]), Shown, from_attributes=True)


class Create(Controller[MsgspecSerializer]):
    async def post(self, parsed_body: Body[Written]) -> Made:
        if await Books.filter(isbn=parsed_body.isbn).aexists():
            raise APIError(self.format_error("taken"), status_code=HTTPStatus.BAD_REQUEST)
        book = await Books.acreate(**msgspec.structs.asdict(parsed_body))
        return msgspec.convert(book, Made, from_attributes=True)


urlpatterns = work.urls(Ping.as_view(), Fanout.as_view(), List20.as_view(), Detail.as_view(), Create.as_view())
