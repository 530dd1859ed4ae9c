"""What modules share whose weights are the rows of the core themselves, mirrored by an index."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from fewfire.core.fire_set import FireSet
from fewfire.core.work import Work
from fewfire.torch.state import State, require_here

Module = TypeVar("Module", bound="RowsModule")
AState = TypeVar("AState", bound=State)


class RowsModule(nn.Module, Generic[AState]):
    """A module that asks who fires among its rows.

    Attributes
    ----------
    weight : Parameter (m, d)
        The rows of the core: strided, with padding between them that no view shows.
    state : State
        Those rows, and the indexes that mirror them.
    """

    weight: nn.Parameter
    state: AState

    @property
    def fires(self) -> FireSet | None:
        """Who lay above the thresholds on the last batch."""
        return self.state.fires

    @property
    def work(self) -> Work:
        """Of the index that steps keep up to date."""
        return self.state.index.work

    def weights_changed(self) -> None:
        """Say that the weights were written to behind torch's back."""
        self.state.weights_changed()

    @abstractmethod
    def _hold(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Make rows and a state of these values, in their precision; the parameters' memory, by name."""

    def _apply(self: Module, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Module:
        """Another precision takes rows of its own; another device there is none."""
        self.state.settle()
        own = dict(self.named_parameters(recurse=False))
        given = {name: fn(part.data) for name, part in own.items()}
        if all(given[name].data_ptr() == part.data_ptr() for name, part in own.items()):
            return self
        require_here(given["weight"])
        gradients = {name: None if part.grad is None else fn(part.grad) for name, part in own.items()}
        held = self._hold(given)
        for name, part in own.items():
            part.grad = None
            part.data = held[name]
            part.grad = gradients[name]
        return self

    @abstractmethod
    def __reduce__(self) -> tuple[Any, ...]:
        """How a copy is made, of its values and `_habits`."""

    def __deepcopy__(self: Module, memo: dict) -> Module:
        make, arguments = self.__reduce__()
        memo[id(self)] = copy = make(*arguments)
        for name, part in self.named_parameters(recurse=False):
            own = getattr(copy, name)
            shared = memo.setdefault(id(part), own)  # with a module that was copied first, perhaps
            shared.data = own.data
            setattr(copy, name, shared)
        return copy

    def _habits(self) -> dict[str, Any]:
        """What a copy has beside the values of its parameters."""
        trains = {name: part.requires_grad for name, part in self.named_parameters(recurse=False)}
        return {"training": self.training, "trains": trains}

    def _with(self: Module, habits: Mapping[str, Any]) -> Module:
        for name, trains in habits["trains"].items():
            getattr(self, name).requires_grad_(trains)
        return self.train(habits["training"])
