"""Django settings of the served project; what differs between servers comes in environment variables.

``BENCH_STACK`` names the module of ``benchmarks.served.stacks`` that has the URLs, ``BENCH_DATABASE`` the database, and
``BENCH_POOL`` the size of Django's pool; without one, each thread keeps its connection. ``BENCH_HEALTH_CHECKS`` has a
connection checked before it is used, and ``BENCH_APPLICATION_NAME`` is what PostgreSQL knows it by. ``BENCH_SQLITE`` is
the file of a second database, and ``BENCH_LEAVE_THREADS`` is set for streams that give their threads back.
"""

import os
from typing import Any

from benchmarks.project import DEFAULT_MIDDLEWARE, POSTGRES_HOST, POSTGRES_PORT, POSTGRES_USER

STACK = os.environ.get("BENCH_STACK", "plain")
POOL = int(os.environ.get("BENCH_POOL", "0"))
APPLICATION_NAME = os.environ.get("BENCH_APPLICATION_NAME", f"restflow_benchmarks_{os.getpid()}")

ALLOWED_HOSTS = ["127.0.0.1"]
DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("BENCH_DATABASE", "postgres"),
        "USER": POSTGRES_USER,
        "HOST": POSTGRES_HOST,
        "PORT": POSTGRES_PORT,
        "TEST": {"NAME": f"restflow_benchmarks_{os.getpid()}"},
        "CONN_MAX_AGE": 0 if POOL else None,
        "CONN_HEALTH_CHECKS": "BENCH_HEALTH_CHECKS" in os.environ,
        "OPTIONS": {
            "application_name": APPLICATION_NAME,
            "options": "-c synchronous_commit=off",
            **({"pool": {"min_size": 2, "max_size": POOL, "timeout": 30}} if POOL else {}),
        },
    }
}
if "BENCH_SQLITE" in os.environ:
    DATABASES["sqlite"] = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["BENCH_SQLITE"],
        "TEST": {"NAME": os.environ["BENCH_SQLITE"]},
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
    "benchmarks",
]
MIDDLEWARE = list(DEFAULT_MIDDLEWARE)
REST_FRAMEWORK: dict[str, Any] = {"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]}
ROOT_URLCONF = f"benchmarks.served.stacks.{STACK}"
SECRET_KEY = "benchmarks"
USE_TZ = True
RESTFLOW = {"STREAMS_LEAVE_THREADS": "BENCH_LEAVE_THREADS" in os.environ}

# As their own benchmarks set the peers up.
DMR_SETTINGS = {"validate_responses": False}
if STACK == "aiodrf_tuned":
    AIODRF = {"REPRESENTATION_MODE": "inline", "REQUEST_THREADS": 32}
    FASTDRF = {
        "SERIALIZER_BACKEND": "msgspec",
        "SERIALIZER_BACKEND_PARITY": "strict",
        "SERIALIZER_BACKEND_FALLBACK": "error",
        "CACHE_SERIALIZER_FIELDS": True,
        "FIELD_COPY_MODE": "compiled",
    }
    REST_FRAMEWORK["DEFAULT_RENDERER_CLASSES"] = ["fastdrf.msgspec.MsgspecJSONRenderer"]
