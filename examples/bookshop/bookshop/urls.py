"""The addresses of the bookshop."""

from django.urls import include, path
from django.views.generic import TemplateView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import DefaultRouter
from shop import upstream, views, viewsets

router = DefaultRouter()
router.register("books", viewsets.BookViewSet)

urlpatterns = [
    path("", TemplateView.as_view(template_name="shop/front.html"), name="front"),
    path("api/", views.Index.as_view(), name="index"),
    path("api/", include(router.urls)),
    path("api/authors/", views.AuthorList.as_view(), name="authors"),
    path("api/authors/<int:pk>/", views.AuthorDetail.as_view(), name="author"),
    path("api/books/<int:pk>/reviews/", views.BookReviews.as_view(), name="reviews"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(), name="docs"),
    path("upstream/<slug:seller>/<int:pk>/", upstream.offer, name="upstream"),
]
