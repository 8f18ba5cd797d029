"""What the host knows of one plugin: where it comes from, whether it works, and if not, why and what to do.

Imports no torch.
"""

import re
from typing import Any, Literal

import attrs
import pluggy

from tain import hookspecs
from tain.component import Component, Kind
from tain.errors import one_line

__all__ = ["Plugin", "normal"]


def _new_manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("tain")
    manager.add_hookspecs(hookspecs)
    return manager


@attrs.define(eq=False)
class Plugin:
    """One plugin, working or not.

    Attributes:
        name: of its entry point.
        distribution, version: where it comes from; the name as pip normalises it.
        status: `loaded`, `broken` or `blocked`.
        cause: why it is broken or blocked.
    """

    name: str
    distribution: str
    version: str
    status: Literal["loaded", "broken", "blocked"] = "loaded"
    cause: str = ""
    module: Any = None
    _manager: pluggy.PluginManager = attrs.field(factory=_new_manager)
    _components: dict[Kind, tuple[Component, ...]] = attrs.field(factory=dict)

    @property
    def fix(self) -> str:
        """What a person can do about a plugin that is broken or blocked, in a sentence; empty for one that works."""
        if self.status == "loaded":
            return ""
        if self.status == "blocked":
            return "Take it out of TAIN_BLOCK."
        if self.distribution.endswith(".py"):  # a plugin of one file
            return f"Correct {self.distribution}."
        return (
            f"Reinstall it (pip install --upgrade --force-reinstall {self.distribution}), or tell its authors; "
            f"TAIN_BLOCK={self.name} leaves it out."
        )

    def fail(self, cause: BaseException, *, during: str) -> None:
        """Note that the plugin is broken, and by what."""
        self.status, self.cause = "broken", f"{during}: {type(cause).__name__}: {one_line(str(cause), 300)}"

    def is_in(self, names: frozenset[str]) -> bool:
        """Whether it or its distribution is among `names`, as a person wrote them in an environment variable."""
        return bool({normal(self.name), self.distribution} & names)

    def provided(self, kind: Kind) -> tuple[Component, ...]:
        """The components that it provided when asked, even if it broke afterwards."""
        return self._components.get(kind, ())


def normal(name: str) -> str:
    """A name of a distribution as pip compares it.

    >>> normal("Tain_Flux")
    'tain-flux'
    """
    return re.sub(r"[-_.]+", "-", name).lower()
