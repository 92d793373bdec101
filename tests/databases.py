"""Tests that run on one database after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.color import no_style
from django.core.management.sql import sql_flush
from django.db import connections
from django.test import override_settings

ALIASES = ["default", *(["postgres"] if settings.POSTGRES else [])]


class Router:
    """Sends every query to one database."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return self.alias

    db_for_write = db_for_read

    def allow_relation(self, obj1: Any, obj2: Any, **hints: Any) -> bool:
        return True


@contextmanager
def fresh(alias: str) -> Iterator[None]:
    """Send every query to the database ``alias``, which is empty and counts its keys from 1."""
    connection = connections[alias]
    connection.ops.execute_sql_flush(sql_flush(no_style(), connection, reset_sequences=True, allow_cascade=False))
    with override_settings(DATABASE_ROUTERS=[Router(alias)]):
        yield
