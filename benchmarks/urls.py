"""A URL for each variant of each case."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

from benchmarks.cases import CASES


class Variants(URLPattern):
    """The URLs of all variants, each found as quickly: in a list, each pays for those before it."""

    def __init__(self) -> None:
        self._by_prefix = {
            case.prefix(variant): path(case.path(variant), variant.view) for case in CASES for variant in case.variants
        }

    def resolve(self, path: str) -> Any:
        """Ask the URL that begins with the first two segments of ``path``."""
        return self._by_prefix[path[: path.index("/", path.index("/") + 1) + 1]].resolve(path)


urlpatterns = [Variants()]
