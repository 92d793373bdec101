"""``idempotency_key``: a repeated write is executed once, and answered as it was the first time.

Wraps the handler of one request, after all checks, and stores responses in Django's cache. Called by ``base`` and
``async_base``. The cache's atomic ``add`` decides which request executes, across processes if they share the cache.

Source: IETF draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib
import logging
from itertools import chain
from typing import Any, NamedTuple
from uuid import uuid4

from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured, RequestDataTooBig
from django.http import HttpResponse
from django.http.request import RawPostDataException
from django.utils.datastructures import MultiValueDict
from rest_framework.permissions import SAFE_METHODS

from restflow.exceptions import IdempotencyKeyInUse, IdempotencyKeyInvalid, IdempotencyKeyReused
from restflow.flow import blocking, call, sync
from restflow.request import has_body
from restflow.settings import settings
from restflow.views.handlers import prepare_body

OPTIONAL, REQUIRED = "optional", "required"
_LONGEST = 255
_logger = logging.getLogger("restflow.idempotency")


def known_mode(mode: Any, owner: str) -> str | None:
    """Return the value of ``idempotency_key``, or refuse it.

    Args:
        mode: the attribute's value.
        owner: the name of the attribute's owner, for the error message.

    Raises:
        ImproperlyConfigured: the value is unknown.
    """
    if mode not in (None, OPTIONAL, REQUIRED):
        raise ImproperlyConfigured(f"{owner}.idempotency_key must be 'optional', 'required' or None, got {mode!r}.")
    chosen: str | None = mode
    return chosen


def execute_once(view: Any, method: str | None) -> None:
    """Make the handler of a request run once for each ``Idempotency-Key``, if the view declares ``idempotency_key``.

    Runs nothing itself: it replaces the handler on the view, which lives for one request.

    Args:
        view: a view whose action has been set.
        method: the request's method.
    """
    mode = known_mode(getattr(view, "idempotency_key", None), type(view).__name__)
    name = (method or "").lower()
    if mode is not None and method not in SAFE_METHODS and hasattr(view, name):
        vars(view)[name] = _Once(getattr(view, name), mode).handle


class _Answer(NamedTuple):
    """What the cache stores for a key."""

    fingerprint: str
    token: str
    status: int = 0
    """0 while the request is being executed."""
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes = b""


class _Once:
    """Replaces a handler for one request.

    Args:
        handler: the view's handler.
        mode: whether a key is required.
    """

    def __init__(self, handler: Any, mode: str) -> None:
        self._handler = handler
        self._mode = mode
        self._key = ""
        self._claim = _Answer("", "")

    @sync
    async def handle(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Run the handler, or return the stored response of an earlier request with the same key.

        Raises:
            IdempotencyKeyInvalid: the key is missing or invalid.
            IdempotencyKeyReused: the key was sent with a different request.
            IdempotencyKeyInUse: the request with this key is still being executed.
        """
        key = _key_of(request, self._mode)
        if key is not None and (answer := await blocking(self._begin, request, key)) is not None:
            response = HttpResponse(answer.content, status=answer.status, headers=dict(answer.headers))
            response["Idempotent-Replayed"] = "true"
            return response
        if has_body(request):
            await prepare_body(request, self._handler)
        if key is None:
            return await call(self._handler, request, *args, **kwargs)
        try:
            response = await call(self._handler, request, *args, **kwargs)
            if getattr(response, "streaming", False):
                raise TypeError("A stream can't be stored: an action with idempotency_key returns a whole response.")
        except Exception:
            await blocking(self._give_up)
            raise
        await blocking(self._await_content, response)
        return response

    def _begin(self, request: Any, key: str) -> _Answer | None:
        """Claim the key for this request; return what is stored for an earlier one."""
        self._key = f"restflow.idempotency.{_digest(_client_of(request), key)}"
        self._claim = _Answer(_fingerprint(request), uuid4().hex)
        cache = caches[settings.IDEMPOTENCY_CACHE]
        if cache.add(self._key, tuple(self._claim), timeout=settings.IDEMPOTENCY_LOCK):
            return None
        found = cache.get(self._key)
        if found is None:  # the other request gave up its claim meanwhile
            raise IdempotencyKeyInUse
        answer = _Answer(*found)
        if answer.fingerprint != self._claim.fingerprint:
            raise IdempotencyKeyReused
        if not answer.status:
            raise IdempotencyKeyInUse
        return answer

    def _await_content(self, response: Any) -> None:
        """Store the response once it is rendered, which is after the transactions of the view and ATOMIC_REQUESTS."""
        if response.status_code >= 500:
            self._give_up()
        elif hasattr(response, "add_post_render_callback") and not response.is_rendered:
            response.add_post_render_callback(self.store)
        else:
            response._resource_closers.append(lambda: self._store(response))

    @sync
    async def store(self, response: Any) -> None:
        """Store a rendered response."""
        await blocking(self._store, response)

    def _store(self, response: Any) -> None:
        headers = tuple((name, str(value)) for name, value in response.items())
        answer = self._claim._replace(status=response.status_code, headers=headers, content=bytes(response.content))
        try:
            if self._is_ours():
                caches[settings.IDEMPOTENCY_CACHE].set(self._key, tuple(answer), timeout=settings.IDEMPOTENCY_LIFETIME)
        except Exception:  # the handler has run, so its response must still be sent
            _logger.exception("The answer to a request with an Idempotency-Key could not be stored.")

    def _give_up(self) -> None:
        if self._is_ours():
            caches[settings.IDEMPOTENCY_CACHE].delete(self._key)

    def _is_ours(self) -> bool:
        """Tell whether this request still holds the key: its claim expires if executing it takes too long."""
        found = caches[settings.IDEMPOTENCY_CACHE].get(self._key)
        return found is not None and _Answer(*found).token == self._claim.token


