"""When a serializer's fields are built, and what becomes of those that are given in other ways than DRF's."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import cached_property
from rest_framework import generics
from rest_framework import serializers as drf
from rest_framework.utils.serializer_helpers import BindingDict

from restflow import serializers, views
from tests.matrix import each_pair
from tests.safety.support import here
from tests.safety.test_plain_serializers import bases, in_colour, prefixes
from tests.shop.models import Author
from tests.site import Answer, Site

pytestmark = pytest.mark.django_db(transaction=True)


def refuse(*args: Any) -> Any:
    raise drf.ValidationError("refused")


@pytest.fixture(autouse=True)
def _author() -> None:
    Author.objects.create(pk=1, name="Austen")


def site(views: Any, prefix: str, serializer: Any, **attributes: Any) -> Site:
    given = {"queryset": Author.objects.order_by("id"), "serializer_class": serializer, "pagination_class": None}
    names = {"x/": f"{prefix}ListCreateAPIView", "x/<int:pk>/": f"{prefix}RetrieveUpdateDestroyAPIView"}
    made = {route: type("View", (getattr(views, name),), {**given, **attributes}) for route, name in names.items()}
    return Site({route: view.as_view() for route, view in made.items()}, DEBUG_PROPAGATE_EXCEPTIONS=True)


def answers(served: Site) -> list[tuple[int, bytes]]:
    sent: list[Answer] = [
        served.send("GET", "/x/1/"),
        served.send("GET", "/x/"),
        served.send("PUT", "/x/1/", {"name": "Put"}),
        served.send("POST", "/x/", ["no", "object"]),
    ]
    return [(answer.status, answer.body) for answer in sent]


HOOKS = {
    "is_valid": lambda base: lambda self, **kwargs: base.is_valid(_strict(self), **kwargs),
    "run_validation": lambda base: lambda self, *args: base.run_validation(_strict(self), *args),
    "to_internal_value": lambda base: lambda self, data: base.to_internal_value(_strict(self), data),
    "to_representation": lambda base: lambda self, value: base.to_representation(_strict(self), value),
}


def _strict(serializer: Any) -> Any:
    serializer.is_strict = True
    return serializer


def deciding(base: Any, name: str) -> Any:
    """Make a serializer whose fields depend on what its override of ``name`` did before DRF's code."""

    def get_fields(self: Any) -> Any:
        fields = base.get_fields(self)
        if self.is_strict:
            fields["name"].validators.append(refuse)
            fields["strict"] = drf.BooleanField(source="is_strict", read_only=True, default=True)
        return fields

    meta = type("Meta", (), {"model": Author, "fields": ["id", "name"]})
    given = {"Meta": meta, "is_strict": False, "get_fields": get_fields, name: HOOKS[name](base)}
    return type("Deciding", (base,), given)


@each_pair
@prefixes
@bases
@pytest.mark.parametrize("name", HOOKS)
def test_fields_are_built_after_what_an_override_does_first(prefix, base, name):
    with site(generics, "", deciding(drf.ModelSerializer, name)) as served:
        expected = answers(served)
    Author.objects.filter(pk=1).update(name="Austen")
    with site(views, prefix, deciding(base, name)) as served:
        assert answers(served) == expected
    assert {status for status, _ in expected} == {200, 400}


@prefixes
@bases
def test_fields_that_drf_never_asks_for_are_not_built(prefix, base):
    class Fixed(base):
        class Meta:
            model = Author
            fields = ("nothing of the kind",)

        def to_internal_value(self, data: Any) -> Any:
            return {"name": data["name"]}

        def run_validation(self, data: Any = drf.empty) -> Any:
            return self.to_internal_value(data)

        def create(self, validated_data: Any) -> Any:
            return Author.objects.create(**validated_data)

        def to_representation(self, instance: Any) -> Any:
            return {"is": instance.name}

    with site(views, prefix, Fixed) as served:
        assert served.send("GET", "/x/1/").json() == {"is": "Austen"}
        assert served.send("GET", "/x/").json() == [{"is": "Austen"}]
        assert served.send("POST", "/x/", {"name": "New"}).json() == {"is": "New"}


