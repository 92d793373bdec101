"""In any hierarchy the nearest class that writes either name of a hook decides, and ``super()`` goes on from there."""

from __future__ import annotations

import abc
from typing import Any

import pytest
from django.utils.functional import SimpleLazyObject
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework import permissions as drf_permissions
from rest_framework.response import Response
from rest_framework.views import APIView as DRFView
from rest_framework.viewsets import ViewSetMixin

from restflow import permissions
from restflow.views import APIView, AsyncAPIView
from tests.matrix import each_pair, examples
from tests.safety.hooks import VIEWS, Deny, Limit
from tests.safety.support import Refused, ask
from tests.site import Site

FEW = settings(max_examples=examples(80), deadline=None)

# What a class may write of a hook: (colour, how it calls super()), of each name.
SYNC = [("sync", None), ("sync", "sync")]
ASYNC = [(colour, via) for colour in ("async", "a-name") for via in (None, "a-name")]
WRITING = st.one_of(
    st.just(()),
    st.sampled_from([(one,) for one in SYNC + ASYNC]),
    st.tuples(st.sampled_from(SYNC), st.sampled_from([one for one in ASYNC if one[0] == "a-name"])),
)


@st.composite
def hierarchies(draw: Any) -> list[tuple[tuple[Any, ...], list[int]]]:
    """Classes in order of creation: what each writes, and which earlier ones it derives from."""
    classes = []
    for index in range(draw(st.integers(1, 6))):
        parents = draw(st.lists(st.integers(0, index - 1), max_size=3, unique=True)) if index else []
        classes.append((draw(WRITING), sorted(parents, reverse=True)))
    return classes


def build(root: type, hook: str, hierarchy: Any, ran: list[str], last: Any) -> type | None:
    """Make the hierarchy's classes over ``root``, and return the last; None where Python finds no MRO."""
    made: list[type] = []
    for index, (writing, parents) in enumerate(hierarchy):
        attributes: dict[str, Any] = {}
        owner: list[type] = []
        for colour, via in writing:
            label = f"{index} {colour}"
            name = hook if colour != "a-name" else f"a{hook}"
            attributes[name] = _sync(label, hook, via, owner, ran, last)
            if colour != "sync":
                attributes[name] = _async(label, f"a{hook}", via, owner, ran, last)
        try:
            owner.append(type(f"C{index}", tuple(made[parent] for parent in parents) or (root,), attributes))
        except TypeError as error:
            if "MRO" not in str(error):
                raise
            return None
        made.append(owner[0])
    return made[-1]


def _sync(label: str, name: str, via: str | None, owner: list[type], ran: list[str], last: Any) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        ran.append(label)
        return last() if via is None else getattr(super(owner[0], self), name)(*args, **kwargs)

    return method


def _async(label: str, name: str, via: str | None, owner: list[type], ran: list[str], last: Any) -> Any:
    async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        ran.append(label)
        return last() if via is None else await getattr(super(owner[0], self), name)(*args, **kwargs)

    return method


def model(cls: type, hierarchy: Any, driver: str) -> tuple[list[str], bool]:
    """What must run, in order, and whether it ends in the hierarchy (else the base's own hook is reached)."""
    ran: list[str] = []
    for owner in cls.__mro__:
        if not owner.__name__.startswith("C"):
            continue
        index = int(owner.__name__[1:])
        writing = dict(hierarchy[index][0])
        if not writing:
            continue
        own = "sync" if driver == "sync" else next((one for one in ("a-name", "async") if one in writing), None)
        colour = own if own in writing else next(iter(writing))
        ran.append(f"{index} {colour}")
        if writing[colour] is None:
            return ran, True
        driver = "sync" if colour == "sync" else "async"
    return ran, False


@FEW
@given(hierarchy=hierarchies(), driver=st.sampled_from(["async", "sync"]))
def test_a_views_check_permissions(hierarchy, driver):
    ran: list[str] = []

    def refuse() -> None:
        raise Refused

    root = {"async": VIEWS["async"], "sync": VIEWS["sync"]}[driver]
    cls = build(type("Root", (root,), {"permission_classes": [Deny]}), "check_permissions", hierarchy, ran, refuse)
    if cls is None:
        return
    expected, ends = model(cls, hierarchy, driver)
    answer = ask(cls)
    assert ran == expected
    # Where super() leads out of the hierarchy, the base's hook asks the view's permission, which denies. APIView has no
    # async twins, so an async override that asks for one there fails, and lets no one through.
    no_twin = driver == "sync" and bool(expected) and not expected[-1].endswith(" sync")
    assert answer.status == (418 if ends else 500 if no_twin else 403)


