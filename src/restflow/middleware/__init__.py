"""Django's middleware as steps of one flow, with the view as the innermost. Independent of the server side."""

from restflow.middleware.chain import Layer, converted, load

__all__ = ["Layer", "converted", "load"]
