"""Every case, in the order of the report. A new one is a module beside this file and a name in ``CASES``."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.cases import books, entry, ping, policies, serialize
from benchmarks.models import PostgreSQLBook, SQLiteBook
from benchmarks.project import POSTGRES

CASES: tuple[Case, ...] = (
    ping.CASE,
    policies.CASE,
    *entry.CASES,
    *serialize.CASES,
    *books.cases(SQLiteBook, "sqlite"),
    *entry.generic_cases(SQLiteBook, "sqlite"),
    *((*books.cases(PostgreSQLBook, "postgres"), *entry.generic_cases(PostgreSQLBook, "postgres")) if POSTGRES else ()),
)
