"""The section "Helper methods"."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response

from restflow.views import OFF, APIView, AsyncAPIView, PostFetch
from tests.shop.models import Author, Book
from tests.site import Site
from tests.spec.support import HELPERS, User, UserSer, base, view_class


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


def test_every_helper_exists_in_two_flavours() -> None:
    for name in [*HELPERS, "perform_post_fetches"]:
        assert callable(getattr(AsyncAPIView, name))
        assert iscoroutinefunction(getattr(AsyncAPIView, "a" + name))
        ours, theirs = (inspect.signature(getattr(AsyncAPIView, which)) for which in (name, "a" + name))
        assert ours.parameters.keys() == theirs.parameters.keys()


def test_sync_helpers_live_on_apiview_and_are_inherited() -> None:
    for name in HELPERS:
        found = inspect.getattr_static(APIView, name)
        assert inspect.getattr_static(AsyncAPIView, name) is found


def test_async_helpers_live_on_asyncapiview() -> None:
    for name in HELPERS:
        assert hasattr(AsyncAPIView, "a" + name)
        assert not hasattr(APIView, "a" + name)


# --- get_context ----------------------------------------------------------------------------------------------------

EVERY_SERIALIZER = pytest.mark.parametrize(
    ("helper", "arguments", "many"),
    [
        ("get_serializer", (("x",), {}), False),
        ("validated_serializer", ((), {"data": "x"}), False),
        ("serialized_response", (("x",), {}), False),
        ("serialized_response", ((["x"],), {"many": True}), True),
        ("paginated_response", ((["x"],), {}), True),
    ],
)


@EVERY_SERIALIZER
def test_what_get_context_returns_is_every_serializers_context(
    colour: str, helper: str, arguments: Any, many: bool
) -> None:
    def get_context(self: Any) -> Any:
        return {"request": self.request, "view": self, "added": 1}

    view = view_class(
        colour, helper, lambda view: arguments, shown, serializer_class=ShowContext, get_context=get_context
    )
    expected = {"added": 1, "request": True, "view": "View"}
    assert served(view).json() == ([expected] if many else expected)


@EVERY_SERIALIZER
def test_the_context_is_the_request_and_the_view(colour: str, helper: str, arguments: Any, many: bool) -> None:
    view = view_class(colour, helper, lambda view: arguments, shown, serializer_class=ShowContext)
    expected = {"request": True, "view": "View"}
    assert served(view).json() == ([expected] if many else expected)


@pytest.mark.parametrize("written", ["sync", "async"])
def test_an_override_of_get_context_adds_to_it(colour: str, written: str) -> None:
    class View(view_class(colour, "serialized_response", lambda view: (("x",), {}))):  # type: ignore[misc]
        serializer_class = ShowContext

        if written == "sync":

            def get_context(self) -> Any:
                return {**super().get_context(), "organization": "Penguin"}
        else:

            async def get_context(self) -> Any:
                return {**super().get_context(), "organization": "Penguin"}

    assert served(View).json() == {"organization": "Penguin", "request": True, "view": "View"}


# --- the three getters ----------------------------------------------------------------------------------------------

THREE = {"serializer_class": Shout, "request_serializer_class": Ask, "response_serializer_class": Whisper}


@pytest.mark.parametrize(
    ("helper", "arguments", "expected"),
    [
        ("validated_serializer", ((), {"data": "x"}), "x?"),
        ("serialized_response", (("x",), {}), "x..."),
        ("paginated_response", ((["x"],), {}), ["x..."]),
        ("get_serializer", (("x",), {}), "x!"),
    ],
)
@pytest.mark.parametrize("by_getter", [True, False])
def test_the_three_getters_drive_serializer_resolution(
    colour: str, helper: str, arguments: Any, expected: Any, by_getter: bool
) -> None:
    attributes = {f"get_{name}": lambda self, cls=cls: cls for name, cls in THREE.items()} if by_getter else THREE
    view = view_class(colour, helper, lambda view: arguments, shown, **attributes)
    assert served(view).json() == expected


@pytest.mark.parametrize(
    ("direction", "expected"),
    [("request", "x?"), ("response", "x..."), (None, "x!")],
)
def test_a_direction_picks_its_getter(colour: str, direction: str | None, expected: str) -> None:
    view = view_class(colour, "get_serializer", lambda view: (("x",), {"direction": direction}), shown, **THREE)
    assert served(view).json() == expected


@pytest.mark.parametrize(
    ("helper", "arguments", "direction"),
    [
        ("validated_serializer", ((), {"data": "x"}), "request"),
        ("serialized_response", (("x",), {}), "response"),
        ("paginated_response", ((["x"],), {}), "response"),
    ],
)
def test_the_helpers_call_with_their_direction(colour: str, helper: str, arguments: Any, direction: str) -> None:
    told: list[Any] = []

    class View(view_class(colour, helper, lambda view: arguments, shown, **THREE)):  # type: ignore[misc]
        def get_serializer(self, *args: Any, direction: str | None = None, **kwargs: Any) -> Any:
            told.append(direction)
            return super().get_serializer(*args, direction=direction, **kwargs)

    assert served(View).status == 200
    assert told == [direction]


def test_an_override_of_get_serializer_in_drfs_form_is_called(colour: str) -> None:
    told: list[Any] = []

    class View(view_class(colour, "serialized_response", lambda view: (("x",), {}))):  # type: ignore[misc]
        serializer_class = Shout

        def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
            told.append((args, kwargs))
            return Shout(*args, **kwargs)

    assert served(View).json() == "x!"
    assert told == [(("x",), {})]


def test_without_a_direction_get_serializer_class_is_asked(colour: str) -> None:
    view = view_class(
        colour,
        "get_serializer",
        lambda view: (("x",), {}),
        shown,
        **{**THREE, "serializer_class": None, "get_serializer_class": lambda self: Shout},
    )
    assert served(view).json() == "x!"


@pytest.mark.parametrize(
    ("own", "expected"),
    [({"request_serializer_class": Ask}, "x?"), ({}, "x!"), ({"response_serializer_class": Ask}, "x!")],
)
def test_request_input_falls_back_to_get_serializer_class(colour: str, own: Any, expected: str) -> None:
    view = view_class(
        colour,
        "validated_serializer",
        lambda view: ((), {"data": "x"}),
        shown,
        get_serializer_class=lambda self: Shout,
        **own,
    )
    assert served(view).json() == expected


@pytest.mark.parametrize(
    ("own", "expected"),
    [({"response_serializer_class": Ask}, "x?"), ({}, "x!"), ({"request_serializer_class": Ask}, "x!")],
)
def test_response_data_fall_back_to_get_serializer_class(colour: str, own: Any, expected: str) -> None:
    view = view_class(
        colour,
        "serialized_response",
        lambda view: (("x",), {}),
        get_serializer_class=lambda self: Shout,
        **own,
    )
    assert served(view).json() == expected


# --- get_pagination_class -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["sync", "async"])
def test_get_pagination_class_gives_the_class_of_paginated_response(colour: str, written: str) -> None:
    async def aget(self: Any) -> Any:
        return PageOfTwo

    getter = aget if written == "async" else lambda self: PageOfTwo
    view = view_class(
        colour,
        "paginated_response",
        lambda view: (("abc",), {}),
        serializer_class=Shout,
        get_pagination_class=getter,
    )
    assert served(view).json()["results"] == ["a!", "b!"]


@pytest.mark.parametrize("pagination", [PageOfTwo, None])
def test_get_pagination_class_is_by_default_the_attribute(colour: str, pagination: Any) -> None:
    view = view_class(
        colour,
        "get_pagination_class",
        lambda view: ((), {}),
        lambda given: Response([given and given.__name__]),
        pagination_class=pagination,
    )
    assert served(view).json() == [pagination and "PageOfTwo"]


@pytest.mark.django_db(transaction=True)
def test_the_viewset_honours_the_pagination_of_an_actionconfig() -> None:
    from restflow.views import ActionConfig, AsyncReadOnlyModelViewSet

    class View(AsyncReadOnlyModelViewSet):
        queryset = User.objects.all()
        serializer_class = UserSer
        action_configs = {"list": ActionConfig(pagination_class=PageOfTwo)}

    for name in ("emma", "jane", "emily"):
        User.objects.create(username=name)
    with Site({"": View.as_view({"get": "list"})}) as site:
        assert [user["username"] for user in site.send("GET", "/").json()["results"]] == ["emma", "jane"]


# --- get_serializer -------------------------------------------------------------------------------------------------


def test_get_serializer_builds_with_the_requests_context(colour: str) -> None:
    view = view_class(
        colour,
        "get_serializer",
        lambda view: (("x",), {}),
        lambda given: Response([type(given).__name__, given.context["request"].method, given.instance]),
        serializer_class=Shout,
    )
    assert served(view).json() == ["Shout", "GET", "x"]


@pytest.mark.parametrize("attributes", [THREE, {}])
def test_get_serializer_accepts_serializer_class(colour: str, attributes: Any) -> None:
    view = view_class(colour, "get_serializer", lambda view: (("x",), {"serializer_class": Ask}), shown, **attributes)
    assert served(view).json() == "x?"


# --- validated_serializer -------------------------------------------------------------------------------------------


def test_validated_serializer_validates_the_requests_data(colour: str) -> None:
    view = view_class(colour, "validated_serializer", lambda view: ((), {}), shown, request_serializer_class=Name)
    assert served(view, "POST", {"name": "Emma", "more": 1}).json() == {"name": "Emma"}


def test_an_async_ais_valid_is_awaited_and_is_valid_else_run() -> None:
    ran: list[str] = []

    class Both(Name):
        def is_valid(self, *, raise_exception: bool = False) -> bool:
            ran.append("is_valid")
            return super().is_valid(raise_exception=raise_exception)

    class Async(Both):
        async def ais_valid(self, *, raise_exception: bool = False) -> bool:
            ran.append("ais_valid")
            return Name.is_valid(self, raise_exception=raise_exception)

    for colour, cls, expected in [
        ("sync", Both, "is_valid"),
        ("async", Both, "is_valid"),
        ("async", Async, "ais_valid"),
    ]:
        ran.clear()
        view = view_class(colour, "validated_serializer", lambda view: ((), {}), shown, serializer_class=cls)
        assert served(view, "POST", {"name": "Emma"}).json() == {"name": "Emma"}
        assert ran == [expected]
        assert served(view, "POST", {}).status == 400


@pytest.mark.parametrize("handler_is_own", [True, False])
def test_errors_bubble_up_to_the_exception_handler(colour: str, handler_is_own: bool) -> None:
    seen: list[str] = []

    def handler(exc: Exception, context: Any) -> Any:
        seen.append(type(exc).__name__)
        return Response(exc.detail, status=422)  # type: ignore[attr-defined]

    own = {"get_exception_handler": lambda self: handler} if handler_is_own else {}
    view = view_class(colour, "validated_serializer", lambda view: ((), {}), shown, serializer_class=Name, **own)
    answer = served(view, "POST", {})
    assert answer.json() == {"name": ["This field is required."]}
    assert (answer.status, seen) == ((422, ["ValidationError"]) if handler_is_own else (400, []))


def test_data_validates_something_else_than_the_requests_data(colour: str) -> None:
    view = view_class(
        colour,
        "validated_serializer",
        lambda view: ((), {"data": {"name": view.request.query_params["name"]}}),
        shown,
        serializer_class=Name,
    )
    assert served(view, "POST", {"name": "Emma"}, "/?name=Jane").json() == {"name": "Jane"}


# --- serialized_response --------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_serialized_response_wraps_the_data_in_a_response(colour: str) -> None:
    user = User.objects.create(username="emma")
    kinds: list[type] = []
    view = view_class(
        colour,
        "serialized_response",
        lambda view: ((user,), {"status": 201, "headers": {"Location": "/users/1/"}}),
        lambda given: kinds.append(type(given)) or given,
        response_serializer_class=UserSer,
    )
    answer = served(view)
    assert (answer.status, answer.json()) == (201, {"id": user.pk, "username": "emma"})
    assert answer.headers["Location"] == "/users/1/"
    assert issubclass(kinds[0], Response)


def test_many_serializes_a_sequence(colour: str) -> None:
    view = view_class(
        colour, "serialized_response", lambda view: ((["a", "b"],), {"many": True}), serializer_class=Shout
    )
    assert served(view).json() == ["a!", "b!"]


BOOK_OF = {"queryset": Book.objects.all(), "to_attr": "book", "values": ["title"]}


@pytest.fixture
def authors() -> list[Author]:
    found = [Author.objects.create(name=name) for name in ("Austen", "Joyce", "Nobody")]
    for author, title in zip(found, ["Emma", "Ulysses"], strict=False):
        Book.objects.create(title=title, author=author)
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("many", [True, False])
def test_post_fetches_run_before_serialisation(colour: str, many: bool, authors: list[Author]) -> None:
    joined = PostFetch(**BOOK_OF, author_id="pk")
    view = view_class(
        colour,
        "serialized_response",
        lambda view: ((authors if many else authors[0],), {"many": many, "post_fetches": [joined]}),
        serializer_class=Found,
    )
    assert served(view).json() == (["Emma", "Ulysses", None] if many else "Emma")


class Recorded:
    """A join that says which of its names was called, where, and with what."""

    def __init__(self, ran: list[Any], number: int = 0) -> None:
        self.ran = ran
        self.number = number

    def fetch(self, items: Any) -> None:
        self.note("fetch", items)

    def note(self, name: str, items: Any) -> None:
        self.ran.append((name, self.number, list(items), type(items)))
        for item in items:
            item["book"] = {"title": f"{name} {self.number}"}


class AsyncRecorded(Recorded):
    """One with both names in the same class, so that each helper has its own."""

    def fetch(self, items: Any) -> None:
        super().fetch(items)

    async def afetch(self, items: Any) -> None:
        assert threading.current_thread() is threading.main_thread()
        self.note("afetch", items)


@pytest.mark.parametrize(
    ("kind", "colour", "name"),
    [
        (AsyncRecorded, "async", "afetch"),
        (Recorded, "async", "fetch"),
        (Recorded, "sync", "fetch"),
        (AsyncRecorded, "sync", "fetch"),
    ],
)
@pytest.mark.parametrize("helper", ["serialized_response", "paginated_response"])
def test_afetch_is_awaited_when_available(kind: Any, colour: str, name: str, helper: str) -> None:
    ran: list[Any] = []
    view = view_class(
        colour,
        helper,
        lambda view: (([{}],), {"post_fetches": [kind(ran)]} | ({"many": True} if "serialized" in helper else {})),
        serializer_class=Found,
    )
    assert served(view).json() == [f"{name} 0"]
    assert [call[0] for call in ran] == [name]


# --- paginated_response ---------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("paged", [True, False])
def test_paginated_response_serializes_the_page_or_the_query_set(colour: str, paged: bool) -> None:
    users = [User.objects.create(username=name) for name in ("emma", "jane", "emily")]
    view = view_class(
        colour,
        "paginated_response",
        lambda view: ((User.objects.all(),), {}),
        serializer_class=UserSer,
        pagination_class=PageOfTwo if paged else None,
    )
    rows = [{"id": user.pk, "username": user.username} for user in users]
    answer = served(view)
    assert answer.status == 200
    assert answer.json() == (
        {"count": 3, "next": "http://testserver/?page=2", "previous": None, "results": rows[:2]} if paged else rows
    )
    if paged:
        assert served(view, url="/?page=2").json()["results"] == rows[2:]
        assert served(view, url="/?page=3").status == 404


@pytest.mark.parametrize(
    ("at_class", "keyword", "paged"),
    [
        (None, {}, False),
        (None, {"pagination_class": None}, False),
        (None, {"pagination_class": PageOfTwo}, True),
        (PageOfTwo, {}, True),
        (PageOfTwo, {"pagination_class": None}, True),
        (PageOfTwo, {"pagination_class": OFF}, False),
    ],
)
def test_without_a_pagination_class_all_is_serialized(colour: str, at_class: Any, keyword: Any, paged: bool) -> None:
    view = view_class(
        colour,
        "paginated_response",
        lambda view: (("abc",), keyword),
        serializer_class=Shout,
        pagination_class=at_class,
    )
    data = served(view).json()
    assert (data["results"] if paged else data) == ["a!", "b!", "c!"][: 2 if paged else 3]


# --- PostFetch helpers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["perform_post_fetches", "aperform_post_fetches"])
@pytest.mark.parametrize("helper", ["serialized_response", "paginated_response"])
def test_the_two_post_fetch_helpers_back_the_keyword(name: str, helper: str) -> None:
    colour = "async" if name.startswith("a") else "sync"
    asked: list[Any] = []

    def note(items: Any) -> None:
        asked.append(items)

    class View(
        view_class(colour, helper, lambda view: (([{"book": None}],), {"post_fetches": [Recorded([])]} | MANY[helper]))
    ):  # type: ignore[misc]
        serializer_class = Found

        if colour == "sync":

            def perform_post_fetches(self, items: Any, *args: Any, **kwargs: Any) -> Any:
                note(items)
                return super().perform_post_fetches(items, *args, **kwargs)
        else:

            async def aperform_post_fetches(self, items: Any, *args: Any, **kwargs: Any) -> Any:
                note(items)
                return await super().aperform_post_fetches(items, *args, **kwargs)

    assert served(View).json() == ["fetch 0"]
    assert len(asked) == 1


MANY: dict[str, dict[str, Any]] = {"serialized_response": {"many": True}, "paginated_response": {}}


def test_they_iterate_the_joins_and_call_each(colour: str) -> None:
    ran: list[Any] = []
    items = [{"n": 1}, {"n": 2}]
    view = view_class(
        colour,
        "perform_post_fetches",
        lambda view: ((items, [Recorded(ran, 1), AsyncRecorded(ran, 2), Recorded(ran, 3)]), {}),
        Response,
    )
    assert [item["n"] for item in served(view).json()] == [1, 2]
    second = "afetch" if colour == "async" else "fetch"
    assert [call[:2] for call in ran] == [("fetch", 1), (second, 2), ("fetch", 3)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("paged", [True, False])
def test_post_fetches_given_to_a_helper_cost_one_query_each(colour: str, paged: bool, authors: list[Author]) -> None:
    joined = PostFetch(**BOOK_OF, author_id="pk")
    queries: list[int] = []

    class View(base(colour)):  # type: ignore[misc]
        serializer_class = Found
        pagination_class = PageOfTwo if paged else None

        def get(self, request: Any) -> Any:  # a sync handler: the query log is its thread's
            with CaptureQueriesContext(connection) as log:
                response = self.paginated_response(Author.objects.order_by("pk"), post_fetches=[joined, joined])
            queries.append(len(log))
            return response

    data = served(View).json()
    assert (data["results"] if paged else data) == ["Emma", "Ulysses", None][: 2 if paged else 3]
    assert queries == [(2 if paged else 1) + 2]  # the count and the page, and one for each join


@pytest.mark.parametrize("helper", ["perform_post_fetches", "serialized_response"])
def test_a_single_object_is_wrapped_in_a_list_and_unwrapped(colour: str, helper: str) -> None:
    ran: list[Any] = []
    given: list[Any] = []
    item = {"n": 1}
    arguments = {
        "perform_post_fetches": ((item, [Recorded(ran)]), {"many": False}),
        "serialized_response": ((item,), {"post_fetches": [Recorded(ran)]}),
    }[helper]
    view = view_class(
        colour,
        helper,
        lambda view: arguments,
        lambda value: given.append(value) or (value if isinstance(value, Response) else Response(value)),
        serializer_class=Found,
    )
    data = served(view).json()
    assert [(call[2], call[3]) for call in ran] == [([item], list)]
    if helper == "perform_post_fetches":
        assert given == [item]
        assert given[0] is item
    else:
        assert data == "fetch 0"
