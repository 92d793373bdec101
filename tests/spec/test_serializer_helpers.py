"""The section "Helper methods": get_context, the three getters, get_serializer, validated_serializer."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.response import Response

from tests.spec.serializers import THREE, Ask, Name, Shout, ShowContext, served, shown
from tests.spec.support import view_class

EVERY_SERIALIZER = pytest.mark.parametrize(
    ("helper", "arguments", "many"),
    [
        ("get_serializer", (("x",), {}), False),
        ("validated_serializer", ((), {"data": "x"}), False),
        ("serialized_response", (("x",), {}), False),
        ("serialized_response", ((["x"],), {"many": True}), True),
        ("paginated_response", ((["x"],), {}), True),
    ],
)


@EVERY_SERIALIZER
def test_what_get_context_returns_is_every_serializers_context(
    colour: str, helper: str, arguments: Any, many: bool
) -> None:
    def get_context(self: Any) -> Any:
        return {"request": self.request, "view": self, "added": 1}

    view = view_class(
        colour, helper, lambda view: arguments, shown, serializer_class=ShowContext, get_context=get_context
    )
    expected = {"added": 1, "request": True, "view": "View"}
    assert served(view).json() == ([expected] if many else expected)


@EVERY_SERIALIZER
def test_the_context_is_the_request_and_the_view(colour: str, helper: str, arguments: Any, many: bool) -> None:
    view = view_class(colour, helper, lambda view: arguments, shown, serializer_class=ShowContext)
    expected = {"request": True, "view": "View"}
    assert served(view).json() == ([expected] if many else expected)


@pytest.mark.parametrize("written", ["sync", "async"])
def test_an_override_of_get_context_adds_to_it(colour: str, written: str) -> None:
    class View(view_class(colour, "serialized_response", lambda view: (("x",), {}))):  # type: ignore[misc]
        serializer_class = ShowContext

        if written == "sync":

            def get_context(self) -> Any:
                return {**super().get_context(), "organization": "Penguin"}
        else:

            async def get_context(self) -> Any:
                return {**super().get_context(), "organization": "Penguin"}

    assert served(View).json() == {"organization": "Penguin", "request": True, "view": "View"}


@pytest.mark.parametrize(
    ("helper", "arguments", "expected"),
    [
        ("validated_serializer", ((), {"data": "x"}), "x?"),
        ("serialized_response", (("x",), {}), "x..."),
        ("paginated_response", ((["x"],), {}), ["x..."]),
        ("get_serializer", (("x",), {}), "x!"),
    ],
)
@pytest.mark.parametrize("by_getter", [True, False])
def test_the_three_getters_drive_serializer_resolution(
    colour: str, helper: str, arguments: Any, expected: Any, by_getter: bool
) -> None:
    attributes = {f"get_{name}": lambda self, cls=cls: cls for name, cls in THREE.items()} if by_getter else THREE
    view = view_class(colour, helper, lambda view: arguments, shown, **attributes)
    assert served(view).json() == expected


@pytest.mark.parametrize(
    ("direction", "expected"),
    [("request", "x?"), ("response", "x..."), (None, "x!")],
)
def test_a_direction_picks_its_getter(colour: str, direction: str | None, expected: str) -> None:
    view = view_class(colour, "get_serializer", lambda view: (("x",), {"direction": direction}), shown, **THREE)
    assert served(view).json() == expected


@pytest.mark.parametrize(
    ("helper", "arguments", "direction"),
    [
        ("validated_serializer", ((), {"data": "x"}), "request"),
        ("serialized_response", (("x",), {}), "response"),
        ("paginated_response", ((["x"],), {}), "response"),
    ],
)
def test_the_helpers_call_with_their_direction(colour: str, helper: str, arguments: Any, direction: str) -> None:
    told: list[Any] = []

    class View(view_class(colour, helper, lambda view: arguments, shown, **THREE)):  # type: ignore[misc]
        def get_serializer(self, *args: Any, direction: str | None = None, **kwargs: Any) -> Any:
            told.append(direction)
            return super().get_serializer(*args, direction=direction, **kwargs)

    assert served(View).status == 200
    assert told == [direction]


def test_an_override_of_get_serializer_in_drfs_form_is_called(colour: str) -> None:
    told: list[Any] = []

    class View(view_class(colour, "serialized_response", lambda view: (("x",), {}))):  # type: ignore[misc]
        serializer_class = Shout

        def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
            told.append((args, kwargs))
            return Shout(*args, **kwargs)

    assert served(View).json() == "x!"
    assert told == [(("x",), {})]


def test_without_a_direction_get_serializer_class_is_asked(colour: str) -> None:
    view = view_class(
        colour,
        "get_serializer",
        lambda view: (("x",), {}),
        shown,
        **{**THREE, "serializer_class": None, "get_serializer_class": lambda self: Shout},
    )
    assert served(view).json() == "x!"


@pytest.mark.parametrize(
    ("direction", "helper", "arguments"),
    [
        ("request", "validated_serializer", ((), {"data": "x"})),
        ("response", "serialized_response", (("x",), {})),
    ],
)
@pytest.mark.parametrize("own", ["request", "response", None])
def test_a_direction_falls_back_to_get_serializer_class(
    colour: str, direction: str, helper: str, arguments: Any, own: str | None
) -> None:
    attributes = {f"{own}_serializer_class": Ask} if own else {}
    view = view_class(
        colour, helper, lambda view: arguments, shown, get_serializer_class=lambda self: Shout, **attributes
    )
    assert served(view).json() == ("x?" if own == direction else "x!")


def test_get_serializer_builds_with_the_requests_context(colour: str) -> None:
    view = view_class(
        colour,
        "get_serializer",
        lambda view: (("x",), {}),
        lambda given: Response([type(given).__name__, given.context["request"].method, given.instance]),
        serializer_class=Shout,
    )
    assert served(view).json() == ["Shout", "GET", "x"]


@pytest.mark.parametrize("attributes", [THREE, {}])
def test_get_serializer_accepts_serializer_class(colour: str, attributes: Any) -> None:
    view = view_class(colour, "get_serializer", lambda view: (("x",), {"serializer_class": Ask}), shown, **attributes)
    assert served(view).json() == "x?"


def test_validated_serializer_validates_the_requests_data(colour: str) -> None:
    view = view_class(colour, "validated_serializer", lambda view: ((), {}), shown, request_serializer_class=Name)
    assert served(view, "POST", {"name": "Emma", "more": 1}).json() == {"name": "Emma"}


def test_an_async_ais_valid_is_awaited_and_is_valid_else_run() -> None:
    ran: list[str] = []

    class Both(Name):
        def is_valid(self, *, raise_exception: bool = False) -> bool:
            ran.append("is_valid")
            return super().is_valid(raise_exception=raise_exception)

    class Async(Both):
        async def ais_valid(self, *, raise_exception: bool = False) -> bool:
            ran.append("ais_valid")
            return Name.is_valid(self, raise_exception=raise_exception)

    for colour, cls, expected in [
        ("sync", Both, "is_valid"),
        ("async", Both, "is_valid"),
        ("async", Async, "ais_valid"),
    ]:
        ran.clear()
        view = view_class(colour, "validated_serializer", lambda view: ((), {}), shown, serializer_class=cls)
        assert served(view, "POST", {"name": "Emma"}).json() == {"name": "Emma"}
        assert ran == [expected]
        assert served(view, "POST", {}).status == 400


@pytest.mark.parametrize("handler_is_own", [True, False])
def test_errors_bubble_up_to_the_exception_handler(colour: str, handler_is_own: bool) -> None:
    seen: list[str] = []

    def handler(exc: Exception, context: Any) -> Any:
        seen.append(type(exc).__name__)
        return Response(exc.detail, status=422)  # type: ignore[attr-defined]

    own = {"get_exception_handler": lambda self: handler} if handler_is_own else {}
    view = view_class(colour, "validated_serializer", lambda view: ((), {}), shown, serializer_class=Name, **own)
    answer = served(view, "POST", {})
    assert answer.json() == {"name": ["This field is required."]}
    assert (answer.status, seen) == ((422, ["ValidationError"]) if handler_is_own else (400, []))


def test_data_validates_something_else_than_the_requests_data(colour: str) -> None:
    view = view_class(
        colour,
        "validated_serializer",
        lambda view: ((), {"data": {"name": view.request.query_params["name"]}}),
        shown,
        serializer_class=Name,
    )
    assert served(view, "POST", {"name": "Emma"}, "/?name=Jane").json() == {"name": "Jane"}
