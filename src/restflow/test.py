"""Test client, request factory and test cases for async views: DRF's ``rest_framework.test``, with methods to await.

DRF's own code encodes the data, so a view gets the same request as from DRF's ``APIClient``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import LimitedStream, get_bytes_from_wsgi, get_path_info, get_script_name
from django.test import AsyncClient, AsyncRequestFactory, RequestFactory
from django.test.client import AsyncClientHandler
from rest_framework import test as drf
from rest_framework.test import force_authenticate

from restflow.queries import CountsQueries
from restflow.streams import StreamedResponse
from restflow.streams.reading import ACCEPTED, read

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser
    from django.http.response import HttpResponseBase
    from django.urls import ResolverMatch
    from rest_framework.response import Response

    _User = AbstractBaseUser | AnonymousUser | None

    class _Response(Response):
        """DRF's response, as most are, with the attributes that Django's client adds."""

        asgi_request: ASGIRequest
        client: AsyncAPIClient
        context: Any
        exc_info: Any
        redirect_chain: list[tuple[str, int]]
        request: dict[str, Any]
        resolver_match: ResolverMatch
        templates: list[Any]

        def json(self, **kwargs: Any) -> Any:
            """Return the JSON of the body."""


__all__ = [
    "AsyncAPIClient",
    "AsyncAPILiveServerTestCase",
    "AsyncAPIRequestFactory",
    "AsyncAPISimpleTestCase",
    "AsyncAPITestCase",
    "AsyncAPITransactionTestCase",
    "force_authenticate",
]
__dir__ = __all__.copy

# Keys of a WSGI environment that Django's ASGIRequest sets itself.
_WORKED_OUT = frozenset({"PATH_INFO", "QUERY_STRING", "REQUEST_METHOD", "SCRIPT_NAME", "path"})
# Keys that a server sets, not a client (RFC 3875, section 4.1).
_SERVERS_OWN = frozenset(
    {
        "AUTH_TYPE",
        "GATEWAY_INTERFACE",
        "HTTPS",
        "PATH_TRANSLATED",
        "REDIRECT_URL",
        "REMOTE_ADDR",
        "REMOTE_HOST",
        "REMOTE_IDENT",
        "REMOTE_PORT",
        "REMOTE_USER",
        "SCRIPT_URL",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "SERVER_SOFTWARE",
    }
)


def _headers(environ: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """Return the headers in a WSGI environment; ``AUTHORIZATION`` counts as one, as in Django's async client."""
    return [
        # As with DRF's client, a value that HTTP can't transport is still in META.
        (name.removeprefix("HTTP_").lower().replace("_", "-").encode(), str(value).encode("latin-1", "replace"))
        for name, value in environ.items()
        if name not in _SERVERS_OWN
    ]


class _EnvironRequestFactory(AsyncRequestFactory):
    """Django's ``AsyncRequestFactory``, with a WSGI environment as input, like DRF's use of ``RequestFactory``."""

    if TYPE_CHECKING:

        def _base_environ(self, **request: Any) -> dict[str, Any]: ...

    def generic(self, *args: Any, **kwargs: Any) -> Any:
        return RequestFactory.generic(self, *args, **kwargs)  # type: ignore[arg-type]  # its own base, not in the stubs

    def request(self, **environ: Any) -> ASGIRequest:
        scope = self._base_scope(**environ)
        body: Any = scope.pop("_body_file")
        stream: Any = LimitedStream(body, len(body))
        request = ASGIRequest(scope, stream)
        request.META.update(scope.pop("_meta"))
        return request

    def _base_scope(self, **request: Any) -> dict[str, Any]:
        environ = self._base_environ(**request)
        script_name, path_info = get_script_name(environ), get_path_info(environ) or "/"
        given = {
            name: value
            for name, value in {**self.defaults, **request}.items()
            if name not in _WORKED_OUT and not name.startswith("wsgi.")
        }
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": environ["REQUEST_METHOD"],
            "scheme": environ["wsgi.url_scheme"],
            "root_path": script_name,
            "path": f"{script_name.rstrip('/')}/{path_info.replace('/', '', 1)}",
            "query_string": get_bytes_from_wsgi(environ, "QUERY_STRING", ""),
            "headers": _headers({"HTTP_COOKIE": environ["HTTP_COOKIE"], **given}),
            "client": (environ["REMOTE_ADDR"], 0),
            "server": (environ["SERVER_NAME"], environ["SERVER_PORT"]),
            "_body_file": environ["wsgi.input"],
            "_meta": given,
        }


class AsyncAPIRequestFactory(drf.APIRequestFactory, _EnvironRequestFactory):  # type: ignore[misc]  # makes ASGI requests
    """Creates requests to pass to a view directly: ``await view(request)``.

    Its methods and their arguments are those of DRF's ``APIRequestFactory``, but the requests are ASGI requests. CSRF
    is not enforced, unless ``enforce_csrf_checks=True``.

    Source: DRF 3.18, test.py, ``APIRequestFactory``.
    """


