"""A serializer that runs DRF's code only is used as it is. As soon as it has any other, that is asked or refused."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from rest_framework import serializers as drf
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response

from restflow import serializers, views
from tests.matrix import each_pair
from tests.safety.support import here
from tests.shop.models import Author
from tests.site import Answer, Site

pytestmark = pytest.mark.django_db(transaction=True)

prefixes = pytest.mark.parametrize("prefix", ["", "Async"], ids=["sync", "async"])
bases = pytest.mark.parametrize("base", [drf.ModelSerializer, serializers.ModelSerializer], ids=["DRF's", "ours"])
colours = pytest.mark.parametrize("colour", ["def", "async def"])


@pytest.fixture(autouse=True)
def _authors() -> None:
    Author.objects.bulk_create(Author(pk=pk, name=name) for pk, name in enumerate(["Austen", "Eliot"], 1))


class Pages(PageNumberPagination):
    page_size = 2


def serializer_of(base: Any, **attributes: Any) -> Any:
    meta = type("Meta", (), {"model": Author, "fields": ["id", "name"]})
    return type("AuthorSerializer", (base,), {"Meta": meta, **attributes})


def site(prefix: str, serializer: Any, **attributes: Any) -> Site:
    given = {
        "queryset": Author.objects.order_by("id"),
        "serializer_class": serializer,
        "pagination_class": Pages,
        **attributes,
    }
    names = {"x/": f"{prefix}ListCreateAPIView", "x/<int:pk>/": f"{prefix}RetrieveUpdateDestroyAPIView"}
    return Site({route: type("View", (getattr(views, name),), given).as_view() for route, name in names.items()})


def requests(served: Site) -> list[Answer]:
    """Send one request of each kind that a serializer has a part in."""
    Author.objects.filter(pk__gt=2).delete()
    Author.objects.filter(pk=1).update(name="Austen")
    asked = [
        ("GET", "/x/", None),
        ("GET", "/x/1/", None),
        ("POST", "/x/", {"name": "New"}),
        ("PUT", "/x/1/", {"name": "Put"}),
        ("PATCH", "/x/1/", {"name": "Set"}),
    ]
    return [served.send(*each) for each in asked]


def statuses(served: Site) -> list[int]:
    return [answer.status for answer in requests(served)]


def in_colour(colour: str, function: Any) -> Any:
    """Make a hook of the colour, which runs where code of that colour belongs."""

    def sync(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    async def asynchronous(*args: Any, **kwargs: Any) -> Any:
        assert here() == "loop"
        return function(*args, **kwargs)

    return sync if colour == "def" else asynchronous


def refuse(*args: Any, **kwargs: Any) -> Any:
    raise ValidationError({"name": ["refused"]})


OK, REFUSED = [200, 200, 201, 200, 200], [200, 200, 400, 400, 400]
NOT_SERVED = [500] * 5
# What nobody awaited is an error of the tests' own.
never_awaited = pytest.mark.filterwarnings(
    "ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning"
)


def expected(base: Any, colour: str) -> list[int]:
    """Return how requests end whose validation is refused: async code in a serializer of DRF's is not served."""
    return NOT_SERVED if (base, colour) == (drf.ModelSerializer, "async def") else REFUSED


@each_pair
@prefixes
@bases
@pytest.mark.parametrize(
    ("name", "colour"),
    [
        *(("validate", colour) for colour in ("def", "async def")),
        *(("validate_name", colour) for colour in ("def", "async def")),
        ("run_validation", "def"),
        ("to_internal_value", "def"),
    ],
)
def test_validation_that_is_put_on_the_class_after_a_request_is_asked(prefix, base, colour, name, monkeypatch):
    serializer = serializer_of(base)
    with site(prefix, serializer) as served:
        assert statuses(served) == OK
        with monkeypatch.context() as patch:
            patch.setattr(serializer, name, in_colour(colour, refuse), raising=False)
            assert statuses(served) == expected(base, colour)
        assert statuses(served) == OK


@each_pair
@prefixes
@bases
@colours
def test_a_validator_that_is_put_into_meta_after_a_request_is_asked(prefix, base, colour, monkeypatch):
    serializer = serializer_of(base)
    with site(prefix, serializer) as served:
        assert statuses(served) == OK
        with monkeypatch.context() as patch:
            patch.setattr(serializer.Meta, "validators", [in_colour(colour, refuse)], raising=False)
            assert statuses(served) == expected(base, colour)
        assert statuses(served) == OK
        patched = {"name": {"validators": [in_colour(colour, refuse)]}}
        monkeypatch.setattr(serializer.Meta, "extra_kwargs", patched, raising=False)
        assert statuses(served) == expected(base, colour)


