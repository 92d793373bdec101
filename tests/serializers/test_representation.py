"""What serializers represent by a generated function is what DRF represents, to the byte, and so are the errors."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable
from enum import Enum, StrEnum
from itertools import product
from random import Random
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection, models
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework import serializers as drf

from restflow import serializers as restflow
from tests.matrix import examples
from tests.serializers.representing import TIMES, Reader, by_view, outcome
from tests.shop.models import Author, Book, Edition, Tag

ROWS = 30  # of each drawn serializer: 100,000 in a long run


class Shape(StrEnum):
    ROUND = "round"
    FLAT = "flat"


class Size(Enum):
    BIG = 1


class Person(models.Model):
    name = models.CharField(max_length=10)

    class Meta:
        app_label = "tests_representation"
        managed = False


class Thing(models.Model):
    text = models.TextField()
    number = models.IntegerField()
    person = models.ForeignKey(Person, on_delete=models.CASCADE, null=True)

    class Meta:
        app_label = "tests_representation"
        managed = False

    def called(self) -> Any:
        return self.text

    @property
    def computed(self) -> Any:
        return self.number


def raises_attribute_error() -> Any:
    raise AttributeError("inside")


ZONES = [datetime.UTC, None, ZoneInfo("Asia/Kolkata"), datetime.timezone(datetime.timedelta(hours=-3))]
EDGES = [datetime.datetime.min, datetime.datetime.max]  # noqa: DTZ901 - the zone is added
moments = st.builds(
    lambda moment, zone: moment.replace(tzinfo=zone),
    st.datetimes() | st.sampled_from(EDGES),
    st.sampled_from(ZONES),
)
decimals = st.decimals(min_value=-10000, max_value=10000, places=2) | st.decimals(allow_nan=True, allow_infinity=True)
plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    decimals,
    moments,
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.sampled_from([Shape.ROUND, Size.BIG, "round", "", "1", 1, b"x", Ellipsis]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["a", "name"]), st.integers(), max_size=2),
)
odd: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [lambda: "called", lambda value: value, lambda: None, raises_attribute_error, len, str, lambda: lambda: 1]
    ),
    st.builds(AttributeError, st.just("gone")),
    st.builds(KeyError, st.just("gone")),
    st.builds(ObjectDoesNotExist),
    st.builds(ValueError, st.just("bad")),
    st.builds(Person, pk=st.integers(1, 3), name=st.just("ada")),
)
values = plain | odd

FIELDS: dict[str, list[Callable[[Any], Any]]] = {
    "text": [lambda k: drf.CharField(**k), lambda k: drf.EmailField(**k), lambda k: drf.IPAddressField(**k)],
    "slug": [lambda k: drf.SlugField(**k), lambda k: drf.URLField(**k), lambda k: drf.RegexField("x", **k)],
    "number": [lambda k: drf.IntegerField(**k), lambda k: drf.BigIntegerField(**k), lambda k: drf.FloatField(**k)],
    "big": [lambda k: drf.BigIntegerField(coerce_to_string=True, **k)],
    "flag": [lambda k: drf.BooleanField(**k)],
    "price": [
        lambda k: drf.DecimalField(6, 2, **k),
        lambda k: drf.DecimalField(None, None, **k),
        lambda k: drf.DecimalField(9, 5, coerce_to_string=False, **k),
        lambda k: drf.DecimalField(6, 2, localize=True, **k),
        lambda k: drf.DecimalField(6, 2, normalize_output=True, **k),
        lambda k: drf.DecimalField(6, 1, rounding=decimal.ROUND_UP, **k),
        lambda k: drf.DecimalField(6, 0, **k),
    ],
    "moment": [
        lambda k: drf.DateTimeField(**k),
        lambda k: drf.DateTimeField(format=None, **k),
        lambda k: drf.DateTimeField(format="%Y", **k),
        lambda k: drf.DateTimeField(default_timezone=ZoneInfo("Europe/Berlin"), **k),
    ],
    "date": [lambda k: drf.DateField(**k), lambda k: drf.DateField(format="%d", **k)],
    "time": [lambda k: drf.TimeField(**k), lambda k: drf.TimeField(format=None, **k)],
    "lasts": [lambda k: drf.DurationField(**k), lambda k: drf.DurationField(format="iso-8601", **k)],
    "key": [lambda k: drf.UUIDField(**k), lambda k: drf.UUIDField(format="hex", **k)],
    "shape": [
        lambda k: drf.ChoiceField(choices=["round", ("1", "one"), ("", "none")], **k),
        lambda k: drf.ChoiceField(
            choices=[(1, "one"), (True, "yes"), *((each, each.name) for each in (*Shape, *Size))], **k
        ),
        lambda k: drf.MultipleChoiceField(choices=["round"], **k),
    ],
    "any": [lambda k: drf.JSONField(**k), lambda k: drf.JSONField(binary=True, **k)],
    "listed": [lambda k: drf.ListField(child=drf.IntegerField(), **k), lambda k: drf.DictField(**k)],
}
READ_ONLY: dict[str, list[Callable[[Any], Any]]] = {
    "as_is": [lambda k: drf.ReadOnlyField(**k)],
    "person": [
        lambda k: drf.PrimaryKeyRelatedField(read_only=True, **k),
        lambda k: drf.PrimaryKeyRelatedField(read_only=True, pk_field=drf.CharField(), **k),
        lambda k: drf.SlugRelatedField(read_only=True, slug_field="name", **k),
        lambda k: drf.StringRelatedField(**k),
    ],
    "people": [
        lambda k: drf.PrimaryKeyRelatedField(read_only=True, many=True, **k),
        lambda k: drf.StringRelatedField(many=True, **k),
    ],
}
SOURCES = ["", "", "", "text", "number", "nested.text", "nested.nested.number", "person.name", "any", "a-b", "class"]
NAMES = [*FIELDS, *READ_ONLY, "nested", "a-b", "class", "name"]


class Loud(drf.CharField):
    def to_representation(self, value: Any) -> Any:
        return f"{value}!"


class Elsewhere(drf.CharField):
    def get_attribute(self, instance: Any) -> Any:
        return "elsewhere"


Made = Callable[[Any], Any]  # makes one serializer class of DRF's or of ours


@st.composite
def fields(draw: Any) -> Callable[[], Any]:
    kind = draw(st.sampled_from([*FIELDS, *READ_ONLY, "own", "write-only"]))
    options: dict[str, Any] = {}
    if draw(st.booleans()):
        options["default"] = draw(st.sampled_from([None, "default", lambda: "made"]))
    if draw(st.booleans()):
        options["source"] = draw(st.sampled_from(SOURCES)) or None
    if kind in READ_ONLY:
        make = draw(st.sampled_from(READ_ONLY[kind]))
        return lambda: make(dict(options))
    options["allow_null"] = draw(st.booleans())
    if "default" not in options:
        options["required"] = draw(st.booleans())
    if kind == "own":
        own = draw(st.sampled_from([Loud, Elsewhere]))
        return lambda: own(**options)
    if kind == "write-only":
        return lambda: drf.CharField(write_only=True, **options)
    make = draw(st.sampled_from(FIELDS[kind]))
    return lambda: make(dict(options))


def overrides(draw: Any) -> Callable[[type], dict[str, Any]]:
    """Draw what a class writes itself, given its base."""
    kind = draw(st.sampled_from(["none", "none", "none", "representation", "init", "get_fields", "readable", "row"]))

    def to_representation(self: Any, instance: Any) -> Any:
        if kind == "row":
            for field in [*self.fields][:1]:
                self.fields.pop(field)
        ret = super(self.__class__, self).to_representation(instance)
        ret["added"] = len(ret)
        return ret

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        super(self.__class__, self).__init__(*args, **kwargs)
        for field in [*self.fields][1:2]:
            self.fields.pop(field)
        self.fields["extra"] = drf.SerializerMethodField()

    def get_fields(self: Any) -> Any:
        found = super(self.__class__, self).get_fields()
        return dict(reversed(found.items()))

    def _readable_fields(self: Any) -> Any:
        return [*self.fields.values()][:1]

    def get_extra(self: Any, instance: Any) -> Any:
        return type(instance).__name__

    return {
        "none": {},
        "representation": {"to_representation": to_representation},
        "row": {"to_representation": to_representation},
        "init": {"__init__": __init__, "get_extra": get_extra},
        "get_fields": {"get_fields": get_fields},
        "readable": {"_readable_fields": property(_readable_fields)},
    }[kind]


@st.composite
def serializer_classes(draw: Any, depth: int = 2) -> Made:
    made = draw(st.lists(st.tuples(st.sampled_from(NAMES), fields()), min_size=1, max_size=5))
    own = overrides(draw)
    methods = draw(st.booleans())
    nested = []
    if depth:
        for _ in range(draw(st.integers(0, 2))):
            source = draw(st.sampled_from([None, "*", "person", "any"]))
            options = {"many": draw(st.booleans()), "source": source}
            nested.append((draw(serializer_classes(depth=depth - 1)), options, draw(st.booleans())))

    def get_method(self: Any, instance: Any) -> Any:
        return sorted(self.fields)

    def make(family: Any) -> Any:
        body: dict[str, Any] = {}
        for name, field in made:
            try:
                body[name] = field()
            except AssertionError:  # options that do not go together
                body[name] = drf.CharField()
            if body[name].source == name:
                body[name] = drf.ReadOnlyField()
        for number, (inner, options, is_plain) in enumerate(nested):
            given = dict(options, required=False)
            if given["many"] and given["source"] == "*":
                given["source"] = "listed"
            body[f"nested{number or ''}"] = inner(drf if is_plain else family)(**given)
        if methods:
            body["method"] = drf.SerializerMethodField()
            body["get_method"] = get_method
        return type("Drawn", (family.Serializer,), {**body, **own})

    return make


@st.composite
def instances(draw: Any, depth: int = 2) -> Callable[[], Any]:
    """Draw what makes an instance: anew for each family, as a reading may count."""
    held = draw(st.dictionaries(st.sampled_from(NAMES), values, max_size=12))
    inner: dict[str, Any] = {}
    if depth:
        for name in draw(st.lists(st.sampled_from(["nested", "nested1", "person", "listed", "any"]), max_size=3)):
            inner[name] = draw(st.lists(instances(depth=depth - 1), max_size=2) | instances(depth=depth - 1))
    kind = draw(st.sampled_from(KINDS))

    def make() -> Any:
        made = {
            name: [each() for each in maker] if isinstance(maker, list) else maker() for name, maker in inner.items()
        }
        return made_of(kind, {**held, **made})

    return make


KINDS: list[Any] = [dict, SimpleNamespace, Reader, Thing]


def made_of(kind: Any, held: dict[str, Any]) -> Any:
    if kind in {dict, Reader}:
        return kind(held)
    instance = kind()
    for name, value in held.items():
        if not (kind is Thing and name == "person" and not isinstance(value, Person | type(None))):
            setattr(instance, name, value)
    return instance


SOME: list[Any] = [
    *(None, True, False, 0, 7, 2**70, 1.5, "", "round", "1", "ä", b"x", Ellipsis, Shape.ROUND, Size.BIG),
    *(decimal.Decimal(text) for text in ("1.50", "0.00", "-0.00", "1.5", "1E+3", "123456.78", "0.005", "NaN", "1E-9")),
    *(datetime.datetime(2024, 2, 29, 1, 2, 3, 4, zone) for zone in ZONES),
    *(edge.replace(tzinfo=zone) for zone in ZONES for edge in EDGES),
    *(datetime.date(2024, 2, 29), datetime.time(1, 2), datetime.timedelta(1, 2, 3), uuid.UUID(int=7)),
    *(
        [],
        [1, None],
        {},
        {"a": 1, "name": "x"},
        lambda: "called",
        lambda value: value,
        raises_attribute_error,
        len,
        str,
    ),
    *(AttributeError("gone"), KeyError("gone"), ObjectDoesNotExist(), ValueError("bad"), Person(pk=2, name="ada")),
]


def any_instance(random: Random, depth: int = 2) -> Any:
    """Make what ``instances`` draws, quickly."""
    held = {name: random.choice(SOME) for name in NAMES if random.random() < 0.8}
    for name in ("nested", "nested1", "person", "listed", "any") if depth else ():
        if random.random() < 0.4:
            made = [any_instance(random, depth - 1) for _ in range(random.randrange(3))]
            held[name] = made if random.random() < 0.5 else any_instance(random, depth - 1)
    return made_of(random.choice(KINDS), held)


SETTINGS: list[dict[str, Any]] = [
    {},
    {"USE_TZ": True, "TIME_ZONE": "UTC"},
    {"USE_TZ": True, "TIME_ZONE": "America/New_York"},
    {"USE_TZ": False},
    {"REST_FRAMEWORK": {"COERCE_DECIMAL_TO_STRING": False, "DATETIME_FORMAT": None, "DATE_FORMAT": "%Y"}},
    {"REST_FRAMEWORK": {"COERCE_BIGINT_TO_STRING": True, "TIME_FORMAT": "%H", "DURATION_FORMAT": "iso-8601"}},
    {"RESTFLOW": {"FAST_VERSIONS": False}},
]


@pytest.mark.parametrize("changed", SETTINGS, ids=lambda changed: "-".join(map(str, changed.values())) or "none")
def test_representation_is_drfs(changed: dict[str, Any]) -> None:
    @settings(max_examples=examples(12), deadline=None)
    @given(
        serializer_classes(),
        st.lists(instances(), min_size=1, max_size=3),
        st.booleans(),
        st.booleans(),
        st.integers(0, 2**32),
    )
    def check(made: Made, makers: list[Callable[[], Any]], many: bool, partial: bool, seed: int) -> None:
        theirs, ours = made(drf), made(restflow)

        options: Any = {"many": many, "partial": partial, "context": {"some": 1}}

        def given_to(cls: Any) -> Any:
            # Rows of a kind come more than once, in a list and of their own.
            instance: Any = [maker() for maker in makers for _ in range(TIMES)] if many else makers[0]()
            return cls(instance, **options)

        expected = outcome(lambda: given_to(theirs).data)
        for _ in range(TIMES):
            assert outcome(lambda: given_to(ours).data) == expected
            serializer = given_to(theirs)
            assert outcome(lambda: by_view(theirs, serializer.instance, **options)) == expected  # noqa: B023
        one, another = theirs(partial=partial), ours(partial=partial)
        for row in range(ROWS):
            expected = outcome(lambda: one.to_representation(any_instance(Random(seed + row))))  # noqa: B023
            assert outcome(lambda: another.to_representation(any_instance(Random(seed + row)))) == expected  # noqa: B023

    with override_settings(**changed):
        check()


@pytest.mark.parametrize("changed", SETTINGS[:-1], ids=lambda changed: "-".join(map(str, changed.values())) or "none")
def test_every_value_of_every_field_is_represented_as_by_drf(changed: dict[str, Any]) -> None:
    def made(m: Any, make: Callable[[Any], Any], **options: Any) -> Any:
        return type("OneField", (m.Serializer,), {"value": make(options)})()

    with override_settings(**changed):
        for make in (make for makes in (*FIELDS.values(), *READ_ONLY.values()) for make in makes):
            for options in ({}, {"source": "deep.value"}):
                theirs, ours = made(drf, make, **options), made(restflow, make, **options)
                for value, kind in product(SOME, [dict, Thing]):
                    row = made_of(kind, {"value": value, "deep": made_of(Thing, {"value": value})})
                    expected = outcome(lambda: theirs.to_representation(row))  # noqa: B023
                    assert outcome(lambda: ours.to_representation(row)) == expected, (make, value)  # noqa: B023


@pytest.fixture
def books(db: None) -> list[Book]:
    authors = [Author.objects.create(name=name) for name in ("Austen", "Eliot", "Sand", "Kafka", "Woolf", "Zola")]
    made = [Book.objects.create(title=f"Book {n}", year=1800 + n, author=authors[n % 6]) for n in range(8)]
    tags = [Tag.objects.create(name=name) for name in ("old", "long")]
    for book in made[:7]:
        book.tags.set(tags)
    for book in made[:6]:
        Edition.objects.create(book=book, language="en", code=f"c{book.pk}", printed=datetime.date(1900, 1, 1))
    return made


def family(m: Any) -> dict[str, Any]:
    """Return the kinds of serializers that applications have, over DRF's or our bases."""

    class Audited:
        def to_representation(self, instance: Any) -> Any:
            ret = super().to_representation(instance)  # type: ignore[misc]
            ret["kind"] = type(instance).__name__
            return ret

    class Authors(m.ModelSerializer):
        class Meta:
            model = Author
            fields = ["id", "name"]

    class Editions(m.ModelSerializer):
        title = drf.CharField(source="book.title")

        class Meta:
            model = Edition
            fields = ["id", "title", "number", "language", "printed", "code", "details", "scan", "book"]

    class Books(m.ModelSerializer):
        class Meta:
            model = Book
            fields = ["id", "title", "year", "author", "tags"]

    class Nested(Audited, Books):
        author = Authors()
        editions = Editions(many=True, read_only=True)
        tags = drf.SlugRelatedField(many=True, slug_field="name", queryset=Tag.objects.all())
        by = drf.SlugRelatedField(source="author", slug_field="name", read_only=True)
        age = drf.SerializerMethodField()

        class Meta(Books.Meta):
            fields = [*Books.Meta.fields, "editions", "by", "age"]

        def get_age(self, book: Any) -> int:
            return self.context.get("now", 2000) - book.year

    class Dynamic(Nested):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            only = kwargs.pop("only", ["title", "author"])
            super().__init__(*args, **kwargs)
            for name in {*self.fields} - {*only}:
                self.fields.pop(name)

    class Changing(Books):
        number = drf.SerializerMethodField()

        def get_number(self, book: Any) -> int:
            self.fields["year"] = drf.CharField() if book.year % 2 else drf.FloatField()
            if book.year == 1806:
                self.fields["title"].write_only = True
            return len(self.fields)

        class Meta(Books.Meta):
            fields = [*Books.Meta.fields, "number"]

    class Links(m.HyperlinkedModelSerializer):
        class Meta:
            model = Author
            fields = ["url", "name"]

    return {
        "Books": Books,
        "Nested": Nested,
        "Dynamic": Dynamic,
        "Changing": Changing,
        "Editions": Editions,
        "Links": Links,
    }


