"""Problems that nobody can solve are refused before they are begun, with a fix."""

import pytest
import torch

import tain
from tain.testing.gaussian import Anything, Gaussian, Identity
from tain_dps import CGDPS, DPS, MirrorDPS, MomentMatching, RandomProjection

M = torch.zeros(3, 2)


class Fixed(tain.Generator):
    """A generator that cannot denoise."""

    def __init__(self):
        super().__init__()
        self.event_shape = (2,)

    def loss(self, y, *, rng=None):
        return y.sum(1)

    def sample(self, n, *, rng=None):
        return torch.zeros(n, 2)


class OfThree(tain.Constraint):
    """A rule of three numbers."""

    event_ndim = 1
    event_shape = (3,)

    def distance(self, x):
        return x.abs().sum(1)


class OfImages(tain.Constraint):
    """A rule of images."""

    event_ndim = 3

    def distance(self, x):
        return x.abs().sum((1, 2, 3))


def problem(**changes):
    given = {"measurement": M, "operator": lambda x: x, "noise_std": 0.1, "prior": Gaussian((0.0, 0.0), (1.0, 1.0))}
    return tain.Posterior(**(given | changes))


def holed():
    m = torch.zeros(3, 2)
    m[1, 0] = float("nan")
    return m


def unpositive():
    return torch.tensor([[1.0, 2.0], [2.0, 1.0]])


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"measurement": holed()}, tain.DataError, r"1 of 6 numbers.*row 1.*Select\(keep\)"),
        ({"measurement": torch.zeros(0, 2)}, tain.DataError, "a row for each sample"),
        ({"measurement": torch.tensor(1.0)}, tain.DataError, "a row for each sample"),
        ({"measurement": M.to(torch.complex64)}, tain.DataError, "Stack real and imaginary"),
        ({"operator": lambda x: x[:, :1]}, tain.ShapeError, r"gives shape \(1, 1\).*must give \(1, 2\)"),
        ({"operator": lambda x: x.mean(0)}, tain.ShapeError, r"gives shape \(2,\)"),
        ({"operator": lambda x: [x]}, tain.ShapeError, "gives a list"),
        ({"operator": lambda x: x.detach()}, tain.ConfigurationError, "cut off from its input"),
        ({"operator": lambda x: x @ torch.eye(3)}, tain.ConfigurationError, r"fails on samples of shape \(1, 2\)"),
        ({"operator": RandomProjection((3,), 2)}, tain.ShapeError, r"shape \(3,\), but those of the prior have \(2,\)"),
        ({"constraint": OfThree()}, tain.ShapeError, r"OfThree, takes samples of shape \(3,\)"),
        ({"constraint": OfImages()}, tain.ShapeError, "OfImages, takes samples of 3 dimensions"),
        ({"noise_std": 0.0}, tain.ConfigurationError, "'noise_std' is 0, but must be above 0"),
        ({"noise_std": -1.0}, tain.ConfigurationError, "'noise_std' is -1"),
        ({"noise_std": float("nan")}, tain.ConfigurationError, "'noise_std' is nan"),
        ({"noise_std": torch.tensor([0.1, 0.0])}, tain.ConfigurationError, "'noise_std' is 0"),
        ({"noise_std": torch.ones(3)}, tain.ShapeError, r"'noise_std' has shape \(3,\)"),
        ({"noise_std": torch.ones(3, 2)}, tain.ShapeError, r"of the shape \(2,\)"),
        ({"noise_std": None}, tain.ConfigurationError, "neither"),
        ({"covariance": torch.eye(2)}, tain.ConfigurationError, "both"),
        ({"noise_std": None, "covariance": torch.eye(3)}, tain.ShapeError, r"must have \(2, 2\)"),
        ({"noise_std": None, "covariance": unpositive()}, tain.ConfigurationError, "positive definite"),
        (
            {"noise_std": None, "covariance": torch.ones(2, 2).triu() + torch.eye(2)},
            tain.ConfigurationError,
            "symmetric",
        ),
        ({"prior": Fixed()}, tain.MissingCapabilityError, r"the prior is Fixed, which is no tain\.Denoiser"),
        ({"prior": tain.Mirrored(Identity(), Fixed())}, tain.MissingCapabilityError, "of the mirrored prior is Fixed"),
    ],
)
def test_bad_problems_are_refused_before_anything_is_drawn(changes, error, words):
    def draw(shape, like):
        pytest.fail("noise was drawn")

    with pytest.raises(error, match=words):
        MomentMatching().solve_with(problem(**changes), draw)


def test_who_can_denoise_is_named():
    pytest.importorskip("tain_diffusion")
    with pytest.raises(tain.MissingCapabilityError, match=r"that can: .*image-diffusion.*vector-diffusion"):
        DPS().solve(problem(prior=Fixed()))


def test_a_measurement_with_holes_is_solved_as_the_message_says():
    from tain_dps import Select

    m = holed()[1:2].expand(3, 2)
    keep = Select(m[0].isfinite())
    solution = MomentMatching(steps=20).solve(problem(measurement=keep(m), operator=keep), rng=0)
    assert solution.statistics["not_finite"] == 0


@pytest.mark.parametrize("solver", [DPS(), CGDPS()])
def test_a_mirrored_prior_is_left_to_mirror_methods(solver):
    with pytest.raises(tain.ConfigurationError, match="MirrorDPS or MomentMatching"):
        solver.solve(problem(prior=tain.Mirrored(Identity(), Gaussian((0.0, 0.0), (1.0, 1.0))), constraint=Anything()))


def test_other_problems():
    with pytest.raises(tain.ConfigurationError, match="no 'constraint' to be guided by"):
        CGDPS().solve(problem())
    with pytest.raises(tain.ConfigurationError, match=r"was given a Target, but solves tain\.Posterior"):
        MirrorDPS().solve(tain.Target(lambda x: x.sum(1), Identity()))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DPS(zeta=-1.0), "at least 0"),
        (lambda: DPS(steps=1), "at least 2"),
        (lambda: DPS(eta=1.5), "at most 1"),
        (lambda: CGDPS(weight=float("inf")), "below"),
        (lambda: MomentMatching(iterations=0), "at least 1"),
        (lambda: MirrorDPS(rows_at_once=0), "at least 1"),
    ],
)
def test_wrong_settings_are_refused(make, words):
    with pytest.raises(tain.ConfigurationError, match=words):
        make()
