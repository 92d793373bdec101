"""A component whose making comes to block is made in the worker thread, however late it comes to."""

from __future__ import annotations

import pytest
import wrapt
from rest_framework import parsers, permissions, renderers, throttling
from rest_framework.authentication import BaseAuthentication

from restflow.views import AsyncAPIView
from tests.safety.late import view_of
from tests.safety.support import ask, here

pytestmark = pytest.mark.usefixtures("each_version")


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("renderer_classes", renderers.JSONRenderer),
        ("parser_classes", parsers.JSONParser),
        ("authentication_classes", BaseAuthentication),
        ("permission_classes", permissions.AllowAny),
    ],
)
def test_a_component_that_comes_late_and_may_block_when_made_is_made_in_the_thread(name, component):
    places = []

    class Blocking(component):
        def __init__(self):
            places.append(here())

        def authenticate(self, request):
            return None

    view = view_of(AsyncAPIView, **{name: [component] if name != "authentication_classes" else []})
    assert ask(view).status == 200
    getattr(view, name).append(Blocking)
    assert ask(view).status == 200
    assert set(places) == {"thread"}


@pytest.mark.parametrize("name", ["parse_rate", "get_rate", "__init__"])
def test_a_throttle_whose_making_comes_to_block_is_made_in_the_thread(name, monkeypatch):
    places = []
    original = getattr(throttling.SimpleRateThrottle, name)

    def noting(self, *args):
        places.append(here())
        return original(self, *args)

    throttle = type("Throttle", (throttling.AnonRateThrottle,), {"THROTTLE_RATES": {"anon": "900/s"}})
    view = view_of(AsyncAPIView, throttle_classes=[throttle])
    assert ask(view).status == 200
    owner = throttling.SimpleRateThrottle if name == "__init__" else throttle
    monkeypatch.setattr(owner, name, noting, raising=False)
    assert ask(view).status == 200
    assert set(places) == {"thread"}


@pytest.mark.parametrize("how", ["added", "proxied", "inherited"])
def test_a_component_whose_making_comes_to_block_is_made_in_the_thread(how, monkeypatch):
    places = []

    def noting(wrapped, instance, args, kwargs):
        places.append(here())
        return wrapped(*args, **kwargs)

    class Base(permissions.BasePermission):
        pass

    class Permission(Base):
        pass

    for composed in (Permission, Permission & permissions.AllowAny, ~Permission | permissions.AllowAny):
        places.clear()
        view = view_of(AsyncAPIView, permission_classes=[composed])
        with monkeypatch.context() as patch:
            assert {ask(view).status, ask(view).status} == {200}
            owner = Base if how == "inherited" else Permission
            if how == "proxied":
                patch.setattr(owner, "__init__", wrapt.FunctionWrapper(owner.__init__, noting))
            else:
                patch.setattr(owner, "__init__", lambda self: places.append(here()))
            assert ask(view).status == 200
            assert places
            assert set(places) == {"thread"}


def test_a_proxy_that_equals_a_class_is_called_in_the_thread():
    places = []

    class Noting(wrapt.CallableObjectProxy):
        def __call__(self, *args, **kwargs):
            places.append(here())
            return self.__wrapped__(*args, **kwargs)

    view = view_of(AsyncAPIView, permission_classes=[permissions.AllowAny])
    assert ask(view).status == 200
    view.permission_classes = [Noting(permissions.AllowAny)]
    assert ask(view).status == 200
    assert set(places) == {"thread"}


@pytest.mark.parametrize("how", ["constructor", "metaclass"])
def test_a_composed_permission_whose_part_is_exchanged_is_made_anew(how):
    places = []

    class Meta(type(permissions.BasePermission)):
        def __call__(cls, *args, **kwargs):
            places.append(here())
            return super().__call__(*args, **kwargs)

    class Blocking(permissions.AllowAny):
        def __init__(self):
            places.append(here())

    composed = permissions.AllowAny & permissions.AllowAny
    view = view_of(AsyncAPIView, permission_classes=[composed])
    assert ask(view).status == 200
    composed.op2_class = Blocking if how == "constructor" else Meta("Counted", (permissions.AllowAny,), {})
    assert ask(view).status == 200
    assert set(places) == {"thread"}


def test_a_subclass_of_drfs_holder_of_operands_may_block():
    places = []

    class Holder(permissions.OperandHolder):
        def __call__(self, *args, **kwargs):
            places.append(here())
            return super().__call__(*args, **kwargs)

    holder = Holder(permissions.AND, permissions.AllowAny, permissions.AllowAny)
    assert ask(view_of(AsyncAPIView, permission_classes=[holder])).status == 200
    assert set(places) == {"thread"}
