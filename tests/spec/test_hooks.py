"""The section "Custom dispatch hooks"."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from restflow.views import AsyncAPIView
from tests.site import Site
from tests.spec.support import User

STEPS = [
    "initialize_request",
    "initial",
    "perform_content_negotiation",
    "determine_version",
    "perform_authentication",
    "check_permissions",
    "check_throttles",
    "handle_exception",
    "finalize_response",
]


class Wanders(BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        return (User(username="emma"), None)


class Refuses(BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return False


class Throttles(BaseThrottle):
    def allow_request(self, request: Any, view: Any) -> bool:
        return False

    def wait(self) -> int:
        return 9


class View(AsyncAPIView):
    authentication_classes = [Wanders]

    async def get(self, request: Any) -> Any:
        return Response(str(request.user))


def served(view: Any, method: str = "GET") -> Any:
    with Site({"": view.as_view()}) as site:
        return site.send(method, "/")


@pytest.mark.parametrize("written", ["async", "sync"])
@pytest.mark.parametrize("step", STEPS)
def test_every_step_is_overridable(step: str, written: str) -> None:
    ran: list[str] = []

    class Failing(View):
        async def get(self, request: Any) -> Any:
            raise exceptions.NotFound

    if written == "async":

        async def override(self: Any, *args: Any, **kwargs: Any) -> Any:
            ran.append(step)
            return await getattr(super(Overriding, self), "a" + step)(*args, **kwargs)

        members = {"a" + step: override}
    else:

        def override(self: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[misc]
            ran.append(step)
            return getattr(super(Overriding, self), step)(*args, **kwargs)

        members = {step: override}

    Overriding: Any = type("Overriding", (Failing,), members)
    answer, plain = served(Overriding), served(Failing)
    assert ran == [step]
    assert (answer.status, answer.body) == (plain.status, plain.body) == (404, b'{"detail":"Not found."}')


def test_dispatch_replaces_the_loop_entirely() -> None:
    class Replaced(View):
        async def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            return HttpResponse(f"no loop for {request.method}")

    assert served(Replaced, "PURGE").body == b"no loop for PURGE"


def test_ainitial_sets_up_before_authentication() -> None:
    class Seen(BaseAuthentication):
        def authenticate(self, request: Any) -> Any:
            return (User(username=f"of {request.organization}"), None)

    class SetUp(View):
        authentication_classes = [Seen]

        async def ainitial(self, request: Any, *args: Any, **kwargs: Any) -> None:
            request._request.organization = "Penguin"
            await super().ainitial(request, *args, **kwargs)

    assert served(SetUp).json() == "of Penguin"


def test_aperform_authentication_injects_a_flow_of_its_own() -> None:
    class Custom(View):
        async def aperform_authentication(self, request: Any) -> None:
            await super().aperform_authentication(request)
            request.user = AnonymousUser() if request.user.username == "emma" else request.user

    assert served(Custom).json() == "AnonymousUser"


@pytest.mark.parametrize(("closed", "status"), [(True, 403), (False, 200)])
def test_acheck_permissions_adds_logic_across_permissions(closed: bool, status: int) -> None:
    class Guarded(View):
        async def acheck_permissions(self, request: Any) -> None:
            await super().acheck_permissions(request)
            if closed:
                self.permission_denied(request, message="Closed today.")

    answer = served(Guarded)
    assert answer.status == status
    assert answer.json() == ({"detail": "Closed today."} if closed else "emma")


def test_acheck_permissions_calls_the_classes_through_super() -> None:
    class Guarded(View):
        permission_classes = [Refuses]

        async def acheck_permissions(self, request: Any) -> None:
            await super().acheck_permissions(request)

    assert served(Guarded).status == 403


def test_acheck_throttles_processes_before_and_after() -> None:
    order: list[str] = []

    class Processed(View):
        throttle_classes = [Throttles]

        async def acheck_throttles(self, request: Any) -> None:
            order.append("before")
            try:
                await super().acheck_throttles(request)
            except exceptions.Throttled as error:
                order.append(f"after {error.wait}")

    assert (served(Processed).json(), order) == ("emma", ["before", "after 9"])


def test_ahandle_exception_maps_errors() -> None:
    class Mapped(View):
        async def get(self, request: Any) -> Any:
            raise LookupError("emma")

        async def ahandle_exception(self, exc: Exception) -> Any:
            if isinstance(exc, LookupError):
                exc = exceptions.NotFound(f"No {exc}.")
            return await super().ahandle_exception(exc)

    answer = served(Mapped)
    assert (answer.status, answer.json()) == (404, {"detail": "No emma."})


def test_afinalize_response_adds_headers_and_logs() -> None:
    log: list[Any] = []

    class Logged(View):
        async def afinalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
            response = await super().afinalize_response(request, response, *args, **kwargs)
            response["X-Served-By"] = "restflow"
            log.append(response.status_code)
            return response

    answers = [served(Logged), served(Logged, "PURGE")]
    assert [answer.headers["X-Served-By"] for answer in answers] == ["restflow", "restflow"]
    assert log == [200, 405] == [answer.status for answer in answers]
