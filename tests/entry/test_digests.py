"""The functions of Django's whose bodies our entry mirrors or knows: a release that changes one has to be read."""

from __future__ import annotations

import hashlib
import inspect
import textwrap
from importlib import import_module
from typing import Any

import pytest
from django.utils.module_loading import import_string

from restflow.middleware.known import KNOWN

# What the handler and the chain do in place of these.
MIRRORED = [
    "django.core.handlers.asgi.ASGIHandler.__call__",
    "django.core.handlers.asgi.ASGIHandler.handle",
    "django.core.handlers.asgi.ASGIHandler.read_body",
    "django.core.handlers.asgi.ASGIHandler.run_get_response",
    "django.core.handlers.asgi.ASGIRequest.close",
    "django.core.handlers.base.BaseHandler.load_middleware",
    "django.core.handlers.base.BaseHandler.get_response_async",
    "django.core.handlers.base.BaseHandler._get_response_async",
    "django.core.handlers.base.BaseHandler.process_exception_by_middleware",
    "django.core.handlers.base.reset_urlconf",
    "django.core.handlers.exception.convert_exception_to_response",
    "django.core.cache.close_caches",
    "django.db.close_old_connections",
    "django.db.reset_queries",
    "django.dispatch.dispatcher.Signal._live_receivers",
    "django.http.response.HttpResponseBase.close",
    "django.http.request.HttpRequest.close",
    "django.utils.deprecation.MiddlewareMixin.__call__",
    "django.utils.deprecation.MiddlewareMixin.__acall__",
    # What Django's hooks call, and the conditions of `known` count on.
    "django.contrib.sessions.backends.base.SessionBase.__init__",
    "django.contrib.sessions.backends.base.SessionBase.is_empty",
    "django.contrib.messages.storage.base.BaseStorage.update",
    "django.middleware.csrf.CsrfViewMiddleware._accept",
    "django.middleware.csrf.CsrfViewMiddleware._get_secret",
    "django.middleware.csrf.CsrfViewMiddleware._set_csrf_cookie",
    "django.middleware.common.CommonMiddleware.should_redirect_with_slash",
    "django.middleware.common.CommonMiddleware.get_full_path_with_slash",
    "django.middleware.clickjacking.XFrameOptionsMiddleware.get_xframe_options_value",
    "django.conf.urls.i18n.is_language_prefix_patterns_used",
    "django.utils.translation.trans_real.activate",
    "django.utils.translation.trans_real.check_for_language",
    "django.utils.translation.trans_real.get_language_from_path",
    "django.utils.translation.trans_real.get_language_from_request",
    "django.utils.translation.trans_real.get_supported_language_variant",
    "django.utils.translation.trans_real.translation",
]
HOOKS = [f"{cls}.{name}" for cls, hooks in KNOWN.items() for name in hooks]

