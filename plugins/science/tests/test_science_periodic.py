"""Tilings: the distance against loops over pairs, the nearest tiling, and the map to one tile."""

import itertools

import pytest
import torch
from hypothesis import given, settings, strategies as st

import tain
from tain_analytic import EuclideanProjection
from tain_science import Periodic, Tile

each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


def property_test(function):
    tiles = st.tuples(st.integers(1, 4), st.integers(1, 4)).filter(lambda tiles: tiles != (1, 1))
    tile = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5))
    checked = given(seed=st.integers(0, 2**63 - 1), tiles=tiles, tile=tile)(function)
    return settings(max_examples=30, deadline=None, derandomize=True, database=None)(checked)


def normal(shape, seed, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def image_shape(tiles, tile):
    return (tile[0], tiles[0] * tile[1], tiles[1] * tile[2])


@property_test
def test_the_distance_is_the_mean_over_all_pairs(seed, tiles, tile):
    x = normal((3, *image_shape(tiles, tile)), seed)
    parts = [part for band in x.split(tile[1], 2) for part in band.split(tile[2], 3)]
    pairs = [(a - b).abs().flatten(1).mean(1) for a, b in itertools.combinations(parts, 2)]
    torch.testing.assert_close(Periodic(tiles).distance(x), torch.stack(pairs).mean(0))


@each_dtype
@property_test
def test_the_map_is_exact_both_ways(dtype, seed, tiles, tile):
    rule = Periodic(tiles)
    mirror, y = Tile(rule), normal((3, *tile), seed, dtype) * 1e20
    x = mirror.inverse(y)
    assert x.shape == (3, *image_shape(tiles, tile))
    assert (rule.distance(x) == 0).all()
    assert (rule.residual(x) == 0).all()
    assert mirror(x).equal(y)
    assert rule.project(x).equal(x)
    assert mirror.mirror_shape(x.shape[1:]) == tile
    assert mirror.primal_shape(tile) == x.shape[1:]


@property_test
def test_the_projection_is_the_nearest_tiling(seed, tiles, tile):
    """What it takes away has mean zero at each place of the tile, so it is at right angles to all tilings."""
    rule, x = Periodic(tiles), normal((3, *image_shape(tiles, tile)), seed)
    projected = rule.project(x)
    assert rule.contains(projected).all()
    torch.testing.assert_close(rule.tile(x - projected), torch.zeros(3, *tile).double(), rtol=0, atol=1e-14)
    torch.testing.assert_close(rule.residual(x).square().sum(1), (x - projected).square().flatten(1).sum(1))


def test_the_map_comes_before_the_projection():
    assert [type(mirror) for mirror in tain.offers(Periodic((2, 3)))] == [Tile, EuclideanProjection]


def test_no_mean_tile_is_lost_to_rounding():
    """The mean of three equal numbers may differ from each of them; that of equal tiles does not."""
    tile = normal((1, 1, 20, 20), 0, torch.float32)
    assert Periodic((3, 1)).tile(tile.repeat(1, 1, 3, 1)).equal(tile)


def test_derivatives():
    rule, x = Periodic((2, 1)), normal((2, 1, 4, 2), 0).requires_grad_()
    for function in (rule.project, rule.residual, rule.distance):
        assert torch.autograd.gradcheck(function, x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Periodic((1, 1)), r"'tiles' is \(1, 1\), but must be two tiles at least"),
        (lambda: Periodic((2, 0)), r"'tiles'\[1\] is 0, but must be at least 1"),
        (lambda: Periodic((2, 2, 2)), r"'tiles' has 3 entries, but must have 2"),
        (lambda: Periodic((2, 3)).distance(torch.ones(1, 1, 4, 8)), r"multiple of 2 as height and one of 3 as width"),
        (lambda: Periodic().project(torch.ones(1, 4, 4)), r"one batch dimension and 3 more"),
        (lambda: Tile(Periodic())(torch.eye(4)[None, None].roll(1, 2)), r"row 0"),
    ],
)
def test_bad_input_is_refused_by_name_and_value(call, message):
    with pytest.raises(tain.TainError, match=message):
        call()
