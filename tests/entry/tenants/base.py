"""A backend that keeps a search path as django-tenants does: sent once, on the driver's own cursor."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base

PATH = "pg_catalog, information_schema"


class DatabaseWrapper(base.DatabaseWrapper):
    is_path_sent = False

    def _cursor(self, name: str | None = None) -> Any:
        cursor = super()._cursor(name)
        if not self.is_path_sent:
            with self.connection.cursor() as raw:
                raw.execute(f"SET search_path = {PATH}")
            self.is_path_sent = True
        return cursor