# By function: the digests of its source in the releases that were read.
READ: dict[str, tuple[str, ...]] = {
    "django.core.handlers.asgi.ASGIHandler.__call__": ("fd60e60793c4",),
    "django.core.handlers.asgi.ASGIHandler.handle": (
        "ab2236e287c8",
        "4a7f40feb237",
    ),
    "django.core.handlers.asgi.ASGIHandler.read_body": (
        "0a30b6b3ac27",
        "f1dec0f8db0b",
    ),
    "django.core.handlers.asgi.ASGIHandler.run_get_response": ("3e3f9e6ae024",),
    "django.core.handlers.asgi.ASGIRequest.close": ("20aeff6c678b",),
    "django.core.handlers.base.BaseHandler.load_middleware": (
        "892801349dd6",
        "2f5f60d77cf6",
    ),
    "django.core.handlers.base.BaseHandler.get_response_async": ("2fa692f98e15",),
    "django.core.handlers.base.BaseHandler._get_response_async": ("3883a2ff4ea5",),
    "django.core.handlers.base.BaseHandler.process_exception_by_middleware": ("67c2269d8182",),
    "django.core.handlers.base.reset_urlconf": ("7ad5ce3f320f",),
    "django.core.handlers.exception.convert_exception_to_response": ("a297ae868bdd",),
    "django.core.cache.close_caches": ("abe7badf0640",),
    "django.db.close_old_connections": ("c352dd45e833",),
    "django.db.reset_queries": ("9989bcde56b2",),
    "django.dispatch.dispatcher.Signal._live_receivers": (
        "151e1ea58308",
        "1a415fc22121",
    ),
    "django.http.response.HttpResponseBase.close": ("c867968c5c66",),
    "django.http.request.HttpRequest.close": ("ed772ff6dd0f",),
    "django.utils.deprecation.MiddlewareMixin.__call__": ("84f3fb5d6d1f",),
    "django.utils.deprecation.MiddlewareMixin.__acall__": ("5c839eda8e41",),
    "django.contrib.sessions.backends.base.SessionBase.__init__": ("02c45be88911",),
    "django.contrib.sessions.backends.base.SessionBase.is_empty": ("00b88320f266",),
    "django.contrib.messages.storage.base.BaseStorage.update": ("577457e419cb",),
    "django.middleware.csrf.CsrfViewMiddleware._accept": (
        "4103a8894e6d",
        "f49f5e9447e9",
    ),
    "django.middleware.csrf.CsrfViewMiddleware._get_secret": ("8f8636f6d4d2",),
    "django.middleware.csrf.CsrfViewMiddleware._set_csrf_cookie": ("ec65379efaad",),
    "django.middleware.common.CommonMiddleware.should_redirect_with_slash": ("e3737e6650ec",),
    "django.middleware.common.CommonMiddleware.get_full_path_with_slash": ("d991a87925c2",),
    "django.middleware.clickjacking.XFrameOptionsMiddleware.get_xframe_options_value": ("5eef77bfc74e",),
    "django.conf.urls.i18n.is_language_prefix_patterns_used": ("01183ae11e68",),
    "django.middleware.locale.LocaleMiddleware.process_request": ("ce2498e0e620",),
    "django.middleware.locale.LocaleMiddleware.process_response": ("fd8ea14ee994",),
    "django.utils.translation.trans_real.activate": ("cb22e83e7005",),
    "django.utils.translation.trans_real.check_for_language": ("0d37446b1bd4",),
    "django.utils.translation.trans_real.get_language_from_path": ("f1452e605ea7",),
    "django.utils.translation.trans_real.get_language_from_request": ("fcb9512c1324",),
    "django.utils.translation.trans_real.get_supported_language_variant": ("75fe8e40f7f2",),
    "django.utils.translation.trans_real.translation": ("07e3e87a397f",),
    "django.middleware.security.SecurityMiddleware.process_request": ("d5fdbe21b4b4",),
    "django.middleware.security.SecurityMiddleware.process_response": ("527f0602ae28",),
    "django.contrib.sessions.middleware.SessionMiddleware.process_request": ("75aa45f3ac97",),
    "django.contrib.sessions.middleware.SessionMiddleware.process_response": ("6c7ba28c4b9f",),
    "django.middleware.common.CommonMiddleware.process_request": ("c89424b1344c",),
    "django.middleware.common.CommonMiddleware.process_response": (
        "16ee3f24a3ef",
        "696af8e3dc7b",
    ),
    "django.middleware.csrf.CsrfViewMiddleware.process_request": ("60608b9e743f",),
    "django.middleware.csrf.CsrfViewMiddleware.process_view": (
        "7ac9f2f4f6cd",
        "90c09be93088",
    ),
    "django.middleware.csrf.CsrfViewMiddleware.process_response": ("5236d0b2c720",),
    "django.contrib.auth.middleware.AuthenticationMiddleware.process_request": ("c8bcdfb9e426",),
    "django.contrib.auth.middleware.LoginRequiredMiddleware.process_view": (
        "0e127c9ba821",
        "27209d6803b4",
    ),
    "django.contrib.messages.middleware.MessageMiddleware.process_request": ("336cd8d0cdab",),
    "django.contrib.messages.middleware.MessageMiddleware.process_response": ("9a7aa57da736",),
    "django.middleware.clickjacking.XFrameOptionsMiddleware.process_response": ("100e93325f64",),
    "django.middleware.csp.ContentSecurityPolicyMiddleware.process_request": ("1b366cab32fd",),
    "django.middleware.csp.ContentSecurityPolicyMiddleware.process_response": ("bff7ce2321c8",),
    "django.middleware.gzip.GZipMiddleware.process_response": (
        "a7bd345ca61b",
        "670b3effc9d2",
    ),
    "django.middleware.http.ConditionalGetMiddleware.process_response": ("1b858d1b6725",),
    "django.middleware.common.BrokenLinkEmailsMiddleware.process_response": (
        "38ebcee1222a",
        "cd5dec02bd56",
    ),
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware.process_response": ("02ea1a1ffebc",),
    "django.contrib.redirects.middleware.RedirectFallbackMiddleware.process_response": ("6eb2707a5b3c",),
}


def found(name: str) -> Any:
    owner, _, attribute = name.rpartition(".")
    try:
        return getattr(import_module(owner), attribute)
    except ModuleNotFoundError:
        try:
            return inspect.getattr_static(import_string(owner), attribute)
        except ImportError:
            return None  # of a later Django


def digest_of(function: Any) -> str:
    return hashlib.sha256(textwrap.dedent(inspect.getsource(function)).encode()).hexdigest()[:12]


@pytest.mark.parametrize("name", [*MIRRORED, *HOOKS])
def test_a_function_of_djangos_is_as_it_was_read(name: str) -> None:
    if name.startswith(("django.contrib.flatpages", "django.contrib.redirects")):
        pytest.importorskip(name.rpartition(".")[0].rpartition(".")[0], exc_type=RuntimeError)
    function = found(name)
    assert function is None or digest_of(function) in READ[name], (
        f"{name} is not as it was when restflow.asgi and restflow.middleware were written: read it again, change what "
        f"relies on it, and enter {digest_of(function)!r} in READ."
    )