@each_pair
@prefixes
@bases
@colours
def test_a_validator_of_the_model_s_field_is_asked(prefix, base, colour, monkeypatch):
    serializer = serializer_of(base)
    field = Author._meta.get_field("name")
    with site(prefix, serializer) as served:
        assert statuses(served) == OK
        monkeypatch.setattr(field, "_validators", [*field._validators, in_colour(colour, refuse)])
        field.__dict__.pop("validators", None)
        try:
            assert statuses(served) == expected(base, colour)
        finally:
            field.__dict__.pop("validators", None)


@each_pair
@prefixes
@bases
@colours
@pytest.mark.parametrize("in_place", [True, False], ids=["in the mapping", "by another mapping"])
def test_a_field_class_that_drf_is_told_to_use_is_asked(prefix, base, colour, in_place, monkeypatch):
    class Shouted(drf.CharField):
        to_representation = in_colour(colour, lambda self, value: value.upper())

    serializer = serializer_of(base)
    with site(prefix, serializer) as served:
        assert served.send("GET", "/x/1/").json()["name"] == "Austen"
        mapping, kind = drf.ModelSerializer.serializer_field_mapping, type(Author._meta.get_field("name"))
        if in_place:
            monkeypatch.setitem(mapping, kind, Shouted)
        else:
            monkeypatch.setattr(drf.ModelSerializer, "serializer_field_mapping", {**mapping, kind: Shouted})
        listed, shown, created, *_ = requests(served)
        if expected(base, colour) is NOT_SERVED:
            assert {listed.status, shown.status, created.status} == {500}
            return
        assert [each["name"] for each in listed.json()["results"]] == ["AUSTEN", "ELIOT"]
        assert (shown.json()["name"], created.json()["name"]) == ("AUSTEN", "NEW")


@each_pair
@prefixes
@bases
@colours
def test_a_representation_that_is_put_on_the_class_after_a_request_is_asked(prefix, base, colour, monkeypatch):
    serializer = serializer_of(base)
    with site(prefix, serializer) as served:
        assert statuses(served) == OK
        declared = {"name": drf.SerializerMethodField()}
        monkeypatch.setattr(serializer, "_declared_fields", declared)
        monkeypatch.setattr(serializer, "get_name", in_colour(colour, lambda self, author: "shown"), raising=False)
        listed, shown, *_ = requests(served)
        if expected(base, colour) is NOT_SERVED:
            assert {listed.status, shown.status} == {500}
            return
        assert [each["name"] for each in listed.json()["results"]] == ["shown", "shown"]
        assert shown.json()["name"] == "shown"


@each_pair
@prefixes
@bases
@pytest.mark.parametrize("name", ["perform_create", "perform_update"])
def test_an_override_gets_a_serializer_with_the_async_surface(prefix, base, name):
    async def perform(self: Any, serializer: Any) -> None:
        await serializer.asave(name=f"{serializer.validated_data['name']} saved")

    def perform_sync(self: Any, serializer: Any) -> None:
        assert callable(serializer.asave)
        serializer.save(name=f"{serializer.validated_data['name']} saved")

    override = perform if prefix else perform_sync
    with site(prefix, serializer_of(base), **{name: override}) as served:
        created, replaced, updated = requests(served)[2:]
    saved = ["New saved", "Put", "Set"] if name == "perform_create" else ["New", "Put saved", "Set saved"]
    assert [created.json()["name"], replaced.json()["name"], updated.json()["name"]] == saved


@prefixes
@bases
def test_declared_fields_and_inherited_meta_are_drfs_code_too(prefix, base):
    parent = serializer_of(base, name=drf.CharField(max_length=3, trim_whitespace=False))
    child = type("Child", (parent,), {"Meta": type("Meta", (parent.Meta,), {"read_only_fields": ["id"]})})
    with site(prefix, child) as served:
        assert statuses(served) == OK
        refused = served.send("POST", "/x/", {"name": "four"})
    assert (refused.status, list(refused.json())) == (400, ["name"])


@each_pair
@prefixes
@bases
@pytest.mark.parametrize("items", [[], ["Austen", "Eliot"]], ids=len)
def test_a_list_that_has_no_page_or_no_rows_is_shown(prefix, base, items):
    Author.objects.exclude(name__in=items).delete()
    serializer = serializer_of(base)
    with site(prefix, serializer) as paged, site(prefix, serializer, pagination_class=None) as whole:
        assert [each["name"] for each in whole.send("GET", "/x/").json()] == items
    with paged:
        assert [each["name"] for each in paged.send("GET", "/x/").json()["results"]] == items


