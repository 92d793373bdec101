"""A generated function of representation obeys what is patched, changed or activated late, and is bounded."""

from __future__ import annotations

import datetime
import decimal
import linecache
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from django.utils import timezone
from rest_framework import serializers as drf
from rest_framework.settings import api_settings

from restflow import serializers as restflow
from tests.serializers.representing import TIMES, by_view, outcome


class Flat(SimpleNamespace):
    """One row of a list."""


ROW = {
    "text": "a",
    "number": 1,
    "moment": datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.UTC),
    "price": decimal.Decimal("1.50"),
}


def flat(m: Any, **attributes: Any) -> Any:
    """Return a serializer class over ``ROW``, of which other serializers are made as well."""
    body = {
        "text": drf.CharField(),
        "number": drf.IntegerField(),
        "moment": drf.DateTimeField(),
        "price": drf.DecimalField(6, 2),
    }
    return type("FlatSerializer", (m.Serializer,), {**body, **attributes})


def shown(cls: Any, m: Any = None) -> Any:
    """Represent some rows by a serializer alone, or where ``m`` is DRF's by a view of ours."""
    rows = [Flat(**ROW) for _ in range(TIMES)]
    return outcome(lambda: by_view(cls, rows, many=True, context={}) if m is drf else cls(rows, many=True).data)


families = pytest.mark.parametrize("m", [drf, restflow], ids=["DRF's", "ours"])
PATCHES: dict[str, Callable[[Any], Any]] = {
    "a field's method": lambda cls: mock.patch.object(drf.CharField, "to_representation", return_value="patched"),
    "a base of fields": lambda cls: mock.patch.object(drf.Field, "get_attribute", return_value=5),
    "a function of DRF's": lambda cls: mock.patch("rest_framework.fields.get_attribute", return_value=5),
    "what a method asks": lambda cls: mock.patch.object(drf.DecimalField, "quantize", return_value=5),
    "a format on the class": lambda cls: mock.patch.object(drf.DateTimeField, "format", "%Y", create=True),
    "the loop": lambda cls: mock.patch.object(drf.Serializer, "to_representation", return_value={"text": 1}),
    "the loop of lists": lambda cls: mock.patch.object(drf.ListSerializer, "to_representation", return_value=[1]),
    "the fields": lambda cls: mock.patch.object(drf.Serializer, "_readable_fields", property(lambda self: [])),
    "the class": lambda cls: mock.patch.object(cls, "to_representation", return_value={"text": 2}, create=True),
    "its fields": lambda cls: mock.patch.object(cls, "get_fields", only_text, create=True),
    "a setting": lambda cls: mock.patch.object(api_settings, "DATETIME_FORMAT", "%d"),
    "settings": lambda cls: override_settings(USE_TZ=True, TIME_ZONE="Asia/Kolkata"),
    "the time zone": lambda cls: timezone.override(ZoneInfo("Asia/Kolkata")),
}


def only_text(self: Any) -> Any:
    return {"text": drf.CharField()}


@pytest.mark.usefixtures("fast_versions")
@families
@pytest.mark.parametrize("what", PATCHES)
def test_what_is_patched_late_is_obeyed(m: Any, what: str) -> None:
    cls, theirs = flat(m), flat(drf)
    with override_settings(USE_TZ=True, TIME_ZONE="UTC"):
        before = shown(cls, m)
        for _ in range(TIMES):
            assert shown(cls, m) == before
        with PATCHES[what](cls), PATCHES[what](theirs):
            expected = shown(theirs)
            assert expected != before
            assert shown(cls, m) == expected
        assert shown(cls, m) == before


def change(serializer: Any, how: str) -> None:
    fields = serializer.fields
    if how == "a format":
        fields["moment"].format = "%Y"
    elif how == "a source":
        fields["text"].source_attrs = ["number"]
    elif how == "a method":
        fields["text"].to_representation = lambda value: "own"
    elif how == "another field":
        fields["text"] = drf.IntegerField(source="number")
    elif how == "one less":
        fields.pop("text", None)
    elif how == "one more":
        fields["more"] = drf.CharField(source="text")
    elif how == "not shown":
        fields["text"].write_only = True
    else:
        serializer.to_representation = lambda instance: "own"


@pytest.mark.usefixtures("fast_versions")
@families
@pytest.mark.parametrize(
    "how",
    ["a format", "a source", "a method", "another field", "one less", "one more", "not shown", "the serializer"],
)
def test_a_serializer_that_is_changed_while_it_is_used_is_obeyed(m: Any, how: str) -> None:
    cls, theirs = flat(m), flat(drf)
    for late in range(TIMES):
        one, another = cls(), theirs()
        for row in range(TIMES + 2):
            if row == late:
                change(one, how)
                change(another, how)
            assert one.to_representation(Flat(**ROW)) == another.to_representation(Flat(**ROW))


@families
def test_a_zone_that_an_override_activates_for_a_row_is_obeyed(m: Any) -> None:
    zones = [ZoneInfo("Asia/Kolkata"), ZoneInfo("UTC"), ZoneInfo("America/New_York")]

    def to_representation(self: Any, instance: Any) -> Any:
        with timezone.override(zones[instance.number % 3]):
            return super(type(self), self).to_representation(instance)

    cls, theirs = (flat(each, to_representation=to_representation) for each in (m, drf))
    rows = [Flat(**{**ROW, "number": number}) for number in range(10)]
    with override_settings(USE_TZ=True):
        for _ in range(TIMES):
            assert cls(rows, many=True).data == theirs(rows, many=True).data


@pytest.mark.usefixtures("fast_versions")
def test_a_traceback_shows_the_line_of_the_field() -> None:
    def get_broken(self: Any, instance: Any) -> Any:
        if instance.number:
            raise ZeroDivisionError
        return 0

    cls = flat(restflow, broken=drf.SerializerMethodField(), get_broken=get_broken)
    rows = [Flat(**{**ROW, "number": number}) for number in (*([0] * TIMES), 1)]
    for _ in range(TIMES):
        with pytest.raises(ZeroDivisionError) as raised:
            cls(rows, many=True).data  # noqa: B018
    shown_lines = [str(entry.statement) for entry in raised.traceback]
    assert any("get_broken(instance)" in line for line in shown_lines), shown_lines


@pytest.mark.usefixtures("fast_versions")
def test_fields_that_clients_choose_do_not_fill_the_memory() -> None:
    cls = flat(restflow)
    for number in range(1200):
        serializer = cls()
        serializer.fields[f"chosen{number}"] = drf.ReadOnlyField(source="text")
        for _ in range(TIMES):
            assert serializer.to_representation(Flat(**ROW))[f"chosen{number}"] == "a"
    assert sum("FlatSerializer" in name for name in linecache.cache) <= 1024
