"""How thoroughly to test: the number of random examples of each check."""

import os

import attrs

from tain.errors import ConfigurationError, nearest

__all__ = ["PROFILES", "VARIABLE", "Profile", "profile_of"]

VARIABLE = "TAIN_TESTING_PROFILE"


@attrs.frozen
class Profile:
    """How thoroughly to test.

    Attributes:
        name: how messages call it.
        examples: random examples of each check, for each dtype, at least 1.
        shrink: whether a failure is reduced to a small example before it is shown.
    """

    name: str
    examples: int = attrs.field(validator=attrs.validators.ge(1))
    shrink: bool = True


PROFILES = {p.name: p for p in (Profile("quick", 4), Profile("default", 12), Profile("thorough", 100))}


def profile_of(profile: Profile | str | None) -> Profile:
    """A profile by its name; if none is given, by the environment variable TAIN_TESTING_PROFILE, else the default.

    Raises:
        ConfigurationError: there is no profile of that name.

    >>> profile_of("thorough").examples
    100
    """
    if isinstance(profile, Profile):
        return profile
    name = os.environ.get(VARIABLE) or "default" if profile is None else profile
    if name not in PROFILES:
        source = f" (from {VARIABLE})" if profile is None else ""
        raise ConfigurationError(f"There is no testing profile '{name}'{source}.{nearest(name, PROFILES)}")
    return PROFILES[name]
