"""The sets of matrices and their maps: properties of random matrices, in float32 and float64, and what they must equal.

A matrix has eigenvalues, so points are made from them: at the edge of each map's range, with some equal or almost so.
"""

import math
import warnings
from collections.abc import Callable

import attrs
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings, strategies as st
from torch import distributions
from torch.autograd.functional import jacobian, jvp
from torch.distributions import transforms

import tain
from tain_analytic import Correlation, LogDeterminant, PartialCorrelations, PositiveDefinite, VonNeumannEntropy
from tain_analytic.symmetric import from_vector, to_vector

ROWS = 7
DTYPES = [torch.float32, torch.float64]


def source(seed):
    return torch.Generator().manual_seed(seed)


def logarithmic(shape, rng, low, high):
    """Numbers whose logarithm is uniform between those of `low` and `high`, in float64."""
    share = torch.rand(shape, generator=rng, dtype=torch.float64)
    return torch.exp(math.log(low) + share * math.log(high / low))


def signs(shape, rng):
    return torch.randint(2, shape, generator=rng).double() * 2 - 1


def normal(shape, rng, dtype=torch.float64):
    return torch.randn(shape, generator=rng, dtype=torch.float64).to(dtype)


def turned(values, rng):
    """Symmetric matrices with given eigenvalues and random eigenvectors: (B, n) to (B, n, n)."""
    count, size = values.shape
    U = torch.linalg.qr(normal((count, size, size), rng)).Q
    X = (U * values[:, None]) @ U.mT
    return (X + X.mT) / 2


def spectra(size, rng, sizes, ratio, least):
    """Eigenvalues: the largest within `sizes`, the least `ratio` times it or times `least`, if that is less."""
    largest = logarithmic((ROWS, 1), rng, *sizes)
    smallest = ratio * largest.clamp(max=least)
    share = torch.rand((ROWS, size), generator=rng, dtype=torch.float64)
    share[:, :1], share[:, 1:2] = 1, 0
    share[1, 1:] = 1  # all equal
    share[2, :-1] = 1  # all but one
    share[3] = 1 - 1e-9 * share[3]  # almost
    return smallest * (largest / smallest) ** share


@attrs.frozen
class Subject:
    """A map, the range of its points, and which ranges are less."""

    name: str
    build: Callable[[], tain.Bijective]
    sizes: tuple[float, float] = (1.0, 1.0)  # of the largest eigenvalue
    ratio: tuple[float, float] = (1e-6, 1e-6)  # of the least eigenvalue to it, in float32 and in float64
    least: float = math.inf  # or to this number
    fading: bool = False  # towards the boundary, round trips are to the root of a rounding error

    def mixed(self, rng, dtype, ratio=None):
        """Points at the edge of the range of round trips, and within it."""
        ratio = ratio or self.ratio[DTYPES.index(dtype)]
        constraint = self.build().constraint
        if isinstance(constraint, Correlation):
            x = constraint.retract(turned(spectra(constraint.event_shape[0], rng, (1, 1), ratio, 1), rng), ratio / 10)
        else:
            x = turned(spectra(constraint.event_shape[0], rng, self.sizes, ratio, self.least), rng)
        return x.to(dtype)

    def gentle(self, rng, dtype):
        """The same, where float32 can hold a Hessian and its inverse at once."""
        return self.mixed(rng, dtype, 0.05 if dtype == torch.float32 else None)

    def images(self, rng, dtype):
        """Any finite mirror images from 0 to 1e30 in size: each entry, or each row, of a size of its own."""
        shape = (ROWS, *self.build().mirror_shape(self.build().constraint.event_shape))
        entries = logarithmic(shape, rng, 1e-30, 1e30) * signs(shape, rng)
        rows = normal(shape, rng).clamp(-1, 1) * logarithmic((ROWS, 1), rng, 1e-30, 1e30)
        one = torch.where(torch.rand(shape, generator=rng) < 0.3, entries, 0)
        special = torch.stack([torch.full(shape[1:], v, dtype=torch.float64) for v in (0, 1e30, -1e30, 1e-30)])
        return torch.cat([entries, rows, one, 30 * normal(shape, rng), special]).to(dtype)


def determinant(size, power=1.0):
    return Subject(
        f"log-determinant-{size}-{power}",
        lambda: LogDeterminant(PositiveDefinite(size), power),
        sizes=(1e-3, 1e3),
        ratio=(1e-2, 1e-3),
        least=1.0,
        fading=True,
    )


def entropy(size, linear_from=1e6, sizes=(1e-9, 1e12)):
    name = f"von-neumann-entropy-{size}-{linear_from:g}"
    return Subject(name, lambda: VonNeumannEntropy(PositiveDefinite(size), linear_from), sizes)


def partial(size):
    return Subject(f"partial-correlations-{size}", lambda: PartialCorrelations(Correlation(size)))


