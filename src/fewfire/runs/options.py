"""What a run may be asked for: each option once, with its default and its check."""

from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path

from fewfire.adversarial import Attack
from fewfire.indexes import INDEXES
from fewfire.networks.deep import thresholds_of
from fewfire.networks.initial import require_init
from fewfire.networks.losses import LOSSES
from fewfire.networks.near_kernel import near_kernel_ridge
from fewfire.networks.threshold import fire_rate_at
from fewfire.prepare.targets import AUTO, TASKS
from fewfire.system.words import require_one_of
from fewfire.training import METHODS, GaussNewton, GradientDescent, Method, Schedule
from fewfire.training.methods.adversarial import SCHEMES
from fewfire.training.methods.schedules import schedule_named

AS_ESTIMATOR = "estimator"  # the optimizer that chooses, as `WideClassifier` and `WideRegressor` do
WIDTH, EPOCHS = 65_536, 10  # where none are given
BATCH_SIZE = 256  # of gradient descent, where none is given
STRUCTURED_FEATURES = 64  # at least: with fewer, structured weights save nothing (docs/decisions/0011)
STEPS_OF_ATTACK = {"pgd": 7, "fast": 1, "free": 8, "trades": 7, "certified": 1}
LEAST = {"width": 1, "epochs": 1, "batch_size": 1, "decay_every": 1, "seed": 0, "threads": 1,
         "compare_dense": 0, "checkpoint_every": 0, "patience": 1,
         "attack_steps": 1}  # fmt: skip

