"""The system checks run by Django's command, on every view the URLs lead to, and on nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.http import HttpResponse
from django.test import override_settings
from django.urls import include, path
from django.views.decorators.cache import cache_control
from rest_framework import permissions
from rest_framework.response import Response

from restflow.views import ActionConfig, APIView, AsyncAPIView, PostFetch
from tests.checks.support import Books, at, misconfigured, project, routed, said
from tests.docs.pages import ROOT
from tests.shop.models import Review


@pytest.mark.django_db  # Django's own checks ask the database what it can do
def test_the_command_says_what_is_wrong() -> None:
    viewset = misconfigured(Books)
    output = StringIO()
    with project(routed(viewset)), pytest.raises(SystemCheckError) as refusal:
        call_command("check", stdout=output)
    assert "(restflow.E001)" in str(refusal.value)
    assert "View.action_configs has 'shelve', which is no action of it." in str(refusal.value)
    assert "HINT: Make the method an action" in str(refusal.value)


@pytest.mark.django_db
def test_the_command_passes_a_project_without_mistakes() -> None:
    class Fetching(Books):
        action_configs = {"list": ActionConfig(permission_classes=[permissions.AllowAny])}
        latest = PostFetch(Review.objects.all(), "latest", ["rating"], order_by=["-created"], book_title="title")

        async def list(self, request: Any) -> Response:
            return Response()

    output = StringIO()
    with project([*routed(Fetching), *at(APIView), path("plain/", lambda request: HttpResponse())]):
        call_command("check", stdout=output, fail_level="DEBUG")
    assert "no issues" in output.getvalue()


def test_the_package_works_and_checks_nothing_outside_of_the_installed_apps() -> None:
    code = """
import django
from django.conf import settings
settings.configure(ROOT_URLCONF=(), INSTALLED_APPS=["rest_framework"])
django.setup()
import restflow.views
from django.core.checks.registry import registry
assert "restflow" not in registry.tags_available()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_app_may_come_before_those_whose_models_the_settings_of_drf_need() -> None:
    code = """
import django
from django.conf import settings
apps = ["restflow", "django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "tests.shop"]
authentication = {"DEFAULT_AUTHENTICATION_CLASSES": ["tests.docs.accounts.Nobody"]}
settings.configure(ROOT_URLCONF=(), INSTALLED_APPS=apps, REST_FRAMEWORK=authentication)
django.setup()
import sys
assert "restflow.views" not in sys.modules
from django.core.checks.registry import registry
assert "restflow" in registry.tags_available()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("url_conf", [None, "tests.no_such_module"])
def test_a_url_conf_that_is_not_there_is_left_to_django(url_conf: Any) -> None:
    from restflow.checks import check_views

    with override_settings(ROOT_URLCONF=url_conf):
        assert check_views() == []


def test_a_view_that_can_not_be_looked_at_is_named_and_the_others_are_checked() -> None:
    class Strange(type):
        def __getattribute__(cls, name: str) -> Any:
            if name == "http_method_names" and sys._getframe(1).f_globals["__name__"] == "restflow.checks":
                raise RuntimeError("not now")
            return super().__getattribute__(name)

    class View(AsyncAPIView, metaclass=Strange):
        pass

    found = said([*at(View), *routed(misconfigured(Books))])
    assert [(number, text.rpartition(">.")[2]) for number, text, _ in found] == [
        ("I001", "View could not be checked: RuntimeError: not now"),
        ("E001", "tests.checks.support.View.action_configs has 'shelve', which is no action of it."),
    ]


def test_views_are_found_behind_includes_and_decorators_and_named_once() -> None:
    viewset = misconfigured(Books)
    wrapped = viewset.as_view({"get": "list"})

    async def undone(request: Any) -> Any:
        return await wrapped(request)

    for urlpatterns in (
        [path("api/", include((routed(viewset), "api")))],
        [path("x/", cache_control(max_age=1)(wrapped))],
        [path("x/", undone)],
        [*routed(viewset), path("x/", wrapped)],
    ):
        assert [number for number, *_ in said(urlpatterns)] == ["E001"]


def test_every_check_is_in_the_reference() -> None:
    sources = [(ROOT / "src/restflow" / name).read_text() for name in ("checks.py", "deployment.py")]
    given = set(re.findall(r"\b([EWI]\d{3})\b", "".join(sources)))
    documented = set(re.findall(r"`restflow\.([EWI]\d{3})`", (ROOT / "docs/reference/checks.md").read_text()))
    assert given == documented
