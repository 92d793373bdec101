"""DRF's authentication classes, with hooks in two colours. Authenticators written for DRF work unchanged.

The flows here call the hooks that a project may override as steps, and leave the rest to DRF's code. ``credentials.py``
calls the authenticators of a view.
"""

from __future__ import annotations

from typing import Any

from rest_framework import authentication as drf
from rest_framework.authentication import CSRFCheck, get_authorization_header
from rest_framework.request import Request

from restflow.flow import TwoColoured, asynchronous, attribute, call, hook, sync, twin

__all__ = [
    "BaseAuthentication",
    "BasicAuthentication",
    "CSRFCheck",
    "RemoteUserAuthentication",
    "SessionAuthentication",
    "TokenAuthentication",
    "get_authorization_header",
]
__dir__ = __all__.copy

Credentials = tuple[Any, Any] | None
"""A user and its authentication, or None if the request has no credentials of that kind."""


class BaseAuthentication(TwoColoured, drf.BaseAuthentication, hooks=("authenticate", "authenticate_header")):
    """Base class of authenticators whose ``authenticate`` and ``authenticate_header`` may be of either colour.

    Write ``authenticate`` or ``aauthenticate``, sync or ``async def``. Whichever name is called, the nearest override
    runs.

    Source: DRF 3.18, authentication.py.
    """

    aauthenticate = twin("authenticate")
    aauthenticate_header = twin("authenticate_header")


class _Reader:
    """Replaces an authenticator while DRF's own code reads the request.

    The methods that DRF's code would call on the authenticator are called afterwards by a flow, in either colour.
    """

    def __init__(self, keyword: Any = None) -> None:
        self.keyword = keyword

    def authenticate_credentials(self, *credentials: Any) -> tuple[Any, ...]:
        """Return the credentials that DRF's code read."""
        return credentials

    def enforce_csrf(self, request: Any) -> None:
        """Do nothing: the flow enforces CSRF."""


class BasicAuthentication(drf.BasicAuthentication, BaseAuthentication, hooks=("authenticate_credentials",)):
    """HTTP Basic authentication; ``authenticate_credentials`` may be of either colour.

    Source: DRF 3.18, authentication.py, and RFC 7617.
    """

    @sync
    async def authenticate(self, request: Request) -> Credentials:
        """Authenticate by the user name and password in the ``Authorization`` header.

        Returns:
            The user and None; None if the header is missing or has another scheme.

        Raises:
            AuthenticationFailed: the header is malformed, or ``authenticate_credentials`` refuses.

        Source: DRF 3.18, authentication.py, ``BasicAuthentication.authenticate``.
        """
        if "HTTP_AUTHORIZATION" not in request.META:
            return None
        reader: Any = _Reader()
        credentials = drf.BasicAuthentication.authenticate(reader, request)
        return credentials and await hook(self, "authenticate_credentials", *credentials)

    aauthenticate = asynchronous(authenticate)
    aauthenticate_credentials = twin("authenticate_credentials")


class TokenAuthentication(drf.TokenAuthentication, BaseAuthentication, hooks=("authenticate_credentials", "get_model")):
    """Authentication by a token; ``authenticate_credentials`` and ``get_model`` may be of either colour.

    Source: DRF 3.18, authentication.py.
    """

    @sync
    async def authenticate(self, request: Request) -> Credentials:
        """Authenticate by the token in the ``Authorization`` header.

        Returns:
            The user and the token; None if the header is missing or has another scheme.

        Raises:
            AuthenticationFailed: the header is malformed, or ``authenticate_credentials`` refuses.

        Source: DRF 3.18, authentication.py, ``TokenAuthentication.authenticate``.
        """
        if "HTTP_AUTHORIZATION" not in request.META:
            return None
        reader: Any = _Reader(await attribute(self, "keyword"))
        credentials = drf.TokenAuthentication.authenticate(reader, request)
        return credentials and await hook(self, "authenticate_credentials", *credentials)

    aauthenticate = asynchronous(authenticate)
    aauthenticate_credentials = twin("authenticate_credentials")
    aget_model = twin("get_model")


class SessionAuthentication(drf.SessionAuthentication, BaseAuthentication, hooks=("enforce_csrf",)):
    """Authentication by Django's session, with CSRF enforced; ``enforce_csrf`` may be of either colour.

    Source: DRF 3.18, authentication.py.
    """

    @sync
    async def authenticate(self, request: Request) -> Credentials:
        """Authenticate the user of the session.

        Returns:
            The user and None; None if no user is logged in.

        Raises:
            PermissionDenied: ``enforce_csrf`` refuses.

        Source: DRF 3.18, authentication.py, ``SessionAuthentication.authenticate``.
        """
        credentials: Credentials = await call(drf.SessionAuthentication.authenticate, _Reader(), request)
        if credentials is not None:
            await hook(self, "enforce_csrf", request)
        return credentials

    aauthenticate = asynchronous(authenticate)
    aenforce_csrf = twin("enforce_csrf")


class RemoteUserAuthentication(drf.RemoteUserAuthentication, BaseAuthentication):
    """Authentication by the web server, which passes on the user's name. Source: DRF 3.18, authentication.py."""
