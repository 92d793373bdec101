"""The shop's Django app."""

from django.apps import AppConfig


class ShopConfig(AppConfig):
    """Authors, books and what readers wrote about them."""

    name = "shop"