def _key_of(request: Any, mode: str) -> str | None:
    key: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None and mode == OPTIONAL:
        return None
    if not key or len(key) > _LONGEST or not key.isascii() or not key.isprintable():
        raise IdempotencyKeyInvalid
    return key


def _client_of(request: Any) -> str:
    """Return the identity that the keys belong to: the user or, without one in a database, the request's credentials.

    On each host its own, because the users of two tenants may have the same primary keys.
    """
    http, user = request._request, request.user
    name = ""
    if user is not None and user.is_authenticated:
        if user.pk is not None:
            return f"{http.get_host()} user {_named(user)}"
        name = str(user.get_username() if hasattr(user, "get_username") else "")
    session = getattr(getattr(http, "session", None), "session_key", None)
    credentials = (http.META.get("HTTP_AUTHORIZATION", ""), _named(request.auth), session, name)
    return f"{http.get_host()} credentials {credentials!r}"


def _named(value: Any) -> str:
    """Return what identifies a user, or the object (a token, say) that it was authenticated by."""
    if getattr(value, "pk", None) is not None:
        return f"{value._meta.label if hasattr(value, '_meta') else type(value).__qualname__} {value.pk}"
    return value if isinstance(value, str) else ""


def _fingerprint(request: Any) -> str:
    http = request._request
    return _digest(http.method, http.get_full_path(), _body_of(request))


def _body_of(request: Any) -> str:
    """Return the digest of a body; if it can't be read twice, the digest of the parsed data."""
    digest, http = hashlib.sha256(), request._request
    try:
        if http.content_type != "multipart/form-data":
            digest.update(http.body)
            return digest.hexdigest()
    except (RequestDataTooBig, RawPostDataException):
        pass
    digest.update(repr(request.data).encode(errors="surrogatepass"))  # an uploaded file's repr is its name
    files = request.FILES
    # DRF's FileUploadParser sets a plain dict.
    lists = [each for _, each in files.lists()] if isinstance(files, MultiValueDict) else [files.values()]
    for file in chain.from_iterable(lists):
        for chunk in file.chunks():
            digest.update(chunk)
        file.seek(0)
    return digest.hexdigest()


def _digest(*values: Any) -> str:
    return hashlib.sha256("\0".join(map(str, values)).encode(errors="surrogatepass")).hexdigest()
