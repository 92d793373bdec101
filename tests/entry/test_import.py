"""What importing the entry takes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["restflow.asgi", "restflow.move"])
def test_it_can_be_imported_before_the_settings_are_named(module: str) -> None:
    """``asgi.py`` imports ``get_asgi_application`` above the line that sets DJANGO_SETTINGS_MODULE."""
    environ = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    subprocess.run([sys.executable, "-c", f"import {module}"], env=environ, check=True, timeout=60)