LEGENDRE = [
    *(determinant(size) for size in (1, 2, 5)),
    determinant(3, power=0.4),
    *(entropy(size) for size in (1, 3)),
    entropy(4, 1.5, (0.1, 30.0)),  # its corner is among the eigenvalues
]
SUBJECTS = [*LEGENDRE, *(partial(size) for size in (2, 5))]


def over(subjects):
    return pytest.mark.parametrize("subject", subjects, ids=lambda subject: subject.name)


each_subject, each_legendre = over(SUBJECTS), over(LEGENDRE)
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
seeded = given(seed=st.integers(0, 2**63 - 1))
often = settings(max_examples=10, deadline=None, derandomize=True, database=None)


def property_test(subjects):
    """Run for random seeds, each subject and both dtypes. Derandomised: the same examples in every run."""
    return lambda function: over(subjects)(each_dtype(often(seeded(function))))


def symmetric_like(x, rng):
    v = normal(x.shape, rng)
    return (v + v.mT).to(x.dtype)


def close(found, expected, relative, scale=0.0):
    """Whether the largest error of each row is within `relative` of the row's largest entry, or of `scale`."""
    found, expected = (z.detach().double().reshape(len(z), -1) for z in (found, expected))
    error = (found - expected).abs().amax(1)
    size = expected.abs().amax(1).clamp(min=scale)
    assert torch.isfinite(found).all()
    assert (error <= relative * size).all(), f"relative errors {(error / size).tolist()}"


def precise(dtype):
    return 1e-8 if dtype == torch.float64 else 2e-3


def chart(constraint, u):
    """A sample by the free entries of its lower triangle: as many as mirror images have."""
    size = constraint.event_shape[0]
    offset = -1 if isinstance(constraint, Correlation) else 0
    rows, columns = torch.tril_indices(size, size, offset)
    x = torch.eye(size, dtype=u.dtype) if offset else torch.zeros((size, size), dtype=u.dtype)
    return x.index_put((rows, columns), u).index_put((columns, rows), u)[None]


def lower(constraint, x):
    size = constraint.event_shape[0]
    return x[tuple(torch.tril_indices(size, size, -1 if isinstance(constraint, Correlation) else 0))]


@property_test(SUBJECTS)
def test_inverse_undoes_forward(subject, dtype, seed):
    mirror, x = subject.build(), subject.mixed(source(seed), dtype)
    close(mirror.inverse(mirror.forward(x)), x, 1e-5 if dtype == torch.float32 else 1e-12)


@each_dtype
@often
@seeded
def test_round_trip_of_the_entropy_over_forty_orders_of_magnitude(dtype, seed):
    x = turned(logarithmic((ROWS, 4), source(seed), 1e-20, 1e20), source(seed)).to(dtype)
    mirror = VonNeumannEntropy(PositiveDefinite(4))
    close(mirror.inverse(mirror.forward(x)), x, 1e-5 if dtype == torch.float32 else 1e-12)


@property_test(SUBJECTS)
def test_forward_undoes_inverse(subject, dtype, seed):
    mirror = subject.build()
    shape = mirror.mirror_shape(mirror.constraint.event_shape)
    y = normal((ROWS, *shape), source(seed), dtype).clamp(-2, 2)
    close(mirror.forward(mirror.inverse(y)), y, precise(dtype))


@property_test(SUBJECTS)
def test_inverse_is_in_the_set(subject, dtype, seed):
    mirror, y = subject.build(), subject.images(source(seed), dtype)
    x = mirror.inverse(y)
    assert torch.isfinite(x).all()
    assert torch.equal(x, x.mT)
    assert not mirror.constraint.distance(x).any()
    assert torch.isfinite(mirror.forward(x)).all()
    if isinstance(mirror, PartialCorrelations):
        assert (x.diagonal(dim1=1, dim2=2) == 1).all()


