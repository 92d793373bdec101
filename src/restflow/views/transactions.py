"""``atomic``: runs a view's checks and its handler in transactions.

Sets two methods on a sync view, through which DRF's own loop enters them; an async view enters them in its own flow.
Called by ``base``. ``restflow.db.transactions`` begins and ends a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS

from restflow.db.transactions import begin_transactions, roll_back

Databases = bool | str | Sequence[str]
"""True for the default database, an alias, or several aliases, from the outermost to the innermost."""


def databases_of(atomic: Any, owner: str) -> tuple[str, ...]:
    """Return the aliases of the databases in ``atomic``.

    Args:
        atomic: the attribute's value.
        owner: the name of the attribute's owner, for the error message.

    Raises:
        ImproperlyConfigured: the value is invalid.
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
    """Make DRF's own loop begin a view's transactions once it has created the request, and roll them back on an error.

    The action, and so ``atomic``, is known when ``initialize_request`` has returned. Everything that the loop calls on
    the view after that is in the transactions. If ``handle_exception`` is replaced on the view after that, the
    replacement is called, and the request is refused at the end.

    Args:
        view: a sync view.
        begun: ends the transactions when it is closed.

    Raises:
        ImproperlyConfigured: the view has transactions, and a method that they wrap is a property.
    """
    name = "initialize_request"

    def initialize_request(request: Any, *args: Any, **kwargs: Any) -> Any:
        give_back()
        made = view.initialize_request(request, *args, **kwargs)
        if databases := databases_of(view.atomic, type(view).__name__):
            begin_transactions(databases, begun)
            _roll_back_errors(view, databases, begun)
        return made

    give_back = _stand_before(view, name, initialize_request)
    if getattr(view, name) is not initialize_request and databases_of(view.atomic, type(view).__name__):
        raise ImproperlyConfigured(_IS_A_PROPERTY.format(type(view).__name__, name))


def _roll_back_errors(view: Any, databases: Sequence[str], begun: ExitStack) -> None:
    name, own = "handle_exception", vars(view)
    was_asked = False

    def handle_exception(exc: Exception) -> Any:
        nonlocal was_asked
        was_asked = True
        give_back()
        response = view.handle_exception(exc)
        roll_back(databases)
        return response

    def end() -> None:
        if not was_asked and own.get(name) is not handle_exception:
            raise RuntimeError(
                f"{type(view).__name__}.{name} was replaced on the view while it was in its transaction, which an "
                "error would no longer roll back. Replace it before the request, or on the class."
            )
        give_back()

    give_back = _stand_before(view, name, handle_exception)
    begun.callback(end)
    if getattr(view, name) is not handle_exception:
        raise ImproperlyConfigured(_IS_A_PROPERTY.format(type(view).__name__, name))


_IS_A_PROPERTY = "{}.{} is a property, and the view has atomic, which needs a method there."
_ABSENT = object()


def _stand_before(view: Any, name: str, function: Any) -> Callable[[], None]:
    """Set a function on a view in place of one of its methods; return a function that undoes it.

    The function looks up the method when it is called, as it may have been replaced on the class since.
    """
    own = vars(view)
    before = own.get(name, _ABSENT)

    def give_back() -> None:
        if own.get(name) is function:
            del own[name]
            if before is not _ABSENT:
                own[name] = before

    own[name] = function
    return give_back
