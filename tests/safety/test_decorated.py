"""A hook that is no plain function (decorated, partial, static, a callable object) runs as what it is."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from rest_framework import permissions as drf_permissions
from rest_framework.response import Response
from rest_framework.views import APIView as DRFView

from restflow import permissions
from restflow.flow import nonblocking
from restflow.views import AsyncAPIView
from tests.matrix import each_pair, each_value
from tests.safety.hooks import VIEWS, Deny
from tests.safety.support import Refused, ask, here

BASES = {"DRF's": drf_permissions.BasePermission, "ours": permissions.BasePermission}


def denial(*args: Any) -> bool:
    return False


async def async_denial(*args: Any) -> bool:
    await asyncio.sleep(0)
    return False


def one_argument_more(self: Any, extra: int, *args: Any) -> bool:
    assert extra == 1
    return False


async def async_one_argument_more(self: Any, extra: int, *args: Any) -> bool:
    assert extra == 1
    return False


class CallableObject:
    def __call__(self, *args: Any) -> bool:
        return False


class AsyncCallableObject:
    async def __call__(self, *args: Any) -> bool:
        return False


class Unhashable(CallableObject):
    __hash__ = None  # type: ignore[assignment]


class AsyncUnhashable(AsyncCallableObject):
    __hash__ = None  # type: ignore[assignment]


class EqualToAll(AsyncCallableObject):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


def wrapping(function: Any) -> Any:
    """A decorator with a sync wrapper around a function of any colour."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def singledispatch(function: Any) -> Any:
    return functools.singledispatchmethod(function)


FORMS = {
    "staticmethod": staticmethod(denial),
    "async staticmethod": staticmethod(async_denial),
    "classmethod": classmethod(denial),
    "async classmethod": classmethod(async_denial),
    "partialmethod": functools.partialmethod(one_argument_more, 1),
    "async partialmethod": functools.partialmethod(async_one_argument_more, 1),
    "static partial": staticmethod(functools.partial(denial)),
    "static async partial": staticmethod(functools.partial(async_denial)),
    "singledispatchmethod": singledispatch(denial),
    "async singledispatchmethod": singledispatch(async_denial),
    "callable object": CallableObject(),
    "async callable object": AsyncCallableObject(),
    "unhashable callable object": Unhashable(),
    "unhashable async callable object": AsyncUnhashable(),
    "callable object equal to all": EqualToAll(),
    "property": property(lambda self: denial),
    "async property": property(lambda self: async_denial),
    "wrapper": wrapping(denial),
    "wrapper of async": wrapping(async_denial),
    "wrapper of a wrapper of async": wrapping(wrapping(async_denial)),
    "lambda": lambda self, *args: False,
    "lambda giving a coroutine": lambda self, *args: async_denial(),
    "cached": functools.lru_cache(denial),
}


def form_params() -> list[Any]:
    return [
        pytest.param(
            base,
            prefix,
            form,
            id=f"{form} as {prefix}has_permission on {base} base",
        )
        for base in BASES
        for prefix in ("", "a")
        for form in FORMS
        # Under the async name stands what gives an awaitable.
        if not prefix or "async" in form or "coroutine" in form or form == "callable object equal to all"
    ]


@each_value
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("base", "prefix", "form"), form_params())
def test_a_permission_of_any_form_denies(view, base, prefix, form):
    permission = type("P", (BASES[base],), {prefix + "has_permission": FORMS[form]})
    ran: list[str] = []
    cls = type("V", (VIEWS[view],), {"permission_classes": [permission], "post": lambda *args: ran.append("handler")})
    assert ask(cls, "POST", {}).status == 403
    assert ran == []


@each_value
@pytest.mark.parametrize("view", ["async", "async, sync handlers"])
@pytest.mark.parametrize("form", sorted(set(FORMS) - {"property", "cached"}))
def test_a_permission_of_any_form_patched_in_later_denies(view, form, monkeypatch):
    class Permission(permissions.BasePermission):
        pass

    cls = type("V", (VIEWS[view],), {"permission_classes": [Permission]})
    assert ask(cls).status == 200
    monkeypatch.setattr(Permission, "has_permission", FORMS[form])
    assert ask(cls).status == 403


@each_value
@pytest.mark.parametrize("view", ["async", "async, sync handlers"])
@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("has_permission", denial),
        ("has_permission", async_denial),
        ("has_permission", CallableObject()),
        ("has_permission", AsyncCallableObject()),
        ("has_permission", functools.partial(async_denial)),
        ("ahas_permission", async_denial),
        ("ahas_permission", AsyncCallableObject()),
        ("ahas_permission", functools.partial(async_denial)),
    ],
)
def test_a_permission_set_on_the_instance_denies(view, name, function):
    class Permission(permissions.BasePermission):
        def __init__(self):
            setattr(self, name, function)

    assert ask(type("V", (VIEWS[view],), {"permission_classes": [Permission]})).status == 403


