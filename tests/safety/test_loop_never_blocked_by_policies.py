"""The loop goes on while a view's sync policies and handlers wait: who asks, what for, and who answers."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import authentication, metadata, negotiation, permissions, serializers, throttling, versioning
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.response import Response

from restflow import permissions as restflow_permissions
from tests.safety.hooks import Deny
from tests.safety.support import Gate
from tests.safety.waiting import Async, Cases, send_through

CASES = Cases()
case = CASES.add


@case("authentication")
def _(gate):
    class Waiting(authentication.BaseAuthentication):
        def authenticate(self, request):
            gate.wait()

    return {"authentication_classes": [Waiting]}


@case("authenticate_header", expected=401)
def _(gate):
    class Waiting(authentication.BaseAuthentication):
        def authenticate(self, request):
            raise AuthenticationFailed

        def authenticate_header(self, request):
            gate.wait()
            return "Token"

    return {"authentication_classes": [Waiting]}


@case("a credentials check of DRF's", headers={"authorization": "Basic dTpw"})
def _(gate):
    class Waiting(authentication.BasicAuthentication):
        def authenticate_credentials(self, userid, password, request=None):
            gate.wait()
            return None, None

    return {"authentication_classes": [Waiting]}


@case("permission")
def _(gate):
    class Waiting(permissions.BasePermission):
        def has_permission(self, request, view):
            gate.wait()
            return True

    return {"permission_classes": [Waiting]}


@case("permission of ours")
def _(gate):
    class Waiting(restflow_permissions.IsAuthenticatedOrReadOnly):
        def has_permission(self, request, view):
            gate.wait()
            return super().has_permission(request, view)

    return {"permission_classes": [Waiting]}


@case("composed permission")
def _(gate):
    class Waiting(permissions.BasePermission):
        def has_permission(self, request, view):
            gate.wait()
            return False

    return {"permission_classes": [~(permissions.AllowAny & Waiting)]}


@case("a permission's __init__")
def _(gate):
    class Waiting(permissions.BasePermission):
        def __init__(self):
            gate.wait()

    return {"permission_classes": [permissions.AllowAny, Waiting | permissions.AllowAny]}


@case("throttle")
def _(gate):
    class Waiting(throttling.BaseThrottle):
        def allow_request(self, request, view):
            gate.wait()
            return True

    return {"throttle_classes": [Waiting]}


@case("throttle's wait", expected=429)
def _(gate):
    class Waiting(throttling.BaseThrottle):
        def allow_request(self, request, view):
            return False

        def wait(self):
            gate.wait()
            return 1

    return {"throttle_classes": [Waiting]}


@case("a throttle's cache key")
def _(gate):
    class Waiting(throttling.SimpleRateThrottle):
        rate = "1/s"

        def get_cache_key(self, request, view):
            gate.wait()

    return {"throttle_classes": [Waiting]}


@case("versioning")
def _(gate):
    class Waiting(versioning.BaseVersioning):
        def determine_version(self, request, *args, **kwargs):
            gate.wait()

    return {"versioning_class": Waiting}


@case("a hook of DRF's versioning")
def _(gate):
    class Waiting(versioning.QueryParameterVersioning):
        def is_allowed_version(self, version):
            gate.wait()
            return True

    return {"versioning_class": Waiting}


@case("a versioning scheme's __init__")
def _(gate):
    class Waiting(versioning.BaseVersioning):
        def __init__(self):
            gate.wait()

        def determine_version(self, request, *args, **kwargs):
            return None

    return {"versioning_class": Waiting}


@case("content negotiation")
def _(gate):
    class Waiting(negotiation.DefaultContentNegotiation):
        def select_renderer(self, request, renderers, format_suffix=None):
            gate.wait()
            return super().select_renderer(request, renderers, format_suffix)

    return {"content_negotiation_class": Waiting}


@case("a hook of DRF's content negotiation")
def _(gate):
    class Waiting(negotiation.DefaultContentNegotiation):
        def get_accept_list(self, request):
            gate.wait()
            return ["*/*"]

    return {"content_negotiation_class": Waiting}


@case("metadata", method="OPTIONS")
def _(gate):
    class Waiting(metadata.SimpleMetadata):
        def determine_metadata(self, request, view):
            gate.wait()
            return {}

    return {"metadata_class": Waiting}


@case("metadata's choices", method="OPTIONS")
def _(gate):
    class Choosing(serializers.Serializer):
        def get_fields(self):
            gate.wait()
            return {}

    return {"serializer_class": Choosing}


@case("a metadata class's __init__", method="OPTIONS")
def _(gate):
    class Waiting(metadata.SimpleMetadata):
        def __init__(self):
            gate.wait()

    return {"metadata_class": Waiting}


@case("exception handler", expected=418)
def _(gate):
    def waiting(exc, context):
        gate.wait()
        return Response({}, status=418)

    return {"permission_classes": [Deny], "get_exception_handler": lambda self: waiting}


@case("exception handler of the settings", expected=418)
def _(gate):
    def waiting(exc, context):
        gate.wait()
        return Response({}, status=418)

    class Settings:
        EXCEPTION_HANDLER = staticmethod(waiting)
        FORMAT_SUFFIX_KWARG = None

    return {"permission_classes": [Deny], "settings": Settings}


@case("a sync handler", method="PUT")
def _(gate):
    def put(self, request):
        gate.wait()
        return Response({})

    return {"put": put}


@CASES.on_views()
def test_the_loop_goes_on_while_a_policy_or_a_handler_waits(name, view):
    CASES.check(name, view)


@pytest.mark.parametrize("name", ["message", "code"])
@pytest.mark.parametrize("kind", ["async", "IsAuthenticated"])
def test_the_loop_goes_on_while_a_permissions_message_is_made(kind, name):
    gate = Gate()

    class Refusing(restflow_permissions.BasePermission):
        async def has_permission(self, request, view):
            return False

    def waiting(self: Any) -> str:
        gate.wait()
        return "no"

    base = Refusing if kind == "async" else permissions.IsAuthenticated
    permission = type("P", (base,), {name: property(waiting)})
    send_through(gate, type("V", (Async,), {"permission_classes": [permission]}), expected=403)
