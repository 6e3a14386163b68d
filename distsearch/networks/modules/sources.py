"""Where modules come from: a factory, a class or a module by name, or what a Python user hands in.

Without torch, so that a configuration's names can be checked and recorded without it.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distsearch.errors import SettingError, brief
from distsearch.errors.importing import importing
from distsearch.registry import Registry

IN_MEMORY = "memory"  # stands in a run's configuration for what came from Python: data, or a module

MODELS: Registry[Any] = Registry(
    "model", "models", {}, callable, "a torch module, a class of them, or a function that returns one"
)


@dataclass(frozen=True)
class WithNodes:
    """A torch module, or what makes it, and which classes of its layers are of which kind."""

    source: Any
    nodes: Mapping[Any, Any]

    def __call__(self) -> Any:
        """What it makes."""
        return self.source()


def with_nodes(given: Any, nodes: Any) -> Any:
    """What a Python user gave as a model, and said of its layers. SettingError if that says nothing."""
    if nodes is None:
        return given
    if given is None:
        raise SettingError("nodes: would do nothing without model=, a torch module: leave it out")
    if not isinstance(nodes, Mapping) or not nodes:
        raise SettingError(f"nodes: expected a kind for each class, such as {{MyLayer: 'linear'}}, got {brief(nodes)}")
    name_of(given)
    return WithNodes(find(given) if isinstance(given, str) else given, nodes)


def need_torch() -> None:
    """SettingError if torch is not installed."""
    with importing("torch", "network.model: needs", extra="torch"):
        import torch  # noqa: F401


def torch_version() -> str:
    """The version of torch and of what it was built for, such as 2.13.0+cpu. SettingError if it is not installed."""
    need_torch()
    import torch

    return str(torch.__version__)


def name_of(given: Any) -> str:
    """The name under which a configuration finds what a Python user gave: package.module:name.

    IN_MEMORY if it cannot be imported from anywhere. SettingError if it is no module and makes none.
    """
    if isinstance(given, str):
        return given
    if not callable(given):
        raise SettingError(
            f"model: expected a torch module, a class of them, a function that returns one or its name as "
            f"package.module:name, got {brief(given)}"
        )
    module, name = getattr(given, "__module__", None), getattr(given, "__qualname__", "")
    found: Any = sys.modules.get(module) if module not in (None, "__main__") else None
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}:{name}" if name and found is given else IN_MEMORY


def find(name: str) -> Any:
    """What a name such as package.module:factory stands for. SettingError if there is no such thing."""
    need_torch()
    if name == IN_MEMORY:
        raise SettingError(
            "network.model: the module was given from Python and is not in the run: put its class or a function that "
            "returns it into a file, and name it as file:name"
        )
    if ":" not in name and name not in MODELS:
        raise SettingError(f"network.model: expected package.module:name, such as mine:Net, got {brief(name)}")
    return MODELS.find(name)
