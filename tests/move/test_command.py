"""`python -m restflow.move`: what it reads and writes, prints, and returns."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from restflow.move.__main__ import main
from tests.docs.pages import ROOT

BEFORE = "from rest_framework.views import APIView\nclass V(APIView): ...\n"
AFTER = "from restflow.views import AsyncAPIView\nclass V(AsyncAPIView): ...\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("views.py", "app/views.py", ".git/views.py", "venv/lib/views.py", "app/views.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(BEFORE)
    (tmp_path / "venv/pyvenv.cfg").touch()
    return tmp_path


def test_all_python_files_of_a_folder_are_moved_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(project)]) == 0
    assert capsys.readouterr().out == f"{project}/app/views.py: moved\n{project}/views.py: moved\n2 files moved\n"
    moved = {
        str(path.relative_to(project)) for path in project.rglob("*.*") if path.is_file() and path.read_text() == AFTER
    }
    assert moved == {"views.py", "app/views.py"}
    assert main([str(project)]) == 0
    assert capsys.readouterr().out == "0 files moved\n"


def test_check_writes_nothing_and_shows_what_would_change(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = project / "views.py"
    file.write_text(BEFORE.rstrip())
    assert main([str(file), "--check"]) == 1
    assert file.read_text() == BEFORE.rstrip()
    assert capsys.readouterr().out.splitlines() == [
        f"--- {file}",
        f"+++ {file}, moved",
        "@@ -1,2 +1,2 @@",
        *(f"-{line}" for line in BEFORE.splitlines()),
        *(f"+{line}" for line in AFTER.splitlines()),
        "1 file to move",
    ]
    file.write_text(AFTER)
    assert main([str(file), "--check"]) == 0


def test_what_is_left_is_said_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "views.py"
    file.write_text("from rest_framework.views import *\n")
    assert main([str(file)]) == 0
    assert capsys.readouterr().out.startswith(f"{file}:1: import * was left")


def test_a_file_that_can_not_be_read_is_left_and_the_others_moved(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "app/views.py").write_text("def (")
    assert main([str(project), str(project / "none.py")]) == 2
    said = capsys.readouterr().err
    assert f"{project}/app/views.py: left: " in said
    assert f"{project}/none.py: left: " in said
    assert (project / "views.py").read_text() == AFTER


def test_the_encoding_and_the_ends_of_lines_stay(tmp_path: Path) -> None:
    file = tmp_path / "views.py"
    source = "# coding: latin-1\r\n# Brontë\r\n" + BEFORE.replace("\n", "\r\n")
    file.write_bytes(source.encode("latin-1"))
    main([str(file)])
    assert file.read_bytes() == source.encode("latin-1").replace(
        b"rest_framework.views import APIView", b"restflow.views import AsyncAPIView"
    ).replace(b"(APIView)", b"(AsyncAPIView)")


def test_it_says_what_to_install(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "libcst", None)
    assert main([str(project)]) == 2
    assert capsys.readouterr().err == "restflow.move needs libcst: pip install 'django-restflow[move]'\n"


def test_it_is_a_module_to_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "restflow.move.__main__")
    monkeypatch.setattr(sys, "argv", ["restflow.move", str(project), "--check"])
    with pytest.raises(SystemExit) as exited:
        runpy.run_module("restflow.move", run_name="__main__")
    assert exited.value.code == 1


def test_components_are_an_option(tmp_path: Path) -> None:
    file = tmp_path / "permissions.py"
    file.write_text("from rest_framework.permissions import BasePermission\nclass P(BasePermission): ...\n")
    assert main([str(file), "--check"]) == 0
    assert main([str(file), "--components"]) == 0
    assert file.read_text().startswith("from restflow.permissions import")


def test_it_needs_no_settings(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "restflow.move", str(project)],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (project / "views.py").read_text() == AFTER
