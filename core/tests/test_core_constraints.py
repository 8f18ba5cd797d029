"""Constraints: membership, explanations, refusals, and the decorator that makes one of a function."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor, nn

import tain
from tain import ConfigurationError, OutsideSetError, ShapeError


class Flux(tain.Constraint):
    """The numbers of a sample sum to a total."""

    event_ndim = 1

    def __init__(self, total: float = 1.0):
        super().__init__()
        self.total = total
        self.scale = total

    def distance(self, x):
        return (x.sum(-1) - self.total).abs()


class Positive(tain.Constraint):
    """Written as many would: a NaN is not below zero, so this distance overlooks it."""

    event_ndim = 1

    def distance(self, x):
        return torch.where(x < 0, -x, 0.0).sum(-1)


class Images(tain.Constraint):
    event_ndim = 3
    event_shape = (1, 2, 2)

    def distance(self, x):
        return x.flatten(1).norm(dim=1)


class Scalars(tain.Constraint):
    event_ndim = 0

    def distance(self, x):
        return x.abs()


def test_contains_tells_each_sample():
    assert Flux().contains(torch.tensor([[0.5, 0.5], [0.5, 0.6]])).tolist() == [True, False]
    assert Flux().contains(torch.tensor([[0.5, 0.6]]), tolerance=0.2).tolist() == [True]
    assert Scalars().contains(torch.tensor([0.0, 1.0])).tolist() == [True, False]
    assert Flux()(torch.tensor([[0.5, 1.0]])).tolist() == [0.5]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("rule", [Flux(), Positive()], ids=["flux", "positive"])
def test_a_sample_that_is_no_number_throughout_is_outside(rule, bad):
    x = torch.tensor([[0.5, 0.5], [bad, 0.5], [0.5, bad]])
    assert rule.contains(x).tolist() == [True, False, False]
    assert rule.contains(x, tolerance=math.inf).tolist() == [True, False, False]
    explanation = rule.explain(x)
    assert explanation.rows == (1, 2)
    assert all(map(math.isnan, explanation.distances))
    with pytest.raises(OutsideSetError, match="2 of 3 samples are outside, the worst row 1 by nan, row 2 by nan"):
        rule.require(x)


def test_an_explanation_names_the_worst_rows_first():
    x = torch.tensor([[0.5, 0.5], [1.0, 1.0], [1.0, 0.5], [3.0, 0.0], [math.nan, 0.0]])
    explanation = Flux().explain(x, tolerance=0.25)
    assert explanation.rows == (1, 2, 3, 4)
    assert explanation.distances[:3] == (1.0, 0.5, 2.0)
    assert str(explanation) == (
        "Flux: 4 of 5 samples are outside, the worst row 4 by nan, row 3 by 2, row 1 by 1, row 2 by 0.5 "
        "(tolerance 0.25)."
    )


def test_an_explanation_stays_short():
    text = str(Flux().explain(torch.arange(1000.0).reshape(-1, 1) + 2))
    assert "1000 of 1000 samples are outside" in text
    assert "and 995 more" in text
    assert len(text) < 200


def test_an_empty_batch_is_inside():
    empty = torch.empty(0, 3)
    assert Flux().contains(empty).shape == (0,)
    assert Flux().explain(empty).rows == ()
    assert str(Flux().explain(empty)) == "Flux: all 0 samples are inside (tolerance 9.54e-07)."
    Flux().require(empty)
    Scalars().require(torch.empty(0))
    Images().require(torch.empty(0, 1, 2, 2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_tolerance_follows_dtype_and_scale(dtype):
    epsilon = torch.finfo(dtype).eps
    assert Flux().tolerance(dtype) == 8 * epsilon
    assert Flux(4.0).tolerance(dtype) == 32 * epsilon
    assert Flux(4.0).explain(torch.full((1, 2), 2.0, dtype=dtype)).tolerance == 32 * epsilon


def test_float64_samples_are_held_to_more_than_float32_ones():
    x = torch.tensor([[0.5, 0.5 + 3e-7]], dtype=torch.float64)
    assert not Flux().contains(x).item()
    assert Flux().contains(x.float()).item()


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.ones(2, 3, dtype=torch.int64), "dtype torch.int64, but must be floating point. Use x.float()"),
        (torch.ones(2, 3, dtype=torch.bool), "dtype torch.bool"),
        (torch.ones(2, 3, dtype=torch.complex64), "dtype torch.complex64"),
        (torch.ones(3), r"shape \(3,\), but must have one batch dimension and 1 more"),
        (torch.ones(2, 3, 4), r"shape \(2, 3, 4\), but must have one batch dimension and 1 more"),
        ([[0.5, 0.5]], "samples are a list, but must be a tensor. Use torch.as_tensor"),
    ],
)
def test_what_is_no_batch_of_samples_is_refused(x, words):
    for refusing in (Flux().contains, Flux().explain, Flux().require, Flux().require_shape):
        with pytest.raises(ShapeError, match=f"^Flux: .*{words}"):
            refusing(x)


def test_a_rule_of_one_shape_refuses_others():
    Images().require_shape(torch.zeros(5, 1, 2, 2))
    with pytest.raises(ShapeError, match=r"samples have shape \(5, 1, 2, 3\), but must have \(B, 1, 2, 2\)"):
        Images().contains(torch.zeros(5, 1, 2, 3))


def test_a_distance_of_the_wrong_shape_is_the_authors_to_mend():
    class Total(tain.Constraint):
        event_ndim = 1

        def distance(self, x):
            return (x.sum() - 1).abs()

    with pytest.raises(ShapeError, match=r"Total.distance: returned shape \(\) for 4 samples, .* \(4,\)"):
        Total().contains(torch.ones(4, 2))


def test_membership_keeps_no_graph_and_changes_nothing():
    x = torch.tensor([[0.5, 0.5]], requires_grad=True)
    before = x.detach().clone()
    assert not Flux().contains(x).requires_grad
    Flux().require(x)
    assert torch.equal(x.detach(), before)
    assert Flux().distance(x).requires_grad


def test_abstract_classes_cannot_be_built():
    for kind in (tain.Constraint, tain.MirrorMap, tain.Generator, tain.Solver, tain.Projectable, tain.Legendre):
        with pytest.raises(TypeError, match="abstract"):
            kind()


def test_membership_methods_are_final():
    for method in ("contains", "explain", "require", "require_shape"):
        assert getattr(tain.Constraint, method).__final__


def test_a_constraint_shows_its_configuration():
    assert repr(Flux(2)) == "Flux(total=2.0)"


rows = st.lists(st.lists(st.floats(-100, 100), min_size=3, max_size=3), max_size=20)


@settings(deadline=None)
@given(rows, st.floats(0, 10))
def test_contains_explain_and_require_agree(values, tolerance):
    x = torch.tensor(values, dtype=torch.float64).reshape(-1, 3)
    inside = Flux().contains(x, tolerance)
    explanation = Flux().explain(x, tolerance)
    assert set(explanation.rows) == {row for row, is_inside in enumerate(inside.tolist()) if not is_inside}
    assert all(distance > tolerance for distance in explanation.distances)
    if explanation.rows:
        with pytest.raises(OutsideSetError):
            Flux().require(x, tolerance)
    else:
        Flux().require(x, tolerance)


def test_a_decorated_function_is_a_constraint_with_a_name():
    @tain.constraint("unit-flux", event_ndim=1)
    def unit_flux(x, total: float = 1.0, power: int = 1):
        """A fixed total.

        More about it.
        """
        return (x.pow(power).sum(-1) - total).abs()

    x = torch.tensor([[1.0, 1.0]])
    assert isinstance(unit_flux, tain.Constraint)
    assert unit_flux.distance(x).tolist() == unit_flux(x).tolist() == [1.0]
    made = tain.create("constraint", "unit-flux", total=2)
    assert made.contains(x).item()
    assert tain.configuration(made) == {"total": 2.0, "power": 1}
    assert type(made)(3.0, power=2).distance(x).tolist() == [1.0]
    entry = tain.find("constraint", "unit-flux")
    assert (entry.component.summary, entry.plugin.distribution) == ("A fixed total.", "(this program)")
    with pytest.raises(ConfigurationError, match=r"constraint 'unit-flux': unknown key 'totla'. Did you mean: total"):
        tain.create("constraint", "unit-flux", totla=2)
    with pytest.raises(ConfigurationError, match="'total' is 'a'"):
        tain.create("constraint", "unit-flux", total="a")


def test_tensors_and_components_of_a_decorated_function_move_with_it():
    @tain.constraint("near", event_ndim=1)
    def near(x, centre: Tensor = (0.0, 0.0), other: tain.Constraint | None = None):
        return (x - centre).norm(dim=1) + (0 if other is None else other.distance(x))

    made = tain.create("constraint", "near", centre=[1, 1], other=Flux(2.0)).double()
    assert made.distance(torch.ones(1, 2, dtype=torch.float64)).dtype is torch.float64
    assert made.value_centre.dtype is torch.float64
    assert any(isinstance(module, Flux) for module in made.modules())
    assert made.state_dict() == {}


def test_decorating_again_replaces_the_earlier_one():
    def define(factor):
        @tain.constraint("again", event_ndim=1)
        def again(x):
            return factor * x.abs().sum(-1)

        return again

    first, second = define(1), define(2)
    assert [entry.name for entry in tain.entries("constraint")].count("again") == 1
    assert type(tain.create("constraint", "again")) is type(second)
    # A model that holds the first one, trained before a notebook's cell was run again, still has a name.
    assert tain.identify(first).name == "again"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x, *more: x.sum(-1), r"takes '\*more', which cannot be recorded"),
        (lambda x, **more: x.sum(-1), r"takes '\*\*more', which cannot be recorded"),
        (lambda x, total: x.sum(-1), "'total' is missing"),
        (lambda: 0, "takes nothing, but must take the samples first"),
    ],
)
def test_a_function_that_cannot_be_a_constraint_is_refused_and_not_registered(function, words):
    with pytest.raises(ConfigurationError, match=words):
        tain.constraint("odd", event_ndim=1)(function)
    assert {entry.plugin.name for entry in tain.entries("constraint")} == {"tain"}


def test_a_name_of_the_wrong_form_is_refused():
    with pytest.raises(ConfigurationError, match="'Unit Flux', but must be lower-case words joined by hyphens"):
        tain.constraint("Unit Flux", event_ndim=1)(lambda x: x.sum(-1))
    with pytest.raises(ConfigurationError, match="an object of Flux, but must be given a class"):
        tain.Component("flux", Flux())
    assert {entry.plugin.name for entry in tain.entries("constraint")} == {"tain"}


def test_only_classes_of_the_kind_can_be_registered():
    with pytest.raises(ConfigurationError, match="Linear cannot be the constraint 'linear': it is no Constraint"):
        tain.register("constraint", tain.Component("linear", nn.Linear))
    with pytest.raises(ConfigurationError, match="Flux cannot be the generator 'flux': it is no Generator"):
        tain.register("generator", tain.Component("flux", Flux))
    with pytest.raises(ConfigurationError, match=r"Projectable cannot be .*: it lacks distance, project"):
        tain.register("constraint", tain.Component("abstract", tain.Projectable))
