"""Errors in one format for all views: DRF's own, an envelope, or problem details (RFC 9457).

``exception_handler`` reformats what DRF's handler answers. It is one sync function, used by views of both colours and
by DRF's own views. Reads the view's ``error_format`` and the settings; does not query.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.encoding import escape_uri_path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views import defaults
from rest_framework import exceptions as drf
from rest_framework import views
from rest_framework.response import Response
from rest_framework.settings import api_settings

from restflow.drf import touches_no_connection
from restflow.flow import nonblocking
from restflow.large import is_light
from restflow.settings import settings
from restflow.streams import EventStreamRenderer, NDJSONRenderer

__all__ = [
    "APIException",
    "ErrorCode",
    "IdempotencyKeyInUse",
    "IdempotencyKeyInvalid",
    "IdempotencyKeyReused",
    "PreconditionFailed",
    "PreconditionRequired",
    "bad_request",
    "exception_handler",
    "format_error",
    "page_not_found",
    "permission_denied",
    "server_error",
]
__dir__ = __all__.copy

DRF, ENVELOPE, PROBLEM = "drf", "envelope", "problem"
FORMATS = (DRF, ENVELOPE, PROBLEM)

JSON, PROBLEM_JSON, HTML = "application/json", "application/problem+json", "text/html"


class ErrorCode(StrEnum):
    """The codes of errors, which stay the same between releases; DRF's own code if it has one."""

    NOT_AUTHENTICATED = "not_authenticated"
    AUTHENTICATION_FAILED = "authentication_failed"
    PERMISSION_DENIED = "permission_denied"
    VALIDATION_ERROR = "validation_error"
    PARSE_ERROR = "parse_error"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    NOT_ACCEPTABLE = "not_acceptable"
    THROTTLED = "throttled"
    BAD_REQUEST = "bad_request"
    CONFLICT = "conflict"
    PRECONDITION_FAILED = "precondition_failed"
    PRECONDITION_REQUIRED = "precondition_required"
    IDEMPOTENCY_KEY_INVALID = "idempotency_key_invalid"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    IDEMPOTENCY_KEY_IN_USE = "idempotency_key_in_use"
    INTERNAL_ERROR = "internal_error"
    SERVICE_UNAVAILABLE = "service_unavailable"


class APIException(drf.APIException):
    """DRF's ``APIException`` with a stable code, and details for the client.

    A subclass sets ``status_code``, ``default_detail``, and its code as ``code`` or, as in DRF, as ``default_code``.

    Args:
        detail: the message, as in DRF.
        code: the code of this one error.
        details: additional data, as JSON.
        status_code: the status of this one error.

    Source: DRF 3.18, exceptions.py, ``APIException``.
    """

    code: str = ErrorCode.INTERNAL_ERROR.value
    default_code: str = ErrorCode.INTERNAL_ERROR.value
    details: Mapping[str, Any] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        names = ("code", "default_code")
        written = (vars(base)[name] for base in cls.__mro__ for name in names if name in vars(base))
        cls.code = cls.default_code = next(written)

    def __init__(
        self,
        detail: Any = None,
        code: str | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        status_code: int | None = None,
    ) -> None:
        self.code = str(code or self.code)
        super().__init__(detail, self.code)
        if details is not None:
            self.details = details
        if status_code is not None:
            self.status_code = status_code


class PreconditionFailed(APIException):
    """The instance has changed since the client saw it (``If-Match``). Source: RFC 9110, section 13.1.1."""

    status_code = 412
    default_detail = _lazy("This was changed meanwhile. Get it again, and repeat the change.")
    code = ErrorCode.PRECONDITION_FAILED.value


class PreconditionRequired(APIException):
    """The request must have an ``If-Match`` header. Source: RFC 6585, section 3."""

    status_code = 428
    default_detail = _lazy("Send the ETag of what you change in the header If-Match.")
    code = ErrorCode.PRECONDITION_REQUIRED.value


class IdempotencyKeyInvalid(APIException):
    """The ``Idempotency-Key`` header is missing or invalid."""

    status_code = 400
    default_detail = _lazy("Send a key of 1 to 255 ASCII characters in the header Idempotency-Key.")
    code = ErrorCode.IDEMPOTENCY_KEY_INVALID.value


class IdempotencyKeyReused(APIException):
    """The ``Idempotency-Key`` was used for a different request."""

    status_code = 422
    default_detail = _lazy("This Idempotency-Key was sent with another request.")
    code = ErrorCode.IDEMPOTENCY_KEY_REUSED.value


