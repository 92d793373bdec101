"""Database connections in async code: transactions, and giving connections back while a request waits."""

from restflow.db.sessions import release
from restflow.db.transactions import Atomic, atomic

__all__ = ["Atomic", "atomic", "release"]
__dir__ = __all__.copy
