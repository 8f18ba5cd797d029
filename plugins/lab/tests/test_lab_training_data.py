"""What is trained on: conditions go with their rows, bad rows are named, and large data are never copied whole."""

import math
from pathlib import Path

import pytest
import torch

import tain
from tain_lab import Settings, fit, training_data
from tain_lab.training_data import mirror_images, require_data

STATUS = Path("/proc/self/status")
SETTINGS = Settings(steps=60, batch=16, learning_rate=0.1, warmup=0)


class Line(tain.Conditional):
    """Samples at their condition times a slope, plus what its twin draws."""

    def __init__(self, event_shape: tuple[int, ...], condition_shape: tuple[int, ...] | None):
        super().__init__()
        self.event_shape, self.condition_shape = event_shape, condition_shape
        self.slope = torch.nn.Parameter(torch.zeros(()))
        self.prepared = None

    def prepare(self, y, condition=None):
        self.prepared = None if condition is None else (tuple(y.shape), tuple(condition.shape))

    def loss(self, y, *, condition=None, rng=None):
        condition = torch.zeros(len(y)) if condition is None else condition
        return (y - self.slope * condition.reshape(-1, 1)).square().sum(1)

    def sample(self, n, *, condition=None, rng=None):
        raise NotImplementedError


def log_ratio(parts=3):
    shares = tain.create("constraint", "test-shares", parts=parts)
    return tain.catalogue.find("mirror-map", "test-log-ratio").target(shares)


@pytest.fixture
def shares():
    return torch.randn(90, 3, generator=torch.Generator().manual_seed(0)).softmax(1)


@pytest.mark.parametrize("labels", [False, True])
def test_each_row_comes_with_its_condition(labels):
    rng = torch.Generator().manual_seed(0)
    condition = torch.randint(0, 4, (50,), generator=rng) if labels else torch.randn(50, 1, generator=rng)
    model = Line((2,), tuple(condition.shape[1:]))
    losses = fit(model, 3.0 * condition.reshape(-1, 1).expand(-1, 2), SETTINGS, condition=condition, progress=False)
    assert losses[-1] < 0.02 * losses[0]  # no row fits unless its own condition comes with it
    assert model.prepared == ((50, 2), tuple(condition.shape))


def test_a_mirrored_generator_takes_conditions(shares):
    mirror = log_ratio()
    condition = mirror(shares)[:, :1]
    model = tain.Mirrored(mirror, Line((2,), (1,)))
    fit(model, shares, SETTINGS, condition=condition, progress=False)
    assert model.generator.prepared == ((90, 2), (90, 1))


def test_a_conditional_generator_can_be_trained_without_conditions():
    model = Line((2,), (1,))
    fit(model, torch.ones(20, 2), SETTINGS, progress=False)
    assert model.prepared is None


@pytest.mark.parametrize("model", [Line((4,), None), "test-normal"])
def test_conditions_for_a_model_that_takes_none_are_refused(model):
    model = tain.create("generator", model, event_shape=(4,)) if isinstance(model, str) else model
    with pytest.raises(tain.MissingCapabilityError, match=r"(Line|Normal) was not built to take one"):
        fit(model, torch.ones(5, 4), SETTINGS, condition=torch.ones(5, 1), progress=False)


@pytest.mark.parametrize("shape", [(4, 1), (6, 1), (5,), (5, 2)])
def test_conditions_of_another_shape_are_refused(shape):
    with pytest.raises(tain.ShapeError, match=r"must have \(5, 1\)"):
        fit(Line((4,), (1,)), torch.ones(5, 4), SETTINGS, condition=torch.ones(shape), progress=False)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_rows_that_are_not_finite_are_named(bad):
    data = torch.ones(100, 4)
    data[[7, 30], [2, 0]] = bad
    with pytest.raises(tain.DataError, match=r"data must be finite numbers, but those of row 7, 30 \("):
        fit(tain.create("generator", "test-normal", event_shape=(4,)), data, SETTINGS, progress=False)
    with pytest.raises(tain.DataError, match=r"the conditions must be .* row 7, 30"):
        fit(Line((4,), (4,)), torch.ones(100, 4), SETTINGS, condition=data, progress=False)


def test_of_many_bad_rows_the_first_are_named(monkeypatch):
    monkeypatch.setattr(training_data, "_CHUNK", 64)
    data = torch.ones(100, 4)
    data[40:] = math.nan
    with pytest.raises(tain.DataError, match="row 40, 41, 42, 43, 44 and 55 more"):
        require_data(data, (4,))


