"""What most views leave as it is is done in place. Whatever is replaced after that, however late, takes effect."""

from __future__ import annotations

import functools
import http
from typing import Any

import pytest
import wrapt
from django.core.exceptions import ImproperlyConfigured
from rest_framework import parsers, permissions, renderers, serializers, throttling, versioning
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import GenericAPIView as DRFGenericAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request as DRFRequest
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView as DRFAPIView

from restflow.views import (
    APIView,
    AsyncAPIView,
    AsyncGenericAPIView,
    AsyncRetrieveAPIView,
    GenericAPIView,
    RetrieveAPIView,
)
from tests.matrix import each_pair
from tests.safety.support import ask, here
from tests.shop.models import Author

pytestmark = pytest.mark.usefixtures("each_version")

CHECKS = ("perform_authentication", "check_permissions", "check_throttles")
GETTERS = ("get_permissions", "get_throttles")


class Plain:
    authentication_classes: Any = []
    permission_classes: Any = []
    throttle_classes: Any = []


def view_of(base: Any, **attributes: Any) -> Any:
    if issubclass(base, AsyncAPIView):

        async def get(self, request):
            return Response({})
    else:

        def get(self, request):
            return Response({})

    return type("V", (Plain, base), {"get": get, **attributes})


both = pytest.mark.parametrize("base", [APIView, AsyncAPIView])


def refusing(colour: str) -> Any:
    async def asynchronous(*args: Any, **kwargs: Any) -> Any:
        raise PermissionDenied("replaced")

    def sync(*args: Any, **kwargs: Any) -> Any:
        raise PermissionDenied("replaced")

    return asynchronous if colour == "async" else sync


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


@both
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_drfs_negotiation_is_asked_where_it_is_patched_after_a_request(base, colour, monkeypatch):
    view = view_of(base)
    assert ask(view).status == 200
    monkeypatch.setattr(DefaultContentNegotiation, "select_renderer", refusing(colour))
    assert ask(view).json() == {"detail": "replaced"}


@both
def test_a_getter_that_setup_puts_on_the_view_is_asked(base):
    class Mine(renderers.JSONRenderer):
        media_type = "application/mine+json"

    def setup(self, request, *args, **kwargs):
        super(view, self).setup(request, *args, **kwargs)
        self.get_renderers = lambda: [Mine()]

    view = view_of(base, setup=setup)
    assert ask(view).headers["Content-Type"] == "application/mine+json"


