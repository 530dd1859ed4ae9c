"""What each epoch records."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """Figures of one epoch.

    Attributes
    ----------
    epoch : int, from 1
    loss, accuracy : means over the epoch's batches, each before its step; accuracy is None for
        real-valued targets
    r2, rmse : of real-valued targets with the squared loss, else None: R squared and the root of the mean
        squared error over the same outputs as the loss; means over the targets where there are several
    fire_rate, near_rate, dot_rate : shares of all pairs that fired, passed the first filter, and passed
        all filters, so that they needed a dot
    work_share : multiply-adds of the steps over those of dense steps
    seconds : of the whole epoch; seconds_find, seconds_forward, seconds_move : its parts. Moving includes
        finding who fires next.
    refreshes : blocks of 64 neurons whose table was written again
    index_bytes : bytes the index holds
    steps : steps taken
    learning_rate : of the epoch's last step
    moved_mean, moved_max : how far a neuron moved in the epoch, as the crow flies: the mean over all neurons
        and the largest. In the unit of the weights, which for samples of norm 1 is that of pre-activations;
        None in a run folder of before they were recorded
    recall, missed_mass : of an approximate index, on the samples on which it was audited: the share of firing
        pairs that it found, and of the sum of pre-activations less threshold that it missed; None with an
        exact index, and in epochs without an audit
    validation_loss, validation_score : on rows that were held back, once the epoch is over: their mean loss,
        and accuracy, R squared or precision at 1; None where none were
    layers : of a deep network, for each hidden layer its fire_rate, work_share, moved_mean and moved_max, and
        dead_samples, on how many samples no neuron of the layer fired at their step; else None. The figures
        above are of all layers, but for near_rate, dot_rate and refreshes, which are of the first
    """

    epoch: int
    steps: int
    learning_rate: float
    loss: float
    accuracy: float | None
    fire_rate: float
    near_rate: float
    dot_rate: float
    work_share: float
    seconds: float
    seconds_find: float
    seconds_forward: float
    seconds_move: float
    refreshes: int
    index_bytes: int
    moved_mean: float | None = None
    moved_max: float | None = None
    r2: float | None = None
    rmse: float | None = None
    recall: float | None = None
    missed_mass: float | None = None
    validation_loss: float | None = None
    validation_score: float | None = None
    layers: list[dict[str, float]] | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
