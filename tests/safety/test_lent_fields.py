"""Fields that are built once and lent to one serializer after another are those that DRF would build."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.validators import MinLengthValidator
from django.db import models
from django.test import override_settings
from django.utils import translation
from rest_framework import fields as drf_fields
from rest_framework import serializers as drf
from rest_framework.exceptions import ValidationError

from restflow import serializers, views
from tests.matrix import each_pair
from tests.safety.test_plain_serializers import bases, prefixes, requests, serializer_of, site, statuses
from tests.shop.models import Author, Review

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fast_versions")]

OK = [200, 200, 201, 200, 200]
REFUSED = [200, 200, 400, 400, 400]


class Computed(models.CharField):
    """A field whose class computes what a serializer's field is built from: for one tenant, say."""

    now: dict[str, Any] = {"max_length": 100, "choices": None}
    max_length = property(lambda self: self.now["max_length"], lambda self, value: None)  # type: ignore[assignment]
    choices = property(lambda self: self.now["choices"], lambda self, value: None)  # type: ignore[assignment]


class Computing(models.Model):
    name = Computed()

    class Meta:
        app_label = "tests_lent"
        managed = False
        db_table = "shop_author"


class Choosing(models.Model):
    name = models.CharField(
        max_length=100,
        choices=[(name, name) for name in ("New", "Put", "Set")],
    )

    class Meta:
        app_label = "tests_lent"
        managed = False
        db_table = "shop_author"


class Measuring(models.Model):
    name = models.CharField(max_length=100, validators=[MinLengthValidator(1)])

    class Meta:
        app_label = "tests_lent"
        managed = False
        db_table = "shop_author"


def site_of(prefix: str, base: Any, model: Any) -> Any:
    meta = type("Meta", (), {"model": model, "fields": ["id", "name"]})
    serializer = type("ModelsSerializer", (base,), {"Meta": meta})
    return site(prefix, serializer, queryset=model._default_manager.order_by("id"))


@pytest.fixture(autouse=True)
def _authors() -> None:
    Author.objects.bulk_create(Author(pk=pk, name=name) for pk, name in enumerate(["Austen", "Eliot"], 1))


def bodies(served: Any) -> list[Any]:
    return [answer.json() for answer in requests(served)]


@each_pair
@prefixes
@bases
@pytest.mark.parametrize("fast", [True, False], ids=["fast", "not fast"])
def test_fields_are_built_once_for_many_requests(prefix: str, base: Any, fast: bool, monkeypatch: Any) -> None:
    built: list[str] = []
    lazy_format = drf_fields.lazy_format
    monkeypatch.setattr(
        drf_fields, "lazy_format", lambda *args, **kwargs: built.append("") or lazy_format(*args, **kwargs)
    )
    with site(prefix, serializer_of(base)) as served, override_settings(RESTFLOW={"FAST_VERSIONS": fast}):
        names = [None, "Austen", "New", "Put", "Set"]
        for _ in range(2):
            assert [body.get("name") for body in bodies(served)] == names
        built.clear()
        assert [body.get("name") for body in bodies(served)] == names
        assert len(built) == (0 if fast else 5)
        monkeypatch.setattr(
            drf.CharField, "__init__", lambda *args, made=drf.CharField.__init__, **kw: made(*args, **kw)
        )
        assert [body.get("name") for body in bodies(served)] == names
        assert len(built) == (5 if fast else 10)  # what builds fields was patched


@each_pair
@prefixes
@bases
@pytest.mark.parametrize("how", ["another list", "the list itself", "options"])
def test_a_meta_that_is_changed_is_obeyed(prefix: str, base: Any, how: str, monkeypatch: Any) -> None:
    serializer = serializer_of(base)
    with site(prefix, serializer) as served:
        bodies(served)
        assert [*bodies(served)[1]] == ["id", "name"]
        if how == "another list":
            monkeypatch.setattr(serializer.Meta, "fields", ["name"])
        elif how == "the list itself":
            serializer.Meta.fields.remove("id")
        else:
            serializer.Meta.extra_kwargs = {"name": {"write_only": True}}
        assert [*bodies(served)[1]] == (["id"] if how == "options" else ["name"])
        if how == "options":
            serializer.Meta.extra_kwargs["name"]["write_only"] = False
            assert [*bodies(served)[1]] == ["id", "name"]


