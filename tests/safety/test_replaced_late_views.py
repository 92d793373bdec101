"""What a view is made of may be replaced after a request, by DRF's own kinds of it or by others."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework import renderers, versioning
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import GenericAPIView as DRFGenericAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView as DRFAPIView

from restflow.views import APIView, AsyncGenericAPIView, GenericAPIView
from tests.safety.late import GETTERS, OnInstances, both, refusing, view_of
from tests.safety.support import ask, here

pytestmark = pytest.mark.usefixtures("each_version")


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
def test_a_class_attribute_that_cannot_be_read_from_the_class_breaks_no_request(base):
    class Unreadable:
        def __get__(self, view, owner):
            if view is None:
                raise RuntimeError("read from the class")
            return None

    assert ask(view_of(base, versioning_class=Unreadable())).status == 200


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
