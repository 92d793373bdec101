"""The Allow header follows handlers that come and go, on the class and on the view."""

from __future__ import annotations

import http

import pytest
from rest_framework.response import Response

from tests.safety.late import both, view_of
from tests.safety.support import ask

pytestmark = pytest.mark.usefixtures("each_version")


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
