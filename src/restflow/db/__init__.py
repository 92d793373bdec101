"""Database connections in async code: given back while a request waits."""

from restflow.db.sessions import release

__all__ = ["release"]
