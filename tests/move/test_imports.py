"""Each form of import, moved; what is left, and what is said of it."""

from __future__ import annotations

from textwrap import dedent

import pytest

from restflow.move.rewriting import rewritten

FORMS = {
    "a class": (
        """
        from rest_framework.views import APIView
        class V(APIView): ...
        """,
        """
        from restflow.views import AsyncAPIView
        class V(AsyncAPIView): ...
        """,
    ),
    "a class under an alias": (
        """
        from rest_framework.views import APIView as Base
        class V(Base): ...
        """,
        """
        from restflow.views import AsyncAPIView as Base
        class V(Base): ...
        """,
    ),
    "a module": (
        """
        from rest_framework import viewsets
        class V(viewsets.ModelViewSet): ...
        """,
        """
        from restflow import viewsets
        class V(viewsets.AsyncModelViewSet): ...
        """,
    ),
    "a module under an alias": (
        """
        from rest_framework import viewsets as v
        class V(v.ModelViewSet["Book"]): ...
        """,
        """
        from restflow import viewsets as v
        class V(v.AsyncModelViewSet["Book"]): ...
        """,
    ),
    "a module imported under an alias": (
        """
        import os, rest_framework.viewsets as v
        class V(v.ModelViewSet): ...
        """,
        """
        import os, restflow.viewsets as v
        class V(v.AsyncModelViewSet): ...
        """,
    ),
    "a module by its dots": (
        """
        import rest_framework.generics
        class V(rest_framework.generics.ListAPIView): ...
        """,
        """
        import restflow.generics
        class V(restflow.generics.AsyncListAPIView): ...
        """,
    ),
    "the package": (
        """
        import rest_framework
        class V(rest_framework.mixins.ListModelMixin, rest_framework.generics.GenericAPIView): ...
        """,
        """
        import restflow.mixins, restflow.generics
        class V(restflow.mixins.AsyncListModelMixin, restflow.generics.AsyncGenericAPIView): ...
        """,
    ),
    "the package beside what stays": (
        """
        import rest_framework
        class V(rest_framework.views.APIView):
            permission_classes = [rest_framework.permissions.AllowAny]
            status = rest_framework.status.HTTP_200_OK
        """,
        """
        import rest_framework, restflow.views
        class V(restflow.views.AsyncAPIView):
            permission_classes = [rest_framework.permissions.AllowAny]
            status = rest_framework.status.HTTP_200_OK
        """,
    ),
    "decorators by their dots": (
        """
        import rest_framework.decorators
        @rest_framework.decorators.api_view()
        @rest_framework.decorators.permission_classes([])
        def f(request): ...
        """,
        """
        import restflow.decorators
        @restflow.decorators.api_view()
        @restflow.decorators.permission_classes([])
        def f(request): ...
        """,
    ),
    "modules of two packages": (
        """
        from adrf import routers, viewsets
        class V(viewsets.ViewSet): ...
        router = routers.SimpleRouter()
        """,
        """
        from rest_framework import routers
        from restflow import viewsets
        class V(viewsets.AsyncViewSet): ...
        router = routers.SimpleRouter()
        """,
    ),
    "a layout": (
        """
        from rest_framework.viewsets import (
            GenericViewSet,
            ModelViewSet as All,  # six
        )  # noqa


        class V(  GenericViewSet  ): ...
        class W((All)): ...
        """,
        """
        from restflow.viewsets import (
            AsyncGenericViewSet,
            AsyncModelViewSet as All,  # six
        )  # noqa


        class V(  AsyncGenericViewSet  ): ...
        class W((All)): ...
        """,
    ),
    "beside what stays": (
        """
        from rest_framework import (
            generics,
            status,
            viewsets,
        )
        from rest_framework.decorators import action, api_view  # both
        class V(viewsets.ViewSet):
            queryset = generics.get_object_or_404
        class W(generics.ListAPIView): ...
        @api_view(["GET"])
        def f(request): return status.HTTP_200_OK
        """,
        """
        from rest_framework import (
            generics,
            status,
        )
        from restflow.generics import AsyncListAPIView
        from restflow import viewsets
        from rest_framework.decorators import action  # both
        from restflow.decorators import api_view
        class V(viewsets.AsyncViewSet):
            queryset = generics.get_object_or_404
        class W(AsyncListAPIView): ...
        @api_view(["GET"])
        def f(request): return status.HTTP_200_OK
        """,
    ),
    "decorators by their module": (
        """
        from rest_framework import decorators
        @decorators.api_view
        @decorators.permission_classes([])
        def f(request): ...
        """,
        """
        from restflow import decorators
        @decorators.api_view
        @decorators.permission_classes([])
        def f(request): ...
        """,
    ),
    "by its dots beside what stays": (
        """
        import rest_framework.views
        import rest_framework.views as v
        class V(rest_framework.views.APIView): ...
        class W(v.APIView): ...
        handler = rest_framework.views.exception_handler
        other = v.exception_handler
        """,
        """
        import rest_framework.views, restflow.views
        import rest_framework.views as v
        from restflow.views import AsyncAPIView
        class V(restflow.views.AsyncAPIView): ...
        class W(AsyncAPIView): ...
        handler = rest_framework.views.exception_handler
        other = v.exception_handler
        """,
    ),
    "a dotted name that another import accounts for": (
        """
        import rest_framework.views
        class V(rest_framework.views.APIView):
            permission_classes = [rest_framework.permissions.AllowAny]
        """,
        """
        import rest_framework.views, restflow.views
        class V(restflow.views.AsyncAPIView):
            permission_classes = [rest_framework.permissions.AllowAny]
        """,
    ),
    "in a function and on one line": (
        """
        def f(flag):
            from rest_framework.views import APIView, exception_handler
            class V(APIView): ...
            return exception_handler
        if True: import sys; from rest_framework.generics import ListAPIView, mixins
        class W(ListAPIView): mixins = mixins
        """,
        """
        def f(flag):
            from rest_framework.views import exception_handler
            from restflow.views import AsyncAPIView
            class V(AsyncAPIView): ...
            return exception_handler
        if True: import sys; from rest_framework.generics import mixins; from restflow.generics import AsyncListAPIView
        class W(AsyncListAPIView): mixins = mixins
        """,
    ),
    "adrf": (
        """
        from adrf.generics import ListCreateAPIView
        from adrf.routers import DefaultRouter
        from adrf import serializers
        import adrf.viewsets
        class S(serializers.ModelSerializer):
            name = serializers.CharField()
        class V(ListCreateAPIView):
            async def perform_acreate(self, serializer):
                return await super().perform_acreate(serializer)
        class W(adrf.viewsets.ModelViewSet):
            async def alist(self, request):
                class Inner: ...
                return await self.get_apaginated_response(other.alist)
        class Own:
            async def alist(self): ...
        router = DefaultRouter()
        """,
        """
        from restflow.generics import AsyncListCreateAPIView
        from rest_framework.routers import DefaultRouter
        from restflow import serializers
        import restflow.viewsets
        class S(serializers.ModelSerializer):
            name = serializers.CharField()
        class V(AsyncListCreateAPIView):
            async def aperform_create(self, serializer):
                return await super().aperform_create(serializer)
        class W(restflow.viewsets.AsyncModelViewSet):
            async def list(self, request):
                class Inner: ...
                return await self.aget_paginated_response(other.alist)
        class Own:
            async def alist(self): ...
        router = DefaultRouter()
        """,
    ),
}


