"""Benches: how one is run, told and gone on with; the distances and laws that they use."""

import json
import math

import attrs
import pytest
import torch
from geomloss import SamplesLoss
from hypothesis import given, strategies as st

import tain
from tain_lab.bench import Bench, BenchSettings, Result, distances
from tain_lab.bench.distances import compare_large
from tain_lab.bench.draws import axis_modes, dirichlet, mixture, moons, spiral, truncated
from tain_lab.bench.run import find_bench, run_bench
from tain_lab.command import main
from tain_lab.metrics import mmd, sliced
from tain_lab.randomness import stream

seeds = st.integers(0, 2**32)


def normal(seed, n=200, d=3):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def squares(measured=None):
    """A bench that squares numbers, and notes which it was asked for."""

    def measure(case, settings):
        if measured is not None:
            measured.append(case)
        return Result({"square": int(case) ** 2 + settings.seed}, picture=b"drawn")

    return Bench(
        name="squares",
        summary="whether squares come out right",
        cases=("2", "3", "4"),
        measure=measure,
        row=lambda figures: {"square": str(figures["square"])},
        verdict=lambda all_figures: f"They sum to {sum(figures['square'] for figures in all_figures)}.",
        notes=("Squares are products.",),
    )


def test_the_table_tells_the_command_the_verdict_and_a_row_a_case(tmp_path):
    said = []
    table = run_bench(squares(), BenchSettings(seed=1), tmp_path / "out", say=said.append)
    lines = table.read_text().splitlines()
    assert lines[:8] == [
        "`tain bench squares --seed 1`",
        "",
        "They sum to 32.",
        "",
        "| | square |",
        "| --- | --- |",
        "| 2 | 5 |",
        "| 3 | 10 |",
    ]
    assert "Squares are products." in lines
    assert said == ["2: square 5", "3: square 10", "4: square 17"]
    record = json.loads((tmp_path / "out" / "squares.json").read_text())
    assert record["settings"] == attrs.asdict(BenchSettings(seed=1))
    assert record["cases"]["4"] == {"square": 17}
    assert (tmp_path / "out" / "3.png").read_bytes() == b"drawn"


def test_a_stopped_run_measures_only_what_is_left(tmp_path):
    measured: list[str] = []
    whole = squares(measured)

    def stopped(case, settings):
        if case == "4":
            raise KeyboardInterrupt
        return whole.measure(case, settings)

    with pytest.raises(KeyboardInterrupt):
        run_bench(attrs.evolve(whole, measure=stopped), BenchSettings(), tmp_path / "out", say=lambda _: None)
    table = run_bench(whole, BenchSettings(), tmp_path / "out", say=lambda _: None)
    assert measured == ["2", "3", "4"]
    assert "They sum to 29." in table.read_text()


def test_a_finished_run_and_one_of_other_settings_are_kept(tmp_path):
    run_bench(squares(), BenchSettings(), tmp_path, ["3"], say=lambda _: None)
    with pytest.raises(tain.DataError, match="holds a finished run"):
        run_bench(squares(), BenchSettings(), tmp_path, say=lambda _: None)
    table = run_bench(squares(), BenchSettings(), tmp_path, ["4", "2"], overwrite=True, say=lambda _: None)
    assert table.read_text().startswith("`tain bench squares --only 2,4`\n\nThey sum to 20.")


@pytest.mark.parametrize(
    ("cases", "change", "error", "message"),
    [
        (["5"], {}, tain.UnknownNameError, "The bench 'squares' has no case '5'"),
        ([], {"steps": 0}, tain.ConfigurationError, "'steps' is 0, but must be at least 1"),
        ([], {"rows": 99}, tain.ConfigurationError, "'rows' is 99, but must be at least 100"),
    ],
)
def test_mistakes_are_refused_before_anything_is_written(cases, change, error, message, tmp_path):
    with pytest.raises(error, match=message):
        run_bench(squares(), BenchSettings(**change), tmp_path / "out", cases)
    assert not (tmp_path / "out").exists()


def test_benches_are_listed_and_an_unknown_one_names_the_nearest(capsys):
    assert main(["bench"]) == 0
    assert "mirror-suite" in capsys.readouterr().out
    assert main(["bench", "mirror-suit"]) == 2
    assert "There is no bench 'mirror-suit'. Did you mean: mirror-suite" in capsys.readouterr().err
    assert find_bench("few-steps").cases