@property_test(LEGENDRE)
def test_forward_is_the_gradient_of_the_potential(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    x = subject.mixed(rng, dtype).requires_grad_()
    (slope,) = torch.autograd.grad(mirror.potential(x).sum(), x)
    close(to_vector(slope), mirror.forward(x), precise(dtype), scale=1e-6)


@property_test(LEGENDRE)
def test_inverse_is_the_gradient_of_the_conjugate(subject, dtype, seed):
    mirror = subject.build()
    y = mirror.forward(subject.mixed(source(seed), dtype)).detach().requires_grad_()
    (slope,) = torch.autograd.grad(mirror.conjugate(y).sum(), y)
    close(slope, to_vector(mirror.inverse(y)), precise(dtype))


@property_test(LEGENDRE)
def test_fenchel_equality(subject, dtype, seed):
    mirror, x = subject.build(), subject.mixed(source(seed), dtype)
    y = mirror.forward(x)
    terms = torch.stack([mirror.potential(x), mirror.conjugate(y), -mirror.pairing(x, y)], 1)
    size = terms.abs().amax(1) + x.abs().flatten(1).amax(1) * y.abs().amax(1)
    assert (terms.sum(1).abs() <= 60 * torch.finfo(dtype).eps * (size + 1)).all()


@property_test(LEGENDRE)
def test_fenchel_inequality_and_monotonicity(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    x, other = subject.mixed(rng, dtype), subject.mixed(rng, dtype)
    y, far = mirror.forward(x), mirror.forward(other)
    rounding = 60 * torch.finfo(dtype).eps
    size = (1 + x.abs().amax() + other.abs().amax()) * (1 + y.abs().amax() + far.abs().amax())
    assert (mirror.potential(x) + mirror.conjugate(far) - mirror.pairing(x, far) >= -rounding * size).all()
    assert (mirror.pairing(x - other, y - far) >= -rounding * size).all()
    assert (mirror.pairing(x[4:] - other[4:], y[4:] - far[4:]) > 0).all()


@property_test(LEGENDRE)
def test_hessian_vector_is_the_derivative_of_forward(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    x = subject.mixed(rng, dtype)
    v = symmetric_like(x, rng)
    _, expected = jvp(mirror.forward, x, v)
    close(mirror.hessian_vector(x, v), expected, precise(dtype))


@property_test(LEGENDRE)
def test_inverse_hessian_vector_is_the_derivative_of_inverse(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    y = mirror.forward(subject.gentle(rng, dtype))
    w = normal(y.shape, rng, dtype)
    _, expected = jvp(mirror.inverse, y, w)
    close(mirror.inverse_hessian_vector(mirror.inverse(y), w), expected, precise(dtype))


@property_test(LEGENDRE)
def test_hessian_vectors_undo_each_other(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    x = subject.gentle(rng, dtype)
    v = symmetric_like(x, rng)
    close(mirror.inverse_hessian_vector(x, mirror.hessian_vector(x, v)), v, precise(dtype))


@property_test(LEGENDRE)
def test_hessian_is_symmetric_and_positive(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    x = subject.mixed(rng, dtype)
    v, w = symmetric_like(x, rng), symmetric_like(x, rng)
    Hv, Hw = mirror.hessian_vector(x, v), mirror.hessian_vector(x, w)
    assert (mirror.pairing(v, Hv) > 0).all()
    size = (mirror.pairing(v, Hv) * mirror.pairing(w, Hw)).sqrt()
    assert ((mirror.pairing(v, Hw) - mirror.pairing(w, Hv)).abs() <= precise(dtype) * size).all()


@over(SUBJECTS)
@often
@seeded
def test_log_det_is_that_of_the_jacobian(subject, seed):
    mirror = subject.build()
    for row in subject.mixed(source(seed), torch.float64, 1e-2)[:4]:
        u = lower(mirror.constraint, row)
        J = jacobian(lambda u: mirror.forward(chart(mirror.constraint, u))[0], u)
        close(mirror.log_det(row[None]), torch.linalg.slogdet(J).logabsdet[None], 1e-8, scale=1.0)
        rounded = row[None].float()
        close(mirror.log_det(rounded), mirror.log_det(rounded.double()), 1e-4, scale=1.0)


@over(SUBJECTS)
@often
@seeded
def test_gradient_of_log_det_is_the_limit_of_differences(subject, seed):
    mirror, rng = subject.build(), source(seed)
    x = subject.mixed(rng, torch.float64, 0.1)
    v = symmetric_like(x, rng)
    if isinstance(mirror, PartialCorrelations):
        v = v - torch.diag_embed(v.diagonal(dim1=1, dim2=2))
    v = v * torch.linalg.eigvalsh(x)[:, :1, None] / v.abs().flatten(1).sum(1)[:, None, None]  # stays far inside
    expected = (mirror.log_det(x + 1e-5 * v) - mirror.log_det(x - 1e-5 * v)) / 2e-5
    (slope,) = torch.autograd.grad(mirror.log_det(x.requires_grad_()).sum(), x)
    assert torch.allclose((slope * v).sum((1, 2)), expected, rtol=0, atol=1e-6)


def outputs(mirror, x, y, v, w):
    """Everything that a map computes of a batch of points and one of images, by name."""
    found = {"forward": mirror.forward(x), "inverse": mirror.inverse(y), "log_det": mirror.log_det(x)}
    if isinstance(mirror, tain.Legendre):
        found["potential"] = mirror.potential(x)
        found["conjugate"] = mirror.conjugate(y)
        found["hessian_vector"] = mirror.hessian_vector(x, v)
        found["inverse_hessian_vector"] = mirror.inverse_hessian_vector(x, w)
        found["pairing"] = mirror.pairing(x, y)
    return found


@property_test(SUBJECTS)
def test_each_row_on_its_own_and_nothing_in_place(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    x = subject.mixed(rng, dtype)
    y = mirror.forward(subject.mixed(rng, dtype))
    batch = (x, y, symmetric_like(x, rng), normal(y.shape, rng, dtype))
    before = [z.clone() for z in batch]
    whole = outputs(mirror, *batch)
    assert all(torch.equal(z, copy) for z, copy in zip(batch, before, strict=True))

    others = [torch.cat([z[:1], z[1:].flip(0)]) for z in batch]
    for name, value in outputs(mirror, *others).items():
        assert torch.equal(value[0], whole[name][0]), f"{name} of row 0 changed with its neighbours"
    for name, value in outputs(mirror, *(z[:1] for z in batch)).items():  # other kernels may sum in another order
        close(value, whole[name][:1], 1e-12 if dtype == torch.float64 else 1e-6, scale=1e-3)
    for name, value in outputs(mirror, *(z[:0] for z in batch)).items():
        assert value.shape == (0, *whole[name].shape[1:])
        assert value.dtype == dtype


def edge(constraint, dtype):
    """Singular matrices, in rows: of zeros, of rank one, and with a zero beside others; and the identity."""
    size = constraint.event_shape[0]
    one = torch.ones((size, size), dtype=torch.float64)
    sign = torch.tensor([(-1.0) ** k for k in range(size)], dtype=torch.float64)
    identity = torch.eye(size, dtype=torch.float64)
    pair = identity.clone()
    pair[:2, :2] = -1 if size > 1 else 0
    pair[range(size), range(size)] = 1
    rows = [one, sign[:, None] * sign, pair, identity]
    if isinstance(constraint, PositiveDefinite):
        rows += [0 * one, one / size, 1e-10 * one, torch.diag(torch.arange(size)).double(), 1e10 * pair]
    return torch.stack(rows).to(dtype)


@each_subject
@each_dtype
def test_results_and_gradients_are_finite_on_the_boundary(subject, dtype):
    mirror = subject.build()
    x = edge(mirror.constraint, dtype).requires_grad_()
    functions = [mirror.forward, mirror.log_det]
    if isinstance(mirror, tain.Legendre):
        v = symmetric_like(x, source(0))
        w = normal(mirror.forward(x).shape, source(1), dtype)
        functions += [mirror.potential, lambda x: mirror.inverse_hessian_vector(x, w)]
        large = x.detach().abs().flatten(1).amax(1) > 1e-9
        assert torch.isfinite(mirror.hessian_vector(x, v)).all()
        functions.append(lambda x: mirror.hessian_vector(x[large], v[large]))  # third derivatives of 0 overflow
    for function in functions:
        value = function(x)
        assert torch.isfinite(value).all()
        (slope,) = torch.autograd.grad(value.sum(), x)
        assert torch.isfinite(slope).all()
    error = 5 * math.sqrt(torch.finfo(dtype).eps) if subject.fading else 1e-5 if dtype == torch.float32 else 1e-12
    if isinstance(mirror, PartialCorrelations):
        error = x.shape[1] * (2e-6 if dtype == torch.float32 else 1e-14)
    close(mirror.inverse(mirror.forward(x)), x, error, scale=1e-9)


@property_test(SUBJECTS)
def test_gradients_of_inverse_and_conjugate_are_finite(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    y = subject.images(rng, dtype).requires_grad_()
    x = mirror.inverse(y)
    (slope,) = torch.autograd.grad((normal(x.shape, rng, dtype) * x).sum(), y)
    assert torch.isfinite(slope).all()
    if isinstance(mirror, tain.Legendre):
        value = mirror.conjugate(y)
        (slope,) = torch.autograd.grad(value[torch.isfinite(value)].sum(), y)
        assert torch.isfinite(slope).all()


@each_legendre
@each_dtype
def test_derivative_of_inverse_at_zero(subject, dtype):
    """Where all eigenvalues of the image are equal."""
    mirror, rng = subject.build(), source(1)
    y = torch.zeros_like(mirror.forward(subject.mixed(rng, dtype)))
    w = normal(y.shape, rng, dtype)
    _, expected = jvp(mirror.inverse, y, w)
    close(mirror.inverse_hessian_vector(mirror.inverse(y), w), expected, 1e-5)
    assert float(expected.abs().amax()) > 0.1


@each_subject
def test_float64_accuracy_survives_float(subject):
    mirror, cast = subject.build(), subject.build().half().float()
    x = subject.mixed(source(2), torch.float64)
    assert torch.equal(mirror.forward(x), cast.forward(x))
    assert not list(mirror.state_dict())


@each_subject
@each_dtype
def test_saved_and_loaded(subject, dtype, tmp_path):
    mirror = subject.build()
    tain.save(mirror, tmp_path / "model")
    loaded = tain.load(tmp_path / "model")
    x = subject.mixed(source(3), dtype)
    assert type(loaded) is type(mirror)
    assert torch.equal(loaded.forward(x), mirror.forward(x))
    assert torch.equal(loaded.inverse(mirror.forward(x)), mirror.inverse(mirror.forward(x)))


@each_subject
@each_dtype
def test_points_outside_are_refused_by_row(subject, dtype):
    mirror = subject.build()
    x = subject.mixed(source(4), dtype)
    x[2] = torch.nan
    with pytest.raises(tain.OutsideSetError, match="1 of 7 samples are outside, the worst row 2 by nan"):
        mirror.forward(x)
    size = x.shape[1]
    x[2], x[5] = torch.eye(size), -torch.eye(size) * (x[5].abs().max() + 1)
    with pytest.raises(tain.OutsideSetError, match="1 of 7 samples are outside, the worst row 5 by "):
        mirror.forward(x)
    if size > 1:
        x[5] = torch.eye(size)
        x[5, 0, 1] = 0.1  # and not [5, 1, 0]
        with pytest.raises(tain.OutsideSetError, match=r"the worst row 5 by 0\.0707"):
            mirror.forward(x)


@each_subject
def test_shapes(subject):
    mirror = subject.build()
    shape, name = mirror.constraint.event_shape, type(mirror).__name__
    image = mirror.mirror_shape(shape)
    assert mirror.forward(subject.mixed(source(5), torch.float32)).shape[1:] == image
    assert mirror.primal_shape(image) == shape
    for wrong in ((2,), (4,), (0,), (3, 3), ()):
        with pytest.raises(tain.ShapeError, match=rf"{name}: mirror images have shape \({', '.join(map(str, wrong))}"):
            mirror.primal_shape(wrong)
    with pytest.raises(tain.ShapeError, match=rf"{name}: mirror images have shape \(2, {image[0] + 1}\)"):
        mirror.inverse(torch.zeros(2, image[0] + 1))


def test_vectors_are_isometric():
    rng = source(6)
    X, Y = (symmetric_like(torch.zeros(20, 5, 5).double(), rng) for _ in range(2))
    trace = (X @ Y).diagonal(dim1=1, dim2=2).sum(1)
    torch.testing.assert_close((to_vector(X) * to_vector(Y)).sum(1), trace)
    torch.testing.assert_close(LogDeterminant(PositiveDefinite(5)).pairing(X, to_vector(Y)), trace)
    torch.testing.assert_close(from_vector(to_vector(X), 5, "X"), X, rtol=1e-15, atol=0)


@often
@seeded
def test_log_determinant_against_the_inverse_matrix(seed):
    """torch's inverse and its derivative know nothing of eigenvalues."""
    mirror, rng = LogDeterminant(PositiveDefinite(5)), source(seed)
    x = turned(spectra(5, rng, (0.1, 10), 1e-2, 1), rng)
    v = symmetric_like(x, rng)
    y, expected = jvp(lambda x: to_vector(x - torch.linalg.inv(x)), x, v)
    close(mirror.forward(x), y, 1e-11, scale=1)
    close(mirror.hessian_vector(x, v), expected, 1e-11)
    value = x.square().sum((1, 2)) / 2 - torch.logdet(x)
    close(mirror.potential(x), value, 1e-11, scale=1)
    x = x.requires_grad_()
    (slope,) = torch.autograd.grad((mirror.forward(x) * to_vector(v)).sum(), x)
    close(to_vector(slope), expected, 1e-11)


@often
@seeded
def test_von_neumann_entropy_against_the_matrix_logarithm_and_exponential(seed):
    mirror, rng = VonNeumannEntropy(PositiveDefinite(4)), source(seed)
    x = turned(spectra(4, rng, (0.1, 1e4), 1e-3, 1), rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy doubts its own digits from 1e-12 on
        logs = torch.stack([torch.from_numpy(scipy.linalg.logm(row.numpy())) for row in x])
    close(mirror.forward(x), to_vector(logs), 1e-10, scale=1)
    close(mirror.potential(x), ((x @ logs) - x).diagonal(dim1=1, dim2=2).sum(1), 1e-9, scale=1)
    y = mirror.forward(x)
    expected = torch.stack([torch.from_numpy(scipy.linalg.expm(row.numpy())) for row in from_vector(y, 4, "y")])
    close(mirror.inverse(y), expected, 1e-11)
    w = normal(y.shape, rng)
    _, expected = jvp(lambda y: torch.linalg.matrix_exp(from_vector(y, 4, "y")), y, w)
    close(mirror.inverse_hessian_vector(x, w), expected, 1e-9)
    close(mirror.hessian_vector(x, expected), w, 1e-9)


@pytest.mark.parametrize("size", [1, 2, 6])
def test_derivatives_at_the_identity_are_exact(size):
    """All eigenvalues are equal there; differentiating eigenvectors would give NaN."""
    x = torch.eye(size, dtype=torch.float64)[None].requires_grad_()
    v = symmetric_like(x, source(7))
    for mirror, factor, volume in (
        (LogDeterminant(PositiveDefinite(size)), 2, -(size + 1) / 2),
        (VonNeumannEntropy(PositiveDefinite(size)), 1, -(size + 1) / 2),
    ):
        (slope,) = torch.autograd.grad((mirror.forward(x) * to_vector(v)).sum(), x)
        close(slope, factor * v, 1e-14)
        close(mirror.hessian_vector(x, v), factor * to_vector(v), 1e-14)
        y = mirror.forward(x).detach().requires_grad_()
        (slope,) = torch.autograd.grad((mirror.inverse(y) * v).sum(), y)
        close(slope, to_vector(v) / factor, 1e-14)
        (slope,) = torch.autograd.grad(mirror.log_det(x).sum(), x)
        close(slope, volume * x, 1e-13)
        (slope,) = torch.autograd.grad(mirror.potential(x).sum(), x)
        close(slope, 0 * x, 1e-15, scale=1)


@pytest.mark.parametrize("gap", [0.0, 1e-15, 1e-12, 1e-8, 1e-4, 0.1, 0.19999, 0.20001, 0.5, 1.0, 1e3, 1e12])
def test_divided_differences_do_not_cancel(gap):
    corner = 1e6
    for a in (1e-3, 1.0, 700.0, 9e5, 1e7):
        a, b = torch.tensor([a, a * (1 + gap)], dtype=torch.float64).tolist()
        x = torch.diag(torch.tensor([a, b], dtype=torch.float64))[None]
        v = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]], dtype=torch.float64)
        near_a, near_b = min(a, corner), min(b, corner)
        d = (near_b - near_a) / near_a
        slope = 1 / near_a if a == b else (math.log1p(d) + (b - near_b - a + near_a) / corner) / (b - a)
        for mirror, expected, margin in (
            (LogDeterminant(PositiveDefinite(2)), 1 + 1 / a / b, 2e-8 * min(b, 1)),
            (VonNeumannEntropy(PositiveDefinite(2), corner), slope, 1e-15 * b),
        ):
            found = mirror.hessian_vector(x, v)[0, 1].item() / math.sqrt(2)
            assert a < margin or found == pytest.approx(expected, rel=2e-14)


def test_the_entropy_goes_on_smoothly_as_a_square():
    mirror = VonNeumannEntropy(PositiveDefinite(1), linear_from=2.0)
    s = torch.tensor([2 - 1e-9, 2.0, 2 + 1e-9, 5.0], dtype=torch.float64)[:, None, None]
    one = torch.ones_like(s)
    value, slope = mirror.potential(s), mirror.forward(s)[:, 0]
    torch.testing.assert_close(value[:3], torch.full((3,), 2 * math.log(2) - 2, dtype=s.dtype), rtol=0, atol=2e-9)
    torch.testing.assert_close(slope[:3], torch.full((3,), math.log(2), dtype=s.dtype), rtol=0, atol=1e-9)
    torch.testing.assert_close(
        mirror.hessian_vector(s, one)[:, 0], torch.full((4,), 0.5, dtype=s.dtype), rtol=1e-8, atol=0
    )
    assert value[3].item() == pytest.approx(2 * math.log(2) - 2 + 3 * math.log(2) + 9 / 4)
    assert slope[3].item() == pytest.approx(math.log(2) + 1.5)


@pytest.mark.parametrize("values", [(1.0, 1.0, 1.0), (1.0, 1.0, 3.0), (1.0, 1.0 + 1e-9, 1.1), (0.1, 1.0, 4.0)], ids=str)
def test_second_derivatives(values):
    """Those of `forward` and `inverse`, which are also the first of the Hessian's products in x."""
    rng = source(7)
    x = turned(torch.tensor([values], dtype=torch.float64), rng).requires_grad_()
    v = normal(x.shape, rng).requires_grad_()
    for mirror in (
        LogDeterminant(PositiveDefinite(3)),
        VonNeumannEntropy(PositiveDefinite(3)),
        VonNeumannEntropy(PositiveDefinite(3), 2.0),
    ):
        y = mirror.forward(x).detach().requires_grad_()
        w = normal(y.shape, rng).requires_grad_()

        def image(z, mirror=mirror):
            return mirror.forward((z + z.mT) / 2)

        assert torch.autograd.gradgradcheck(image, x)
        assert torch.autograd.gradgradcheck(mirror.inverse, y)
        assert torch.autograd.gradcheck(mirror.hessian_vector, (x, v))
        assert torch.autograd.gradcheck(mirror.inverse_hessian_vector, (x, w))


def test_derivatives_that_are_not_known_are_refused_and_not_zero():
    mirror = LogDeterminant(PositiveDefinite(3))
    x = mirror.constraint.interior(2, rng=0).requires_grad_()
    (slope,) = torch.autograd.grad(mirror.constraint.project(x - 1).square().sum(), x, create_graph=True)
    with pytest.raises(tain.MissingCapabilityError, match="differentiated more often than it can be"):
        torch.autograd.grad(slope.sum(), x)
    (slope,) = torch.autograd.grad(mirror.hessian_vector(x, torch.ones_like(x)).sum(), x, create_graph=True)
    with pytest.raises(tain.MissingCapabilityError, match="mirror maps twice, projections and retractions once"):
        slope.square().sum().backward()


def test_half_precision_is_refused():
    for mirror in (LogDeterminant(PositiveDefinite(2)), VonNeumannEntropy(PositiveDefinite(2))):
        with pytest.raises(tain.ShapeError, match=r"dtype torch\.float16, .* Use x\.float\(\)"):
            mirror.forward(torch.eye(2, dtype=torch.float16)[None])


@pytest.mark.parametrize("size", [2, 3, 6])
def test_partial_correlations_are_those_of_torch(size):
    mirror, transform = PartialCorrelations(Correlation(size)), transforms.CorrCholeskyTransform()
    y = normal((10, size * (size - 1) // 2), source(8))
    L = transform(y)
    C = L @ L.mT
    torch.testing.assert_close(mirror.inverse(y), C)
    torch.testing.assert_close(mirror(C), y)
    for row, found in zip(y, mirror.log_det(C), strict=True):
        entries = jacobian(lambda u: lower(mirror.constraint, (lambda L: L @ L.mT)(transform(u))), row)
        torch.testing.assert_close(-found, torch.linalg.slogdet(entries).logabsdet)


def test_density_of_the_mirror_image_of_an_lkj_matrix():
    """For two rows the mirror space is a line, on which the density of the image must integrate to one."""
    mirror = PartialCorrelations(Correlation(2))
    y = torch.linspace(-15, 15, 100_001, dtype=torch.float64)[:, None]
    x = mirror.inverse(y)
    log_density = distributions.Beta(torch.tensor(2.0).double(), 2.0).log_prob((1 + x[:, 1, 0]) / 2) - math.log(2)
    total = torch.trapezoid((log_density - mirror.log_det(x)).exp(), y[:, 0])
    torch.testing.assert_close(total, torch.tensor(1.0, dtype=torch.float64), rtol=1e-7, atol=0)


def test_density_of_the_mirror_image_of_a_gamma_number():
    """A Wishart matrix of one row is a gamma distributed number."""
    y = torch.linspace(-60, 60, 200_001, dtype=torch.float64)[:, None]
    gamma = distributions.Gamma(torch.tensor(8.0).double(), 2.0)
    for mirror in (LogDeterminant(PositiveDefinite(1)), VonNeumannEntropy(PositiveDefinite(1))):
        x = mirror.inverse(y)
        density = (gamma.log_prob(x[:, 0, 0]) - mirror.log_det(x)).exp()
        torch.testing.assert_close(torch.trapezoid(density, y[:, 0]).item(), 1.0, rtol=1e-8, atol=0)


SETS = [PositiveDefinite(1), PositiveDefinite(2), PositiveDefinite(5), Correlation(2), Correlation(6)]


def over_sets(constraints):
    return pytest.mark.parametrize("constraint", constraints, ids=lambda c: f"{type(c).__name__}-{c.event_shape[0]}")


each_set, each_cone = over_sets(SETS), over_sets(SETS[:3])


def anywhere(constraint, rng, dtype):
    """Matrices that are not symmetric, of sizes from 1e-3 to 1e3."""
    return (normal((ROWS, *constraint.event_shape), rng) * logarithmic((ROWS, 1, 1), rng, 1e-3, 1e3)).to(dtype)


@each_cone
@each_dtype
@often
@seeded
def test_projection_is_the_nearest_point(constraint, dtype, seed):
    rng = source(seed)
    x = anywhere(constraint, rng, dtype)
    projected = constraint.project(x)
    assert projected.dtype == dtype
    assert torch.equal(projected, projected.mT)
    assert not constraint.distance(projected).any()
    away = (x - projected).double().flatten(1).norm(dim=1)
    rounding = 30 * torch.finfo(dtype).eps * x.double().flatten(1).norm(dim=1)
    assert ((constraint.distance(x).double() - away).abs() <= rounding).all()
    for step in (1e-3, 1e-1, 10.0):
        size = projected.double().flatten(1).norm(dim=1)[:, None, None]
        for near in (projected.double() + step * size * turned(normal((ROWS, x.shape[1]), rng), rng), 0 * x.double()):
            tried = constraint.project(near)
            assert ((x - tried).flatten(1).norm(dim=1) >= away - rounding).all()
    assert ((constraint.project(projected) - projected).double().flatten(1).norm(dim=1) <= rounding).all()


@each_cone
@each_dtype
def test_projection_and_distance_at_any_size(constraint, dtype):
    size = constraint.event_shape[0]
    for length in (1e30, 1e-30):
        x = torch.diag(torch.tensor([-1.0] + [2.0] * (size - 1), dtype=torch.float64))[None] * length
        far = torch.tensor([length], dtype=dtype)
        torch.testing.assert_close(constraint.distance(x.to(dtype)), far, rtol=1e-5, atol=0)
        torch.testing.assert_close(constraint.project(x.to(dtype)), x.clamp(min=0).to(dtype), rtol=1e-6, atol=0)


def test_distance_counts_what_is_not_symmetric():
    x = torch.tensor([[[5.0, 3.0], [1.0, 5.0]]])
    torch.testing.assert_close(PositiveDefinite(2).distance(x), torch.tensor([math.sqrt(2)]))
    x = torch.tensor([[[1.0, 0.3], [0.1, 1.0]], [[1.2, 0.1], [0.1, 0.6]], [[1.0, 2.0], [2.0, 1.0]]])
    expected = torch.tensor([math.sqrt(0.02), math.sqrt(0.2), 1.0])
    torch.testing.assert_close(Correlation(2).distance(x), expected, rtol=1e-5, atol=0)


@each_set
@each_dtype
@often
@seeded
def test_distance(constraint, dtype, seed):
    rng = source(seed)
    x = anywhere(constraint, rng, dtype).requires_grad_()
    distance = constraint.distance(x)
    assert distance.shape == (ROWS,)
    assert (distance >= 0).all()
    for z in (x, torch.zeros_like(x), torch.eye(x.shape[1], dtype=dtype).expand_as(x), constraint.retract(x)):
        z = z.detach().requires_grad_()
        for function in (constraint.distance, constraint.retract):
            (slope,) = torch.autograd.grad(function(z).sum(), z)
            assert torch.isfinite(slope).all()
    neighbours = torch.cat([x[:1], 1e20 * x[1:]])
    assert torch.equal(constraint.distance(neighbours)[0], distance[0])
    assert torch.equal(constraint.retract(neighbours)[0], constraint.retract(x)[0])
    spoilt = torch.cat([x[:1], torch.nan * x[1:2], torch.inf * x[2:3]])
    assert torch.equal(constraint.distance(spoilt)[0], distance[0])
    assert constraint.distance(spoilt)[1:].isnan().all()
    assert constraint.distance(x[:0]).shape == (0,)
    assert constraint.retract(x[:0]).shape == x[:0].shape


@each_set
@each_dtype
@often
@seeded
def test_interior_points(constraint, dtype, seed):
    state = torch.random.get_rng_state()
    x = constraint.interior(50, rng=seed, dtype=dtype)
    assert x.shape == (50, *constraint.event_shape)
    assert x.dtype == dtype
    assert not constraint.distance(x).any()
    assert torch.equal(x, x.mT)
    assert torch.equal(x, constraint.interior(50, rng=source(seed), dtype=dtype))
    assert not torch.equal(x, constraint.interior(50, dtype=dtype))
    assert torch.equal(state, torch.random.get_rng_state())
    assert not constraint.near_boundary(x, 0.019).any()


@each_set
@each_dtype
@often
@seeded
def test_retraction(constraint, dtype, seed):
    rng = source(seed)
    x = torch.cat([anywhere(constraint, rng, dtype), edge(constraint, dtype)])
    before = x.clone()
    for margin in (0.0, 1e-3, 0.1):
        retracted = constraint.retract(x, margin)
        assert not constraint.distance(retracted).any()
        rounding = 4 * torch.finfo(dtype).eps * float(retracted.abs().max())
        assert not constraint.near_boundary(retracted, margin - 8 * rounding).any()
    assert torch.equal(x, before)
    assert constraint.retraction
    x = constraint.interior(ROWS, rng=rng, dtype=dtype)
    assert torch.equal(constraint.retract(x, 0.01), x)
    assert torch.equal(constraint.retract(x), x)
    assert constraint.near_boundary(edge(constraint, dtype)[:1], 1e-3).all() == (x.shape[1] > 1)


def test_retraction_of_a_covariance_is_its_correlation():
    x = turned(torch.tensor([[1.0, 2.0, 30.0]]).double(), source(9))
    deviation = x.diagonal(dim1=1, dim2=2).sqrt()
    torch.testing.assert_close(Correlation(3).retract(x), x / deviation[:, :, None] / deviation[:, None])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PositiveDefinite(0), r"'size' is 0, but must be at least 1"),
        (lambda: Correlation(1), r"'size' is 1, but must be at least 2"),
        (lambda: VonNeumannEntropy(PositiveDefinite(2), 0.0), r"'linear_from' is 0\.0, but must be above 0"),
        (lambda: VonNeumannEntropy(PositiveDefinite(2), math.inf), r"'linear_from' is inf"),
        (lambda: LogDeterminant(Correlation(2)), r"'positive_definite' is Correlation.*must be a PositiveDefinite"),
        (lambda: PositiveDefinite(2).retract(torch.eye(2)[None], -1.0), r"'margin' is -1\.0"),
        (lambda: Correlation(2).retract(torch.eye(2)[None], 1.0), r"'margin' is 1\.0, .* below 1"),
    ],
)
def test_bad_parameters_are_refused_by_name_and_value(build, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        build()


def test_maps_that_are_found():
    cone, correlation = PositiveDefinite(3), Correlation(3)
    assert type(tain.mirror_for(cone)) is VonNeumannEntropy
    assert type(tain.mirror_for(correlation)) is PartialCorrelations
    assert not isinstance(correlation, tain.Projectable)
    assert not isinstance(tain.mirror_for(correlation), tain.Legendre)