@each_pair
@prefixes
@bases
@colours
@pytest.mark.parametrize("name", ["to_internal_value", "create", "validate"])
def test_a_class_that_was_made_by_calling_type_is_not_taken_for_drfs(prefix, base, colour, name):
    made = serializer_of(base, **{name: in_colour(colour, refuse)})
    assert made.__module__.startswith("rest_framework.")
    with site(prefix, made) as served:
        assert served.send("POST", "/x/", {"name": "New"}).status == expected(base, colour)[2]


@each_pair
@prefixes
@bases
@colours
@pytest.mark.parametrize("name", ["validate", "validate_name"])
@pytest.mark.parametrize("before", [True, False], ids=["after a request", "before any"])
def test_validation_that_is_put_on_drfs_own_class_is_asked(prefix, base, colour, name, before, monkeypatch):
    with site(prefix, serializer_of(base)) as served:
        if before:
            assert statuses(served) == OK
        monkeypatch.setattr(drf.ModelSerializer, name, in_colour(colour, refuse), raising=False)
        assert statuses(served) == expected(base, colour)


@each_pair
@prefixes
@bases
@colours
@pytest.mark.parametrize("name", ["validate", "validate_name"])
def test_validation_of_a_base_that_comes_late_is_asked(prefix, base, colour, name):
    serializer = type("Leaf", (serializer_of(base),), {})
    late = type("Late", (serializer.__bases__[0],), {name: in_colour(colour, refuse)})
    with site(prefix, serializer) as served:
        assert statuses(served) == OK
        serializer.__bases__ = (late,)
        assert statuses(served) == expected(base, colour)


@never_awaited
@each_pair
@prefixes
@bases
@colours
@pytest.mark.parametrize("hook", ["validate", "validate_name"])
@pytest.mark.parametrize("patched", ["__init__", "is_valid"])
def test_validation_that_a_patch_of_drfs_puts_on_the_serializer_is_asked(
    prefix, base, colour, hook, patched, monkeypatch
):
    original = getattr(drf.BaseSerializer, patched)

    def putting(self: Any, *args: Any, **kwargs: Any) -> Any:
        if patched == "is_valid":
            setattr(self, hook, in_colour(colour, refuse))
            return original(self, *args, **kwargs)
        original(self, *args, **kwargs)  # which begins with what the object holds
        setattr(self, hook, in_colour(colour, refuse))
        return None

    with site(prefix, serializer_of(base)) as served:
        assert statuses(served) == OK
        monkeypatch.setattr(drf.BaseSerializer, patched, putting)
        got = statuses(served)
        assert got == REFUSED or (expected(base, colour) is NOT_SERVED and got[2:] == [500] * 3)
    gc.collect()  # what was never awaited is told here


def _generator(self: Any) -> Any:
    yield refuse


@each_pair
@prefixes
@bases
@pytest.mark.parametrize(
    "get_validators",
    [_generator, lambda self: filter(callable, [refuse]), lambda self: (refuse,)],
    ids=["generator", "filter", "tuple"],
)
@pytest.mark.parametrize("of", ["serializer", "field"])
def test_validators_that_can_be_read_only_once_are_asked(prefix, base, get_validators, of):
    class Name(drf.Field):
        def to_internal_value(self, data):
            return data

        def to_representation(self, value):
            return value

    attributes: dict[str, Any] = {"get_validators": get_validators} if of == "serializer" else {"name": Name()}
    if of == "field":
        Name.get_validators = get_validators  # type: ignore[method-assign]
    with site(prefix, serializer_of(base, **attributes)) as served:
        assert statuses(served) == REFUSED


@prefixes
@bases
def test_validators_that_drfs_own_class_comes_to_give_once_are_asked(prefix, base, monkeypatch):
    with site(prefix, serializer_of(base)) as served:
        assert statuses(served) == OK
        monkeypatch.setattr(drf.ModelSerializer, "get_validators", _generator)
        assert statuses(served) == REFUSED


