"""What packages that are not installed here do to views, as small copies of it, with restflow's views."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import pytest
from django.db import router, transaction
from django.http import HttpResponse
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from tests.colours import ASYNC, BASES
from tests.parity.harness import Ask
from tests.shop.models import Author
from tests.site import Site
from tests.thirdparty.support import same

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


def authors_over(bases: Any, *mixins: type, **attributes: Any) -> list[Any]:
    class AuthorSerializer(bases.ModelSerializer):
        class Meta:
            model = Author
            fields = ["id", "name"]

    class Authors(*mixins, bases.ModelViewSet):  # type: ignore[misc]
        queryset = Author.objects.order_by("pk")
        serializer_class = AuthorSerializer

        @action(detail=True, methods=["post"])
        def praise(self, request: Any, pk: str) -> Response:
            return Response(f"praised {pk}")

        @action(detail=False, methods=["post"])
        def shuffle(self, request: Any) -> Response:
            return Response("shuffled")

    for name, value in attributes.items():
        setattr(Authors, name, value)
    routes = SimpleRouter()
    routes.register("authors", Authors)
    return list(routes.urls)


def populate() -> None:
    Author.objects.bulk_create([Author(name="Austen"), Author(name="Eliot")])


stack: ContextVar[tuple[str, ...]] = ContextVar("stack", default=())


@contextmanager
def revision(by: str) -> Any:
    token = stack.set((*stack.get(), by))
    try:
        with transaction.atomic(using=router.db_for_write(Author)):
            yield
    finally:
        stack.reset(token)


class RevisionMixin:
    """Wraps ``dispatch`` where the view is made, as django-reversion's."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dispatch = self.dispatch  # type: ignore[has-type]

        def in_a_revision(request: Any, *args: Any, **kwargs: Any) -> Any:
            with revision(request.method):
                response = dispatch(request, *args, **kwargs)
                response["X-Seen"] = str(response.status_code)
                return response

        self.dispatch = in_a_revision

    def perform_create(self, serializer: Any) -> None:
        serializer.save(name=f"{serializer.validated_data['name']} {stack.get()}")
        if serializer.validated_data["name"] == "Joyce":
            raise ValueError("not saved")


def test_a_dispatch_wrapped_where_the_view_is_made_encloses_the_whole_request(database: str) -> None:
    asks = [
        (201, Ask("POST", "/authors/", {"name": "Woolf"})),
        (500, Ask("POST", "/authors/", {"name": "Joyce"})),
        (400, Ask("POST", "/authors/", {"name": ""})),
        (200, Ask("GET", "/authors/")),
    ]
    answers = same(lambda bases: authors_over(bases, RevisionMixin), [ask for _, ask in asks], database)
    assert [answer.status for answer in answers] == [status for status, _ in asks]
    assert [author["name"] for author in answers[-1].json()] == ["Woolf ('POST',)"]
    assert answers[0].header["X-Seen"] == "201"


class AutoPermissionMixin:
    """Decides in ``initial`` by the action and what is known of its handler, as that of rules."""

    permissions = {"list": None, "retrieve": None, "praise": "Austen", "shuffle": None, "destroy": "Eliot"}

    def initial(self: Any, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        handler = getattr(self, self.request.method.lower(), None)
        if handler is None:
            return
        wanted = self.permissions[self.action]
        is_extra = handler.__func__ in self.get_extra_actions()
        is_of_one = handler.detail if is_extra else self.action not in {"list", "create"}
        if wanted and is_of_one and self.get_object().name != wanted:
            raise PermissionDenied(f"{wanted} only")


def test_an_initial_that_looks_at_the_handler_finds_what_drf_has_there(database: str) -> None:
    asks = [
        (200, Ask("GET", "/authors/1/")),
        (200, Ask("POST", "/authors/1/praise/")),
        (403, Ask("POST", "/authors/2/praise/")),
        (404, Ask("POST", "/authors/3/praise/")),
        (200, Ask("POST", "/authors/shuffle/")),
        (405, Ask("PUT", "/authors/shuffle/")),
        (500, Ask("POST", "/authors/", {"name": "Woolf"})),
        (403, Ask("DELETE", "/authors/1/")),
        (204, Ask("DELETE", "/authors/2/")),
        (200, Ask("GET", "/authors/")),
    ]
    answers = same(lambda bases: authors_over(bases, AutoPermissionMixin), [ask for _, ask in asks], database, populate)
    assert [answer.status for answer in answers] == [status for status, _ in asks]
    assert [author["name"] for author in answers[-1].json()] == ["Austen"]


def cached(function: Any, kept: dict[str, Any]) -> Any:
    """Renders the response of an action, keeps what it came to and gives it again, as that of drf-extensions."""

    @wraps(function)
    def wrapper(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        key = f"{request.get_full_path()} {request.accepted_media_type}"
        if key in kept:
            content, headers = kept[key]
            return HttpResponse(content, headers=headers)
        response = function(self, request, *args, **kwargs)
        response = self.finalize_response(request, response, *args, **kwargs)
        response.render()
        kept[key] = response.rendered_content, dict(response.items())
        return response

    return wrapper


def test_an_action_may_render_its_response_and_keep_it(database: str) -> None:
    def urls(bases: Any) -> list[Any]:
        kept: dict[str, Any] = {}

        class Cached:
            def list(self, request: Any, *args: Any, **kwargs: Any) -> Any:
                return super().list(request, *args, **kwargs)  # type: ignore[misc]

        return authors_over(bases, type("CachedList", (Cached,), {"list": cached(Cached.list, kept)}))

    html = {"accept": "text/html"}
    asks = [
        Ask("GET", "/authors/"),
        Ask("GET", "/authors/", headers=html),
        Ask("POST", "/authors/", {"name": "Woolf"}),
        Ask("GET", "/authors/"),
        Ask("GET", "/authors/?again"),
        Ask("HEAD", "/authors/"),
        Ask("GET", "/authors/", headers=html),
    ]
    answers = same(urls, asks, database, populate)
    assert [len(answers[place].json()) for place in (0, 3, 4)] == [2, 2, 3]


def test_around_an_async_action_a_sync_decorator_that_touches_the_response_fails() -> None:
    dropped: list[Any] = []

    async def names(self: Any, request: Any) -> Response:
        return Response([author.name async for author in Author.objects.order_by("pk")])

    @wraps(names)
    def kept(self: Any, request: Any) -> Any:
        dropped.append(names(self, request))
        return dropped[-1]

    populate()
    with Site(authors_over(BASES[ASYNC], list=names)) as site:
        assert site.send("GET", "/authors/").json() == ["Austen", "Eliot"]
    with Site(authors_over(BASES[ASYNC], list=cached(kept, {}))) as site:
        assert site.send("GET", "/authors/").status == 500
    dropped.pop().close()
    assert not dropped
