"""DRF's settings name components by path, and are read while DRF's own views are being imported."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import restflow
from tests.matrix import each_value

pytestmark = pytest.mark.programs

NAMED = {
    "DEFAULT_AUTHENTICATION_CLASSES": ("restflow.authentication", "SessionAuthentication"),
    "DEFAULT_FILTER_BACKENDS": ("restflow.filters", "SearchFilter"),
    "DEFAULT_PAGINATION_CLASS": ("restflow.pagination", "FastPageNumberPagination"),
    "DEFAULT_PERMISSION_CLASSES": ("restflow.permissions", "IsAuthenticated"),
    "DEFAULT_THROTTLE_CLASSES": ("restflow.throttling", "AnonRateThrottle"),
}
NEEDED = """
from restflow import authentication, filters, flow, pagination, permissions, post_fetch, request, responses
from restflow import serializers, settings, throttling
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
"""
PROJECT = """
import importlib, sys, django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "restflow"],
    REST_FRAMEWORK={sys.argv[2]: sys.argv[3] if sys.argv[2].endswith("_CLASS") else [sys.argv[3]]},
)
importlib.import_module(sys.argv[1])
django.setup()
from restflow import views
default = getattr(views.AsyncGenericAPIView, sys.argv[4])
[default] = [default] if isinstance(default, type) else default
print(f"{default.__module__}.{default.__name__}")
"""


def shown(tmp_path: Path, first: str, setting: str, path: str) -> str:
    attribute = setting.removeprefix("DEFAULT_").lower()
    source = str(Path(restflow.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-c", PROJECT, first, setting, path, attribute],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), source])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@each_value
@pytest.mark.parametrize("first", ["rest_framework.views", "rest_framework.routers", "restflow.views"])
@pytest.mark.parametrize("setting", NAMED)
def test_a_component_of_ours_is_named_in_a_setting(tmp_path, first, setting):
    path = ".".join(NAMED[setting])
    assert shown(tmp_path, first, setting, path) == path


@each_value
@pytest.mark.parametrize("first", ["rest_framework.views", "restflow.views"])
@pytest.mark.parametrize(
    ("setting", "base"),
    [
        *((name, cls) for name, (_, cls) in NAMED.items()),
        ("DEFAULT_CONTENT_NEGOTIATION_CLASS", "DefaultContentNegotiation"),
        ("DEFAULT_PARSER_CLASSES", "JSONParser"),
        ("DEFAULT_RENDERER_CLASSES", "JSONRenderer"),
    ],
)
def test_a_component_of_the_project_is_named_whose_module_needs_ours(tmp_path, first, setting, base):
    module = NAMED[setting][0].removeprefix("restflow.") + "." if setting in NAMED else ""
    (tmp_path / "policies.py").write_text(f"{NEEDED}\nclass Mine({module}{base}):\n    pass\n")
    assert shown(tmp_path, first, setting, "policies.Mine") == "policies.Mine"


@pytest.mark.parametrize(
    ("module", "base"),
    [
        ("authentication", "BaseAuthentication"),
        ("filters", "BaseFilterBackend"),
        ("pagination", "BasePagination"),
        ("permissions", "BasePermission"),
        ("serializers", "BaseSerializer"),
        ("throttling", "BaseThrottle"),
    ],
)
def test_each_component_of_drfs_is_in_our_module_of_that_name(module, base):
    theirs, ours = (importlib.import_module(f"{package}.{module}") for package in ("rest_framework", "restflow"))
    written = {name for name, value in vars(theirs).items() if getattr(value, "__module__", "") == theirs.__name__}
    classes = {name for name in written if isinstance(getattr(theirs, name), type)}
    components = {name for name in classes if issubclass(getattr(theirs, name), getattr(theirs, base))}
    assert base in components
    for name in components:
        assert issubclass(getattr(ours, name), getattr(theirs, name)), name
