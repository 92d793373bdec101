"""Permissions composed with ``&``, ``|`` and ``~``: asked as DRF asks them, whatever the colour of each operand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework import permissions as drf
from rest_framework.response import Response
from rest_framework.views import APIView as DRFView

from restflow import permissions
from restflow.flow import nonblocking
from restflow.views import APIView, AsyncAPIView
from tests.matrix import each_pair, examples
from tests.safety.support import ask

COLOURS = [
    "sync",
    "async",
    "a-name",
    "both",
    "nonblocking",
    "sync giving a coroutine",
    "nonblocking giving a coroutine",
]
BASES = {"DRF's": drf.BasePermission, "ours": permissions.BasePermission}


def leaf(number: int, colour: str, base: type, allowed: bool, allowed_object: bool, asked: list[Any]) -> type:
    """A permission class that answers as told, in ``colour``, and notes that it was asked."""

    def answering(name: str, answer: bool) -> dict[str, Any]:
        async def ahas(self: Any, *args: Any) -> bool:
            asked.append((number, name))
            return answer

        def has(self: Any, *args: Any) -> bool:
            asked.append((number, name))
            return answer

        def giving_coroutine(self: Any, *args: Any) -> Any:
            return ahas(self, *args)

        def never(self: Any, *args: Any) -> bool:
            raise AssertionError("the other colour was asked")

        return {
            "sync": {name: has},
            "async": {name: ahas},
            "a-name": {f"a{name}": ahas},
            "both": {name: has, f"a{name}": ahas},
            "nonblocking": {name: nonblocking(has)},
            "sync giving a coroutine": {name: giving_coroutine},
            "nonblocking giving a coroutine": {name: nonblocking(giving_coroutine)},
        }[colour]

    attributes = answering("has_permission", allowed) | answering("has_object_permission", allowed_object)
    return type(f"P{number}", (base,), attributes)


LEAVES = st.tuples(st.sampled_from(COLOURS), st.sampled_from(sorted(BASES)), st.booleans(), st.booleans())
TREES = st.recursive(
    LEAVES,
    lambda trees: st.one_of(
        st.tuples(st.just("&"), trees, trees), st.tuples(st.just("|"), trees, trees), st.tuples(st.just("~"), trees)
    ),
    max_leaves=8,
)


def compose(tree: Any, asked: list[Any], plain: bool, numbers: list[int]) -> Any:
    """The permission class of ``tree``; ``plain`` makes every leaf DRF's and sync."""
    if tree[0] in {"&", "|"}:
        left, right = (compose(branch, asked, plain, numbers) for branch in tree[1:])
        return left & right if tree[0] == "&" else left | right
    if tree[0] == "~":
        return ~compose(tree[1], asked, plain, numbers)
    colour, base, allowed, allowed_object = tree
    numbers.append(len(numbers))
    if plain:
        return leaf(numbers[-1], "sync", drf.BasePermission, allowed, allowed_object, asked)
    return leaf(numbers[-1], colour, BASES[base], allowed, allowed_object, asked)


def truth(tree: Any) -> bool:
    """What the tree says of the view, by boolean algebra alone."""
    if tree[0] == "&":
        return truth(tree[1]) and truth(tree[2])
    if tree[0] == "|":
        return truth(tree[1]) or truth(tree[2])
    if tree[0] == "~":
        return not truth(tree[1])
    return tree[2]


def sync_get(self: Any, request: Any) -> Any:
    self.check_object_permissions(request, object())
    return Response({})


async def async_get(self: Any, request: Any) -> Any:
    await self.acheck_object_permissions(request, object())
    return Response({})


VIEWS = {
    "async": (AsyncAPIView, async_get),
    "async, sync handlers": (AsyncAPIView, sync_get),
    "sync": (APIView, sync_get),
}


@settings(max_examples=examples(120), deadline=None)
@given(tree=TREES, view=st.sampled_from(sorted(VIEWS)))
def test_an_expression_of_any_colours_is_asked_and_answers_as_drfs(tree, view):
    expected: list[Any] = []
    reference = ask(type("V", (DRFView,), {"permission_classes": [compose(tree, expected, True, [])], "get": sync_get}))
    asked: list[Any] = []
    base, get = VIEWS[view]
    answer = ask(type("V", (base,), {"permission_classes": [compose(tree, asked, False, [])], "get": get}))
    assert asked == expected
    assert (answer.status, answer.body) == (reference.status, reference.body)
    if not truth(tree):
        assert answer.status == 403


