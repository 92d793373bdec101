"""DRF's tutorial, as far as its pages describe what it does, over the base classes it is given.

Each function returns the URL patterns of one way to write it. Of the ways, nothing but ``bases`` ever differs.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import include, path
from rest_framework import renderers, status
from rest_framework.decorators import action, authentication_classes, permission_classes, renderer_classes
from rest_framework.exceptions import PermissionDenied
from rest_framework.relations import HyperlinkedIdentityField
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.routers import DefaultRouter
from rest_framework.urlpatterns import format_suffix_patterns

from tests.parity.tutorial.models import Snippet

PAGE_SIZE = 3
LOGIN = path("api-auth/", include("rest_framework.urls"))


class Parts:
    """The tutorial's components, over ``bases``."""

    def __init__(self, bases: Any) -> None:
        # Basic first answers 401 to strangers; DRF's default, the session first, answers 403.
        self.authentication = [bases.BasicAuthentication, bases.SessionAuthentication]

        class Pages(bases.PageNumberPagination):
            page_size = PAGE_SIZE
            page_size_query_param = "size"
            max_page_size = 10

        class IsOwnerOrReadOnly(bases.BasePermission):
            """Only the owner may write."""

            def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
                return request.method in ("GET", "HEAD", "OPTIONS") or obj.owner == request.user

        class SnippetSerializer(bases.HyperlinkedModelSerializer):
            owner = bases.ReadOnlyField(source="owner.username")
            highlight = HyperlinkedIdentityField(view_name="snippet-highlight", format="html")

            class Meta:
                model = Snippet
                fields = ["url", "id", "highlight", "owner", "title", "code", "linenos", "language", "style"]

        class UserSerializer(bases.HyperlinkedModelSerializer):
            snippets = bases.HyperlinkedRelatedField(many=True, view_name="snippet-detail", read_only=True)

            class Meta:
                model = User
                fields = ["url", "id", "username", "snippets"]

        self.Pages = Pages
        self.permissions = [bases.IsAuthenticatedOrReadOnly, IsOwnerOrReadOnly]
        self.logged_in_to_write = bases.IsAuthenticatedOrReadOnly
        self.SnippetSerializer = SnippetSerializer
        self.UserSerializer = UserSerializer


def _root(bases: Any) -> Any:
    @bases.api_view(["GET"])
    def api_root(request: Any, format: Any = None) -> Response:
        """Where things are."""
        return Response(
            {
                "users": reverse("user-list", request=request, format=format),
                "snippets": reverse("snippet-list", request=request, format=format),
            }
        )

    return api_root


def _urls(root: Any, snippets: Any, snippet: Any, highlight: Any, users: Any, user: Any) -> list[Any]:
    routes = [
        path("", root),
        path("snippets/", snippets, name="snippet-list"),
        path("snippets/<int:pk>/", snippet, name="snippet-detail"),
        path("snippets/<int:pk>/highlight/", highlight, name="snippet-highlight"),
        path("users/", users, name="user-list"),
        path("users/<int:pk>/", user, name="user-detail"),
    ]
    return [*format_suffix_patterns(routes), LOGIN]


def function_views(bases: Any) -> list[Any]:
    parts = Parts(bases)

    def page(request: Any, queryset: Any, serializer_class: Any) -> Response:
        paginator = parts.Pages()
        items = paginator.paginate_queryset(queryset, request)
        data = serializer_class(items, many=True, context={"request": request}).data
        return paginator.get_paginated_response(data)

    @bases.api_view(["GET", "POST"])
    @authentication_classes(parts.authentication)
    @permission_classes([parts.logged_in_to_write])
    def snippet_list(request: Any, format: Any = None) -> Response:
        """List all snippets, or create one."""
        if request.method == "GET":
            return page(request, Snippet.objects.all(), parts.SnippetSerializer)
        serializer = parts.SnippetSerializer(data=request.data, context={"request": request})
        if serializer.is_valid():
            serializer.save(owner=request.user)
            return Response(serializer.data, status=status.HTTP_201_CREATED)
        return Response(serializer.errors, status=status.HTTP_400_BAD_REQUEST)

    @bases.api_view(["GET", "PUT", "PATCH", "DELETE"])
    @authentication_classes(parts.authentication)
    @permission_classes([parts.logged_in_to_write])
    def snippet_detail(request: Any, pk: int, format: Any = None) -> Response:
        """Show, change or delete a snippet."""
        try:
            snippet = Snippet.objects.get(pk=pk)
        except Snippet.DoesNotExist:
            return Response(status=status.HTTP_404_NOT_FOUND)
        context = {"request": request}
        if request.method == "GET":
            return Response(parts.SnippetSerializer(snippet, context=context).data)
        if snippet.owner != request.user:
            raise PermissionDenied
        if request.method == "DELETE":
            snippet.delete()
            return Response(status=status.HTTP_204_NO_CONTENT)
        partial = request.method == "PATCH"
        serializer = parts.SnippetSerializer(snippet, data=request.data, partial=partial, context=context)
        if serializer.is_valid():
            serializer.save()
            return Response(serializer.data)
        return Response(serializer.errors, status=status.HTTP_400_BAD_REQUEST)

    @bases.api_view()
    @renderer_classes([renderers.StaticHTMLRenderer])
    def snippet_highlight(request: Any, pk: int, format: Any = None) -> Response:
        return Response(get_object_or_404(Snippet, pk=pk).highlighted)

    @bases.api_view()
    def user_list(request: Any, format: Any = None) -> Response:
        """List all users."""
        return page(request, User.objects.order_by("pk"), parts.UserSerializer)

    @bases.api_view()
    def user_detail(request: Any, pk: int, format: Any = None) -> Response:
        """Show a user."""
        user = get_object_or_404(User, pk=pk)
        return Response(parts.UserSerializer(user, context={"request": request}).data)

    return _urls(_root(bases), snippet_list, snippet_detail, snippet_highlight, user_list, user_detail)


