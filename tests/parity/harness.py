"""The same view over DRF's base class and over restflow's, answering the same request."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView as DRFAPIView

from restflow.views import APIView, AsyncAPIView
from tests.site import Site, on_loop

METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "trace", "propfind")


def _as_async(function: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    async def handler(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = function(self, *args, **kwargs)
        return await result if asyncio.iscoroutine(result) else result

    handler.__name__, handler.__doc__ = function.__name__, function.__doc__
    return handler


class AsyncHandlers(AsyncAPIView):
    """``AsyncAPIView`` whose subclasses' handlers are made ``async def``, so that a view is written once."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        for name in METHODS:
            handler = vars(cls).get(name)
            if isinstance(handler, FunctionType) and not iscoroutinefunction(handler):
                setattr(cls, name, _as_async(handler))
        super().__init_subclass__(**kwargs)


EVERY = "every colour"
SYNC, ASYNC_VIEW, ASYNC_HANDLERS = COLOURS = ("APIView", "AsyncAPIView", "async handlers")
ASGI, WSGI = TRANSPORTS = ("asgi", "wsgi")
BASES = {"drf": DRFAPIView, SYNC: APIView, ASYNC_VIEW: AsyncAPIView, ASYNC_HANDLERS: AsyncHandlers}

Make = Callable[[Any], Any]


table = pytest.mark.parametrize("transport", [ASGI], indirect=True)
"""For tables of many cases, and for what does not differ by transport: over ASGI only."""


def limit(reason: str, *colours: str, of: Iterable[str] = COLOURS, over: str = "") -> Any:
    """Parametrise a test over the colours, marking those of a known limit (``over`` one transport)."""
    mark = pytest.mark.xfail(strict=True, reason=f"LIMIT: {reason}")
    if over:
        cases = [(colour, transport) for colour in of for transport in TRANSPORTS]
        marked = [
            pytest.param(*case, marks=mark) if case[0] in (colours or COLOURS) and case[1] == over else case
            for case in cases
        ]
        return pytest.mark.parametrize(("colour", "transport"), marked, indirect=True)
    values = [pytest.param(colour, marks=mark) if colour in (colours or COLOURS) else colour for colour in of]
    return pytest.mark.parametrize("colour", values, indirect=True)


@dataclass(frozen=True)
class Ask:
    """One request."""

    method: str = "GET"
    url: str = "/"
    data: Any = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def sent(self) -> tuple[bytes, dict[str, str]]:
        """Return the body and the headers."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.data is not None:
            headers.setdefault("content-type", "application/json")
            return json.dumps(self.data).encode(), headers
        return self.body or b"", headers


@dataclass
class Answer:
    """What came back, without what differs from one request to the next."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def header(self) -> dict[str, str]:
        return dict(self.headers)

    def json(self) -> Any:
        return json.loads(self.body)


_TOKENS = re.compile(rb'(csrfToken": "|csrfmiddlewaretoken" value="|<b>Expires:</b> <span class="lit">)[^"<]+')
_COOKIES = re.compile(r"(csrftoken=)\w+|expires=[^;]+")


def _masked(status: int, headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
    hidden = {"Expires", "Last-Modified", "Age", *(["ETag"] if b"csrfToken" in body else [])}
    shown = [(name, "" if name in hidden else _COOKIES.sub(r"\1", value)) for name, value in headers]
    return Answer(status, shown, _TOKENS.sub(rb"\1", body))


def over_asgi(site: Site, ask: Ask) -> Answer:
    body, headers = ask.sent()
    sent = body if body or ask.body is not None else None
    answer = on_loop(site.asend(ask.method, ask.url, body=sent, headers=headers))
    return _masked(answer.status, answer.headers.items(), answer.body)


def _from_client(response: Any) -> Answer:
    headers = list(response.headers.items())
    headers += [("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()]
    return _masked(response.status_code, headers, response.getvalue())


def _generic(client: Any, ask: Ask) -> Any:
    body, headers = ask.sent()
    content_type = headers.pop("content-type", "" if not body else "application/octet-stream")
    return client.generic(ask.method, ask.url, body, content_type, headers=headers)


def over_wsgi(site: Site, ask: Ask) -> Answer:
    return _from_client(_generic(Client(raise_request_exception=False, enforce_csrf_checks=True), ask))


def over_async_client(site: Site, ask: Ask) -> Answer:
    async def request() -> Answer:
        return _from_client(await _generic(AsyncClient(raise_request_exception=False), ask))

    return on_loop(request())


def directly(view: Any, ask: Ask) -> Answer:
    """Call the view with a request of DRF's factory, as a unit test does."""
    called: Any = async_to_sync(view) if iscoroutinefunction(view) else view
    response: HttpResponse = called(_generic(APIRequestFactory(), ask))
    if hasattr(response, "render"):
        response = response.render()
    return _from_client(response)


OVER: dict[str, Callable[[Site, Ask], Answer]] = {ASGI: over_asgi, WSGI: over_wsgi, "async client": over_async_client}


def at_root(view: Any) -> list[Any]:
    return [path("", view)]


class Parity:
    """Asks DRF's view and restflow's the same; holds that the answers are the same to the byte."""

    def __init__(self, colour: str, transport: str) -> None:
        self.colour = colour
        self.transport = transport

    def __call__(
        self,
        make: Make,
        method: str = "GET",
        url: str = "/",
        *asks: Ask,
        urls: Callable[[Any], list[Any]] = at_root,
        initkwargs: dict[str, Any] | None = None,
        before: Callable[[], Any] = lambda: None,
        data: Any = None,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        **settings: Any,
    ) -> Answer:
        """Return DRF's answer (to the last request), once restflow's was found equal to it.

        Args:
            make: makes the view class over a base class.
            method: of the first request, as ``url``, ``data``, ``body`` and ``headers`` are.
            url: the path and the query.
            asks: requests to make after the first, of the same view.
            urls: URL patterns from the view function.
            initkwargs: arguments of ``as_view``.
            before: called before each view's turn.
            data: sent as JSON.
            body: sent as it is.
            headers: the request's headers.
            settings: Django settings meanwhile.
        """
        first = Ask(method, url, data, body, headers or {})
        answers = {}
        colours = COLOURS if self.colour == EVERY else (self.colour,)
        for name in ("drf", *colours):
            before()
            view = make(BASES[name]).as_view(**(initkwargs or {}))
            with Site(urls(view), **settings) as site:
                answers[name] = [OVER[self.transport](site, ask) for ask in (first, *asks)]
        for name in colours:
            for ours, theirs in zip(answers[name], answers["drf"], strict=True):
                assert (name, ours.status, ours.headers) == (name, theirs.status, theirs.headers)
                assert ours.body.decode("latin-1").splitlines() == theirs.body.decode("latin-1").splitlines()
                assert ours == theirs
        return answers["drf"][-1]


def multipart(**parts: Any) -> tuple[bytes, dict[str, str]]:
    """Return a multipart body and its headers; a tuple is a file's name and content."""
    out = io.BytesIO()
    for name, value in parts.items():
        filename, content = value if isinstance(value, tuple) else (None, value.encode())
        disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
        out.write(b"--frontier\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n")
    return out.getvalue() + b"--frontier--\r\n", {"content-type": "multipart/form-data; boundary=frontier"}
