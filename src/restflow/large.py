"""Bodies that are too large for the event loop, and how such JSON is read and written in the worker thread.

The json module is written in C and holds the GIL until it is done, in a thread too. So large JSON is read with hooks
and written in pieces, between which other threads can run.
"""

from __future__ import annotations

import codecs
import datetime
import decimal
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError
from rest_framework.utils import json
from rest_framework.utils.encoders import JSONEncoder

_DRFs: Any = parsers  # Any: the stubs lack some of its functions

__all__ = ["LARGEST_IN_PLACE", "EncoderInTurns", "ParserInTurns", "is_light"]

LARGEST_IN_PLACE = 64 * 1024
"""The size in bytes up to which a body is parsed, or a response (by estimate) rendered, on the event loop.

Measured on Python 3.13: ordinary JSON of this size is read, or written, in 0.4 ms, which is what three trips to the
thread cost. The worst, ``[1e100,…]``, is read and checked in 4 ms: less than the 5 ms for which Python lets any thread
keep the interpreter.
"""

_EACH = 16  # bytes of JSON for a value with its key and punctuation; a string's characters are added
_SCALARS = frozenset({bool, float, int, type(None)})
_WRITTEN_BY_DRF = (
    datetime.date,
    datetime.datetime,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
)
_ITEMS: tuple[Any, ...] = (dict.items, OrderedDict.items)
_ITERATIONS: tuple[Any, ...] = (list.__iter__, tuple.__iter__)
_MOST = LARGEST_IN_PLACE // _EACH
_DEEPEST = 32  # deeper JSON is written by C code at once: the Python code would hit the recursion limit


def is_light(data: Any) -> bool:
    """Tell whether data may be rendered as JSON on the event loop: it is small, and rendering it can't block.

    Args:
        data: the data to render.

    Returns:
        False if it makes more than ``LARGEST_IN_PLACE`` bytes of JSON, or if anything in it runs code of its own when
        it is rendered: a query set, a generator, a lazy string.
    """
    allowance = LARGEST_IN_PLACE
    found: list[Any] = [(data,)]
    for values in found:
        allowance -= _EACH * len(values)
        if allowance < 0:
            return False
        for value in values:
            # By type(), because isinstance evaluates lazy objects.
            kind = type(value)
            if kind is str:
                allowance -= len(value)
            elif kind in _SCALARS:
                continue
            elif kind is dict or (issubclass(kind, dict) and kind.items in _ITEMS):
                found.append(dict.values(value))
            elif kind is list or (issubclass(kind, (list, tuple)) and kind.__iter__ in _ITERATIONS):
                found.append(value)
            elif issubclass(kind, (str, bytes)):
                allowance -= len(value)
            elif not issubclass(kind, (int, float, *_WRITTEN_BY_DRF)):
                return False
    return allowance >= 0


class EncoderInTurns(JSONEncoder):
    """DRF's encoder, except that it lets other threads run after each ``LARGEST_IN_PLACE`` bytes that it writes.

    Source: DRF 3.18, utils/encoders.py.
    """

    def iterencode(self, o: Any, _one_shot: bool = False) -> Iterator[str]:
        """Return the JSON of ``o`` in pieces.

        Args:
            o: any data.
            _one_shot: whether the json module may use its C code for the whole.

        Raises:
            ValueError: it can't be represented as JSON.
        """
        indent: Any = self.indent
        # With an indent, the json module uses its Python code.
        return self._pieces(o, 0) if indent is None else super().iterencode(o, _one_shot)

    def _pieces(self, value: Any, depth: int) -> Iterator[str]:
        kind = type(value)
        if depth == _DEEPEST or is_light(value) or issubclass(kind, (str, int, float)):
            yield from super().iterencode(value, True)
        elif issubclass(kind, dict):
            yield "{"
            for separator, pairs, is_piece in self._neighbours(value.items()):
                yield separator
                if is_piece:
                    yield self._written(dict(pairs))[1:-1]
                else:
                    ((key, held),) = pairs
                    yield self._written({key: 0})[1:-2]
                    yield from self._pieces(held, depth + 1)
            yield "}"
        elif issubclass(kind, (list, tuple)):
            yield "["
            for separator, items, is_piece in self._neighbours(value):
                yield separator
                if is_piece:
                    yield self._written(items)[1:-1]
                else:
                    yield from self._pieces(items[0], depth + 1)
            yield "]"
        else:
            yield from self._pieces(self.default(value), depth + 1)

    def _neighbours(self, items: Iterable[Any]) -> Iterator[tuple[str, list[Any], bool]]:
        """Divide items into groups that are written in one piece, and items too large for that, with separators."""
        rest, separator, start, count = list(items), "", 0, _MOST
        while start < len(rest):
            group = rest[start : start + count]
            is_piece = is_light(group)
            if not is_piece and len(group) > 1:
                count = len(group) // 2
                continue
            yield separator, group, is_piece
            separator, start = self.item_separator, start + len(group)
            if not is_piece:
                count = _MOST

    def _written(self, value: Any) -> str:
        return "".join(super().iterencode(value, True))


class ParserInTurns(parsers.JSONParser):
    """DRF's parser, except that it lets other threads run at each number and object that it reads.

    Source: DRF 3.18, parsers.py, ``JSONParser``.
    """

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Return the data of a JSON body.

        Args:
            stream: the body.
            media_type: its media type.
            parser_context: DRF's context for parsers; ``encoding`` is used.

        Raises:
            ParseError: the body is malformed.
        """
        encoding = _DRFs.get_encoding(parser_context or {})
        try:
            text: str = codecs.getreader(encoding)(stream).read()
            return json.loads(
                text,
                parse_constant=json.strict_constant if self.strict else None,
                parse_float=_float,
                parse_int=_int,
                object_hook=_object,
            )
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from error


# Python functions, because the interpreter can switch threads when one is called.


def _float(text: str) -> float:
    return float(text)


def _int(text: str) -> int:
    return int(text)


def _object(read: dict[str, Any]) -> dict[str, Any]:
    return read
