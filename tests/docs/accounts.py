"""What the documentation calls ``accounts.models``."""

from tests.spec.support import User

__all__ = ["User"]