class ForceAuthAsyncClientHandler(AsyncClientHandler):
    """Passes on a request with the user that its client forces, and with DRF's META."""

    async def get_response_async(self, request: Any) -> HttpResponseBase:
        """Handle a request.

        Args:
            request: the request that the client created.
        """
        scope = request.scope
        request.META.update(scope.pop("_meta"))
        force_authenticate(request, *scope.pop("_forced"))
        return await super().get_response_async(request)


class AsyncAPIClient(AsyncAPIRequestFactory, AsyncClient):  # pyright: ignore[reportGeneralTypeIssues]  # awaited
    """DRF's ``APIClient``, with requests that are awaited and go through Django's ASGI handler.

    Its methods and their arguments are those of DRF's ``APIClient``. Besides ``login``, ``force_login`` and ``logout``,
    it has Django's ``alogin``, ``aforce_login`` and ``alogout``, for async tests.

    Args:
        enforce_csrf_checks: whether CSRF is enforced.
        defaults: more arguments of Django's ``AsyncClient`` (``headers``, ``raise_request_exception``, …), and entries
            for every request's META.

    Source: DRF 3.18, test.py, ``APIClient``.
    """

    def __init__(self, enforce_csrf_checks: bool = False, **defaults: Any) -> None:
        super().__init__(**defaults)
        self.handler = ForceAuthAsyncClientHandler(enforce_csrf_checks)
        self._forced: tuple[_User, Any] = (None, None)
        self._credentials: dict[str, Any] = {}

    def credentials(self, **kwargs: Any) -> None:
        """Set the headers of all later requests, replacing those set before.

        Args:
            kwargs: the values, by their names in META (``HTTP_AUTHORIZATION``).
        """
        self._credentials = kwargs

    def force_authenticate(self, user: _User = None, token: Any = None) -> None:
        """Authenticate all later requests, whatever authenticators the view has.

        Without arguments, the client is reset: it has no forced user, no credentials and no cookies. The session of a
        login stays in its store, because this is not a coroutine; ``alogout`` deletes it.

        Args:
            user: the value of ``request.user``.
            token: the value of ``request.auth``.
        """
        self._forced = (user, token)
        if user is None and token is None:
            self._credentials = {}
            self.cookies = SimpleCookie()

    def logout(self) -> None:
        """Log out in a sync test: delete the session, and clear cookies, credentials and the forced user."""
        super().logout()
        self.force_authenticate()

    async def alogout(self) -> None:
        """Log out: delete the session, and clear cookies, credentials and the forced user."""
        await super().alogout()
        self.force_authenticate()

    def _base_scope(self, **request: Any) -> dict[str, Any]:
        # Copied: changes made while a request runs apply to the next one.
        return {**super()._base_scope(**request), "_forced": self._forced}

    async def request(self, **environ: Any) -> _Response:  # type: ignore[override]  # awaited
        """Send a request.

        Args:
            environ: the WSGI environment of the request, without the entries that are the same for all.

        Returns:
            The response, with ``data`` if it is DRF's, ``json()`` and the other attributes that Django's client adds.

        Raises:
            Exception: an unhandled exception of the view, unless ``raise_request_exception=False``.
        """
        environ.update(self._credentials)
        environ["path"] = get_path_info(environ)  # Django's client resolves it for response.resolver_match
        response: Any = await AsyncClient.request(self, **environ)  # not super(), which is the request factory's
        answer: _Response = response
        return answer

    async def _send(self, method: str, path: str, follow: bool, **sent: Any) -> _Response:
        response: _Response = await getattr(super(), method)(path, **sent)
        return await self._ahandle_redirects(response, **sent) if follow else response

    if TYPE_CHECKING:

        async def generic(  # type: ignore[override]  # awaited
            self,
            method: str,
            path: str,
            data: Any = "",
            content_type: str | None = "application/octet-stream",
            secure: bool = False,
            **extra: Any,
        ) -> _Response:
            """Send data unchanged."""
            ...

        async def _ahandle_redirects(self, response: _Response, **sent: Any) -> _Response: ...

    async def stream(
        self, path: str, data: Any = None, *, method: str = "get", **extra: Any
    ) -> AsyncGenerator[Any, None]:
        """Send a request, and yield the items of the streamed response, as they are produced.

        To stop before the end, close this generator (``contextlib.aclosing``), which also ends the view's.

        Args:
            data: the same as for the method: the query of a GET, the data of a POST.
            method: the HTTP method.
            extra: more arguments of the method. Without an ``Accept`` header, all stream formats are accepted.

        Yields:
            Server-sent events as ``ServerSentEvent`` objects, with strings as data; the items of NDJSON and JSON lists.

        Raises:
            AssertionError: the response is not a stream; the message has its status and body.
        """
        if "HTTP_ACCEPT" not in extra and "accept" not in map(str.lower, extra.get("headers") or {}):
            extra["HTTP_ACCEPT"] = ACCEPTED
        response: Any = await self._send(method, path, False, data=data, **extra)
        assert response.streaming, f"{response.status_code}, and no stream: {response.content.decode(errors='replace')}"
        try:
            async for item in read(response["Content-Type"], response):
                yield item
        finally:
            if isinstance(response, StreamedResponse):
                await response.parts.aclose()

    async def get(  # type: ignore[override]  # awaited
        self, path: str, data: Any = None, follow: bool = False, **extra: Any
    ) -> _Response:
        """Send GET.

        Args:
            data: the query, as a dict; by default that of ``path``.
            follow: whether to follow redirects.
            extra: ``headers``, ``query_params``, ``secure``, and entries of META.
        """
        return await self._send("get", path, follow, data=data, **extra)

    async def post(  # type: ignore[override]  # awaited
        self,
        path: str,
        data: Any = None,
        format: str | None = None,
        content_type: str | None = None,
        follow: bool = False,
        **extra: Any,
    ) -> _Response:
        """Send POST.

        Args:
            data: the data to send.
            format: the renderer that encodes it (``"json"``, ``"multipart"``); ``TEST_REQUEST_DEFAULT_FORMAT`` by
                default.
            content_type: the media type, if ``data`` is already encoded, instead of ``format``.
            follow: whether to follow redirects.
            extra: ``headers``, ``query_params``, ``secure``, and entries of META.
        """
        return await self._send("post", path, follow, data=data, format=format, content_type=content_type, **extra)

    async def put(  # type: ignore[override]  # awaited
        self,
        path: str,
        data: Any = None,
        format: str | None = None,
        content_type: str | None = None,
        follow: bool = False,
        **extra: Any,
    ) -> _Response:
        """Send PUT; arguments and result are those of ``post``."""
        return await self._send("put", path, follow, data=data, format=format, content_type=content_type, **extra)

    async def patch(  # type: ignore[override]  # awaited
        self,
        path: str,
        data: Any = None,
        format: str | None = None,
        content_type: str | None = None,
        follow: bool = False,
        **extra: Any,
    ) -> _Response:
        """Send PATCH; arguments and result are those of ``post``."""
        return await self._send("patch", path, follow, data=data, format=format, content_type=content_type, **extra)

    async def delete(  # type: ignore[override]  # awaited
        self,
        path: str,
        data: Any = None,
        format: str | None = None,
        content_type: str | None = None,
        follow: bool = False,
        **extra: Any,
    ) -> _Response:
        """Send DELETE; arguments and result are those of ``post``."""
        return await self._send("delete", path, follow, data=data, format=format, content_type=content_type, **extra)

    async def options(  # type: ignore[override]  # awaited
        self,
        path: str,
        data: Any = None,
        format: str | None = None,
        content_type: str | None = None,
        follow: bool = False,
        **extra: Any,
    ) -> _Response:
        """Send OPTIONS; arguments and result are those of ``post``."""
        return await self._send("options", path, follow, data=data, format=format, content_type=content_type, **extra)


