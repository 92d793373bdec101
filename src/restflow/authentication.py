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
"""A user and what authenticated it, or None where the request has no credentials of the kind."""


class BaseAuthentication(TwoColoured, drf.BaseAuthentication, hooks=("authenticate", "authenticate_header")):
    """An authentication whose ``authenticate`` and ``authenticate_header`` may be written in either colour.

    Write ``authenticate`` or ``aauthenticate``, sync or ``async def``: whichever name is called, the nearest override
    answers.

    Source: DRF 3.18, authentication.py.
    """

    aauthenticate = twin("authenticate")
    aauthenticate_header = twin("authenticate_header")


class _Reader:
    """Stands for an authenticator while DRF's own code reads the request.

    What that code would ask of the authenticator, a flow asks next, in whichever colour it is written.
    """

    def __init__(self, keyword: Any = None) -> None:
        self.keyword = keyword

    def authenticate_credentials(self, *credentials: Any) -> tuple[Any, ...]:
        """Return the credentials that were read."""
        return credentials

    def enforce_csrf(self, request: Any) -> None:
        """Leave it to the flow."""


class BasicAuthentication(drf.BasicAuthentication, BaseAuthentication, hooks=("authenticate_credentials",)):
    """HTTP Basic authentication; ``authenticate_credentials`` may be of either colour.

    Source: DRF 3.18, authentication.py, and RFC 7617.
    """

    @sync
    async def authenticate(self, request: Request) -> Credentials:
        """Take the user name and the password of the ``Authorization`` header.

        Returns:
            The user and None, or None where the header is missing or of another scheme.

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
        """Take the token of the ``Authorization`` header.

        Returns:
            The user and the token, or None where the header is missing or of another scheme.

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
        """Take the user of the session.

        Returns:
            The user and None, or None where nobody is logged in.

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
    """Authentication by the web server, which passes the user's name on. Source: DRF 3.18, authentication.py."""
