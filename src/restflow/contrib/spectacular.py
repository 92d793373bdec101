"""OpenAPI by drf-spectacular, including what only restflow's views declare.

Calls the getters of views that drf-spectacular creates, without a request. Called when a schema is generated.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular import authentication as schemes
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import pagination, permissions, throttling
from rest_framework.generics import GenericAPIView
from rest_framework.mixins import RetrieveModelMixin
from rest_framework.views import exception_handler as drfs_exception_handler
from uritemplate import variables

from restflow.contrib.error_schemas import SCHEMAS
from restflow.exceptions import DRF, PROBLEM, exception_handler, format_of, problem_media_type
from restflow.flow import hook, run
from restflow.flow.trust import is_drfs, is_ours
from restflow.pagination import FastPageNumberPagination
from restflow.responses import EventStreamRenderer, NDJSONRenderer
from restflow.views import OFF
from restflow.views.helpers import Helpers, build
from restflow.views.idempotency import REQUIRED

__all__ = ["RestflowAutoSchema"]
__dir__ = __all__.copy


class RestflowAutoSchema(AutoSchema):
    """drf-spectacular's ``AutoSchema``, with separate serializers for requests and responses, and error responses.

    It describes views of DRF's and restflow's. As in ``AutoSchema``, ``@extend_schema`` takes precedence.
    """

    _answers_by_its_view = False
    _has_body = False

    def get_request_serializer(self) -> Any:
        """Return the serializer for requests; None if the view only has one for responses."""
        return self._by_direction("request")

    def get_response_serializers(self) -> Any:
        """Return the serializer for responses; None if the view only has one for requests."""
        self._answers_by_its_view = True
        return self._by_direction("response")

    def get_error_responses(self) -> dict[str, Any]:
        """Return the error responses, by status; override it to describe others, or none.

        Returns:
            400 if the request has a body, 401 and 403 if authentication or permissions may refuse, 404 if the URL has
            parameters or the list has pages, 429 if the view is throttled, and those of ``etag`` and
            ``idempotency_key``. Responses that ``@extend_schema`` describes are kept.
        """
        refusals = self._refusals()
        names_something = bool(set(variables(self.path)) - {"format"})
        errors = {
            "400": (self._has_body or self._executes_once(), "The data are not valid."),
            "401": ("401" in refusals, "Credentials are missing or wrong."),
            "403": ("403" in refusals, "Not permitted."),
            "404": (names_something or self._has_pages(), "Not found."),
            "409": (self._executes_once(), "The request with this Idempotency-Key is being executed."),
            "412": (self._writes_conditionally(), "It is not as the client has seen it."),
            "422": (self._executes_once(), "This Idempotency-Key was sent with another request."),
            "428": (self._writes_conditionally() and self._requires_if_match(), "If-Match is missing."),
            "429": (self._is_throttled(), "Too many requests."),
        }
        return {
            status: OpenApiResponse(self._error(status), description)
            for status, (happens, description) in errors.items()
            if happens
        }

    def get_override_parameters(self) -> Any:
        """Return the headers of conditional requests (``etag``) and the ``Idempotency-Key``."""
        parameters = list(super().get_override_parameters())
        if self._executes_once():
            view: Any = self.view
            is_required = view.idempotency_key == REQUIRED
            parameters.append(_header("Idempotency-Key", "The same where this is sent again.", required=is_required))
        if self._writes_conditionally():
            parameters.append(
                _header("If-Match", "The ETag of what is to be changed.", required=self._requires_if_match())
            )
        elif self._reads_conditionally():
            parameters.append(_header("If-None-Match", "The ETag of what the client has."))
        return parameters

    def _executes_once(self) -> bool:
        is_unsafe = self.method not in permissions.SAFE_METHODS
        return is_unsafe and getattr(self.view, "idempotency_key", None) is not None

    def _writes_conditionally(self) -> bool:
        """Tell whether the operation changes the instance that the URL identifies, subject to ``If-Match``."""
        of_one = self.method in ("PUT", "PATCH", "DELETE") or getattr(self.view, "detail", False)
        return bool(getattr(self.view, "etag", None)) and of_one and self.method not in permissions.SAFE_METHODS

    def _requires_if_match(self) -> bool:
        return bool(getattr(self.view, "precondition_required", False))

    def _reads_conditionally(self) -> bool:
        """Tell whether the operation retrieves an instance that the client may already have."""
        view = self.view
        retrieves = isinstance(view, RetrieveModelMixin) and getattr(view, "action", "retrieve") == "retrieve"
        return retrieves and self.method == "GET" and bool(getattr(view, "etag", None))

    def _error_format(self) -> str | None:
        """Return the format of the view's errors; None if it has another exception handler, whose format is unknown."""
        handler = _asked(self.view, "get_exception_handler")
        if handler is drfs_exception_handler:
            return DRF
        return format_of(self.view) if handler is exception_handler else None

    def _by_direction(self, direction: str) -> Any:
        view = self.view
        if not isinstance(view, Helpers):
            return self._get_serializer()
        try:
            context: Any = _asked(view, "get_context")
        except Exception:  # the method needs a request, and here is none
            context = {"request": view.request, "view": view}
        try:
            if not any(run(_class_of(view, each)) for each in ("request", "response")):
                return self._get_serializer()  # which reports the missing serializer
            return run(build(view, direction, context=context)) if run(_class_of(view, direction)) else None
        except Exception:
            return self._get_serializer()

    def _get_request_body(self, direction: Any = "request") -> Any:
        body = super()._get_request_body(direction)
        self._has_body = bool(body)
        return body

    def _get_response_for_code(self, *args: Any, **kwargs: Any) -> Any:
        response: Any = super()._get_response_for_code(*args, **kwargs)
        if "content" in response:
            status = str(args[1] if len(args) > 1 else kwargs["status_code"])
            response["content"] = _with_streams(response["content"], is_success=status.startswith("2"))
        return response

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        if direction == "response":  # a callback's response comes from somebody else's server
            media_types = self.map_renderers("media_type")
            if self._error_format() == PROBLEM:
                media_types = [problem_media_type(each) or each for each in media_types]
            for status, response in self.get_error_responses().items():
                if status not in bodies:
                    bodies[status] = self._get_response_for_code(response, status, media_types)
            for status in bodies.keys() & ({"409", "429"} if self._executes_once() else {"429"}):
                _add_header(bodies[status], "Retry-After", "integer", "Seconds to wait.")
            if self._reads_conditionally():
                bodies.setdefault("304", {"description": "The client has it already."})
            if self._reads_conditionally() or self._writes_conditionally():
                for status in bodies.keys() & {"200", "304"}:
                    _add_header(bodies[status], "ETag", "string", "What tells this state from another.")
        return bodies

    def _error(self, status: str) -> dict[str, Any] | None:
        """Return the schema of an error, for the view's error format."""
        form = self._error_format()
        if form is None:
            return None
        name, schema = SCHEMAS[form, status] if (form, status) in SCHEMAS else SCHEMAS[form, ""]
        component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, object=name, schema=schema)
        self.registry.register_on_missing(component)
        reference: dict[str, Any] = component.ref
        return reference

    def _is_list_view(self, serializer: Any = None) -> bool:
        if serializer is None:
            self._answers_by_its_view = False
            serializer = self.get_response_serializers()
        if super()._is_list_view(serializer):
            return True
        # Only lists are paginated, and a plain view can't say in another way that it returns one.
        view = self.view
        is_plain = isinstance(view, Helpers) and not isinstance(view, GenericAPIView) and not hasattr(view, "action")
        return is_plain and self.method == "GET" and self._answers_by_its_view and self._pagination_class() is not None

    def _pagination_class(self) -> Any:
        chosen = _asked(self.view, "get_pagination_class") if isinstance(self.view, Helpers) else None
        return None if chosen is OFF else chosen

    def _get_paginator(self) -> Any:
        if not isinstance(self.view, Helpers):
            return super()._get_paginator()
        chosen = self._pagination_class()
        return chosen and chosen()

    def _has_pages(self) -> bool:
        """Tell whether a request for a missing page is a 404; for DRF's offsets it is an empty page."""
        by_name = (pagination.PageNumberPagination, pagination.CursorPagination)
        return self._is_list_view() and isinstance(self._get_paginator(), by_name)

    def get_paginated_name(self, serializer_name: str) -> str:
        """Return the name of the schema of a page; pages without a count have a schema of their own.

        Args:
            serializer_name: the name of an item's schema.
        """
        name = super().get_paginated_name(serializer_name)
        return f"Uncounted{name}" if isinstance(self._get_paginator(), FastPageNumberPagination) else name

    def get_auth(self) -> Any:
        """Return the security requirements, including an empty one if authentication is optional."""
        auths = super().get_auth()
        asked = self.view.get_permissions()
        # One permission that admits anonymous users is enough, as in drf-spectacular; others may be about objects.
        if {} not in auths and auths and (not asked or len(self._refusing()) < len(asked)):
            auths.append({})
        return auths

    def _refusing(self) -> list[Any]:
        """Return the permissions that may refuse this method."""
        is_safe = self.method in permissions.SAFE_METHODS
        harmless: tuple[type, ...] = (permissions.AllowAny,)
        if is_safe:
            harmless += (permissions.IsAuthenticatedOrReadOnly, permissions.DjangoModelPermissionsOrAnonReadOnly)
        return [each for each in self.view.get_permissions() if not _is_as_drf(each, harmless)]

    def _refusals(self) -> set[str]:
        """Return the statuses with which DRF refuses this method. Source: DRF 3.18, views.py, ``handle_exception``."""
        refusing = self._refusing()
        authenticators = self.view.get_authenticators()
        statuses = set()
        challenges = bool(authenticators) and _challenges(authenticators[0], self.view.request)
        if challenges:
            statuses.add("401")
        asks_more = [each for each in refusing if not _is_as_drf(each, _ASK_A_USER)]
        is_refused = refusing or (authenticators and self.method not in permissions.SAFE_METHODS)
        if asks_more or (is_refused and not challenges):
            statuses.add("403")
        return statuses

    def _is_throttled(self) -> bool:
        return any(_has_a_rate(throttle, self.view) for throttle in self.view.get_throttles())


