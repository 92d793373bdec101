"""drf-spectacular for restflow's views: ``RestflowAutoSchema``, for ``DEFAULT_SCHEMA_CLASS``."""

from restflow.contrib.spectacular import RestflowAutoSchema

__all__ = ["RestflowAutoSchema"]
__dir__ = __all__.copy