class IdempotencyKeyInUse(APIException):
    """The request with this ``Idempotency-Key`` is still being executed."""

    status_code = 409
    default_detail = _lazy("The request with this Idempotency-Key is being executed.")
    code = ErrorCode.IDEMPOTENCY_KEY_IN_USE.value
    wait = 1  # exception handlers put it into Retry-After


def format_error(code: str, message: Any, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return an error in the envelope format.

    Args:
        code: an ``ErrorCode``, or a code of the project's own.
        message: a sentence for people; a lazy one is translated.
        details: additional data; for invalid data, the messages by field.
    """
    return {"error": {"code": str(code), "message": str(message), "details": details or {}}}


def format_of(view: Any) -> str:
    """Return the format of a view's errors: that of the view's ``error_format``, of the settings, or the envelope.

    Raises:
        ImproperlyConfigured: there is no such format.
    """
    return known_format(getattr(view, "error_format", None)) or known_format(settings.ERROR_FORMAT) or ENVELOPE


def known_format(name: Any) -> str | None:
    """Return the name of an error format, or None.

    Raises:
        ImproperlyConfigured: there is no such format.
    """
    if name is not None and name not in FORMATS:
        raise ImproperlyConfigured(f"There is no error format {name!r}: it is one of {', '.join(map(repr, FORMATS))}.")
    chosen: str | None = name
    return chosen


def _answers_in_place(exc: Exception, context: Any) -> bool:
    return touches_no_connection() and is_light(vars(exc).get("detail"))


@nonblocking(when=_answers_in_place)
def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """Handle an exception as DRF's handler does, and answer in the error format of the view or of the settings.

    For ``REST_FRAMEWORK["EXCEPTION_HANDLER"]``, where it serves views of both colours, and DRF's own.

    Args:
        exc: the exception that a view raised.
        context: DRF's context for handlers; ``view`` and ``request`` are used.

    Returns:
        The response, with DRF's status and headers; None for exceptions that DRF doesn't handle, which are raised
        again.

    Source: DRF 3.18, views.py, ``exception_handler``; RFC 9457.
    """
    response = views.exception_handler(exc, context)  # type: ignore[arg-type]  # as DRF's own views call it
    form = DRF if response is None else format_of(context.get("view"))
    if response is None or form == DRF:
        return response
    if isinstance(exc, Http404):
        exc = drf.NotFound(*exc.args)
    elif isinstance(exc, DjangoPermissionDenied):
        exc = drf.PermissionDenied(*exc.args)
    error = _Error(exc, response.status_code)
    if form == ENVELOPE:
        response.data = format_error(error.code, error.message, error.details)
        return response
    problem = ProblemResponse(error.problem(context.get("request")), status=response.status_code)
    for name in ("WWW-Authenticate", "Retry-After"):
        if name in response.headers:
            problem[name] = response.headers[name]
    return problem


class _Error:
    """The contents of an error, in any format.

    Args:
        exc: an exception of DRF's.
        status: the status of the response.
    """

    def __init__(self, exc: Any, status: int) -> None:
        detail, is_invalid = exc.detail, isinstance(exc, drf.ValidationError)
        self.status = status
        self.code = _stable(_code_of(exc), status, is_invalid)
        self.message = str(exc.default_detail)
        self.errors: list[dict[str, str]] | None = [*_located(detail)] if is_invalid else None
        self.details: Any = getattr(exc, "details", None)
        if isinstance(detail, str):
            self.message = str(detail)
        elif is_invalid:
            self.message = _("Request validation failed.")
            self.details = _by_field(detail)
        else:
            self.details = self.details or _by_field(detail)
            if isinstance(detail, dict) and isinstance(detail.get("detail"), str):
                self.message = str(detail["detail"])
        if getattr(exc, "wait", None) and not self.details:
            self.details = {"retry_after_seconds": int(exc.wait)}

    def problem(self, request: Any) -> dict[str, Any]:
        """Return the error as problem details.

        Args:
            request: the request; None if it is unknown.
        """
        problem = {
            "type": settings.PROBLEM_TYPE.replace("{code}", quote(self.code)),
            "title": _phrase(self.status),
            "status": self.status,
            "detail": self.message,
            "instance": escape_uri_path(request.path) if request is not None else None,
            "code": self.code,
            "errors": self.errors,
            "details": None if self.errors is not None else self.details,
        }
        return {name: value for name, value in problem.items() if value is not None}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # not a registered status
        return "Error"


def _code_of(exc: Any) -> Any:
    if isinstance(exc, APIException):
        return exc.code
    return getattr(exc.detail, "code", None) or exc.default_code


def _stable(code: Any, status: int, is_invalid: bool) -> str:
    """Return the code of an error; if DRF only has ``error``, one derived from the status."""
    if is_invalid and code == drf.ValidationError.default_code:
        return ErrorCode.VALIDATION_ERROR.value
    if code != drf.APIException.default_code:
        return str(code)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return ErrorCode.INTERNAL_ERROR.value
    return _phrase(status).lower().replace(" ", "_").replace("-", "_")


def _by_field(detail: Any) -> dict[str, Any]:
    """Return error messages by field; of a list, by index, with general messages under DRF's own key."""
    if isinstance(detail, dict):
        return dict(detail)
    whole = [each for each in detail if isinstance(each, str)]
    by_index = {str(index): each for index, each in enumerate(detail) if each and not isinstance(each, str)}
    return {**({api_settings.NON_FIELD_ERRORS_KEY: whole} if whole else {}), **by_index}


def _located(detail: Any, pointer: str = "#") -> Iterator[dict[str, str]]:
    """Yield each message with its code, and a JSON pointer to the invalid part of the request's body.

    Source: RFC 9457, section 3, whose pointers are URI fragments; RFC 6901, sections 3 and 6.
    """
    if isinstance(detail, dict):
        for key, value in detail.items():
            is_whole = key == api_settings.NON_FIELD_ERRORS_KEY
            yield from _located(value, pointer if is_whole else f"{pointer}/{_token(key)}")
    elif isinstance(detail, (list, tuple)):
        for index, value in enumerate(detail):
            yield from _located(value, pointer if isinstance(value, str) else f"{pointer}/{index}")
    else:
        code = getattr(detail, "code", None) or drf.ValidationError.default_code
        yield {"detail": str(detail), "pointer": pointer, "code": str(code)}


def _token(key: Any) -> str:
    escaped = str(key).replace("~", "~0").replace("/", "~1")
    return quote(escaped, safe="~!$&'()*+,;=:@?", errors="surrogatepass")


class ProblemResponse(Response):
    """Problem details, as ``application/problem+json`` for clients that get JSON; the browsable API shows a page."""

    @property
    def content_type(self) -> str | None:
        """The media type, from the negotiated renderer; with None, DRF uses the renderer's."""
        renderer = getattr(self, "accepted_renderer", None)
        return problem_media_type(renderer.media_type) if renderer is not None else None

    @content_type.setter
    def content_type(self, value: str | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride] # DRF's
        """Ignore what DRF sets, which is None."""


def problem_media_type(media_type: str | None) -> str | None:
    """Return the media type of problem details for a renderer of ``media_type``; None if it stays the same."""
    return PROBLEM_JSON if (media_type or "").partition(";")[0].strip().lower() in _ERRORS_AS_JSON else None


# A client that asked for a stream gets errors as JSON.
_ERRORS_AS_JSON = frozenset({JSON, EventStreamRenderer.media_type, NDJSONRenderer.media_type})


# For a URLconf: handler404 = "restflow.exceptions.page_not_found".


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return a 400 for a request that Django refused, in the settings' error format; for ``handler400``.

    Source: Django, views/defaults.py, for this function and the next three.

    Source: Django, views/defaults.py, as the next three.
    """
    return _answered(request, drf.APIException(_("Bad Request"), ErrorCode.BAD_REQUEST), 400, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return a 403 for a ``PermissionDenied`` of Django's, in the settings' error format; for ``handler403``."""
    return _answered(request, drf.PermissionDenied(_said_by(exception)), 403, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return a 404 for a URL without a view, or an ``Http404``, in the settings' error format; for ``handler404``."""
    return _answered(request, drf.NotFound(_said_by(exception)), 404, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Return a 500 for an unhandled exception, in the settings' error format; for ``handler500``."""
    return _answered(request, drf.APIException(), 500)


def _said_by(exception: Exception) -> str | None:
    """Return the message of an exception; None for a URL without a view, whose exception has the patterns tried."""
    message = exception.args[0] if exception.args else None
    return message if isinstance(message, str) and message else None


def _answered(request: HttpRequest, exc: drf.APIException, status: int, *raised: Exception) -> HttpResponse:
    if request.get_preferred_type([JSON, PROBLEM_JSON, HTML]) == HTML:
        of_django: Any = {400: "bad_request", 403: "permission_denied", 404: "page_not_found", 500: "server_error"}
        answer: HttpResponse = getattr(defaults, of_django[status])(request, *raised)
        return answer
    error, form = _Error(exc, status), format_of(None)
    if form == PROBLEM:
        return JsonResponse(error.problem(request), status=status, content_type=PROBLEM_JSON)
    enveloped = form == ENVELOPE
    data = format_error(error.code, error.message, error.details) if enveloped else {"detail": error.message}
    return JsonResponse(data, status=status)
