"""Serializers with async hooks: hops, requests at once, cancellation, contexts, copies, and what inspects them."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import inspect
import pickle
import re
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import Http404
from django.test import override_settings
from django.urls import path
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework import exceptions
from rest_framework import serializers as drf
from rest_framework.response import Response
from rest_framework.views import APIView as DRFAPIView

from restflow import serializers as restflow
from restflow.views import APIView, AsyncAPIView, AsyncCreateAPIView, AsyncListAPIView
from tests.matrix import examples
from tests.safety.support import ask, here
from tests.safety.test_cancellation import Trace, leave
from tests.shop.models import Author, Book
from tests.site import Site

FAMILIES = {"drf": drf, "restflow": restflow}
either_family = pytest.mark.parametrize("m", FAMILIES.values(), ids=FAMILIES)


@pytest.fixture
def author(transactional_db: None) -> Author:
    return Author.objects.create(name="ada")


def books(m: Any) -> Any:
    class Books(m.ModelSerializer):
        class Meta:
            model = Book
            fields = ["title", "author"]

    return Books


def checked(m: Any) -> Any:
    class Checked(books(m)):
        length = drf.SerializerMethodField()

        class Meta:
            model = Book
            fields = ["title", "author", "length"]

        async def validate_title(self, value: str) -> str:
            assert await Author.objects.acount() == 1
            return value

        async def validate(self, attrs: Any) -> Any:
            return attrs

        async def get_length(self, obj: Any) -> int:
            return len(obj.title)

    return Checked


@pytest.mark.parametrize("make", [books, checked])
@either_family
def test_a_create_view_goes_to_the_thread_once(make: Any, m: Any, author: Author) -> None:
    class View(AsyncCreateAPIView):
        serializer_class = make(m)
        queryset = Book.objects.all()

    with Site({"x/": View.as_view()}) as site:
        answer = site.send("POST", "/x/", {"title": "Emma", "author": author.pk})
    assert (answer.status, answer.hops) == (201, 1)


@pytest.mark.parametrize("make", [books, checked])
@either_family
def test_a_list_view_goes_to_the_thread_once(make: Any, m: Any, author: Author) -> None:
    Book.objects.create(title="Emma", author=author)

    class View(AsyncListAPIView):
        serializer_class = make(m)
        queryset = Book.objects.all()

    with Site({"x/": View.as_view()}) as site:
        answer = site.send("GET", "/x/")
    assert (answer.status, answer.json()[0]["title"], answer.hops) == (200, "Emma", 1)


@either_family
def test_an_async_handler_goes_to_the_thread_once_a_call(m: Any, author: Author) -> None:
    class View(AsyncAPIView):
        serializer_class = books(m)

        async def post(self, request: Any) -> Response:
            serializer = await self.avalidated_serializer()
            await serializer.asave()
            return Response(await serializer.adata)

    with Site({"x/": View.as_view()}) as site:
        answer = site.send("POST", "/x/", {"title": "Emma", "author": author.pk})
    assert (answer.status, answer.hops) == (200, 3)


class Together(restflow.Serializer):
    n = drf.IntegerField()

    async def validate_n(self, value: int) -> int:
        # All requests stand here before the first goes on.
        self.context["waiting"].append(value)
        while len(self.context["waiting"]) < 5:  # noqa: ASYNC110 - other requests count
            await asyncio.sleep(0.001)
        return value

    async def validate(self, attrs: Any) -> Any:
        await asyncio.sleep(0.001 * (5 - attrs["n"]))
        return {**attrs, "seen": self.initial_data["n"]}

    async def create(self, validated_data: Any) -> Any:
        return validated_data

    async def to_representation(self, instance: Any) -> Any:
        return {**instance, "mine": self.initial_data["n"]}


def test_requests_at_once_share_nothing() -> None:
    waiting: list[int] = []

    class View(AsyncAPIView):
        serializer_class = Together

        def get_context(self) -> Any:
            return {**super().get_context(), "waiting": waiting}

        async def post(self, request: Any) -> Response:
            serializer = await self.avalidated_serializer()
            await serializer.asave()
            return Response(await serializer.adata)

    async def main(site: Site) -> Any:
        return await asyncio.gather(*[site.asend("POST", "/x/", {"n": n}) for n in range(5)])

    with Site({"x/": View.as_view()}) as site:
        got = asyncio.run(main(site))
    assert [answer.json() for answer in got] == [{"n": n, "seen": n, "mine": n} for n in range(5)]


@pytest.mark.parametrize("how", ["disconnect", "cancel"])
@either_family
def test_a_request_is_cancelled_in_an_async_validator(m: Any, how: str) -> None:
    trace = Trace()

    async def query(value: int) -> None:
        assert await sync_to_async(here)() == "thread"  # as the async ORM does

    async def stand(value: int) -> None:
        await trace.forever("validator")

    class S(m.Serializer):
        n = drf.IntegerField(validators=[query, stand])

        async def validate(self, attrs: Any) -> Any:
            trace.note("went on")
            return attrs

    class View(AsyncAPIView):
        async def get(self, request: Any) -> Response:
            try:
                await self.avalidated_serializer(serializer_class=S, data={"n": 1})
            finally:
                trace.note("handler finally")
            return Response({})

    assert leave(View, trace, how) == ["validator cancelled on the loop", "validator finally", "handler finally"]


@either_family
def test_a_context_variable_set_in_an_async_hook_is_seen_afterwards(m: Any) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    class S(m.Serializer):
        n = drf.IntegerField()
        seen = drf.SerializerMethodField()

        async def validate_n(self, value: int) -> int:
            assert variable.get() == "handler"
            variable.set("validate_n")
            return value

        def validate(self, attrs: Any) -> Any:
            assert (variable.get(), here()) == ("validate_n", "thread")
            variable.set("validate")
            return attrs

        async def create(self, validated_data: Any) -> Any:
            assert variable.get() == "validate"
            variable.set("create")
            return validated_data

        async def get_seen(self, obj: Any) -> str:
            return variable.get()

    class View(AsyncAPIView):
        serializer_class = S

        async def post(self, request: Any) -> Response:
            variable.set("handler")
            serializer = await self.avalidated_serializer()
            await serializer.asave()
            return Response([await serializer.adata, variable.get()])

    assert ask(View, "POST", {"n": 1}).json() == [{"n": 1, "seen": "create"}, "create"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (drf.ValidationError({"n": ["bad"]}), 400),
        (exceptions.PermissionDenied("no"), 403),
        (exceptions.Throttled(3), 429),
        (Http404(), 404),
        (ZeroDivisionError(), 500),
    ],
)
@either_family
def test_what_an_async_hook_raises_is_answered_as_drf_does(m: Any, error: Exception, status: int) -> None:
    def make(m: Any, *, is_async: bool) -> Any:
        def refuse(self: Any, value: Any) -> None:
            raise error

        async def arefuse(self: Any, value: Any) -> None:
            raise error

        namespace = {"n": drf.IntegerField(), "validate_n": arefuse if is_async else refuse}
        return type("S", (m.Serializer,), namespace)

    class Reference(DRFAPIView):
        def post(self, request: Any) -> Any:
            make(drf, is_async=False)(data=request.data).is_valid(raise_exception=True)

    class View(AsyncAPIView):
        async def post(self, request: Any) -> Any:
            await self.avalidated_serializer(serializer_class=make(m, is_async=True))

    expected, got = ask(Reference, "POST", {"n": 1}), ask(View, "POST", {"n": 1})
    assert (got.status, got.body) == (expected.status, expected.body) == (status, got.body)


class Registered(restflow.Serializer):
    """Can be pickled by name, as a class in a module is."""

    n = drf.IntegerField()

    async def validate_n(self, value: int) -> int:
        return value + 1


def test_serializers_and_their_hooks_survive_copies_and_pickling() -> None:
    class Outer(restflow.Serializer):
        inner = Registered(validators=[])

    outer = Outer(data={"inner": {"n": 1}})
    for copied in (copy.deepcopy(outer), copy.deepcopy(outer)):
        assert copied.is_valid()
        assert copied.validated_data == {"inner": {"n": 2}}
    assert outer.is_valid()
    assert copy.deepcopy(outer.fields["inner"]).run_validation({"n": 4}) == {"n": 5}
    restored = pickle.loads(pickle.dumps(Registered(data={"n": 7})))
    assert restored.is_valid()
    assert restored.validated_data == {"n": 8}
    assert pickle.loads(pickle.dumps(Registered.validate_n)) is Registered.validate_n


def test_a_declared_field_is_not_changed_by_what_its_copies_are_asked() -> None:
    async def even(value: int) -> None:
        if value % 2:
            raise drf.ValidationError("odd")

    class S(restflow.Serializer):
        n = drf.IntegerField(validators=[even], default=None)

    for _ in range(2):
        assert not S(data={"n": 1}).is_valid()
    declared = S._declared_fields["n"]
    assert declared.validators == [even]
    assert S().fields["n"].validators == [even]


def test_a_validator_that_is_asked_shows_what_it_is() -> None:
    class Even:
        message = "odd"

        async def __call__(self, value: int) -> None:
            if value % 2:
                raise drf.ValidationError(self.message)

    class S(restflow.Serializer):
        n = drf.IntegerField(validators=[Even()], max_value=9)

    serializer = S(data={"n": 1})
    assert not serializer.is_valid()
    asked, limit = serializer.fields["n"].validators[:2]
    assert (asked.message, type(asked.__wrapped__), type(limit).__name__) == ("odd", Even, "MaxValueValidator")
    assert copy.copy(asked).message == "odd"
    assert not hasattr(asked, "__len__")


def test_hooks_keep_their_signatures_and_say_that_they_are_async() -> None:
    class S(restflow.Serializer):
        async def validate_n(self, value: int, *more: str) -> int:
            """Check n."""
            return value

        async def avalidate(self, attrs: Any) -> Any:
            return attrs

    assert str(inspect.signature(S.validate_n)) == "(self, value: 'int', *more: 'str') -> 'int'"
    assert S.validate_n.__doc__ == "Check n."
    assert iscoroutinefunction(S.validate_n)
    assert iscoroutinefunction(S.avalidate)
    assert not iscoroutinefunction(S.validate)


def test_many_gives_our_list_and_any_list_has_the_async_surface() -> None:
    class Plain(drf.ListSerializer):
        pass

    class Own(restflow.Serializer):
        n = drf.IntegerField()

        class Meta:
            list_serializer_class = Plain

    class Default(restflow.Serializer):
        n = drf.IntegerField(validators=[])

    class Nested(restflow.Serializer):
        items = Default(many=True, max_length=2)

    made = Default(data=[{"n": 1}], many=True, max_length=2)
    assert type(made) is type(Nested().fields["items"]) is restflow.ListSerializer
    assert made.max_length == 2
    assert type(Own(data=[], many=True)) is Plain

    async def main() -> None:
        for serializer in (made, Own(data=[{"n": 1}], many=True)):
            assert await serializer.ais_valid()
            assert await serializer.adata == [{"n": 1}]

    asyncio.run(main())


def test_our_classes_are_drfs() -> None:
    for name in ("BaseSerializer", "Serializer", "ListSerializer", "ModelSerializer", "HyperlinkedModelSerializer"):
        ours, theirs = getattr(restflow, name), getattr(drf, name)
        assert issubclass(ours, theirs)
        assert issubclass(ours, restflow.BaseSerializer)
        for attr in ("create", "update", "validate", "save", "is_valid", "get_fields", "build_field"):
            assert getattr(ours, attr, None) is getattr(theirs, attr, None), (name, attr)


def test_a_module_is_ported_by_its_import() -> None:
    fields = [value for value in vars(drf).values() if isinstance(value, type) and issubclass(value, drf.Field)]
    for field in fields:
        ours = getattr(restflow, field.__name__)
        assert ours is field or issubclass(field, drf.BaseSerializer), field
    for name in ("ValidationError", "SkipField", "empty", "CreateOnlyDefault", "CurrentUserDefault", "PKOnlyObject"):
        assert getattr(restflow, name) is getattr(drf, name)


def test_a_base_serializer_needs_no_fields() -> None:
    class High(restflow.BaseSerializer):
        async def to_internal_value(self, data: Any) -> Any:
            if not isinstance(data, int):
                raise drf.ValidationError("a number, please")
            return {"score": data}

        async def to_representation(self, instance: Any) -> Any:
            return {"high": instance["score"]}

        async def create(self, validated_data: Any) -> Any:
            return validated_data

    class View(AsyncAPIView):
        serializer_class = High

        async def post(self, request: Any) -> Response:
            serializer = await self.avalidated_serializer()
            await serializer.asave()
            return Response(await serializer.adata)

    assert ask(View, "POST", 3).json() == {"high": 3}
    assert ask(View, "POST", "x").json() == ["a number, please"]


@either_family
def test_drfs_assertions_hold(m: Any) -> None:
    class S(m.Serializer):
        n = drf.IntegerField()

    async def main() -> None:
        unasked = restflow.add_async_methods(S(data={"n": 1}))
        with pytest.raises(AssertionError, match="is_valid"):
            await unasked.adata
        with pytest.raises(AssertionError, match="is_valid"):
            await unasked.asave()
        with pytest.raises(AssertionError, match="no `data=` keyword"):
            await restflow.add_async_methods(S({"n": 1})).ais_valid()
        invalid = restflow.add_async_methods(S(data={}))
        assert not await invalid.ais_valid()
        with pytest.raises(AssertionError, match="invalid data"):
            await invalid.asave()
        valid = restflow.add_async_methods(S(data={"n": 1}))
        assert await valid.ais_valid()
        with pytest.raises(AssertionError, match="commit"):
            await valid.asave(commit=False)
        with pytest.raises(NotImplementedError):
            await valid.asave()

    asyncio.run(main())


def test_what_a_serializer_without_data_begins_with() -> None:
    async def three() -> int:
        return 3

    class S(restflow.Serializer):
        n = drf.IntegerField(initial=three)
        m = drf.IntegerField(initial=4)

    assert S().data == {"n": 3, "m": 4}


def test_a_hook_set_on_the_class_later_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(self: Any, value: Any) -> Any:
        raise drf.ValidationError("patched")

    class S(restflow.Serializer):
        n = drf.IntegerField()
        m = drf.IntegerField(required=False)

    assert S(data={"n": 1}).is_valid()
    monkeypatch.setattr(S, "validate_n", refuse, raising=False)
    assert not S(data={"n": 1}).is_valid()
    monkeypatch.setattr(S, "validate", refuse)
    serializer = S(data={"n": 1, "m": 1})
    assert not serializer.is_valid()


@pytest.mark.parametrize("base", [APIView, AsyncAPIView])
def test_a_plain_serializer_may_set_its_own_entry(base: Any) -> None:
    """What an instance sets itself stays, and what its fields have of async code is still asked."""

    async def odd(value: int) -> None:
        raise drf.ValidationError("odd")

    class S(drf.Serializer):
        n = drf.IntegerField(validators=[odd])

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.run_validation = lambda data: drf.Serializer.run_validation(self, {"n": data["n"]})

    class View(base):
        serializer_class = S

        def post(self, request: Any) -> Response:
            return Response(self.validated_serializer().data)

    assert ask(View, "POST", {"n": 1}).json() == {"n": ["odd"]}


def test_what_is_no_serializer_of_drfs_gets_the_surface_only() -> None:
    class Other:
        data = {"n": 1}

        def is_valid(self, *, raise_exception: bool = False) -> bool:
            return here() == "thread"

        def save(self) -> str:
            return "saved"

    async def main() -> None:
        other = restflow.add_async_methods(Other())
        assert await other.ais_valid()
        assert await other.asave() == "saved"
        assert await other.adata == {"n": 1}

    asyncio.run(main())


def documented(m: Any, *, is_async: bool) -> Any:
    async def even(value: int) -> None: ...

    class Leaf(m.Serializer):
        n = drf.IntegerField(max_value=3, validators=[even] if is_async else [])

    class Length:
        def get_length(self, obj: Any) -> int:
            return 1

    class AsyncLength:
        async def get_length(self, obj: Any) -> int:
            return 1

    mixin: Any = AsyncLength if is_async else Length

    class Documented(mixin, m.ModelSerializer):
        leaves = Leaf(many=True)
        length = drf.SerializerMethodField()

        class Meta:
            model = Book
            fields = ["id", "title", "author", "leaves", "length"]

    return Documented


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_browsable_api_shows_their_forms(method: str, author: Author) -> None:
    async def refuse(value: str) -> None:
        raise drf.ValidationError("refused by a validator")

    async def first() -> str:
        return "begins with this"

    def page(m: Any) -> bytes:
        class Books(m.ModelSerializer):
            title = drf.CharField(initial=first, validators=[refuse])

            class Meta:
                model = Book
                fields = ["title", "author"]

        class BookList(AsyncListAPIView, AsyncCreateAPIView):
            serializer_class = Books
            queryset = Book.objects.all()

        answer = ask(BookList, method, {"title": "x", "author": author.pk}, headers={"accept": "text/html"})
        assert answer.status == (200 if method == "GET" else 400)
        return re.sub(rb'(csrfToken": "|csrfmiddlewaretoken" value=")[^"]+', b"", answer.body)

    shown = page(restflow)
    assert (b"begins with this" if method == "GET" else b"refused by a validator") in shown
    assert shown == page(drf)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "1", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["n", "child", "items"]), inner),
    max_leaves=12,
)


def tree(m: Any, do: Any) -> Any:
    @do
    def refuse_two(value: int) -> None:
        if value == 2:
            raise drf.ValidationError("two")

    class Leaf(m.Serializer):
        n = drf.IntegerField(validators=[refuse_two], default=do(lambda: 0))

        @do
        def validate_n(self, value: int) -> int:
            return value + 1

        @do
        def validate(self, attrs: Any) -> Any:
            if attrs["n"] == 0:
                raise drf.ValidationError("nought")
            return attrs

    class Tree(Leaf):
        child = Leaf(required=False, allow_null=True)
        items = Leaf(many=True, required=False)

    return Tree


def as_async(function: Any) -> Any:
    async def hook(*args: Any) -> Any:
        return function(*args)

    return hook


@settings(max_examples=examples(60), deadline=None)
@given(data=JSON, many=st.booleans())
def test_any_data_are_found_valid_as_drf_finds_them(data: Any, many: bool) -> None:
    async def validated(serializer: Any) -> Any:
        return await serializer.ais_valid(), serializer.errors, serializer.validated_data

    with override_settings(REST_FRAMEWORK={"LIST_SERIALIZER_ERRORS_AS_DICT": True}):
        reference = tree(drf, lambda function: function)(data=data, many=many)
        expected = reference.is_valid(), reference.errors, reference.validated_data
        for m in (restflow, drf):
            serializer = restflow.add_async_methods(tree(m, as_async)(data=data, many=many))
            assert asyncio.run(validated(serializer)) == expected


def test_a_schema_is_made_of_them_as_of_drfs(capsys: pytest.CaptureFixture[str]) -> None:
    from drf_spectacular import generators, openapi

    def schema(base: Any, serializer: Any) -> Any:
        class BookView(base):
            """Books."""

            serializer_class = serializer
            schema = openapi.AutoSchema()

            def post(self, request: Any) -> None: ...

        generator = generators.SchemaGenerator(patterns=[path("x/", BookView.as_view())])
        return generator.get_schema(request=None, public=True)

    ours = schema(AsyncAPIView, documented(restflow, is_async=True))
    assert "Documented" in ours["components"]["schemas"]
    assert ours == schema(DRFAPIView, documented(drf, is_async=False))
    assert capsys.readouterr().err == ""


@either_family
def test_fields_that_are_no_mapping_of_drfs_are_looked_at_each_time(m: Any) -> None:
    async def refuse(value: int) -> None:
        raise drf.ValidationError("refused")

    class S(m.Serializer):
        @property
        def fields(self) -> Any:
            made = self.__dict__.setdefault("_made", {"n": drf.IntegerField()})
            for name, field in made.items():
                if field.field_name is None:
                    field.bind(name, self)
            return made

    serializer = restflow.add_async_methods(S(data={"n": 1, "k": 1}))
    assert serializer.run_validation({"n": 1}) == {"n": 1}
    serializer.fields["k"] = drf.IntegerField(validators=[refuse])
    assert not serializer.is_valid()
    assert serializer.errors == {"k": ["refused"]}


class FalsyRefusal:
    """A callable that is false, as an empty container is."""

    def __bool__(self) -> bool:
        return False

    async def __call__(self, value: Any) -> Any:
        raise drf.ValidationError("refused")


@either_family
@pytest.mark.parametrize("base", [APIView, AsyncAPIView])
def test_a_validate_method_that_is_a_false_object_is_asked(m: Any, base: Any) -> None:
    class Named(m.Serializer):
        name = m.CharField()
        validate_name = FalsyRefusal()

    class Sync(APIView):
        serializer_class = Named

        def post(self, request: Any) -> Response:
            return Response(self.validated_serializer().validated_data)

    class Async(AsyncAPIView):
        serializer_class = Named

        async def post(self, request: Any) -> Response:
            return Response((await self.avalidated_serializer()).validated_data)

    answer = ask(Sync if base is APIView else Async, "POST", {"name": "ada"})
    assert (answer.status, answer.json()) == (400, {"name": ["refused"]})


def test_an_async_name_that_a_serializer_gave_itself_is_kept() -> None:
    class Named(drf.Serializer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.asave = "its own"

    assert restflow.add_async_methods(Named()).asave == "its own"  # type: ignore[comparison-overlap]