@FEW
@given(hierarchy=hierarchies(), called=st.sampled_from(["sync", "async"]))
def test_a_views_twins_called_directly(hierarchy, called):
    ran: list[str] = []
    cls = build(VIEWS["async"], "check_throttles", hierarchy, ran, lambda: None)
    if cls is None:
        return

    async def async_get(self: Any, request: Any) -> Any:
        ran.clear()
        await self.acheck_throttles(request)
        return Response({})

    def sync_get(self: Any, request: Any) -> Any:
        ran.clear()
        self.check_throttles(request)
        return Response({})

    cls.get = async_get if called == "async" else sync_get
    expected, _ = model(cls, hierarchy, called)
    assert ask(cls).status == 200
    assert ran == expected


ROOTS = [
    permissions.BasePermission,
    permissions.AllowAny,
    permissions.IsAuthenticated,
    permissions.IsAdminUser,
    permissions.IsAuthenticatedOrReadOnly,
    permissions.DjangoModelPermissions,
    permissions.DjangoModelPermissionsOrAnonReadOnly,
    permissions.DjangoObjectPermissions,
]


@FEW
@given(
    hierarchy=hierarchies(),
    root=st.sampled_from([permissions.BasePermission, permissions.AllowAny]),
    view=st.sampled_from(sorted(VIEWS)),
)
def test_a_permissions_has_permission(hierarchy, root, view):
    ran: list[str] = []
    cls = build(root, "has_permission", hierarchy, ran, lambda: False)
    if cls is None:
        return
    expected, ends = model(cls, hierarchy, "sync" if view == "sync" else "async")
    answer = ask(type("V", (VIEWS[view],), {"permission_classes": [cls]}))
    assert ran == expected
    assert answer.status == (403 if ends else 200)


@FEW
@given(hierarchy=hierarchies(), called=st.sampled_from(["sync", "async"]))
def test_a_permissions_twins_called_directly(hierarchy, called):
    ran: list[str] = []
    cls = build(permissions.BasePermission, "has_object_permission", hierarchy, ran, lambda: False)
    if cls is None:
        return
    expected, ends = model(cls, hierarchy, called)

    class View(AsyncAPIView):
        if called == "sync":

            def get(self, request):
                return Response(cls().has_object_permission(request, self, None))
        else:

            async def get(self, request):
                return Response(await cls().ahas_object_permission(request, self, None))

    answer = ask(View)
    assert ran == expected
    assert answer.json() is not ends


# Every permission of ours: a subclass's override decides, in either colour, through either name.


@each_pair
@pytest.mark.parametrize("called", ["by the view", "has_permission", "ahas_permission"])
@pytest.mark.parametrize("colour", ["sync", "async", "a-name"])
@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.__name__)
@pytest.mark.parametrize("name", ["has_permission", "has_object_permission"])
def test_an_override_of_any_permission_of_ours_decides(root, colour, called, name):
    attribute = f"a{name}" if colour == "a-name" else name

    def sync_denial(self: Any, *args: Any) -> bool:
        return False

    async def async_denial(self: Any, *args: Any) -> bool:
        return False

    denying = type("Denying", (root,), {attribute: sync_denial if colour == "sync" else async_denial})
    if name == "has_object_permission":
        denying.has_permission = lambda self, request, view: True
    arguments = (None,) if name == "has_object_permission" else ()

    class View(AsyncAPIView):
        permission_classes = [denying] if called == "by the view" else []

        if called == "has_permission":

            def get(self, request):
                return Response(getattr(denying(), name)(request, self, *arguments))
        elif called == "ahas_permission":

            async def get(self, request):
                return Response(await getattr(denying(), f"a{name}")(request, self, *arguments))
        else:

            async def get(self, request):
                await self.acheck_object_permissions(request, None)
                return Response(True)

    answer = ask(View)
    if called == "by the view":
        assert answer.status == 403
    else:
        assert answer.json() is False


@each_pair
@pytest.mark.parametrize("colour", ["sync", "async", "a-name"])
@pytest.mark.parametrize("root", ROOTS[:5], ids=lambda root: root.__name__)
@pytest.mark.parametrize("view", VIEWS)
def test_super_from_a_permission_reaches_what_it_overrides(root, colour, view):
    """An anonymous GET: what each permission says of it, asked through ``super()``."""
    attribute = "ahas_permission" if colour == "a-name" else "has_permission"

    def sync_super(self: Any, *args: Any) -> bool:
        return super(cls, self).has_permission(*args)

    async def async_super(self: Any, *args: Any) -> bool:
        return await super(cls, self).ahas_permission(*args)

    cls = type("P", (root,), {attribute: sync_super if colour == "sync" else async_super})
    plain = ask(type("V", (VIEWS[view],), {"permission_classes": [root]}))
    assert ask(type("V", (VIEWS[view],), {"permission_classes": [cls]})).status == plain.status


