"""restflow's paginations: as DRF's over series of pages, in both colours, and one that does not count."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import Callable
from itertools import product
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from asgiref.sync import async_to_sync
from django.db import connections
from django.test.utils import CaptureQueriesContext
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rest_framework import pagination as drf
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView as DRFAPIView

from restflow import pagination
from restflow.views import APIView, AsyncAPIView
from tests.databases import ALIASES
from tests.matrix import each_value, examples, grouped, some
from tests.safety.hooks import COLOURS as WRITTEN
from tests.safety.hooks import written
from tests.safety.support import Refused, here
from tests.shop.models import Author, Book
from tests.site import Answer, Site

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)  # views read in threads of their own


class BookSerializer(serializers.ModelSerializer):
    class Meta:
        model = Book
        fields = ["title", "year"]


def books(using: str, years: list[int]) -> Any:
    author = Author.objects.using(using).create(name="Austen")
    made = [Book(title=f"Book {number:02}", year=year, author=author) for number, year in enumerate(years)]
    Book.objects.using(using).bulk_create(made)
    return Book.objects.using(using).order_by("title")


@pytest.fixture
def queryset(database: str) -> Any:
    """Eleven books, some of the same year."""
    return books(database, [1811, 1813, 1813, 1813, 1813, 1814, 1815, 1815, 1817, 1817, 1818])


Make = Callable[[Any, Any], type]


def over_drf(paginator_class: Any, items: Any) -> type:
    """What DRF's generic views do."""

    class View(DRFAPIView):
        renderer_classes = [JSONRenderer, BrowsableAPIRenderer]

        def get(self, request: Any) -> Response:
            self.paginator = paginator_class()
            page = self.paginator.paginate_queryset(items, request, view=self)
            serializer = BookSerializer(items if page is None else page, many=True)
            return Response(serializer.data) if page is None else self.paginator.get_paginated_response(serializer.data)

    return View


def over_sync(paginator_class: Any, items: Any) -> type:
    class View(APIView):
        renderer_classes = [JSONRenderer, BrowsableAPIRenderer]
        pagination_class = paginator_class

        def get(self, request: Any) -> Response:
            return self.paginated_response(items, serializer_class=BookSerializer)

    return View


def over_async(paginator_class: Any, items: Any) -> type:
    class View(AsyncAPIView):
        renderer_classes = [JSONRenderer, BrowsableAPIRenderer]
        pagination_class = paginator_class

        async def get(self, request: Any) -> Response:
            return await self.apaginated_response(items, serializer_class=BookSerializer)

    return View


MAKERS = {"sync": over_sync, "async": over_async}


