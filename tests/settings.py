"""Django's settings for the tests: SQLite in a file, and PostgreSQL where it is running."""

import os
import socket
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SECRET_KEY = "tests"
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
USE_TZ = True
ROOT_URLCONF = ()
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "tests.shop",
    "tests.parity.tutorial",
]
MIDDLEWARE: list[str] = []
STATIC_URL = "/static/"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
SIMPLE_JWT = {"SIGNING_KEY": "for tests only, of thirty-two bytes"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING = {"version": 1, "disable_existing_loggers": False, "loggers": {"django.request": {"level": "CRITICAL"}}}

_SQLITE = str(Path(tempfile.gettempdir()) / f"restflow-tests-{os.getpid()}.sqlite3")
DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": _SQLITE,
        "TEST": {"NAME": _SQLITE},
        # A file that need not outlive a crash.
        "OPTIONS": {"timeout": 20, "init_command": "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY"},
    }
}

POSTGRES_HOST = os.environ.get("RESTFLOW_POSTGRES_HOST", "127.0.0.1")
POSTGRES_PORT = int(os.environ.get("RESTFLOW_POSTGRES_PORT", "5432"))


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


# Where services are required (in CI), a missing one must fail the tests that need it, not skip them.
SERVICES_REQUIRED = os.environ.get("RESTFLOW_REQUIRE_SERVICES") == "1"
POSTGRES = SERVICES_REQUIRED or _answers(POSTGRES_HOST, POSTGRES_PORT)
if POSTGRES:
    DATABASES["postgres"] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("RESTFLOW_POSTGRES_NAME", "test"),
        "USER": os.environ.get("RESTFLOW_POSTGRES_USER", "postgres"),
        "HOST": POSTGRES_HOST,
        "PORT": POSTGRES_PORT,
        "TEST": {"NAME": f"restflow_tests_{os.getpid()}"},
        "OPTIONS": {"options": "-c synchronous_commit=off"},
    }

REDIS_URL = os.environ.get("RESTFLOW_REDIS_URL", "redis://127.0.0.1:6379/0")
_redis = urlsplit(REDIS_URL)
REDIS = SERVICES_REQUIRED or _answers(_redis.hostname or "127.0.0.1", _redis.port or 6379)
