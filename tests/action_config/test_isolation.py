"""Nothing of a config outlives its request, or its action where the browsable API asks for others."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework.filters import BaseFilterBackend
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from restflow.views import ActionConfig
from tests.action_config.support import AuthorSerializer, Deny, Named, Pages, Renamed, Shouted, send, urls, viewset_of
from tests.colours import ASYNC, BASES
from tests.site import Answer, Site

pytestmark = pytest.mark.django_db(transaction=True)


def test_requests_at_the_same_time_have_their_own_configs() -> None:
    async def both() -> list[Answer]:
        return await asyncio.gather(*(site.asend("GET", url) for url in ("/authors/", "/authors/1/") * 4))

    class Slow(BasePermission):
        async def has_permission(self, request: Any, view: Any) -> bool:  # type: ignore[override]
            config = view.action_config
            for _ in range(5):
                await asyncio.sleep(0)
                assert view.serializer_class is config.serializer_class
            return True

    configs = {"list": ActionConfig(serializer_class=Named), "retrieve": ActionConfig(serializer_class=Shouted)}
    viewset = viewset_of(BASES[ASYNC], permission_classes=[Slow], action_configs=configs)
    with Site(urls(viewset)) as site:
        many, one, *_ = answers = asyncio.run(both())
    assert {answer.status for answer in answers} == {200}
    assert (many.json()[0], one.json()) == ({"name": "Austen"}, {"loud": "AUSTEN!"})


def test_a_request_leaves_no_trace_on_the_class_and_the_config(base: Any) -> None:
    def list_(self: Any, request: Any) -> Response:
        assert len(self.permission_classes) == len(self.filter_backends) == 1
        self.permission_classes += [Deny]
        self.filter_backends.append(None)
        return Response()

    class Same(BaseFilterBackend):
        pass

    permissions, filters = [AllowAny], [Same]
    config = ActionConfig(permission_classes=permissions, filter_backends=filters)
    viewset = viewset_of(base, list=list_, action_configs={"list": config})
    before = dict(vars(viewset))
    assert send(viewset, "GET").status == send(viewset, "GET").status == 200
    assert (permissions, filters) == ([AllowAny], [Same])
    after = dict(vars(viewset))
    assert {name: value for name, value in after.items() if name in before} == before


@pytest.fixture(params=["plain", "names an action itself"])
def browsable(base: Any, request: pytest.FixtureRequest) -> Any:
    """A viewset for browsers, whose permissions note under which action and method they are asked."""
    seen: list[tuple[Any, str, str]] = []

    def noting(label: str) -> Any:
        class Noting(BasePermission):
            def has_permission(self, request: Any, view: Any) -> bool:
                seen.append((label, view.action, request.method))
                return label != "create's"

        return Noting

    viewset = viewset_of(
        base,
        permission_classes=[noting("class's")],
        renderer_classes=[BrowsableAPIRenderer, JSONRenderer],
        action_configs={
            "list": ActionConfig(permission_classes=[noting("list's")], pagination_class=Pages),
            "create": ActionConfig(permission_classes=[noting("create's")], serializer_class=Renamed),
            "update": ActionConfig(permission_classes=[noting("update's")], serializer_class=Renamed),
        },
    )
    if request.param != "plain":
        viewset = type("Own", (viewset,), {"action": None})
    return SimpleNamespace(viewset=viewset, seen=seen)


def test_the_browsable_api_asks_each_action_by_its_own_config_and_comes_back(browsable: Any) -> None:
    answer = send(browsable.viewset, "GET")
    page = answer.body.decode()
    assert answer.status == 200
    assert {("create's", "create", "POST"), ("list's", "list", "GET")} <= set(browsable.seen)
    assert not [seen for seen in browsable.seen if seen[1] == "create" and seen[0] != "create's"]
    assert not [seen for seen in browsable.seen if seen[1] == "list" and seen[0] != "list's"]
    assert 'name="title"' not in page
    assert "page=2" in page  # the list's own pages, after the others were asked
    browsable.seen.clear()
    page = send(browsable.viewset, "GET", "/authors/1/").body.decode()
    assert 'name="title"' in page
    assert ("update's", "update", "PUT") in browsable.seen
    assert ("class's", "destroy", "DELETE") in browsable.seen


def test_an_action_has_what_it_had_when_the_browsable_api_comes_back_to_it(base: Any) -> None:
    from rest_framework.request import override_method

    kept: dict[str, Any] = {}

    def list_(self: Any, request: Any) -> Response:
        self.serializer_class = Shouted  # over the config's
        self.throttle_classes = [BaseThrottle]  # of which no config says anything
        before = {name: vars(self).get(name) for name in ("serializer_class", "throttle_classes", "permission_classes")}
        with override_method(self, request, "POST"):
            kept["create"] = self.serializer_class, self.throttle_classes, self.permission_classes
            self.parser_classes = []
        with override_method(self, request, "OPTIONS"):
            kept["none"] = self.action, self.serializer_class, self.throttle_classes, self.permission_classes
        with override_method(self, request, "POST"):
            kept["create again"] = self.parser_classes
            del self.serializer_class
        with override_method(self, request, "POST"):
            kept["create without"] = self.serializer_class
        kept["list"] = before == {name: vars(self).get(name) for name in before}
        return Response()

    class Other(BasePermission):
        pass

    viewset = viewset_of(
        base,
        list=list_,
        permission_classes=(Other,),
        action_configs={
            "list": ActionConfig(serializer_class=Named, permission_classes=[AllowAny]),
            "create": ActionConfig(serializer_class=Renamed),
        },
    )
    assert send(viewset, "GET").status == 200
    assert kept == {
        "create": (Renamed, [BaseThrottle], (Other,)),
        "none": (None, Shouted, [BaseThrottle], (Other,)),
        "create again": [],
        "create without": AuthorSerializer,
        "list": True,
    }
