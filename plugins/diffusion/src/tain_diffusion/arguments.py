"""Constructor arguments that several generators share, declared once."""

from typing import Annotated, Literal

from tain import Field
from tain_diffusion.runge_kutta import MethodName
from tain_diffusion.schedules import ScheduleName

__all__ = [
    "Classes",
    "ConditionDropout",
    "Covariates",
    "DegreesOfFreedom",
    "Evaluations",
    "EventShape",
    "Guidance",
    "LikelihoodSteps",
    "Prediction",
    "PredictionName",
    "Sampler",
    "SamplerName",
    "Schedule",
    "Scheduler",
    "SchedulerName",
    "Seed",
    "Solver",
    "SourceName",
    "SourceOfNoise",
    "Tails",
    "TailsName",
]

TailsName = Literal["kept", "shortened"]
PredictionName = Literal["velocity", "noise", "clean"]
SourceName = Literal["gaussian", "student-t"]
SchedulerName = Literal["dpm-solver++", "dpm-solver++-sde", "heun", "ddim", "ancestral"]
SamplerName = Literal["adams-bashforth", SchedulerName]

EventShape = Annotated[tuple[int, ...], Field("shape of one sample", at_least=1)]
Schedule = Annotated[ScheduleName, Field("noise schedule")]
Prediction = Annotated[PredictionName, Field("what the network predicts")]
Sampler = Annotated[SamplerName, Field("method of sampling")]
Scheduler = Annotated[SchedulerName, Field("method of sampling, of diffusers")]
Evaluations = Annotated[int, Field("network evaluations a sample", at_least=1, at_most=1000)]
SourceOfNoise = Annotated[SourceName, Field("distribution of the noise")]
DegreesOfFreedom = Annotated[int, Field("of student-t noise; fewer make heavier tails", at_least=3)]
Solver = Annotated[MethodName, Field("Runge-Kutta method of sampling")]
LikelihoodSteps = Annotated[int, Field("Runge-Kutta steps of log_prob, four network evaluations each", at_least=1)]
Covariates = Annotated[int, Field("real covariates that samples depend on, 0 for none", at_least=0)]
Classes = Annotated[int, Field("labels that samples depend on, 0 for none", at_least=0)]
ConditionDropout = Annotated[float, Field("share of samples trained without condition", at_least=0, at_most=1)]
Guidance = Annotated[float, Field("weight of the condition in sampling, 1: plain, more: stronger", at_least=0)]
Tails = Annotated[TailsName, Field("whether far samples are brought near for the network, by an asinh of their length")]
Seed = Annotated[int, Field("seed of the initial weights", at_least=0)]