def class_based_views(bases: Any) -> list[Any]:
    parts = Parts(bases)

    class Paged(bases.APIView):
        def page(self, queryset: Any, serializer_class: Any) -> Response:
            paginator = parts.Pages()
            items = paginator.paginate_queryset(queryset, self.request, view=self)
            data = serializer_class(items, many=True, context={"request": self.request}).data
            return paginator.get_paginated_response(data)

    class SnippetList(Paged):
        """List all snippets, or create one."""

        authentication_classes = parts.authentication
        permission_classes = parts.permissions

        def get(self, request: Any, format: Any = None) -> Response:
            return self.page(Snippet.objects.all(), parts.SnippetSerializer)

        def post(self, request: Any, format: Any = None) -> Response:
            serializer = parts.SnippetSerializer(data=request.data, context={"request": request})
            if serializer.is_valid():
                serializer.save(owner=request.user)
                return Response(serializer.data, status=status.HTTP_201_CREATED)
            return Response(serializer.errors, status=status.HTTP_400_BAD_REQUEST)

    class SnippetDetail(bases.APIView):
        """Show, change or delete a snippet."""

        authentication_classes = parts.authentication
        permission_classes = parts.permissions

        def get_object(self, pk: int) -> Snippet:
            try:
                snippet = Snippet.objects.get(pk=pk)
            except Snippet.DoesNotExist:
                raise Http404 from None
            self.check_object_permissions(self.request, snippet)
            return snippet

        def get(self, request: Any, pk: int, format: Any = None) -> Response:
            return Response(parts.SnippetSerializer(self.get_object(pk), context={"request": request}).data)

        def put(self, request: Any, pk: int, format: Any = None, **options: Any) -> Response:
            snippet = self.get_object(pk)
            serializer = parts.SnippetSerializer(snippet, data=request.data, context={"request": request}, **options)
            if serializer.is_valid():
                serializer.save()
                return Response(serializer.data)
            return Response(serializer.errors, status=status.HTTP_400_BAD_REQUEST)

        def patch(self, request: Any, pk: int, format: Any = None) -> Response:
            return self.put(request, pk, format, partial=True)

        def delete(self, request: Any, pk: int, format: Any = None) -> Response:
            self.get_object(pk).delete()
            return Response(status=status.HTTP_204_NO_CONTENT)

    class SnippetHighlight(bases.APIView):
        renderer_classes = [renderers.StaticHTMLRenderer]

        def get(self, request: Any, pk: int, format: Any = None) -> Response:
            return Response(get_object_or_404(Snippet, pk=pk).highlighted)

    class UserList(Paged):
        """List all users."""

        def get(self, request: Any, format: Any = None) -> Response:
            return self.page(User.objects.order_by("pk"), parts.UserSerializer)

    class UserDetail(bases.APIView):
        """Show a user."""

        def get(self, request: Any, pk: int, format: Any = None) -> Response:
            user = get_object_or_404(User, pk=pk)
            return Response(parts.UserSerializer(user, context={"request": request}).data)

    views = (SnippetList, SnippetDetail, SnippetHighlight, UserList, UserDetail)
    return _urls(_root(bases), *(view.as_view() for view in views))


