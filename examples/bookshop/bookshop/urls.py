"""The addresses of the bookshop."""

from django.urls import path
from shop import upstream, views

urlpatterns = [
    path("", views.Index.as_view(), name="index"),
    path("api/authors/", views.AuthorList.as_view(), name="authors"),
    path("api/authors/<int:pk>/", views.AuthorDetail.as_view(), name="author"),
    path("api/books/", views.BookList.as_view(), name="books"),
    path("api/books/<int:pk>/", views.BookDetail.as_view(), name="book"),
    path("api/books/<int:pk>/reviews/", views.BookReviews.as_view(), name="reviews"),
    path("api/books/<int:pk>/offers/", views.BookOffers.as_view(), name="offers"),
    path("upstream/<slug:seller>/<int:pk>/", upstream.offer, name="upstream"),
]