def moved(source: str, *, components: bool = False) -> tuple[str, list[str]]:
    new, remarks = rewritten(dedent(source).encode(), components=components)
    again, _ = rewritten(new, components=components)
    assert again == new
    return new.decode(), [f"{remark.line}: {remark.text}" for remark in remarks]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_import_is_moved_and_twice_is_once(form: str) -> None:
    before, after = FORMS[form]
    assert moved(before) == (dedent(after), [])


@pytest.mark.parametrize(
    "source",
    [
        "from rest_framework.permissions import BasePermission\nclass P(BasePermission): ...\n",
        "from rest_framework import serializers\nclass S(serializers.Serializer): ...\n",
        "from .views import APIView\nfrom . import viewsets\nclass V(APIView, viewsets.ModelViewSet): ...\n",
        "from .rest_framework.views import *\nfrom other.views import APIView\nclass V(APIView): ...\n",
        "from rest_framework import viewsets\nx = f().viewsets\ny = f(viewsets=1)\nclass V(x, metaclass=y): ...\n",
        "from rest_framework.decorators import action\nclass V:\n    @action()\n    def f(self): ...\n",
        "import rest_framework.permissions\nx = rest_framework.permissions.AllowAny\n",
        "import adrf.generics\nx = adrf.generics.aget_object_or_404\n",
        "from adrf import views\nfrom adrf.generics import aget_object_or_404\nx = aget_object_or_404\n",
    ],
)
def test_what_is_no_view_of_drfs_stays(source: str) -> None:
    assert moved(source) == (source, [])