class AuthorSerializer(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ("id", "name")


class NameOnly(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ("name",)


def by(value: Any, colour: str) -> Any:
    async def asynchronous(self: Any, *args: Any) -> Any:
        return value

    def sync(self: Any, *args: Any) -> Any:
        return value

    return asynchronous if colour == "async" else sync


def details(base: Any, **attributes: Any) -> Any:
    return type("V", (base,), {"queryset": Author.objects.all(), "serializer_class": AuthorSerializer, **attributes})


generic = pytest.mark.parametrize("base", [RetrieveAPIView, AsyncRetrieveAPIView])


@each_pair
@generic
@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize(
    "name", ["get_serializer_class", "get_response_serializer_class", "serializer_class", "response_serializer_class"]
)
@pytest.mark.django_db(transaction=True)
def test_a_serializer_class_that_is_patched_in_after_a_request_represents(base, colour, name, monkeypatch):
    author = Author.objects.create(name="Ada")
    view = details(base)
    send = functools.partial(ask, view, url=f"/x/{author.pk}/")
    assert send().json() == {"id": author.pk, "name": "Ada"}
    with monkeypatch.context() as patch:
        patch.setattr(view, name, by(NameOnly, colour) if name.startswith("get") else NameOnly)
        assert send().json() == {"name": "Ada"}
    assert send().json() == {"id": author.pk, "name": "Ada"}


@each_pair
@generic
@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("name", ["get_queryset", "filter_queryset"])
@pytest.mark.parametrize("where", ["class", "view"])
@pytest.mark.django_db(transaction=True)
def test_a_query_set_that_is_patched_in_after_a_request_hides_rows(base, colour, name, where, monkeypatch):
    author = Author.objects.create(name="Ada")
    view = details(base)
    send = functools.partial(ask, view, url=f"/x/{author.pk}/")
    assert send().status == 200
    nobody = by(Author.objects.none(), colour)
    if where == "class":
        monkeypatch.setattr(view, name, nobody)
    else:

        class Putting(permissions.BasePermission):
            def has_permission(self, request, view):
                setattr(view, name, functools.partial(nobody, view))
                return True

        monkeypatch.setattr(view, "permission_classes", [Putting])
    assert send().status == 404


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


@pytest.mark.parametrize(
    "name", ["initial", "perform_authentication", "perform_content_negotiation", "determine_version"]
)
def test_a_patch_of_drfs_own_view_counts_on_sync_views(name, monkeypatch):
    view = view_of(APIView)
    assert ask(view).status == 200
    drfs, asked = getattr(DRFAPIView, name), []

    def noted(self, *args, **kwargs):
        asked.append(name)
        return drfs(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(DRFAPIView, name, noted)
        assert ask(view).status == 200
    assert asked == [name]
    assert ask(view).status == 200
    assert asked == [name]


@both
@pytest.mark.parametrize("patched", [DRFAPIView, DRFGenericAPIView])
@pytest.mark.parametrize(
    "name",
    [*GETTERS, "get_authenticators", "get_parsers", "get_renderers", "get_renderer_context", "get_parser_context"],
)
def test_a_patch_of_a_getter_of_drfs_counts(base, patched, name, monkeypatch):
    generic = GenericAPIView if base is APIView else AsyncGenericAPIView
    view = view_of(generic)
    assert ask(view).status == 200
    drfs, asked = getattr(DRFAPIView, name), []

    def noted(self, *args):
        asked.append(here())
        return drfs(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(patched, name, noted, raising=False)
        assert ask(view).status == 200
    assert set(asked) == {"thread"}
    asked.clear()
    assert ask(view).status == 200
    assert asked == []


@both
def test_a_class_attribute_that_cannot_be_read_from_the_class_breaks_no_request(base):
    class OnInstances:
        def __get__(self, view, owner):
            if view is None:
                raise RuntimeError("read from the class")
            return None

    assert ask(view_of(base, versioning_class=OnInstances())).status == 200


@both
def test_a_view_may_work_with_djangos_own_request(base):
    def initialize_request(self, request, *args, **kwargs):
        request.user, request.authenticators, request.query_params = None, (), request.GET
        return request

    view = view_of(base, initialize_request=initialize_request)
    assert ask(view).status == 200


def test_an_async_check_that_a_property_of_a_sync_view_gives_is_refused():
    async def refused(*args, **kwargs):
        raise PermissionDenied

    view = view_of(APIView, initial=property(lambda self: refused))
    with pytest.raises(ImproperlyConfigured, match=r"V.initial is a property. .* make it a method"):
        view.as_view()(APIRequestFactory().get("/"))


@each_pair
@both
@pytest.mark.parametrize("answer", [None, 0, "", [], 1, "yes", [0]], ids=repr)
@pytest.mark.parametrize("check", ["permission_classes", "throttle_classes"])
def test_an_answer_that_is_no_bool_means_the_same_every_time_it_is_given(base, check, answer):
    class Says(throttling.BaseThrottle, permissions.BasePermission):
        def has_permission(self, request, view):
            return answer

        def allow_request(self, request, view):
            return answer

    view = view_of(base, **{"permission_classes": [Asked], check: [*([Asked] if check[0] == "p" else []), Says]})
    expected = 200 if answer else 403 if check == "permission_classes" else 429
    assert [ask(view).status for _ in range(3)] == [expected] * 3


class Asked(permissions.BasePermission):
    """Has the checks after it run where sync code may: in the worker thread."""

    def has_permission(self, request, view):
        return True


class Putting(DefaultContentNegotiation):
    """Puts a check on the view while it negotiates."""

    def select_renderer(self, request, renderers, format_suffix=None):
        view = request.parser_context["view"]
        setattr(view, view.put, refusing("sync"))
        return super().select_renderer(request, renderers, format_suffix)


@both
@pytest.mark.parametrize("name", [*CHECKS, *GETTERS])
def test_a_check_that_the_negotiation_puts_on_the_view_is_asked(base, name):
    def setup(self, request, *args, **kwargs):
        base.setup(self, request, *args, **kwargs)
        self._negotiator = Putting()

    policies = {"permission_classes": [Asked], "throttle_classes": [throttling.AnonRateThrottle]}
    for attributes in ({"setup": setup}, {"content_negotiation_class": Putting}):
        view = view_of(base, put=name, **attributes, **(policies if name in GETTERS else {}))
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


class Later:
    """An awaitable that is no coroutine, and answers no."""

    def __await__(self):
        return False
        yield


def test_an_awaitable_answer_of_sync_code_is_awaited_every_time_it_is_given():
    class Says(permissions.BasePermission):
        def has_permission(self, request, view):
            return Later()

    for base in (APIView, AsyncAPIView):
        view = view_of(base, permission_classes=[Asked, Says])
        assert [ask(view).status for _ in range(3)] == [403] * 3


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
def test_the_allow_header_follows_handlers_that_come_and_go(base):
    def handler(self, request):
        return Response({})

    view = view_of(base)
    assert ask(view).headers["Allow"] == "GET, HEAD, OPTIONS"
    view.put = handler
    assert ask(view).headers["Allow"] == "GET, PUT, HEAD, OPTIONS"
    del view.put
    view.http_method_names = ["get", "options"]
    assert ask(view).headers["Allow"] == "GET, OPTIONS"
    view.http_method_names.append("put")
    assert ask(view).headers["Allow"] == "GET, OPTIONS"
    view.__getattr__ = lambda self, name: handler if name == "put" else object.__getattribute__(self, name)
    assert ask(view).headers["Allow"] == "GET, OPTIONS, PUT"


@both
@pytest.mark.parametrize("name", ["m-search", "import", "x y", http.HTTPMethod.PATCH, ""])
def test_the_allow_header_names_methods_that_are_no_names_in_python(base, name):
    view = view_of(base, http_method_names=["get", name, "put"])
    assert ask(view).headers["Allow"] == "GET"
    setattr(view, name, lambda self, request: Response({}))
    assert ask(view).headers["Allow"] == f"GET, {name.upper()}"


@both
def test_the_allow_header_names_handlers_of_the_view_itself(base):
    def put(request):
        return Response({})

    class PerTenant(view_of(base)):
        tenant = "small"

        def setup(self, request, *args, **kwargs):
            super().setup(request, *args, **kwargs)
            if self.tenant == "large":
                self.put = put

        @property
        def delete(self):
            if self.tenant == "small":
                raise AttributeError
            return put

    assert ask(PerTenant).headers["Allow"] == "GET, HEAD, OPTIONS"
    PerTenant.tenant = "large"
    assert ask(PerTenant).headers["Allow"] == "GET, PUT, DELETE, HEAD, OPTIONS"


class OnInstances:
    """A descriptor that is there for objects, and not for their class."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            raise AttributeError
        return self.value


@both
def test_a_scheme_that_only_objects_have_decides_though_it_comes_late(base):
    class Refusing(versioning.BaseVersioning):
        def determine_version(self, request, *args, **kwargs):
            raise PermissionDenied("replaced")

    view = view_of(base)
    assert ask(view).status == 200
    view.versioning_class = OnInstances(Refusing)
    assert ask(view).json() == {"detail": "replaced"}


@both
def test_renderers_that_only_objects_have_render_though_they_come_late(base):
    view = view_of(base)
    assert ask(view).status == 200
    view.renderer_classes = OnInstances([renderers.BrowsableAPIRenderer])
    assert ask(view).headers["Content-Type"].startswith("text/html")


ONCE = {
    "get_authenticators": [type("Refuse", (BaseAuthentication,), {"authenticate": refusing("sync")})],
    "get_parsers": [parsers.JSONParser, parsers.FormParser],
    "get_permissions": [permissions.AllowAny, type("Deny", (permissions.AllowAny,), {"has_permission": lambda *a: 0})],
    "get_renderers": [renderers.JSONRenderer],
    "get_throttles": [type("Deny", (throttling.BaseThrottle,), {"allow_request": lambda *a: 0})],
}


@each_pair
@both
@pytest.mark.parametrize("name", ONCE)
@pytest.mark.parametrize("way", [iter, tuple, reversed], ids=["iter", "tuple", "reversed"])
def test_components_that_can_be_read_only_once_are_asked_as_drf_does(base, name, way):
    def get(self, request):
        return Response(request.data)

    async def aget(self, request):
        return Response(request.data)

    def answer(view_base: Any, handler: Any) -> Any:
        view = type("V", (Plain, view_base), {"post": handler, name: lambda self: way([cls() for cls in ONCE[name]])})
        response = ask(view, "POST", {"a": 1})
        return response.status, response.body

    expected = answer(DRFAPIView, get)
    assert answer(base, get) == expected
    if base is AsyncAPIView:
        assert answer(base, aget) == expected


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
