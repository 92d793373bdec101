"""The Django project that is measured: JSON only, a case's middleware, everything else as Django and DRF have it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
import psycopg
from django.conf import settings
from django.test import override_settings
from django.utils.module_loading import import_string

from benchmarks.case import Case, Variant
from benchmarks.client import Application
from benchmarks.data import fill

POSTGRES_HOST = os.environ.get("RESTFLOW_POSTGRES_HOST", "127.0.0.1")
POSTGRES_PORT = int(os.environ.get("RESTFLOW_POSTGRES_PORT", "5432"))
POSTGRES_USER = os.environ.get("RESTFLOW_POSTGRES_USER", "postgres")
# What startproject enters.
DEFAULT_MIDDLEWARE = (
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
HANDLERS = {
    "django": "django.core.handlers.asgi.ASGIHandler",
    "restflow": "restflow.asgi.ASGIHandler",
    "bound": "benchmarks.bound.BoundHandler",
}


def _postgres_answers() -> bool:
    server = f"host={POSTGRES_HOST} port={POSTGRES_PORT} user={POSTGRES_USER} dbname=postgres"
    try:
        psycopg.connect(server, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


POSTGRES = _postgres_answers()
NO_POSTGRES = f"PostgreSQL does not answer at {POSTGRES_HOST}:{POSTGRES_PORT}: the cases that need it are left out."


class Entries:
    """The ASGI handlers that serve the variants, each made when it is first asked for."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, tuple[str, ...]], Application] = {}

    def of(self, case: Case, variant: Variant) -> Application:
        """Return the handler that serves ``variant``, with the case's middleware."""
        key = (variant.entry, case.middleware)
        if key not in self._made:
            with override_settings(MIDDLEWARE=list(case.middleware)):
                self._made[key] = import_string(HANDLERS[variant.entry])()
        return self._made[key]


def entries(directory: Path) -> Entries:
    """Set Django up, with its SQLite file in ``directory``, and return the handlers."""
    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        DATABASES=_databases(directory / "bench.sqlite3"),
        DATABASE_ROUTERS=["benchmarks.models.Router"],
        # A view that fails ends the run with its traceback, where Django would answer 500.
        DEBUG_PROPAGATE_EXCEPTIONS=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
            "django.contrib.messages",
            "rest_framework",
            "benchmarks",
        ],
        MIDDLEWARE=[],
        REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
        ROOT_URLCONF="benchmarks.urls",
        SECRET_KEY="benchmarks",
        USE_TZ=True,
    )
    django.setup()
    return Entries()


def _databases(file: Path) -> dict[str, Any]:
    databases: dict[str, Any] = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(file),
            "TEST": {"NAME": str(file)},
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
            },
        }
    }
    if POSTGRES:
        databases["postgres"] = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ.get("RESTFLOW_POSTGRES_NAME", "test"),
            "USER": POSTGRES_USER,
            "HOST": POSTGRES_HOST,
            "PORT": POSTGRES_PORT,
            "TEST": {"NAME": f"restflow_benchmarks_{os.getpid()}"},
            # A request's thread ends with it, and with the thread a connection of its own: only a pool outlives them.
            "OPTIONS": {"pool": True, "options": "-c synchronous_commit=off"},
        }
    return databases


@contextmanager
def databases() -> Iterator[None]:
    """Make the databases and fill them; remove them in the end."""
    from django.test.utils import setup_databases, teardown_databases

    from benchmarks.models import PostgreSQLBook, SQLiteBook

    made = setup_databases(verbosity=0, interactive=False)
    try:
        for model in (SQLiteBook, *([PostgreSQLBook] if POSTGRES else [])):
            fill(model)
        yield
    finally:
        teardown_databases(made, verbosity=0)