@each_pair
@pytest.mark.parametrize("theirs", [drf_permissions.IsAuthenticated, drf_permissions.IsAdminUser])
@pytest.mark.parametrize("colour", ["async", "a-name"])
@pytest.mark.parametrize("view", VIEWS)
def test_super_from_a_permission_reaches_drfs_that_is_listed_before_our_base(theirs, colour, view):
    class Async(theirs, permissions.BasePermission):  # type: ignore[misc, valid-type]
        async def has_permission(self, request, view):
            return await super().ahas_permission(request, view)

    class AName(theirs, permissions.BasePermission):  # type: ignore[misc, valid-type]
        async def ahas_permission(self, request, view):
            return await super().ahas_permission(request, view)

    cls = Async if colour == "async" else AName
    assert ask(type("V", (VIEWS[view],), {"permission_classes": [cls]})).status == 403


@pytest.mark.parametrize("colour", ["async", "a-name"])
@pytest.mark.parametrize("view", VIEWS)
def test_super_from_a_permission_reaches_a_third_partys_that_is_listed_before_our_base(colour, view):
    class Theirs(drf_permissions.BasePermission):
        def has_permission(self, request, view):
            return False

    async def override(self: Any, *args: Any) -> bool:
        return await super(cls, self).ahas_permission(*args)

    name = "has_permission" if colour == "async" else "ahas_permission"
    cls = type("P", (Theirs, permissions.BasePermission), {name: override})
    assert ask(type("V", (VIEWS[view],), {"permission_classes": [cls]})).status == 403


def test_a_base_of_another_kind_before_ours_keeps_its_hooks():
    """DRF's ViewSetMixin has an initialize_request of its own."""

    class View(ViewSetMixin, AsyncAPIView):
        async def list(self, request):
            return Response({"action": self.action})

    with Site({"x/": View.as_view({"get": "list"})}) as site:
        assert site.send("GET", "/x/").json() == {"action": "list"}


def test_an_abstract_mixin_is_implemented_by_the_other_name():
    class Abstract(abc.ABC):
        @abc.abstractmethod
        def check_permissions(self, request):
            """To be written by the view."""

    class View(Abstract, VIEWS["async"]):  # type: ignore[misc]
        async def acheck_permissions(self, request):
            raise Refused

    assert ask(View).status == 418


def test_a_mixin_of_ours_and_of_drfs_views_means_the_same_to_both():
    class Mixin:
        def check_permissions(self, request):
            raise Refused

    class Ours(Mixin, VIEWS["async"]):  # type: ignore[misc]
        pass

    class Theirs(Mixin, DRFView):
        def get(self, request):
            return Response({})

    assert [ask(Ours).status, ask(Theirs).status] == [418, 418]


@pytest.mark.parametrize("colour", ["sync", "a-name"])
def test_an_override_that_names_the_base_class_instead_of_super(colour):
    class Sync(VIEWS["async"]):  # type: ignore[misc]
        permission_classes = [Deny]

        def check_permissions(self, request):
            AsyncAPIView.check_permissions(self, request)

    class AName(VIEWS["async"]):  # type: ignore[misc]
        permission_classes = [Deny]

        async def acheck_permissions(self, request):
            await AsyncAPIView.acheck_permissions(self, request)

    assert ask(Sync if colour == "sync" else AName).status == 403


# Proxies, which have no class of a permission.


PERMISSION_BASES = {"DRF's": drf_permissions.BasePermission, "ours": permissions.BasePermission}


class Proxy:
    def __init__(self, wrapped):
        self.wrapped = wrapped

    def __getattr__(self, name):
        return getattr(self.wrapped, name)


@each_pair
@pytest.mark.parametrize("view", ["async", "async, sync handlers"])
@pytest.mark.parametrize(
    ("base", "colour"),
    [
        *((base, colour) for base in PERMISSION_BASES for colour in ("sync", "async")),
        ("DRF's", "a-name"),
        ("ours", "a-name"),
    ],
)
@pytest.mark.parametrize("proxy", [Proxy, lambda wrapped: SimpleLazyObject(lambda: wrapped)], ids=["own", "Django's"])
def test_a_permission_behind_a_proxy_is_asked(view, base, colour, proxy):
    async def denial(self: Any, request: Any, view: Any) -> bool:
        return False

    def sync_denial(self: Any, request: Any, view: Any) -> bool:
        return False

    name = "ahas_permission" if colour == "a-name" else "has_permission"
    permission = type("P", (PERMISSION_BASES[base],), {name: sync_denial if colour == "sync" else denial})
    cls = type("V", (VIEWS[view],), {"get_permissions": lambda self: [proxy(permission())]})
    assert ask(cls).status == 403


