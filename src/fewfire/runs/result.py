"""The figures of a finished run, as result.json holds them beside its settings."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from fewfire.diagnose import Regime
from fewfire.diagnose.exactness import Exactness
from fewfire.runs.kinds import record_of

COMPARED = (
    "dense_step", "dense_trials", "compared_steps", "whole_run_speedup", "bfloat16_step",
    "bfloat16_seconds_per_step", "bfloat16_speedup", "bfloat16_whole_run_speedup",
    "pure_bfloat16_seconds_per_step", "pure_bfloat16_speedup",
)  # fmt: skip
PRECISIONS = ("precision_at_1", "precision_at_3", "precision_at_5")
OF_CLASSES = ("baseline_accuracy", "confusion", "robust_accuracy")
OF_REGRESSION = ("train_r2", "train_rmse", "test_r2", "test_rmse")
SCORES = {
    "test accuracy": "test_accuracy",
    "test R2": "test_r2",
    "test RMSE": "test_rmse",
    **{name.replace("_", " "): name for name in PRECISIONS},
}


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a run.

    Attributes
    ----------
    train_loss, train_accuracy, train_r2, train_rmse : of the last epoch; None where the task has others
    fire_rate, work_share : of the whole run, the build of the index included
    refreshes, steps : int
    seconds_per_step, build_seconds, training_seconds, test_seconds, total_seconds : float
    index_bytes : int
    table_bits, tabled_share : of a drift index, else None
    chosen_index : str
        The name of the index that was used.
    index_reason : str or None
        Why, where fewfire chose it.
    oracle_queries : int or None
        Of a simulated quantum search.
    test_accuracy : float, or None where a row may have several labels, or real values
    baseline_accuracy : float or None
        What the test accuracy would be if all were of the largest class of training.
    confusion : {class: list of int} or None
        For each class its test rows, counted by the class that was predicted, in the order of the classes;
        None beyond 100 classes.
    precision_at_1, precision_at_3, precision_at_5 : float, or None where a row has no several labels
    test_r2, test_rmse : float, or None where the targets are no real values; the error is in their units
    robust_accuracy : float, or None where the run was not trained against attacks
        Of the first 512 test samples, under ten steps of that attack.
    peak_memory_bytes : int
    exactness : Exactness or None
        None where the index is the exhaustive one.
    regime : Regime or None
        How far neurons moved and the kernel changed, of the first network; None in a run folder of before it
        was recorded.
    dense_seconds_per_step, speedup, max_weight_difference, dense_step, dense_trials, compared_steps,
    whole_run_speedup, bfloat16_step, bfloat16_seconds_per_step, bfloat16_speedup,
    bfloat16_whole_run_speedup, pure_bfloat16_seconds_per_step, pure_bfloat16_speedup
        Of a comparison with dense PyTorch, else None; those of bfloat16 for networks of float32.
    """

    train_loss: float
    train_accuracy: float | None
    fire_rate: float
    work_share: float
    refreshes: int
    steps: int
    seconds_per_step: float
    build_seconds: float
    training_seconds: float
    index_bytes: int
    table_bits: int | None
    tabled_share: float | None
    chosen_index: str
    index_reason: str | None
    oracle_queries: int | None
    test_accuracy: float | None
    baseline_accuracy: float | None = None
    confusion: Mapping[str, list[int]] | None = None
    precision_at_1: float | None = None
    precision_at_3: float | None = None
    precision_at_5: float | None = None
    train_r2: float | None = None
    train_rmse: float | None = None
    test_r2: float | None = None
    test_rmse: float | None = None
    robust_accuracy: float | None = None
    test_seconds: float
    peak_memory_bytes: int
    exactness: Exactness | None = None
    regime: Regime | None = None
    total_seconds: float
    dense_seconds_per_step: float | None = None
    speedup: float | None = None
    max_weight_difference: float | None = None
    dense_step: str | None = None
    dense_trials: Mapping[str, float | None] | None = None
    compared_steps: int | None = None
    whole_run_speedup: float | None = None
    bfloat16_step: str | None = None
    bfloat16_seconds_per_step: float | None = None
    bfloat16_speedup: float | None = None
    bfloat16_whole_run_speedup: float | None = None
    pure_bfloat16_seconds_per_step: float | None = None
    pure_bfloat16_speedup: float | None = None

    @property
    def scores(self) -> dict[str, float]:
        """How good the predictions of the test part are, by name."""
        known = {name: getattr(self, field) for name, field in SCORES.items()}
        return {name: score for name, score in known.items() if score is not None}

    def as_dict(self) -> dict[str, Any]:
        """The figures by name; without those of other kinds of labels, or of no comparison."""
        figures = asdict(self) | {"exactness": self.exactness and self.exactness.as_dict()}
        return {
            name: value
            for name, value in figures.items()
            if value is not None or name not in (*PRECISIONS, *OF_REGRESSION, *COMPARED, *OF_CLASSES)
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Result":
        """The inverse of `as_dict`, from a dictionary that may hold settings too.

        Raises
        ------
        ValueError
            The content lacks a figure that every finished run has, or holds one of another kind.
        """
        if missing := [name for name in NEEDED if name not in content]:
            raise ValueError(f"its result.json lacks {', '.join(missing)}")
        figures: dict[str, Any] = {
            field.name: content[field.name] for field in fields(cls) if field.name in content
        }
        if isinstance(exactness := figures.get("exactness"), dict):
            figures["exactness"] = record_of(Exactness, exactness, "its result.json")
        if isinstance(regime := figures.get("regime"), dict):
            figures["regime"] = record_of(Regime, regime, "its result.json")
        return record_of(cls, figures, "its result.json")


NEEDED = tuple(field.name for field in fields(Result) if field.default is MISSING)