def refusal(*args: Any, **kwargs: Any) -> Any:
    raise Refused


async def async_refusal(*args: Any, **kwargs: Any) -> Any:
    raise Refused


class RefusingObject:
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise Refused


class AsyncRefusingObject:
    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise Refused


VIEW_FORMS = {
    "staticmethod": staticmethod(refusal),
    "async staticmethod": staticmethod(async_refusal),
    "classmethod": classmethod(refusal),
    "async classmethod": classmethod(async_refusal),
    "partialmethod": functools.partialmethod(refusal),
    "async partialmethod": functools.partialmethod(async_refusal),
    "singledispatchmethod": singledispatch(refusal),
    "async singledispatchmethod": singledispatch(async_refusal),
    "callable object": RefusingObject(),
    "async callable object": AsyncRefusingObject(),
    "property": property(lambda self: refusal),
    "async property": property(lambda self: async_refusal),
    "wrapper": wrapping(refusal),
    "wrapper of async": wrapping(async_refusal),
}


@each_value
@pytest.mark.parametrize("view", ["async", "async, sync handlers"])
@pytest.mark.parametrize("name", ["initial", "perform_authentication", "check_permissions", "check_throttles"])
@pytest.mark.parametrize("form", VIEW_FORMS)
def test_a_views_hook_of_any_form_runs(view, name, form):
    assert ask(type("V", (VIEWS[view],), {name: VIEW_FORMS[form]})).status == 418


@each_value
@pytest.mark.parametrize("view", ["async", "async, sync handlers"])
@pytest.mark.parametrize("form", VIEW_FORMS)
def test_a_views_hook_of_any_form_in_a_mixin_runs(view, form):
    mixin = type("Mixin", (), {"check_permissions": VIEW_FORMS[form]})
    assert ask(type("V", (mixin, VIEWS[view]), {})).status == 418


@each_value
@pytest.mark.parametrize("view", ["async", "async, sync handlers"])
@pytest.mark.parametrize(
    "form",
    [
        form
        for form in VIEW_FORMS
        # A class attribute that is no function gets no self, and a handler is a plain method otherwise.
        if "property" not in form
    ],
)
def test_a_handler_of_any_form_runs(view, form):
    assert ask(type("V", (VIEWS[view],), {"get": VIEW_FORMS[form]})).status == 418


# A wrapper is not taken for what it wraps.


def recording(ran: list[str], function: Any, refuse: bool = True) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        ran.append(here())
        if refuse:
            raise Refused
        return function(*args, **kwargs)

    return wrapper


WRAPPED_HOOKS = [
    "initial",
    "perform_authentication",
    "check_permissions",
    "check_throttles",
    "get_permissions",
    "get_throttles",
    "get_renderer_context",
    "determine_version",
]


@each_pair
@pytest.mark.parametrize("refuse", [True, False])
@pytest.mark.parametrize("owner", [AsyncAPIView, DRFView], ids=["ours", "DRF's"])
@pytest.mark.parametrize("name", WRAPPED_HOOKS)
@pytest.mark.parametrize("view", ["async", "async, sync handlers"])
def test_a_wrapper_around_a_hook_runs(view, name, owner, refuse):
    """Around DRF's pure functions too: what is known of them is not known of the wrapper."""
    ran: list[str] = []
    if name == "get_renderer_context" and refuse:
        return  # called outside of what turns errors into responses
    wrapper = recording(ran, getattr(owner, name), refuse)
    answer = ask(type("V", (VIEWS[view],), {name: wrapper}))
    assert answer.status == (418 if refuse else 200)
    assert set(ran) == {"thread"}


@pytest.mark.parametrize("name", ["acheck_permissions", "ainitial", "aperform_authentication"])
def test_an_async_wrapper_around_an_async_twin_runs(name):
    ran: list[str] = []
    inner = getattr(AsyncAPIView, name)

    @functools.wraps(inner)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        ran.append(here())
        return await inner(*args, **kwargs)

    cls = type("V", (VIEWS["async"],), {name: wrapper, "permission_classes": [Deny]})
    assert ask(cls).status == 403
    assert ran == ["loop"]


@pytest.mark.parametrize("prefix", ["", "a"])
def test_a_sync_wrapper_around_an_async_twin_runs(prefix):
    ran: list[str] = []
    wrapper = recording(ran, AsyncAPIView.acheck_permissions, refuse=False)
    cls = type("V", (VIEWS["async"],), {f"{prefix}check_permissions": wrapper, "permission_classes": [Deny]})
    assert ask(cls).status == 403
    assert ran == ["thread"]


