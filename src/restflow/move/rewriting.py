"""Rewrites one file: imports, base classes, decorators, and adrf's method names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import libcst as cst
from libcst.metadata import MetadataWrapper

from restflow.move.names import ADRFS_METHODS, Destination, destination, module_of
from restflow.move.remarks import Remark, remarks_on
from restflow.move.uses import Binding, Finder, Found, Use, bindings_of, dotted


@dataclass(frozen=True)
class Imported:
    """One part of an import: ``from module import name as local``; without a name, ``import module as local``."""

    module: str
    name: str | None = None
    local: str | None = None


@dataclass
class Change:
    """How one binding changes: whether its import is removed, and what is imported in addition or instead."""

    replaces: bool
    imports: list[Imported]


@dataclass
class Plan:
    """The changes to a file."""

    changes: dict[Binding, Change] = field(default_factory=dict)
    names: dict[cst.CSTNode, str] = field(default_factory=dict)
    """The new text of names, by node."""
    adrfs: set[cst.CSTNode] = field(default_factory=set)
    """The base classes that are adrf's."""
    taken: list[Use] = field(default_factory=list)
    """The uses that can't be replaced, because the new name has another meaning in the file."""


def rewritten(source: bytes, *, components: bool = False) -> tuple[bytes, list[Remark]]:
    """Rewrite one file.

    Args:
        source: its contents, as on disk.
        components: whether bases of permissions, serializers and the like are replaced, too.

    Returns:
        The new contents, and remarks on what was left unchanged.

    Raises:
        ParserSyntaxError: it is not valid Python.
    """
    wrapper = MetadataWrapper(cst.parse_module(source))
    finder = Finder(components)
    wrapper.visit(finder)
    plan = planned(finder.found, components)
    remarks = remarks_on(wrapper, finder.found, set(plan.names), plan.taken)
    return wrapper.module.visit(_Rewriter(plan)).bytes, remarks


def planned(found: Found, components: bool) -> Plan:
    """Decide how to change a file.

    Args:
        found: what the file imports and uses.
        components: whether bases of permissions, serializers and the like are replaced, too.
    """
    plan = Plan()
    for binding, uses in found.uses.items():
        moving = [use for use in uses if use.destination is not None]
        if not moving and not binding.target.startswith("adrf."):
            continue
        whole = all(use.is_movable for use in uses) and not (binding.is_whole and found.is_loose)
        if binding.is_whole:
            _by_dots(plan, binding, uses, whole)
        elif module_of(binding.target) is None:
            _by_name(plan, found, binding, uses, whole, destination(binding.target, components=components))
        elif whole:
            _by_module(plan, binding, uses)
        else:
            _by_new_names(plan, found, binding, moving)
    return plan


def _note(plan: Plan, use: Use, text: str) -> None:
    plan.names[use.node] = text
    if use.full_name.startswith("adrf."):
        plan.adrfs.add(use.node)


def _by_dots(plan: Plan, binding: Binding, uses: list[Use], whole: bool) -> None:
    """Replace ``import rest_framework.viewsets`` by the same import of restflow's module."""
    modules: dict[str, None] = {}
    for use in uses:
        if use.destination is not None:
            place = use.destination
        elif whole:
            origin, _, name = use.full_name.rpartition(".")
            place = Destination(module_of(origin) or origin, name)
        else:
            continue
        modules[place.module] = None
        _note(plan, use, f"{place.module}.{place.name}")
    if modules:
        plan.changes[binding] = Change(whole, [Imported(module) for module in modules])


def _by_module(plan: Plan, binding: Binding, uses: list[Use]) -> None:
    """Replace ``from rest_framework import viewsets`` by restflow's module of that name, bound to the same name."""
    module = module_of(binding.target)
    assert module is not None
    package, _, name = module.partition(".")
    plan.changes[binding] = Change(True, [Imported(package, name, None if binding.local == name else binding.local)])
    for use in uses:
        name = use.destination.name if use.destination is not None else use.full_name.rpartition(".")[2]
        _note(plan, use, f"{binding.local}.{name}")


def _by_name(
    plan: Plan, found: Found, binding: Binding, uses: list[Use], whole: bool, place: Destination | None
) -> None:
    """Replace ``from rest_framework.views import APIView`` by restflow's class, under its alias if there is one."""
    if place is None:
        return
    alias = binding.local if whole and binding.local != binding.target.rpartition(".")[2] else None
    name = alias or place.name
    moving = [use for use in uses if whole or use.destination is not None]
    if _is_taken(found, name, place, binding):
        plan.taken.extend(moving)
        return
    plan.changes[binding] = Change(whole, [Imported(place.module, place.name, alias)])
    for use in moving:
        _note(plan, use, name)


def _by_new_names(plan: Plan, found: Found, binding: Binding, moving: list[Use]) -> None:
    """Keep the import of a module that is still needed, and import the replacements beside it."""
    imports: dict[Imported, None] = {}
    for use in moving:
        place = use.destination
        assert place is not None
        if _is_taken(found, place.name, place, binding):
            plan.taken.append(use)
        else:
            imports[Imported(place.module, place.name)] = None
            _note(plan, use, place.name)
    plan.changes[binding] = Change(False, list(imports))


