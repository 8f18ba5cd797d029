"""Counting: the network stays as it was trained, whatever is done to the rule, and gradients reach the images."""

import pytest
import torch
from torch import nn

import tain
from tain_science import Count, CountingNetwork


class Normed(nn.Module):
    """A stranger's network, whose batch norm looks at other rows while it is trained. Counts as (B, 1)."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x):
        return self.layers(x)


def images(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("size", [(8, 8), (33, 20), (1, 1), (64, 128)])
@pytest.mark.parametrize("stages", [1, 2, 3])
def test_counts_of_images_of_any_size(size, stages):
    network = CountingNetwork(channels=3, width=4, stages=stages)
    count = network(images(5, 3, *size))
    assert count.shape == (5,)
    assert (count > 0).all()
    torch.testing.assert_close(network(images(5, 3, *size)[2:3]), count[2:3])


def test_a_new_network_counts_one_for_256_pixels():
    for stages in (1, 2, 3):
        dark = CountingNetwork(stages=stages)(torch.zeros(1, 1, 64, 128))
        torch.testing.assert_close(dark, torch.tensor([32.0]), rtol=0.01, atol=0)


def test_a_network_learns_to_count():
    """The number of bright pixels of images, from 0 to 9, of a size that training has not seen."""
    torch.manual_seed(0)
    source = torch.Generator().manual_seed(0)

    def scenes(n, size):
        count = torch.randint(0, 10, (n,), generator=source)
        bright = torch.rand((n, size * size), generator=source).argsort(1) < count[:, None]
        return bright.float().view(n, 1, size, size), count.float()

    network = CountingNetwork(width=8, stages=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for step in range(200):
        x, count = scenes(32, 12 if step % 2 else 20)
        optimizer.zero_grad()
        (network(x) - count).square().mean().backward()
        optimizer.step()
    x, count = scenes(200, 16)
    assert (network(x) - count).abs().mean() < 1.0  # a constant is off by 2.5


@pytest.mark.parametrize("network", [CountingNetwork(2, 4, 1), Normed()], ids=["ours", "another's"])
def test_the_network_is_a_frozen_copy(network):
    network.train()
    rule = Count(network, target=8).train()
    assert network.training
    assert all(weight.requires_grad for weight in network.parameters())
    assert not any(weight.requires_grad for weight in rule.parameters())
    x = images(4, 2, 9, 7).requires_grad_()
    distance = rule.distance(x)
    torch.testing.assert_close(distance[1:2], rule.distance(x[1:2]))  # no batch norm over rows
    assert rule.residual(x).shape == (4, 1)
    assert rule.residual(x).abs()[:, 0].equal(distance)
    (slope,) = torch.autograd.grad(distance.sum(), x)
    assert (slope.flatten(1).norm(dim=1) > 0).all()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(1)
    assert rule.distance(x).equal(distance)


def test_float64_images_get_float64_results():
    rule, x = Count(CountingNetwork(1, 4, 2), target=8), images(3, 1, 8, 8, dtype=torch.float64).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        lowered = rule.distance(x.float())
    assert lowered.equal(rule.distance(x.float()))
    assert rule.distance(x).dtype == torch.float64
    assert torch.autograd.gradcheck(rule.distance, x)
    torch.testing.assert_close(rule.distance(x).float(), rule.distance(x.float()), rtol=1e-4, atol=1e-5)


def test_a_checkpoint_holds_the_network(tmp_path):
    network = CountingNetwork(channels=2, width=4, stages=1)
    rule, x = Count(network, target=8), images(3, 2, 8, 8)
    assert tain.configuration(rule) == {"network": (2, 4, 1), "target": 8.0}
    tain.save(rule, tmp_path / "rule")
    loaded = tain.load(tmp_path / "rule")
    assert loaded.distance(x).equal(rule.distance(x))
    assert not any(weight.requires_grad for weight in loaded.parameters())
    assert tain.create("constraint", "count", network=[2, 4, 1], target=7).target == 7


def test_there_is_no_exact_map():
    with pytest.raises(tain.NoMirrorMapError, match="Count"):
        tain.mirror_for(Count((1, 4, 1), target=8))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Count((1, 4), 8), r"'network' has 2 entries, but must have 3"),
        (lambda: Count((1, 4, 1), float("nan")), r"'target' is nan"),
        (lambda: Count("counter", 8), r"'network' is 'counter' \(str\)"),
        (lambda: CountingNetwork(channels=0), r"'channels' is 0, but must be at least 1"),
        (lambda: Count((3, 4, 1), 8).distance(torch.ones(2, 1, 8, 8)), r"\(2, 1, 8, 8\), but must have \(B, 3, H, W\)"),
        (lambda: Count(nn.Identity(), 8).distance(torch.ones(2, 1, 8, 8)), r"'network' returns shape \(2, 1, 8, 8\)"),
        (lambda: tain.save(Count(nn.Identity(), 8), "never"), r"'network' is Identity.*a checkpoint cannot record"),
    ],
)
def test_bad_input_is_refused_by_name_and_value(call, message):
    with pytest.raises(tain.TainError, match=message):
        call()
