"""``etag``: conditional requests, so that nobody overwrites a state that they have not seen.

Raises the 412 and the 428 of ``If-Match``, and tells when a 304 will do. Reads and locks one row. Called by
``generics`` and ``mixins``; Django's code interprets the headers.

An ETag has two parts: the state of the row, by the fields that the view names, and the variant, by whatever else
changes the representation. Writes compare only the state.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.http import Http404, HttpRequest
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags, quote_etag
from django.utils.translation import get_language
from rest_framework.permissions import SAFE_METHODS

from restflow.db.transactions import transacted
from restflow.exceptions import PreconditionFailed, PreconditionRequired
from restflow.flow import blocking, hook

Fields = str | Sequence[str]
"""The name of a model field, or several names."""

_HEADERS = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH")


def fields_of(etag: Any, owner: str) -> tuple[str, ...]:
    """Return the names of the fields in ``etag``.

    Args:
        etag: the attribute's value.
        owner: the name of the attribute's owner, for the error message.

    Raises:
        ImproperlyConfigured: it is not a name or a list of names.
    """
    names = (etag,) if isinstance(etag, str) else etag
    if names is None:
        return ()
    if isinstance(names, (list, tuple)) and names and all(isinstance(name, str) for name in names):
        return tuple(names)
    raise ImproperlyConfigured(f"{owner}.etag must be the name of a field or a list of names, got {etag!r}.")


def _fields(view: Any) -> tuple[str, ...]:
    return fields_of(getattr(view, "etag", None), type(view).__name__)


async def etag_header(view: Any, instance: Any) -> dict[str, str]:
    """Return the header with the ETag of an instance as it is in memory; empty if the view has no ``etag``.

    Args:
        instance: what the response represents.
    """
    fields = _fields(view)
    if not fields or not hasattr(instance, "_meta"):
        return {}
    etag = await blocking(_etag, view, instance, fields)
    return {} if etag is None else {"ETag": etag}


def is_fresh(view: Any, headers: dict[str, str]) -> bool:
    """Tell whether the client already has the representation (``If-None-Match``).

    Args:
        headers: what ``etag_header`` returned.

    Raises:
        PreconditionFailed: the request has an ``If-Match`` with another ETag.
    """
    if "ETag" not in headers:
        return False
    answer = get_conditional_response(_http(view), headers["ETag"])
    if answer is not None and answer.status_code != 304:
        raise PreconditionFailed
    return answer is not None


async def check(view: Any, instance: Any) -> None:
    """Check the precondition; the implementation of ``check_precondition``."""
    fields, request = _fields(view), _http(view)
    # Django's request, because for OPTIONS DRF's metadata asks with a clone of the view's that has another method.
    if not fields or request.method in SAFE_METHODS:
        return
    if view.precondition_required and "HTTP_IF_MATCH" not in request.META:
        raise PreconditionRequired
    if any(header in request.META for header in _HEADERS):
        await blocking(_compare, request, instance, fields)


async def if_unmodified(view: Any, instance: Any, write: Callable[[], Awaitable[Any]]) -> Any:
    """Run a flow that writes an instance, in one transaction with the check that the client has seen its state.

    Args:
        write: returns the flow.

    Returns:
        What the flow returned.

    Raises:
        PreconditionFailed: the instance has changed.
        PreconditionRequired: the request has no ``If-Match``.
    """

    async def checked() -> Any:
        await hook(view, "check_precondition", instance)
        return await write()

    if not _fields(view):
        return await write()
    alias = getattr(getattr(instance, "_state", None), "db", None)
    if alias is None or not any(header in _http(view).META for header in _HEADERS):
        return await checked()
    return await transacted((alias,), checked, by_requests=False)


def _http(view: Any) -> HttpRequest:
    request = view.request
    http: HttpRequest = getattr(request, "_request", request)
    return http


def _compare(request: HttpRequest, instance: Any, fields: Sequence[str]) -> None:
    """Compare an instance with what the client has seen, and with its row, which is locked if possible."""
    state = _state(instance, fields)
    if state is None or state != _state_of_row(instance, fields):
        raise PreconditionFailed
    if "HTTP_IF_MATCH" in request.META and not parse_etags(request.META["HTTP_IF_MATCH"]):
        raise PreconditionFailed  # the header has no valid ETag (quotes are missing, say), so none can match
    # The ETag of this state, for whichever representation the client has seen.
    given = [each for header in _HEADERS for each in parse_etags(request.META.get(header, ""))]
    current = next((each for each in given if each.startswith(f'"{state}-')), quote_etag(state))
    if get_conditional_response(request, current) is not None:
        raise PreconditionFailed


def _state_of_row(instance: Any, fields: Sequence[str]) -> str | None:
    alias = getattr(getattr(instance, "_state", None), "db", None)
    if alias is None:  # not read from a database: there is no row to compare with
        return _state(instance, fields)
    model = type(instance)
    rows = model._base_manager.using(alias)
    if connections[alias].in_atomic_block:
        rows = rows.select_for_update(of=("self",) if connections[alias].features.has_select_for_update_of else ())
    try:
        return _state(rows.get(pk=instance.pk), fields)
    except model.DoesNotExist:
        raise Http404 from None


def _etag(view: Any, instance: Any, fields: Sequence[str]) -> str | None:
    state, request = _state(instance, fields), view.request
    if state is None:
        return None
    renderer = getattr(request, "accepted_renderer", None)
    media_type = getattr(renderer, "media_type", None)
    user = getattr(getattr(request, "user", None), "pk", None)
    version = getattr(request, "version", None)
    return quote_etag(f"{state}-{_digest(media_type, user, version, get_language())[:8]}")


def _state(instance: Any, fields: Sequence[str]) -> str | None:
    """Return a digest of an instance's state; None if a value is an expression that only the database can evaluate."""
    values = [getattr(instance, name) for name in fields]
    if any(hasattr(value, "resolve_expression") for value in values):
        return None
    return _digest(instance._meta.label_lower, instance.pk, *map(_written, values))


def _written(value: Any) -> Any:
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.UTC)
    return value


def _digest(*values: Any) -> str:
    return hashlib.sha256("\0".join(map(str, values)).encode(errors="surrogatepass")).hexdigest()[:24]
