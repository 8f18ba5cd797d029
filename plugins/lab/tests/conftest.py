"""A rule, a mirror map and a generator small enough for tests, so that the lab is tested with the core alone."""

from pathlib import Path

import pytest
import torch
from hypothesis import settings
from torch import nn

import tain
from tain.randomness import generator, standard_normal

settings.register_profile("tain", deadline=None)  # a busy machine is no failure
settings.load_profile("tain")

TOML = """
seed = 3
[data]
file = "table.csv"
columns = ["a", "b", "c"]
held_out = 0.25
rounding = 2e-3
detection_limit = 1e-3
[constraint]
name = "test-shares"
parts = 3
[mirror]
name = "test-log-ratio"
[generator]
name = "test-normal"
[training]
steps = 60
batch = 16
learning_rate = 0.05
warmup = 0
checkpoint_every = 20
[samples]
count = 200
"""


class Shares(tain.Retractable):
    """Shares that are at least zero and sum to one."""

    event_ndim = 1
    retraction = "Each row is divided by its sum."

    def __init__(self, parts: int):
        super().__init__()
        self.event_shape = (parts,)

    def distance(self, x):
        return (x.sum(1) - 1).abs() + (-x).relu().sum(1)

    def retract(self, x, margin=0.0):
        x = x.clamp_min(margin)
        return x / x.sum(1, keepdim=True)

    def near_boundary(self, x, margin):
        return x < margin


class LogRatio(tain.Legendre):
    """Logarithms of the ratios to the last share."""

    def __init__(self, shares: Shares):
        super().__init__()
        self.constraint = shares

    def forward(self, x):
        self.constraint.require(x)
        return x[:, :-1].log() - x[:, -1:].log()

    def inverse(self, y):
        return torch.cat((y, torch.zeros_like(y[:, :1])), 1).softmax(1)

    def mirror_shape(self, event_shape):
        return (event_shape[0] - 1,)

    def primal_shape(self, mirror_shape):
        return (mirror_shape[0] + 1,)

    def potential(self, x):
        return (x * x.log()).sum(1)

    def conjugate(self, y):
        return torch.cat((y, torch.zeros_like(y[:, :1])), 1).logsumexp(1)

    def log_det(self, x):
        return -x.log().sum(1)

    def hessian_vector(self, x, v):
        return v[:, :-1] / x[:, :-1] - v[:, -1:] / x[:, -1:]

    def inverse_hessian_vector(self, x, w):
        w = torch.cat((w, torch.zeros_like(w[:, :1])), 1)
        return x * (w - (x * w).sum(1, keepdim=True))


class Normal(tain.Generator):
    """Independent normal entries, fitted by maximum likelihood with a little noise in the loss."""

    def __init__(self, event_shape: tuple[int, ...]):
        super().__init__()
        self.event_shape = event_shape
        self.mean = nn.Parameter(torch.zeros(event_shape))
        self.log_std = nn.Parameter(torch.zeros(event_shape))
        self.register_buffer("start", torch.zeros(event_shape))

    def prepare(self, y):
        self.start.copy_(y.mean(0))

    def loss(self, y, *, rng=None):
        jitter = 1e-3 * standard_normal(tuple(y.shape), generator(rng), like=y)
        z = (y + jitter - self.start - self.mean) / self.log_std.exp()
        return (z.square() / 2 + self.log_std).flatten(1).sum(1)

    @torch.no_grad()
    def sample(self, n, *, rng=None):
        noise = standard_normal((n, *self.event_shape), generator(rng), like=self.mean)
        return self.start + self.mean + self.log_std.exp() * noise


@pytest.fixture(autouse=True)
def components() -> None:
    tain.register("constraint", tain.Component("test-shares", Shares))
    tain.register("mirror-map", tain.Component("test-log-ratio", LogRatio))
    tain.register("generator", tain.Component("test-normal", Normal))


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """An experiment on 80 rows of shares, rounded to three decimals, two of them with a zero."""
    rng = torch.Generator().manual_seed(0)
    rows = (torch.randn(80, 3, generator=rng, dtype=torch.float64) * 0.5).softmax(1)
    rows[5] = torch.tensor([0.0, 0.4, 0.6])
    rows[9] = torch.tensor([0.3, 0.0, 0.7])
    lines = ["name,a,b,c"] + [f"h{i}," + ",".join(f"{v:.3f}" for v in row) for i, row in enumerate(rows.tolist())]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    path = tmp_path / "shares.toml"
    path.write_text(TOML)
    return path
