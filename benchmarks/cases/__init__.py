"""Every case, in the order of the report. A new one is a module beside this file and a name in ``CASES``."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.cases import ping, policies

CASES: tuple[Case, ...] = (ping.CASE, policies.CASE)
