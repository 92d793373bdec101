"""The Python blocks of the documentation, read by `mypy --strict` and pyright; what is not annotated is checked too."""

from __future__ import annotations

import ast
import builtins
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest

from tests.docs.pages import PAGES, ROOT, Block, blocks_of

pytestmark = pytest.mark.programs

NOT_CHECKED = {
    "action_config.md": "an override there takes for granted that its action has a config",
    "migrating.md": "mixins there stand on no base, as mixins do",
    "serializers.md": "DRF's stubs know sync validators only",
    "testing.md": "a test there stands for the view",
    "third_party.md": "django-filter has no stubs",
    "throttling.md": "the hook `wait` has one name for both colours",
    "tutorial.md": "its files are in a project of their own",
}
# What the pages call so.
STANDS_FOR = {
    "shop/models.py": "from tests.shop.models import *",
    "accounts/models.py": "from tests.spec.support import User as User",
}
CONFIGURATION = """\
[mypy]
strict = true
check_untyped_defs = true
allow_untyped_defs = true
allow_untyped_calls = true
allow_incomplete_defs = true
allow_any_generics = true
allow_untyped_decorators = true
implicit_reexport = true
explicit_package_bases = true
follow_imports = silent
plugins = mypy_django_plugin.main, mypy_drf_plugin.main

[mypy.plugins.django-stubs]
django_settings_module = tests.settings
"""
# Of code without annotations, of names that a block is there to show, and of DRF's stubs (the page Types tells).
NOT_REPORTED = [
    "IncompatibleVariableOverride",
    "MissingParameterType",
    "MissingTypeArgument",
    "UnknownArgumentType",
    "UnknownLambdaType",
    "UnknownMemberType",
    "UnknownParameterType",
    "UnknownVariableType",
    "UntypedBaseClass",
    "UntypedFunctionDecorator",
    "UnusedClass",
    "UnusedExpression",
    "UnusedFunction",
    "UnusedImport",
    "UnusedVariable",
]


def bound(statements: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that statements bind where they stand, in branches too."""
    for node in statements:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
            continue
        for part in ast.walk(node):
            if isinstance(part, ast.alias):
                yield (part.asname or part.name).partition(".")[0]
            elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                yield part.id
            elif isinstance(part, ast.ClassDef):
                yield part.name


def modules_of(page: Path) -> Iterator[tuple[str, str, Block]]:
    """Yield a module for each block: its name, its text, one line longer than the block, and the block.

    What a block has from those before it is imported, so that a class may be written again, as pages do.
    """
    where: dict[str, str] = {}
    for block in blocks_of(page):
        if block.language != "python" or block.directive or block.title == "settings.py":
            continue
        tree = ast.parse(block.code)
        name, own = f"{page.stem.lower()}_{block.line}", set(bound(tree.body))
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - own - set(dir(builtins))
        imports = [f"from {where[each]} import {each}" for each in sorted(used & where.keys())]
        yield name, "; ".join(imports) + "\n" + block.code, block
        where.update(dict.fromkeys(own, name))


@pytest.fixture
def blocks(tmp_path: Path) -> dict[str, Block]:
    """The blocks, by the names of the modules that are written for them."""
    found, stands_for = {}, dict(STANDS_FOR)
    for page in PAGES:
        for name, text, block in modules_of(page) if page.name not in NOT_CHECKED else ():
            (tmp_path / f"{name}.py").write_text(text)
            found[name] = block
            if block.title == "shop/upstream.py":
                stands_for[block.title] = f"from {name} import *"
    assert len(found) > 20
    for name, text in stands_for.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return found


def check(blocks: dict[str, Block], folder: Path, *command: str) -> None:
    paths = os.pathsep.join(map(str, (folder, ROOT / "src", ROOT)))
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "MYPYPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    where = "\n".join(f"{name} is {block}" for name, block in blocks.items() if f"{name}.py" in done.stdout)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{where}"


NEWEST = pytest.mark.skipif(django.VERSION < (6, 1), reason="the stubs are those of the newest Django")


@NEWEST
def test_strict_mypy_has_nothing_to_say_of_the_pages(tmp_path: Path, blocks: dict[str, Block]) -> None:
    (tmp_path / "mypy.ini").write_text(CONFIGURATION)
    check(blocks, tmp_path, "mypy", "--config-file", "mypy.ini", ".")


@NEWEST
def test_strict_pyright_has_nothing_to_say_of_the_pages(tmp_path: Path, blocks: dict[str, Block]) -> None:
    pytest.importorskip("pyright")
    configuration: dict[str, Any] = {f"report{report}": False for report in NOT_REPORTED}
    configuration |= {"typeCheckingMode": "strict", "extraPaths": [str(ROOT / "src"), str(ROOT)]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(configuration))
    check(blocks, tmp_path, "pyright", "--pythonpath", sys.executable)
