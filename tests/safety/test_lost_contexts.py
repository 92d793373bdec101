"""A sync context manager around an ``async def`` would end before it runs: refused wherever it is taken into use."""

from __future__ import annotations

import functools
from contextlib import ContextDecorator, contextmanager
from typing import Any

import pytest
import wrapt
from django.db import transaction
from django.utils import timezone, translation
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from rest_framework import permissions, serializers
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

import restflow.permissions
from restflow.views import AsyncAPIView, AsyncModelViewSet, action, api_view
from tests.safety.support import Refused, ask
from tests.shop.models import Author
from tests.site import Site


@contextmanager
def traced() -> Any:
    yield


class Timed(ContextDecorator):
    def __enter__(self) -> None: ...

    def __exit__(self, *exc_info: Any) -> None: ...


class Revision:
    """A context manager that is used as a decorator, without contextlib's class: django-reversion has one."""

    def __enter__(self) -> None: ...

    def __exit__(self, *exc_info: Any) -> None: ...

    def __call__(self, function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return wrapper


CONTEXTS = {
    "django.db.transaction.atomic": transaction.atomic,
    "atomic with arguments": transaction.atomic(savepoint=False),
    "translation.override": translation.override("de"),
    "timezone.override": timezone.override("Europe/Berlin"),
    "a contextmanager": traced(),
    "a ContextDecorator": Timed(),
    "a context manager that decorates": Revision(),
}
contexts = pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
LOST = "would end before it runs"


async def get(self: Any, request: Any, *args: Any, **kwargs: Any) -> Response:
    return Response(translation.get_language())


@contexts
@pytest.mark.parametrize("around", ["body", "method_decorator in the body", "list of decorators"])
def test_in_a_class_it_is_refused_where_the_class_is_made(context: Any, around: str) -> None:
    decorate = {"body": context, "method_decorator in the body": method_decorator(context)}
    body = {"get": decorate.get(around, method_decorator([never_cache, context]))(get)}
    with pytest.raises(TypeError, match=rf"View\.get is async, and \S+ around it {LOST}"):
        type("View", (AsyncAPIView,), {"__module__": __name__, **body})


@contexts
def test_put_around_a_method_later_it_is_refused_by_as_view_and_routers(context: Any) -> None:
    decorated = method_decorator(context, name="get")(type("View", (AsyncAPIView,), {"get": get}))
    patched = type("View", (AsyncAPIView,), {"get": get})
    patched.get = context(patched.get)
    acting = type("View", (AsyncModelViewSet,), {"shout": action(detail=False)(get)})
    acting.shout.__name__ = "shout"
    acting.shout = context(acting.shout)
    for refused in (decorated, patched):
        with pytest.raises(TypeError, match=LOST):
            refused.as_view()
    router = SimpleRouter()
    router.register("authors", acting, basename="author")
    with pytest.raises(TypeError, match=LOST):
        _ = router.urls


@contexts
def test_around_a_function_it_is_refused_by_api_view(context: Any) -> None:
    async def view(request: Any) -> Response:
        return Response()

    with pytest.raises(TypeError, match=LOST):
        api_view(["GET"])(context(view))


async def has_permission(self: Any, request: Any, view: Any) -> bool:
    return True


@pytest.mark.parametrize("package", [permissions, restflow.permissions])
def test_around_a_check_of_a_component_it_is_refused_with_the_view(package: Any) -> None:
    def view() -> Any:
        permission = type("Mine", (package.BasePermission,), {"has_permission": transaction.atomic(has_permission)})
        return type("View", (AsyncAPIView,), {"permission_classes": [permission], "get": get}).as_view()

    with pytest.raises(TypeError, match=LOST):
        view()


@pytest.mark.parametrize("of", ["class", "object"])
def test_around_a_check_that_comes_later_it_is_refused_when_it_is_asked(of: str) -> None:
    class Mine(permissions.BasePermission):
        def __init__(self) -> None:
            if of == "object":
                self.has_permission = translation.override("de")(has_permission)

    class View(AsyncAPIView):
        def get_permissions(self) -> Any:
            if of == "class":
                Mine.has_permission = translation.override("de")(has_permission)  # type: ignore[assignment]
            return [Mine()]

    View.get = get  # type: ignore[attr-defined]
    assert ask(View).status == 500


async def saved(self: Any, *args: Any) -> Any:
    return await Author.objects.acreate(name="Austen")


async def valid(self: Any, attrs: Any) -> Any:
    return attrs


async def checked(value: Any) -> None: ...


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["create", "validate", "validate_name", "validators", "field"])
def test_around_code_of_a_plain_serializer_it_is_refused_when_that_is_used(name: str) -> None:
    async def to_internal_value(self: Any, data: Any) -> Any:
        return data

    converts = {"to_internal_value": transaction.atomic(to_internal_value)} if name == "field" else {}
    field = type("Name", (serializers.CharField,), {"__module__": __name__, **converts})
    validators = [transaction.atomic(checked)] if name == "validators" else []
    body: dict[str, Any] = {"__module__": __name__, "name": field(validators=validators)}
    if name in {"create", "validate", "validate_name"}:
        body[name] = transaction.atomic(saved if name == "create" else valid)

    class View(AsyncAPIView):
        serializer_class = type("Mine", (serializers.Serializer,), body)

        async def post(self, request: Any) -> Response:
            serializer = await self.avalidated_serializer()
            return Response(str(await serializer.asave()))

    assert ask(View, "POST", {"name": "Austen"}).status == 500
    assert not Author.objects.exists()


