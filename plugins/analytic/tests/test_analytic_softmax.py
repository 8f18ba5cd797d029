"""Centred log-ratios: the same potential as the other coordinates of the simplex, in a mirror space with one more."""

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.autograd.functional import jvp

import tain
from tain_analytic import Simplex, SimplexEntropy, SimplexSoftmax

each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


def property_test(function):
    checked = given(seed=st.integers(0, 2**63 - 1), parts=st.sampled_from([2, 3, 17, 1000]))(function)
    return each_dtype(settings(max_examples=20, deadline=None, derandomize=True, database=None)(checked))


def shares(parts, dtype, seed):
    """Rows of shares from 1e-6 up."""
    logs = 13 * torch.rand((5, parts), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return logs.softmax(1).to(dtype)


def normal(shape, dtype, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def rounding(dtype):
    return 1e-5 if dtype == torch.float32 else 1e-12


@property_test
def test_round_trip_of_every_share(dtype, parts, seed):
    mirror, x = SimplexSoftmax(Simplex(parts)), shares(parts, dtype, seed)
    y = mirror(x)
    torch.testing.assert_close(mirror.inverse(y), x, rtol=rounding(dtype), atol=0)
    assert (y.sum(1).abs() <= 8 * parts * torch.finfo(dtype).eps * float(y.abs().max())).all()


@property_test
def test_a_common_shift_changes_nothing(dtype, parts, seed):
    mirror, y = SimplexSoftmax(Simplex(parts)), normal((5, parts), dtype, seed)
    torch.testing.assert_close(mirror.inverse(y + 3), mirror.inverse(y), rtol=rounding(dtype), atol=0)
    torch.testing.assert_close(mirror.conjugate(y + 3), mirror.conjugate(y), rtol=rounding(dtype), atol=rounding(dtype))


@property_test
def test_inverse_of_anything_is_in_the_simplex(dtype, parts, seed):
    simplex = Simplex(parts)
    sizes = torch.logspace(-30, 30, 5, dtype=torch.float64)[:, None].to(dtype)
    x = SimplexSoftmax(simplex).inverse(sizes * normal((5, parts), dtype, seed))
    assert (simplex.distance(x) <= 4 * torch.finfo(dtype).eps).all()


@property_test
def test_the_same_potential_as_in_isometric_coordinates(dtype, parts, seed):
    """Distances between mirror images, potentials, conjugates and pairings do not depend on the coordinates."""
    simplex, x = Simplex(parts), shares(parts, dtype, seed)
    centred, isometric = SimplexSoftmax(simplex), SimplexEntropy(simplex)
    y, z = centred(x), isometric(x)
    relative, size = rounding(dtype), float(y.abs().max())
    torch.testing.assert_close(torch.cdist(y, y), torch.cdist(z, z), rtol=relative, atol=10 * relative * size)
    torch.testing.assert_close(centred.potential(x), isometric.potential(x))
    torch.testing.assert_close(centred.conjugate(y), isometric.conjugate(z), rtol=relative, atol=relative * size)
    other = shares(parts, dtype, seed - 1)
    found, expected = centred.pairing(other, y), isometric.pairing(other, z)
    torch.testing.assert_close(found, expected, rtol=relative, atol=relative * size)
    terms = centred.potential(x) + centred.conjugate(y) - centred.pairing(x, y)
    assert (terms.abs() <= relative * size).all()


@property_test
def test_derivatives(dtype, parts, seed):
    mirror, x = SimplexSoftmax(Simplex(parts)), shares(parts, torch.float64, seed)
    v = normal(x.shape, torch.float64, seed)
    v = v - v.mean(1, keepdim=True)
    _, expected = jvp(mirror.forward, x, v)
    torch.testing.assert_close(mirror.hessian_vector(x, v), expected)
    _, expected = jvp(mirror.inverse, mirror(x), v)
    torch.testing.assert_close(mirror.inverse_hessian_vector(x, v), expected)
    torch.testing.assert_close(mirror.inverse_hessian_vector(x, mirror.hessian_vector(x, v)), v, rtol=1e-9, atol=1e-9)
    y = mirror(x).requires_grad_()
    (slope,) = torch.autograd.grad(mirror.conjugate(y).sum(), y)
    torch.testing.assert_close(slope, x - 1 / parts)  # x, less what is orthogonal to every mirror image


def test_rows_are_independent():
    mirror, x = SimplexSoftmax(Simplex(4)), shares(4, torch.float32, 0)
    assert torch.equal(mirror(x)[2:3], mirror(x[2:3]))
    assert mirror(x[:0]).shape == (0, 4)


def test_outside_is_refused_and_the_boundary_finite():
    mirror = SimplexSoftmax(Simplex(3))
    with pytest.raises(tain.OutsideSetError, match=r"row 1 by 0\.2"):
        mirror(torch.tensor([[0.5, 0.25, 0.25], [0.5, 0.25, 0.05]]))
    with pytest.raises(tain.OutsideSetError, match="row 0"):
        mirror(torch.tensor([[torch.nan, 0.5, 0.5]]))
    y = mirror(torch.tensor([[1.0, 0.0, 0.0]]))
    assert torch.isfinite(y).all()
    torch.testing.assert_close(mirror.inverse(y), torch.tensor([[1.0, 0.0, 0.0]]))


def test_it_has_a_potential_but_no_density():
    """log_det would be that of a map onto a plane; a generator's density in the whole space is none on the simplex."""
    mirror = SimplexSoftmax(Simplex(3))
    assert tain.supports(mirror, tain.Potential)
    assert not tain.supports(mirror, tain.Bijective)
    assert type(tain.mirror_for(Simplex(3))) is SimplexEntropy