def converged(x, y):
    """Rows in units of y's columns, and geomloss's divergence of them in the slowest of annealings."""
    mean, deviation = y.double().mean(0), y.double().std(0, correction=0)
    left, right = (x.double() - mean) / deviation, (y.double() - mean) / deviation
    sinkhorn = SamplesLoss("sinkhorn", p=2, blur=0.05, scaling=0.99, backend="tensorized")
    return left, right, float(sinkhorn(left, right))


@pytest.mark.parametrize("columns", [1, 2, 6])
def test_large_distances_are_those_of_small_ones(columns):
    x, y = normal(0, d=columns) * 1.3 + 0.2, normal(1, d=columns)
    found = compare_large({"x": x}, y)["x"]
    left, right, sinkhorn = converged(x, y)
    assert 0.95 * sinkhorn < found["Sinkhorn"] < 1.005 * sinkhorn
    assert found["MMD"] == pytest.approx(mmd(left, right), rel=1e-3)
    assert found["sliced"] == pytest.approx(sliced(left, right), rel=1e-6)


@pytest.mark.parametrize("far", [8.0, 1e2, 1e6])
def test_a_row_far_away_makes_the_divergence_larger(far, monkeypatch):
    x, y = normal(0), normal(1)
    near = compare_large({"x": x}, y)["x"]["Sinkhorn"]
    x[0] = far
    safe = []
    soft_minimum = distances._soft_minimum
    monkeypatch.setattr(distances, "_soft_minimum", lambda *given: safe.append(1) or soft_minimum(*given))
    found = compare_large({"x": x}, y)["x"]["Sinkhorn"]
    assert found > near
    assert found == pytest.approx(converged(x, y)[2], rel=0.1)
    assert safe or far < 1e6


def test_blocks_of_pairs_do_not_show(monkeypatch):
    x, y = normal(0), normal(1)
    whole = compare_large({"x": x}, y)["x"]
    monkeypatch.setattr(distances, "_BLOCK", 7 * len(y))
    assert compare_large({"x": x}, y)["x"] == pytest.approx(whole, rel=1e-4)


@pytest.mark.parametrize("wrong", [torch.zeros(5, 3), torch.full((200, 3), math.nan)])
def test_rows_that_cannot_be_compared_are_refused(wrong):
    with pytest.raises(tain.DataError, match="'x' of shape"):
        compare_large({"x": wrong}, normal(0))


@given(seed=seeds)
def test_laws_follow_their_source_of_random_numbers(seed):
    laws = (mixture(axis_modes(3, 0.5), 0.1), moons, spiral, dirichlet((1.0, 0.3, 2.0)))
    for law in laws:
        rows = law(50, stream(seed, "rows"))
        assert rows.dtype == torch.float32
        assert torch.equal(rows, law(50, stream(seed, "rows")))
        assert not torch.equal(rows, law(50, stream(seed, "other rows")))


def test_laws_have_their_moments():
    rng = stream(0, "moments")
    rows = mixture(axis_modes(2, 0.5, center=1.0), 0.1)(100_000, rng)
    assert rows.mean(0) == pytest.approx(torch.ones(2), abs=0.01)
    assert rows.var(0) == pytest.approx(torch.full((2,), 0.25 / 2 + 0.01), rel=0.02)  # half of the modes are off centre
    concentration = torch.tensor([1.0, 0.1, 5.0])
    shares = dirichlet(concentration.tolist())(100_000, rng)
    assert shares.mean(0) == pytest.approx(concentration / concentration.sum(), rel=0.03)


@tain.constraint("right-half", event_ndim=1)
def right_half(x):
    return (-x[:, 0]).relu()


def test_truncation_keeps_the_law_inside_of_the_set():
    rows = truncated(right_half, normal_law)(20_000, stream(0, "truncated"))
    assert rows.shape == (20_000, 2)
    assert bool((rows[:, 0] >= 0).all())
    assert rows[:, 0].mean().item() == pytest.approx(math.sqrt(2 / math.pi), rel=0.03)


def test_a_law_that_hardly_meets_the_set_is_refused():
    with pytest.raises(tain.DataError, match="Choose a law with more of its mass inside"):
        truncated(right_half, lambda n, rng: -normal_law(n, rng).abs())(10, stream(0))


def normal_law(n, rng):
    return torch.randn(n, 2, generator=rng)