@prefixes
@bases
def test_fields_that_fail_to_be_built_are_tried_again(prefix, base):
    class Failing(base):
        failed = False

        class Meta:
            model = Author
            fields = ("id", "name")

        def get_fields(self) -> Any:
            if not self.failed:
                self.failed = True
                raise LookupError
            return super().get_fields()

        def to_representation(self, instance: Any) -> Any:
            try:
                return super().to_representation(instance)
            except LookupError:
                return super().to_representation(instance)

    with site(views, prefix, Failing) as served:
        assert served.send("GET", "/x/1/").json() == {"id": 1, "name": "Austen"}


class AsyncField(drf.CharField):
    async def to_representation(self, value: Any) -> Any:
        raise AssertionError("nobody awaits it")


class Nested(drf.Serializer):
    name = drf.CharField(validators=[in_colour("async def", refuse)])

    def get_fields(self) -> Any:
        return {**super().get_fields(), **({"again": Nested()} if self.parent is None else {})}


class AsyncCallable:
    async def __call__(self, value: Any = None) -> Any:
        raise AssertionError("nobody awaits it")


class Tree(drf.Serializer):
    name = drf.CharField()

    def get_fields(self) -> Any:
        return {**super().get_fields(), "child": Tree(required=False)}


class Two(drf.Serializer):
    first, second = Tree(), Tree(validators=[in_colour("async def", refuse)])


def _put(field: Any) -> Any:
    field.run_validation = in_colour("async def", refuse)
    return field


FIELDS = {
    "a validator": lambda: drf.CharField(validators=[in_colour("async def", refuse)]),
    "an object that validates": lambda: drf.CharField(validators=[AsyncCallable()]),
    "a default": lambda: drf.CharField(default=drf.CreateOnlyDefault(AsyncCallable())),
    "a method": AsyncField,
    "a child": lambda: drf.ListField(child=drf.CharField(validators=[in_colour("async def", refuse)])),
    "a nested serializer": Nested,
    "a list of lists": lambda: drf.ListSerializer(child=drf.ListSerializer(child=Nested())),
    "the second of two": lambda: Two(),
    "put on it": lambda: _put(drf.CharField()),
}


def anew(base: Any, get_name: Any) -> Any:
    """Make a serializer that gives new fields each time it is asked, of its own making."""

    class Anew(base):
        class Meta:
            model = Author
            fields = ("id", "name")

        @property
        def fields(self) -> Any:
            made = BindingDict(self)
            made["id"] = drf.IntegerField(read_only=True)
            made["name"] = get_name()
            return made

    return Anew


@each_pair
@prefixes
@pytest.mark.parametrize("kind", [kind for kind in FIELDS if kind != "put on it"])
@pytest.mark.parametrize("how", ["made anew", "declared"])
def test_async_code_in_a_field_of_a_serializer_of_drfs_is_refused(prefix, kind, how):
    if how == "made anew":
        serializer = anew(drf.ModelSerializer, FIELDS[kind])
    else:
        meta = type("Meta", (), {"model": Author, "fields": ["id", "name"]})
        serializer = type("Declared", (drf.ModelSerializer,), {"Meta": meta, "name": FIELDS[kind]()})
    refusal = r"\.name\..* is async, and .* Derive .* from restflow\.serializers"
    with site(views, prefix, serializer) as served, pytest.raises(TypeError, match=refusal):
        served.send("PUT", "/x/1/", {"name": "Put"})
    assert Author.objects.get().name == "Austen"


