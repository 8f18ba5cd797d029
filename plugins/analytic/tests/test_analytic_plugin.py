"""The plugin as tain sees it, its examples, and the wrong parameters of its maps."""

import doctest
import importlib
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import tain
import tain_analytic
from tain_analytic import (
    AffineSubspace,
    Ball,
    BallBarrier,
    Box,
    BoxEntropy,
    Ellipsoid,
    EllipsoidBarrier,
    EuclideanProjection,
    HalfSpace,
    Identity,
    L1Ball,
    Ordered,
    OrderedEntropy,
    Orthant,
    PolytopeBarrier,
    SecondOrderCone,
    SecondOrderConeEntropy,
    Simplex,
    SimplexEntropy,
    Slabs,
    SlabsEntropy,
    Sphere,
    Unconstrained,
)

FOLDER = Path(__file__).parent.parent
MODULES = sorted(path.stem for path in (FOLDER / "src" / "tain_analytic").glob("*.py"))


@pytest.mark.parametrize(
    ("constraint", "kind"),
    [
        (Simplex(6), SimplexEntropy),
        (Box((0.0,), (math.inf,)), BoxEntropy),
        (Ball(3, 1.0), BallBarrier),
        (AffineSubspace([[1.0, 1.0]], [0.0]), EuclideanProjection),
        (Ellipsoid([[2.0, 1.0], [1.0, 1.0]]), EllipsoidBarrier),
        (SecondOrderCone(3), SecondOrderConeEntropy),
        (HalfSpace((1.0, 2.0), 0.0), SlabsEntropy),
        (Slabs([[0.6, 0.8]], (0.0,), (1.0,)), SlabsEntropy),
        (Sphere(3, 1.0), EuclideanProjection),
        (L1Ball(3, 1.0), EuclideanProjection),
        (Orthant(3), BoxEntropy),
        (Ordered(3), OrderedEntropy),
        (tain.Both(Box((0.0,) * 3, (0.5,) * 3), Simplex(3)), PolytopeBarrier),
        (Unconstrained(3), Identity),
    ],
)
def test_mirror_for(constraint, kind):
    mirror = tain.mirror_for(constraint)
    assert type(mirror) is kind
    assert mirror.constraint is constraint


def test_the_simplex_gets_isometric_coordinates():
    assert tain.mirror_for(Simplex(6)).coordinates == "isometric"


def test_the_catalogue_has_what_the_registry_promises():
    from tain.registry import registry

    promised = next(plugin for plugin in registry() if plugin.distribution == "tain-analytic").provides
    for kind, names in promised.items():
        found = {entry.name: entry for entry in tain.entries(kind) if entry.plugin.distribution == "tain-analytic"}
        assert set(found) == set(names)
        assert all(entry.component.summary for entry in found.values())


def test_every_name_is_exported():
    assert set(dir(tain_analytic)) == set(tain_analytic.__all__)
    kinds = (tain.Constraint, tain.MirrorMap)
    public = [getattr(tain_analytic, name) for name in tain_analytic.__all__ if name != "LinearEquations"]
    assert all(made.__final__ for made in public if isinstance(made, type) and issubclass(made, kinds))
    with pytest.raises(AttributeError, match="no attribute 'Simplx'"):
        tain_analytic.Simplx  # noqa: B018 (looking it up is the test)


def test_importing_the_plugin_imports_no_torch():
    code = "import sys, tain_analytic, tain_analytic.plugin; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SimplexEntropy(Simplex(3), "isometrc"), r"'coordinates' is 'isometrc'.*isometric"),
        (lambda: SimplexEntropy(Ball(3, 1.0)), r"'simplex' is Ball.*must be a Simplex"),
        (lambda: BallBarrier(Ball(3, 1.0), beta=0.0), r"'beta' is 0\.0, but must be above 0"),
        (lambda: BallBarrier(Ball(3, 1.0), beta=math.inf), r"'beta' is inf"),
        (lambda: Identity(Simplex(3)), r"'constraint' is Simplex.*must be a Unconstrained"),
        (lambda: tain.create("constraint", "simplex", part=3), r"unknown key 'part'.*parts"),
        (lambda: tain.create("constraint", "box", lower=[0.0]), r"'upper' .* is missing"),
    ],
)
def test_bad_parameters_are_refused_by_name_and_value(build, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        build()


def test_built_from_plain_values_as_in_a_file():
    record = {"name": "simplex", "parts": 3}
    mirror = tain.create("mirror-map", "simplex-entropy", simplex=record, coordinates="additive")
    assert mirror.mirror_shape((3,)) == (2,)
    affine = tain.create("constraint", "affine-subspace", matrix=[[1, 1]], offset=[1])
    assert affine.contains(torch.tensor([[0.25, 0.75]])).all()


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_docstrings(module):
    name = "tain_analytic" if module == "__init__" else f"tain_analytic.{module}"
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert not results.failed


def test_examples_of_the_readme():
    for block in re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
