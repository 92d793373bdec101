"""Tells whether anything depends on a database session (a transaction, SET, a lock), and closes it if nothing does.

When that is asked while a request waits, ``flow/pool.py`` says: it calls ``close_free`` in a thread that has been idle
for a moment, as ``restflow.asgi`` has told it to. On Django's handler, async streams (``streams/parts.py``) do.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from weakref import WeakSet

from django.db import connections
from django.db.backends.signals import connection_created

from restflow.flow import arun, blocking
from restflow.settings import settings

logger = logging.getLogger("restflow.db")


async def release() -> None:
    """Give back this request's database connections before a long wait.

    A connection is closed if nothing depends on its session; this returns it to Django's pool, if there is one. The
    next query opens a connection again. A connection is kept while it is in a transaction (so a ``TestCase`` keeps its
    own), while a cursor that has run a statement is alive, and after the first statement that may leave something in
    the session.
    """
    await arun(blocking(close_free))


def close_free() -> None:
    """Close this thread's connections if nothing depends on their session, and log errors of the driver."""
    for connection in connections.all(initialized_only=True):
        if _is_free(connection):
            try:
                connection.close()
            except Exception:
                logger.exception("A database connection could not be closed.")


def holds_a_session() -> bool:
    """Tell whether this thread has an open database connection, or one of a backend that may keep more state than that.

    django-tenants, for one, keeps the schema for which its connections will be opened.
    """
    return any(
        each.connection is not None or not _opens_cursors_as_django(type(each))
        for each in connections.all(initialized_only=True)
    )


def keeps_a_connection() -> bool:
    """Tell whether this thread has a connection that it keeps while its request waits.

    Other requests may have to wait for the connection, or for the end of its transaction.
    """
    return any(
        each.connection is not None and (settings.RELEASE_AFTER is None or not _is_free(each))
        for each in connections.all(initialized_only=True)
    )


def discard_unfinished() -> None:
    """Roll back a transaction that the request left open in its thread, so that no later request is in it."""
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            try:
                connection.close()
            finally:
                del connections[connection.alias]


class _Session:
    """Watches the SQL of one session, as an ``execute_wrapper``, from the time the connection is opened."""

    def __init__(self) -> None:
        self.is_plain = True
        """Whether nothing can have been left in the session."""
        self.cursors: WeakSet[Any] = WeakSet()
        """The cursors that are alive, and may still be read."""

    def __call__(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        # Statements that another wrapper runs on the driver's own cursor are not seen.
        if not leaves_nothing(sql) or len(context["connection"].execute_wrappers) > 1:
            self.is_plain = False
        self.cursors.add(context["cursor"])
        return execute(sql, params, many, context)


def _watch(connection: Any, **kwargs: Any) -> None:
    """Watch a session from now on; what was done to open it will be done again for the next one."""
    others = [each for each in connection.execute_wrappers if type(each) is not _Session]
    # First in the list, because `connection.execute_wrapper()` pops the last.
    connection.execute_wrappers[:] = [_Session(), *others]


def watch_last() -> None:
    """Connect the watcher as the last receiver, after all others that run when a connection is opened."""
    connection_created.disconnect(_watch)
    connection_created.connect(_watch)


watch_last()


def _is_free(connection: Any) -> bool:
    return (
        connection.connection is not None
        and connection.autocommit  # off in a transaction
        and not connection.allow_thread_sharing
        and _opens_cursors_as_django(type(connection))
        and any(
            type(each) is _Session and each.is_plain and not each.cursors for each in connection.execute_wrappers[:1]
        )
    )


def _opens_cursors_as_django(cls: type) -> bool:
    """Tell whether a backend opens cursors with Django's code; others, such as django-tenants, may send SQL then."""
    names = ("_cursor", "chunked_cursor", "create_cursor", "cursor", "make_cursor", "make_debug_cursor")
    return all(
        str(getattr(getattr(cls, name), "__module__", None)).startswith("django.")
        for name in names
        if hasattr(cls, name)
    )


# Words that the ORM writes before a parenthesis and that change nothing in the session: keywords, types, functions.
_KNOWN = frozenset(
    """
    all and any array as between by case cast conflict distinct else end escape except exists filter from having in
    intersect is join key like limit materialized not offset on or over returning select set some then union using
    values when where within
    bigint bit char decimal double float integer interval numeric real time timestamp varchar
    count sum min max avg stddev_pop stddev_samp var_pop var_samp variance corr covar_pop covar_samp regr_count
    array_agg string_agg json_agg jsonb_agg json_group_array json_group_object bool_and bool_or bit_and bit_or bit_xor
    group_concat any_value coalesce greatest least nullif ifnull iif
    abs acos asin atan atan2 ceil ceiling cos cot degrees exp floor ln log mod pi power radians round sign sin sqrt tan
    ascii chr concat concat_ws initcap instr left length lower lpad ltrim md5 overlay position regexp_replace
    repeat replace reverse right rpad rtrim sha1 sha224 sha256 sha384 sha512 split_part strpos substr substring
    translate trim unicode upper
    age clock_timestamp date date_part date_trunc extract make_date now statement_timestamp strftime to_char to_date
    to_timestamp
    array_length array_position cardinality unnest
    json json_array json_array_length json_build_object json_each json_extract json_object json_type json_valid
    jsonb_array_length jsonb_build_array jsonb_build_object jsonb_extract_path jsonb_extract_path_text jsonb_set
    jsonb_typeof to_json to_jsonb
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
    phraseto_tsquery plainto_tsquery setweight similarity to_tsquery to_tsvector ts_headline ts_rank ts_rank_cd
    unaccent websearch_to_tsquery word_similarity
    gen_random_uuid uuidv4 uuidv7
    django_date_extract django_date_trunc django_datetime_cast_date django_datetime_cast_time django_datetime_extract
    django_datetime_trunc django_format_dtdelta django_time_diff django_time_extract django_time_trunc
    django_timestamp_diff
    """.split()  # noqa: SIM905 - a list would fill a page
)
_ABOUT_TRANSACTIONS = re.compile(
    r"begin( (deferred|immediate|exclusive))?|(savepoint|release savepoint|rollback to savepoint) [\w\"`]+",
    re.IGNORECASE,
)
_PLAIN = re.compile(
    r"[\s(]*(insert\s+into\s+[^\s()]+\s*\(|(insert\s+into|select|update|delete|with|values)\b)", re.IGNORECASE
)
# Several statements, comments (which may hide some), variables, SELECT INTO, and pg_settings, which can be updated.
_DOUBTFUL = re.compile(r";\s*\S|--|/\*|:=|\binto\b|\bpg_settings\b", re.IGNORECASE)
_CALLED = re.compile(r"([^\s(),=<>+*/%|:^&~!@\[;?#-]+)\s*\(")


def leaves_nothing(sql: Any) -> bool:
    """Tell whether a statement certainly leaves nothing in the session that runs it.

    Args:
        sql: the SQL, as passed to Django's cursors.

    Returns:
        True for a single plain statement on rows that calls only functions known here, and for the statements that a
        transaction sends. False if in doubt.
    """
    if type(sql) is not str:
        return False
    return _judge(sql) if len(sql) > 2000 else _remembered(sql)


def _judge(sql: str) -> bool:
    if _ABOUT_TRANSACTIONS.fullmatch(sql):
        return True
    start = _PLAIN.match(sql)
    return (
        start is not None
        and not _DOUBTFUL.search(sql, start.end())
        and all(word.lower() in _KNOWN for word in _CALLED.findall(sql, start.end()))
    )


_remembered = lru_cache(maxsize=1000)(_judge)
