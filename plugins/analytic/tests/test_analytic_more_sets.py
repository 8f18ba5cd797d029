"""What the tables of properties do not say of Euclidean projections, spheres and balls of the 1-norm."""

import pytest
import torch

import tain
from tain_analytic import Ball, Box, EuclideanProjection, L1Ball, Ordered, Simplex, Sphere

DTYPES = [torch.float32, torch.float64]
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])


def source(seed):
    return torch.Generator().manual_seed(seed)


class Even(tain.Projectable):
    """Images whose entries are all equal: a constraint of somebody else, with a projection."""

    event_ndim = 2

    def distance(self, x):
        return (x - self.project(x)).flatten(1).norm(dim=1)

    def project(self, x):
        return x.mean((1, 2), keepdim=True).expand_as(x)


SETS = [
    Simplex(5),
    Box((0.0, -torch.inf, 1.0), (1.0, 2.0, torch.inf)),
    Ball(4, 0.1, (3.0, 0.0, 0.0, 1.0)),
    Sphere(4, 2.0),
    L1Ball(4, 2.0),
]


@pytest.mark.parametrize("constraint", SETS, ids=lambda constraint: type(constraint).__name__)
@each_dtype
def test_euclidean_projection(constraint, dtype):
    mirror = EuclideanProjection(constraint)
    eps = torch.finfo(dtype).eps
    size = torch.logspace(-30, 30, 61, dtype=torch.float64)[:, None]
    y = (size * torch.randn((61, *constraint.event_shape), generator=source(0), dtype=torch.float64)).to(dtype)
    x = mirror.inverse(y)
    assert torch.isfinite(x).all()
    assert (constraint.distance(x) <= 4 * eps * constraint.scale).all()
    again = mirror.inverse(mirror.forward(x))
    assert ((again - x).norm(dim=1) <= 8 * eps * x.norm(dim=1).clamp(min=constraint.scale)).all()
    with pytest.raises(tain.OutsideSetError, match="row 1 by"):
        mirror.forward(torch.stack([x[0], torch.full_like(x[0], -9.0)]))


def test_a_constraint_of_somebody_else_gets_its_projection():
    mirror = tain.mirror_for(Even())
    assert type(mirror) is EuclideanProjection
    y = torch.randn((3, 2, 5), generator=source(1))
    assert mirror.constraint.contains(mirror.inverse(y)).all()


@pytest.mark.parametrize("constraint", SETS[:3], ids=lambda constraint: type(constraint).__name__)
def test_the_projection_is_offered_after_the_bijection(constraint):
    from tain.mirror_search import offers

    best, *_, last = offers(constraint)
    assert isinstance(best, tain.Legendre)
    assert type(last) is EuclideanProjection


def test_blocks_keep_the_best_map_of_each():
    blocks = tain.Blocks((Simplex(3), Sphere(2, 1.0)))
    assert type(tain.mirror_for(blocks)) is tain.BlocksMirror


def test_projection_of_plain_values_and_reloaded(tmp_path):
    mirror = tain.create("mirror-map", "euclidean-projection", constraint={"name": "l1-ball", "size": 3, "radius": 1})
    tain.save(mirror, tmp_path / "mirror")
    y = torch.randn((9, 3), generator=source(2))
    assert torch.equal(tain.load(tmp_path / "mirror").inverse(y), mirror.inverse(y))
    with pytest.raises(tain.ConfigurationError, match=r"'constraint' is .* must be a Projectable"):
        EuclideanProjection(tain.Both(Simplex(3), Ball(3, 1.0)))


@each_dtype
def test_the_centre_of_a_sphere_goes_along_the_first_axis(dtype):
    sphere = Sphere(3, 2.0, (1.0, 5.0, -1.0))
    x = sphere.center.to(dtype)[None].requires_grad_()
    projected = sphere.project(x)
    assert projected.tolist() == [[3.0, 5.0, -1.0]]
    (slope,) = torch.autograd.grad(projected.sum(), x)
    assert torch.equal(slope, torch.zeros_like(x))
    assert Sphere(1, 3.0).project(torch.tensor([[-1e-20], [0.0], [1e30]], dtype=dtype)).tolist() == [[-3], [3], [3]]


def test_points_of_a_sphere_have_no_preferred_direction():
    x = Sphere(3, 2.0).interior(20_000, rng=0)
    torch.testing.assert_close(x.mean(0), torch.zeros(3), atol=0.05, rtol=0)
    torch.testing.assert_close(x.T @ x / len(x), torch.eye(3) * 4 / 3, atol=0.05, rtol=0)


@each_dtype
def test_projection_onto_the_l1_ball_is_that_of_sizes_onto_a_simplex(dtype):
    """Of radius one, for rows outside: the signs come back after the simplex's projection."""
    x = 3 * torch.randn((200, 8), generator=source(3), dtype=dtype)
    x = x[x.abs().sum(1) > 1]
    projected = L1Ball(8, 1.0).project(x)
    torch.testing.assert_close(projected, x.sign() * Simplex(8).project(x.abs()), atol=1e-6, rtol=0)
    assert ((projected == 0).sum(1) > 0).float().mean() > 0.9


def test_ordered_numbers():
    rule = Ordered(4)
    x = torch.tensor([[1.0, 2.0, 2.0, 5.0], [1.0, 0.5, 3.0, 1.0], [-1e30, 0.0, 1e30, 1e30]])
    torch.testing.assert_close(rule(x), torch.tensor([0.0, 2.5, 0.0]))
    assert rule.contains(x).tolist() == [True, False, True]
    raised = rule.retract(x, margin=0.25)
    assert torch.equal(raised[0], torch.tensor([1.0, 2.0, 2.25, 5.0]))
    assert torch.equal(raised[1], torch.tensor([1.0, 1.25, 3.0, 3.25]))
    assert rule.near_boundary(x, 0.25).tolist()[0] == [False, False, True, False]
    inside = rule.interior(1000, rng=0)
    assert torch.equal(inside, rule.interior(1000, rng=0))
    assert (inside.diff(dim=1) > 0.009).all()
    assert torch.equal(rule.retract(inside), inside)
    with pytest.raises(tain.ConfigurationError, match=r"'margin' is -1\.0"):
        rule.retract(x, margin=-1.0)
    with pytest.raises(tain.ConfigurationError, match="'size' is 1"):
        tain.create("constraint", "ordered", size=1)
