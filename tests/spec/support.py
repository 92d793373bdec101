"""What the specification's tests share."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib.auth import models as auth
from rest_framework import serializers

from restflow.views import APIView, AsyncAPIView
from tests.docs.pages import ROOT, blocks_of

PAGE = ROOT / "docs" / "views.md"
SPECIFICATION = Path(__file__).with_name("specification.md")


class User(auth.User):
    """Django's user in the order of creation; pages of an unordered query set are a warning."""

    class Meta:
        proxy = True
        app_label = "shop"
        ordering = ["pk"]


class UserSer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["id", "username"]


HELPERS = [
    "get_context",
    "get_serializer_class",
    "get_request_serializer_class",
    "get_response_serializer_class",
    "get_pagination_class",
    "get_serializer",
    "validated_serializer",
    "serialized_response",
    "paginated_response",
]

COLOURS = ["sync", "async"]


def base(colour: str) -> type[APIView]:
    return APIView if colour == "sync" else AsyncAPIView


def view_class(colour: str, name: str, arguments: Callable[[Any], Any], then: Any = None, **attributes: Any) -> Any:
    """A view whose GET and POST return what the helper ``name`` of its colour gives.

    Args:
        colour: "sync" or "async".
        name: the helper's sync name.
        arguments: called with the view, returns the helper's arguments as a tuple and a dict.
        then: called with what the helper gave, returns the response; may be left out.
        attributes: of the view's class.
    """
    finish = then or (lambda given: given)
    if colour == "sync":

        def handler(self: Any, request: Any) -> Any:
            args, kwargs = arguments(self)
            return finish(getattr(self, name)(*args, **kwargs))

    else:

        async def handler(self: Any, request: Any) -> Any:  # type: ignore[misc]
            args, kwargs = arguments(self)
            return finish(await getattr(self, "a" + name)(*args, **kwargs))

    return type("View", (base(colour),), {"get": handler, "post": handler, **attributes})


def block(first_line: str) -> str:
    """The block of docs/views.md that the specification has and that begins with ``first_line``."""
    found = [block.code for block in blocks_of(PAGE) if block.code.startswith(first_line)]
    wanted = [block.code for block in blocks_of(SPECIFICATION) if block.code.startswith(first_line)]
    assert found[:1] == wanted, f"docs/views.md does not carry the specification's block {first_line!r} as it is"
    return found[0]


def run(code: str, **namespace: Any) -> dict[str, Any]:
    """Run a block; return its names."""
    names: dict[str, Any] = {"User": User, "UserSer": UserSer, **namespace}
    exec(compile(code, str(PAGE), "exec"), names)
    return names


def method(code: str, name: str, cls: Any) -> Any:
    """Run a block that is a method, as the body of a subclass of ``cls``; return the subclass."""
    assert f"def {name}(" in code
    source = f"class View(Base):\n{textwrap.indent(code, '    ')}"
    return run(source, Base=cls)["View"]


def body(code: str, head: str, cls: Any, last: str = "", **namespace: Any) -> Any:
    """Run a block that is lines of a handler, under ``head``, in a subclass of ``cls``; return the subclass."""
    lines = textwrap.indent(code + last, "        ")
    return run(f"class View(Base):\n    {head}\n{lines}", Base=cls, **namespace)["View"]
