"""The modules under DRF's names, and what `dir` says of the public ones."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from typing import Any

import pytest
from rest_framework import decorators, generics, mixins, viewsets

import restflow.decorators
import restflow.generics
import restflow.mixins
import restflow.views
import restflow.viewsets
from tests.shop.models import Author

PUBLIC = (
    "asgi",
    "authentication",
    "db",
    "decorators",
    "exceptions",
    "filters",
    "flow",
    "generics",
    "mixins",
    "pagination",
    "permissions",
    "post_fetch",
    "request",
    "responses",
    "serializers",
    "spectacular",
    "test",
    "throttling",
    "views",
    "viewsets",
)
PAIRS = [(generics, restflow.generics), (mixins, restflow.mixins), (viewsets, restflow.viewsets)]


def classes_of(module: Any) -> list[type]:
    return [value for value in vars(module).values() if inspect.isclass(value) and value.__module__ == module.__name__]


@pytest.mark.parametrize(("drfs", "ours"), PAIRS, ids=lambda module: module.__name__)
def test_a_module_of_drfs_has_ours_with_each_class_in_both_colours(drfs: Any, ours: Any) -> None:
    for drfs_class in classes_of(drfs):
        for name in (drfs_class.__name__, f"Async{drfs_class.__name__}"):
            assert name in ours.__all__
            assert issubclass(getattr(ours, name), drfs_class)
            assert getattr(ours, name) is getattr(restflow.views, name)


def test_the_decorators_are_drfs_but_those_that_make_async_views() -> None:
    theirs = {
        name
        for name, value in vars(decorators).items()
        if getattr(value, "__module__", None) == decorators.__name__ and not name.startswith("_")
    }
    assert theirs == set(restflow.decorators.__all__)
    assert restflow.decorators.api_view is restflow.views.api_view
    assert restflow.decorators.permission_classes is decorators.permission_classes


GENERIC = [
    cls
    for name in restflow.views.__all__
    if inspect.isclass(cls := getattr(restflow.views, name)) and issubclass(cls, generics.GenericAPIView)
]


@pytest.mark.parametrize("cls", GENERIC, ids=lambda cls: cls.__name__)
def test_a_generic_class_takes_its_model(cls: Any) -> None:
    class View(cls[Author]):
        queryset = Author.objects.all()

    assert View.__mro__[1] is cls


@pytest.mark.parametrize("name", PUBLIC)
def test_dir_of_a_public_module_is_what_it_exports(name: str) -> None:
    module = importlib.import_module(f"restflow.{name}")
    assert dir(module) == sorted(module.__all__)


# What code that was written for drf-restflow 2.x, or for DRF, imports from the modules of components.
NAMES = {
    "authentication": "BaseAuthentication BasicAuthentication RemoteUserAuthentication SessionAuthentication "
    "TokenAuthentication",
    "exceptions": "APIException ErrorCode exception_handler format_error",
    "pagination": "CursorPagination FastPageNumberPagination LimitOffsetPagination PageNumberPagination",
    "permissions": "AllowAny BasePermission DjangoModelPermissions DjangoModelPermissionsOrAnonReadOnly "
    "DjangoObjectPermissions IsAdminUser IsAuthenticated IsAuthenticatedOrReadOnly",
    "responses": "NDJSONResponse Response SSEResponse StreamingJSONListResponse",
    "serializers": "HyperlinkedModelSerializer ListSerializer ModelSerializer Serializer",
    "test": "AsyncAPIClient AsyncAPILiveServerTestCase AsyncAPIRequestFactory AsyncAPISimpleTestCase AsyncAPITestCase "
    "AsyncAPITransactionTestCase force_authenticate",
    "throttling": "AnonRateThrottle BaseThrottle ScopedRateThrottle SimpleRateThrottle UserRateThrottle",
    "views": "OFF ActionConfig PostFetch action api_view",
}


@pytest.mark.parametrize(("module", "names"), NAMES.items())
def test_a_module_of_components_has_its_names_and_its_classes_are_drfs(module: str, names: str) -> None:
    ours = importlib.import_module(f"restflow.{module}")
    drfs = importlib.import_module({"responses": "rest_framework.response"}.get(module, f"rest_framework.{module}"))
    for name in names.split():
        assert name in ours.__all__
        theirs = getattr(drfs, name, None)
        assert not inspect.isclass(theirs) or issubclass(getattr(ours, name), theirs)


def test_the_entry_is_imported_before_the_settings_are_named() -> None:
    """An ``asgi.py`` imports first, and sets ``DJANGO_SETTINGS_MODULE`` then, as `startproject` writes it."""
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    subprocess.run([sys.executable, "-c", "import restflow.asgi"], env=environment, check=True)
