"""Training: the same steps whatever interrupts them, and no bad number passes."""

import attrs
import pytest
import torch

import tain
from tain_lab import Settings, fit
from tain_lab.batches import batch_rows as _batch

SETTINGS = Settings(steps=40, batch=8, learning_rate=0.05, warmup=3, checkpoint_every=10)


@pytest.fixture
def data():
    return 3 + 2 * torch.randn(50, 4, generator=torch.Generator().manual_seed(0))


def normal():
    return tain.create("generator", "test-normal", event_shape=(4,))


class KilledError(Exception):
    pass


def dies_at(model, step):
    """Make the model's loss fail at a step, as a machine that goes down would."""
    real, calls = model.loss, []

    def loss(y, *, rng=None):
        calls.append(1)
        if len(calls) == step:
            raise KilledError
        return real(y, rng=rng)

    model.loss = loss
    return model


def weights(model):
    return torch.cat([p.flatten() for p in model.parameters()])


def test_it_learns(data):
    model = normal()
    losses = fit(model, data, Settings(steps=300, batch=32, learning_rate=0.05), progress=False)
    assert losses[-1] < losses[0]
    assert not model.training
    samples = model.sample(2000, rng=0)
    assert torch.allclose(samples.mean(0), data.mean(0), atol=0.3)
    assert torch.allclose(samples.std(0), data.std(0), rtol=0.15)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(data):
    models = [normal() for _ in range(3)]
    before = torch.random.get_rng_state()
    first, again, other = (
        fit(m, data, SETTINGS, seed=s, progress=False) for m, s in zip(models, (1, 1, 2), strict=True)
    )
    assert first == again != other
    assert torch.equal(weights(models[0]), weights(models[1]))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("killed_at", [1, 10, 11, 25, 40])
def test_a_stopped_training_goes_on_to_the_bit(data, tmp_path, killed_at):
    whole, stopped = normal(), normal()
    losses = fit(whole, data, SETTINGS, progress=False)
    with pytest.raises(KilledError):
        fit(dies_at(normal(), killed_at), data, SETTINGS, checkpoint=tmp_path / "s", progress=False)
    assert (tmp_path / "s").exists() == (killed_at > 10)
    assert fit(stopped, data, SETTINGS, checkpoint=tmp_path / "s", progress=False) == losses
    assert torch.equal(weights(stopped), weights(whole))


def test_a_finished_training_is_not_repeated(data, tmp_path):
    first, again = normal(), normal()
    fit(first, data, SETTINGS, checkpoint=tmp_path / "s", progress=False)
    fit(dies_at(again, 1), data, SETTINGS, checkpoint=tmp_path / "s", progress=False)
    assert torch.equal(weights(first), weights(again))


def test_a_state_of_another_training_is_refused(data, tmp_path):
    fit(normal(), data, SETTINGS, checkpoint=tmp_path / "s", progress=False)
    before = (tmp_path / "s").read_bytes()
    for settings, seed in ((attrs.evolve(SETTINGS, steps=50), 0), (SETTINGS, 1)):
        with pytest.raises(tain.CheckpointError, match="other settings or another seed"):
            fit(normal(), data, settings, seed=seed, checkpoint=tmp_path / "s", progress=False)
    assert (tmp_path / "s").read_bytes() == before


def test_a_broken_state_is_refused(data, tmp_path):
    fit(normal(), data, SETTINGS, checkpoint=tmp_path / "s", progress=False)
    whole = (tmp_path / "s").read_bytes()
    for broken in (b"", whole[:100], whole[:-1], b"text" * 50):
        (tmp_path / "s").write_bytes(broken)
        with pytest.raises(tain.CheckpointError, match="truncated or no state"):
            fit(normal(), data, SETTINGS, checkpoint=tmp_path / "s", progress=False)
    other = tain.create("generator", "test-normal", event_shape=(3,))
    (tmp_path / "s").write_bytes(whole)
    with pytest.raises(tain.CheckpointError, match="no state of this training"):
        fit(other, data[:, :3], SETTINGS, checkpoint=tmp_path / "s", progress=False)


def breaks_at(model, step):
    """Make the model's loss no number from a step on."""
    real, calls = model.loss, []

    def loss(y, *, rng=None):
        calls.append(1)
        return real(y, rng=rng) * (1 if len(calls) < step else float("nan"))

    model.loss = loss
    return model


@pytest.mark.parametrize("step", [1, 10, 11, 27, 40])
def test_the_step_of_a_bad_number_is_named(data, step):
    with pytest.raises(tain.TrainingError, match=rf"the loss is nan at step {step}\b"):
        fit(breaks_at(normal(), step), data, SETTINGS, progress=False)


