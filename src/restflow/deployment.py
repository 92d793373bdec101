"""System checks of the settings for serving a project with async views.

Reads Django's settings and imports the middleware that they name. Called by ``restflow.checks``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.handlers.asgi import ASGIHandler as DjangoASGIHandler
from django.db import connections
from django.utils.module_loading import import_string

from restflow.asgi import ASGIHandler
from restflow.middleware.chain import is_hooks_alone
from restflow.settings import settings

_LAYERS = 20
_SMALLEST_POOL = 4  # psycopg_pool's default min_size, and so its default max_size


def is_on_our_entry() -> bool | None:
    """Tell whether ``ASGI_APPLICATION`` is our handler: False if it is Django's, None if that can't be told.

    Channels' routers and wrappers of applications (``ASGIStaticFilesHandler``) are searched.
    """
    try:
        application: Any = import_string(getattr(django_settings, "ASGI_APPLICATION", None) or "")
    except Exception:  # the server will report what is wrong with it
        return None
    for _ in range(_LAYERS):
        router = getattr(application, "application_mapping", None)
        inner = router.get("http") if isinstance(router, dict) else None
        inner = inner or getattr(application, "application", None) or getattr(application, "app", None)
        if inner is None:
            break
        application = inner
    return isinstance(application, ASGIHandler) or (False if isinstance(application, DjangoASGIHandler) else None)


def check_deployment() -> Iterator[CheckMessage]:
    """Check project-wide settings, for a project with async views."""
    yield from _connections_left_behind()
    yield from _small_pools()
    yield from _sync_middleware()


# Imported only if a check depends on the project's ASGI application.


def _connections_left_behind() -> Iterator[CheckMessage]:
    for alias, database in connections.settings.items():
        age = database["CONN_MAX_AGE"]
        if age == 0 or (is_ours := is_on_our_entry()):
            continue
        kind, number = (Warning, "W009") if is_ours is None else (Error, "E009")
        yield kind(
            f"CONN_MAX_AGE of the database {alias!r} is {age}, and there are async views. Django's ASGI handler has a "
            "new thread for each request, whose connection stays open after the thread has ended, until the garbage "
            "is collected: under load the database runs out of them.",
            hint="Set it to 0, with a pool where opening connections costs too much; or serve the project by "
            "restflow.asgi.get_asgi_application(), and name that in ASGI_APPLICATION.",
            obj=f"DATABASES[{alias!r}]",
            id=f"restflow.{number}",
        )


def _small_pools() -> Iterator[CheckMessage]:
    for alias, database in connections.settings.items():
        pool = database["OPTIONS"].get("pool")
        if not pool or connections[alias].vendor != "postgresql":
            continue
        given = pool if isinstance(pool, dict) else {}
        size = given.get("max_size") or given.get("min_size", _SMALLEST_POOL)
        # WORKER_THREADS has a default, which only counts if the project uses the entry that has these threads.
        if size < settings.WORKER_THREADS and ("WORKER_THREADS" in settings.user_settings or is_on_our_entry()):
            yield Warning(
                f"The pool of the database {alias!r} has {size} connections, and WORKER_THREADS allows "
                f"{settings.WORKER_THREADS} requests to ask for one at once. Those that wait longer than the pool's "
                "timeout are answered with a 500.",
                hint=f"Lower RESTFLOW['WORKER_THREADS'] to {size}, so that requests wait for their turn, in order and "
                "without a timeout, or raise max_size.",
                obj=f"DATABASES[{alias!r}]",
                id="restflow.W010",
            )


def _sync_middleware() -> Iterator[CheckMessage]:
    for path in django_settings.MIDDLEWARE:
        try:
            factory: Any = import_string(path)
        except ImportError:  # Django reports this itself
            continue
        if not (getattr(factory, "async_capable", False) or (isinstance(factory, type) and is_hooks_alone(factory))):
            yield Warning(
                f"The middleware {path} is sync only. Each request holds a thread, and the database connection that "
                "the thread has, for as long as an async view waits.",
                hint="Make it async too (django.utils.decorators.sync_and_async_middleware), or a class of "
                "MiddlewareMixin's hooks, process_request and process_response, without a __call__ of its own.",
                obj=path,
                id="restflow.W011",
            )
