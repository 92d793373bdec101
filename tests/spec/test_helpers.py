"""The section "Helper methods": there are two flavours of each, on two classes."""

from __future__ import annotations

import inspect

from asgiref.sync import iscoroutinefunction

from restflow.views import APIView, AsyncAPIView
from tests.spec.support import HELPERS


def test_every_helper_exists_in_two_flavours() -> None:
    for name in [*HELPERS, "perform_post_fetches"]:
        assert callable(getattr(AsyncAPIView, name))
        assert iscoroutinefunction(getattr(AsyncAPIView, "a" + name))
        ours, theirs = (inspect.signature(getattr(AsyncAPIView, which)) for which in (name, "a" + name))
        assert ours.parameters.keys() == theirs.parameters.keys()


def test_sync_helpers_live_on_apiview_and_are_inherited() -> None:
    for name in HELPERS:
        found = inspect.getattr_static(APIView, name)
        assert inspect.getattr_static(AsyncAPIView, name) is found


def test_async_helpers_live_on_asyncapiview() -> None:
    for name in HELPERS:
        assert hasattr(AsyncAPIView, "a" + name)
        assert not hasattr(APIView, "a" + name)