def _header(name: str, description: str, *, required: bool = False) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, required=required, description=description)


def _add_header(response: dict[str, Any], name: str, kind: str, description: str) -> None:
    """Describe a header of a response, unless ``@extend_schema`` does."""
    header = {"schema": {"type": kind}, "description": description}
    response["headers"] = {name: header, **response.get("headers", {})}


def _with_streams(content: dict[str, Any], *, is_success: bool) -> dict[str, Any]:
    """Describe streamed content by its items; an error is JSON, whatever the client accepts."""
    described: dict[str, Any] = {}
    for media_type, body in content.items():
        if media_type not in _STREAMED:
            described[media_type] = body
        elif not is_success:
            described.setdefault("application/json", body)
        else:
            schema = body.get("schema", {})
            item = schema.get("items", schema)
            described[media_type] = {**body, "schema": _STREAMED[media_type](item)}
    return described


def _event_of(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": "One server-sent event of the stream, by its fields; `data` is sent as JSON.",
        "properties": {
            "data": item,
            "event": {"type": "string"},
            "id": {"type": "string"},
            "retry": {"type": "integer", "description": "Milliseconds."},
        },
        "required": ["data"],
    }


def _line_of(item: dict[str, Any]) -> dict[str, Any]:
    return item


_STREAMED = {EventStreamRenderer.media_type: _event_of, NDJSONRenderer.media_type: _line_of}

