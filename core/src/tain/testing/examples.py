"""Small instances of tain's own combinators, made of parts that need no plugin."""

from tain.affine import AffineMap
from tain.blocks import Blocks
from tain.blocks_mirror import BlocksMirror
from tain.both import Both
from tain.chain import Chain
from tain.mirrored import Mirrored
from tain.preimage import Preimage
from tain.refined import Refined
from tain.testing.gaussian import Anything, Gaussian, Identity
from tain.testing.parabola import Parabola, Unchanged
from tain.testing.subjects import Subject

__all__ = ["affine", "blocks", "blocks_mirror", "both", "chain", "mirrored", "preimage", "refined"]

_MATRIX = ((1.0, 0.5), (0.0, 1.0))


def blocks() -> list[Blocks]:
    """A record of two blocks."""
    return [Blocks((Anything(), Anything()), sizes=(2, 1))]


def both() -> list[Both]:
    """Two rules at once."""
    return [Both(Anything(), Anything())]


def preimage() -> list[Preimage]:
    """A rule of sheared samples."""
    return [Preimage(Anything(), _MATRIX)]


def affine() -> list[AffineMap]:
    """The identity, sheared."""
    return [AffineMap(Identity(), _MATRIX)]


def blocks_mirror() -> list[BlocksMirror]:
    """Two identities side by side."""
    return [BlocksMirror(block, (Identity(), Identity())) for block in blocks()]


def chain() -> list[Chain]:
    """The identity twice."""
    return [Chain(Identity(), Identity())]


def refined() -> list[Refined | Subject]:
    """One that has nothing to refine, and one of points far from a curve."""
    rough = Refined(Unchanged(Parabola()), steps=50)
    return [Refined(Identity()), Subject(rough, largest_image=2.0)]


def mirrored() -> list[Mirrored]:
    """Normal numbers through the identity."""
    return [Mirrored(Identity(), Gaussian((0.0, 1.0), (1.0, 0.5)))]
