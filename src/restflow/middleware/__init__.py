"""Django's middleware as steps of a flow, with the view as the innermost. Knows nothing of the server's side."""

from restflow.middleware.chain import Layer, converted, load

__all__ = ["Layer", "converted", "load"]
