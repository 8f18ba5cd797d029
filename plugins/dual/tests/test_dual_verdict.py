"""The verdict, told from the ends and histories of rules."""

import math

import pytest
import torch

from tain_dual.verdict import Outcome, verdict


def end(excess=0.0, multiplier=1.0, relaxation=0.0, name="against[0]", equality=False):
    return Outcome(name, 1 + excess, 1.0, excess, relaxation, multiplier, equality)


def history(*columns):
    return torch.tensor(columns).T


STILL, FALLING = [0.5] * 100, [math.exp(-step / 50) for step in range(100)]
SWINGING = [math.sin(step / 3) for step in range(100)]


@pytest.mark.parametrize(
    ("outcomes", "excesses", "status", "told"),
    [
        ([end(0.009)], history(STILL), "feasible", "all 1 rules are kept within 0.01"),
        ([end(-5.0)], history(STILL), "feasible", "all 1 rules"),
        ([end(-5.0)], history(SWINGING), "feasible", "multipliers of against.0. swung until late"),
        ([end(0.3, relaxation=0.295)], history(STILL), "feasible", "against.0. was relaxed by 0.295"),
        ([end(-0.5, -4.0, equality=True)], history(STILL), "infeasible", "cannot be kept, even almost alone"),
        ([end(0.5, 30.0)], history(STILL), "infeasible", "must rise by 0.5 on the average"),
        (
            [end(0.5, 30.0), end(0.25, 90.0, name="b"), end(-1.0, 0.0, name="c")],
            history(STILL, STILL, [-1.0] * 100),
            "infeasible",
            "against.0. and b conflict: .* must rise by 0.3125",
        ),
        ([end(0.5, 1.0)], history(STILL), "unfinished", "Take more steps, or raise `rate`"),
        ([end(0.13, 30.0)], history(FALLING), "unfinished", "not told yet"),
        ([end(0.5, 30.0)], history(SWINGING), "diverging", "swing about .* Lower `rate`, raise `every`"),
        ([end(0.5, 30.0)], history([math.nan] * 100), "infeasible", "cannot be kept"),
        ([], torch.zeros(100, 0), "feasible", "all 0 rules"),
    ],
)
def test_the_verdict(outcomes, excesses, status, told):
    found, message = verdict(outcomes, excesses, 0.01)
    assert found == status
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(message)