_ASK_A_USER = (permissions.IsAuthenticated, permissions.IsAuthenticatedOrReadOnly)


def _is_as_drf(component: Any, classes: tuple[type, ...]) -> bool:
    """Tell whether ``component`` is of one of DRF's ``classes``, or of restflow's class of the same name."""
    cls = type(component)
    return isinstance(component, classes) and (is_drfs(cls) or is_ours(cls))


def _challenges(authenticator: Any, request: Any) -> bool:
    try:
        return bool(_asked(authenticator, "authenticate_header", request))
    except Exception:  # it reads the request, which is missing here: so it does send a challenge
        return True


def _has_a_rate(throttle: Any, view: Any) -> bool:
    if isinstance(throttle, throttling.ScopedRateThrottle):
        return bool(getattr(view, throttle.scope_attr, None))
    if not isinstance(throttle, throttling.SimpleRateThrottle):
        return True
    return bool(getattr(throttle, "rate", None) or _asked(throttle, "get_rate"))


async def _ask(obj: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    return await hook(obj, name, *args, **kwargs)


def _asked(obj: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    return run(_ask(obj, name, *args, **kwargs))


async def _class_of(view: Any, direction: str) -> Any:
    return await hook(view, f"get_{direction}_serializer_class")


class SessionScheme(schemes.SessionScheme):
    """The security scheme of restflow's ``SessionAuthentication`` and its subclasses."""

    target_class = "restflow.authentication.SessionAuthentication"
    match_subclasses = True
    priority = -1  # below the project's own extensions


class BasicScheme(schemes.BasicScheme):
    """The security scheme of restflow's ``BasicAuthentication`` and its subclasses."""

    target_class = "restflow.authentication.BasicAuthentication"
    match_subclasses = True
    priority = -1


class TokenScheme(schemes.TokenScheme):
    """The security scheme of restflow's ``TokenAuthentication`` and its subclasses."""

    target_class = "restflow.authentication.TokenAuthentication"
    match_subclasses = True
    priority = -1
