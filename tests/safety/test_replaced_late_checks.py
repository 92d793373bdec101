"""A check that is replaced after a request, or while one is served, is asked."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
from django.test import AsyncRequestFactory, RequestFactory
from rest_framework import permissions, throttling
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request as DRFRequest

from restflow.views import APIView, AsyncAPIView
from tests.matrix import each_pair
from tests.safety.late import CHECKS, GETTERS, Asked, both, refusing, view_of
from tests.safety.support import ask

pytestmark = pytest.mark.usefixtures("each_version")


@each_pair
@pytest.mark.parametrize(("base", "prefix"), [(APIView, ""), (AsyncAPIView, ""), (AsyncAPIView, "a")])
@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("name", [*CHECKS, *GETTERS])
def test_a_check_that_is_patched_into_the_class_after_a_request_is_asked(base, colour, prefix, name, monkeypatch):
    view = view_of(base)
    assert ask(view).status == 200
    with monkeypatch.context() as patch:
        patch.setattr(view, prefix + name, refusing(colour), raising=False)
        assert (ask(view).status, ask(view).json()) == (403, {"detail": "replaced"})
    assert ask(view).status == 200


@pytest.mark.parametrize("name", ["check_permissions", "get_permissions"])
def test_a_check_whose_twin_was_taken_off_the_class_is_asked(name, monkeypatch):
    view = view_of(AsyncAPIView)
    assert ask(view).status == 200
    monkeypatch.delattr(AsyncAPIView, "a" + name)
    assert ask(view).status == 200
    monkeypatch.setattr(view, name, refusing("sync"))
    assert (ask(view).status, ask(view).json()) == (403, {"detail": "replaced"})


@each_pair
@both
@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("name", ["check_permissions", "check_throttles", *GETTERS])
def test_a_check_that_an_authenticator_puts_on_the_view_is_asked(base, colour, name):
    class Putting(BaseAuthentication):
        def authenticate(self, request):
            setattr(request.parser_context["view"], name, refusing(colour))

    answer = ask(view_of(base, authentication_classes=[Putting]))
    assert (answer.status, answer.json()) == (403, {"detail": "replaced"})


@both
def test_a_throttle_getter_that_a_permission_puts_on_the_view_is_asked(base):
    class Putting(permissions.BasePermission):
        def has_permission(self, request, view):
            view.get_throttles = refusing("sync")
            return True

    assert ask(view_of(base, permission_classes=[Putting])).json() == {"detail": "replaced"}


@each_pair
@both
@pytest.mark.parametrize("name", ["permission_classes", "throttle_classes", "authentication_classes"])
@pytest.mark.parametrize("how", ["mutated", "replaced"])
def test_a_list_of_policies_that_changes_after_a_request_counts(base, name, how):
    class Refuse(permissions.BasePermission, throttling.BaseThrottle, BaseAuthentication):
        def has_permission(self, request, view):
            return False

        def allow_request(self, request, view):
            return False

        def authenticate(self, request):
            raise PermissionDenied

    view = view_of(base, **{name: []})
    assert ask(view).status == 200
    if how == "mutated":
        getattr(view, name).append(Refuse)
    else:
        setattr(view, name, [Refuse])
    assert ask(view).status == (429 if name == "throttle_classes" else 403)


@both
@pytest.mark.parametrize("name", CHECKS)
def test_a_replacement_that_says_it_equals_the_original_is_asked(base, name):
    class Equal:
        __hash__ = None

        def __eq__(self, other):
            return True

        def __call__(self, *args):
            raise PermissionDenied("replaced")

    view = view_of(base)
    assert ask(view).status == 200
    setattr(view, name, Equal())
    assert ask(view).json() == {"detail": "replaced"}


class Putting(DefaultContentNegotiation):
    """Puts a check on the view, or its class, while it negotiates."""

    def select_renderer(self, request, renderers, format_suffix=None):
        view = request.parser_context["view"]
        setattr(type(view) if view.on_the_class else view, view.put, refusing("sync"))
        return super().select_renderer(request, renderers, format_suffix)


@each_pair
@both
@pytest.mark.parametrize("on_the_class", [False, True])
@pytest.mark.parametrize("name", [*CHECKS, *GETTERS])
def test_a_check_that_the_negotiation_puts_on_the_view_is_asked(base, name, on_the_class):
    def setup(self, request, *args, **kwargs):
        base.setup(self, request, *args, **kwargs)
        self._negotiator = Putting()

    policies = {"permission_classes": [Asked], "throttle_classes": [throttling.AnonRateThrottle]}
    for attributes in ({"setup": setup}, {"content_negotiation_class": Putting}):
        view = view_of(base, put=name, on_the_class=on_the_class, **attributes, **(policies if name in GETTERS else {}))
        assert (ask(view).status, ask(view).json()) == (403, {"detail": "replaced"})


@both
@pytest.mark.parametrize("name", ["check_permissions", "check_throttles"])
def test_a_check_that_making_nobody_puts_on_the_view_is_asked(base, name, monkeypatch):
    nobody = DRFRequest._not_authenticated

    def putting(self):
        setattr(self.parser_context["view"], name, refusing("sync"))
        nobody(self)

    view = view_of(base)
    assert ask(view).status == 200
    monkeypatch.setattr(DRFRequest, "_not_authenticated", putting)
    assert ask(view).status == 403


@both
def test_what_a_permission_s_own_object_says_is_asked_every_time(base):
    class Says(permissions.BasePermission):
        def __init__(self):
            if Says.own:
                self.has_permission = refusing("sync")

        def has_permission(self, request, view):
            return True

    Says.own = False
    view = view_of(base, permission_classes=[Asked, Says])
    assert [ask(view).status for _ in range(2)] == [200] * 2
    Says.own = True
    assert [ask(view).status for _ in range(2)] == [403] * 2


def test_a_twin_that_is_put_on_a_permission_after_a_request_is_asked(monkeypatch):
    class Says(permissions.BasePermission):
        def has_permission(self, request, view):
            return True

    view = view_of(AsyncAPIView, permission_classes=[Asked, Says])
    assert [ask(view).status for _ in range(2)] == [200] * 2
    monkeypatch.setattr(Says, "ahas_permission", refusing("async"), raising=False)
    assert [ask(view).status for _ in range(2)] == [403] * 2


@both
def test_patches_of_a_class_that_other_threads_serve_are_obeyed_and_harm_no_request(base, frequent_switches):
    view = view_of(base)
    as_view, done = view.as_view(), threading.Event()
    statuses = set()

    def send():
        if base is AsyncAPIView:
            return asyncio.run(as_view(AsyncRequestFactory().get("/"))).status_code
        return as_view(RequestFactory().get("/")).status_code

    def serve():
        while not done.is_set():
            statuses.add(send())

    with ThreadPoolExecutor(3) as pool:
        others = [pool.submit(serve) for _ in range(3)]
        try:
            for name in (*CHECKS, *GETTERS) * 30:
                with mock.patch.object(view, name, refusing("sync")):
                    assert send() == 403
                assert send() == 200
        finally:
            done.set()
        for other in others:
            other.result()
    assert statuses <= {200, 403}


@pytest.fixture
def frequent_switches():
    """Has threads take turns after each few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)
