"""What diffusers' `save_pretrained` writes of a U-Net and of its noise schedule: JSON texts, and weights."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tain import CheckpointError, ConfigurationError
from tain.errors import one_line

__all__ = ["build_network", "parse_scheduler", "parse_unet", "read_text", "read_weights", "signal_variance"]

_OWNER = "PretrainedDiffusion"
_UNET = "UNet2DModel"
_PREDICTIONS = ("epsilon", "sample", "v_prediction")


def parse_unet(text: str) -> dict[str, Any]:
    """The configuration of an unconditional U-Net.

    Raises:
        ConfigurationError: it is of another class, tells no size, or is conditional.
    """
    config = _parse("unet", text)
    found = config.get("_class_name")
    if found != _UNET:
        raise ConfigurationError(
            f"{_OWNER}: 'unet' is the configuration of a {found}, but must be that of a {_UNET}, whose '_class_name' "
            "it is. Models of text, of latents or of volumes cannot be read."
        )
    if config.get("class_embed_type") is not None or config.get("num_class_embeds") is not None:
        raise ConfigurationError(
            f"{_OWNER}: 'unet' has a class embedding, but must be unconditional. Use a model without labels."
        )
    if config.get("sample_size") is None:
        raise ConfigurationError(
            f"{_OWNER}: 'unet' has no 'sample_size', but must tell the size of its images. Add it to config.json as "
            "one number, or as [height, width]."
        )
    incoming, outgoing = config.get("in_channels", 3), config.get("out_channels", 3)
    if incoming != outgoing:
        raise ConfigurationError(
            f"{_OWNER}: 'unet' has {incoming} channels in and {outgoing} out, but must have as many out as in. Models "
            "that also predict a variance, or that see further channels, cannot be read."
        )
    return config


def parse_scheduler(text: str) -> dict[str, Any]:
    """The configuration of a noise schedule in discrete steps.

    Raises:
        ConfigurationError: it is of another kind.
    """
    config = _parse("scheduler", text)
    if "beta_schedule" not in config and config.get("trained_betas") is None:
        raise ConfigurationError(
            f"{_OWNER}: 'scheduler' is the configuration of a {config.get('_class_name', 'scheduler')}, but must hold "
            "'beta_schedule' or 'trained_betas', as those of DDPM, DDIM, DPM-Solver and their like do. Flow matching "
            "and continuous noise cannot be read."
        )
    if config.setdefault("prediction_type", "epsilon") not in _PREDICTIONS:
        raise ConfigurationError(
            f"{_OWNER}: 'prediction_type' in 'scheduler' is {config['prediction_type']!r}, but must be one of "
            f"{', '.join(map(repr, _PREDICTIONS))}."
        )
    return config


def signal_variance(config: dict[str, Any]) -> Tensor:
    """alpha^2 at each step of a schedule, shape (K,), falling.

    Raises:
        ConfigurationError: diffusers cannot build the schedule, or it cannot be used.
    """
    from diffusers import DDPMScheduler

    try:
        variance: Tensor = DDPMScheduler.from_config(config).alphas_cumprod
    except (TypeError, ValueError, ArithmeticError, NotImplementedError, RuntimeError) as cause:
        raise ConfigurationError(
            f"{_OWNER}: diffusers cannot build 'scheduler' ({one_line(str(cause))}). Use an unchanged file."
        ) from cause
    if len(variance) < 2 or not bool((variance.diff() <= 0).all()) or not 0 <= float(variance[-1]) < 1:
        raise ConfigurationError(
            f"{_OWNER}: 'scheduler' has {len(variance)} steps, with alpha^2 from {float(variance[0]):g} to "
            f"{float(variance[-1]):g}, but must have at least 2, with alpha^2 falling, between 1 and 0."
        )
    if config["prediction_type"] == "epsilon" and float(variance[-1]) == 0:
        raise ConfigurationError(
            f"{_OWNER}: 'scheduler' ends without any signal, where 'prediction_type' 'epsilon' tells nothing of the "
            "sample. Set 'rescale_betas_zero_snr' to false, or use a model of 'v_prediction' or 'sample'."
        )
    return variance


def build_network(config: dict[str, Any]) -> Any:
    """A U-Net of that configuration, with random weights from the global state.

    Raises:
        ConfigurationError: diffusers cannot build it.
    """
    from diffusers import UNet2DModel

    try:
        # Dropout would draw from the global random state.
        return UNet2DModel.from_config({**config, "dropout": 0.0})
    except Exception as cause:  # a wrong value in the configuration may fail anywhere within
        raise ConfigurationError(
            f"{_OWNER}: diffusers cannot build 'unet' ({type(cause).__name__}: {one_line(str(cause))}). Use an "
            "unchanged file."
        ) from cause


def read_text(path: Path) -> str:
    """A configuration file.

    Raises:
        CheckpointError: it is missing or no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise CheckpointError(
            f"{path}: cannot be read ({one_line(str(cause))}). Give a folder that save_pretrained of diffusers wrote: "
            "that of a pipeline, or those of its U-Net and of its scheduler."
        ) from cause


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The weights of the U-Net in a folder, from safetensors alone.

    Raises:
        CheckpointError: they are missing, pickled, truncated, or not those of the configuration beside them.
    """
    from diffusers import UNet2DModel

    if not list(folder.glob("*.safetensors")):
        if list(folder.glob("*.bin")):
            raise CheckpointError(
                f"{folder}: holds its weights only as a pickle (.bin), which could run any code and is never read. "
                "Where you trust it, convert it: UNet2DModel.from_pretrained(folder).save_pretrained(new_folder)."
            )
        raise CheckpointError(f"{folder}: no .safetensors file in it. Copy the whole folder.")
    try:
        with torch.random.fork_rng(devices=[]):  # it first fills the network with random numbers
            network, report = UNet2DModel.from_pretrained(
                folder, use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False, output_loading_info=True
            )
    except Exception as cause:  # of many types, and of others in each version of diffusers
        raise CheckpointError(
            f"{folder}: its weights cannot be read, or do not fit its config.json ({one_line(str(cause), 200)}). Copy "
            "the whole folder again."
        ) from cause
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report[problem]:
            keys = sorted(map(str, report[problem]))
            raise CheckpointError(
                f"{folder}: its weights do not fit its config.json: {len(keys)} {problem.replace('_', ' ')}, such as "
                f"{keys[0]}. Copy the whole folder again."
            )
    weights: dict[str, Tensor] = network.state_dict()
    return weights


def _parse(name: str, text: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except ValueError as cause:
        raise ConfigurationError(
            f"{_OWNER}: '{name}' is no JSON ({cause}). Give the text of the file that save_pretrained wrote."
        ) from cause
    if not isinstance(config, dict):
        raise ConfigurationError(f"{_OWNER}: '{name}' is {one_line(text)}, but must be a JSON object.")
    config.pop("_use_default_values", None)  # of a configuration in memory, not in a file: would hide these values
    return config
