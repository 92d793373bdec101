"""The hooks of serializers that are asked, by subject: each is written once, for either colour and either family."""

from tests.serializers.cases import nesting, steps, validation, writing
from tests.serializers.support import CASES

__all__ = ["CASES", "nesting", "steps", "validation", "writing"]
