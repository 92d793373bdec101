"""Django's own middleware: which hooks never block, and under which condition.

Marks these functions, so that the chain (``chain.py``) calls them in place. Functions are known by identity, so an
override in a subclass is not covered. If a function calls methods that a subclass may override, its condition checks
that none is. If a condition can't tell, the hook runs in the worker thread. Digests of the functions' sources are in
``tests/entry/test_digests.py``.

Source: Django 5.2 to 6.1, the modules that ``KNOWN`` names.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import FunctionType
from typing import Any

from django.conf import settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.utils import translation
from django.utils.translation import trans_real

from restflow.flow import always, nonblocking, unchanged

_CACHES_MADE_IN_PLACE = frozenset(
    f"django.core.cache.backends.{name}" for name in ("locmem.LocMemCache", "redis.RedisCache")
)
_SHORT = 200  # bytes; GZipMiddleware compresses nothing shorter

When = Callable[..., bool]


def know(cls: type) -> None:
    """Mark the hooks of the middleware class ``cls`` and its bases that are known here."""
    for base in cls.__mro__:
        for name, when in KNOWN.get(f"{base.__module__}.{base.__qualname__}", {}).items():
            function: Any = vars(base).get(name)
            if is_as_written(function, base.__module__):
                nonblocking(when=when)(function)


def is_as_written(function: Any, module: str) -> bool:
    """Tell whether ``function`` is from the source of ``module``, and was not patched by another package.

    Args:
        function: the attribute of the module, or of a class in it.
        module: its dotted name.
    """
    return isinstance(function, FunctionType) and function.__code__.co_filename == sys.modules[module].__file__


def django_writes(cls: type, name: str) -> bool:
    """Tell whether ``name`` is defined by Django's classes only, and by no class of a project."""
    looks, answer = _looked(cls, name)
    for is_as_seen in looks:
        if not is_as_seen():  # one has been patched since
            _looked.cache_clear()
            return _looked(cls, name)[1]
    return answer


@lru_cache(maxsize=1024)
def _looked(cls: type, name: str) -> tuple[list[Callable[[], bool]], bool]:
    found = [base for base in cls.__mro__ if name in vars(base) and base is not object]
    answer = bool(found) and all(
        base.__module__.startswith("django.") and is_as_written(vars(base)[name], base.__module__) for base in found
    )
    return [unchanged(each, [name]) for each in (cls, *found)], answer


# The conditions. Each takes the hook's arguments, by position.


def _session_is_made_in_place(middleware: Any, request: Any) -> bool:
    store = middleware.SessionStore
    if not django_writes(store, "__init__"):
        return False
    backends = {base.__module__.removeprefix("django.contrib.sessions.backends.") for base in store.__mro__}
    if backends & {"cache", "cached_db"}:
        # These open a cache, which may be of the project's class or import a client library.
        return settings.CACHES[settings.SESSION_CACHE_ALIAS]["BACKEND"] in _CACHES_MADE_IN_PLACE
    return "file" not in backends  # the file backend accesses the disk


def _session_is_not_saved(middleware: Any, request: Any, response: Any) -> bool:
    session = getattr(request, "session", None)
    if session is None:
        return True
    return django_writes(type(session), "is_empty") and not session.modified and not settings.SESSION_SAVE_EVERY_REQUEST


def _no_redirect_to_www(middleware: Any, request: Any) -> bool:
    return not settings.PREPEND_WWW


def _no_redirect_of_its_own(middleware: Any, request: Any, response: Any) -> bool:
    cls = type(middleware)
    return response.status_code != 404 or (
        django_writes(cls, "should_redirect_with_slash") and django_writes(cls, "get_full_path_with_slash")
    )


def _secret_is_in_the_cookie(middleware: Any, request: Any) -> bool:
    return not settings.CSRF_USE_SESSIONS and django_writes(type(middleware), "_get_secret")


def _csrf_is_not_checked(middleware: Any, request: Any, callback: Any, args: Any, kwargs: Any) -> bool:
    return (
        getattr(callback, "csrf_exempt", False)
        or request.method in ("GET", "HEAD", "OPTIONS", "TRACE")
        or getattr(request, "csrf_processing_done", False)
    ) and django_writes(type(middleware), "_accept")