def test_finite_rows_whose_sum_is_not_are_taken():
    require_data(torch.full((100, 4), 3e38), (4,))


def test_data_that_are_no_real_numbers_are_refused():
    with pytest.raises(tain.DataError, match=r"dtype torch.int64, .* Use data.float\(\)"):
        require_data(torch.ones(3, 4, dtype=torch.int64), (4,))


def test_an_image_that_is_not_finite_is_named(shares):
    shares[3] = torch.tensor([0.5, 0.5, 0.0])
    with pytest.raises(tain.DataError, match=r"mirror images of the data must be finite .* row 3 "):
        mirror_images(log_ratio(), shares, torch.float32)


@pytest.mark.parametrize("memory", [2**30, 0])
def test_mirror_images_are_those_of_the_whole_whatever_the_chunks(shares, monkeypatch, tmp_path, memory):
    monkeypatch.setattr(training_data, "_CHUNK", 7 * 12)
    monkeypatch.setattr(training_data, "_MEMORY", memory)
    mirror, sizes = log_ratio(), []
    mirror.register_forward_hook(lambda _, x, y: sizes.append(len(y)))
    images = mirror_images(mirror, shares, torch.float64, tmp_path)
    assert sizes == [7] * 12 + [6]
    assert images.dtype == torch.float64
    torch.testing.assert_close(images, log_ratio()(shares).double(), rtol=1e-6, atol=1e-6)
    assert list(tmp_path.iterdir()) == []  # a file that holds them has no name any more


def test_a_training_in_memory_and_one_in_files_are_the_same(shares, monkeypatch, tmp_path):
    (tmp_path / "data").write_bytes(shares.numpy().tobytes())
    mapped = torch.from_file(str(tmp_path / "data"), shared=False, size=shares.numel()).view(shares.shape)
    models = [tain.Mirrored(log_ratio(), tain.create("generator", "test-normal", event_shape=(2,))) for _ in range(2)]
    first = fit(models[0], shares, SETTINGS, progress=False)
    monkeypatch.setattr(training_data, "_MEMORY", 0)
    assert fit(models[1], mapped, SETTINGS, checkpoint=tmp_path / "s", progress=False) == first


class Slim(tain.Generator):
    """A generator that looks at no more than a batch."""

    def __init__(self, event_shape: tuple[int, ...]):
        super().__init__()
        self.event_shape = event_shape
        self.mean = torch.nn.Parameter(torch.zeros(event_shape))

    def loss(self, y, *, rng=None):
        return (y - self.mean).square().sum(1)

    def sample(self, n, *, rng=None):
        raise NotImplementedError


class Anything(tain.Constraint):
    """No rule at all."""

    event_ndim = 1

    def distance(self, x):
        return x.new_zeros(len(x))


class Twice(tain.MirrorMap):
    """Each number times two."""

    def __init__(self):
        super().__init__()
        self.constraint = Anything()

    def forward(self, x):
        return 2 * x

    def inverse(self, y):
        return y / 2


def own_memory():
    """Bytes of memory that belong to this process alone and to no file."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
    return 1024 * int(line.split()[1])


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells what memory belongs to no file")
def test_large_data_are_never_copied_whole(tmp_path, monkeypatch):
    """128 MiB in a file, and as much of mirror images: the process takes less than half of that for itself."""
    monkeypatch.setattr(training_data, "_CHUNK", 2**20)
    rows, columns = 2**19, 64
    with (tmp_path / "data").open("wb") as file:
        file.truncate(rows * columns * 4)
    data = torch.from_file(str(tmp_path / "data"), shared=True, size=rows * columns).view(rows, columns)
    monkeypatch.setattr(training_data, "_MEMORY", 0)
    model = tain.Mirrored(Twice(), Slim((columns,)))
    fit(
        tain.Mirrored(Twice(), Slim((columns,))), data[:100], Settings(steps=2, batch=50), progress=False
    )  # loads what it uses
    before, during = own_memory(), []
    for part in (model.mirror, model.generator):
        part.register_forward_hook(lambda *_: during.append(own_memory()))
    fit(model, data, Settings(steps=5, batch=512), progress=False)
    assert len(during) == 128 + 5  # chunks of 1 MiB, and five steps
    assert max(during) - before < data.numel() * 4 / 2
