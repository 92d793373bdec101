"""The command: ``python -m restflow.move PATH... [--check] [--components]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from pathlib import Path

_NEEDS_LIBCST = "restflow.move needs libcst: pip install 'django-restflow[move]'"


def files_in(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the Python files in some paths, without hidden folders and virtual environments.

    Args:
        paths: files and folders.
    """
    for path in paths:
        if path.is_dir():
            inside = sorted(path.iterdir())
            if not any(each.name == "pyvenv.cfg" for each in inside):
                yield from files_in(
                    [
                        each
                        for each in inside
                        if not each.name.startswith(".") and (each.is_dir() or each.suffix == ".py")
                    ]
                )
        else:
            yield path


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite the files named on the command line.

    Args:
        arguments: the arguments; by default those of the command line.

    Returns:
        The exit status: 1 if ``--check`` found something to change, 2 if a file could not be read or libcst is missing.
    """
    parser = argparse.ArgumentParser(
        prog="python -m restflow.move", description="Move DRF's and adrf's views to restflow."
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder with all below it")
    parser.add_argument("--check", action="store_true", help="write nothing: show what would change, and exit 1")
    parser.add_argument(
        "--components", action="store_true", help="move bases of permissions, serializers and the like, too"
    )
    options = parser.parse_args(arguments)
    try:
        from libcst import ParserSyntaxError

        from restflow.move.rewriting import rewritten
    except ImportError:
        print(_NEEDS_LIBCST, file=sys.stderr)
        return 2
    changed = failed = 0
    for path in files_in(options.paths):
        try:
            source = path.read_bytes()
            new, remarks = rewritten(source, components=options.components)
        except (OSError, ParserSyntaxError) as error:
            print(f"{path}: left: {error}", file=sys.stderr)
            failed += 1
            continue
        if new != source:
            changed += 1
            if options.check:
                sys.stdout.writelines(_difference(path, source, new))
            else:
                path.write_bytes(new)
                print(f"{path}: moved")
        for remark in remarks:
            print(f"{path}:{remark.line}: {remark.text}")
    print(f"{changed} file{'' if changed == 1 else 's'} {'to move' if options.check else 'moved'}")
    return 2 if failed else int(options.check and changed > 0)


def _difference(path: Path, old: bytes, new: bytes) -> Iterator[str]:
    before, after = (text.decode(errors="replace").splitlines(keepends=True) for text in (old, new))
    for line in unified_diff(before, after, f"{path}", f"{path}, moved"):
        yield line if line.endswith("\n") else f"{line}\n"


if __name__ == "__main__":
    sys.exit(main())