CHOSEN: dict[str, Callable[[], Any]] = {
    "Books": lambda: Book.objects.all(),
    "Nested": lambda: Book.objects.select_related("author").prefetch_related("editions", "tags"),
    "Dynamic": lambda: Book.objects.all(),
    "Changing": lambda: [*Book.objects.all()],
    "Editions": lambda: Edition.objects.all(),
    "Links": lambda: [*Author.objects.all()],
}


@pytest.mark.usefixtures("each_version", "books")
@pytest.mark.parametrize("name", CHOSEN)
def test_serializers_of_models_are_represented_as_by_drf(name: str, django_assert_num_queries: Any) -> None:
    queryset, theirs, ours = CHOSEN[name], family(drf)[name], family(restflow)[name]
    context = {"request": None, "now": 2024}
    with override_settings(ROOT_URLCONF=__name__):
        with CaptureQueriesContext(connection) as queries:
            expected = outcome(lambda: theirs(queryset(), many=True, context=context).data)
        for _ in range(TIMES):
            with django_assert_num_queries(len(queries)):
                assert outcome(lambda: ours(queryset(), many=True, context=context).data) == expected
            with django_assert_num_queries(len(queries)):
                assert outcome(lambda: by_view(theirs, queryset(), many=True, context=context)) == expected
        assert expected[0] != b"[]"
        assert not isinstance(expected[0], type)


