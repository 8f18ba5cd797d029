"""Training of learned mirror maps and their finetuning: the same loop, the same promises."""

import sys
from pathlib import Path

import attrs
import pytest
import torch

import tain
from tain_lab import Settings, finetune, fit

sys.path.insert(0, str(Path(__file__).parent))
try:
    import learned_parts as parts
finally:
    sys.path.pop(0)

SETTINGS = Settings(steps=40, batch=8, learning_rate=0.02, warmup=3, checkpoint_every=10)


class KilledError(Exception):
    pass


@pytest.fixture
def data():
    return parts.images(50)


@pytest.fixture
def generated(data):
    """Images as a generator would give them, a little off."""
    with torch.no_grad():
        images = curved()(data).detach()
    return images + 0.1 * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))


def curved():
    torch.manual_seed(0)
    return parts.Curved(parts.Flux(), (1, 4, 4))


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def dies_at(mirror, name, step):
    """Make a loss of the map fail at a step, as a machine that goes down would."""
    real, calls = getattr(mirror, name), []

    def loss(*arguments, rng=None):
        calls.append(1)
        if len(calls) == step:
            raise KilledError
        return real(*arguments, rng=rng)

    setattr(mirror, name, loss)
    return mirror


def test_a_map_learns_its_rule(data):
    mirror = curved()
    before = mirror.constraint.distance(mirror.inverse(mirror(data))).mean()
    losses = fit(mirror, data, attrs.evolve(SETTINGS, steps=300), progress=False)
    assert len(losses) == 300
    assert not mirror.training
    assert torch.equal(mirror.mean, data.mean(0))
    assert mirror.constraint.distance(mirror.inverse(mirror(data))).mean() < before / 2


def test_all_weights_of_a_map_are_averages_of_the_trained_ones(data):
    last, averaged = curved(), curved()
    fit(last, data, attrs.evolve(SETTINGS, steps=1, average=0.0), progress=False)
    fit(averaged, data, attrs.evolve(SETTINGS, steps=1, average=0.999), progress=False)
    assert torch.allclose(weights(averaged), 0.1 * weights(curved()) + 0.9 * weights(last))


@pytest.mark.parametrize("killed_at", [1, 11, 25])
def test_a_stopped_training_of_a_map_goes_on_to_the_bit(data, tmp_path, killed_at):
    whole, stopped = curved(), curved()
    losses = fit(whole, data, SETTINGS, progress=False)
    with pytest.raises(KilledError):
        fit(dies_at(curved(), "loss", killed_at), data, SETTINGS, checkpoint=tmp_path / "s", progress=False)
    assert fit(stopped, data, SETTINGS, checkpoint=tmp_path / "s", progress=False) == losses
    assert torch.equal(weights(stopped), weights(whole))


@pytest.mark.parametrize("killed_at", [1, 11, 25])
def test_a_stopped_finetuning_goes_on_to_the_bit(data, generated, tmp_path, killed_at):
    whole, stopped = curved(), curved()
    losses = finetune(whole, data, generated, SETTINGS, progress=False)
    dying = dies_at(curved(), "finetuning_loss", killed_at)
    with pytest.raises(KilledError):
        finetune(dying, data, generated, SETTINGS, checkpoint=tmp_path / "s", progress=False)
    assert finetune(stopped, data, generated, SETTINGS, checkpoint=tmp_path / "s", progress=False) == losses
    assert torch.equal(weights(stopped), weights(whole))


def test_finetuning_brings_generated_samples_nearer_and_leaves_the_forward_map(data, generated):
    mirror = curved()
    mirror.prepare(data)
    asked = [weight.requires_grad for weight in mirror.parameters()]
    images, before = mirror(data), mirror.constraint.distance(mirror.inverse(generated)).mean()
    finetune(mirror, data, generated, attrs.evolve(SETTINGS, steps=300), progress=False)
    assert mirror.constraint.distance(mirror.inverse(generated)).mean() < before / 2
    assert torch.equal(mirror(data), images)
    assert [weight.requires_grad for weight in mirror.parameters()] == asked
    assert not mirror.training


