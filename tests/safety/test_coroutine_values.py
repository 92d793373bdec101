"""What DRF would take for a value, though it is a coroutine, is awaited or refused by name."""

from __future__ import annotations

import contextlib
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.db.models import DO_NOTHING, ForeignKey, Model
from django.utils.functional import SimpleLazyObject
from rest_framework import parsers, renderers, throttling, versioning
from rest_framework import serializers as drf_serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import DjangoModelPermissions, IsAuthenticated
from rest_framework.response import Response
from rest_framework.settings import api_settings

from restflow import serializers
from restflow.views import APIView, AsyncAPIView
from tests.safety.support import ask

VIEWS = pytest.mark.parametrize("base", [APIView, AsyncAPIView])


async def coroutine(self: Any, *args: Any, **kwargs: Any) -> Any:
    return None


# Methods of components that DRF's own code calls.


@VIEWS
@pytest.mark.parametrize(
    ("attribute", "component", "method"),
    [
        ("versioning_class", versioning.QueryParameterVersioning, "is_allowed_version"),
        ("throttle_classes", throttling.UserRateThrottle, "get_cache_key"),
        ("throttle_classes", throttling.AnonRateThrottle, "get_ident"),
        ("parser_classes", parsers.JSONParser, "parse"),
        ("renderer_classes", renderers.JSONRenderer, "render"),
        ("permission_classes", DjangoModelPermissions, "get_required_permissions"),
    ],
)
def test_a_component_whose_coroutine_drf_would_take_is_refused_with_its_view(
    base: Any, attribute: str, component: Any, method: str
) -> None:
    mine = type("Mine", (component,), {method: coroutine})
    view = type("View", (base,), {attribute: [mine] if attribute.endswith("classes") else mine})
    with pytest.raises(TypeError, match=rf"Mine\.{method} is async, and DRF's own code calls it"):
        view.as_view()


@VIEWS
@pytest.mark.parametrize(
    ("getter", "component", "method"),
    [
        (
            "get_throttles",
            type("Mine", (throttling.UserRateThrottle,), {"get_cache_key": coroutine, "rate": "1/s"}),
            "",
        ),
        ("get_parsers", type("Mine", (parsers.JSONParser,), {"parse": coroutine}), "POST"),
        ("get_renderers", type("Mine", (renderers.JSONRenderer,), {"render": coroutine}), ""),
    ],
)
def test_one_that_a_getter_gives_is_refused_when_it_is_asked(
    base: Any, getter: str, component: Any, method: str
) -> None:
    def handler(self: Any, request: Any) -> Response:
        return Response({"data": str(request.data)})

    body = {getter: lambda self: [component()], "get": handler, "post": handler, "authentication_classes": []}
    view = type("View", (base,), body)
    assert ask(view, method or "GET", {} if method else None).status == 500


class OfNoBase:
    """A renderer and parser by what it has, as DRF asks no more of one."""

    media_type = "application/json"
    format = "json"
    charset = "utf-8"
    render = parse = coroutine


@VIEWS
@pytest.mark.parametrize(("attribute", "method"), [("renderer_classes", "render"), ("parser_classes", "parse")])
def test_a_component_needs_no_base_of_drfs_to_be_refused(base: Any, attribute: str, method: str) -> None:
    view = type("View", (base,), {attribute: [OfNoBase]})
    with pytest.raises(TypeError, match=rf"OfNoBase\.{method} is async, and sync code calls it"):
        view.as_view()


@VIEWS
def test_nor_to_be_refused_where_a_getter_gives_it(base: Any) -> None:
    def get(self: Any, request: Any) -> Response:
        return Response("shown")

    view = type("View", (base,), {"get_renderers": lambda self: [OfNoBase()], "get": get})
    with contextlib.suppress(TypeError):  # there is no renderer for the answer either
        assert ask(view).status == 500


class OwnAllowance(throttling.AnonRateThrottle):
    """Its async methods are its own: DRF's code that would call them is overridden."""

    rate = "1/day"

    async def get_cache_key(self, request: Any, view: Any) -> str:  # type: ignore[override]
        return "key"

    async def allow_request(self, request: Any, view: Any) -> bool:  # type: ignore[override]
        return await self.get_cache_key(request, view) != "key"

    def wait(self) -> None:
        return None