urlpatterns = [path("authors/<int:pk>/", lambda request: None, name="author-detail")]  # type: ignore[arg-type, misc]


@pytest.mark.usefixtures("fast_versions")
def test_a_time_zone_that_a_method_sets_counts_from_the_next_field_on() -> None:
    class Made(restflow.Serializer):
        zone = drf.SerializerMethodField()
        at = drf.DateTimeField()

        def get_zone(self, instance: Any) -> str:
            timezone.activate(instance.zone)
            return str(instance.zone)

    at = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    rows = [SimpleNamespace(zone=ZoneInfo(name), at=at) for name in ("Asia/Kolkata", "Europe/Berlin", "UTC")]
    with timezone.override("UTC"):
        found = [each["at"] for each in Made(rows * TIMES, many=True).data]
    assert found == ["2024-01-01T05:30:00+05:30", "2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00Z"] * TIMES


@pytest.mark.parametrize("sets", ["outside", "inside"])
def test_a_time_zone_that_a_method_sets_counts_in_the_serializers_around_and_inside(sets: str) -> None:
    class Setting(drf.Serializer):
        zone = drf.SerializerMethodField()

        def get_zone(self, instance: Any) -> str:
            timezone.activate(instance.zone)
            return str(instance.zone)

    class Telling(drf.Serializer):
        at = drf.DateTimeField()

    class Made(restflow.Serializer):
        first = Setting(source="*") if sets == "inside" else drf.SerializerMethodField()
        at = drf.DateTimeField()
        then = Telling(source="*")

        def get_first(self, instance: Any) -> None:
            timezone.activate(instance.zone)

    at = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    rows = [SimpleNamespace(zone=ZoneInfo(name), at=at) for name in ("Asia/Kolkata", "Europe/Berlin", "UTC")]
    with timezone.override("UTC"):
        found = [(each["at"], each["then"]["at"]) for each in Made(rows * TIMES, many=True).data]
    told = ["2024-01-01T05:30:00+05:30", "2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00Z"]
    assert found == [(each, each) for each in told] * TIMES


@pytest.mark.usefixtures("fast_versions")
@pytest.mark.django_db
def test_a_patch_of_the_class_that_represents_each_of_many_is_obeyed(monkeypatch: Any) -> None:
    class Made(restflow.ModelSerializer):
        class Meta:
            model = Book
            fields = ["tags"]

    book = Book.objects.create(title="Emma", author=Author.objects.create(name="Austen"))
    book.tags.add(Tag.objects.create(name="novel"))
    monkeypatch.setattr(drf.PrimaryKeyRelatedField, "to_representation", lambda self, value: "patched")
    assert [each["tags"] for each in Made([book] * TIMES, many=True).data] == [["patched"]] * TIMES
