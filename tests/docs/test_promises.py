"""What pages say of other files, and of other packages' names, is so."""

from __future__ import annotations

import importlib
import re

import pytest

from restflow.move.names import ADRFS_METHODS, destination
from tests.docs.pages import ROOT

PAGES = ROOT / "docs"

# The public names of drf-restflow 2.0.1 that the page says are the same here.
DRF_RESTFLOW = {
    "views": "APIView ActionConfig AsyncAPIView AsyncCreateAPIView AsyncCreateModelMixin AsyncDestroyAPIView "
    "AsyncDestroyModelMixin AsyncGenericAPIView AsyncGenericViewSet AsyncListAPIView AsyncListCreateAPIView "
    "AsyncListModelMixin AsyncModelViewSet AsyncReadOnlyModelViewSet AsyncRetrieveAPIView AsyncRetrieveDestroyAPIView "
    "AsyncRetrieveModelMixin AsyncRetrieveUpdateAPIView AsyncRetrieveUpdateDestroyAPIView AsyncUpdateAPIView "
    "AsyncUpdateModelMixin AsyncViewSet CreateModelMixin DestroyModelMixin GenericViewSet ListModelMixin ModelViewSet "
    "PostFetch ReadOnlyModelViewSet RetrieveModelMixin UpdateModelMixin ViewSet",
    "permissions": "SAFE_METHODS AllowAny BasePermission DjangoModelPermissions DjangoModelPermissionsOrAnonReadOnly "
    "DjangoObjectPermissions IsAdminUser IsAuthenticated IsAuthenticatedOrReadOnly",
    "serializers": "DecimalField Field HyperlinkedModelSerializer ModelSerializer Serializer",
    "pagination": "BasePagination CursorPagination FastPageNumberPagination LimitOffsetPagination PageNumberPagination",
    "throttling": "AnonRateThrottle BaseThrottle ScopedRateThrottle SimpleRateThrottle UserRateThrottle",
    "authentication": "BaseAuthentication BasicAuthentication RemoteUserAuthentication SessionAuthentication "
    "TokenAuthentication",
    "test": "AsyncAPIClient AsyncAPIRequestFactory force_authenticate AsyncAPILiveServerTestCase "
    "AsyncAPISimpleTestCase AsyncAPITestCase AsyncAPITransactionTestCase",
    "exceptions": "APIException ErrorCode exception_handler format_error",
    "spectacular": "RestflowAutoSchema",
    "responses": "Response",
}


@pytest.mark.parametrize("module", DRF_RESTFLOW)
def test_drf_restflows_names_are_here(module: str) -> None:
    assert set(DRF_RESTFLOW[module].split()) <= set(importlib.import_module(f"restflow.{module}").__all__)


def test_adrfs_names_become_what_the_page_says() -> None:
    page = (PAGES / "howto" / "coming_from_adrf.md").read_text()
    pairs = re.findall(r"^\| `(adrf\.\w+\.\w+)`.* \| `(restflow[\w.]+)`", page, re.M)
    assert len(pairs) == 5
    for theirs, ours in pairs:
        place = destination(theirs)
        assert place is not None
        assert f"{place.module}.{place.name}" == ours
    rows = [[re.findall(r"`(\w+)`", cell) for cell in row.split("|")[1:3]] for row in page.splitlines() if "|" in row]
    renamed = dict(pair for theirs, ours in rows if len(theirs) == len(ours) for pair in zip(theirs, ours, strict=True))
    assert ADRFS_METHODS.items() <= renamed.items()


def test_every_promise_of_safety_names_tests_that_are_there() -> None:
    page = (PAGES / "explanation" / "security.md").read_text()
    named = re.findall(r"`([\w/]+(?:/|\.py))`", page.partition("## Who is thought of")[0])
    assert len(named) > 10
    for name in named:
        if name != "tests/":
            assert (ROOT / "tests" / name).exists(), name
