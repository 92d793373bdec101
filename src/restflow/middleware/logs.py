"""Django's logging of 4xx and 5xx responses: in place only if no handler would write anything.

Knows the handlers and filters of Django's default configuration. A step of our ASGI handler.
"""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.utils import log

from restflow.flow import nonblocking

logger = logging.getLogger("django.request")
_CALL_HANDLERS = logging.Logger.callHandlers


def _logs_in_place(request: Any, response: Any) -> bool:
    """Tell whether no handler would write anything."""
    level = logging.ERROR if response.status_code >= 500 else logging.WARNING
    if not logger.isEnabledFor(level):
        return True
    if logger.filters or logging.Logger.callHandlers is not _CALL_HANDLERS:
        return False
    source: logging.Logger | None = logger
    while source is not None:
        if not all(handler.level > level or _turns_down(handler) for handler in source.handlers):
            return False
        source = source.parent if source.propagate else None
    return bool(logger.hasHandlers())  # otherwise logging's last-resort handler writes to stderr


def _turns_down(handler: logging.Handler) -> bool:
    debug = settings.DEBUG
    kinds = {type(each) for each in handler.filters}
    return (
        type(handler) is logging.NullHandler or (log.RequireDebugTrue if not debug else log.RequireDebugFalse) in kinds
    )


@nonblocking(when=_logs_in_place)
def log_refusal(request: Any, response: Any) -> None:
    """Log a 4xx or 5xx response, as Django does: a step, which runs directly if nothing would be written."""
    log.log_response("%s: %s", response.reason_phrase, request.path, response=response, request=request)
