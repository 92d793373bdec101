"""A URL for each variant of each case."""

from __future__ import annotations

from django.urls import path

from benchmarks.cases import CASES

urlpatterns = [path(case.path(variant), variant.view) for case in CASES for variant in case.variants]
