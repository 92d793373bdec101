"""A site with sentry-sdk in it, run in a process of its own, as sentry patches Django's and DRF's classes for good.

Prints, as JSON, the events of each request by its name.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import django
import sentry_sdk
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.transport import Transport

EVENTS: list[dict[str, Any]] = []


class Collected(Transport):
    """Keeps events, and sends nothing."""

    def capture_envelope(self, envelope: Any) -> None:
        kept = [item for item in envelope.items if item.headers["type"] in {"event", "transaction"}]
        EVENTS.extend(json.loads(item.get_bytes()) for item in kept)


os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
sentry_sdk.init(
    dsn="http://key@localhost/1",
    transport=Collected,
    integrations=[DjangoIntegration()],
    send_default_pii=True,
    traces_sample_rate=1.0,
    auto_enabling_integrations=False,
)
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import RequestFactory  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.exceptions import PermissionDenied  # noqa: E402
from rest_framework.parsers import BaseParser, FormParser, JSONParser, MultiPartParser  # noqa: E402
from rest_framework.response import Response  # noqa: E402

from restflow.authentication import BasicAuthentication as OurBasicAuthentication  # noqa: E402
from tests.colours import ASYNC, BASES, DRF, SYNC, THROUGHOUT  # noqa: E402
from tests.parity.harness import Ask, multipart, over_asgi  # noqa: E402
from tests.site import Site  # noqa: E402

WHERE = ("handler", "permission", "serializer", "refused", "fine")
KINDS = ("json", "form", "multipart", "stream")
ASYNC_VIEWS = ("async", "throughout")
MEETING = 3
met: list[int] = []


def fail(request: Any) -> None:
    """Fail as a bug would, with the request's own marks on the scope."""
    sentry_sdk.set_tag("who", request.user.get_username())
    sentry_sdk.add_breadcrumb(message=f"of {request.user.get_username()}")
    raise RuntimeError(f"a bug met by {request.user.get_username()}")


def urls(name: str, bases: Any) -> list[Any]:
    class Allowed(bases.BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            if view.where == "permission":
                fail(request)
            if view.where == "refused":
                raise PermissionDenied
            return True

    class StreamParser(BaseParser):
        """Reads the body as a stream, after which Django does not have it."""

        media_type = "application/vnd.stream+json"

        def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
            return json.loads(stream.read())

    class TitleSerializer(bases.Serializer):
        title = bases.CharField()

        def validate(self, attrs: Any) -> Any:
            if self.context["view"].where == "serializer":
                fail(self.context["request"])
            return attrs

    class Sync(bases.GenericAPIView):
        authentication_classes = [bases.BasicAuthentication]
        permission_classes = [Allowed]
        parser_classes = [JSONParser, FormParser, MultiPartParser, StreamParser]
        serializer_class = TitleSerializer
        where = ""

        def post(self, request: Any, pk: int) -> Response:
            serializer = self.get_serializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            if self.where == "handler":
                fail(request)
            return Response({"title": serializer.validated_data["title"]})

    routes = [path(f"{name}/{where}/<int:pk>/", Sync.as_view(where=where)) for where in WHERE]
    if name not in ASYNC_VIEWS:
        return routes

    class Authenticated(OurBasicAuthentication):
        async def authenticate(self, request: Any) -> Any:
            await asyncio.sleep(0)
            return await super().aauthenticate(request)

    class AsyncAllowed(Allowed):
        async def has_permission(self, request: Any, view: Any) -> bool:
            await asyncio.sleep(0)
            return super().has_permission(request, view)

    class Async(Sync):
        authentication_classes = [Authenticated]
        permission_classes = [AsyncAllowed]

        async def post(self, request: Any, pk: int) -> Response:
            request.data  # noqa: B018
            await asyncio.sleep(0)
            if self.where == "handler":
                fail(request)
            serializer = await self.avalidated_serializer()
            return Response({"title": serializer.validated_data["title"]})

    class Meeting(Async):
        """Each waits for all, so that they are under way together."""

        async def post(self, request: Any, pk: int) -> Response:
            sentry_sdk.set_tag(f"only-{request.user.get_username()}", "yes")
            request.data  # noqa: B018
            met.append(pk)
            while len(met) < MEETING:  # noqa: ASYNC110 - an Event would belong to one loop
                await asyncio.sleep(0.001)
            if request.user.get_username() == "carol":
                return Response({})
            return fail(request)

    return [
        *routes,
        *[path(f"{name}/coroutine/{where}/<int:pk>/", Async.as_view(where=where)) for where in WHERE],
        path(f"{name}/meeting/<int:pk>/", Meeting.as_view()),
    ]


def ask(url: str, user: str, kind: str = "json") -> Ask:
    credentials = base64.b64encode(f"{user}:secret".encode()).decode()
    headers = {"authorization": f"Basic {credentials}", "x-of": user}
    if kind == "stream":
        headers["content-type"] = "application/vnd.stream+json"
    if kind in {"json", "stream"}:
        return Ask("POST", url, {"title": f"by {user}"}, headers=headers)
    if kind == "form":
        headers["content-type"] = "application/x-www-form-urlencoded"
        return Ask("POST", url, body=f"title=by+{user}".encode(), headers=headers)
    body, content_type = multipart(title=f"by {user}", scan=("scan.txt", b"scanned"))
    return Ask("POST", url, body=body, headers={**headers, **content_type})


def over_wsgi(site: Site, ask: Ask) -> int:
    """Send a request through the WSGI application itself, which is what sentry wraps."""
    body, headers = ask.sent()
    environ = RequestFactory().generic(ask.method, ask.url, body, headers.pop("content-type"), headers=headers).environ
    statuses: list[str] = []
    response = WSGIHandler()(environ, lambda status, headers: statuses.append(status))
    b"".join(response)
    response.close()
    return int(statuses[0].split()[0])


def main() -> None:
    call_command("migrate", run_syncdb=True, verbosity=0)
    for name in ("alice", "bob", "carol"):
        User.objects.create_user(name, f"{name}@example.com", "secret")
    out: dict[str, Any] = {}

    def record(name: str, send: Any) -> None:
        EVENTS.clear()
        out[name] = {"status": send(), "events": list(EVENTS)}

    sites = {"drf": BASES[DRF], "sync": BASES[SYNC], "async": BASES[ASYNC], "throughout": BASES[THROUGHOUT]}
    with Site([pattern for name, bases in sites.items() for pattern in urls(name, bases)]) as site:
        for transport, send in {"asgi": lambda *args: over_asgi(*args).status, "wsgi": over_wsgi}.items():
            for name, where, kind in product([*sites, *(f"{name}/coroutine" for name in ASYNC_VIEWS)], WHERE, KINDS):
                record(
                    f"{transport} {name} {where} {kind}",
                    partial(send, site, ask(f"/{name}/{where}/7/?q=1", "alice", kind)),
                )

        async def together() -> list[int]:
            asks = [ask(f"/async/meeting/{pk}/", user) for pk, user in enumerate(("alice", "bob", "carol"))]
            sent = [(each, *each.sent()) for each in asks]
            answers = await asyncio.gather(
                *[site.asend(each.method, each.url, body=body, headers=headers) for each, body, headers in sent]
            )
            return [answer.status for answer in answers]

        record("together", lambda: asyncio.run(together()))
    print(json.dumps(out))  # noqa: T201


if __name__ == "__main__":
    try:
        main()
    finally:
        Path(settings.DATABASES["default"]["NAME"]).unlink(missing_ok=True)
