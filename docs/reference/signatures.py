"""Signatures and first sentences of docstrings, for the pages of the reference.

What is called, and with what, is told by Python itself; only the words for types are those of the source.
"""

import ast
import inspect
import re
import sys
import textwrap
import types
from itertools import pairwise
from typing import Any

import attrs

__all__ = ["assignment", "first_sentence", "members", "signature"]


class _Words:
    """Words of the source, which `inspect.Signature` prints without quotation marks."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __repr__(self) -> str:
        return self._words


class _Bare(ast.NodeTransformer):
    """Leaves of a type what a reader needs: no `Field`, no short name of a long type, no quotation marks."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        named = self._names.get(node.id)
        if not isinstance(named, types.UnionType | types.GenericAlias):
            return node
        return ast.parse(re.sub(r"\b([A-Za-z_]\w*\.)+", "", inspect.formatannotation(named)), mode="eval").body

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        match node:
            case ast.Subscript(ast.Name("Annotated"), ast.Tuple([bare, *_])):
                return self.visit(bare)
            case ast.Subscript(ast.Name("Literal")):
                return node
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.parse(node.value, mode="eval").body if isinstance(node.value, str) else node


def signature(value: Any) -> str:
    """What a function, a method or a class is called with, such as `find(kind: Kind, name: str) -> Entry`."""
    value = inspect.unwrap(value)
    found, words = inspect.signature(value), _words(value)
    parameters = []
    for parameter in found.parameters.values():
        default = parameter.default
        if default is attrs.NOTHING:  # made anew by each call, so no value of it is shown
            default = _Words(f"{attrs.fields_dict(value)[parameter.name].default.factory.__name__}()")
        annotation = words.get(parameter.name, parameter.empty)
        parameters.append(parameter.replace(annotation=annotation, default=default))
    if inspect.isfunction(value) and parameters and parameters[0].name in ("self", "cls"):
        del parameters[0]
    result = words.get("return", found.empty)
    return f"{value.__name__}{found.replace(parameters=parameters, return_annotation=result)}"


def members(target: type) -> dict[str, str]:
    """What a class adds to its bases: public methods and properties as they are called, with their first sentences."""
    found = {}
    for name, value in vars(target).items():
        if not name.startswith("_") and name != "extra_repr":  # which is torch's
            text = _member(value)
            if text and text not in (_member(vars(base).get(name)) for base in target.__mro__[1:]):
                found[text] = first_sentence(value if isinstance(value, property) else getattr(target, name))
    return found


def _member(value: Any) -> str:
    """A method or property as it is called; empty for anything else."""
    if isinstance(value, property):
        return f"{value.fget.__name__}: {_words(value.fget)['return']}"
    value = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    return signature(value) if inspect.isfunction(value) else ""


def assignment(module: str, name: str) -> tuple[str, str]:
    """The line of a module that gives a name its value, and the first sentence of the string below it."""
    body = ast.parse(inspect.getsource(sys.modules[module])).body
    for node, after in pairwise(body):
        match node, after:
            case ast.Assign([ast.Name(given)]) | ast.AnnAssign(ast.Name(given)), ast.Expr(ast.Constant(str(text))):
                if given == name:
                    return ast.unparse(node), _sentence(text)
    raise LookupError(f"{module} gives {name} no value with a docstring below it")


def first_sentence(value: Any) -> str:
    """The first sentence of a docstring, inherited if need be."""
    if not (document := inspect.getdoc(value)):
        raise LookupError(f"{value} has no docstring")
    return _sentence(document)


def _sentence(document: str) -> str:
    paragraph = " ".join(inspect.cleandoc(document).partition("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", paragraph)[0]


def _words(value: Any) -> dict[str, _Words]:
    """The types of the source, by argument, and `return`."""
    if inspect.isclass(value) and not attrs.has(value):
        value = value.__init__
        if not inspect.isfunction(value):
            return {}
    match ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]:
        case ast.ClassDef(body=body):  # of attrs, which makes arguments of annotated names
            found = {one.target.id: one.annotation for one in body if isinstance(one, ast.AnnAssign)}
        case ast.FunctionDef(args=args, returns=returns):
            every = [*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs, args.kwarg]
            found = {one.arg: one.annotation for one in every if one} | {"return": returns}
    bare = _Bare(vars(sys.modules[value.__module__]))
    return {name: _Words(ast.unparse(bare.visit(node))) for name, node in found.items() if node}
