"""A package may patch DRF before restflow is imported: what it puts there is a user's code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from restflow.drf import know, know_as_flow
from restflow.flow.natures import facts_of

PROGRAM = """
import asyncio, os
import django
from rest_framework import negotiation, permissions, views

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()
places = []

def patch(owner, name):
    drfs = getattr(owner, name)
    def patched(self, *args, **kwargs):
        places.append(here())
        return drfs(self, *args, **kwargs)
    setattr(owner, name, patched)

patch({owner}, "{name}")

from django.test import override_settings
from rest_framework.response import Response
from restflow.views import AsyncAPIView
from tests.safety.support import ask, here

class View(AsyncAPIView):
    authentication_classes = []
    permission_classes = [permissions.IsAuthenticatedOrReadOnly & permissions.AllowAny]

    async def get(self, request):
        return Response({{}})

for fast in False, True:
    places.clear()
    made = type("View", (View,), {{}})
    with override_settings(RESTFLOW={{"FAST_VERSIONS": fast}}):
        assert [ask(made).status for _ in range(2)] == [200, 200]
    assert places and set(places) == {{"thread"}}, (fast, places)
"""


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("views.APIView", "get_permissions"),
        ("views.APIView", "get_renderers"),
        ("permissions.AllowAny", "has_permission"),
        ("permissions.AND", "has_permission"),
        ("negotiation.DefaultContentNegotiation", "select_renderer"),
    ],
)
def test_what_it_put_there_is_called_and_in_the_thread(owner: str, name: str) -> None:
    program = PROGRAM.format(owner=owner, name=name)
    root = Path(__file__).parent.parent.parent
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_known_of_a_function_of_drfs_does_not_cover_what_is_there_in_its_place() -> None:
    def patched(self: Any) -> list[Any]:
        return []

    async def flow(self: Any) -> list[Any]:
        return []

    know(patched)
    know_as_flow(patched, flow)
    assert (facts_of(patched).never_blocks, facts_of(patched).flow) == (None, None)