@pytest.mark.parametrize("context", [translation.override("de"), timezone.override("Europe/Berlin"), Timed()])
def test_around_a_view_in_the_url_conf_it_is_refused_when_the_view_is_asked(context: Any) -> None:
    view = type("View", (AsyncAPIView,), {"get": get}).as_view()
    with Site({"de/": context(view), "plain/": view}) as site:
        assert site.send("GET", "/de/").status == 500
        assert site.send("GET", "/plain/").status == 200


@pytest.mark.django_db
def test_around_sync_code_it_holds() -> None:
    class View(AsyncModelViewSet):
        queryset = Author.objects.all()
        serializer_class = type("Mine", (serializers.Serializer,), {"name": serializers.CharField()})

        @translation.override("de")
        def shout(self, request: Any) -> Response:
            return Response(translation.get_language())

        def filter_queryset(self, queryset: Any) -> Any:
            self.headers["X-Atomic"] = str(transaction.get_connection().in_atomic_block)
            return []

    listed = method_decorator(transaction.atomic, name="list")(View)
    with Site({"x/": listed.as_view({"get": "list", "post": "shout"})}) as site:
        assert site.send("POST", "/x/").json() == "de"
        assert site.send("GET", "/x/").headers["X-Atomic"] == "True"


# What hides the wrapper.


@wrapt.decorator
def passed_on(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    return wrapped(*args, **kwargs)


class Decorator:
    def __init__(self, function: Any) -> None:
        functools.update_wrapper(self, function)

    def __get__(self, obj: Any, owner: type) -> Any:
        return self if obj is None else functools.partial(self, obj)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)  # type: ignore[attr-defined]  # update_wrapper sets it


class Called:
    """An exception handler or a validator that is an object."""

    @transaction.atomic
    async def __call__(self, *args: Any) -> Any:
        return Response("let through")


HIDDEN = {
    "a proxy around it": passed_on(transaction.atomic(get)),
    "around a proxy": transaction.atomic(passed_on(get)),
    "a partialmethod of it": functools.partialmethod(transaction.atomic(get)),
    "around a partial": transaction.atomic(functools.partial(get)),
    "an object around it": Decorator(transaction.atomic(get)),
    "around an object": transaction.atomic(Decorator(get)),
}


@pytest.mark.parametrize("handler", HIDDEN.values(), ids=HIDDEN)
def test_it_is_found_in_whatever_form_the_decorators_are(handler: Any) -> None:
    with pytest.raises(TypeError, match=LOST):
        type("View", (AsyncAPIView,), {"get": handler})


def test_it_is_found_in_an_object_that_is_called() -> None:
    class Validated(serializers.Serializer[Any]):
        name = serializers.CharField(validators=[Called()])

    class View(AsyncAPIView):
        authentication_classes: Any = []
        serializer_class = Validated

        async def get(self, request: Any) -> Response:
            raise Refused

        async def post(self, request: Any) -> Response:
            return Response((await self.avalidated_serializer()).validated_data)

    assert ask(View, "POST", {"name": "Austen"}).status == 500
    assert ask(View).status == 418
    handled = type("View", (View,), {"get_exception_handler": lambda self: Called()})
    assert ask(handled).status == 500


def test_a_lazy_object_is_not_evaluated() -> None:
    class View(AsyncAPIView):
        client = wrapt.LazyObjectProxy(lambda: pytest.fail("evaluated"))
        get = get

    assert ask(View).status == 200


@pytest.mark.xfail(strict=True, reason="LIMIT: a wrapper that enters it by hand is not told apart")
def test_a_wrapper_that_enters_it_by_hand_is_refused() -> None:
    def decorator(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any) -> Any:
            with translation.override("de"):
                return function(*args)

        return wrapper

    with pytest.raises(TypeError, match=LOST):
        type("View", (AsyncAPIView,), {"get": decorator(get)})
