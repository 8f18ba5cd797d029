"""Small correct components, which the mutants are made from. They pass every check of the kit."""

import math

import torch
from mutant import measured

import tain
from tain.randomness import generator, standard_normal, uniform
from tain.testing.gaussian import Gaussian


class UnitBox(tain.Projectable, tain.Interior, tain.Retractable):
    """Vectors of `size` numbers between 0 and 1."""

    event_ndim = 1
    retraction = "Numbers beyond a bound, or nearer to it than the margin, are moved to the margin from it."

    def __init__(self, size: int = 3):
        super().__init__()
        self.event_shape = (size,)

    def distance(self, x):
        away = (-x).relu() + (x - 1).relu()
        square = away.square().sum(1)
        return torch.where(square > 0, square.where(square > 0, 1).sqrt(), 0 * square)

    def project(self, x):
        return x.clamp(0, 1)

    def interior(self, n, *, rng=None, dtype=None):
        example = torch.empty((), dtype=dtype or torch.get_default_dtype())
        return 0.01 + 0.98 * uniform((n, *self.event_shape), generator(rng), example)

    def retract(self, x, margin=0.0):
        return x.clamp(margin, 1 - margin)

    def near_boundary(self, x, margin):
        return (x < margin) | (x > 1 - margin)


class Shares(tain.Interior):
    """Positive vectors with sum 1."""

    event_ndim = 1

    def __init__(self, parts: int = 3):
        super().__init__()
        self.event_shape = (parts,)
        self.testing = {"outside": self.broken}

    def broken(self, n, *, rng=None, dtype=None):
        """Points with the right sum, in which one part after the other is negative."""
        x = self.interior(n, rng=rng, dtype=dtype)
        part = torch.arange(n) % x.shape[1]
        x[torch.arange(n), part] -= 1.5
        x[torch.arange(n), (part + 1) % x.shape[1]] += 1.5
        return x

    def distance(self, x):
        return (x.sum(1) - 1).abs() + (-x).relu().sum(1)

    def interior(self, n, *, rng=None, dtype=None):
        example = torch.empty((), dtype=dtype or torch.get_default_dtype())
        share = 0.05 + uniform((n, *self.event_shape), generator(rng), example)
        return share / share.sum(1, keepdim=True)


class Plane(tain.Projectable, tain.Residual, tain.Interior):
    """Vectors whose sum is given."""

    event_ndim = 1

    def __init__(self, total: float = 1.0, size: int = 3):
        super().__init__()
        self.total = total
        self.event_shape = (size,)
        self.scale = max(1.0, abs(total))

    def residual(self, x):
        return x.sum(1, keepdim=True) - self.total

    def distance(self, x):
        return self.residual(x).abs()[:, 0] / math.sqrt(x.shape[1])

    def project(self, x):
        return x - self.residual(x) / x.shape[1]

    def interior(self, n, *, rng=None, dtype=None):
        example = torch.empty((), dtype=dtype or torch.get_default_dtype())
        return self.project(standard_normal((n, *self.event_shape), generator(rng), example))


class BoxEntropy(tain.Legendre):
    """Log-odds of numbers between 0 and 1: the gradient of x log x + (1 - x) log(1 - x)."""

    def __init__(self, size: int = 3):
        super().__init__()
        self.constraint = UnitBox(size)

    def slacks(self, x):
        margin = torch.finfo(x.dtype).tiny ** 0.5  # keeps results finite on the boundary
        return x.clamp(min=margin), (1 - x).clamp(min=margin)

    def forward(self, x):
        self.constraint.require(x)
        s, t = self.slacks(x)
        return s.log() - t.log()

    def inverse(self, y):
        return y.sigmoid()

    def potential(self, x):
        s, t = self.slacks(x)
        return (s * s.log() + t * t.log()).sum(1)

    def conjugate(self, y):
        return torch.nn.functional.softplus(y).sum(1)

    def log_det(self, x):
        s, t = self.slacks(x)
        return -(s.log() + t.log()).sum(1)

    def hessian_vector(self, x, v):
        s, t = self.slacks(x)
        return v / (s * t)

    def inverse_hessian_vector(self, x, w):
        s, t = self.slacks(x)
        return w * (s * t)