@each_pair
@prefixes
@bases
@pytest.mark.parametrize("name", ["get_fields", "build_field", "get_extra_kwargs"])
def test_a_patch_of_what_builds_fields_is_obeyed(prefix: str, base: Any, name: str, monkeypatch: Any) -> None:
    as_written: Any = getattr(drf.ModelSerializer, name)

    def patched(self: Any, *args: Any) -> Any:
        made = as_written(self, *args)
        if name == "get_fields":
            return {"id": made["id"]}
        if name == "build_field":
            return made[0], {**made[1], "label": "patched"}
        return {**made, "name": {"write_only": True}}

    with site(prefix, serializer_of(base)) as served:
        for _ in range(3):
            assert [*served.send("GET", "/x/1/").json()] == ["id", "name"]
        with monkeypatch.context() as patch:
            patch.setattr(drf.ModelSerializer, name, patched)
            for _ in range(3):
                assert [*served.send("GET", "/x/1/").json()] == (["id", "name"] if name == "build_field" else ["id"])
        for _ in range(3):
            assert [*served.send("GET", "/x/1/").json()] == ["id", "name"]


def capitals(value: str) -> None:
    if not value.isupper():
        raise ValidationError("Capitals, please.")


@each_pair
@prefixes
@bases
@pytest.mark.parametrize("how", ["added", "replaced", "length"])
def test_a_field_of_the_model_that_is_changed_is_obeyed(prefix: str, base: Any, how: str, monkeypatch: Any) -> None:
    field: Any = Author._meta.get_field("name")
    with site(prefix, serializer_of(base)) as served:
        assert statuses(served) == OK
        assert statuses(served) == OK
        if how == "added":
            field.validators.append(capitals)
        elif how == "replaced":
            monkeypatch.setattr(field, "validators", [*field.validators, capitals])
        else:
            monkeypatch.setattr(field, "max_length", 2)
        try:
            assert statuses(served) == [200, 200, 400, 400, 400]
        finally:
            if how == "added":
                field.validators.remove(capitals)
        monkeypatch.undo()
        assert statuses(served) == OK


@each_pair
@prefixes
@bases
def test_messages_are_in_the_language_of_their_request(prefix: str, base: Any) -> None:
    with site(prefix, serializer_of(base)) as served:
        statuses(served)
        for data in ({"name": "Eliot"}, {"name": "x" * 101}, {}):
            told = {}
            for language in ("en", "de", "en", "fr", "de"):
                with translation.override(language):
                    answer = served.send("POST", "/x/", data).json()
                    assert told.setdefault(language, answer) == answer
                    # What was refused is not lent again; what was not, is.
                    assert served.send("POST", "/x/", {"name": "Sand"}).status == 201
                    Author.objects.filter(name="Sand").delete()
            assert told["en"] != told["de"] != told["fr"]


@each_pair
@prefixes
@bases
def test_what_leads_to_a_serializer_finds_fields_of_its_own(prefix: str, base: Any) -> None:
    seen: list[Any] = []

    class Kept:
        def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
            data = response.data
            seen.append(getattr(data.get("results", data), "serializer", None))
            return super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]

    serializer = serializer_of(base)
    given = {"queryset": Author.objects.order_by("id"), "serializer_class": serializer}
    view = type("View", (Kept, getattr(views, f"{prefix}RetrieveUpdateDestroyAPIView")), given)
    with type(site(prefix, serializer))({"x/<int:pk>/": view.as_view()}) as served:
        for _ in range(3):
            assert served.send("GET", "/x/1/").status == 200
            assert served.send("PATCH", "/x/1/", {"name": "Austen"}).status == 200
    assert len(seen) == 6
    fields = [field for each in seen for field in each.fields.values()]
    assert len({id(field) for field in fields}) == len(fields) == 12
    assert all(field.parent is each for each in seen for field in each.fields.values())
    assert [each.data["name"] for each in seen] == ["Austen"] * 6


