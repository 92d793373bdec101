"""Composed permissions of restflow's have both names of their hooks, whatever they are composed of."""

from __future__ import annotations

import asyncio
import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import permissions as drf

from restflow import permissions as ours
from restflow.views import APIView, AsyncAPIView
from tests.safety.support import ask

asked: list[str] = []


def permission(base: Any, name: str, allows: bool, colour: str = "sync") -> Any:
    def check(self: Any, *args: Any) -> bool:
        asked.append(name)
        return allows

    async def acheck(self: Any, *args: Any) -> bool:
        asked.append(name)
        return allows

    if colour == "sync":
        return type(name, (base,), {"has_permission": check, "has_object_permission": check})
    prefix = "a" if colour == "async, by the async name" else ""
    return type(name, (base,), {f"{prefix}has_permission": acheck, f"{prefix}has_object_permission": acheck})


COLOURS = ["sync", "async", "async, by the async name"]


def answers(composed: Any, name: str = "has_permission") -> tuple[bool, list[str]]:
    asked.clear()
    args = (None, None) if name == "has_permission" else (None, None, object())
    answer = asyncio.run(getattr(composed(), f"a{name}")(*args))
    awaited = list(asked)
    asked.clear()
    assert getattr(composed(), name)(*args) is answer
    assert asked == awaited
    return answer, awaited


@pytest.mark.parametrize("name", ["has_permission", "has_object_permission"])
@pytest.mark.parametrize("colour", COLOURS)
def test_each_operator_answers_as_drfs_does_and_stops_as_early(name: str, colour: str) -> None:
    yes, no = (permission(ours.BasePermission, str(answer), answer, colour) for answer in (True, False))
    assert answers(yes & no, name) == (False, ["True", "False"])
    assert answers(no & yes, name) == (False, ["False"])
    twice = 2 if name == "has_object_permission" else 1  # DRF asks the view as well
    assert answers(yes | no, name) == (True, ["True"] * twice)
    assert answers(no | yes, name) == (True, ["False", *["True"] * twice])
    assert answers(~yes, name) == (False, ["True"])
    assert answers(~~yes, name) == (True, ["True"])


@pytest.mark.parametrize("compose", [operator.and_, operator.or_])
def test_a_class_of_drfs_may_stand_on_either_side(compose: Any) -> None:
    yes, drfs = permission(ours.BasePermission, "ours", True, "async"), permission(drf.BasePermission, "DRF's", True)
    for composed in (compose(yes, drfs), compose(drfs, yes), compose(yes, compose(drfs, drfs)), compose(yes, ~~drfs)):
        assert isinstance(composed, ours.OperandHolder)
        assert answers(composed)[0] is True
    assert answers(compose(compose(drfs, yes), ~drfs))[0] is (compose is operator.or_)


TREES = st.recursive(
    st.tuples(st.booleans(), st.sampled_from(COLOURS)),
    lambda trees: st.one_of(
        st.tuples(st.just("~"), trees), st.tuples(st.just("&"), trees, trees), st.tuples(st.just("|"), trees, trees)
    ),
    max_leaves=8,
)


def composed_of(tree: Any, package: Any) -> Any:
    match tree:
        case ("~", part):
            return ~composed_of(part, package)
        case ("&", left, right):
            return composed_of(left, package) & composed_of(right, package)
        case ("|", left, right):
            return composed_of(left, package) | composed_of(right, package)
        case (allows, colour):
            return permission(package.BasePermission, "part", allows, colour if package is ours else "sync")


@given(TREES)
def test_at_any_depth_they_decide_and_ask_as_drf_does(tree: Any) -> None:
    for name in ("has_permission", "has_object_permission"):
        answer, awaited = answers(composed_of(tree, ours), name)
        asked.clear()
        args = (None, None) if name == "has_permission" else (None, None, object())
        assert (bool(getattr(composed_of(tree, drf)(), name)(*args)), asked) == (answer, awaited)


@pytest.mark.parametrize("base", [APIView, AsyncAPIView])
@pytest.mark.parametrize("colour", COLOURS)
def test_views_ask_them(base: Any, colour: str) -> None:
    yes, no = (permission(ours.BasePermission, str(answer), answer, colour) for answer in (True, False))
    for composed, status in ((yes & ~no, 405), (yes & no, 403), (drf.AllowAny & no, 403), (no | drf.AllowAny, 405)):
        view = type("View", (base,), {"permission_classes": [composed], "authentication_classes": []})
        assert ask(view, "GET").status == status


def test_equal_ones_are_equal_and_may_be_kept_in_sets() -> None:
    yes = permission(ours.BasePermission, "yes", True)
    assert yes & drf.AllowAny == yes & drf.AllowAny
    assert len({yes | drf.AllowAny, yes | drf.AllowAny, yes & drf.AllowAny}) == 2