class Softmax(tain.Legendre):
    """Log-ratios of shares to the last one, on a flat set."""

    def __init__(self, parts: int = 3):
        super().__init__()
        self.constraint = Shares(parts)

    def mirror_shape(self, event_shape):
        return (event_shape[0] - 1,)

    def primal_shape(self, mirror_shape):
        return (mirror_shape[0] + 1,)

    def pairing(self, x, y):
        return (x[:, :-1] * y).sum(1)

    def logarithms(self, x):
        return x.clamp(min=torch.finfo(x.dtype).tiny ** 0.5).log()

    def forward(self, x):
        self.constraint.require(x)
        logs = self.logarithms(x)
        return logs[:, :-1] - logs[:, -1:]

    def inverse(self, y):
        return torch.cat([y, 0 * y[:, :1]], 1).softmax(1)

    def potential(self, x):
        return (x * self.logarithms(x)).sum(1)

    def conjugate(self, y):
        return torch.cat([y, 0 * y[:, :1]], 1).logsumexp(1)

    def log_det(self, x):
        return -self.logarithms(x).sum(1)

    def hessian_vector(self, x, v):
        share = x.clamp(min=torch.finfo(x.dtype).tiny ** 0.5)
        return v[:, :-1] / share[:, :-1] - v[:, -1:] / share[:, -1:]

    def inverse_hessian_vector(self, x, w):
        w = torch.cat([w, 0 * w[:, :1]], 1)
        return x * (w - (x * w).sum(1, keepdim=True))


class Sheared(tain.Legendre):
    """Half the square of M x, for a matrix M that is not symmetric, on vectors without a rule."""

    def __init__(self):
        super().__init__()
        self.constraint = Free()

    def matrix(self, x):
        return torch.tensor([[1.0, 0.5], [0.0, 2.0]], dtype=x.dtype)

    def forward(self, x):
        self.constraint.require(x)
        return self.hessian_vector(x, x)

    def inverse(self, y):
        return self.inverse_hessian_vector(y, y)

    def potential(self, x):
        return (x @ self.matrix(x).T).square().sum(1) / 2

    def conjugate(self, y):
        return (y * self.inverse(y)).sum(1) / 2

    def log_det(self, x):
        return 0 * x.sum(1) + 2 * math.log(2)

    def hessian_vector(self, x, v):
        return v @ (self.matrix(x).T @ self.matrix(x))

    def inverse_hessian_vector(self, x, w):
        return w @ torch.linalg.inv(self.matrix(w).T @ self.matrix(w))


class Free(tain.Constraint):
    """Vectors of two numbers without a rule."""

    event_ndim = 1
    event_shape = (2,)

    def distance(self, x):
        return 0 * x.sum(1)


class BoxProjection(tain.Projective):
    """The projection onto the box."""

    def __init__(self, size: int = 3):
        super().__init__()
        self.constraint = UnitBox(size)

    def forward(self, x):
        self.constraint.require(x)
        return x

    def inverse(self, y):
        return y.clamp(0, 1)


class LearnedScale(tain.Learned):
    """A box map with a factor that is learned; exact for every factor."""

    testing = {"round_trip": {torch.float32: 1e-4, torch.float64: 1e-10}}  # noqa: RUF012 (as the documents show it)

    def __init__(self, size: int = 3):
        super().__init__()
        self.constraint = UnitBox(size)
        self.factor = torch.nn.Parameter(torch.ones(size))

    def forward(self, x):
        self.constraint.require(x)
        margin = torch.finfo(x.dtype).tiny ** 0.5
        return (x.clamp(min=margin).log() - (1 - x).clamp(min=margin).log()) / self.factor

    def inverse(self, y):
        return (y * self.factor).sigmoid()

    def loss(self, x, *, rng=None):
        noise = standard_normal(tuple(x.shape), generator(rng), x)
        return (self.inverse(self.forward(x) + 0.1 * noise) - x).square().sum(1)