def test_finetuning_takes_pairs_in_orders_of_their_own(data, generated):
    seen = []
    mirror = curved()
    real = mirror.finetuning_loss

    def loss(x, y, *, rng=None):
        seen.append((x[:, 0, 0, 0].tolist(), y[:, 0, 0, 0].tolist()))
        return real(x, y, rng=rng)

    mirror.finetuning_loss = loss
    finetune(mirror, data, generated[:32], attrs.evolve(SETTINGS, steps=100), progress=False)
    x, y = ([value for pair in seen for value in pair[side]] for side in (0, 1))
    assert {x.count(value) for value in data[:, 0, 0, 0].tolist()} == {16}
    assert {y.count(value) for value in generated[:32, 0, 0, 0].tolist()} == {25}
    places = dict(zip(data[:, 0, 0, 0].tolist(), range(50), strict=True))
    partners = dict(zip(generated[:, 0, 0, 0].tolist(), range(50), strict=True))
    assert [places[value] for value in x] != [partners[value] for value in y]


def test_the_state_of_a_map_is_none_of_its_finetuning(data, generated, tmp_path):
    fit(curved(), data, SETTINGS, checkpoint=tmp_path / "s", progress=False)
    with pytest.raises(tain.CheckpointError, match="no state of this training"):
        finetune(curved(), data, generated, SETTINGS, checkpoint=tmp_path / "s", progress=False)


@pytest.mark.parametrize("tune", [False, True])
def test_data_that_break_the_rule_are_refused_before_training(data, generated, tune):
    data[7] *= 1.5
    data[31] *= 3
    mirror = dies_at(dies_at(curved(), "loss", 1), "finetuning_loss", 1)
    message = r"break the rule .* Flux: 2 of 50 samples are outside, the worst row 31 by 8, row 7 by 2 \(tolerance"
    train = (lambda: finetune(mirror, data, generated, SETTINGS)) if tune else (lambda: fit(mirror, data, SETTINGS))
    with pytest.raises(tain.OutsideSetError, match=message):
        train()


def test_a_tolerance_lets_rounded_data_through(data):
    data[3, 0, 0, 0] += 0.01
    with pytest.raises(tain.OutsideSetError, match=r"row 3 by 0\.01"):
        fit(curved(), data, SETTINGS, progress=False)
    assert len(fit(curved(), data, SETTINGS, tolerance=0.02, progress=False)) == 40


def test_a_distance_below_zero_is_refused_by_name(data):
    mirror = curved()
    mirror.constraint.distance = lambda x: x.flatten(1).sum(1) - 5
    with pytest.raises(tain.ConfigurationError, match=r"Flux gives a distance of -1, but must give at least 0"):
        fit(mirror, data, SETTINGS, progress=False)


@pytest.mark.parametrize("shape", [(50, 1, 4, 3), (0, 1, 4, 4), (50, 16)])
def test_images_of_another_shape_are_refused(data, shape):
    with pytest.raises(tain.ShapeError, match=r"images have shape .*, but must have \(N, 1, 4, 4\)"):
        finetune(curved(), data, torch.zeros(shape), SETTINGS, progress=False)


def test_images_that_are_not_finite_are_refused(data, generated):
    generated[9, 0, 1, 1] = float("nan")
    with pytest.raises(tain.DataError, match=r"images must be finite numbers, but those of row 9"):
        finetune(curved(), data, generated, SETTINGS, progress=False)


def test_fewer_images_than_a_batch_are_refused(data, generated):
    with pytest.raises(tain.ConfigurationError, match=r"batch is 8, but must be at most .* 5"):
        finetune(curved(), data, generated[:5], SETTINGS, progress=False)


def test_every_step_is_told(data):
    told = []
    fit(curved(), data, attrs.evolve(SETTINGS, steps=5), progress=False, after_step=told.append)
    assert told == [1, 2, 3, 4, 5]