@each_pair
@prefixes
@pytest.mark.parametrize("kind", ["a nested serializer", "a list of lists", "the second of two"])
@pytest.mark.parametrize("how", ["made anew", "declared"])
def test_so_it_is_in_one_of_drfs_that_stands_in_one_of_ours(prefix, kind, how):
    if how == "made anew":
        serializer = anew(serializers.ModelSerializer, FIELDS[kind])
    else:
        meta = type("Meta", (), {"model": Author, "fields": ["id", "name"]})
        serializer = type("Declared", (serializers.ModelSerializer,), {"Meta": meta, "name": FIELDS[kind]()})
    with site(views, prefix, serializer) as served, pytest.raises(TypeError, match=r"Derive .* from restflow"):
        served.send("PUT", "/x/1/", {"name": {}})
    assert Author.objects.get().name == "Austen"


@prefixes
def test_an_async_validator_of_a_field_that_is_made_anew_each_time_is_asked(prefix):
    with site(views, prefix, anew(serializers.ModelSerializer, FIELDS["a validator"])) as served:
        assert served.send("PUT", "/x/1/", {"name": "Put"}).json() == {"name": ["refused"]}


@prefixes
@bases
def test_sync_code_of_fields_that_are_made_anew_each_time_is_asked(prefix, base):
    with site(views, prefix, anew(base, lambda: drf.CharField(validators=[refuse]))) as served:
        assert served.send("GET", "/x/1/").json() == {"id": 1, "name": "Austen"}
        assert served.send("PUT", "/x/1/", {"name": "Put"}).json() == {"name": ["refused"]}
    meta = type("Meta", (), {"fields": ["name"]})
    nested = type("Nested", (base,), {"Meta": type("Meta", (meta,), {"model": Author})})
    with site(views, prefix, anew(base, nested)) as served:
        assert served.send("PUT", "/x/1/", {"name": "Put"}).status == 400


@each_pair
@prefixes
@pytest.mark.parametrize("decorator", [cached_property, property], ids=["cached_property", "property"])
def test_async_code_of_fields_that_a_class_keeps_is_asked(prefix, decorator):
    class Keeping(serializers.ModelSerializer):
        name = FIELDS["a validator"]()

        class Meta:
            model = Author
            fields = ("id", "name")

        def kept(self) -> Any:
            if "kept_fields" not in vars(self):
                self.kept_fields = super().fields
            return self.kept_fields

        fields = decorator(kept)
        if decorator is cached_property:
            fields.__set_name__(None, "fields")

    with site(views, prefix, Keeping) as served:
        assert served.send("PUT", "/x/1/", {"name": "Put"}).json() == {"name": ["refused"]}


@each_pair
@prefixes
@bases
@pytest.mark.parametrize("of", ["field", "serializer"])
@pytest.mark.parametrize("colour", ["def", "async def"])
def test_validators_that_a_property_gives_are_asked_or_refused(prefix, base, of, colour):
    given = {"validators": property(lambda self: [in_colour(colour, refuse)])}
    field = type("Strict", (drf.CharField,), given if of == "field" else {})
    meta = type("Meta", (), {"model": Author, "fields": ["id", "name"]})
    serializer = type("S", (base,), {"Meta": meta, "name": field(), **(given if of == "serializer" else {})})
    with site(views, prefix, serializer) as served:
        if colour == "def" or base is serializers.ModelSerializer:
            key = "name" if of == "field" else "non_field_errors"
            assert served.send("PUT", "/x/1/", {"name": "Put"}).json() == {key: ["refused"]}
        else:
            with pytest.raises(TypeError, match=r"validators is async"):
                served.send("PUT", "/x/1/", {"name": "Put"})
    assert Author.objects.get().name == "Austen"


