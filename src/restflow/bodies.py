"""The body of a request: where it is stored, how large it is, and whether its JSON can be rendered again.

Looks at Django's requests and at parsed data. Called by ``restflow.request``.
"""

from __future__ import annotations

import io
import re
import tempfile
from itertools import chain
from typing import Any

from django.utils.datastructures import MultiValueDict
from rest_framework.parsers import JSONParser
from rest_framework.settings import api_settings
from rest_framework.utils import json

from restflow.large import LARGEST_IN_PLACE, EncoderInTurns

TOO_DEEP = "JSON parse error - The document is nested too deeply."
_NOT_RENDERED = "JSON parse error - The document holds a number or a character that can't be represented: {error}."

# With all digits replaced by "0", a number that may be beyond a float's range has a three-digit exponent or 200 digits.
_NUMBERS = bytes(ord("0" if chr(c) in "0123456789+" else "e" if chr(c) in "eE" else ".") for c in range(256))
_LARGE, _LONG = b"e000", b"0" * 200
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LIKE_ASCII = {"utf-8", "utf8", "ascii", "us-ascii", "latin-1", "iso-8859-1"}


def is_json(parser: Any) -> bool:
    """Tell whether a parser reads JSON."""
    return isinstance(parser, JSONParser) or str(getattr(parser, "media_type", "")).endswith(("/json", "+json"))


def why_not_rendered(data: Any, parser: Any) -> str:
    """Return why the data of a body can't be rendered as JSON; "" if it can."""
    strict = getattr(parser, "strict", api_settings.STRICT_JSON)
    try:
        text = json.dumps(data, cls=EncoderInTurns, allow_nan=not strict, ensure_ascii=not api_settings.UNICODE_JSON)
        text.encode()
    except RecursionError:
        return TOO_DEEP
    except UnicodeEncodeError as error:
        return _NOT_RENDERED.format(error=error.reason)
    except ValueError as error:
        return _NOT_RENDERED.format(error=error)
    except TypeError:  # the parser returned objects that can't be walked
        return ""
    return ""


def may_not_render(body: bytes | None, encoding: str) -> bool:
    """Tell whether a body may contain what JSON can't represent; a look at the bytes clears nearly all bodies.

    Args:
        body: the body; None if it was not kept.
        encoding: the encoding of the body.
    """
    if body is None or encoding.lower() not in _LIKE_ASCII:
        return True
    if b"\\" in body and _SURROGATE.search(body):
        return True
    numbers = body.translate(_NUMBERS)
    return numbers.rfind(_LARGE) >= 0 or numbers.rfind(_LONG) >= 0  # rfind is three times as fast as `in`


def uploads_of(http_request: Any) -> list[Any]:
    """Return the files uploaded with a request, including incomplete ones."""
    files: Any = getattr(http_request, "_files", {})  # a plain dict if DRF's FileUploadParser set it
    stored = chain.from_iterable(
        files.getlist(name) if isinstance(files, MultiValueDict) else [files[name]] for name in files
    )
    under_way = (getattr(handler, "file", None) for handler in http_request._upload_handlers)
    return [file for file in (*stored, *under_way) if file is not None]


def close_all(files: list[Any]) -> None:
    """Close files."""
    for file in files:
        file.close()


class KeptOpen:
    """Wraps a stream so that its reader does not close it."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def close(self) -> None:
        """Leave the stream open."""


def is_rewindable(stream: Any) -> bool:
    """Tell whether a body's stream can be read again."""
    return isinstance(stream, (tempfile.SpooledTemporaryFile, io.BytesIO))


def is_in_place(http_request: Any) -> bool:
    """Tell whether the body of a Django request is small, and in memory."""
    return _is_in_memory(http_request) and size_of(http_request) <= LARGEST_IN_PLACE


def _is_in_memory(http_request: Any) -> bool:
    """Tell whether the body of a Django request can be read without waiting for a disk or a socket."""
    if hasattr(http_request, "_body") or http_request._read_started:
        return True
    stream = http_request._stream
    if isinstance(stream, tempfile.SpooledTemporaryFile):  # Django's ASGI handler reads bodies into one
        return not getattr(stream, "_rolled", True)
    return isinstance(stream, io.BytesIO)


def size_of(http_request: Any) -> int:
    """Return how many bytes of a Django request's body remain to be parsed; 0 under WSGI, where no event loop waits."""
    if hasattr(http_request, "_body"):
        return len(http_request._body)
    stream = http_request._stream
    if isinstance(stream, KeptOpen):
        stream = stream.stream
    if http_request._read_started or not is_rewindable(stream):  # other code has read it, so it can't be parsed
        return 0
    size: int = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    return size