def _is_taken(found: Found, name: str, place: Destination, binding: Binding) -> bool:
    """Tell whether ``name`` already has another meaning in the file."""
    ours = any(each.name == place.name and each.module.startswith("restflow") for each in found.ours)
    return name in found.names and name != binding.local and not ours


class _Rewriter(cst.CSTTransformer):
    """Applies a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.is_adrfs: list[bool] = []

    # --- imports

    def leave_Import(
        self, original_node: cst.Import, updated_node: cst.Import
    ) -> cst.BaseSmallStatement | cst.FlattenSentinel[cst.BaseSmallStatement]:
        made = bindings_of(original_node)
        names: list[cst.ImportAlias] = []
        beside: dict[Imported, None] = {}
        for alias in original_node.names:
            change = self.plan.changes.get(made[alias]) if alias in made else None
            if change is None or not change.replaces:
                names.append(alias)
            for each in change.imports if change is not None else []:
                if each.name is not None and not (change is not None and change.replaces):
                    beside[each] = None
                else:
                    module = each.module if each.name is None else f"{each.module}.{each.name}"
                    names.append(cst.ImportAlias(_expression(module), alias.asname))
        names = [each.with_changes(comma=cst.MaybeSentinel.DEFAULT) for each in names]
        return cst.FlattenSentinel([updated_node.with_changes(names=names), *_from_imports(beside)])

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.BaseSmallStatement | cst.FlattenSentinel[cst.BaseSmallStatement]:
        if isinstance(original_node.names, cst.ImportStar):
            return updated_node
        kept, new = self._parted(original_node.names, bindings_of(original_node))
        if not new:
            return updated_node
        if not kept and len(new) == len(original_node.names) and len({each.module for each in new}) == 1:
            # All names move to one module, so the statement keeps its layout.
            names = [
                alias.with_changes(name=cst.Name(each.name or ""))
                for alias, each in zip(original_node.names, new, strict=True)
            ]
            return updated_node.with_changes(module=_expression(new[0].module), names=names)
        statements = _from_imports(new)
        if not kept:
            return cst.FlattenSentinel(statements)
        kept[-1] = kept[-1].with_changes(comma=original_node.names[-1].comma)
        return cst.FlattenSentinel([updated_node.with_changes(names=kept), *statements])

    def _parted(
        self, names: Iterable[cst.ImportAlias], made: dict[cst.ImportAlias, Binding]
    ) -> tuple[list[cst.ImportAlias], list[Imported]]:
        """Return what stays of an import, and what is imported in addition."""
        kept: list[cst.ImportAlias] = []
        new: dict[Imported, None] = {}
        for alias in names:
            change = self.plan.changes.get(made[alias]) if alias in made else None
            if change is None or not change.replaces:
                kept.append(alias)
            if change is not None:
                new.update(dict.fromkeys(change.imports))
        return kept, list(new)

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        first, *others = updated_node.body
        if len(original_node.body) > 1 or not others:
            return updated_node
        lines = [cst.SimpleStatementLine([each]) for each in others]
        return cst.FlattenSentinel([updated_node.with_changes(body=[first]), *lines])

    # --- names

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        return self._renamed(original_node, updated_node)

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        name = ADRFS_METHODS.get(updated_node.attr.value)
        if name is not None and any(self.is_adrfs) and _is_self_or_super(updated_node.value):
            return updated_node.with_changes(attr=cst.Name(name))
        return self._renamed(original_node, updated_node)

    def _renamed(self, original: cst.Name | cst.Attribute, updated: cst.Name | cst.Attribute) -> cst.BaseExpression:
        text = self.plan.names.get(original)
        if text is None or text == dotted(original):
            return updated
        return _expression(text).with_changes(lpar=updated.lpar, rpar=updated.rpar)

    # --- adrf's names of methods

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self.is_adrfs.append(any(_named(base.value) in self.plan.adrfs for base in node.bases))

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        self.is_adrfs.pop()
        return updated_node

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        name = ADRFS_METHODS.get(updated_node.name.value)
        if name is None or not any(self.is_adrfs):
            return updated_node
        return updated_node.with_changes(name=cst.Name(name))


def _expression(text: str) -> cst.Name | cst.Attribute:
    before, _, name = text.rpartition(".")
    return cst.Attribute(_expression(before), cst.Name(name)) if before else cst.Name(name)


def _from_imports(imports: Iterable[Imported]) -> list[cst.BaseSmallStatement]:
    """Return ``from … import …`` statements, one for each module."""
    by_module: dict[str, list[cst.ImportAlias]] = {}
    for each in imports:
        asname = cst.AsName(cst.Name(each.local)) if each.local else None
        by_module.setdefault(each.module, []).append(cst.ImportAlias(cst.Name(each.name or ""), asname))
    return [cst.ImportFrom(_expression(module), names) for module, names in by_module.items()]


def _named(base: cst.BaseExpression) -> cst.BaseExpression:
    return base.value if isinstance(base, cst.Subscript) else base


def _is_self_or_super(node: cst.BaseExpression) -> bool:
    return dotted(node) == "self" or (isinstance(node, cst.Call) and dotted(node.func) == "super")