def test_what_was_prefetched_is_forgotten_in_the_thread_where_a_model_writes_how_it_is_found():
    places: list[str] = []

    class Watched(Author):
        class Meta:
            proxy = True
            app_label = "shop"

        def __getattr__(self, name: str) -> Any:
            places.append(here())
            raise AttributeError(name)

    class Updating(views.AsyncRetrieveUpdateAPIView):
        queryset = Watched.objects.all()
        serializer_class = type(
            "S",
            (serializers.ModelSerializer,),
            {"Meta": type("Meta", (), {"model": Watched, "fields": ["id", "name"]})},
        )

        async def perform_update(self, serializer: Any) -> None:
            await serializer.asave()

    with Site({"x/<int:pk>/": Updating.as_view()}) as served:
        assert served.send("PUT", "/x/1/", {"name": "Put"}).status == 200
    assert set(places) == {"thread"}


@each_pair
@prefixes
@bases
@pytest.mark.parametrize("name", ["run_validation", "to_internal_value", "to_representation"])
def test_an_async_function_that_is_put_on_a_field_is_refused(prefix, base, name):
    class Putting(base):
        class Meta:
            model = Author
            fields = ("id", "name")

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            setattr(self.fields["name"], name, in_colour("async def", refuse))

    with site(views, prefix, Putting) as served:
        asked = ("GET", "/x/1/") if name == "to_representation" else ("PUT", "/x/1/", {"name": "Put"})
        with pytest.raises((ImproperlyConfigured, TypeError), match=f"{name}.*name|name.*{name}"):
            served.send(*asked)
    assert Author.objects.get().name == "Austen"


class Passing:
    def __call__(self, value: Any) -> Any:
        pass


@prefixes
@bases
def test_validators_that_are_objects_are_found_by_their_class_and_as_themselves(prefix, base):
    given = Passing()

    class Finding(base):
        name = drf.CharField(validators=[given])

        class Meta:
            model = Author
            fields = ("id", "name")

        def validate(self, attrs: Any) -> Any:
            field = self.fields["name"]
            assert {each for each in field.validators if isinstance(each, Passing)} == {given}
            field.validators.remove(given)
            assert given not in field.validators
            return attrs

    with site(views, prefix, Finding) as served:
        assert served.send("PUT", "/x/1/", {"name": "Put"}).json() == {"id": 1, "name": "Put"}


@prefixes
@bases
def test_sync_code_of_fields_that_lead_to_themselves_is_asked(prefix, base):
    class Planting(base):
        child = Tree(required=False)

        class Meta:
            model = Author
            fields = ("id", "name", "child")

        @property
        def fields(self) -> Any:
            return super().fields

    with site(views, prefix, Planting) as served:
        assert served.send("GET", "/x/1/").json() == {"id": 1, "name": "Austen"}
        refusal = {"child": {"child": {"name": ["This field is required."]}}}
        assert served.send("PUT", "/x/1/", {"name": "Put", "child": {"name": "a", "child": {}}}).json() == refusal


@prefixes
@bases
def test_fields_that_an_override_throws_away_are_built_anew(prefix, base):
    class Anew(base):
        class Meta:
            model = Author
            fields = ("id", "name")

        def to_internal_value(self, data: Any) -> Any:
            before = self.fields
            del self.fields
            assert [*before] == [*self.fields] == ["id", "name"]
            return super().to_internal_value(data)

    with site(views, prefix, Anew) as served:
        assert served.send("PUT", "/x/1/", {"name": "Put"}).json() == {"id": 1, "name": "Put"}


def depending(base: Any, override: Any, validator: Any) -> Any:
    """Make a serializer whose fields depend on what its ``to_internal_value`` did before it, or fail at first."""

    class Depending(base):
        mode = "first"
        failing = False

        class Meta:
            model = Author
            fields = ("id", "name")

        def get_fields(self) -> Any:
            if self.failing:
                self.failing = False
                raise LookupError
            fields = super().get_fields()
            fields["name"] = drf.CharField(validators=[validator], required=self.mode == "first")
            return fields

        def to_internal_value(self, data: Any) -> Any:
            override(self)
            return super().to_internal_value(data)

    return Depending