@each_pair
@prefixes
@bases
@colours
@pytest.mark.parametrize("of", ["declared", "model"])
def test_a_static_method_is_asked_as_a_validator(prefix, base, colour, of, monkeypatch):
    validator = staticmethod(in_colour(colour, refuse))
    if of == "model":
        field = Author._meta.get_field("name")
        monkeypatch.setattr(field, "_validators", [*field._validators, validator])
        monkeypatch.delitem(vars(field), "validators", raising=False)
    attributes: dict[str, Any] = {"name": drf.CharField(validators=[validator])} if of == "declared" else {}
    try:
        with site(prefix, serializer_of(base, **attributes)) as served:
            assert statuses(served) == expected(base, colour)
    finally:
        vars(Author._meta.get_field("name")).pop("validators", None)


@prefixes
@bases
def test_a_class_that_drf_takes_and_this_can_t_read_is_asked_as_drf_does(prefix, base):
    class Meta:
        model = Author
        fields = ["id", "name"]
        held: list[Any] = []

    Meta.held.append(Meta.held)
    with site(prefix, type("Holding", (base,), {"Meta": Meta})) as served:
        assert statuses(served) == OK


@pytest.mark.parametrize("base", [drf.Serializer, serializers.Serializer], ids=["DRF's", "ours"])
def test_what_a_class_computes_is_not_computed_by_a_look_at_it(base):
    class Unasked:
        def __get__(self, instance: Any, owner: Any) -> Any:
            raise AssertionError("asked")

    fields = {"id": drf.IntegerField(read_only=True), "name": drf.CharField()}
    with site("Async", type("Computing", (base,), {"Meta": Unasked(), **fields})) as served:
        assert served.send("GET", "/x/1/").json() == {"id": 1, "name": "Austen"}


@bases
@pytest.mark.parametrize("name", ["get_success_headers", "get_paginated_response", "finalize_response"])
def test_what_sees_the_data_finds_a_serializer_with_the_async_surface(base, name):
    seen: list[bool] = []

    def seeing(self: Any, *args: Any, **kwargs: Any) -> Any:
        data = next(
            each for each in (getattr(arg, "data", arg) for arg in reversed(args)) if hasattr(each, "serializer")
        )
        seen.append(callable(data.serializer.ais_valid) and hasattr(data.serializer, "adata"))
        return getattr(views.AsyncListCreateAPIView, name)(self, *args, **kwargs)

    with site("Async", serializer_of(base), **{name: seeing}) as served:
        if name != "get_paginated_response":
            served.send("POST", "/x/", {"name": "New"})
        else:
            served.send("GET", "/x/")
    assert seen == [True]


@bases
def test_an_exception_handler_finds_a_serializer_with_the_async_surface(base):
    seen: list[bool] = []

    class Seeing(views.AsyncListCreateAPIView):
        queryset = Author.objects.order_by("id")
        serializer_class = serializer_of(base)

        def handle_exception(self, exc: Any) -> Any:
            seen.append(callable(exc.detail.serializer.ais_valid))
            return super().handle_exception(exc)

    with Site({"x/": Seeing.as_view()}) as served:
        assert served.send("POST", "/x/", {}).status == 400
    assert seen == [True]


@each_pair
@prefixes
@bases
@colours
def test_a_default_of_a_declared_field_is_asked(prefix, base, colour):
    field = drf.CharField(max_length=20, default=in_colour(colour, lambda: "given"))
    with site(prefix, serializer_of(base, name=field)) as served:
        answer = served.send("POST", "/x/", {})
        assert answer.status == 500 if expected(base, colour) is NOT_SERVED else answer.json()["name"] == "given"


@prefixes
@bases
def test_helpers_represent_what_a_handler_gives_them(prefix, base):
    serializer = serializer_of(base)

    class Shown(getattr(views, f"{prefix}GenericAPIView")):
        queryset = Author.objects.order_by("id")
        serializer_class = serializer
        if prefix:

            async def get(self, request: Any) -> Response:
                return await self.aserialized_response([author async for author in self.queryset.all()], many=True)

            async def post(self, request: Any) -> Response:
                made = await self.avalidated_serializer()
                await made.asave()
                return await self.aserialized_response(made.instance, status=201)
        else:

            def get(self, request: Any) -> Response:
                return self.serialized_response(list(self.queryset.all()), many=True)

            def post(self, request: Any) -> Response:
                made = self.validated_serializer()
                made.save()
                return self.serialized_response(made.instance, status=201)

    with Site({"x/": Shown.as_view()}) as served:
        assert [each["name"] for each in served.send("GET", "/x/").json()] == ["Austen", "Eliot"]
        assert served.send("POST", "/x/", {"name": "New"}).json()["name"] == "New"


