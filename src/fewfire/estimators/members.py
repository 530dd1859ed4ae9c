"""The networks of an estimator as they begin: one for each choice, or for each part of a division."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.networks.deep import DeepNetwork, Network
from fewfire.plan.preparation import Chosen
from fewfire.prepare.division import Division
from fewfire.prepare.member import Member

PART_CONSTANT = 0.7  # of the size of a part's rows around their centre, where none is given


@dataclass(frozen=True)
class Beginning:
    """How networks are made.

    Attributes
    ----------
    make : callable
        One of `fewfire.networks.near_kernel`, or `deep_network`.
    widths : tuple of int
        Neurons of each hidden layer.
    n_outputs : int
    alive : bool
        Whether only neurons are drawn that fire on some of the samples.
    seed : int
        Of the first network; the next has the next.
    """

    make: Callable[..., Network]
    widths: tuple[int, ...]
    n_outputs: int
    alive: bool
    seed: int

    def members(self, chosen: list[Chosen], inputs: NDArray) -> list[Member]:
        """One for each choice, for all samples."""
        return [self._member(one, inputs, number) for number, one in enumerate(chosen)]

    def of_parts(
        self,
        best: Chosen,
        division: Division,
        inputs: NDArray,
        weights: NDArray | None,
        constant: float | str,
    ) -> list[Member]:
        """One for each part of the samples, whose rows it sees around their centre."""
        share = PART_CONSTANT if isinstance(constant, str) else float(constant)
        members = []
        for number, ids in enumerate(division.parts(inputs)):
            rows = inputs[ids]
            around = best.preparation.around(rows, share, None if weights is None else weights[ids])
            members.append(self._member(replace(best, preparation=around), rows, number))
        return members

    def _member(self, one: Chosen, inputs: NDArray, number: int) -> Member:
        alive_on = Inputs.of(one.preparation.transform(inputs)) if self.alive else None
        first, *others = self.widths
        network = self.make(
            self.widths if others else first, one.preparation.scaling.n_outputs, self.n_outputs,
            threshold=one.threshold, alive_on=alive_on, seed=self.seed + number,
        )  # fmt: skip
        return Member(one.preparation, one.ridge, network)


def deep_network(
    widths: tuple[int, ...], n_features: int, n_outputs: int, *, threshold: float, alive_on: Inputs | None,
    seed: int,
) -> DeepNetwork:  # fmt: skip
    """A network of several hidden layers, all with the threshold; silent neurons stay as they are drawn."""
    return DeepNetwork.initialize(widths, n_features, n_outputs, threshold=threshold, seed=seed)


def jobs(
    estimator: Any, inputs: NDArray, targets: NDArray, weights: NDArray | None
) -> Iterator[tuple[Member, tuple[NDArray, NDArray, NDArray | None]]]:
    """Each network of an estimator with the samples that teach it; those that have none are left out."""
    if estimator.division_ is None:
        for member in estimator.members_:
            yield member, (inputs, targets, weights)
        return
    for member, ids in zip(estimator.members_, estimator.division_.parts(inputs), strict=True):
        if len(ids):
            yield member, (inputs[ids], targets[ids], None if weights is None else weights[ids])