def test_components_are_moved_where_that_is_asked() -> None:
    before = """\
        from rest_framework import pagination, permissions, serializers
        from rest_framework.throttling import UserRateThrottle
        from rest_framework.authentication import BaseAuthentication, get_authorization_header
        class P(permissions.IsAuthenticated): methods = permissions.SAFE_METHODS
        class Pages(pagination.PageNumberPagination): ...
        class S(serializers.ModelSerializer): name = serializers.CharField()
        class T(UserRateThrottle): ...
        class A(BaseAuthentication): header = get_authorization_header
        """
    after = """\
        from restflow import pagination, permissions, serializers
        from restflow.throttling import UserRateThrottle
        from rest_framework.authentication import get_authorization_header
        from restflow.authentication import BaseAuthentication
        class P(permissions.IsAuthenticated): methods = permissions.SAFE_METHODS
        class Pages(pagination.PageNumberPagination): ...
        class S(serializers.ModelSerializer): name = serializers.CharField()
        class T(UserRateThrottle): ...
        class A(BaseAuthentication): header = get_authorization_header
        """
    assert moved(before, components=True) == (dedent(after), [])


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "from rest_framework.views import *\nclass V(APIView): ...\n",
            ["1: import * was left: name what it imports, and move it again"],
        ),
        (
            "try:\n    from adrf.views import APIView\n"
            "except ImportError:\n    from rest_framework.views import APIView\nclass V(APIView): ...\n",
            ["5: APIView was left: it is bound more than once"],
        ),
        (
            "from rest_framework.views import APIView\nclass AsyncAPIView: ...\nclass V(APIView): ...\n",
            ["3: APIView was left: AsyncAPIView is another name here"],
        ),
        (
            "from rest_framework import views\nx = views.set_rollback\nAsyncAPIView = 1\nclass V(views.APIView): ...\n",
            ["4: views.APIView was left: AsyncAPIView is another name here"],
        ),
    ],
)
def test_what_can_not_be_known_is_left_and_said(source: str, said: list[str]) -> None:
    assert moved(source) == (source, said)


def test_a_class_that_is_no_base_is_drfs_still() -> None:
    source = "from rest_framework.views import APIView\nclass V(APIView): ...\nassert issubclass(V, APIView)\n"
    new, said = moved(source)
    assert new == source.replace("(APIView): ...", "(AsyncAPIView): ...").replace(
        "\nclass", "\nfrom restflow.views import AsyncAPIView\nclass"
    )
    assert said == ["3: APIView is still DRF's: it is no base class here"]


def test_what_is_imported_from_restflow_already_is_taken() -> None:
    source = (
        "from restflow.views import AsyncAPIView\nfrom rest_framework.views import APIView\nclass V(APIView): ...\n"
    )
    new, _ = moved(source)
    assert new.endswith("class V(AsyncAPIView): ...\n")


def test_what_an_async_method_may_block_on_is_said() -> None:
    source = """\
        from django.utils.decorators import method_decorator
        from rest_framework import serializers, viewsets
        @method_decorator(cached, name="dispatch")
        @final
        class V(viewsets.ModelViewSet):
            async def offers(self, request):
                book = self.get_object()
                super().perform_create(book)
                serializer.is_valid()
                await serializer.save()
                plain()
                super().save()
                def inner():
                    self.get_object()
            def catalogue(self, request):
                return self.get_object()
        class S(serializers.Serializer):
            name = serializers.CharField()
            async def validate(self, attrs): ...
        class T(serializers.Serializer):
            def validate(self, attrs): ...
        async def alone():
            serializer.save()
        """
    assert moved(source)[1] == [
        "3: V: what decorates it is given a coroutine now",
        "7: self.get_object() may block in an async method: await self.aget_object()",
        "8: super().perform_create() may block in an async method: await super().aperform_create()",
        "9: .is_valid() may block in an async method: await .ais_valid()",
        "19: S.validate is async: derive S from restflow.serializers",
    ]
    assert not any("derive" in said for said in moved(source, components=True)[1])
