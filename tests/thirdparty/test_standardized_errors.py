"""drf-standardized-errors answers the errors of restflow's views as those of DRF's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.signals import got_request_exception
from django.http import Http404
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.response import Response

from tests.parity.harness import Ask
from tests.thirdparty.support import same

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

SETTINGS = {
    "REST_FRAMEWORK": {"EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler"},
    "DRF_STANDARDIZED_ERRORS": {"ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True},
}
RAISED = {
    "missing": lambda: Http404("No such book."),
    "throttled": lambda: exceptions.Throttled(7),
    "stranger": exceptions.NotAuthenticated,
    "nested": lambda: exceptions.ValidationError({"author": [{"name": ["Blank."]}]}),
    "broken": lambda: ZeroDivisionError("secret"),
}


class Book(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=5)
    tags = serializers.ListField(child=serializers.IntegerField())


def urls(bases: Any) -> list[Any]:
    class Books(bases.APIView):
        def get(self, request: Any, name: str) -> Response:
            raise RAISED[name]()

        def post(self, request: Any, name: str) -> Response:
            serializer = Book(data=request.data)
            serializer.is_valid(raise_exception=True)
            return Response(serializer.data)

    return [path("<slug:name>/", Books.as_view(authentication_classes=[]))]


def test_its_answers_are_those_of_drf_s_views(database: str) -> None:
    reported: list[Any] = []

    def report(request: Any, **kwargs: Any) -> None:
        reported.append(request.path)

    got_request_exception.connect(report)
    asks = [
        *(Ask("GET", f"/{name}/") for name in RAISED),
        Ask("POST", "/x/", {"title": "Too long", "tags": [1, "x"]}),
        Ask("POST", "/x/", body=b"{", headers={"content-type": "application/json"}),
        Ask("PUT", "/x/"),
        Ask("GET", "/missing/", headers={"accept": "image/png"}),
    ]
    try:
        answers = same(urls, asks, database, **SETTINGS)
    finally:
        got_request_exception.disconnect(report)
    assert [answer.status for answer in answers] == [404, 429, 403, 400, 500, 400, 400, 405, 406]
    assert json.loads(answers[5].body)["errors"][1]["attr"] == "tags.1"
    assert {*reported} == {"/broken/"}
