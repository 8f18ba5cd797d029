"""SSD-LM's steps, written as in the paper, are steps in the mirror space of the negative entropy."""

import math

import pytest
import torch

import tain
from tain_analytic import Simplex, SimplexSoftmax
from tain_langevin.almost_one_hot import AlmostOneHot

N, K = 7, 5.0
CODE, MIRROR = AlmostOneHot(N, K), SimplexSoftmax(Simplex(N))
LABELS = torch.randint(N, (64,), generator=torch.Generator().manual_seed(0))
NOISE = torch.randn(64, N, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def ssd_logits(labels):
    """+K where the vocabulary entry is the token, else -K."""
    return torch.tensor([[K if i == label else -K for i in range(N)] for label in labels.tolist()]).double()


def centred(y):
    return y - y.mean(1, keepdim=True)


def test_logits_are_those_of_the_paper_and_mirror_images_up_to_a_shift():
    logits = CODE.logits(LABELS).double()
    assert torch.equal(logits, ssd_logits(LABELS))
    images = MIRROR(MIRROR.inverse(logits))
    assert torch.allclose(images, logits - logits.mean(1, keepdim=True), atol=1e-9)
    one_hot = torch.nn.functional.one_hot(LABELS, N).double()
    assert torch.allclose(images, 2 * K * (one_hot - 1 / N), atol=1e-9)  # the known shift and scale


@pytest.mark.parametrize("alpha_bar", [0.999, 0.5, 0.01])
def test_noising_is_gaussian_noise_in_the_mirror_space(alpha_bar):
    theirs = math.sqrt(alpha_bar) * ssd_logits(LABELS) + math.sqrt(1 - alpha_bar) * K * NOISE
    clean = MIRROR(MIRROR.inverse(CODE.logits(LABELS).double()))
    ours = math.sqrt(alpha_bar) * clean + math.sqrt(1 - alpha_bar) * K * NOISE
    assert torch.allclose(MIRROR.inverse(ours), theirs.softmax(1), atol=1e-12)  # the points of the simplex are the same
    assert torch.allclose(centred(ours), centred(theirs), atol=1e-9)


def test_a_decoding_step_is_one_in_the_mirror_space():
    """Logits that a network predicts, projected to almost one-hot ones, and noised to the level of the next step."""
    predicted, alpha_bar = 3 * NOISE, 0.7
    theirs = ssd_logits(predicted.argmax(1))
    theirs = math.sqrt(alpha_bar) * theirs + math.sqrt(1 - alpha_bar) * K * NOISE.flip(0)
    image = centred(predicted)  # what is known in the mirror space
    ours = math.sqrt(alpha_bar) * centred(CODE.projected(image)) + math.sqrt(1 - alpha_bar) * K * NOISE.flip(0)
    assert torch.allclose(MIRROR.inverse(ours), theirs.softmax(1), atol=1e-12)
    assert torch.equal(CODE.labels(MIRROR.inverse(ours)), theirs.argmax(1))


def test_labels_come_back():
    assert torch.equal(CODE.labels(CODE.logits(LABELS)), LABELS)
    assert CODE.logits(LABELS.reshape(8, 8)).shape == (8, 8, N)


def test_unfit_labels_and_sizes_are_refused():
    with pytest.raises(tain.ShapeError, match="from 0 to 7"):
        CODE.logits(torch.tensor([0, 7]))
    with pytest.raises(tain.ConfigurationError, match="'categories' is 1"):
        AlmostOneHot(1)
    with pytest.raises(tain.ConfigurationError, match="'size' is 0"):
        AlmostOneHot(3, 0)