# Which database answers makes no difference to a colour.
@pytest.fixture(params=some(product(MAKERS, ALIASES)), ids="-".join)
def colour_and_database(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param


@pytest.fixture
def make(colour_and_database: tuple[str, str]) -> Make:
    return MAKERS[colour_and_database[0]]


@pytest.fixture
def database(colour_and_database: tuple[str, str]) -> str:
    return colour_and_database[1]


class Served:
    """A view over a paginator, asked for one page after the other."""

    def __init__(self, make: Make, paginator_class: Any, items: Any) -> None:
        self.view: Any = make(paginator_class, items)

    def __call__(self, query: str = "", accept: str = "application/json") -> Answer:
        with Site({"books/": self.view.as_view()}) as site:
            return site.send("GET", f"/books/?{query}", headers={"accept": accept})


def seen(answer: Answer) -> Any:
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
    return answer.status, headers, re.sub(rb'csrfToken": "[^"]+', b"", answer.body)


def both(make: Make, name: str, attributes: Any, items: Any) -> tuple[Served, Served]:
    theirs = type("Pages", (getattr(drf, name),), attributes)
    ours = type("Pages", (getattr(pagination, name),), attributes)
    return Served(over_drf, theirs, items), Served(make, ours, items)


HTML = "text/html"
NUMBERED = [
    ({"page_size": 4}, ["", "page=2", "page=3", "page=4", "page=last", "page=0", "page=-1", "page=x", "page=1.0"]),
    ({"page_size": 4}, ["page=", "page=%00", "page=9999999999999999999999", "page_size=2", "a=1&page=2&a=2"]),
    ({"page_size": 4, "page_size_query_param": "n", "max_page_size": 6}, ["n=2", "n=6&page=2", "n=7", "n=0", "n=x"]),
    ({"page_size": 4, "page_query_param": "p", "last_page_strings": ("end",)}, ["p=2", "p=end", "p=last", "page=2"]),
    ({"page_size": None}, ["", "page=2"]),
    ({"page_size": 11}, ["", "page=2"]),
    ({"page_size": 4, "invalid_page_message": "No {page_number}: {message}"}, ["page=5", "page=x"]),
]
LIMITED = [
    ({"default_limit": 4}, ["", "offset=4", "offset=8", "offset=11", "offset=12", "offset=x", "offset=-1"]),
    ({"default_limit": 4, "max_limit": 5}, ["limit=2", "limit=9&offset=3", "limit=0", "limit=x", "limit=3&offset=2"]),
    ({"default_limit": None}, ["", "limit=3"]),
]


@pytest.mark.parametrize(
    ("name", "attributes", "queries"),
    [("PageNumberPagination", *case) for case in NUMBERED] + [("LimitOffsetPagination", *case) for case in LIMITED],
)
def test_pages_are_drfs_to_the_byte(queryset: Any, make: Make, name: str, attributes: Any, queries: Any) -> None:
    for items in (queryset, list(queryset), queryset.filter(year=0)):
        theirs, ours = both(make, name, attributes, items)
        for query in queries:
            assert seen(theirs(query)) == seen(ours(query))
    assert seen(theirs(queries[-1], HTML)) == seen(ours(queries[-1], HTML))


@pytest.mark.parametrize("ordering", ["title", "-year", ("year", "title")])
def test_cursors_lead_forward_and_back_as_drfs_do(queryset: Any, make: Make, ordering: Any) -> None:
    theirs, ours = both(make, "CursorPagination", {"page_size": 2, "ordering": ordering}, queryset)
    for direction in ("next", "previous"):
        query = "" if direction == "next" else query  # noqa: F821 - of the loop before
        for _ in range(8):
            answer = ours(query)
            assert seen(theirs(query)) == seen(answer)
            link = answer.json()[direction]
            if link is None:
                break
            query = link.partition("?")[2]
        else:
            raise AssertionError("the series has no end")
    for query in ("cursor=x", "cursor=", "page_size=3"):
        assert seen(theirs(query)) == seen(ours(query))
    assert seen(theirs("", HTML)) == seen(ours("", HTML))


ATTRIBUTES = {
    "PageNumberPagination": {"page_size": 4},
    "FastPageNumberPagination": {"page_size": 4},
    "LimitOffsetPagination": {"default_limit": 4},
    "CursorPagination": {"page_size": 4, "ordering": "title"},
}
NAMES = list(ATTRIBUTES)
QUERIES = {"PageNumberPagination": 2, "FastPageNumberPagination": 1, "LimitOffsetPagination": 2, "CursorPagination": 1}


def own(name: str, **attributes: Any) -> Any:
    return type("Own", (getattr(pagination, name),), {**ATTRIBUTES[name], **attributes})


@pytest.mark.parametrize("name", NAMES)
def test_a_page_costs_one_hop(queryset: Any, name: str) -> None:
    answer = Served(over_async, own(name), queryset)()
    assert (answer.status, len(answer.json()["results"]), answer.hops) == (200, 4, 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_costs_its_queries_and_no_more(queryset: Any, database: str, name: str) -> None:
    with CaptureQueriesContext(connections[database]) as log:
        page = own(name)().paginate_queryset(queryset, asked(""))
    assert (len(page), len(log)) == (4, QUERIES[name])


# Both names, and both colours

INNER = {
    "PageNumberPagination": ["get_page_size", "get_page_number"],
    "FastPageNumberPagination": ["get_page_size", "get_page_number"],
    "LimitOffsetPagination": ["get_limit", "get_offset", "get_count"],
    "CursorPagination": ["get_page_size", "get_ordering", "decode_cursor", "encode_cursor"],
}
OUTER = ["paginate_queryset", "get_paginated_response", "get_next_link", "get_previous_link"]
HOOKS = [(name, hook) for name in NAMES for hook in [*OUTER, *INNER[name]]]


def refuse(self: Any, *args: Any, **kwargs: Any) -> Any:
    raise Refused


@pytest.mark.parametrize(
    ("named", "cases"), grouped(some(product(HOOKS, WRITTEN, [False, True]), together=2)), ids=map("-".join, HOOKS)
)
def test_an_override_in_any_colour_is_asked(make: Make, named: tuple[str, str], cases: Any) -> None:
    name, hook = named
    queryset = books("default", [1811] * 9)
    for colour, is_mixin in cases:
        attr, method = written(colour, hook, refuse)
        mixed = type("Mixed", (type("Mixin", (), {attr: method}), own(name)), {})
        cls = mixed if is_mixin else own(name, **{attr: method})
        assert Served(make, cls, queryset)().status == 418, colour


@each_value
@pytest.mark.parametrize(
    ("name", "hook", "answer", "titles"),
    [
        ("PageNumberPagination", "get_page_size", 2, ["Book 00", "Book 01"]),
        ("FastPageNumberPagination", "get_page_number", 3, ["Book 08"]),
        ("LimitOffsetPagination", "get_count", 0, []),
        ("LimitOffsetPagination", "get_offset", 8, ["Book 08"]),
        ("CursorPagination", "get_ordering", ("-title",), ["Book 08", "Book 07", "Book 06", "Book 05"]),
    ],
)
@pytest.mark.parametrize("colour", WRITTEN)
def test_what_an_inner_override_answers_is_taken(
    make: Make, name: str, hook: str, answer: Any, titles: list[str], colour: str
) -> None:
    attr, method = written(colour, hook, lambda self, *args: answer)
    found = Served(make, own(name, **{attr: method}), books("default", [1811] * 9))().json()
    assert [book["title"] for book in found["results"]] == titles


@pytest.mark.parametrize("colour", WRITTEN)
@pytest.mark.parametrize("name", NAMES)
def test_overrides_go_on_with_super(make: Make, name: str, colour: str) -> None:
    places = []

    class Sync(own(name)):  # type: ignore[misc]
        def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
            places.append(here())
            return super().paginate_queryset(queryset, request, view=view)[:1]

        def get_paginated_response(self, data: Any) -> Any:
            places.append(here())
            return Response([super().get_paginated_response(data).data])

    class Async(own(name)):  # type: ignore[misc]
        async def apaginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
            places.append(here())
            return (await super().apaginate_queryset(queryset, request, view=view))[:1]

        async def aget_paginated_response(self, data: Any) -> Any:
            places.append(here())
            return Response([(await super().aget_paginated_response(data)).data])

    class UnderDrfsNames(own(name)):  # type: ignore[misc]
        async def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
            places.append(here())
            return (await super().apaginate_queryset(queryset, request, view=view))[:1]

        async def get_paginated_response(self, data: Any) -> Any:
            places.append(here())
            return Response([(await super().aget_paginated_response(data)).data])

    cls = {"sync": Sync, "async": UnderDrfsNames, "a-name": Async}[colour]
    queryset = books("default", [1811] * 9)
    plain = Served(make, own(name), queryset)().json()
    (page,) = Served(make, cls, queryset)().json()
    assert page == {**plain, "results": plain["results"][:1]}
    assert places == [places[0]] * 2
    if make is over_async:
        assert places[0] == ("thread" if colour == "sync" else "loop")


@pytest.mark.parametrize("name", NAMES)
def test_the_twins_answer_a_direct_call(name: str) -> None:
    queryset = books("default", [1811] * 9)
    paginator, twin = own(name)(), own(name)()

    class View(AsyncAPIView):
        async def get(self, request: Any) -> Response:
            page = await twin.apaginate_queryset(queryset, request, view=self)
            return await twin.aget_paginated_response([book.title for book in page])

    page = paginator.paginate_queryset(queryset, asked(""))
    with Site({"books/": View.as_view()}) as site:
        assert (
            site.send("GET", "/books/").json() == paginator.get_paginated_response([book.title for book in page]).data
        )


@pytest.mark.parametrize("name", pagination.__all__)
def test_each_class_is_drfs_of_the_same_name(name: str) -> None:
    assert issubclass(getattr(pagination, name), getattr(drf, name.removeprefix("Fast")))
    assert issubclass(getattr(pagination, name), pagination.BasePagination)


# FastPageNumberPagination


def asked(query: str) -> Any:
    return Request(APIRequestFactory().get(f"/books/?{query}"))


class Numbered(pagination.PageNumberPagination):
    page_size = 3
    page_size_query_param = "n"


class Fast(pagination.FastPageNumberPagination):
    page_size = 3
    page_size_query_param = "n"


def paged(paginator: Any, items: Any, query: str) -> Any:
    try:
        page = paginator.paginate_queryset(items, asked(query))
    except NotFound as error:
        return str(error)
    body = paginator.get_paginated_response(page).data
    return paginator.display_page_controls, {name: value for name, value in body.items() if name != "count"}


anything = st.one_of(st.integers(-2, 12), st.integers(), st.text(max_size=3))


@settings(max_examples=examples(300), deadline=None)
@given(total=st.integers(0, 20), page=st.none() | anything, size=st.none() | anything, other=st.text(max_size=2))
@example(total=6, page=2, size=3, other="")
@example(total=6, page=3, size=3, other="")
@example(total=0, page=1, size=3, other="")
@example(total=0, page=2, size=3, other="")
@example(total=9, page=10**30, size=10**30, other="")
def test_fast_pages_are_those_of_counted_ones(total: int, page: Any, size: Any, other: str) -> None:
    sent = {"page": page, "n": size, "q": other}
    query = urlencode({name: value for name, value in sent.items() if value is not None})
    assert paged(Fast(), range(total), query) == paged(Numbered(), range(total), query)


FAST_QUERIES = ["", "page=2", "page=4", "page=5", "n=11", "n=12", "n=5&page=2", "page=x", "page=0", "n=2&page=6"]


@pytest.mark.parametrize("query", [*FAST_QUERIES, f"page={2**62}", f"page={10**30}", f"n={2**63 - 1}", f"n={10**30}"])
def test_fast_pages_of_query_sets_are_read_by_one_query(queryset: Any, database: str, query: str) -> None:
    with CaptureQueriesContext(connections[database]) as log:
        found = paged(Fast(), queryset, query)
    assert len(log) <= 1
    assert not any("COUNT" in entry["sql"] for entry in log)
    assert found == paged(Numbered(), queryset, query)


def test_fast_pages_beyond_the_last_cost_one_query_too(queryset: Any, database: str) -> None:
    with CaptureQueriesContext(connections[database]) as log:
        assert paged(Fast(), queryset, "page=5") == "Invalid page."
    assert len(log) == 1


def test_fast_pages_have_no_count(queryset: Any, make: Make) -> None:
    served = Served(make, Fast, queryset)
    first, last = served("n=6").json(), served("n=6&page=2").json()
    assert list(first) == list(last) == ["next", "previous", "results"]
    assert first["next"] == "http://testserver/books/?n=6&page=2"
    assert (first["previous"], last["next"], last["previous"]) == (None, None, "http://testserver/books/?n=6")
    assert [len(first["results"]), len(last["results"])] == [6, 5]


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize(("query", "has_next"), [("", True), ("page=3", True), ("page=4", False), ("n=11", False)])
def test_a_fast_paginator_tells_whether_another_page_follows(
    queryset: Any, colour: str, query: str, has_next: bool
) -> None:
    paginator = Fast()
    assert paginator.has_next is False
    if colour == "sync":
        paginator.paginate_queryset(queryset, asked(query))
    else:
        async_to_sync(paginator.apaginate_queryset)(queryset, asked(query))
    assert paginator.has_next is has_next
    assert bool(paginator.get_paginated_response([]).data["next"]) is has_next


def test_a_fast_paginator_that_read_no_page_says_that_none_follows(queryset: Any) -> None:
    paginator = Fast()
    with pytest.raises(NotFound):
        paginator.paginate_queryset(queryset, asked("page=5"))
    assert paginator.has_next is False
    paginator = type("Off", (Fast,), {"page_size": None})()
    assert paginator.paginate_queryset(queryset, asked("")) is None
    assert paginator.has_next is False


def test_a_view_shows_whether_another_page_follows(queryset: Any, make: Make) -> None:
    class Shown(Fast):
        def get_paginated_response(self, data: Any) -> Any:
            return Response({"has_next": self.has_next, "results": data})

    served = Served(make, Shown, queryset)
    assert [served(query).json()["has_next"] for query in ("", "page=4")] == [True, False]


def test_the_last_page_can_not_be_asked_for(queryset: Any, make: Make) -> None:
    answer = Served(make, Fast, queryset)("page=last")
    assert answer.status == 404
    assert answer.json() == {"detail": "The last page is not known: ask for a page by its number."}

    class Own(Fast):
        last_page_strings = ("end",)
        no_last_page_message = "No end."

    assert Served(make, Own, queryset)("page=end").json() == {"detail": "No end."}
    assert Served(make, Own, queryset)("page=last").json() == {"detail": "Invalid page."}


def test_the_attributes_of_page_number_pagination_hold() -> None:
    class Own(Fast):
        page_query_param = "p"
        page_size_query_param = "size"
        max_page_size = 2
        invalid_page_message = "No {page_number}: {message}"

    items = list(range(5))
    _, body = paged(Own(), items, "size=4&p=2")
    assert body["results"] == [2, 3]
    assert body["next"] == "http://testserver/books/?p=3&size=4"
    assert paged(Own(), items, "size=4&p=4") == "No 4: That page contains no results"
    assert type("Off", (Own,), {"page_size": None})().paginate_queryset(items, asked("")) is None


@pytest.mark.parametrize(
    ("query", "links"), [("", ["next"]), ("page=2", ["previous", "next"]), ("page=4", ["previous"])]
)
def test_the_browsable_api_shows_previous_and_next(queryset: Any, make: Make, query: str, links: list[str]) -> None:
    html = Served(make, Fast, queryset)(query, HTML).body.decode()
    (controls,) = re.findall(r'<ul class="pager">.*?</ul>', html, re.S)
    for name, url in (("previous", r"/books/"), ("next", r"/books/\?page=")):
        shown = re.search(rf'<li class="{name}">\s*<a href="http://testserver{url}', controls)
        assert bool(shown) is (name in links)


def test_one_page_shows_no_controls(queryset: Any, make: Make) -> None:
    assert b'class="pager"' not in Served(make, Fast, queryset)("n=11", HTML).body


def test_the_schema_of_a_fast_page_has_no_count() -> None:
    counted, schema = (cls().get_paginated_response_schema({"type": "array"}) for cls in (Numbered, Fast))
    assert schema["required"] == ["results"]
    assert list(schema["properties"]) == ["next", "previous", "results"]
    del counted["properties"]["count"]
    assert schema["properties"] == counted["properties"]
    assert Fast().get_schema_operation_parameters(None) == Numbered().get_schema_operation_parameters(None)


def test_drf_spectacular_documents_a_fast_page() -> None:
    from django.urls import path
    from drf_spectacular import generators, openapi

    class Books(ListAPIView):
        schema = openapi.AutoSchema()
        queryset = Book.objects.all()
        serializer_class = BookSerializer
        pagination_class = Fast

    schema = generators.SchemaGenerator(patterns=[path("books/", Books.as_view())]).get_schema(public=True)
    page = schema["components"]["schemas"]["PaginatedBookList"]
    assert (page["required"], list(page["properties"])) == (["results"], ["next", "previous", "results"])
    names = [parameter["name"] for parameter in schema["paths"]["/books/"]["get"]["parameters"]]
    assert names == ["n", "page"]


@pytest.mark.parametrize(
    ("name", "hook", "attribute"),
    [("PageNumberPagination", "get_page_size", "page_size"), ("LimitOffsetPagination", "get_limit", "default_limit")],
)
def test_a_decorated_async_hook_is_awaited_where_drfs_own_code_asks_it(
    queryset: Any, make: Make, name: str, hook: str, attribute: str
) -> None:
    def decorated(function: Any) -> Any:
        return lambda *args: function(*args)

    async def one(self: Any, request: Any) -> int:
        await asyncio.sleep(0)
        return 1

    pager = type("P", (getattr(pagination, name),), {attribute: 2, hook: decorated(one)})
    assert len(Served(make, pager, queryset)().json()["results"]) == 1


# What a client may send that DRF answers with a 500.


def cursor(position: str) -> str:
    return "cursor=" + quote(b64encode(urlencode({"p": position}).encode()).decode())


@pytest.mark.parametrize(
    ("ordering", "position", "status"),
    [
        ("year", "1813", 200),
        ("year", "x", 404),
        ("year", "18\x0013", 404),
        ("year", "9" * 30, 200),
        ("id", "1.5.5", 404),
        ("title", "Book 03", 200),
    ],
)
def test_a_cursor_at_no_position_is_an_invalid_one(
    queryset: Any, make: Make, ordering: str, position: str, status: int
) -> None:
    cls = type("Own", (pagination.CursorPagination,), {"page_size": 3, "ordering": ordering})
    answer = Served(make, cls, queryset)(cursor(position))
    assert answer.status == status
    assert status == 200 or answer.json() == {"detail": "Invalid cursor"}


def test_a_text_cursor_with_a_nul_is_no_error(queryset: Any, make: Make, database: str) -> None:
    cls = type("Own", (pagination.CursorPagination,), {"page_size": 3, "ordering": "title"})
    assert Served(make, cls, queryset)(cursor("Book\x00")).status == (404 if database == "postgres" else 200)


def test_an_error_that_no_cursor_made_is_raised() -> None:
    class Own(pagination.CursorPagination):
        page_size, ordering = 3, "nothing"

        def get_ordering(self, request: Any, queryset: Any, view: Any) -> Any:
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        Own().paginate_queryset(Book.objects.none(), asked(cursor("1")))


@pytest.mark.parametrize(
    ("query", "status"), [("limit=2", 200), (f"limit={10**18}", 200), (f"limit={2**63}", 400), (f"limit={10**30}", 400)]
)
def test_a_limit_that_no_database_takes_is_invalid(queryset: Any, make: Make, query: str, status: int) -> None:
    cls = type("Own", (pagination.LimitOffsetPagination,), {"default_limit": 3})
    answer = Served(make, cls, queryset)(f"{query}&offset=1")
    assert answer.status == status
    assert status == 200 or answer.json() == {"detail": "Invalid limit."}


def test_a_limit_is_cut_to_the_most_there_is(queryset: Any, make: Make) -> None:
    cls = type("Own", (pagination.LimitOffsetPagination,), {"default_limit": 3, "max_limit": 4})
    assert len(Served(make, cls, queryset)(f"limit={10**30}").json()["results"]) == 4
    off = type("Off", (pagination.LimitOffsetPagination,), {"default_limit": None})
    assert off().paginate_queryset(queryset, asked("")) is None