class AsyncAPISimpleTestCase(drf.APISimpleTestCase):
    """Django's ``SimpleTestCase``; ``self.client`` is an ``AsyncAPIClient``."""

    client_class = AsyncAPIClient  # type: ignore[assignment]  # awaited, unlike DRF's
    async_client_class = AsyncAPIClient
    client: AsyncAPIClient  # type: ignore[assignment]
    async_client: AsyncAPIClient  # pyright: ignore[reportIncompatibleVariableOverride]  # ours has more


class AsyncAPITestCase(CountsQueries, drf.APITestCase):
    """Django's ``TestCase``, each test in a transaction; ``self.client`` is an ``AsyncAPIClient``."""

    client_class = AsyncAPIClient  # type: ignore[assignment]  # awaited, unlike DRF's
    async_client_class = AsyncAPIClient
    client: AsyncAPIClient  # type: ignore[assignment]
    async_client: AsyncAPIClient  # pyright: ignore[reportIncompatibleVariableOverride]  # ours has more


class AsyncAPITransactionTestCase(CountsQueries, drf.APITransactionTestCase):
    """Django's ``TransactionTestCase``; ``self.client`` is an ``AsyncAPIClient``."""

    client_class = AsyncAPIClient  # type: ignore[assignment]  # awaited, unlike DRF's
    async_client_class = AsyncAPIClient
    client: AsyncAPIClient  # type: ignore[assignment]
    async_client: AsyncAPIClient  # pyright: ignore[reportIncompatibleVariableOverride]  # ours has more


class AsyncAPILiveServerTestCase(CountsQueries, drf.APILiveServerTestCase):
    """Django's ``LiveServerTestCase``; ``self.client`` is an ``AsyncAPIClient``.

    The server at ``self.live_server_url`` is Django's, which is WSGI: each request to an async view gets its own event
    loop.
    """

    client_class = AsyncAPIClient  # type: ignore[assignment]  # awaited, unlike DRF's
    async_client_class = AsyncAPIClient
    client: AsyncAPIClient  # type: ignore[assignment]
    async_client: AsyncAPIClient  # pyright: ignore[reportIncompatibleVariableOverride]  # ours has more
