"""Permissions and throttles."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import Http404
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework import exceptions, permissions, throttling
from rest_framework.authentication import BaseAuthentication
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.versioning import QueryParameterVersioning

from tests.matrix import examples, some
from tests.parity.harness import Ask, Parity, table

hypothesis_settings = settings(
    max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)


class Someone:
    is_authenticated = True
    is_staff = False
    pk = 7


class Staff(Someone):
    is_staff = True


class AsSomeone(BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        return Someone(), None


class AsStaff(BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        return Staff(), "token"


class Challenging(BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        return None

    def authenticate_header(self, request: Any) -> str:
        return "Riddle"


def recorded(base: Any) -> Any:
    """A view whose answer tells which of its policies were asked, in order."""

    class V(base):
        renderer_classes = [JSONRenderer]
        authentication_classes: list[Any] = []

        def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            self.calls: list[str] = []
            return super().initialize_request(request, *args, **kwargs)

        def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
            response = super().finalize_response(request, response, *args, **kwargs)
            response["X-Calls"] = " ".join(self.calls)
            return response

        def get(self, request: Any) -> Any:
            if "object" not in request.query_params:
                return Response("ok")
            if hasattr(self, "acheck_object_permissions") and hasattr(self, "coroutine"):
                return self.coroutine(request)
            self.check_object_permissions(request, "object")
            return Response("object")

        post = delete = get

    return V


def awaiting(base: Any) -> Any:
    """``recorded``, with async handlers awaiting the async check."""

    class V(recorded(base)):
        if base.__name__ == "AsyncHandlers":

            async def coroutine(self, request: Any) -> Any:
                await self.acheck_object_permissions(request, "object")
                return Response("object")

    return V


def says(name: str, view: Any = True, obj: Any = True, **attributes: Any) -> Any:
    """Return a permission of these outcomes; an exception is raised."""

    def outcome(value: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    class Says(permissions.BasePermission):
        def has_permission(self, request: Any, asked: Any) -> Any:
            asked.calls.append(f"{name}.view")
            return outcome(view)

        def has_object_permission(self, request: Any, asked: Any, about: Any) -> Any:
            asked.calls.append(f"{name}.{about}")
            return outcome(obj)

    for attribute, value in attributes.items():
        setattr(Says, attribute, value)
    return Says


A, B, NO, NOT_THE_OBJECT = says("a"), says("b"), says("no", False), says("keeper", True, False)


PERMISSIONS = [
    permissions.AllowAny,
    permissions.IsAuthenticated,
    permissions.IsAdminUser,
    permissions.IsAuthenticatedOrReadOnly,
    permissions.IsAuthenticated & permissions.IsAdminUser,
    permissions.IsAdminUser | permissions.IsAuthenticatedOrReadOnly,
    ~permissions.IsAuthenticated,
    permissions.BasePermission,
]
USERS: list[Any] = [[], [AsSomeone], [AsStaff], [Challenging]]


@pytest.mark.parametrize(
    ("permission", "authentication", "method"),
    some(product(PERMISSIONS, USERS, ["GET", "POST"]), together=2),
    ids=lambda value: getattr(value, "__name__", None),
)
@table
def test_drfs_permissions_permit(parity: Parity, permission: Any, authentication: Any, method: str) -> None:
    kwargs = {"permission_classes": [permission], "authentication_classes": authentication}
    assert parity(recorded, method, initkwargs=kwargs).status in {200, 401, 403}


COMPOSED = [
    [A, B],
    [NO, B],
    [A, NO, B],
    [A & B],
    [A | B],
    [NO & B],
    [NO | B],
    [A & NO | B],
    [~NO],
    [~A],
    [~(A & NO)],
    [~~A],
    [NOT_THE_OBJECT],
    [NOT_THE_OBJECT | A],
    [NO | NOT_THE_OBJECT],
    [NOT_THE_OBJECT | NO],
    [says("n", False, True) | says("k", True, False)],
    [~NOT_THE_OBJECT],
    [(A | NO) & (NOT_THE_OBJECT | ~NO)],
    [says("none", None)],
    [says("zero", 0)],
    [says("list", [])],
    [says("truthy", "yes")],
    [A, says("none", None)],
    [A, says("zero", 0), B],
    [A, says("truthy", "yes"), says("list", [])],
    [says("none", None) | says("empty", "")],
    [says("truthy", True, "yes") | A],
    [says("m", False, message="Not you", code="no-you")],
    [says("m", True, False, message={"why": ["a", "b"]})],
    [says("m", False, message=["a", "b"]) | NO],
    [says("m", False, message="")],
    [says("m", False, code="only-code")],
    [A, says("m", False, message="Second")],
    [says("raises", exceptions.NotFound("hidden"))],
    [says("raises", Http404("hidden"))],
    [says("raises", PermissionDenied("django"))],
    [says("raises", ValueError("bug"))],
    [says("raises", AttributeError("bug"))],
    [NO | says("raises", exceptions.AuthenticationFailed("who"))],
    [A, says("raises", True, Http404()), B],
]


@pytest.mark.parametrize("classes", COMPOSED, ids=range(len(COMPOSED)))
@table
def test_permissions_are_asked_in_order_up_to_the_first_refusal(parity: Parity, classes: Any) -> None:
    for url in ("/", "/?object"):
        answer = parity(awaiting, "GET", url, initkwargs={"permission_classes": classes})
        if answer.status != 500:
            assert answer.header["X-Calls"].split()[0].endswith(".view")


def _composed(operands: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(lambda left, right: left & right, operands, operands),
        st.builds(lambda left, right: left | right, operands, operands),
        st.builds(lambda operand: ~operand, operands),
    )


_outcomes = st.sampled_from([True, False, None, 1, exceptions.NotFound("gone"), ValueError("bug")])
_simple = st.builds(says, st.sampled_from("abcdef"), _outcomes, _outcomes, message=st.sampled_from([None, "because"]))
_permissions = st.one_of(_simple, _composed(st.one_of(_simple, _composed(st.one_of(_simple, _composed(_simple))))))


@hypothesis_settings
@given(classes=st.lists(_permissions, max_size=3), url=st.sampled_from(["/", "/?object"]))
def test_any_composition_is_asked_as_drf_asks_it(parity: Parity, classes: Any, url: str) -> None:
    assert parity(awaiting, "GET", url, initkwargs={"permission_classes": classes}).status in {200, 403, 404, 500}


def test_permissions_of_a_get_permissions_override(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(recorded(base)):
            def get_permissions(self) -> Any:
                return [NO()] if self.request.method == "POST" else [A()]

        return V

    assert [parity(make, method).status for method in ("GET", "POST")] == [200, 403]


def test_a_permission_denied_that_does_not_raise_goes_on_to_the_next(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(recorded(base)):
            permission_classes = [NO, A, NO]

            def permission_denied(self, request: Any, message: Any = None, code: Any = None) -> None:
                self.calls.append(f"denied({message},{code})")

        return V

    assert parity(make).header["X-Calls"] == "no.view denied(None,None) a.view no.view denied(None,None)"


@pytest.mark.parametrize("kind", ["instance", "lambda", "attribute"])
def test_a_permission_may_be_made_by_any_callable(parity: Parity, kind: str) -> None:
    class Scope(permissions.BasePermission):
        def __init__(self, allowed: bool = True) -> None:
            if kind == "attribute":
                self.has_permission = lambda request, view: allowed  # type: ignore[method-assign]
            self.allowed = allowed

        def __call__(self) -> Any:
            return self

        def has_permission(self, request: Any, view: Any) -> bool:
            return self.allowed

    def classes(allowed: bool) -> Any:
        return [Scope(allowed) if kind == "instance" else lambda: Scope(allowed)]

    statuses = [
        parity(recorded, initkwargs={"permission_classes": classes(allowed)}).status for allowed in (True, False)
    ]
    assert statuses == [200, 403]


def _unhashable(name: str) -> Any:
    class Factory:
        __hash__ = None  # as a dataclass has it
        media_type, format = "application/json", "json"

        def __init__(self, made: Any) -> None:
            self.made = made

        def __call__(self) -> Any:
            return self.made()

    made = {"permission": A, "throttle": Open, "authentication": AsStaff, "renderer": JSONRenderer}
    return {name: [Factory(made.get(name.removesuffix("_classes"), permissions.AllowAny))]}


@pytest.mark.parametrize("name", ["permission_classes", "throttle_classes", "authentication_classes", "parser_classes"])
@table
def test_a_component_may_be_made_by_an_unhashable_callable(parity: Parity, name: str) -> None:
    assert parity(recorded, initkwargs=_unhashable(name)).status == 200


@table
def test_a_renderer_may_be_made_by_an_unhashable_callable(parity: Parity) -> None:
    assert parity(recorded, initkwargs=_unhashable("renderer_classes")).status == 200


@pytest.mark.parametrize(
    ("name", "made"),
    [("content_negotiation_class", DefaultContentNegotiation), ("versioning_class", QueryParameterVersioning)],
)
@table
def test_a_negotiation_or_versioning_may_be_made_by_an_unhashable_callable(
    parity: Parity, name: str, made: type
) -> None:
    (factory,) = _unhashable("permission_classes")["permission_classes"]
    factory.made = made
    assert parity(recorded, initkwargs={name: factory}).status == 200


def test_a_permission_may_be_no_subclass_of_anything(parity: Parity) -> None:
    class Duck:
        message = "quack"

        def has_permission(self, request: Any, view: Any) -> bool:
            return request.method == "GET"

    assert parity(recorded, "POST", initkwargs={"permission_classes": [Duck]}).json() == {"detail": "quack"}


@pytest.mark.parametrize("url", ["/", "/?object"])
def test_a_permission_without_the_hook_is_a_bug_of_the_views(parity: Parity, url: str) -> None:
    class Half:
        def has_permission(self, request: Any, view: Any) -> bool:
            return True

    assert parity(recorded, "GET", url, initkwargs={"permission_classes": [Half]}).status == (
        500 if "?" in url else 200
    )


# Throttles


class Daily(throttling.SimpleRateThrottle):
    timer = staticmethod(lambda: 1000.0)
    scope = "daily"
    THROTTLE_RATES = {"daily": "2/day", "hourly": "1/hour", "anon": "1/min", "user": "1/min"}

    def get_cache_key(self, request: Any, view: Any) -> str:
        return "daily"


class Hourly(Daily):
    scope = "hourly"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return "hourly"


class Anon(throttling.AnonRateThrottle):
    rate = "0/day"


class User(throttling.UserRateThrottle):
    rate = "0/day"


class Scoped(throttling.ScopedRateThrottle):
    THROTTLE_RATES = {"uploads": "0/day", "open": None}


class NoRate(throttling.UserRateThrottle):
    THROTTLE_RATES: dict[str, str] = {}


class BadRate(throttling.UserRateThrottle):
    rate = "often"


class Open(throttling.BaseThrottle):
    def allow_request(self, request: Any, view: Any) -> bool:
        view.calls.append("open")
        return True


def waits(seconds: Any) -> Any:
    class Waits(throttling.BaseThrottle):
        def allow_request(self, request: Any, view: Any) -> bool:
            view.calls.append(f"allow{seconds}")
            self.view = view
            return False

        def wait(self) -> Any:
            self.view.calls.append(f"wait{seconds}")
            return seconds

    return Waits


@pytest.mark.parametrize("authentication", [[], [AsSomeone]], ids=["nobody", "someone"])
@pytest.mark.parametrize(
    ("classes", "attributes"),
    [
        ([Daily], {}),
        ([Hourly], {}),
        ([Daily, Hourly], {}),
        ([Anon], {}),
        ([User], {}),
        ([Anon, User], {}),
        ([Scoped], {}),
        ([Scoped], {"throttle_scope": "uploads"}),
        ([Scoped], {"throttle_scope": "open"}),
        ([Scoped], {"throttle_scope": "unknown"}),
        ([NoRate], {}),
        ([BadRate], {}),
        ([Open], {}),
        ([throttling.BaseThrottle], {}),
        ([waits(None)], {}),
        ([waits(0)], {}),
        ([waits(0.4)], {}),
        ([waits(1.6)], {}),
        ([waits(5), waits(60), Open, waits(30)], {}),
        ([waits(None), waits(3)], {}),
        ([waits("soon")], {}),
        ([waits(1), waits("soon")], {}),
    ],
    ids=lambda value: " ".join(getattr(cls, "__name__", str(cls)) for cls in value),
)
@table
def test_throttles_refuse_with_the_longest_wait(
    parity: Parity, classes: Any, attributes: Any, authentication: Any
) -> None:
    def make(base: Any) -> Any:
        return type("V", (recorded(base),), {"throttle_scope": None, **attributes})

    kwargs = {"throttle_classes": classes, "authentication_classes": authentication}
    answer = parity(make, "GET", "/", Ask(), Ask(), initkwargs=kwargs, before=cache.clear)
    assert answer.status in {200, 429, 500}
    if answer.status == 429 and classes != [waits]:
        assert "throttled" in answer.json()["detail"]


@hypothesis_settings
@given(seconds=st.lists(st.one_of(st.none(), st.integers(0, 10**6), st.floats(0, 1e6)), max_size=4))
def test_any_waits_give_the_retry_after_of_drf(parity: Parity, seconds: Any) -> None:
    answer = parity(recorded, initkwargs={"throttle_classes": [waits(value) for value in seconds]})
    assert answer.status == (429 if seconds else 200)


def test_a_throttled_override_answers_otherwise(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(recorded(base)):
            throttle_classes = [waits(5), waits(9)]

            def throttled(self, request: Any, wait: Any) -> None:
                raise exceptions.Throttled(wait=wait + 1, detail="slow")

        return V

    assert parity(make).header["Retry-After"] == "10"


def test_a_refused_request_is_not_counted_by_the_throttles(parity: Parity) -> None:
    kwargs = {"throttle_classes": [Open], "permission_classes": [NO]}
    assert parity(recorded, initkwargs=kwargs).header["X-Calls"] == "no.view"