def mixins(bases: Any) -> list[Any]:
    parts = Parts(bases)

    class SnippetList(bases.ListModelMixin, bases.CreateModelMixin, bases.GenericAPIView):
        """List all snippets, or create one."""

        queryset = Snippet.objects.all()
        serializer_class = parts.SnippetSerializer
        pagination_class = parts.Pages
        authentication_classes = parts.authentication
        permission_classes = parts.permissions

        def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return self.list(request, *args, **kwargs)

        def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return self.create(request, *args, **kwargs)

        def perform_create(self, serializer: Any) -> None:
            serializer.save(owner=self.request.user)

    class SnippetDetail(
        bases.RetrieveModelMixin, bases.UpdateModelMixin, bases.DestroyModelMixin, bases.GenericAPIView
    ):
        """Show, change or delete a snippet."""

        queryset = Snippet.objects.all()
        serializer_class = parts.SnippetSerializer
        authentication_classes = parts.authentication
        permission_classes = parts.permissions

        def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return self.retrieve(request, *args, **kwargs)

        def put(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return self.update(request, *args, **kwargs)

        def patch(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return self.partial_update(request, *args, **kwargs)

        def delete(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return self.destroy(request, *args, **kwargs)

    class SnippetHighlight(bases.GenericAPIView):
        queryset = Snippet.objects.all()
        renderer_classes = [renderers.StaticHTMLRenderer]

        def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return Response(self.get_object().highlighted)

    class UserList(bases.ListModelMixin, bases.GenericAPIView):
        """List all users."""

        queryset = User.objects.order_by("pk")
        serializer_class = parts.UserSerializer
        pagination_class = parts.Pages

        def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return self.list(request, *args, **kwargs)

    class UserDetail(bases.RetrieveModelMixin, bases.GenericAPIView):
        """Show a user."""

        queryset = User.objects.all()
        serializer_class = parts.UserSerializer

        def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return self.retrieve(request, *args, **kwargs)

    views = (SnippetList, SnippetDetail, SnippetHighlight, UserList, UserDetail)
    return _urls(_root(bases), *(view.as_view() for view in views))


def generic_views(bases: Any) -> list[Any]:
    parts = Parts(bases)

    class SnippetList(bases.ListCreateAPIView):
        """List all snippets, or create one."""

        queryset = Snippet.objects.all()
        serializer_class = parts.SnippetSerializer
        pagination_class = parts.Pages
        authentication_classes = parts.authentication
        permission_classes = parts.permissions

        def perform_create(self, serializer: Any) -> None:
            serializer.save(owner=self.request.user)

    class SnippetDetail(bases.RetrieveUpdateDestroyAPIView):
        """Show, change or delete a snippet."""

        queryset = Snippet.objects.all()
        serializer_class = parts.SnippetSerializer
        authentication_classes = parts.authentication
        permission_classes = parts.permissions

    class SnippetHighlight(bases.GenericAPIView):
        queryset = Snippet.objects.all()
        renderer_classes = [renderers.StaticHTMLRenderer]

        def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return Response(self.get_object().highlighted)

    class UserList(bases.ListAPIView):
        """List all users."""

        queryset = User.objects.order_by("pk")
        serializer_class = parts.UserSerializer
        pagination_class = parts.Pages

    class UserDetail(bases.RetrieveAPIView):
        """Show a user."""

        queryset = User.objects.all()
        serializer_class = parts.UserSerializer

    views = (SnippetList, SnippetDetail, SnippetHighlight, UserList, UserDetail)
    return _urls(_root(bases), *(view.as_view() for view in views))


def viewsets(bases: Any) -> list[Any]:
    parts = Parts(bases)

    class SnippetViewSet(bases.ModelViewSet):
        """All of a snippet."""

        queryset = Snippet.objects.all()
        serializer_class = parts.SnippetSerializer
        pagination_class = parts.Pages
        authentication_classes = parts.authentication
        permission_classes = parts.permissions

        @action(detail=True, renderer_classes=[renderers.StaticHTMLRenderer])
        def highlight(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return Response(self.get_object().highlighted)

        def perform_create(self, serializer: Any) -> None:
            serializer.save(owner=self.request.user)

    class UserViewSet(bases.ReadOnlyModelViewSet):
        """Lists users and shows one."""

        queryset = User.objects.order_by("pk")
        serializer_class = parts.UserSerializer
        pagination_class = parts.Pages

    router = DefaultRouter()
    router.register("snippets", SnippetViewSet, basename="snippet")
    router.register("users", UserViewSet, basename="user")
    return [*router.urls, LOGIN]


WAYS = (function_views, class_based_views, mixins, generic_views, viewsets)
