"""Two processes train as one does: the same losses and weights, one file, and the same error in both."""

import contextlib
import json
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings, strategies as st

import tain
from tain.randomness import generator
from tain.testing.processes import run_processes
from tain_lab import fit
from tain_lab.batches import share_of
from tain_lab.processes import require_same_step
from tain_lab.shared_draws import SharedDraws

PROCESS = Path(__file__).with_name("training_process.py")


@pytest.fixture(scope="module")
def single():
    """What one process gives: the module that holds the trainings, and the result of that without interruption."""
    sys.path.insert(0, str(PROCESS.parent))
    try:
        import training_process
    finally:
        sys.path.pop(0)
    return training_process


@pytest.fixture(scope="module")
def whole(single):
    data, condition = single.rows()
    model = single.Straight((3,))
    losses = fit(model, data, single.SETTINGS, condition=condition, progress=False)
    return losses, single.weights(model)


@pytest.fixture(scope="module")
def results(single, tmp_path_factory):
    """What each of two processes gives, which find a training of one process stopped at step 16."""
    home = tmp_path_factory.mktemp("processes")
    data, condition = single.rows()
    stopped, calls = single.Straight((3,)), []

    def dies(*arguments, **keywords):
        calls.append(1)
        if len(calls) == 18:
            raise single.KilledError
        return single.Straight.loss(stopped, *arguments, **keywords)

    stopped.loss = dies
    with pytest.raises(single.KilledError):
        fit(stopped, data, single.SETTINGS, condition=condition, checkpoint=home / "resumed", progress=False)
    run_processes(PROCESS, str(home))
    return home, [json.loads((home / f"result-{number}.json").read_text()) for number in range(2)]


@pytest.mark.parametrize("training", ["whole", "resumed"])
def test_two_processes_give_what_one_gives(whole, results, training):
    """Seven samples a batch: three for one process, four for the other, and each weighs the same."""
    losses, weights = whole
    for result in results[1]:
        assert result[training]["losses"] == pytest.approx(losses, rel=1e-5)
        assert result[training]["weights"] == pytest.approx(weights, abs=1e-5)


def test_two_processes_train_and_finetune_a_map_as_one_does(single, results):
    """The loss of the map has a gradient of a gradient in it."""
    for name, one in single.learned().items():
        for result in results[1]:
            assert result[name]["losses"] == pytest.approx(one["losses"], rel=1e-5)
            assert result[name]["weights"] == pytest.approx(one["weights"], abs=1e-5)


def test_both_processes_have_the_same_weights_and_losses(results):
    first, second = results[1]
    assert first == second


def test_only_the_main_process_writes_and_only_what_went_well(results):
    home = results[0]
    main, other = (json.loads((home / f"writes-{number}.json").read_text()) for number in range(2))
    assert main == ["whole", "whole", "whole", "resumed"]  # at steps 8, 16 and 24, and on from 16 at 24
    assert other == []
    assert {path.name for path in home.iterdir() if path.suffix != ".json"} == {"whole", "resumed"}


def test_two_processes_go_on_where_one_was_stopped(results):
    for result in results[1]:
        assert (result["whole"]["steps"], result["resumed"]["steps"]) == (24, 24 - 16)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ("small", r"batch is 1, but must be at least 2, the number of processes"),
        ("shuffled", r"draws by aten.randperm.generator, whose numbers cannot be shared"),
        ("spoilt", r"the loss is nan at step \d+"),
        ("unused", r"the weight 'slope' of Straight takes no part in its loss"),
    ],
)
def test_both_processes_stop_with_the_same_message(results, training, message):
    for result in results[1]:
        with pytest.raises(tain.TainError, match=message):
            raise tain.TainError(result[training]["error"])


@pytest.mark.parametrize("other", [16, 8])
def test_states_of_different_steps_are_refused(other):
    class Two:
        """Two processes, as this one sees them."""

        device = torch.device("cpu")

        def gather(self, step):
            return torch.cat((step, torch.tensor([other])))

    refused = pytest.raises(tain.CheckpointError, match=r"states of the steps \[16, 8\]")
    with contextlib.nullcontext() if other == 16 else refused:
        require_same_step(Two(), 16, Path("state"))


@settings(deadline=None, derandomize=True)
@given(batch=st.integers(1, 1000), processes=st.integers(1, 64))
def test_the_shares_make_up_the_batch(batch, processes):
    shares = [share_of(batch, process, processes) for process in range(processes)]
    assert [row for share in shares for row in range(batch)[share]] == list(range(batch))
    sizes = [share.stop - share.start for share in shares]
    assert max(sizes) - min(sizes) <= 1


DRAWS = {
    "randn": lambda n, rng: torch.randn(n, 3, generator=rng),
    "rand in float64": lambda n, rng: torch.rand((n,), generator=rng, dtype=torch.float64),
    "randint": lambda n, rng: torch.randint(3, 9, (n, 2), generator=rng),
    "normal": lambda n, rng: torch.normal(1.0, 2.0, (n, 2), generator=rng),
    "normal_": lambda n, rng: torch.empty(n, 2).normal_(generator=rng),
    "uniform_": lambda n, rng: torch.empty(n).uniform_(2, 3, generator=rng),
    "exponential_": lambda n, rng: torch.empty(n).exponential_(generator=rng),
    "bernoulli_": lambda n, rng: torch.empty(n).bernoulli_(0.3, generator=rng),
    "randn_like": lambda n, rng: torch.randn_like(torch.zeros(n, 2), generator=rng),
    "two draws": lambda n, rng: torch.rand(n, generator=rng) + torch.randn(n, generator=rng),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("batch", [7, 40])
def test_a_shared_draw_is_part_of_the_whole_one(name, batch):
    whole = DRAWS[name](batch, generator(0))
    for process in range(3):
        share = share_of(batch, process, 3)
        with SharedDraws(batch, share):
            part = DRAWS[name](share.stop - share.start, generator(0))
        assert torch.equal(part, whole[share])


def test_what_comes_from_no_explicit_source_is_left_alone():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        whole = torch.randn(2)
        torch.manual_seed(0)
        with SharedDraws(7, slice(0, 3)):
            assert torch.equal(torch.randn(2), whole)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda rng: torch.bernoulli(torch.full((3,), 0.5), generator=rng), "aten.bernoulli"),
        (lambda rng: torch.poisson(torch.ones(3), generator=rng), "aten.poisson"),
        (lambda rng: torch.empty(3).bernoulli_(torch.full((3,), 0.5), generator=rng), "aten.bernoulli_"),
        (lambda rng: torch.randn(6, generator=rng), r"shape \(6,\) .* only draws of shape \(3, ...\)"),
        (lambda rng: torch.empty(2, 3).normal_(generator=rng), r"shape \(2, 3\)"),
        (lambda rng: torch.rand((), generator=rng), r"shape \(\)"),
    ],
)
def test_draws_that_cannot_be_shared_are_refused(draw, message):
    with SharedDraws(7, slice(0, 3)), pytest.raises(tain.TrainingError, match=message):
        draw(generator(0))
