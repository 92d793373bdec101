"""The database of a run, made and filled before it and removed in the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import django

from benchmarks.data import fill


@contextmanager
def made() -> Iterator[str]:
    """Set Django up in this process, make the database, and return its name."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.served.settings"
    django.setup()
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    old = setup_databases(verbosity=0, interactive=False)
    try:
        fill(import_module("benchmarks.models").PostgreSQLBook)
        yield connection.settings_dict["NAME"]
    finally:
        teardown_databases(old, verbosity=0)


def tidy() -> None:
    """Remove the books that requests made."""
    books = import_module("benchmarks.models").PostgreSQLBook.objects
    books.exclude(isbn__startswith="978").delete()