def test_a_gradient_that_is_no_number_is_named_as_well(data):
    model = normal()
    real = model.loss
    model.loss = lambda y, *, rng=None: real(y, rng=rng) + (model.mean.sum() - model.mean.sum().detach()).sqrt()
    with pytest.raises(tain.TrainingError, match=r"the gradient is (nan|inf) at step 1\b"):
        fit(model, data, SETTINGS, progress=False)


def test_after_a_bad_number_the_model_and_the_state_are_good_ones(data, tmp_path):
    """Broken at step 27: the model is that of step 20, and so is the file."""
    model, until = breaks_at(normal(), 27), dies_at(normal(), 21)
    with pytest.raises(tain.TrainingError):
        fit(model, data, SETTINGS, checkpoint=tmp_path / "s", progress=False)
    with pytest.raises(KilledError):
        fit(until, data, SETTINGS, checkpoint=tmp_path / "until", progress=False)
    assert torch.equal(weights(model), weights(until))
    assert not model.training
    assert (tmp_path / "s").read_bytes() == (tmp_path / "until").read_bytes()
    whole, on = normal(), normal()
    fit(whole, data, SETTINGS, progress=False)
    fit(on, data, SETTINGS, checkpoint=tmp_path / "s", progress=False)
    assert torch.equal(weights(on), weights(whole))


def test_the_last_state_is_written_whatever_the_number_of_steps(data, tmp_path):
    settings = attrs.evolve(SETTINGS, steps=13)
    fit(normal(), data, settings, checkpoint=tmp_path / "s", progress=False)
    assert len(fit(dies_at(normal(), 1), data, settings, checkpoint=tmp_path / "s", progress=False)) == 13


def test_a_checkpoint_without_a_folder_is_refused_before_anything(data, tmp_path):
    with pytest.raises(tain.CheckpointError, match="there is no folder"):
        fit(dies_at(normal(), 1), data, SETTINGS, checkpoint=tmp_path / "no" / "s", progress=False)


def test_a_model_with_nothing_to_train_is_refused(data):
    with pytest.raises(tain.TrainingError, match="Normal has no weight that may change"):
        fit(normal().requires_grad_(False), data, SETTINGS, progress=False)


def test_a_loss_that_is_not_one_number_a_sample_is_refused(data):
    model = normal()
    real = model.loss
    model.loss = lambda y, *, rng=None: real(y, rng=rng).mean()
    with pytest.raises(tain.ShapeError, match=r"has shape \(\) for 8 samples, but must have \(8,\)"):
        fit(model, data, SETTINGS, progress=False)


def test_weights_in_float64_are_trained_in_it_and_data_follow_the_weights(data):
    exact, narrow = normal().double(), normal()
    losses = fit(exact, data, SETTINGS, progress=False)
    assert exact.mean.dtype == torch.float64
    assert losses != [float(torch.tensor(loss)) for loss in losses]  # more digits than float32 has
    assert len(fit(narrow, data.double(), SETTINGS, progress=False)) == 40
    assert narrow.mean.dtype == torch.float32