@each_pair
@prefixes
@bases
@pytest.mark.parametrize("hooked", [False, True])
def test_the_fields_of_a_serializer_that_was_used_are_those_that_it_has_by_now(prefix, base, hooked):
    seen: list[list[Any]] = []

    def finalize_response(self: Any, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        serializer = response.data.serializer
        fields = serializer.fields
        seen.append([*zip(fields, fields.values(), strict=True)] == [*fields.items()] and [*fields])
        del fields["name"]
        fields["title"] = drf.CharField(source="name")
        seen.append([each.field_name for each in fields.values()])
        serializer = type(serializer)(serializer.instance, context=serializer.context)
        seen.append([*serializer.fields])
        base = views.AsyncAPIView if prefix else views.APIView
        return base.finalize_response(self, request, response, *args, **kwargs)

    colour = "async def" if prefix and base is serializers.ModelSerializer else "def"
    hooks = {"validate_name": in_colour(colour, lambda self, value: value)} if hooked else {}
    with site(prefix, serializer_of(base, **hooks), finalize_response=finalize_response) as served:
        assert served.send("PUT", "/x/1/", {"name": "Put"}).json() == {"id": 1, "name": "Put"}
    assert seen == [["id", "name"], ["id", "title"], ["id", "name"]]


@each_pair
@prefixes
@pytest.mark.parametrize("name", ["ais_valid", "asave"])
@pytest.mark.parametrize("before", [False, True], ids=["after a request", "before any"])
def test_a_twin_that_a_patch_replaces_is_asked(prefix, name, before, monkeypatch):
    async def refusing(self: Any, **kwargs: Any) -> Any:
        raise ValidationError({"name": ["refused"]})

    with site(prefix, serializer_of(serializers.ModelSerializer)) as served:
        if before:
            assert served.send("PUT", "/x/1/", {"name": "Put"}).status == 200
        monkeypatch.setattr(serializers.BaseSerializer, name, refusing)
        assert served.send("PUT", "/x/1/", {"name": "Set"}).json() == {"name": ["refused"]}


@each_pair
@prefixes
@pytest.mark.parametrize("of", ["one", "list"])
def test_what_is_done_to_a_serializer_that_the_data_lead_to_is_done_as_to_any_other(prefix, of):
    asked: list[Any] = []

    class Late(drf.CharField):
        async def to_representation(self, value: Any) -> Any:
            return f"late {value}"

    def finalize_response(self: Any, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        async def refusing(value: Any) -> None:
            raise ValidationError("refused")

        serializer = (response.data if of == "one" else response.data["results"]).serializer
        one = getattr(serializer, "child", serializer)
        one.fields["name"].validators.append(refusing)
        one.fields["late"] = Late(source="name", read_only=True)

        def ask() -> None:
            with pytest.raises(ValidationError) as refusal:
                one.run_validation({"name": "New"})
            asked.append(refusal.value.detail)
            asked.append(one.to_representation(Author(pk=1, name="A")))

        base = views.AsyncAPIView if prefix else views.APIView
        with ThreadPoolExecutor(1) as executor:  # as a template that is rendered does, off the event loop
            executor.submit(ask).result()
        return base.finalize_response(self, request, response, *args, **kwargs)

    # A declared name has no unique validator, which would query in that thread.
    with site(
        prefix, serializer_of(serializers.ModelSerializer, name=drf.CharField()), finalize_response=finalize_response
    ) as served:
        answer = served.send("PUT", "/x/1/", {"name": "Put"}) if of == "one" else served.send("GET", "/x/")
        assert answer.status == 200
    assert asked == [{"name": ["refused"]}, {"id": 1, "name": "A", "late": "late A"}]


@prefixes
def test_fields_that_a_replaced_twin_adds_are_asked(prefix, monkeypatch):
    class Late(drf.CharField):
        async def to_representation(self, value: Any) -> Any:
            return f"late {value}"

    async def adding(self: Any, **kwargs: Any) -> Any:
        self.fields["late"] = Late(source="name", read_only=True)
        return self.is_valid(**kwargs)

    with site(prefix, serializer_of(serializers.ModelSerializer, name=drf.CharField())) as served:
        assert served.send("PUT", "/x/1/", {"name": "Put"}).json() == {"id": 1, "name": "Put"}
        monkeypatch.setattr(serializers.BaseSerializer, "ais_valid", adding)
        assert served.send("PUT", "/x/1/", {"name": "Put"}).json() == {"id": 1, "name": "Put", "late": "late Put"}
