"""The bench namm: what it trains, how it goes on, and what it says. With tiny models: the figures mean nothing."""

import math
from functools import partial

import attrs
import pytest
import torch

import tain
from tain_lab.bench import Bench, BenchSettings, Result, lite0, methods, namm, rules
from tain_lab.bench.discrepancy import gaussian_mmd, kernel_distance, unbiased
from tain_lab.bench.kept import Kept
from tain_lab.bench.namm_verdict import improvement, verdict
from tain_lab.bench.run import find_bench, run_bench
from tain_lab.pace import Stage

SETTINGS = BenchSettings(steps=3, rows=100)
LEARNED = ("NAMM", "NAMM finetuned", "NAMM refined")


@pytest.fixture
def quick(monkeypatch):
    """Small generators, and a counting network that is hardly trained."""
    for name in ("tain_science", "tain_namm", "tain_diffusion"):
        pytest.importorskip(name)
    counting = pytest.importorskip("tain_science.data.counting")
    few = partial(counting.train_counter, steps=30, rows=64, held_out=8)
    monkeypatch.setattr(counting, "train_counter", few)
    monkeypatch.setattr(methods, "build", partial(methods.build, channels=(8, 16), width=16, evaluations=6))


def measured(case, folder):
    entry = attrs.evolve(rules.RULES[case], training_rows=12)
    return namm.measure_rule(case, entry, SETTINGS, folder, size=16, judged=12)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("case", list(rules.RULES))
def test_every_rule_has_its_figures_and_a_picture(case, tmp_path):
    result = measured(case, tmp_path / case)
    figures = result.figures
    exact = ["exact map"] if case != "count" else []
    assert list(figures["methods"]) == ["held-out data", "baseline", *LEARNED, *exact]
    for found in figures["methods"].values():
        assert all(math.isfinite(found[key]) and found[key] >= 0 for key in ("mean", "deviation", "MMD"))
    assert figures["relative"]["held-out data"] < 1e-4
    assert all(figures["relative"][key] < 1e-5 for key in exact)
    assert figures["methods"]["NAMM refined"]["mean"] < figures["methods"]["NAMM finetuned"]["mean"]
    assert set(figures["bounds"]) == {"distance", "round-trip"}
    assert (figures["moved"] > 0) == (case == "count")
    assert result.picture.startswith(b"\x89PNG")
    assert set(namm.BENCH.row(figures)) >= {"held-out data", *methods.METHODS, "training"}

    parts = ("map", "mirror diffusion", "finetuning", "drawing for it")
    took = sum(figures["seconds"][part] for part in parts)
    step = figures["seconds"]["mirror diffusion"] / figures["steps"]["mirror diffusion"]
    assert figures["steps"]["baseline"] * step >= took
    assert figures["weights"]["baseline"] == figures["weights"]["mirror diffusion"]
    if exact:
        assert figures["steps"]["exact map"] == figures["steps"]["baseline"]


def raising(error):
    def stop(*_, **__):
        raise error

    return stop