# A plain mixin, of no class of ours, has only the name it writes.


@pytest.mark.parametrize("view", ["async", "async, sync handlers"])
@pytest.mark.parametrize("mixin_colour", ["sync", "async"])
def test_super_under_the_async_name_reaches_a_plain_mixin(view, mixin_colour):
    class SyncMixin:
        def check_permissions(self, request):
            raise Refused

    class AsyncMixin:
        async def check_permissions(self, request):
            raise Refused

    mixin = SyncMixin if mixin_colour == "sync" else AsyncMixin

    class View(mixin, VIEWS[view]):  # type: ignore[misc]
        async def acheck_permissions(self, request):
            await super().acheck_permissions(request)

    assert ask(View).status == 418


@pytest.mark.parametrize("view", ["async", "async, sync handlers", "sync"])
def test_super_under_the_sync_name_reaches_a_plain_mixin_with_the_async_name(view):
    class Mixin:
        async def acheck_permissions(self, request):
            raise Refused

    class View(Mixin, VIEWS[view]):  # type: ignore[misc]
        def check_permissions(self, request):
            super().check_permissions(request)

    assert ask(View).status == 418


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("top", ["sync", "async"])
def test_super_in_a_permission_reaches_a_plain_mixin(view, top):
    class SyncMixin:
        def has_permission(self, request, view):
            return False

    class AsyncMixin:
        async def ahas_permission(self, request, view):
            return False

    class AsyncOverSync(SyncMixin, permissions.BasePermission):
        async def ahas_permission(self, request, view):
            return await super().ahas_permission(request, view)

    class SyncOverAsync(AsyncMixin, permissions.BasePermission):
        def has_permission(self, request, view):
            return super().has_permission(request, view)

    permission = AsyncOverSync if top == "async" else SyncOverAsync
    assert ask(type("V", (VIEWS[view],), {"permission_classes": [permission]})).status == 403


def test_a_patch_of_a_mixins_other_name_is_obeyed_after_a_first_request(monkeypatch):
    ran: list[str] = []

    class Mixin:
        def check_permissions(self, request):
            ran.append("sync")

    class View(Mixin, VIEWS["async"]):  # type: ignore[misc]
        pass

    async def acheck_permissions(self: Any, request: Any) -> None:
        ran.append("async")

    ask(View)
    monkeypatch.setattr(Mixin, "acheck_permissions", acheck_permissions, raising=False)
    ask(View)
    assert ran == ["sync", "async"]


# The hooks that refuse.


@each_pair
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", ["permission_denied", "throttled", "http_method_not_allowed"])
@pytest.mark.parametrize("prefix", ["", "a"])
def test_an_async_refusal_refuses_and_the_handler_does_not_run(view, name, prefix):
    ran: list[str] = []

    async def refusal(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        ran.append("refusal")
        raise Refused

    def handler(self: Any, request: Any) -> Any:
        ran.append("handler")
        return Response({})

    attributes = {prefix + name: refusal, "get": handler, "put": handler}
    if name == "permission_denied":
        attributes["permission_classes"] = [Deny]
    if name == "throttled":
        attributes["throttle_classes"] = [Limit]
    base = APIView if view == "sync" else AsyncAPIView
    cls = type("V", (base,), attributes)
    answer = ask(cls, "PATCH" if name == "http_method_not_allowed" else "GET")
    assert answer.status == 418
    assert ran == ["refusal"]


@pytest.mark.parametrize("view", VIEWS)
def test_a_refusal_that_does_not_raise_lets_the_request_through_as_drf_does(view):
    """DRF's contract: ``permission_denied`` refuses by raising. Both colours keep to it."""

    async def lenient(self: Any, request: Any, message: Any = None, code: Any = None) -> None:
        return None

    cls = type("V", (VIEWS[view],), {"permission_denied": lenient, "permission_classes": [Deny]})
    assert ask(cls).status == 200


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("colour", ["sync", "async", "a-name"])
def test_object_permissions_are_asked_and_obeyed(view, colour):
    attribute = "ahas_object_permission" if colour == "a-name" else "has_object_permission"

    def sync_denial(self: Any, *args: Any) -> bool:
        return False

    async def async_denial(self: Any, *args: Any) -> bool:
        return False

    permission = type(
        "P", (permissions.BasePermission,), {attribute: sync_denial if colour == "sync" else async_denial}
    )

    def sync_get(self: Any, request: Any) -> Any:
        self.check_object_permissions(request, None)
        return Response({})

    async def async_get(self: Any, request: Any) -> Any:
        await self.acheck_object_permissions(request, None)
        return Response({})

    get = async_get if view == "async" else sync_get
    cls = type("V", (VIEWS[view],), {"permission_classes": [permission], "get": get})
    assert ask(cls).status == 403