ONE_LAYER = ("attack", "compare_dense", "momentum", "nesterov", "weight_decay")  # what takes no more


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What a training run is asked for. Only the data must be given.

    Attributes
    ----------
    data : str
        A source of samples with labels; see `fewfire.data.load_dataset`.
    target : tuple of str, or str
        Columns of the labels or targets in a table.
    task : "auto", "classification" or "regression"
        What the labels are for; see `fewfire.data.load_dataset`.
    categories : tuple of str
        Columns of a table whose numbers are categories.
    drop : tuple of str
        Columns of a table that are left out.
    width : int, or tuple of int, optional
        Neurons in the hidden layer, or in each of several; by default one layer of 65,536, or of 8,192 as an
        estimator.
    index : str
        A name of `fewfire.indexes.INDEXES`, or "auto".
    optimizer : str
        A name of `fewfire.training.METHODS`; "estimator", which trains as `WideClassifier` or `WideRegressor`
        do; or "auto": that on a table, gradient descent on all else and where its settings are given.
    epochs : int, optional
        By default 10, or as many as an estimator takes.
    batch_size : int, optional
        By default 256, or all samples with Gauss-Newton.
    learning_rate, schedule, decay_every, decay_gamma, momentum, nesterov, weight_decay, train_output_weights
        Settings of `GradientDescent`; the schedule by its name, with epochs and factor of a step decay.
    ridge : float
        The setting of `GaussNewton`, for output weights of 1 and -1; or that of an estimator.
    loss : str
        A name of `fewfire.networks.losses.LOSSES`, or "auto".
    threshold : float, "auto" or "paper", or tuple of float
        See `fewfire.networks.auto_threshold`; of several layers one for all, or one for each.
    fire_rate : float, or tuple of float, optional
        Share of pairs that fire at first, in place of a threshold.
    init : "gaussian", "structured" or "auto"
        Auto: structured for gradient descent on 64 features or more, whose index it builds faster.
    test_fraction : float
        Share of the rows that is kept for testing where the data have no test part.
    validation_fraction : float
        Share of the training rows that is held back, to see after each epoch how training does on others.
    patience : int, optional
        With it: epochs without a smaller loss on these rows that end training.
    seed : int
        Seed for the weights, the order of the samples and the splits.
    threads : int, optional
        By default as many as are set.
    memory_limit : int, optional
        Bytes that the process may hold in training.
    checkpoint_every : int
        Epochs from one checkpoint to the next; 0 for none but where the run is interrupted.
    out : Path, optional
        The run folder; by default runs/DATA-TIME.
    compare_dense : int
        Steps to take in turn with dense PyTorch after training.
    attack : str, optional
        Adversarial training: the norm and the radius of an attack on each batch, as a share of the range of
        the data, such as "linf:8/255".
    adversarial : "pgd", "fast", "free", "trades" or "certified"
        With an attack: the scheme of `fewfire.training.Adversarial`. With "certified" what counts of the
        attack is its norm and radius, and both grow over the middle half of training.
    attack_steps : int, optional
        Of an attack on a batch, by default 7; with "free" its replays, by default 8; with "fast" 1.
    trades : float, optional
        With the scheme "trades": what it weighs the change of outputs by; by default 6.
    tensorboard : Path, optional
        Folder for event files.

    Raises
    ------
    ValueError
        An option is out of its range, goes with another optimizer, or needs a package that is missing.
    """

    data: str
    target: tuple[str, ...] = ()
    task: str = AUTO
    categories: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    width: int | tuple[int, ...] | None = None
    index: str = "drift"
    optimizer: str = AUTO
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | str = AUTO
    schedule: str = "constant"
    decay_every: int | None = None
    decay_gamma: float | None = None
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    ridge: float = 0.0
    loss: str = AUTO
    threshold: float | str | tuple[float, ...] = AUTO
    fire_rate: float | tuple[float, ...] | None = None
    init: str = AUTO
    train_output_weights: bool = False
    test_fraction: float = 0.2
    validation_fraction: float = 0.0
    patience: int | None = None
    seed: int = 0
    threads: int | None = None
    memory_limit: int | None = None
    checkpoint_every: int = 0
    out: Path | None = None
    compare_dense: int = 0
    attack: str | None = None
    adversarial: str = "pgd"
    attack_steps: int | None = None
    trades: float | None = None
    tensorboard: Path | None = None

    def __post_init__(self) -> None:
        if isinstance(self.target, str):
            object.__setattr__(self, "target", (self.target,))
        # Lists, as read from a file; one alone is that of one layer.
        for name in ("width", "threshold", "fire_rate"):
            value = getattr(self, name)
            if isinstance(value, list | tuple):
                object.__setattr__(self, name, value[0] if len(value) == 1 else tuple(value))
        for name, least in LEAST.items():
            value = getattr(self, name)
            value = min(value, default=0) if isinstance(value, tuple) else value
            if value is not None and value < least:
                raise ValueError(
                    f"{_flag(name)} must be >= {least}. Got {value}. Leave it out for the default."
                )
        require_one_of(self.task, TASKS, "--task")
        self._require_optimizer()
        require_one_of(self.index, [*INDEXES, AUTO], "--index")
        if len(self.widths) > 1:
            _require_what_layers_take(self)
        self._require_attack()
        require_one_of(self.loss, [*LOSSES, AUTO], "--loss")
        _ = self.decay, self.method, self.first_thresholds  # which check their own settings
        if self.init != AUTO:
            require_init(self.init)
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(
                f"--validation-fraction must be >= 0 and below 1. Got {self.validation_fraction}. Use 0.1."
            )
        if self.patience is not None and not self.validation_fraction:
            raise ValueError(
                f"--patience must go with --validation-fraction. Got {self.patience} alone. Hold back a "
                "share of the rows, such as 0.1."
            )
        self._require_packages()

    def _require_optimizer(self) -> None:
        """Options of another method must be left as they are."""
        require_one_of(self.optimizer, (AUTO, AS_ESTIMATOR, *METHODS), "--optimizer")
        for name in DEFAULTS if self.optimizer != AUTO else ():
            takers = [method for method, names in TAKEN_BY.items() if name in names]
            if takers and self.optimizer not in takers and getattr(self, name) != DEFAULTS[name]:
                raise ValueError(
                    f"{_flag(name)} must go with --optimizer {' or '.join(takers)}. Got it with --optimizer "
                    f"{self.optimizer}. Leave out either."
                )

    def _require_attack(self) -> None:
        """An attack must be well written, and go with its scheme and an index that answers for new inputs."""
        require_one_of(self.adversarial, SCHEMES, "--adversarial")
        if self.trades is not None and self.adversarial != "trades":
            raise ValueError(
                f"--trades must go with --adversarial trades. Got --trades {self.trades} with --adversarial "
                f"{self.adversarial}. Give both, or leave it out."
            )
        if self.attack is None:
            for name in ("adversarial", "attack_steps"):
                if getattr(self, name) != DEFAULTS[name]:
                    raise ValueError(
                        f"{_flag(name)} must go with --attack. Got {_flag(name)} {getattr(self, name)} "
                        "alone. Give both: --attack linf:8/255."
                    )
            return
        if self.adversarial == "fast" and self.steps_of_attack != 1:
            raise ValueError(
                f"--attack-steps must be 1 with --adversarial fast. Got {self.attack_steps}. Leave it out, "
                "or use --adversarial pgd."
            )
        if self.adversarial == "certified" and self.attack_steps is not None:
            raise ValueError(
                "--attack-steps must be left out with --adversarial certified, which attacks nothing. Got "
                f"{self.attack_steps}. Leave it out."
            )
        Attack.parse(self.attack, steps=self.steps_of_attack)
        index = INDEXES.get(self.index)
        if self.index != DEFAULTS["index"] and not (index and index.is_open and index.is_exact):
            raise ValueError(
                "--attack must go with an exact index that answers for new inputs. Got --index "
                f"{self.index}. Leave it out, or use screened or exhaustive."
            )
        if self.compare_dense:
            raise ValueError(
                "--compare-dense must go without --attack, for its dense steps attack nothing. Got both. "
                "Leave out either."
            )

    @property
    def steps_of_attack(self) -> int:
        """Steps of an attack on a batch, or its replays."""
        return self.attack_steps or STEPS_OF_ATTACK[self.adversarial]

    @property
    def index_of_run(self) -> str:
        """The index; with an attack one that answers for new inputs."""
        return "screened" if self.attack is not None and self.index == DEFAULTS["index"] else self.index

    def _require_packages(self) -> None:
        for given, option, package, what in (
            (self.compare_dense, "--compare-dense", "torch", "PyTorch"),
            (self.tensorboard, "--tensorboard", "tensorboard", "the package tensorboard"),
        ):
            if given and find_spec(package) is None:
                raise ValueError(
                    f"{option} needs {what}. Got none installed. Run pip install 'fewfire[{package}]', or "
                    "leave the option out."
                )

    @property
    def second_order(self) -> bool:
        """Whether steps are Gauss-Newton steps."""
        return self.optimizer == GaussNewton.name

    @property
    def widths(self) -> tuple[int, ...]:
        """Neurons of each hidden layer, by default those of gradient descent and Gauss-Newton steps."""
        return self.width if isinstance(self.width, tuple) else (self.width or WIDTH,)

    @property
    def width_text(self) -> str:
        """The width for a person: width 65,536, or widths 16,384 - 8,192."""
        widths = " - ".join(f"{width:,}" for width in self.widths)
        return f"width{'s' if len(self.widths) > 1 else ''} {widths}"

    @property
    def n_epochs(self) -> int:
        """The epochs, by default those of gradient descent and Gauss-Newton steps."""
        return self.epochs or EPOCHS

    @property
    def decay(self) -> Schedule:
        """The schedule of the learning rate."""
        return schedule_named(self.schedule, self.n_epochs, every=self.decay_every, gamma=self.decay_gamma)

    @property
    def method(self) -> Method:
        """How steps are taken."""
        if self.second_order:
            near_kernel = len(self.widths) == 1  # is where the network begins
            return GaussNewton(ridge=near_kernel_ridge(self.ridge) if near_kernel else self.ridge)
        return GradientDescent(
            learning_rate=self.learning_rate,
            schedule=self.decay,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            train_output_weights=self.train_output_weights,
        )

    @property
    def samples_per_step(self) -> int | None:
        """The batch size; None for all samples, or for as many as memory allows."""
        return BATCH_SIZE if self.batch_size is None and not self.second_order else self.batch_size

    @property
    def first_thresholds(self) -> list[float]:
        """The threshold of each layer that the options ask for, as numbers."""
        return thresholds_of(
            self.widths, self.threshold, self.fire_rate, second_order=self.second_order, left_out=AUTO
        )

    def init_for(self, n_features: int) -> str:
        """The initialization: the one that was asked for, or that suits so many features."""
        if self.init != AUTO:
            return self.init
        structured = n_features >= STRUCTURED_FEATURES and not self.second_order
        return "structured" if structured else "gaussian"

    @property
    def first_fire_rates(self) -> list[float]:
        """Share of pairs that fire at first, for each layer."""
        return [fire_rate_at(threshold) for threshold in self.first_thresholds]

    def n_weights(self, n_features: int) -> int:
        """Weights of all hidden layers."""
        taken = (n_features, *self.widths[:-1])
        return sum(width * below for width, below in zip(self.widths, taken, strict=True))


def _require_what_layers_take(options: TrainOptions) -> None:
    """Raise ValueError where several hidden layers are asked for what takes one."""
    given = [_flag(name) for name in ONE_LAYER if getattr(options, name) != DEFAULTS[name]]
    given += [f"--index {AUTO}"] * (options.index == AUTO)
    given += [f"--optimizer {AS_ESTIMATOR}"] * (options.optimizer == AS_ESTIMATOR)
    if given:
        raise ValueError(
            f"{given[0]} must go with one hidden layer. Got it with {len(options.widths)} widths. Leave it "
            "out, or give one width."
        )


DEFAULTS = {field.name: field.default for field in fields(TrainOptions)}
OF_STEPS = {"loss", "threshold", "fire_rate", "init", "checkpoint_every", "validation_fraction", "patience"}
TAKEN_BY = {  # the options that not every optimizer takes
    name: {field.name for field in fields(method) if field.name in DEFAULTS} | OF_STEPS  # type: ignore[arg-type]
    for name, method in METHODS.items()
} | {AS_ESTIMATOR: {"ridge"}}
TAKEN_BY[GradientDescent.name] |= {"decay_every", "decay_gamma", "compare_dense", "attack", "adversarial",
                                  "attack_steps", "trades"}  # fmt: skip
# With these "auto" is gradient descent on tables, too.
BESIDE_ESTIMATOR = TAKEN_BY[GradientDescent.name] | {"epochs", "batch_size"}


def _flag(name: str) -> str:
    """An option as the command spells it."""
    return f"--{name.replace('_', '-')}"
