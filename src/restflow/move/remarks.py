"""What a move left unchanged, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider

from restflow.move.names import HELPERS, destination
from restflow.move.uses import Found, Use, dotted

_BLOCKING_OF_SERIALIZERS = {"is_valid", "save"}


class Remark(NamedTuple):
    """A line number, and a remark about that line."""

    line: int
    text: str


def remarks_on(wrapper: MetadataWrapper, found: Found, moved: set[cst.CSTNode], taken: Sequence[Use]) -> list[Remark]:
    """Return remarks on what was left unchanged, by line.

    Args:
        wrapper: the file as it was.
        found: what the file imports and uses.
        moved: the names that were rewritten.
        taken: the uses whose new name means something else.
    """
    positions = wrapper.resolve(PositionProvider)

    def at(node: cst.CSTNode, text: str) -> Remark:
        return Remark(positions[node].start.line, text)

    remarks = [at(star, "import * was left: name what it imports, and move it again") for star in found.stars]
    remarks += [at(node, f"{dotted(node)} was left: it is bound more than once") for node in found.ambiguous]
    for use in taken:
        assert use.destination is not None
        remarks.append(at(use.node, f"{dotted(use.node)} was left: {use.destination.name} is another name here"))
    for uses in found.uses.values():
        for use in uses:
            view = destination(use.full_name)
            if view is not None and use.destination is None and use.node not in moved:
                remarks.append(at(use.node, f"{dotted(use.node)} is still DRF's: it is no base class here"))
    reader = _Reader(moved, {use.node: use.full_name for uses in found.uses.values() for use in uses})
    wrapper.visit(reader)
    return sorted({*remarks, *(at(node, text) for node, text in reader.said)})


class _Reader(cst.CSTVisitor):
    """Reads the classes that were rewritten, and serializers that were not, for code that a person has to decide on."""

    METADATA_DEPENDENCIES = (ParentNodeProvider,)

    def __init__(self, moved: set[cst.CSTNode], full_names: dict[cst.CSTNode, str]) -> None:
        self.moved, self.full_names = moved, full_names
        self.said: list[tuple[cst.CSTNode, str]] = []
        self.views: list[bool] = []
        self.functions: list[cst.FunctionDef] = []

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        bases = [base.value.value if isinstance(base.value, cst.Subscript) else base.value for base in node.bases]
        names = [self.full_names[base] for base in bases if base in self.full_names]
        is_moved = any(base in self.moved for base in bases)
        self.views.append(is_moved and not any("serializers" in name for name in names))
        if not is_moved and any(name.startswith("rest_framework.serializers.") for name in names):
            for statement in node.body.body:
                if isinstance(statement, cst.FunctionDef) and statement.asynchronous:
                    name = f"{node.name.value}.{statement.name.value}"
                    self._say(statement, f"{name} is async: derive {node.name.value} from restflow.serializers")
        if self.views[-1]:
            for decorator in node.decorators:
                if isinstance(decorator.decorator, cst.Call) and dotted(decorator.decorator.func) == "method_decorator":
                    self._say(decorator, f"{node.name.value}: what decorates it is given a coroutine now")

    def leave_ClassDef(self, original_node: cst.ClassDef) -> None:
        self.views.pop()

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self.functions.append(node)

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:
        self.functions.pop()

    def visit_Call(self, node: cst.Call) -> None:
        if not (self.views and self.views[-1] and self.functions and self.functions[-1].asynchronous):
            return
        if not isinstance(node.func, cst.Attribute):
            return
        name, owner = node.func.attr.value, node.func.value
        is_super = isinstance(owner, cst.Call) and dotted(owner.func) == "super"
        if name in HELPERS and (is_super or dotted(owner) == "self"):
            written = "super()" if is_super else "self"
            self._say(node, f"{written}.{name}() may block in an async method: await {written}.a{name}()")
        elif name in _BLOCKING_OF_SERIALIZERS and not is_super:
            parent = self.get_metadata(ParentNodeProvider, node)
            if not isinstance(parent, cst.Await):
                self._say(node, f".{name}() may block in an async method: await .a{name}()")

    def _say(self, node: cst.CSTNode, text: str) -> None:
        self.said.append((node, text))
