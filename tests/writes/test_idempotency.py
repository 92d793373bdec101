"""``idempotency_key``: a write that comes again is executed once, and answered as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse, StreamingHttpResponse
from rest_framework import serializers
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import FileUploadParser
from rest_framework.permissions import BasePermission
from rest_framework.response import Response

from restflow.test import AsyncAPIRequestFactory
from restflow.views import (
    ActionConfig,
    APIView,
    AsyncAPIView,
    AsyncModelViewSet,
    ModelViewSet,
)
from tests.databases import fresh
from tests.shop.models import Author
from tests.site import ENTRIES, Site

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

colours = pytest.mark.parametrize("base", [APIView, AsyncAPIView], ids=["sync", "async"])
entries = pytest.mark.parametrize("entry", ENTRIES)
KEY = {"idempotency-key": '"8e03978e"', "accept": "application/json"}


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def executing(base: Any, answer: Any, **attributes: Any) -> Any:
    """A view whose POST notes that it was executed, and answers."""

    def post(self: Any, request: Any, *args: Any) -> Any:
        executed.append(request.method)
        return answer(request)

    async def apost(self: Any, request: Any, *args: Any) -> Any:
        executed.append(request.method)
        return answer(request)

    executed: list[Any] = []
    method = apost if issubclass(base, AsyncAPIView) else post
    methods = dict.fromkeys(("post", "put", "get"), method)
    said = {"idempotency_key": "optional", "authentication_classes": [], "executed": executed}
    return type("Orders", (base,), {**methods, **said, **attributes})


def post(site: Site, data: Any = None, url: str = "/", method: str = "POST", **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return site.send(method, url, data or {"book": 1}, headers={**KEY, **named})


def created(request: Any) -> Response:
    return Response({"order": len(request.data)}, status=201, headers={"Location": "/orders/1/"})


@colours
@entries
def test_a_write_that_comes_again_is_answered_as_it_was(base: Any, entry: str) -> None:
    view = executing(base, created)
    with Site({"": view.as_view()}, entry=entry) as site:
        first, again = post(site), post(site)
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    for name in ("Location", "Content-Type", "Vary", "Allow"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert view.executed == ["POST"]


@pytest.mark.parametrize("base", [ModelViewSet, AsyncModelViewSet], ids=["sync", "async"])
def test_an_action_config_has_one_action_executed_once(base: Any, database: str) -> None:
    class AuthorSerializer(serializers.ModelSerializer[Author]):
        class Meta:
            model = Author
            fields = ["id", "name"]

    attributes = {"queryset": Author.objects.all(), "serializer_class": AuthorSerializer, "permission_classes": []}
    configs = {"create": ActionConfig(idempotency_key="required", atomic=database)}
    viewset = type("Authors", (base,), {**attributes, "authentication_classes": [], "action_configs": configs})
    actions = {"post": "create", "get": "list", "put": "list"}
    with fresh(database), Site({"": viewset.as_view(actions)}) as site:
        answers = [post(site, {"name": "Austen"}) for _ in range(2)]
        assert [answer.status for answer in answers] == [201, 201]
        assert answers[0].body == answers[1].body
        assert site.send("POST", "/", {"name": "Eliot"}).status == 400
        assert post(site, {"name": "Austen"}, idempotency_key="other").status == 400  # the name is taken
        assert [site.send(method, "/").status for method in ("GET", "PUT")] == [200, 200]


@colours
def test_a_key_is_of_one_request(base: Any) -> None:
    view = executing(base, created)
    with Site({"": view.as_view(), "more/": view.as_view()}) as site:
        assert post(site).status == 201
        refused = [post(site, {"book": 2}), post(site, url="/more/"), post(site, url="/?a=1"), post(site, method="PUT")]
        assert [answer.status for answer in refused] == [422] * 4
        assert post(site, {"book": 2}, idempotency_key="another").status == 201


@colours
def test_what_has_no_key_and_what_only_reads_is_executed_each_time(base: Any) -> None:
    view = executing(base, lambda request: Response())
    with Site({"": view.as_view()}) as site:
        for _ in range(2):
            assert site.send("POST", "/").status == 200
            assert site.send("GET", "/", headers=KEY).status == 200
            assert site.send("DELETE", "/", headers=KEY).status == 405
    assert len(view.executed) == 4


@colours
@pytest.mark.parametrize("key", ["", "a" * 256, "ä", "a\x01"])
def test_what_is_no_key_is_refused(base: Any, key: str) -> None:
    view = executing(base, created)
    with Site({"": view.as_view()}) as site:
        assert post(site, idempotency_key=key).status == 400
    assert not view.executed


@colours
@entries
def test_while_it_is_executed_the_same_is_told_to_come_again(base: Any, entry: str) -> None:
    inner: list[Any] = []

    def answer(request: Any) -> Response:
        inner.append(sent_meanwhile())
        return Response("done")

    def sent_meanwhile() -> Any:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as threads:
            return threads.submit(post, site).result()

    view = executing(base, answer)
    with Site({"": view.as_view()}, entry=entry) as site:
        outer = post(site)
        (refused,) = inner
        assert (outer.status, refused.status, refused.headers["Retry-After"]) == (200, 409, "1")
        assert post(site).json() == "done"


@colours
@pytest.mark.parametrize("status", [400, 500, 503])
def test_what_failed_may_be_tried_again(base: Any, status: int) -> None:
    def answer(request: Any) -> Response:
        if len(view.executed) == 1:
            if status == 400:
                raise ValidationError("Not yet.")
            return Response(status=status)
        return Response("done")

    view = executing(base, answer)
    with Site({"": view.as_view()}) as site:
        assert [post(site).status for _ in range(3)] == [status, 200, 200]
    assert len(view.executed) == 2


@colours
def test_a_refusal_that_is_returned_is_an_answer(base: Any) -> None:
    view = executing(base, lambda request: Response("No.", status=402))
    with Site({"": view.as_view()}) as site:
        assert [post(site).status for _ in range(2)] == [402, 402]
    assert len(view.executed) == 1


@colours
@entries
def test_what_is_no_response_of_drfs_is_stored_too(base: Any, entry: str) -> None:
    view = executing(base, lambda request: HttpResponse("plain", status=202, content_type="text/plain"))
    with Site({"": view.as_view()}, entry=entry) as site:
        answers = [post(site) for _ in range(2)]
    assert [(each.status, each.body, each.headers["Content-Type"]) for each in answers] == [
        (202, b"plain", "text/plain")
    ] * 2
    assert len(view.executed) == 1


@colours
def test_a_stream_can_not_be_stored(base: Any) -> None:
    view = executing(base, lambda request: StreamingHttpResponse(["a"]))
    with Site({"": view.as_view()}) as site:
        assert [post(site).status for _ in range(2)] == [500, 500]
    assert len(view.executed) == 2


class ByName(BasicAuthentication):
    def authenticate(self, request: Any) -> Any:
        name = request.headers.get("X-Name")
        return (User(pk=len(name), username=name), None) if name else None


@colours
def test_nobody_gets_the_answer_of_another(base: Any) -> None:
    view = executing(base, lambda request: Response(str(request.user)), authentication_classes=[ByName])
    with Site({"": view.as_view()}) as site:
        answers = [post(site, x_name=name).json() for name in ("ada", "eliot", "ada")]
        assert answers == ["ada", "eliot", "ada"]
        for token in ("a", "b", "a"):
            post(site, authorization=token)
    assert len(view.executed) == 4


class ByKey(BasicAuthentication):
    """Of services: without a user, or with one that is in no database."""

    def authenticate(self, request: Any) -> Any:
        key = request.headers["X-Api-Key"]
        return (User(username=key), None) if key.startswith("user") else (AnonymousUser(), key)


@colours
@pytest.mark.parametrize("names", [("a", "b"), ("user a", "user b")])
def test_nor_does_who_has_no_primary_key(base: Any, names: tuple[str, str]) -> None:
    view = executing(base, lambda request: Response(request.headers["X-Api-Key"]), authentication_classes=[ByKey])
    with Site({"": view.as_view()}) as site:
        answers = [post(site, x_api_key=name).json() for name in (*names, *names)]
    assert answers == [*names, *names]
    assert len(view.executed) == 2


@colours
def test_nor_does_the_user_of_another_host(base: Any) -> None:
    view = executing(base, lambda request: Response(request.get_host()), authentication_classes=[ByName])
    hosts = ["a.example", "b.example", "a.example"]
    with Site({"": view.as_view()}, ALLOWED_HOSTS=[".example"]) as site:
        assert [post(site, x_name="ada", host=host).json() for host in hosts] == hosts
    assert len(view.executed) == 2


@colours
def test_checks_come_before_an_answer_that_is_stored(base: Any) -> None:
    class Open(BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            return "X-Closed" not in request.headers

    view = executing(base, created, permission_classes=[Open])
    with Site({"": view.as_view()}) as site:
        assert [post(site).status, post(site, x_closed="1").status, post(site).status] == [201, 403, 201]


class Reads(BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(request.data)


@colours
@pytest.mark.parametrize("attributes", [{"permission_classes": [Reads]}, {}], ids=["read already", "large"])
def test_a_body_that_can_not_be_read_again_is_compared_by_its_data(base: Any, attributes: Any) -> None:
    def answer(request: Any) -> Response:
        return Response(request.data["file"].read().decode())

    view = executing(base, answer, parser_classes=[FileUploadParser], **attributes)
    headers = {**KEY, "content-type": "text/plain", "content-disposition": "attachment; filename=a.txt"}
    limit = 100 if attributes else 5
    with Site({"": view.as_view()}, DATA_UPLOAD_MAX_MEMORY_SIZE=limit) as site:
        answers = [
            site.send("POST", "/", body=body, headers=headers) for body in (b"book one", b"book two", b"book one")
        ]
    assert [each.status for each in answers] == [200, 422, 200]
    assert answers[0].json() == answers[2].json() == "book one"


@colours
def test_uploads_are_compared_by_their_content(base: Any) -> None:
    def answer(request: Any) -> Response:
        return Response(request.data["scan"].read().decode())

    def sent(content: bytes, name: str = "a.txt") -> Any:
        upload = AsyncAPIRequestFactory().post("/", {"scan": SimpleUploadedFile(name, content)}, format="multipart")
        return site.send("POST", "/", body=upload.body, headers={**KEY, "content-type": upload.META["CONTENT_TYPE"]})

    view = executing(base, answer)
    with Site({"": view.as_view()}) as site:
        answers = [sent(b"one"), sent(b"two"), sent(b"one", "b.txt"), sent(b"one")]
    assert [each.status for each in answers] == [200, 422, 422, 200]
    assert answers[0].json() == answers[3].json() == "one"


@colours
def test_an_answer_is_not_stored_before_its_transaction_is_committed(base: Any, database: str) -> None:
    def answer(request: Any) -> Response:
        Author.objects.create(name="Eliot")
        return Response("done", status=201)

    def finalize_response(self: Any, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        if response.status_code == 201:
            raise LookupError
        return base.finalize_response(self, request, response, *args, **kwargs)

    post_in_thread = {"post": lambda self, request: answer(request)}
    with fresh(database):
        view = executing(base, answer, atomic=database, finalize_response=finalize_response, **post_in_thread)
        with Site({"": view.as_view()}) as site:
            assert [post(site).status for _ in range(2)] == [500, 409]
        assert not Author.objects.exists()


class Forgetful(LocMemCache):
    """Gives a claim up between its being refused and its being looked at."""

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return False


class Full(LocMemCache):
    """Stores claims, and no answers."""

    def set(self, *args: Any, **kwargs: Any) -> None:
        raise OSError


def in_cache(backend: type) -> Any:
    return {"CACHES": {"default": {"BACKEND": f"{__name__}.{backend.__name__}", "LOCATION": uuid4().hex}}}


@colours
def test_a_cache_that_fails_fails_no_write_that_was_done(base: Any, caplog: Any) -> None:
    view = executing(base, created)
    with Site({"": view.as_view()}, **in_cache(Full)) as site:
        assert post(site).status == 201
    assert "could not be stored" in caplog.text
    with Site({"": view.as_view()}, **in_cache(Forgetful)) as site:
        assert post(site).status == 409


@colours
def test_a_claim_that_ran_out_is_nobodys(base: Any) -> None:
    def answer(request: Any) -> Response:
        cache.clear()
        if len(view.executed) == 1:
            raise ValidationError("Late.")
        return Response("done")

    view = executing(base, answer)
    with Site({"": view.as_view()}) as site:
        assert [post(site).status for _ in range(3)] == [400, 200, 200]
    assert len(view.executed) == 3


def test_a_declaration_that_means_nothing_is_refused() -> None:
    message = r"^{}\.idempotency_key must be 'optional', 'required' or None, got True\.$"
    with pytest.raises(ImproperlyConfigured, match=message.format("ActionConfig")):
        ActionConfig(idempotency_key=True)  # type: ignore[arg-type]
    for base in (APIView, AsyncAPIView):
        with pytest.raises(ImproperlyConfigured, match=message.format("Orders")):
            executing(base, created, idempotency_key=True).as_view()
