"""Models that were saved with the diffusers library, beside what that library makes of them itself."""

import json
import shutil

import diffusers
import pytest
import safetensors.torch
import torch

import tain
from tain.testing import parametrize_checks
from tain_diffusion import pretrained
from tain_diffusion.pretrained import PretrainedDiffusion

SAMPLERS = [("ddim", 4), ("ancestral", 4), ("dpm-solver++", 4), ("dpm-solver++-sde", 4), ("heun", 5)]


def unet(**settings):
    arguments = {
        "sample_size": 8,
        "in_channels": 1,
        "out_channels": 1,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
        "norm_num_groups": 4,
    }
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return diffusers.UNet2DModel(**(arguments | settings)).eval()


def saved(folder, network=None, scheduler=None):
    network = unet() if network is None else network
    diffusers.DDPMPipeline(network, scheduler or diffusers.DDPMScheduler()).save_pretrained(folder)
    return folder


def texts(network, scheduler):
    plain = {"_class_name": "UNet2DModel", **network.config}
    return json.dumps(plain), json.dumps({"_class_name": type(scheduler).__name__, **scheduler.config})


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("pretrained") / "pipeline")


SMALL = texts(
    unet(sample_size=4, block_out_channels=(8,), down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",)),
    diffusers.DDPMScheduler(100),
)


@parametrize_checks(PretrainedDiffusion(*SMALL, evaluations=3), profile="quick")
def test_it_is_a_generator(subject, check):
    check(subject)


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize(
    "schedule",
    [
        {"beta_schedule": "linear"},
        {"beta_schedule": "squaredcos_cap_v2", "clip_sample": False},
        {"trained_betas": torch.linspace(0.001, 0.2, 40).tolist(), "num_train_timesteps": 40},
    ],
)
def test_its_ddim_samples_are_those_of_the_pipeline(tmp_path, prediction, schedule):
    scheduler = diffusers.DDIMScheduler(prediction_type=prediction, **schedule)
    pipeline = diffusers.DDIMPipeline(unet(sample_size=(8, 4), in_channels=2, out_channels=2), scheduler)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(tmp_path / "pipeline")
    expected = pipeline(3, torch.Generator().manual_seed(1), num_inference_steps=10, output_type="pt").images
    model = PretrainedDiffusion.from_folder(tmp_path / "pipeline", evaluations=10)
    samples = model.sample(3, rng=1)
    assert samples.dtype == torch.float32
    assert expected.std() > 0.01
    assert torch.allclose((samples / 2 + 0.5).clamp(0, 1), expected, atol=1e-5)  # the pipeline's units are 0 to 1


def test_its_ancestral_samples_are_those_of_the_pipeline(folder):
    pipeline = diffusers.DDPMPipeline.from_pretrained(folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    expected = pipeline(3, torch.Generator().manual_seed(1), num_inference_steps=10, output_type="np").images
    samples = PretrainedDiffusion.from_folder(folder, sampler="ancestral", evaluations=10).sample(3, rng=1)
    shown = (samples / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    assert torch.allclose(shown, torch.as_tensor(expected), atol=1e-5)


@pytest.mark.parametrize(("sampler", "evaluations"), SAMPLERS)
def test_every_sampler_takes_as_many_evaluations_as_told(folder, sampler, evaluations):
    model = PretrainedDiffusion.from_folder(folder, sampler=sampler, evaluations=evaluations)
    times = []
    model.network.register_forward_pre_hook(lambda network, arguments: times.append(arguments[1]))
    samples = model.sample(2, rng=0)
    assert len(times) == evaluations
    assert samples.shape == (2, 1, 8, 8)
    assert samples.isfinite().all()


@pytest.mark.parametrize(("sampler", "evaluations"), SAMPLERS)
def test_samples_do_not_depend_on_the_parts_that_they_are_drawn_in(folder, monkeypatch, sampler, evaluations):
    model = PretrainedDiffusion.from_folder(folder, sampler=sampler, evaluations=evaluations)
    whole = model.sample(5, rng=0)
    monkeypatch.setattr(pretrained, "_CHUNK", 128)  # two images
    assert torch.allclose(model.sample(5, rng=0), whole, atol=1e-5)


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
def test_it_denoises_as_the_library_does_with_gradients(prediction):
    scheduler = diffusers.DDIMScheduler(100, prediction_type=prediction, clip_sample=False)
    model = PretrainedDiffusion(*texts(unet(), scheduler)).eval()
    y_t = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    scheduler.set_timesteps(100)
    for step in (0, 50, 99):
        clean = model.denoise(y_t, torch.tensor([step / 99]))
        (gradient,) = torch.autograd.grad(clean.sum(), y_t)
        assert gradient.isfinite().all()
        assert gradient.abs().max() > 0
        expected = scheduler.step(model.network(y_t, step).sample, step, y_t).pred_original_sample
        assert torch.allclose(clean, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_its_schedule_is_its_own_table_and_linear_between(folder, dtype):
    model = PretrainedDiffusion.from_folder(folder).to(dtype)
    table = diffusers.DDPMScheduler().alphas_cumprod.to(dtype)
    t = torch.linspace(0, 1, 1000, dtype=dtype)
    assert torch.allclose(model.alpha(t).square(), table, atol=1e-5)
    assert torch.allclose(model.sigma(t).square(), 1 - table, atol=1e-5)
    between = torch.tensor([10.25 / 999], dtype=dtype)
    assert torch.allclose(model.alpha(between).square(), 0.75 * table[10] + 0.25 * table[11], atol=1e-6)


def exact_for_a_point(model, point):
    """Give the model the network that is right where all data are one image whose every pixel is that number."""

    class Exact(torch.nn.Module):
        def forward(self, y_t, steps, return_dict):
            t = steps / (model.steps - 1)
            alpha, sigma = model.alpha(t)[:, None, None, None], model.sigma(t)[:, None, None, None]
            noise, clean = (y_t - alpha * point) / sigma, torch.full_like(y_t, point)
            velocity = alpha * noise - sigma * clean
            return ({"epsilon": noise, "sample": clean, "v_prediction": velocity}[model.prediction],)

    model.network = Exact()


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
def test_the_loss_of_a_network_that_is_right_is_zero(prediction):
    model = PretrainedDiffusion(*texts(unet(), diffusers.DDPMScheduler(100, prediction_type=prediction)))
    y = torch.full((6, 1, 8, 8), 0.5)
    assert model.loss(y, rng=0).mean() > 0.1
    exact_for_a_point(model, 0.5)
    assert model.loss(y, rng=0).max() < 1e-6


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("schedule", ["linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize("sampler", [sampler for sampler, _ in SAMPLERS])
def test_samples_end_at_the_only_point_of_the_data(sampler, schedule, prediction):
    """Also beyond -1 to 1, where pictures do not go: nothing is clipped but by its own configuration."""
    scheduler = diffusers.DDPMScheduler(prediction_type=prediction, beta_schedule=schedule, clip_sample=False)
    model = PretrainedDiffusion(*texts(unet(), scheduler), sampler=sampler, evaluations=25)
    exact_for_a_point(model, 1.5)
    assert torch.allclose(model.sample(4, rng=0), torch.full((4, 1, 8, 8), 1.5), atol=0.05)


@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
@pytest.mark.parametrize("schedule", ["linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize("sampler", [sampler for sampler, _ in SAMPLERS])
def test_samples_of_a_network_that_is_right_have_the_deviation_of_the_data(sampler, schedule, spacing):
    """Of normal data with the standard deviation 1/2, whose denoiser is linear."""
    scheduler = diffusers.DDPMScheduler(beta_schedule=schedule, clip_sample=False, timestep_spacing=spacing)
    model = PretrainedDiffusion(
        *texts(unet(), scheduler), sampler=sampler, evaluations=201 if sampler == "heun" else 200
    )

    class Exact(torch.nn.Module):
        def forward(self, y_t, steps, return_dict):
            t = steps / (model.steps - 1)
            alpha, sigma = model.alpha(t)[:, None, None, None], model.sigma(t)[:, None, None, None]
            return (sigma * y_t / (alpha.square() / 4 + sigma.square()),)

    model.network = Exact()
    samples = model.sample(200, rng=0)
    assert samples.mean().item() == pytest.approx(0, abs=0.02)
    assert samples.std().item() == pytest.approx(0.5, abs=0.05)  # ancestral sampling still lacks some


def test_it_comes_back_from_a_checkpoint_without_the_folder(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    model = PretrainedDiffusion.from_folder(copy, sampler="dpm-solver++", evaluations=5)
    tain.save(model, tmp_path / "model")
    shutil.rmtree(copy)
    loaded = tain.load(tmp_path / "model")
    assert torch.equal(loaded.sample(3, rng=0), model.sample(3, rng=0))


def test_a_network_and_a_schedule_may_lie_apart(folder, tmp_path):
    shutil.copytree(folder / "unet", tmp_path / "a")
    shutil.copytree(folder / "scheduler", tmp_path / "b")
    apart = PretrainedDiffusion.from_folder(tmp_path / "a", tmp_path / "b", evaluations=3)
    whole = PretrainedDiffusion.from_folder(folder, evaluations=3)
    assert torch.equal(apart.sample(2, rng=0), whole.sample(2, rng=0))


def test_reading_leaves_the_global_random_state_alone(folder):
    before = torch.random.get_rng_state()
    model = PretrainedDiffusion.from_folder(folder)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not model.training


def test_dropout_of_the_configuration_is_left_out():
    model = PretrainedDiffusion(*texts(unet(dropout=0.5), diffusers.DDPMScheduler(100))).train()
    y = torch.zeros(2, 1, 8, 8)
    before = torch.random.get_rng_state()
    assert torch.equal(model.loss(y, rng=0), model.loss(y, rng=0))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda f: shutil.rmtree(f / "scheduler"), tain.CheckpointError, "scheduler_config.json: cannot be read"),
        (lambda f: (f / "unet/config.json").unlink(), tain.CheckpointError, "config.json: cannot be read"),
        (lambda f: weights(f).unlink(), tain.CheckpointError, "no .safetensors file in it"),
        (lambda f: weights(f).rename(f / "unet/weights.bin"), tain.CheckpointError, "a pickle .* convert it"),
        (lambda f: weights(f).write_bytes(weights(f).read_bytes()[:-50]), tain.CheckpointError, "cannot be read, or"),
        (lambda f: prune(weights(f), "conv_out.bias"), tain.CheckpointError, "1 missing keys, such as conv_out.bias"),
        (lambda f: edit(f / "unet/config.json", block_out_channels=[8, 8]), tain.CheckpointError, "do not fit"),
        (lambda f: edit(f / "unet/config.json", _class_name="UNet2DConditionModel"), tain.ConfigurationError, "of a U"),
    ],
)
def test_a_damaged_or_foreign_folder_is_refused(folder, tmp_path, damage, error, message):
    copy = shutil.copytree(folder, tmp_path / "copy")
    damage(copy)
    with pytest.raises(error, match=message):
        PretrainedDiffusion.from_folder(copy)


def weights(folder):
    return folder / "unet" / "diffusion_pytorch_model.safetensors"


def prune(path, key):
    tensors = safetensors.torch.load_file(path)
    del tensors[key]
    safetensors.torch.save_file(tensors, path, {"format": "pt"})


@pytest.mark.parametrize(
    ("which", "change", "message"),
    [
        (0, {"_class_name": "VQModel"}, "'unet' is the configuration of a VQModel, but must be that of a UNet2DModel"),
        (0, {"sample_size": None}, "'unet' has no 'sample_size'"),
        (0, {"out_channels": 2}, "'unet' has 1 channels in and 2 out"),
        (0, {"num_class_embeds": 10}, "'unet' has a class embedding, but must be unconditional"),
        (0, {"norm_num_groups": 5}, "diffusers cannot build 'unet'"),
        (1, {"beta_schedule": "other"}, "diffusers cannot build 'scheduler'"),
        (1, {"prediction_type": "flow"}, "'prediction_type' in 'scheduler' is 'flow', but must be one of"),
        (1, {"rescale_betas_zero_snr": True}, "ends without any signal"),
        (1, {"num_train_timesteps": 1}, "has 1 steps"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(which, change, message):
    given = list(texts(unet(), diffusers.DDPMScheduler(100)))
    given[which] = json.dumps(json.loads(given[which]) | change)
    with pytest.raises(tain.ConfigurationError, match=message):
        PretrainedDiffusion(*given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unet": "{"}, "'unet' is no JSON"),
        ({"scheduler": "[1]"}, r"'scheduler' is \[1\], but must be a JSON object"),
        (
            {"scheduler": '{"_class_name": "FlowMatchEulerDiscreteScheduler"}'},
            "of a FlowMatchEulerDiscreteScheduler, but",
        ),
        ({"evaluations": 101}, "'evaluations' is 101, but must be at most one for each of the 100 steps"),
        ({"evaluations": 4, "sampler": "heun"}, "'evaluations' is 4, but must be odd"),
    ],
)
def test_a_bad_argument_is_refused(change, message):
    given = dict(zip(("unet", "scheduler"), SMALL, strict=True)) | {"evaluations": 5} | change
    with pytest.raises(tain.ConfigurationError, match=message):
        PretrainedDiffusion(**given)


@pytest.mark.parametrize("sampler", ["ddim", "ancestral", "dpm-solver++"])
def test_steps_that_the_library_spaces_wrongly_are_refused(sampler):
    given = texts(unet(), diffusers.DDPMScheduler(timestep_spacing="trailing"))
    with pytest.raises(tain.ConfigurationError, match=r"'evaluations' is 201, but .* divisor of its 1000 steps"):
        PretrainedDiffusion(*given, sampler=sampler, evaluations=201)


@pytest.mark.parametrize("method", ["loss", "denoise"])
def test_samples_of_another_shape_are_refused(method):
    model, y = PretrainedDiffusion(*SMALL), torch.zeros(2, 3, 8, 8)
    with pytest.raises(tain.ShapeError, match=r"have shape \(2, 3, 8, 8\), but must have \(B, 1, 4, 4\)"):
        getattr(model, method)(y, **({"t": torch.zeros(2)} if method == "denoise" else {}))
