"""The example's shop, written with DRF's sync views in each style of import: moved, its tests pass."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.matrix import LONG

pytestmark = pytest.mark.programs

TWIN = Path(__file__).parent / "twin"
TOKEN = re.compile(r"«(\w+)\.(\w+)»")
# How a module or a class is imported, and how a class is named then.
STYLES = {
    "classes": ("from rest_framework.{module} import {name}", "{name}"),
    "classes under an alias": ("from rest_framework.{module} import {name} as DRFs{name}", "DRFs{name}"),
    "modules": ("from rest_framework import {module}", "{module}.{name}"),
    "modules under an alias": ("import rest_framework.{module} as drfs_{module}", "drfs_{module}.{name}"),
    "modules by their dots": ("import rest_framework.{module}", "rest_framework.{module}.{name}"),
}


def written(style: str, source: str) -> str:
    statement, use = STYLES[style]
    imports = dict.fromkeys(statement.format(module=module, name=name) for module, name in TOKEN.findall(source))
    text = TOKEN.sub(lambda found: use.format(module=found[1], name=found[2]), source)
    return text.replace("«imports»", "\n".join(imports))


def make_shop(folder: Path, style: str) -> Path:
    shop = folder / "bookshop"
    shutil.copytree(ROOT / "examples" / "bookshop", shop, ignore=shutil.ignore_patterns("db.sqlite3*", "__pycache__"))
    for name, place in (("views", "shop"), ("viewsets", "shop"), ("tests", "shop"), ("urls", "bookshop")):
        (shop / place / f"{name}.py").write_text(written(style, (TWIN / f"{name}.txt").read_text()))
    return shop


def run(shop: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=shop,
        env={**inherited, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def files(shop: Path) -> dict[str, str]:
    return {str(path.relative_to(shop)): path.read_text() for path in shop.rglob("*.py")}


def test_the_twin_is_drfs(tmp_path: Path) -> None:
    done = run(make_shop(tmp_path, "classes"), "manage.py", "test", "shop")
    assert done.returncode == 0, done.stderr
    assert "Ran 7 tests" in done.stderr


# A project a style, with all its tests in a process: what tells the styles apart is in `test_imports`, too.
@pytest.mark.parametrize("style", STYLES if LONG else ["classes", "modules by their dots"])
def test_a_moved_project_passes_its_tests_on_async_views(tmp_path: Path, style: str) -> None:
    shop = make_shop(tmp_path, style)
    before = files(shop)
    done = run(shop, "-m", "restflow.move", ".", "--components")
    assert done.returncode == 0, done.stderr
    after = files(shop)
    assert {name for name in after if after[name] != before[name]} == {
        "shop/views.py",
        "shop/viewsets.py",
        "shop/serializers.py",
        "shop/policies.py",
    }
    left = re.search(
        r"rest_framework[.\w]* import \(?(APIView|api_view|\w+ViewSet|\w+Mixin|views|generics)", str(after)
    )
    assert left is None, left

    counted = "from shop import views, viewsets; print(views.AuthorList.view_is_async, viewsets.Titles.view_is_async)"
    assert run(shop, "manage.py", "shell", "--no-imports", "-c", counted).stdout == "True True\n"
    tested = run(shop, "manage.py", "test", "shop")
    assert tested.returncode == 0, tested.stderr
    assert "Ran 7 tests" in tested.stderr

    assert "0 files moved" in run(shop, "-m", "restflow.move", ".", "--components").stdout
    assert files(shop) == after
