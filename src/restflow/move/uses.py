"""Where a file imports names of DRF and adrf, and where it uses them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import libcst as cst
from libcst.metadata import ParentNodeProvider, QualifiedName, QualifiedNameProvider, QualifiedNameSource

from restflow.move.names import Destination, destination, stands_for_itself

PACKAGES = ("rest_framework", "adrf")


def dotted(node: cst.CSTNode | None) -> str | None:
    """Return the text of a dotted name; None for any other expression."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute) and (before := dotted(node.value)) is not None:
        return f"{before}.{node.attr.value}"
    return None


@dataclass(frozen=True)
class Binding:
    """A name that an import binds (``viewsets``), and what it refers to (``rest_framework.viewsets``)."""

    local: str
    target: str
    is_whole: bool = False
    """Whether uses have the whole dotted name, as after ``import rest_framework.viewsets``."""


@dataclass
class Use:
    """A use of a name of DRF's or adrf's.

    Args:
        node: the name, with its dots.
        full_name: what it refers to.
        destination: its replacement; None if it is neither a base class nor a decorator, or stays.
        means_the_same: whether restflow has it under the same name.
    """

    node: cst.Name | cst.Attribute
    full_name: str
    destination: Destination | None
    means_the_same: bool

    @property
    def is_movable(self) -> bool:
        """Whether the name may be replaced by restflow's here."""
        return self.means_the_same or self.destination is not None


@dataclass
class Found:
    """What a file imports and uses."""

    bindings: set[Binding] = field(default_factory=set)
    stars: list[cst.ImportFrom] = field(default_factory=list)
    uses: dict[Binding, list[Use]] = field(default_factory=lambda: defaultdict(list))
    ambiguous: list[cst.CSTNode] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    """All names in the file, so that none is given a new meaning."""
    ours: set[Destination] = field(default_factory=set)
    """What is already imported from restflow."""
    is_loose: bool = False
    """Whether a dotted name of DRF's is used that no import in the file explains."""


def bindings_of(statement: cst.Import | cst.ImportFrom) -> dict[cst.ImportAlias, Binding]:
    """Return the binding of each part of an import.

    Args:
        statement: an import of any form; relative imports and ``import *`` give no bindings.
    """
    if isinstance(statement.names, cst.ImportStar):
        return {}
    of_module = isinstance(statement, cst.ImportFrom)
    before = ""
    if isinstance(statement, cst.ImportFrom):
        if statement.relative or statement.module is None:
            return {}
        before = f"{dotted(statement.module)}."
    made = {}
    for alias in statement.names:
        target = before + (dotted(alias.name) or "")
        local = dotted(alias.asname.name) if alias.asname is not None else None
        if target.partition(".")[0] in PACKAGES:
            is_whole = local is None and not of_module
            made[alias] = Binding(local or (target if is_whole else target.rpartition(".")[2]), target, is_whole)
    return made


class Finder(cst.CSTVisitor):
    """Finds the names of DRF and adrf that a file imports and uses.

    Args:
        components: whether bases of components are replaced, too.
    """

    METADATA_DEPENDENCIES = (QualifiedNameProvider, ParentNodeProvider)

    def __init__(self, components: bool) -> None:
        self.components = components
        self.found = Found()

    def visit_Import(self, node: cst.Import) -> bool:
        """Record what is imported."""
        self.found.bindings.update(bindings_of(node).values())
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        """Record what is imported."""
        self.found.bindings.update(bindings_of(node).values())
        module = dotted(node.module) or ""
        if isinstance(node.names, cst.ImportStar):
            if not node.relative and module.partition(".")[0] in PACKAGES:
                self.found.stars.append(node)
        else:
            for alias in node.names:
                self.found.names.add(dotted(alias.asname.name if alias.asname else alias.name) or "")
                if alias.asname is None:
                    self.found.ours.add(Destination(module, dotted(alias.name) or ""))
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        """Skip the name of a keyword argument."""
        node.value.visit(self)
        return False

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        """Record a use of a whole dotted name, or continue with the part before the dot."""
        if dotted(node) is None or not self._note(node):
            node.value.visit(self)
        return False

    def visit_Name(self, node: cst.Name) -> None:
        """Record a use of a name."""
        self.found.names.add(node.value)
        self._note(node)

    def _note(self, node: cst.Name | cst.Attribute) -> bool:
        provider: Any = QualifiedNameProvider  # Any: its type says that it only yields sets
        meant: Collection[QualifiedName] = self.get_metadata(provider, node, ())
        names = {
            each.name
            for each in meant
            if each.source is QualifiedNameSource.IMPORT and each.name.partition(".")[0] in PACKAGES
        }
        if not names:
            return False
        if len(meant) > 1:
            self.found.ambiguous.append(node)
            return True
        text, full_name = dotted(node) or "", names.pop()
        binding = self._binding(text, full_name)
        if binding is None:
            self.found.is_loose = True
        else:
            place = destination(full_name, components=self.components) if self._is_replaceable(node) else None
            same = stands_for_itself(full_name, components=self.components)
            self.found.uses[binding].append(Use(node, full_name, place, same))
        return True

    def _binding(self, text: str, full_name: str) -> Binding | None:
        """Return the import through which ``text`` refers to ``full_name``; of dotted ones, the longest."""
        fitting = [
            each
            for each in self.found.bindings
            if f"{text}.".startswith(f"{each.local}.") and f"{full_name}.".startswith(f"{each.target}.")
        ]
        return max(fitting, key=lambda each: len(each.target), default=None)

    def _is_replaceable(self, node: cst.CSTNode) -> bool:
        """Tell whether a name is used as a base class (``X``, ``X[Model]``) or as a decorator (``@x``, ``@x(…)``)."""
        parent = self.get_metadata(ParentNodeProvider, node)
        if isinstance(parent, (cst.Subscript, cst.Call)) and node in (
            parent.value if isinstance(parent, cst.Subscript) else parent.func,
        ):
            parent, node = self.get_metadata(ParentNodeProvider, parent), parent
        if isinstance(parent, cst.Decorator):
            return True
        if not isinstance(parent, cst.Arg) or isinstance(node, cst.Call):
            return False
        owner = self.get_metadata(ParentNodeProvider, parent)
        return isinstance(owner, cst.ClassDef) and parent in owner.bases