@pytest.mark.parametrize("shape", [(0, 4), (5, 3), (5, 4, 1)])
def test_data_of_another_shape_are_refused(shape):
    with pytest.raises(tain.ShapeError, match=r"must have \(N, 4\)"):
        fit(normal(), torch.zeros(shape), progress=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "'steps' is 0, but must be at least 1"),
        ({"learning_rate": 0.0}, "'learning_rate' is 0.0, but must be above 0"),
        ({"average": 1.0}, "'average' is 1.0, but must be below 1"),
        ({"clip": float("nan")}, "'clip' is nan"),
    ],
)
def test_settings_beyond_their_limits_are_refused(data, change, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        fit(normal(), data, Settings(**change), progress=False)


def test_every_epoch_sees_every_row_once():
    rows = torch.cat([_batch(count=7, batch=3, step=step, seed=0) for step in range(7)])
    for epoch in rows.reshape(3, 7):
        assert sorted(epoch.tolist()) == list(range(7))
    assert len({tuple(epoch.tolist()) for epoch in rows.reshape(3, 7)}) == 3


def test_fewer_rows_than_a_batch_are_refused(data, tmp_path):
    message = r"\[training\] batch is 8, but must be at most the number of rows to train on, 7\. Give a smaller one"
    with pytest.raises(tain.ConfigurationError, match=message):
        fit(normal(), data[:7], SETTINGS, checkpoint=tmp_path / "state", progress=False)
    assert not list(tmp_path.iterdir())


def test_a_single_row_can_be_fitted():
    fit(normal(), torch.ones(1, 4), attrs.evolve(SETTINGS, steps=2, batch=1), progress=False)


def test_rate_and_decay_follow_their_formulas():
    settings = Settings(steps=100, warmup=9, learning_rate=1.0, average=0.9)
    assert settings.rate(0) == pytest.approx(0.1)
    assert settings.rate(50) == pytest.approx(0.5)
    assert 0 < settings.rate(99) < 1e-3
    assert (settings.decay(0), settings.decay(10**6)) == (0.1, 0.9)


def test_the_average_is_what_the_model_gets(data):
    """With one step of averaging, the weights are those before and after it, mixed by the decay of the first step."""
    last, averaged = normal(), normal()
    fit(last, data, attrs.evolve(SETTINGS, steps=1, average=0.0), progress=False)
    fit(averaged, data, attrs.evolve(SETTINGS, steps=1, average=0.999), progress=False)
    assert torch.allclose(weights(averaged), 0.1 * weights(normal()) + 0.9 * weights(last))


def test_mirror_images_are_computed_once():
    shares = tain.create("constraint", "test-shares", parts=3)
    mirror = tain.catalogue.find("mirror-map", "test-log-ratio").target(shares)
    calls = []
    mirror.register_forward_hook(lambda *_: calls.append(1))
    model = tain.Mirrored(mirror, tain.create("generator", "test-normal", event_shape=(2,)))
    x = torch.rand(20, 3, generator=torch.Generator().manual_seed(0)).log_softmax(1).exp()
    fit(model, x, attrs.evolve(SETTINGS, steps=5), progress=False)
    assert len(calls) == 1
    assert shares.contains(model.sample(100, rng=0)).all()


class Image(tain.Generator):
    """A convolution that removes noise, for samples of three dimensions."""

    def __init__(self, event_shape: tuple[int, ...]):
        super().__init__()
        self.event_shape = event_shape
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers = torch.nn.Sequential(
                torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.SiLU(), torch.nn.Conv2d(8, 3, 3, padding=1)
            )
        self.layouts = set()

    def loss(self, y, *, rng=None):
        self.layouts.add(y.is_contiguous(memory_format=torch.channels_last))
        return (self.layers(y + torch.randn(y.shape, generator=rng)) - y).square().flatten(1).mean(1)

    def sample(self, n, *, rng=None):
        raise NotImplementedError


@pytest.mark.parametrize("changes", [{}, {"precision": "bfloat16"}])
def test_images_are_laid_out_channels_last_and_resumed_to_the_bit(tmp_path, changes):
    settings = attrs.evolve(SETTINGS, steps=12, checkpoint_every=5, **changes)
    images = torch.rand(20, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    whole, stopped = Image((3, 6, 6)), Image((3, 6, 6))
    losses = fit(whole, images, settings, progress=False)
    assert losses[-1] < losses[0]
    assert whole.layouts == {True}
    assert all(p.is_contiguous() and p.dtype == torch.float32 for p in whole.parameters())
    with pytest.raises(KilledError):
        fit(dies_at(Image((3, 6, 6)), 8), images, settings, checkpoint=tmp_path / "s", progress=False)
    assert fit(stopped, images, settings, checkpoint=tmp_path / "s", progress=False) == losses
    assert torch.equal(weights(stopped), weights(whole))


def test_bfloat16_changes_only_the_rounding():
    images = torch.rand(20, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    full, half = (
        fit(Image((3, 6, 6)), images, attrs.evolve(SETTINGS, precision=p), progress=False)
        for p in ("float32", "bfloat16")
    )
    assert full != half
    assert half == pytest.approx(full, rel=0.05)


def test_without_a_compiler_one_line_says_so_and_training_goes_on(data, monkeypatch, capsys):
    def missing(*_, **__):
        raise RuntimeError("no C++ compiler found")

    monkeypatch.setattr(torch, "compile", missing)
    plain = fit(normal(), data, SETTINGS, progress=False)
    assert fit(normal(), data, attrs.evolve(SETTINGS, compile=True), progress=False) == plain
    told = capsys.readouterr().err
    assert told == "compile: goes on without, since no compiler works here: no C++ compiler found\n"


def test_a_compiled_training_differs_only_in_rounding(data):
    plain, fast = normal(), normal()
    losses = fit(plain, data, SETTINGS, progress=False)
    assert fit(fast, data, attrs.evolve(SETTINGS, compile=True), progress=False) == pytest.approx(losses, rel=1e-3)
    assert torch.allclose(weights(plain), weights(fast), atol=1e-3)
