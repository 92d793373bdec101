"""Settings of the bookshop, fit for a developer's own machine."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
PORT = os.environ.get("PORT", "8000")

DEBUG = os.environ.get("BOOKSHOP_DEBUG", "1") == "1"
SECRET_KEY = os.environ.get("BOOKSHOP_SECRET_KEY", "for the example only" if DEBUG else "")
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "restflow",  # only for its system checks
    "drf_spectacular",
    "drf_spectacular_sidecar",  # the files of /api/docs/, so that the page asks no third party
    "shop",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]

ROOT_URLCONF = "bookshop.urls"
ASGI_APPLICATION = "bookshop.asgi.application"
WSGI_APPLICATION = "bookshop.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("BOOKSHOP_DB", BASE_DIR / "db.sqlite3"),
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},  # one that reads, then writes, is not in another's way
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The shop is served by one process, whose memory is enough of a cache for Idempotency-Keys.
SILENCED_SYSTEM_CHECKS = ["restflow.W012"]

STATIC_URL = "static/"
USE_TZ = True

# DRF's own classes and settings, unchanged.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticatedOrReadOnly"],
    "DEFAULT_THROTTLE_RATES": {"offers": "30/min"},
    "DEFAULT_SCHEMA_CLASS": "restflow.spectacular.RestflowAutoSchema",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Bookshop",
    "DESCRIPTION": "A small API written with restflow.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# The sellers whose offers are asked for, and the only addresses at which they may be asked: the address comes from the
# request, and a Host header that names another host or port must not send the shop there.
SELLERS = ["albion", "corvus", "lantern", "meridian", "quill"]
UPSTREAM_ORIGINS = [f"http://127.0.0.1:{PORT}", f"http://localhost:{PORT}"]
