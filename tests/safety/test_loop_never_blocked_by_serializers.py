"""The loop goes on while a serializer, a paginator or a PostFetch waits."""

from __future__ import annotations

from rest_framework import pagination

from restflow.views import PostFetch
from tests.safety.waiting import Cases, Rows, Saved, responding

CASES = Cases()
case = CASES.add


@case("a serializer's validation", method="POST", data={"n": 1})
def _(gate):
    class Waiting(Saved):
        def validate_n(self, value):
            gate.wait()
            return value

    return {"serializer_class": Waiting}


@case("a serializer's save", method="POST", data={"n": 1})
def _(gate):
    class Waiting(Rows):
        def create(self, validated_data):
            gate.wait()
            return validated_data

    return {"serializer_class": Waiting}


@case("a serializer's __init__", method="POST", data={"n": 1})
def _(gate):
    class Waiting(Saved):
        def __init__(self, *args, **kwargs):
            gate.wait()
            super().__init__(*args, **kwargs)

    return {"serializer_class": Waiting}


@case("a serializer's representation")
def _(gate):
    class Waiting(Rows):
        def to_representation(self, instance):
            gate.wait()
            return super().to_representation(instance)

    return {"serializer_class": Waiting, **responding("serialized_response", {"n": 1})}


@case("a paginator")
def _(gate):
    class Waiting(pagination.PageNumberPagination):
        page_size = 1

        def paginate_queryset(self, *args, **kwargs):
            gate.wait()
            return super().paginate_queryset(*args, **kwargs)

    return {"pagination_class": Waiting, **responding("paginated_response", [{"n": 1}])}


@case("a paginator's response")
def _(gate):
    class Waiting(pagination.PageNumberPagination):
        page_size = 1

        def get_paginated_response(self, data):
            gate.wait()
            return super().get_paginated_response(data)

    return {"pagination_class": Waiting, **responding("paginated_response", [{"n": 1}])}


@case("a lazy sequence")
def _(gate):
    class Lazy:
        def __iter__(self):
            gate.wait()
            return iter([{"n": 1}])

    return responding("paginated_response", Lazy())


@case("a PostFetch")
def _(gate):
    class Waiting(PostFetch):
        def __init__(self):
            pass

        def fetch(self, items):
            gate.wait()
            return items

    return responding("serialized_response", [{"n": 1}], many=True, post_fetches=[Waiting()])


@CASES.on_views()
def test_the_loop_goes_on_while_a_serializer_or_a_paginator_waits(name, view):
    CASES.check(name, view)
