"""Django's settings for the tests: SQLite in a file, and PostgreSQL where it is running."""

import os
import tempfile
from pathlib import Path
from typing import Any

import redis

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
POSTGRES_USER = os.environ.get("RESTFLOW_POSTGRES_USER", "postgres")
REDIS_URL = os.environ.get("RESTFLOW_REDIS_URL", "redis://127.0.0.1:6379/0")


def _postgres_answers() -> bool:
    try:
        import psycopg
    except ImportError:  # mypy runs these settings, where there may be no libpq
        return False
    server = f"host={POSTGRES_HOST} port={POSTGRES_PORT} user={POSTGRES_USER} dbname=postgres"
    try:
        psycopg.connect(server, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _redis_answers() -> bool:
    try:
        with redis.Redis.from_url(REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            client.ping()
    except redis.RedisError:
        return False
    return True


POSTGRES = _postgres_answers()
REDIS = _redis_answers()

if POSTGRES:
    DATABASES["postgres"] = {
        "ENGINE": "tests.postgresql",
        "NAME": os.environ.get("RESTFLOW_POSTGRES_NAME", "test"),
        "USER": POSTGRES_USER,
        "HOST": POSTGRES_HOST,
        "PORT": POSTGRES_PORT,
        "TEST": {"NAME": f"restflow_tests_{os.getpid()}"},
        "OPTIONS": {"options": "-c synchronous_commit=off"},
    }