@VIEWS
def test_a_component_that_awaits_its_own_methods_is_asked(base: Any) -> None:
    assert ask(type("View", (base,), {"throttle_classes": [OwnAllowance], "authentication_classes": []})).status == 429


# Users.


class Account:
    is_authenticated = True
    is_active = True
    pk = 1


@VIEWS
@pytest.mark.parametrize("name", ["is_authenticated", "has_perms", "is_staff"])
@pytest.mark.parametrize("form", [property, lambda function: function])
def test_a_user_whose_coroutine_a_permission_would_take_for_a_yes_is_refused(base: Any, name: str, form: Any) -> None:
    user = type("User", (Account,), {name: form(coroutine)})

    class Authentication(BaseAuthentication):
        def authenticate(self, request: Any) -> Any:
            return user(), None

    class View(base):  # type: ignore[misc]
        authentication_classes = [Authentication]
        permission_classes = [IsAuthenticated]

        def get(self, request: Any) -> Response:
            return Response("let in")

    assert ask(View).status == 500


class AsyncAccount(Account):
    is_authenticated = property(coroutine)


class Lazy(BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        user = SimpleLazyObject(AsyncAccount)
        assert user.pk  # which evaluates it
        return user, None


def set_user(self: Any, request: Any) -> None:
    request.user = AsyncAccount()


@VIEWS
@pytest.mark.parametrize("body", [{"authentication_classes": [Lazy]}, {"perform_authentication": set_user}, {}])
def test_so_is_one_that_came_another_way(base: Any, body: Any) -> None:
    def get(self: Any, request: Any) -> Response:
        return Response("let in")

    view = type("View", (base,), {"permission_classes": [IsAuthenticated], "get": get, **body})
    with mock.patch.object(api_settings, "UNAUTHENTICATED_USER", AsyncAccount):
        assert ask(view).status == 500


@VIEWS
def test_a_coroutine_for_a_user_is_refused(base: Any) -> None:
    class Authentication(BaseAuthentication):
        def authenticate(self, request: Any) -> Any:
            return self.find(), None

        async def find(self) -> Any:
            return Account()

    view = type("View", (base,), {"authentication_classes": [Authentication]})
    assert ask(view).status == 500


# Sources of serializers' fields.


class Owner:
    async def locked(self) -> bool:
        return False

    @property
    async def name(self) -> str:
        return "Austen"


class Described:
    """As the decorators of other packages stand in a class."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __get__(self, book: Any, owner: type) -> Any:
        return self if book is None else self.function(book)


class Book:
    def __init__(self) -> None:
        self.owner = Owner()

    async def locked(self) -> bool:
        return False

    def handed_on(self) -> Any:
        return self.locked()

    @property
    def read(self) -> Any:
        return self.locked()

    described = Described(locked)

    @property
    async def title(self) -> str:
        return "Emma"

    async def current(self) -> Owner:
        return self.owner


def fields_of(module: Any, name: str) -> Any:
    fields = {
        "method": module.BooleanField(source="locked"),
        "property": module.CharField(source="title"),
        "read only": module.ReadOnlyField(source="locked"),
        "further": module.BooleanField(source="owner.locked"),
        "further property": module.CharField(source="owner.name"),
        "through": module.CharField(source="current.name"),
        "handed on by a method": module.BooleanField(source="handed_on"),
        "handed on by a property": module.CharField(source="read"),
        "a descriptor": module.BooleanField(source="described"),
    }
    return type("Shown", (module.Serializer,), {"value": fields[name]})


VALUES = {
    "method": False,
    "property": "Emma",
    "read only": False,
    "further": False,
    "further property": "Austen",
    "through": "Austen",
    "handed on by a method": False,
    "handed on by a property": "False",
    "a descriptor": False,
}


class Show(AsyncAPIView):
    many = False
    authentication_classes: Any = []

    async def get(self, request: Any) -> Response:
        shown = [Book(), Book()] if self.many else Book()
        return await self.aserialized_response(shown, many=self.many)


class ShowSync(APIView):
    many = False
    authentication_classes: Any = []

    def get(self, request: Any) -> Response:
        return self.serialized_response([Book(), Book()] if self.many else Book(), many=self.many)


@pytest.mark.parametrize("view", [Show, ShowSync])
@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("name", VALUES)
def test_an_async_source_is_awaited_by_a_serializer_of_ours_and_refused_by_drfs(
    view: Any, many: bool, name: str
) -> None:
    def answer(module: Any) -> Any:
        return ask(type("View", (view,), {"serializer_class": fields_of(module, name), "many": many}))

    one = {"value": VALUES[name]}
    assert answer(serializers).json() == ([one, one] if many else one)
    assert answer(drf_serializers).status == 500


class Writer(User):
    class Meta:
        app_label = "shop"
        managed = False
        proxy = True

    async def full(self) -> str:
        return self.signature  # type: ignore[attr-defined,no-any-return]  # which none has

    def full_in_sync(self) -> str:
        return self.signature  # type: ignore[attr-defined,no-any-return]


class Essay(Model):
    writer = ForeignKey(Writer, null=True, on_delete=DO_NOTHING)

    class Meta:
        app_label = "shop"
        managed = False


MISSING: dict[str, Any] = {
    "no option": {},
    "allow_null": {"allow_null": True, "read_only": True},
    "default": {"default": "nobody"},
    "not required": {"required": False},
    "required": {"required": True},
}


@pytest.mark.parametrize("essay", [Essay(), Essay(writer=Writer()), Essay(writer_id=9)], ids=["none", "some", "gone"])
@pytest.mark.parametrize("options", MISSING.values(), ids=MISSING)
@pytest.mark.django_db
def test_where_a_path_ends_too_soon_a_field_gives_what_it_gives_for_sync_code(essay: Any, options: Any) -> None:
    def outcome(source: str) -> Any:
        fields = {"full": serializers.CharField(source=f"writer.{source}", **options)}
        try:
            return type("Shown", (serializers.Serializer,), fields)(essay).data
        except Exception as error:
            return type(error)

    assert outcome("full") == outcome("full_in_sync")


def test_a_list_of_several_classes_has_each_awaited() -> None:
    class Shelf:
        locked = True

    class View(Show):
        serializer_class = fields_of(serializers, "method")

        async def get(self, request: Any) -> Response:
            return await self.aserialized_response([Shelf(), Book(), Shelf()], many=True)

    assert [one["value"] for one in ask(View).json()] == [True, False, True]


# Initial values.


@pytest.mark.parametrize("base", [ShowSync, Show])
def test_an_async_initial_value_that_comes_late_is_no_text_in_a_form(base: Any) -> None:
    async def initial() -> str:
        return "Emma"

    class Titled(serializers.Serializer[Any]):
        title = serializers.CharField()

        def get_initial(self) -> Any:
            self.fields["title"].initial = initial
            return super().get_initial()

    class View(base):  # type: ignore[misc]
        serializer_class = Titled
        renderer_classes = [renderers.BrowsableAPIRenderer]

        def get(self, request: Any) -> Response:
            return Response("shown")

        def post(self, request: Any) -> Response:
            return Response("posted")

    answer = ask(View)
    assert (answer.status, b'value="Emma"' in answer.body) in {(500, False), (200, True)}
    assert b"coroutine" not in answer.body


@pytest.mark.parametrize("late", [False, True])
def test_our_serializers_give_it_however_often_they_are_asked(late: bool) -> None:
    async def initial() -> str:
        return "Emma"

    class Titled(serializers.Serializer[Any]):
        title = serializers.CharField()

        def get_initial(self) -> Any:
            if late:
                self.fields["title"].initial = initial
            return super().get_initial()

    serializer = Titled()
    serializer.fields["title"].initial = initial
    assert [serializer.get_initial() for _ in range(3)] == [{"title": "Emma"}] * 3


def test_an_override_that_only_knows_of_async_code_is_left_alone() -> None:
    async def initial() -> str:
        return "Emma"

    class Titled(drf_serializers.Serializer[Any]):
        title = drf_serializers.CharField(initial="Persuasion")

        def get_initial(self) -> Any:
            return {**super().get_initial(), "known": str(bool(initial))}

    serializer: Any = serializers.add_async_methods(Titled())
    assert serializer.get_initial() == {"title": "Persuasion", "known": "True"}
