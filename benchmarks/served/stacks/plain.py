"""Django alone: plain ``async def`` views, with no serializer."""

from __future__ import annotations

import json

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from benchmarks import bare
from benchmarks.data import WRITTEN
from benchmarks.models import PostgreSQLBook
from benchmarks.served import work

Books = PostgreSQLBook.objects


async def ping(request: HttpRequest) -> JsonResponse:
    return JsonResponse(work.PONG)


async def fanout(request: HttpRequest) -> JsonResponse:
    return JsonResponse(await work.fanned_out())


async def list20(request: HttpRequest) -> JsonResponse:
    count = await Books.acount()
    return JsonResponse(bare.page(request, count, [book async for book in Books.all()[: work.PAGE]]))


async def detail(request: HttpRequest, pk: int) -> JsonResponse:
    return JsonResponse(bare.shown(await Books.aget(pk=pk)))


@csrf_exempt
async def create(request: HttpRequest) -> JsonResponse:
    book = bare.made(PostgreSQLBook, json.loads(request.body))
    if await Books.filter(isbn=book.isbn).aexists():
        return JsonResponse({"isbn": ["taken"]}, status=400)
    await book.asave(force_insert=True)
    return JsonResponse(bare.shown(book, ("id", *WRITTEN)), status=201)


urlpatterns = work.urls(ping, fanout, list20, detail, create)
