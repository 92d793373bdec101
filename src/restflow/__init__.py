"""restflow: async views for Django REST framework, and a helper surface that makes views short."""

__version__ = "0.1.0"