@each_value
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    "inner",
    [
        nonblocking(lambda self, request, view: True),
        drf_permissions.AllowAny.has_permission,
        drf_permissions.IsAuthenticated.has_permission,
        drf_permissions.AND.has_permission,
        permissions.BasePermission.has_permission,
        permissions.BasePermission.ahas_permission,
    ],
    ids=["nonblocking", "AllowAny", "IsAuthenticated", "AND", "ours", "our twin"],
)
def test_a_wrapper_around_a_permission_runs_in_the_thread(view, inner):
    ran: list[str] = []
    cls = type("P", (drf_permissions.BasePermission,), {"has_permission": recording(ran, inner)})
    assert ask(type("V", (VIEWS[view],), {"permission_classes": [cls]})).status == 418
    assert ran == ["thread"]


def test_what_a_nonblocking_function_is_and_its_override_and_wrapper_are_not():
    ran: list[str] = []

    class Fast(permissions.BasePermission):
        @nonblocking
        def has_permission(self, request, view):
            ran.append(f"fast on the {here()}")
            return True

    class Slow(Fast):
        def has_permission(self, request, view):
            ran.append(f"slow in the {here()}")
            return True

    ask(type("V", (VIEWS["async"],), {"permission_classes": [Fast, Slow]}))
    assert ran == ["fast on the loop", "slow in the thread"]


def test_a_nonblocking_function_that_gives_a_coroutine_is_awaited():
    class Permission(permissions.BasePermission):
        @nonblocking
        def has_permission(self, request, view):
            return async_denial()

    assert ask(type("V", (VIEWS["async"],), {"permission_classes": [Permission]})).status == 403


# method_decorator, and decorators of dispatch.


def refusing_decorator(view_function: Any) -> Any:
    def wrapper(request: Any, *args: Any, **kwargs: Any) -> Any:
        raise Refused

    return wrapper


def header_decorator(view_function: Any) -> Any:
    """A decorator that knows sync views only, as most do."""

    @functools.wraps(view_function)
    def wrapper(request: Any, *args: Any, **kwargs: Any) -> Any:
        response = view_function(request, *args, **kwargs)
        response["X-Decorated"] = "yes"
        return response

    return wrapper


@pytest.mark.parametrize("view", VIEWS)
def test_method_decorator_on_a_handler_refuses(view):
    cls = method_decorator(refusing_decorator, name="get")(type("V", (VIEWS[view],), {}))
    assert ask(cls).status == 418


@pytest.mark.parametrize("view", VIEWS)
def test_a_decorator_made_for_sync_views_on_dispatch_gets_a_response(view):
    cls = method_decorator(header_decorator, name="dispatch")(type("V", (VIEWS[view],), {}))
    answer = ask(cls)
    assert answer.status == 200
    assert answer.headers["X-Decorated"] == "yes"


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", ["dispatch", "get"])
def test_djangos_own_decorators_work(view, name):
    cls = method_decorator(never_cache, name=name)(type("V", (VIEWS[view],), {}))
    answer = ask(cls)
    assert answer.status == 200
    assert "no-cache" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("view", ["async", "async, sync handlers"])
@pytest.mark.parametrize("decorator", [header_decorator, never_cache])
def test_dispatch_decorated_in_the_class_calls_super(view, decorator):
    class View(VIEWS[view]):  # type: ignore[misc]
        permission_classes = [Deny]

        @method_decorator(decorator)
        def dispatch(self, request, *args, **kwargs):
            return super().dispatch(request, *args, **kwargs)

    answer = ask(View)
    assert answer.status == 403
    assert "X-Decorated" in answer.headers or "no-cache" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("view", ["async", "async, sync handlers"])
def test_an_async_dispatch_decorated_in_the_class_calls_super(view):
    def decorator(function: Any) -> Any:
        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            response = await function(*args, **kwargs)
            response["X-Decorated"] = "yes"
            return response

        return wrapper

    class View(VIEWS[view]):  # type: ignore[misc]
        permission_classes = [Deny]

        @decorator
        async def dispatch(self, request, *args, **kwargs):
            return await super().dispatch(request, *args, **kwargs)

    answer = ask(View)
    assert (answer.status, answer.headers["X-Decorated"]) == (403, "yes")


def test_a_handler_that_is_a_wrapper_of_an_async_one_is_awaited():
    class View(AsyncAPIView):
        @wrapping
        async def get(self, request):
            await asyncio.sleep(0)
            return Response({"place": here()})

    assert ask(View).json() == {"place": "loop"}