@settings(max_examples=examples(50), deadline=None)
@given(trees=st.lists(TREES, max_size=4), view=st.sampled_from(sorted(VIEWS)))
def test_a_list_of_expressions_is_asked_up_to_the_first_refusal(trees, view):
    expected: list[Any] = []
    numbers: list[int] = []
    classes = [compose(tree, expected, True, numbers) for tree in trees]
    reference = ask(type("V", (DRFView,), {"permission_classes": classes, "get": sync_get}))
    asked: list[Any] = []
    numbers = []
    base, get = VIEWS[view]
    classes = [compose(tree, asked, False, numbers) for tree in trees]
    assert ask(type("V", (base,), {"permission_classes": classes, "get": get})).status == reference.status
    assert asked == expected


class Deny(drf.BasePermission):
    async def has_permission(self, request, view):
        return False


class OurDeny(permissions.BasePermission):
    async def has_permission(self, request, view):
        return False


@each_pair
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("denying", [Deny, OurDeny])
@pytest.mark.parametrize("depth", [1, 2, 3, 20])
def test_the_negation_of_an_async_permission(view, denying, depth):
    composed: Any = denying
    for _ in range(depth):
        composed = ~composed
    base, _ = VIEWS[view]
    cls = type("V", (base,), {"permission_classes": [composed], "get": lambda self, request: Response({})})
    assert ask(cls).status == (200 if depth % 2 else 403)


OPERATORS = {
    "AND": lambda denying: drf.AND(denying(), drf.AllowAny()),
    "AND, second": lambda denying: drf.AND(drf.AllowAny(), denying()),
    "OR": lambda denying: drf.OR(denying(), denying()),
    "NOT": lambda denying: drf.NOT(drf.NOT(denying())),
}


@each_pair
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("denying", [Deny, OurDeny])
@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_made_by_hand_is_asked_properly(view, denying, operator):
    base, _ = VIEWS[view]

    class View(base):  # type: ignore[misc, valid-type]
        def get_permissions(self):
            return [OPERATORS[operator](denying)]

        def get(self, request):
            return Response({})

    assert ask(View).status == 403


@each_pair
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("operator", [drf.AND, drf.OR, drf.NOT])
def test_a_subclass_of_an_operator_that_overrides_it_is_asked(view, colour, operator):
    def has_permission(self: Any, request: Any, view: Any) -> bool:
        return False

    async def ahas_permission(self: Any, request: Any, view: Any) -> bool:
        return False

    own = type("Own", (operator,), {"has_permission": has_permission if colour == "sync" else ahas_permission})
    operands = [drf.AllowAny()] if operator is drf.NOT else [drf.AllowAny(), drf.AllowAny()]
    base, _ = VIEWS[view]

    class View(base):  # type: ignore[misc, valid-type]
        def get_permissions(self):
            return [own(*operands)]

        def get(self, request):
            return Response({})

    assert ask(View).status == 403


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("denying", [Deny, OurDeny])
def test_a_subclass_of_an_operator_that_calls_super_asks_its_operands(view, denying):
    class Logged(drf.AND):
        def has_permission(self, request, view):
            return super().has_permission(request, view)

    base, _ = VIEWS[view]

    class View(base):  # type: ignore[misc, valid-type]
        def get_permissions(self):
            return [Logged(denying(), drf.AllowAny())]

        def get(self, request):
            return Response({})

    assert ask(View).status == 403


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("base", BASES)
def test_a_sync_permission_that_asks_others_itself_sees_their_answer(view, base):
    """Ours decide the same under their sync name; of DRF's bases only a sync hook can be called by sync code."""

    class Asked(permissions.BasePermission):
        async def has_permission(self, request, view):
            return False

    class Asking(BASES[base]):  # type: ignore[misc]
        def has_permission(self, request, view):
            return Asked().has_permission(request, view)

    root, _ = VIEWS[view]
    cls = type("V", (root,), {"permission_classes": [Asking], "get": lambda self, request: Response({})})
    assert ask(cls).status == 403


@pytest.mark.parametrize("view", VIEWS)
def test_a_refused_operands_message_is_the_compositions(view):
    """DRF gives a composed permission no message; neither do we."""

    class WithMessage(permissions.BasePermission):
        message = "not you"

        async def has_permission(self, request, view):
            return False

    base, _ = VIEWS[view]

    def get(self: Any, request: Any) -> Any:
        return Response({})

    attributes = {"authentication_classes": [], "get": get}
    alone = ask(type("V", (base,), attributes | {"permission_classes": [WithMessage]}))
    composed = ask(type("V", (base,), attributes | {"permission_classes": [WithMessage & WithMessage]}))
    assert alone.json() == {"detail": "not you"}
    assert composed.json() != alone.json()
