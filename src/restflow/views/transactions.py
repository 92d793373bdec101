"""``atomic``: the transactions that a view's checks and its handler are in.

Puts two methods on a sync view, so that DRF's own loop comes into them; the flow of an async view enters them itself.
Asked by ``base``; what begins and ends a transaction is ``restflow.db.transactions``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS

from restflow.db.transactions import begin_transactions, roll_back

Databases = bool | str | Sequence[str]
"""True for the default database, an alias, or several, from the outermost to the innermost."""


def databases_of(atomic: Any, owner: str) -> tuple[str, ...]:
    """Return the aliases of the databases that ``atomic`` means.

    Args:
        atomic: the attribute's value.
        owner: whose attribute it is.

    Raises:
        ImproperlyConfigured: it means none.
    """
    if atomic is None or atomic is False:
        return ()
    if atomic is True:
        return (DEFAULT_DB_ALIAS,)
    aliases = (atomic,) if isinstance(atomic, str) else atomic
    if isinstance(aliases, (list, tuple)) and all(isinstance(alias, str) for alias in aliases):
        return tuple(aliases)
    raise ImproperlyConfigured(
        f"{owner}.atomic must be True, False, a database's alias or a list of aliases, got {atomic!r}."
    )


def begin_when_initialized(view: Any, begun: ExitStack) -> None:
    """Have DRF's own loop begin a view's transactions once it has made the request, and roll them back on an error.

    The action, and so ``atomic``, is known when ``initialize_request`` has returned. Then all that the loop calls
    on the view is in them.

    Args:
        view: a sync view.
        begun: what ends the transactions.
    """
    own, initialize = vars(view), view.initialize_request

    def initialize_request(request: Any, *args: Any, **kwargs: Any) -> Any:
        del own["initialize_request"]
        made = initialize(request, *args, **kwargs)
        if databases := databases_of(view.atomic, type(view).__name__):
            begin_transactions(databases, begun)
            _roll_back_errors(view, databases, begun)
        return made

    own["initialize_request"] = initialize_request


def _roll_back_errors(view: Any, databases: Sequence[str], begun: ExitStack) -> None:
    own, handle = vars(view), view.handle_exception

    def handle_exception(exc: Exception) -> Any:
        response = handle(exc)
        roll_back(databases)
        return response

    own["handle_exception"] = handle_exception
    begun.callback(own.pop, "handle_exception")