@pytest.mark.usefixtures("quick")
def test_a_stopped_case_goes_on_with_what_was_trained(tmp_path, monkeypatch):
    whole = measured("periodic", tmp_path / "whole").figures
    with monkeypatch.context() as stopping:
        stopping.setattr(methods, "finetune", raising(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            measured("periodic", tmp_path / "stopped")
    fitted = []
    fit = methods.fit
    monkeypatch.setattr(
        methods, "fit", lambda model, *given, **told: fitted.append(model) or fit(model, *given, **told)
    )
    resumed = measured("periodic", tmp_path / "stopped").figures
    assert len(fitted) == 2  # the baseline, and the model behind the exact map
    assert [resumed["methods"][key] for key in LEARNED] == [whole["methods"][key] for key in LEARNED]
    again = measured("periodic", tmp_path / "stopped").figures
    assert len(fitted) == 2
    assert again == resumed


def test_a_bench_that_goes_on_has_a_folder_for_each_case(tmp_path):
    def measure(case, settings, folder):
        number = Kept(folder).plain("number", lambda: len(seen) + settings.seed)
        seen.append(case)
        if seen.count(case) == 1 and case == "two cases":
            raise KeyboardInterrupt
        return Result({"number": number})

    seen = []
    bench = Bench("kept", "whether it goes on", ("one", "two cases"), measure, lambda f: {"n": f["number"]}, str)
    bench = attrs.evolve(bench, goes_on=True, row=lambda f: {"number": str(f["number"])})
    with pytest.raises(KeyboardInterrupt):
        run_bench(bench, BenchSettings(seed=5), tmp_path / "out", say=lambda _: None)
    table = run_bench(bench, BenchSettings(seed=5), tmp_path / "out", say=lambda _: None)
    assert seen == ["one", "two cases", "two cases"]
    assert "| one | 5 |\n| two cases | 6 |" in table.read_text()
    assert not (tmp_path / "out" / "progress").exists()


def test_the_baseline_takes_the_time_of_the_others_and_a_little_more():
    stages = [Stage("map", 40, 0.25), Stage("mirror diffusion", 30, 0.5), Stage("finetuning", 10, 0.5)]
    assert methods.baseline_steps(stages, 0.5) == 64  # 30 seconds and 5% more, by half seconds, rounded up


def test_a_training_that_ended_without_its_record_is_repeated(tmp_path):
    """As when it was stopped in between; else nobody would know what it took."""
    kept, calls = Kept(tmp_path), []

    def train(model, checkpoint, after_step):
        if checkpoint.exists():
            return [1.0, 1.0]
        calls.append(model)
        after_step(1)
        after_step(2)
        checkpoint.write_bytes(b"state")
        return [2.0, 1.0]

    (tmp_path / "part-training.safetensors").write_bytes(b"state")
    tain.register("constraint", tain.Component("test-nothing", Nothing))
    part = kept.trained("part", Nothing, train)
    assert len(calls) == 1
    assert part.losses == [2.0, 1.0]
    assert part.pace == part.seconds / 2
    assert not (tmp_path / "part-training.safetensors").exists()


class Nothing(tain.Constraint):
    """The rule that all numbers keep."""

    event_ndim = 1

    def distance(self, x):
        return torch.zeros(len(x))


def figures_of(rule="burgers", **changed):
    found = {"baseline": 2.0, "NAMM": 1.0, "NAMM finetuned": 0.1, "NAMM refined": 0.001, "exact map": 0.0}
    found |= changed.pop("means", {})
    mmd = {**dict.fromkeys(found, 0.1), **changed.pop("mmd", {})}
    return {
        "rule": rule,
        "methods": {key: {"mean": value, "MMD": mmd[key]} for key, value in found.items()},
        "relative": {"exact map": changed.pop("relative", 1e-7)},
        "goal": {"finetuned": 91, "refined": 97},
    }


def test_the_verdict_tells_what_is_reached_and_what_is_missed():
    good = figures_of()
    assert improvement(good, "NAMM finetuned") == pytest.approx(95)
    assert verdict([good]) == (
        "NAMM finetuned: the paper's improvement over the baseline is reached by 1 of 1 rules. "
        "Refined: the improvement wanted is reached by 1 of 1 rules. "
        "NAMM finetuned and refined: MMD of at most 1.2 times the baseline's is reached by 1 of 1 rules. "
        "Exact map: a relative distance of at most 1e-05 is reached by 1 of 1 rules. "
        "Exact map: MMD of at most 1.1 times the baseline's is reached by 1 of 1 rules."
    )
    bad = figures_of("count", means={"NAMM finetuned": 1.5, "NAMM refined": 3.0}, mmd={"NAMM refined": 0.13})
    del bad["methods"]["exact map"]
    told = verdict([good, bad])
    assert "reached by 1 of 2 rules (missed: count 25% of 91%)" in told
    assert "wanted is reached by 1 of 2 rules (missed: count -50% of 97%)" in told
    assert "(missed: count 0.13 of 0.12)" in told
    assert told.count("of 1 rules") == 2  # only one has an exact map
    wrong = verdict([figures_of(relative=2e-5, mmd={"exact map": 0.115})])
    assert "(missed: burgers 2.0e-05)" in wrong
    assert "(missed: burgers 0.115 of 0.11)" in wrong


def test_nothing_is_measured_without_the_plugins(tmp_path, monkeypatch):
    with pytest.raises(tain.UnknownNameError, match="needs tain-elsewhere, which is not installed: pip install"):
        rules.require_installed("namm", "tain-lab", "tain-elsewhere")
    monkeypatch.setattr(namm, "require_installed", raising(tain.UnknownNameError("Nothing is installed.")))
    with pytest.raises(tain.UnknownNameError, match="Nothing is installed"):
        find_bench("namm").measure("burgers", SETTINGS, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_discrepancies_are_their_sums_over_pairs():
    rng = torch.Generator().manual_seed(0)
    x, y = torch.randn(6, 3, generator=rng).double(), torch.randn(5, 3, generator=rng).double() + 3

    def by_hand(kernel):
        among = [
            sum(kernel(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j)
            / len(rows)
            / (len(rows) - 1)
            for rows in (x, y)
        ]
        return float(sum(among) - 2 * sum(kernel(a, b) for a in x for b in y) / len(x) / len(y))

    assert kernel_distance(x, y) == pytest.approx(by_hand(lambda a, b: (a @ b / 3 + 1) ** 3))
    width = torch.pdist(y).median()
    squared = by_hand(lambda a, b: torch.exp(-(a - b).square().sum() / (2 * width**2)))
    assert gaussian_mmd(x, y) == pytest.approx(math.sqrt(squared))


def test_two_sets_of_one_law_have_no_discrepancy_on_average():
    rows = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0)).double()
    pairs = zip(rows[:1000].split(10), rows[1000:].split(10), strict=True)
    found = torch.tensor([unbiased(x, y, lambda a, b: a @ b.mT) for x, y in pairs])
    assert abs(found.mean()) < 4 * found.std() / len(found) ** 0.5
    assert bool((found < 0).any())


def test_features_of_a_network_that_knows_photographs():
    pytest.importorskip("efficientnet_lite_pytorch")
    images = torch.rand(3, 5, 16, 16, generator=torch.Generator().manual_seed(0))
    grey = lite0.lite0_features(images[:, :1], 0.0, 1.0)
    assert grey.shape == (3, 1280)
    torch.testing.assert_close(grey, lite0.lite0_features(images[:, :1].expand(-1, 3, -1, -1), 0.0, 1.0))
    shown = [lite0.lite0_features(images[:, c : c + 1], 0.0, 1.0) for c in (0, 2, 4)]
    torch.testing.assert_close(lite0.lite0_features(images, 0.0, 1.0), sum(shown) / 3)
    torch.testing.assert_close(grey, lite0.lite0_features(2 * images[:, :1] - 1, -1.0, 1.0))


def test_without_the_network_the_table_says_what_to_install(monkeypatch):
    monkeypatch.setattr(lite0, "_PACKAGES", ("tain_nowhere",))
    assert not lite0.available()
    figures = figures_of()
    for found in figures["methods"].values():
        found.update(deviation=0.5, KID=None)
    figures["methods"]["held-out data"] = {"mean": 0.0, "deviation": 0.0, "MMD": 0.02, "KID": 1e-4}
    row = namm.BENCH.row({**figures, "bounds": {"distance": 0.25}, "seconds": {"map": 3.0, "baseline": 4.0}})
    assert row["NAMM finetuned"] == "0.1 ± 0.5; 95% better; MMD 0.1 = 1.00; KID-Lite0: pip install 'tain-lab[kid]'"
    assert row["held-out data"] == "0 ± 0; MMD 0.02 = 0.20; KID-Lite0 0.0001"
    assert row["training"] == "map 3 s; baseline 4 s"
