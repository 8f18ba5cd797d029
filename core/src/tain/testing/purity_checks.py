"""Checks of all components: a call changes nothing but its result, and gives the same when repeated."""

import random
import sys
from collections.abc import Callable
from typing import Any

import torch

from tain.capabilities import supports
from tain.constraints import Interior
from tain.generators import Generator
from tain.testing.checks import WITH_ROWS, check
from tain.testing.compare import same
from tain.testing.methods import inputs, outputs
from tain.testing.outcome import CheckError
from tain.testing.trials import Trial

__all__: list[str] = []


@check(*WITH_ROWS)
def same_call_same_result(component: Any, trial: Trial) -> None:
    """The same call gives the same result, to the last bit."""
    given = inputs(component, trial)
    first = {name: value.detach().clone() for name, value in outputs(component, given).items()}
    for name, value in outputs(component, given).items():
        same(value, first[name], f"{name}, called again,")


@check(*WITH_ROWS)
def inputs_are_unchanged(component: Any, trial: Trial) -> None:
    """No tensor that is given to a method is changed."""
    given = inputs(component, trial)
    before = given.map(torch.clone)
    outputs(component, given)
    for name, after, copy in zip("xzvywt", given.tensors(), before.tensors(), strict=True):
        if not torch.equal(after, copy):
            row = int((after != copy).flatten(1 if after.ndim > 1 else 0).reshape(len(after), -1).any(1).nonzero()[0])
            raise CheckError(f"{_MEANINGS[name]}: row {row} of what was given was changed in place. Work on a copy.")


@check(*WITH_ROWS)
def global_random_state(component: Any, trial: Trial) -> None:
    """Nothing reads or seeds the global random numbers of torch, numpy or Python."""
    calls: list[Callable[[], object]] = []
    if supports(component, Interior):
        calls.append(lambda: component.interior(2, rng=trial.rng(), dtype=trial.dtype))
    if isinstance(component, Generator):
        calls += [lambda: component.sample(2, rng=trial.rng()), lambda: component.sample(2)]
    given = inputs(component, trial)
    calls.append(lambda: outputs(component, given))
    for call in calls:
        states = _states()
        try:
            call()
            for library, state in _states().items():
                if str(state) != str(states[library]):
                    raise CheckError(
                        f"The global random numbers of {library} were used or seeded. Draw from `rng` alone, through "
                        "tain.randomness."
                    )
        finally:
            _restore(states)


_MEANINGS = {
    "x": "Points inside",
    "z": "Points anywhere",
    "v": "Directions in the set",
    "y": "Mirror images",
    "w": "Directions of mirror images",
    "t": "Times",
}


def _states() -> dict[str, Any]:
    states: dict[str, Any] = {"torch": torch.get_rng_state().numpy().tobytes(), "random": random.getstate()}
    if "numpy" in sys.modules:
        kind, keys, *others = sys.modules["numpy"].random.get_state()
        states["numpy"] = (kind, keys.tobytes(), *others)
    return states


def _restore(states: dict[str, Any]) -> None:
    torch.set_rng_state(torch.frombuffer(bytearray(states["torch"]), dtype=torch.uint8))
    random.setstate(states["random"])
    if "numpy" in states:
        numpy = sys.modules["numpy"]
        kind, keys, *others = states["numpy"]
        numpy.random.set_state((kind, numpy.frombuffer(keys, dtype=numpy.uint32), *others))
