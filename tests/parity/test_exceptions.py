"""What a view raises, and what becomes of it."""

from __future__ import annotations

import functools
import re
from itertools import product
from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation, ValidationError
from django.http import Http404, HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy
from rest_framework import exceptions, permissions, throttling
from rest_framework.authentication import BaseAuthentication
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler

from tests.matrix import some
from tests.parity.harness import (
    ASYNC_VIEW,
    BASES,
    COLOURS,
    OVER,
    SYNC,
    TRANSPORTS,
    Ask,
    Parity,
    at_root,
    limit,
    table,
)
from tests.site import Site


class Challenging(BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        return None

    def authenticate_header(self, request: Any) -> str:
        return "Riddle"


class Teapot(exceptions.APIException):
    status_code = 418
    default_detail = gettext_lazy("Not found.")
    default_code = "teapot"


class WithHeaders(exceptions.APIException):
    auth_header = "Own"
    wait = 12.7


def _with_wait() -> Exception:
    error = exceptions.NotAuthenticated({"a": ["b"]})
    error.wait = 3  # type: ignore[attr-defined]
    return error


ERRORS: dict[str, Any] = {
    "api": lambda: exceptions.APIException(),
    "api list": lambda: exceptions.APIException(["a", {"b": "c"}]),
    "validation": lambda: exceptions.ValidationError("bad"),
    "validation dict": lambda: exceptions.ValidationError({"a": ["b"], "c": {"d": "e"}}),
    "validation list": lambda: exceptions.ValidationError(["a", "b"]),
    "validation empty": lambda: exceptions.ValidationError([]),
    "parse": lambda: exceptions.ParseError("p"),
    "authentication failed": lambda: exceptions.AuthenticationFailed("who"),
    "not authenticated": lambda: exceptions.NotAuthenticated(),
    "not authenticated wait": _with_wait,
    "permission": lambda: exceptions.PermissionDenied(detail={"x": 1}, code="c"),
    "not found": lambda: exceptions.NotFound(),
    "method": lambda: exceptions.MethodNotAllowed("GET"),
    "not acceptable": lambda: exceptions.NotAcceptable(available_renderers=[]),
    "media type": lambda: exceptions.UnsupportedMediaType("a/b"),
    "throttled": lambda: exceptions.Throttled(1.2),
    "throttled none": lambda: exceptions.Throttled(None, "slow"),
    "teapot": Teapot,
    "headers": WithHeaders,
    "404": lambda: Http404(),
    "404 args": lambda: Http404("no such thing"),
    "404 dict": lambda: Http404({"no": "such"}),
    "404 args two": lambda: Http404("no", "code"),
    "404 args three": lambda: Http404("no", "code", "too many"),
    "denied": lambda: PermissionDenied(),
    "denied args": lambda: PermissionDenied("go away", "code"),
    "suspicious": lambda: SuspiciousOperation("sus"),
    "bad request": lambda: BadRequest("bad"),
    "django validation": lambda: ValidationError("bad"),
    "value": lambda: ValueError("bug"),
    "key": lambda: KeyError("bug"),
    "attribute": lambda: AttributeError("bug"),
    "runtime": lambda: RuntimeError("coroutine raised StopIteration"),
    "stop async iteration": lambda: StopAsyncIteration(),
    "group": lambda: ExceptionGroup("bugs", [ValueError("a")]),
}


def raising(error: Any) -> Any:
    def make(base: Any) -> Any:
        class RaisingView(base):
            def get(self, request: Any) -> Response:
                raise error()

            post = get

        return RaisingView

    return make


def reported(exc: Exception, context: Any) -> Any:
    """An exception handler that answers anything."""
    view, request = context["view"], context["request"]
    known = exception_handler(exc, context)
    return JsonResponse(
        {
            "type": type(exc).__name__,
            "args": [str(arg) for arg in exc.args],
            "cause": type(exc.__cause__).__name__,
            "view": type(view).__name__,
            "same": request is view.request,
            "context": sorted(context),
            "args of the URL": [list(context["args"]), context["kwargs"]],
            "known": known and [known.status_code, str(known.data), sorted(known.items())],
        },
        status=299,
    )


def silent(exc: Exception, context: Any) -> None:
    return None


def answers_text(exc: Exception, context: Any) -> Any:
    return "no response"


def raises_another(exc: Exception, context: Any) -> Any:
    raise exceptions.NotFound("another") from exc


def rest(handler: Any) -> dict[str, Any]:
    return {"REST_FRAMEWORK": {"EXCEPTION_HANDLER": f"tests.parity.test_exceptions.{handler.__name__}"}}


@pytest.mark.parametrize("name", ERRORS)
@table
def test_an_exception_is_answered(parity: Parity, name: str) -> None:
    for authentication in ([], [Challenging]):
        assert parity(raising(ERRORS[name]), initkwargs={"authentication_classes": authentication}).status >= 400


HANDLED = ["validation", "404 args", "authentication failed", "value", "denied", "suspicious"]


@pytest.mark.parametrize(
    ("name", "handler"),
    [*product(HANDLED, [reported]), *some(product(HANDLED, [silent, answers_text, raises_another]))],
)
def test_the_exception_handler_of_the_settings_answers(parity: Parity, name: str, handler: Any) -> None:
    answer = parity(raising(ERRORS[name]), **rest(handler))
    assert answer.status == 299 if handler is reported else answer.status >= 400


@pytest.mark.parametrize("name", ["value", "404", "teapot"])
@table
def test_the_exception_handler_of_a_view_answers(parity: Parity, name: str) -> None:
    def make(base: Any) -> Any:
        class V(raising(ERRORS[name])(base)):
            def get_exception_handler(self) -> Any:
                return lambda exc, context: Response({"raised": type(exc).__name__}, status=418)

            def get_exception_handler_context(self) -> Any:
                return {"own": True, **super().get_exception_handler_context()}

        return V

    assert parity(make).status == 418


@limit(
    "StopIteration of sync code becomes RuntimeError (PEP 479)",
    SYNC,
    ASYNC_VIEW,
    of=(ASYNC_VIEW,),
)
def test_stop_iteration_of_a_handler_reaches_the_exception_handler(parity: Parity) -> None:
    assert parity(raising(StopIteration), **rest(reported)).json()["type"] == "StopIteration"


@limit("StopIteration of sync code becomes RuntimeError (PEP 479)")
def test_stop_iteration_of_a_permission_reaches_the_exception_handler(parity: Parity) -> None:
    class Empty(permissions.BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            return next(iter([]))

    kwargs = {"permission_classes": [Empty]}
    assert parity(raising(ValueError), initkwargs=kwargs, **rest(reported)).json()["type"] == "StopIteration"


# Where it is raised


HOOKS = [
    "initialize_request",
    "get_parsers",
    "get_authenticators",
    "get_content_negotiator",
    "get_parser_context",
    "initial",
    "get_format_suffix",
    "perform_content_negotiation",
    "get_renderers",
    "determine_version",
    "perform_authentication",
    "check_permissions",
    "get_permissions",
    "check_throttles",
    "get_throttles",
    "finalize_response",
    "get_renderer_context",
    "handle_exception",
    "get_exception_handler",
    "get_exception_handler_context",
    "default_response_headers",
    "allowed_methods",
]


@pytest.mark.parametrize("name", HOOKS)
@table
def test_a_hook_that_raises(parity: Parity, name: str) -> None:
    def make(base: Any, error: Any) -> Any:
        def hook(self: Any, *args: Any, **kwargs: Any) -> Any:
            raise error

        raises = property(hook) if "headers" in name or "methods" in name else hook
        fails = name in {"handle_exception", "get_exception_handler", "get_exception_handler_context"}
        return type("V", (raising(ValueError)(base) if fails else raising(Teapot)(base),), {name: raises})

    for error in (Teapot, ValueError, exceptions.NotAuthenticated):
        assert parity(functools.partial(make, error=error)).status >= 400


# Those that restflow wrote anew, in the sync view and in the async one.
ANEW = ["initialize_request", "check_permissions", "check_throttles"]
ANEW_IN_ASYNC = [
    "initial",
    "perform_content_negotiation",
    "determine_version",
    "perform_authentication",
    "finalize_response",
    "handle_exception",
]


@pytest.mark.parametrize("name", [name for name in HOOKS[:-2] if name not in ANEW + ANEW_IN_ASYNC])
@table
def test_a_wrapper_set_on_the_instance_is_called(parity: Parity, name: str) -> None:
    _wrapped_on_the_instance(parity, name)


@pytest.mark.parametrize("name", ANEW)
@table
def test_a_wrapper_of_a_check_set_on_the_instance_is_called(parity: Parity, name: str) -> None:
    _wrapped_on_the_instance(parity, name)


@pytest.mark.parametrize("name", ANEW_IN_ASYNC)
@table
def test_a_wrapper_of_a_step_set_on_the_instance_is_called(parity: Parity, name: str) -> None:
    _wrapped_on_the_instance(parity, name)


def _wrapped_on_the_instance(parity: Parity, name: str) -> None:
    def make(base: Any) -> Any:
        class V(raising(Teapot)(base)):
            def __init__(self, **kwargs: Any) -> None:
                super().__init__(**kwargs)
                original = getattr(self, name)

                def spy(*args: Any, **kwargs: Any) -> Any:
                    self.spied = len(args), sorted(kwargs)
                    return original(*args, **kwargs)

                setattr(self, name, spy)

            @property
            def default_response_headers(self) -> Any:
                return {"X-Before": str(getattr(self, "spied", "not yet"))}

            def get_renderer_context(self) -> Any:
                self.headers["X-Late"] = str(getattr(self, "spied", "not yet"))
                return super().get_renderer_context()

        return V

    parity(make)


@pytest.mark.parametrize(
    ("name", "kind"),
    some(
        product(
            ["get_permissions", "check_permissions", "get_renderers", "get_throttles"],
            ["staticmethod", "lambda", "partial", "object", "classmethod"],
        )
    ),
)
@table
def test_a_hook_may_be_any_callable(parity: Parity, name: str, kind: str) -> None:
    from functools import partialmethod

    class Refusing(permissions.BasePermission):
        message = "refused by the hook"

        def has_permission(self, request: Any, view: Any) -> bool:
            return False

    class Waiting(throttling.BaseThrottle):
        def allow_request(self, request: Any, view: Any) -> bool:
            return False

    def check(*args: Any) -> None:
        raise exceptions.PermissionDenied(f"{len(args)} arguments")

    results = {"get_permissions": [Refusing()], "get_renderers": [JSONRenderer()], "get_throttles": [Waiting()]}

    def hook(*args: Any) -> Any:
        return check(*args) if name == "check_permissions" else results[name]

    class Callable:
        def __call__(self, *args: Any) -> Any:
            return hook(*args)

    made = {
        "staticmethod": staticmethod(hook),
        "lambda": lambda *args: hook(*args),
        "partial": partialmethod(hook, "x"),
        "object": Callable(),
        "classmethod": classmethod(hook),
    }[kind]
    assert parity(lambda base: type("V", (raising(Teapot)(base),), {name: made})).status in {403, 418, 429}


def test_raise_uncaught_exception_may_raise_another(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(raising(ValueError)(base)):
            def raise_uncaught_exception(self, exc: Exception) -> None:
                raise Http404("translated") from exc

        return V

    assert parity(make).status == 404


def test_handle_exception_may_answer_or_pass_on(parity: Parity) -> None:
    def make(base: Any) -> Any:
        class V(raising(ERRORS["404 args"])(base)):
            def handle_exception(self, exc: Exception) -> Any:
                if self.request.method == "POST":
                    return HttpResponse(f"{type(exc).__name__} {exc}", status=299)
                response = super().handle_exception(Teapot("own"))
                response["X-Was"] = type(exc).__name__
                return response

        return V

    assert [parity(make, method).status for method in ("GET", "POST")] == [418, 299]


def test_an_override_of_initial_may_catch_what_the_checks_raise(parity: Parity) -> None:
    class Never(permissions.BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            return False

    def make(base: Any) -> Any:
        class V(raising(Teapot)(base)):
            permission_classes = [Never]

            def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
                try:
                    super().initial(request, *args, **kwargs)
                except exceptions.APIException:
                    self.caught = True

            def get_view_name(self) -> str:
                return f"caught: {getattr(self, 'caught', False)}"

        return V

    assert parity(make).status == 418
    assert parity(make, "OPTIONS").json()["name"] == "caught: True"


# The technical page

_SUMMARY = re.compile(rb"\A\w+ at .*|<title>[^<]*</title>|^(?:Exception|Raised|Request) .*: .*$", re.M)
_FRAMES = re.compile(rb"tests/parity/test_exceptions\.py|ValueError|bug")


@pytest.mark.parametrize(
    ("colour", "transport", "name", "accept"),
    some(product(COLOURS, TRANSPORTS, ["value", "suspicious", "attribute"], ["application/json", "text/html"])),
)
def test_debug_shows_the_technical_page_in_the_renderers_kind(
    colour: str, transport: str, name: str, accept: str
) -> None:
    answers = []
    for base in (BASES["drf"], BASES[colour]):
        with Site(at_root(raising(ERRORS[name])(base).as_view()), DEBUG=True) as site:
            answers.append(OVER[transport](site, Ask(headers={"accept": accept})))
    theirs, ours = answers
    assert (ours.status, ours.headers[0]) == (theirs.status, theirs.headers[0])
    assert _SUMMARY.findall(ours.body) == _SUMMARY.findall(theirs.body)
    assert _SUMMARY.search(theirs.body)
    assert bool(_FRAMES.search(ours.body)) is bool(_FRAMES.search(theirs.body))


class Noted:
    """Middleware that answers the exceptions of views."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        return self.get_response(request)

    def process_exception(self, request: Any, exception: Exception) -> Any:
        return HttpResponse(f"{type(exception).__name__}: {exception}", status=299)


@pytest.mark.parametrize("name", ["value", "404", "suspicious", "group"])
def test_middleware_answers_what_the_view_passes_on(parity: Parity, name: str) -> None:
    answer = parity(raising(ERRORS[name]), MIDDLEWARE=["tests.parity.test_exceptions.Noted"])
    assert answer.status == (404 if name == "404" else 299)


@pytest.mark.parametrize("name", ["validation dict", "404 args", "denied", "not authenticated", "throttled", "teapot"])
def test_an_error_is_shown_in_the_browsable_api(parity: Parity, name: str) -> None:
    kwargs = {"renderer_classes": [BrowsableAPIRenderer, JSONRenderer], "authentication_classes": [Challenging]}
    answer = parity(raising(ERRORS[name]), headers={"accept": "text/html"}, initkwargs=kwargs)
    assert b"Raising" in answer.body