class RoughScale(LearnedScale):
    """A box map whose inverse is stretched about the middle by a factor that is learned: only roughly right."""

    testing = {}  # noqa: RUF012 (as the documents show it)

    def __init__(self, size: int = 3):
        super().__init__(size)
        self.stretch = torch.nn.Parameter(torch.tensor(1.04))

    def inverse(self, y):
        return 0.5 + self.stretch * (super().inverse(y) - 0.5)


class PosteriorSolver(tain.Solver):
    """Draws from the prior and keeps draws by their likelihood: exact as the number of draws grows."""

    accepts = tain.Posterior

    def __init__(self, draws: int = 20000):
        super().__init__()
        self.draws = draws

    def solve(self, problem, *, rng=None, callback=None):
        rng = generator(rng)
        x = problem.prior.sample(self.draws, rng=rng)
        misfit = (problem.operator(x)[None] - problem.measurement[:1, None]).square().sum(2)[0]
        weights = (-misfit / (2 * problem.noise_std**2)).softmax(0)
        chosen = torch.multinomial(weights, len(problem.measurement), replacement=True, generator=rng)
        figures = {"effective_draws": float(1 / weights.square().sum())}
        if callback is not None:
            callback(figures)
        return tain.Solution(x[chosen], figures, "done")


class TargetSolver(tain.Solver):
    """Metropolis' random walk in the mirror space, from a wide start."""

    accepts = tain.Target

    def __init__(self, steps: int = 200):
        super().__init__()
        self.steps = steps

    def solve(self, problem, *, rng=None, callback=None):
        rng = generator(rng)
        y = 2 * torch.randn((1024, 2), generator=rng)
        for step in range(self.steps):
            moved = y + 1.5 * torch.randn(y.shape, generator=rng)
            gain = problem.log_prob(problem.mirror.inverse(moved)) - problem.log_prob(problem.mirror.inverse(y))
            y = torch.where((torch.rand(len(y), generator=rng).log() < gain)[:, None], moved, y).detach()
            if callback is not None:
                callback({"step": step})
        return tain.Solution(problem.mirror.inverse(y))


class FitSolver(tain.Solver):
    """A few steps of Adam on the loss of a copy of the model."""

    accepts = tain.Fit

    def solve(self, problem, *, rng=None, callback=None):
        import copy

        rng, model = generator(rng), copy.deepcopy(problem.model)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        for step in range(20):
            optimizer.zero_grad()
            loss = model.loss(problem.data, rng=rng).mean()
            loss.backward()
            optimizer.step()
            if callback is not None:
                callback({"step": step, "loss": float(loss.detach())})
        return tain.Solution(model)


def line_model():
    """A generator of one number."""
    return Gaussian((0.5,), (2.0,))


def plane_model():
    """A generator of two numbers."""
    return Gaussian((0.0, 1.0), (1.0, 0.5))


CORRECT = {
    "constraint": (UnitBox, Shares, Plane, Free),
    "mirror-map": (BoxEntropy, Softmax, Sheared, BoxProjection, LearnedScale, RoughScale),
    "generator": (Gaussian,),
    "solver": (PosteriorSolver, TargetSolver, FitSolver),
}


def register():
    """Give all of them names in the catalogue, so that they can be saved."""
    for kind, classes in CORRECT.items():
        for made in classes:
            tain.register(kind, tain.Component(made.__name__.lower(), made))


def subjects():
    """An instance of each, and a mirrored generator."""
    return [
        UnitBox(),
        Shares(4),
        Plane(2.0),
        Free(),
        BoxEntropy(),
        Softmax(),
        Sheared(),
        BoxProjection(),
        measured(LearnedScale()),
        measured(RoughScale()),
        line_model(),
        plane_model(),
        tain.Mirrored(BoxEntropy(1), line_model()),
        PosteriorSolver(),
        TargetSolver(),
        FitSolver(),
    ]
