"""The pytest plugin, in projects of their own; each is run as a process, as pytest loads plugins once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.programs

ROOT = Path(__file__).resolve().parent.parent

SETTINGS = """
SECRET_KEY = "project"
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3", "TEST": {"NAME": "t.sqlite3"}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""

URLS = """
from django.contrib.auth.models import User
from django.urls import path
from rest_framework.response import Response
from restflow.views import AsyncAPIView


class Users(AsyncAPIView):
    authentication_classes = ()

    async def get(self, request):
        return Response([user.username async for user in User.objects.order_by("pk")])

    async def post(self, request):
        await User.objects.acreate_user(request.data["name"])
        return Response(status=201)


urlpatterns = [path("users/", Users.as_view())]
"""


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("settings", SETTINGS)
        self.write("urls", URLS)

    def write(self, name: str, code: str) -> None:
        (self.folder / f"{name}.py").write_text(code)

    def run(self, code: str, *arguments: str) -> str:
        """Run pytest over ``code`` with the plugin, which its own installation may have loaded already."""
        self.write("test_project", code)
        unwanted = ("COV_", "COVERAGE_", "PYTEST_", "DJANGO_SETTINGS_MODULE")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(self.folder)])
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-W",
                "error",
                "-p",
                "no:cacheprovider",
                "-p",
                "restflow_pytest",
                *arguments,
            ],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


FIXTURES = """
import asyncio

from asgiref.sync import async_to_sync
from restflow.test import AsyncAPIClient, AsyncAPIRequestFactory
from urls import Users

clients = []


def test_client(async_api_client, db):
    assert type(async_api_client) is AsyncAPIClient
    assert async_to_sync(async_api_client.post)("/users/", {"name": "emma"}).status_code == 201
    assert async_to_sync(async_api_client.get)("/users/").data == ["emma"]
    async_api_client.force_authenticate(object())
    clients.append(async_api_client)


def test_what_was_written_is_rolled_back(async_api_client, db):
    assert async_api_client is not clients[0]
    assert async_to_sync(async_api_client.get)("/users/").data == []


def test_factory(async_api_rf, db):
    assert type(async_api_rf) is AsyncAPIRequestFactory
    assert async_to_sync(Users.as_view())(async_api_rf.get("/users/")).data == []
"""


def test_the_fixtures(project: Project) -> None:
    assert "3 passed" in project.run(FIXTURES, "--ds=settings")


WITHOUT_PYTEST_DJANGO = """
import asyncio

import django
import pytest
from django.conf import settings


def test_client(request):
    django.setup()
    settings.ALLOWED_HOSTS = ["testserver"]
    client = request.getfixturevalue("async_api_client")
    assert asyncio.run(client.options("/users/")).status_code == 200
"""


def test_the_fixtures_without_pytest_django(project: Project) -> None:
    code = "import os\n\nos.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\n" + WITHOUT_PYTEST_DJANGO
    assert "1 passed" in project.run(code, "-p", "no:django")


def test_a_project_without_django_imports_nothing_of_it(project: Project) -> None:
    code = """
import sys


def test_nothing_is_imported():
    assert "restflow_pytest" in sys.modules
    assert not {name.partition(".")[0] for name in sys.modules} & {"restflow", "django", "rest_framework", "asgiref"}
"""
    assert "1 passed" in project.run(code, "-p", "no:django")


# The anyio plugin comes with httpx. The database of a test that an event loop plugin runs is flushed, not rolled back:
# the loop stands in the main thread, so what blocks runs in another, with a connection of its own.
ANYIO = """
import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.parametrize("time", [1, 2])
async def test_client(async_api_client, time):
    assert (await async_api_client.get("/users/")).data == []
    assert (await async_api_client.post("/users/", {"name": "emma"})).status_code == 201
    assert (await async_api_client.get("/users/")).data == ["emma"]
"""


def test_tests_run_by_anyio(project: Project) -> None:
    assert "2 passed" in project.run(ANYIO, "--ds=settings")
