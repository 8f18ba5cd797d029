"""Hypothesis strategies of points, mirror images, dtypes and shapes, for properties of your own.

    from hypothesis import given
    from tain.testing.strategies import points_inside

    @given(x=points_inside(Simplex(3)))
    def test_shares(x):
        assert (x > 0).all()

Importing this module registers, for `hypothesis.strategies.from_type`: `torch.dtype` (float32 and float64), and the
classes of constraints, mirror maps and generators with all their capabilities (`tain.Constraint`, `tain.Projectable`,
`tain.Legendre`, ...): an example of any installed component that has the capability.
"""

from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from tain.capabilities import supports
from tain.configured import Configured
from tain.constraints import Constraint, Interior, Projectable, Residual, Retractable
from tain.errors import MissingCapabilityError
from tain.generators import Denoiser, Density, Generator
from tain.kinds import kind_of
from tain.learned import Learned
from tain.mirror_maps import Bijective, Legendre, MirrorMap, Projective
from tain.testing import points
from tain.testing.conformance import example_subjects
from tain.testing.subjects import Subject, as_subject

__all__ = [
    "batch_shapes",
    "components",
    "dtypes",
    "mirror_points",
    "points_inside",
    "points_near_boundary",
    "points_on_boundary",
    "points_outside",
    "seeds",
]

_CAPABILITIES: tuple[type[Configured], ...] = (
    *(Constraint, Interior, Projectable, Residual, Retractable),
    *(MirrorMap, Bijective, Learned, Legendre, Projective),
    *(Generator, Denoiser, Density),
)


def seeds() -> SearchStrategy[int]:
    """Seeds of random numbers; they shrink to 0."""
    return st.integers(0, 9999)


def dtypes() -> SearchStrategy[torch.dtype]:
    """float32 and float64."""
    return st.sampled_from((torch.float32, torch.float64))


def batch_shapes(event_shape: tuple[int, ...], least: int = 0, most: int = 5) -> SearchStrategy[tuple[int, ...]]:
    """Shapes of batches, (B, *event_shape), with `least` to `most` rows.

    >>> from hypothesis import find
    >>> find(batch_shapes((2, 3)), lambda shape: shape[0] > 1)
    (2, 2, 3)
    """
    return st.integers(least, most).map(lambda rows: (rows, *event_shape))


def points_inside(constraint: Constraint | Subject, rows: int | None = None, **settings: Any) -> SearchStrategy[Tensor]:
    """Batches of points of a set, (B, *S), with 1 to 5 rows or as many as given, in float32 or float64.

    Args:
        constraint: the set, or a `Subject` that holds one.
        rows: of each batch.
        settings: attributes of `Subject`, such as event_shape, points or start.
    """
    return _points(points.inside, constraint, rows, settings)


def points_near_boundary(
    constraint: Constraint | Subject, rows: int | None = None, **settings: Any
) -> SearchStrategy[Tensor]:
    """Batches of points inside, from 1e-6 to 1 of the way from the boundary to a point inside."""
    return _points(points.near_boundary, constraint, rows, settings)


def points_on_boundary(
    constraint: Constraint | Subject, rows: int | None = None, **settings: Any
) -> SearchStrategy[Tensor]:
    """Batches of points on the relative boundary, as far as rounding allows."""
    return _points(points.on_boundary, constraint, rows, settings)


def points_outside(
    constraint: Constraint | Subject, rows: int | None = None, **settings: Any
) -> SearchStrategy[Tensor]:
    """Batches of points outside by more than the tolerance, from 0.01 to some 100 times the scale away."""
    return _points(points.outside, constraint, rows, settings)


def mirror_points(shape: tuple[int, ...], rows: int | None = None, largest: float = 1e30) -> SearchStrategy[Tensor]:
    """Batches of mirror images, (B, *shape), of any size from 0 to `largest`."""

    def draw(seed: int, n: int, dtype: torch.dtype) -> Tensor:
        return points.mirror_images(shape, n, torch.Generator().manual_seed(seed), dtype, largest)

    return st.builds(draw, seeds(), _rows(rows), dtypes())


def components(capability: type[Configured]) -> SearchStrategy[Any]:
    """Examples of the installed components that have a capability, all their parts included.

    Drawing raises:
        MissingCapabilityError: no installed component has it.
    """

    def found() -> list[Configured]:
        examples = example_subjects(kind_of(capability))  # those of other kinds may be slow to make
        made = [subject.component for _, subjects in examples for subject in subjects]
        able = [component for component in made if supports(component, capability)]
        if not able:
            raise MissingCapabilityError(f"No installed component with examples is {capability.__name__}.")
        return able

    return st.builds(found).flatmap(st.sampled_from)  # plugins are loaded only when one is drawn


def _rows(rows: int | None) -> SearchStrategy[int]:
    return st.integers(1, 5) if rows is None else st.just(rows)


def _points(
    function: Callable[..., Tensor], constraint: Constraint | Subject, rows: int | None, settings: dict[str, Any]
) -> SearchStrategy[Tensor]:
    subject = as_subject(constraint, **settings)

    def draw(seed: int, n: int, dtype: torch.dtype) -> Tensor:
        return function(subject, n, torch.Generator().manual_seed(seed), dtype)

    return st.builds(draw, seeds(), _rows(rows), dtypes())


st.register_type_strategy(torch.dtype, dtypes())
for _capability in _CAPABILITIES:
    st.register_type_strategy(_capability, components)
