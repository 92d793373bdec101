"""What is sent, read as a browser reads it: no item gets out of its field."""

from __future__ import annotations

import asyncio
import datetime
import json
from typing import Any

import pytest
from django.core.serializers.json import DjangoJSONEncoder
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIRequestFactory

from restflow.responses import (
    NDJSONResponse,
    ServerSentEvent,
    SSEResponse,
    StreamingJSONListResponse,
    get_last_event_id,
)
from restflow.streams.reading import read
from tests.streams.support import Event, dispatched

ENDS = st.sampled_from(["\r", "\n", "\r\n", "\u2028", "\x0b", "\x85", ":", " ", "data: ", "id: 1", "\ufeff", "\0", "ü"])
TEXT = st.lists(ENDS | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=5), max_size=8).map("".join)
LINE = TEXT.map(lambda text: "".join(character for character in text if character not in "\r\n\0"))


def sent(response: Any) -> bytes:
    return b"".join(response)


def ends_normalised(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


@given(TEXT, LINE, LINE, TEXT)
def test_a_browser_reads_the_fields_that_were_written(data: str, event: str, ident: str, comment: str) -> None:
    body = sent(SSEResponse([ServerSentEvent(data, event=event, id=ident, comment=comment, retry=7), "after"]))
    first, second = dispatched(body)
    assert first == Event(ends_normalised(data), event or "message", ident)
    assert second == Event("after", "message", ident)


@given(st.recursive(st.none() | st.booleans() | st.integers() | TEXT, lambda inner: st.lists(inner, max_size=3)))
def test_a_browser_reads_data_that_are_no_string_as_json(data: Any) -> None:
    (event,) = dispatched(sent(SSEResponse([ServerSentEvent([data])])))
    assert json.loads(event.data) == [data]


@given(st.lists(TEXT, max_size=4), st.integers(1, 7))
def test_the_test_client_reads_as_a_browser_does_however_the_bytes_are_cut(texts: list[str], size: int) -> None:
    body = sent(SSEResponse([ServerSentEvent(text, event="x", id=number) for number, text in enumerate(texts)]))

    async def chunks() -> Any:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    async def all_of_them() -> list[Any]:
        return [event async for event in read("text/event-stream; charset=utf-8", chunks())]

    assert [Event(each.data, each.event, each.id) for each in asyncio.run(all_of_them())] == dispatched(body)


@pytest.mark.parametrize("field", ["event", "id"])
@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\r\n", "\0", "x\ndata: injected\n\n"])
def test_a_field_of_several_lines_ends_the_stream_and_injects_nothing(field: str, value: str) -> None:
    body = sent(SSEResponse(iter(["before", {"data": "x", field: value}])))
    assert [(event.type, event.data) for event in dispatched(body)] == [
        ("message", "before"),
        ("error", '{"code":"internal_error","message":"The stream ended early because of an error.","details":{}}'),
    ]


@pytest.mark.parametrize("value", [-1, 1.5, True, "1\ndata: x"])
def test_a_retry_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="whole number of milliseconds"):
        ServerSentEvent("x", retry=value).encode()
    with pytest.raises(ValueError, match="whole number of milliseconds"):
        SSEResponse([], retry=value)


def test_an_event_name_that_is_no_string_is_refused() -> None:
    with pytest.raises(ValueError, match="must be a string of one line"):
        ServerSentEvent("x", event=3).encode()  # type: ignore[arg-type]


def test_a_dict_is_an_event_only_if_it_has_data_and_no_other_fields() -> None:
    body = sent(SSEResponse([{"data": 1, "event": "a"}, {"id": 1}, {"data": 1, "title": "x"}]))
    assert dispatched(body) == [Event("1", "a"), Event('{"id":1}'), Event('{"data":1,"title":"x"}')]


def test_an_event_without_data_dispatches_nothing_and_sets_the_id() -> None:
    body = sent(SSEResponse([ServerSentEvent(id=5), ServerSentEvent(comment="still\nthere"), "x"], retry=100))
    assert body == b"retry: 100\n\nid: 5\n\n: still\n: there\n\ndata: x\n\n"
    assert dispatched(body) == [Event("x", "message", "5")]


def test_half_of_a_surrogate_pair_is_sent_as_a_question_mark() -> None:
    assert dispatched(sent(SSEResponse(["\ud800"]))) == [Event("?")]


@pytest.mark.parametrize(
    ("items", "lines", "whole"),
    [
        ([], b"", b"[]"),
        ([None], b"null\n", b"[null]"),
        ([{"a": "x\ny"}, [1], "z"], b'{"a":"x\\ny"}\n[1]\n"z"\n', b'[{"a":"x\\ny"},[1],"z"]'),
        ([datetime.date(2026, 1, 2)], b'"2026-01-02"\n', b'["2026-01-02"]'),
    ],
)
def test_lines_and_lists_are_json_as_drf_writes_it(items: Any, lines: bytes, whole: bytes) -> None:
    assert sent(NDJSONResponse(items)) == lines
    assert sent(StreamingJSONListResponse(items)) == whole


def test_an_encoder_and_a_content_type_may_be_given_as_in_drf_restflow_2() -> None:
    class Encoder(DjangoJSONEncoder):
        def default(self, o: Any) -> Any:
            return sorted(o) if isinstance(o, set) else super().default(o)

    given: Any = {"encoder": Encoder, "content_type": "application/vnd.x"}
    lines, whole = NDJSONResponse([{2, 1}], **given), StreamingJSONListResponse([{2, 1}, None], **given)
    assert (sent(lines), sent(whole)) == (b"[1,2]\n", b"[[1,2],null]")
    assert lines["Content-Type"] == whole["Content-Type"] == "application/vnd.x"
    assert SSEResponse([], content_type="text/x")["Content-Type"] == "text/x"


@pytest.mark.parametrize("chunk_size", [None, 1, 2])
def test_items_are_sent_as_many_at_a_time_as_were_asked_for(chunk_size: int | None) -> None:
    parts = list(NDJSONResponse([1, 2, 3], chunk_size=chunk_size))
    assert parts == {None: [b"1\n2\n3\n"], 1: [b"1\n", b"2\n", b"3\n"], 2: [b"1\n2\n", b"3\n"]}[chunk_size]


@pytest.mark.parametrize("items", ["text", b"bytes", {"a": 1}, 3, None])
def test_what_is_no_iterable_of_items_is_refused_at_once(items: Any) -> None:
    with pytest.raises(TypeError, match="needs an iterable of items"):
        NDJSONResponse(items)


def test_no_items_at_a_time_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        NDJSONResponse([], chunk_size=0)


def test_headers_that_are_given_come_first() -> None:
    response = SSEResponse([], status=202, headers={"cache-control": "private", "Content-Type": "text/x", "A": "b"})
    assert response.status_code == 202
    assert {name: response[name] for name in ("Cache-Control", "Content-Type", "A", "X-Accel-Buffering")} == {
        "Cache-Control": "private",
        "Content-Type": "text/x",
        "A": "b",
        "X-Accel-Buffering": "no",
    }


def test_the_last_event_id_is_read_as_the_utf_8_that_browsers_send() -> None:
    request = APIRequestFactory().get("/")
    assert get_last_event_id(request) is None
    request = APIRequestFactory().get("/", HTTP_LAST_EVENT_ID="ü".encode().decode("latin-1"))
    assert get_last_event_id(request) == "ü"