def _csrf_cookie_needs_no_session(middleware: Any, request: Any, response: Any) -> bool:
    return not request.META.get("CSRF_COOKIE_NEEDS_UPDATE") or (
        not settings.CSRF_USE_SESSIONS and django_writes(type(middleware), "_set_csrf_cookie")
    )


_MESSAGE_STORAGES = frozenset(
    f"django.contrib.messages.storage.{name}" for name in ("fallback.FallbackStorage", "cookie.CookieStorage")
)


def _messages_are_djangos(middleware: Any, request: Any) -> bool:
    return settings.MESSAGE_STORAGE in _MESSAGE_STORAGES


def _no_messages(middleware: Any, request: Any, response: Any) -> bool:
    messages = getattr(request, "_messages", None)
    if messages is None:
        return True
    return django_writes(type(messages), "update") and not (messages.used or messages.added_new)


def _frame_options_are_djangos(middleware: Any, request: Any, response: Any) -> bool:
    return django_writes(type(middleware), "get_xframe_options_value")


def _not_missing(middleware: Any, request: Any, response: Any) -> bool:
    return bool(response.status_code != 404)


def _not_compressed(middleware: Any, request: Any, response: Any) -> bool:
    return "gzip" not in request.META.get("HTTP_ACCEPT_ENCODING", "") or (
        not response.streaming and len(response.content) < _SHORT
    )


def _not_a_get(middleware: Any, request: Any, response: Any) -> bool:
    return bool(request.method != "GET")


def _translations_are_loaded(middleware: Any, request: Any) -> bool:
    """Find the language as the hook does: from memory, once Django has looked on disk for the languages that it has.

    The hook then loads that language's translations, unless an earlier request has done so.
    """
    modules: tuple[Any, ...] = (translation, trans_real)
    if not all(is_as_written(module.get_language_from_request, module.__name__) for module in modules):
        return False
    urlconf: Any = getattr(request, "urlconf", settings.ROOT_URLCONF)
    are_prefixed, default_is_prefixed = is_language_prefix_patterns_used(urlconf)
    languages = {translation.get_language_from_request(request, check_path=are_prefixed)}
    if are_prefixed and not default_is_prefixed:
        languages.add(settings.LANGUAGE_CODE)
    loaded: Any = vars(trans_real)["_translations"]
    return languages.issubset(loaded)


def _login_is_not_required(middleware: Any, request: Any, view: Any, args: Any, kwargs: Any) -> bool:
    return not getattr(view, "login_required", True)


KNOWN: Mapping[str, Mapping[str, When]] = {
    "django.middleware.security.SecurityMiddleware": {"process_request": always, "process_response": always},
    "django.contrib.sessions.middleware.SessionMiddleware": {
        "process_request": _session_is_made_in_place,
        "process_response": _session_is_not_saved,
    },
    "django.middleware.common.CommonMiddleware": {
        "process_request": _no_redirect_to_www,
        "process_response": _no_redirect_of_its_own,
    },
    "django.middleware.locale.LocaleMiddleware": {
        "process_request": _translations_are_loaded,
        "process_response": _not_missing,
    },
    "django.middleware.csrf.CsrfViewMiddleware": {
        "process_request": _secret_is_in_the_cookie,
        "process_view": _csrf_is_not_checked,
        "process_response": _csrf_cookie_needs_no_session,
    },
    "django.contrib.auth.middleware.AuthenticationMiddleware": {"process_request": always},
    "django.contrib.auth.middleware.LoginRequiredMiddleware": {"process_view": _login_is_not_required},
    "django.contrib.messages.middleware.MessageMiddleware": {
        "process_request": _messages_are_djangos,
        "process_response": _no_messages,
    },
    "django.middleware.clickjacking.XFrameOptionsMiddleware": {"process_response": _frame_options_are_djangos},
    "django.middleware.csp.ContentSecurityPolicyMiddleware": {"process_request": always, "process_response": always},
    "django.middleware.gzip.GZipMiddleware": {"process_response": _not_compressed},
    "django.middleware.http.ConditionalGetMiddleware": {"process_response": _not_a_get},
    "django.middleware.common.BrokenLinkEmailsMiddleware": {"process_response": _not_missing},
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware": {"process_response": _not_missing},
    "django.contrib.redirects.middleware.RedirectFallbackMiddleware": {"process_response": _not_missing},
}