def test_requests_at_once_do_not_share_fields() -> None:
    serializer = serializer_of(serializers.ModelSerializer)
    Author.objects.bulk_create(Author(pk=pk, name=f"Author {pk}") for pk in range(3, 40))
    with site("Async", serializer) as served:

        async def all_at_once() -> list[Any]:
            return await asyncio.gather(*(served.asend("GET", f"/x/{pk}/") for pk in range(3, 40)))

        for _ in range(3):
            answers = asyncio.run(all_at_once())
            assert [each.json() for each in answers] == [{"id": pk, "name": f"Author {pk}"} for pk in range(3, 40)]


@each_pair
@prefixes
@bases
def test_a_query_set_that_a_manager_gave_for_one_request_is_not_kept(prefix: str, base: Any, monkeypatch: Any) -> None:
    once = models.UniqueConstraint(fields=["book_title"], condition=models.Q(book_title__gt=""), name="once")
    monkeypatch.setattr(Review._meta, "constraints", [once])
    tenant = [1]
    of_tenant = lambda: models.QuerySet(Review).filter(rating=tenant[0])  # noqa: E731
    monkeypatch.setattr(Review._default_manager, "get_queryset", of_tenant)
    meta = type("Meta", (), {"model": Review, "fields": ["book_title", "rating"]})
    serializer = type("ReviewSerializer", (base,), {"Meta": meta})
    with site(prefix, serializer, queryset=models.QuerySet(Review).order_by("id")) as served:
        asked = [(1, "A"), (2, "A"), (1, "A"), (1, "B"), (2, "B"), (2, "B")]
        found = []
        for tenant[0], title in asked:
            found.append(served.send("POST", "/x/", {"book_title": title, "rating": tenant[0]}).status)
    assert found == [201, 201, 400, 201, 201, 400]


@each_pair
@prefixes
@bases
@pytest.mark.parametrize(
    ("name", "value"), [("max_length", 2), ("choices", [("Other", "Other")])], ids=["length", "choices"]
)
def test_what_the_class_of_a_model_field_computes_is_asked_each_time(
    prefix: str, base: Any, name: str, value: Any, monkeypatch: Any
) -> None:
    with site_of(prefix, base, Computing) as served:
        for _ in range(2):
            assert statuses(served) == OK
        with monkeypatch.context() as patch:
            patch.setitem(Computed.now, name, value)
            assert statuses(served) == REFUSED
        assert statuses(served) == OK


@each_pair
@prefixes
@bases
def test_choices_of_a_model_field_that_are_changed_in_place_are_obeyed(prefix: str, base: Any) -> None:
    choices: Any = Choosing._meta.get_field("name").choices
    as_written = [*choices]
    with site_of(prefix, base, Choosing) as served:
        for _ in range(2):
            assert statuses(served) == OK
        try:
            choices[:] = [("Other", "Other")]
            assert statuses(served) == REFUSED
        finally:
            choices[:] = as_written
        assert statuses(served) == OK


@each_pair
@prefixes
@bases
def test_a_validator_of_a_model_field_that_is_changed_in_place_is_obeyed(
    prefix: str, base: Any, monkeypatch: Any
) -> None:
    validator = next(each for each in Measuring._meta.get_field("name").validators if type(each) is MinLengthValidator)
    with site_of(prefix, base, Measuring) as served:
        for _ in range(2):
            assert statuses(served) == OK
        with monkeypatch.context() as patch:
            patch.setattr(validator, "limit_value", 10)
            assert statuses(served) == REFUSED
        assert statuses(served) == OK


@each_pair
@prefixes
@bases
@pytest.mark.parametrize("how", ["of the model", "of DRF", "of DRF, replaced"])
def test_messages_that_are_changed_are_told(prefix: str, base: Any, how: str, monkeypatch: Any) -> None:
    messages = drf_fields.Field.default_error_messages
    with site(prefix, serializer_of(base)) as served:
        for _ in range(2):
            assert statuses(served) == OK
        if how == "of the model":
            monkeypatch.setitem(Author._meta.get_field("name").error_messages, "unique", "Told")
        elif how == "of DRF":
            monkeypatch.setitem(messages, "required", "Told")
        else:
            monkeypatch.setattr(drf_fields.Field, "default_error_messages", {**messages, "required": "Told"})
        data = {"name": "Eliot"} if how == "of the model" else {}
        assert served.send("POST", "/x/", data).json() == {"name": ["Told"]}