BUILDERS = {
    "get_field_names": lambda base: lambda self, *args: ["id", "name"] if self.is_strict else ["id"],
    "get_extra_kwargs": lambda base: lambda self: {"name": {"max_length": 2 if self.is_strict else 50}},
    "build_standard_field": lambda base: (
        lambda self, *args: (
            drf.CharField,
            {"max_length": 2 if self.is_strict else 50},
        )
    ),
}


@each_pair
@prefixes
@bases
@pytest.mark.parametrize("name", BUILDERS)
def test_what_drfs_get_fields_asks_is_asked_after_what_an_override_does_first(prefix, base, name):
    def deciding(base: Any) -> Any:
        meta = type("Meta", (), {"model": Author, "fields": ["id", "name"]})
        hooks = {"to_internal_value": HOOKS["to_internal_value"](base), name: BUILDERS[name](base)}
        return type("Deciding", (base,), {"Meta": meta, "is_strict": False, **hooks})

    sent = [("PUT", "/x/1/", {"name": "Put"}), ("PUT", "/x/1/", {})]
    with site(generics, "", deciding(drf.ModelSerializer)) as served:
        expected = [served.send(*each).body for each in sent]
    Author.objects.filter(pk=1).update(name="Austen")
    with site(views, prefix, deciding(base)) as served:
        assert [served.send(*each).body for each in sent] == expected
    assert expected[1] != b'{"id":1}'


def _read_and_change(serializer: Any) -> None:
    assert serializer.fields is serializer.fields
    serializer.mode = "second"


def _fail_and_try_again(serializer: Any) -> None:
    serializer.failing = True
    with pytest.raises(LookupError):
        _ = serializer.fields


def _throw_away(serializer: Any) -> None:
    assert serializer.fields
    del serializer.fields


def _leave_one(serializer: Any) -> None:
    serializer.fields.fields = {"name": serializer.fields["name"]}


@each_pair
@prefixes
@bases
@pytest.mark.parametrize("override", [_read_and_change, _fail_and_try_again, _throw_away, _leave_one])
def test_fields_are_built_where_an_override_reads_them(prefix, base, override):
    sent: list[tuple[Any, ...]] = [("PUT", "/x/1/", {"name": "Put"}), ("PUT", "/x/1/", {})]
    with site(generics, "", depending(drf.ModelSerializer, override, refuse)) as served:
        expected = [served.send(*each).body for each in sent]
    colour = "async def" if base is serializers.ModelSerializer else "def"
    with site(views, prefix, depending(base, override, in_colour(colour, refuse))) as served:
        assert [served.send(*each).body for each in sent] == expected
    assert expected[0] == b'{"name":["refused"]}'


@prefixes
def test_fields_that_a_property_takes_from_drfs_are_asked_however_often_they_are_made(prefix):
    class Dynamic(serializers.ModelSerializer):
        name = FIELDS["a validator"]()

        class Meta:
            model = Author
            fields = ("id", "name")

        @property
        def fields(self) -> Any:
            fields = super().fields
            fields.pop("id", None)
            return fields

    with site(views, prefix, Dynamic) as served:
        assert served.send("GET", "/x/1/").json() == {"name": "Austen"}
        assert served.send("PUT", "/x/1/", {"name": "Put"}).json() == {"name": ["refused"]}


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
@prefixes
@bases
def test_a_field_that_is_added_while_a_serializer_is_at_work_is_asked_or_refused(prefix, base):
    class Adding(base):
        class Meta:
            model = Author
            fields = ("id", "name")

        def to_internal_value(self, data: Any) -> Any:
            self.fields["name"] = FIELDS["a validator"]()
            return super().to_internal_value(data)

    with site(views, prefix, Adding) as served:
        if base is serializers.ModelSerializer:
            assert served.send("PUT", "/x/1/", {"name": "Put"}).json() == {"name": ["refused"]}
        else:
            with pytest.raises(TypeError, match=r"Adding\.name\.validators is async"):
                served.send("PUT", "/x/1/", {"name": "Put"})
    gc.collect()  # what was never awaited is told here
    assert Author.objects.get().name == "Austen"
