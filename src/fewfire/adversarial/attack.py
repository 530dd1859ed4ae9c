"""Attacks: steps up a gradient by the inputs, kept within a ball and a box."""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.adversarial.ball import NORMS, Ball, Box
from fewfire.adversarial.objective import NAMES, Objective
from fewfire.adversarial.surface import Seen, Surface
from fewfire.system.words import require_one_of

STEP_SHARE = 2.5  # of the radius, divided by the steps: enough to cross the ball


@dataclass(frozen=True, kw_only=True, eq=False)
class Attack:
    """Projected gradient ascent from some starts; with one step of the whole radius, FGSM.

    Parameters
    ----------
    norm : "linf" or "l2"
    radius : float or (p,) array, >= 0
        In the units of the data; with "linf" there may be one per column.
    steps : int >= 1
    step_size : float or (p,) array > 0, optional
        By default 2.5 radius / steps, and the whole radius with a single step.
    random_start : bool
        Whether a run starts anywhere in the ball, or at the sample.
    restarts : int >= 1
        Runs, of which the worst counts; more than one only with random starts.
    objective : "loss", "margin" or "dlr"
        What is driven up; see `Objective`.
    box : Box
        What inputs can be at all.

    Raises
    ------
    ValueError
        A setting is out of its range.

    Notes
    -----
    Cost: a fire set of new inputs, and c + d multiply-adds per firing pair, per step.

    Sources: Goodfellow, Shlens, Szegedy, arXiv 1412.6572 (FGSM); Madry et al., arXiv 1706.06083 (PGD).

    Examples
    --------
    >>> print(Attack(radius=8 / 255, steps=10, box=Box(0, 1)))
    linf:0.0314
    """

    norm: str = "linf"
    radius: ArrayLike = 0.1
    steps: int = 10
    step_size: ArrayLike | None = None
    random_start: bool = True
    restarts: int = 1
    objective: str = "loss"
    box: Box = field(default_factory=Box)

    def __post_init__(self) -> None:
        require_one_of(self.norm, NORMS, "the norm of an attack")
        require_one_of(self.objective, NAMES, "the objective of an attack")
        radius = np.asarray(self.radius, np.float64)
        if not (np.isfinite(radius).all() and (radius >= 0).all()):
            raise ValueError(
                f"the radius must be finite and >= 0. Got {self.radius}. Use 8 / 255 for pixels."
            )
        if radius.ndim > (self.norm == "linf"):
            raise ValueError(
                f"the radius must be one number with the norm l2, or one per column with linf. Got shape "
                f"{radius.shape} with {self.norm}. Scale the columns instead."
            )
        for name, least in (("steps", 1), ("restarts", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be >= {least}. Got {getattr(self, name)}. Use 10 for a start.")
        if self.step_size is not None and not (np.asarray(self.step_size) > 0).all():
            raise ValueError(f"step_size must be > 0. Got {self.step_size}. Leave it out for the default.")
        if self.restarts > 1 and not self.random_start:
            raise ValueError(
                f"restarts must be 1 where each run starts at the sample. Got {self.restarts}. "
                "Use random_start=True."
            )

    @classmethod
    def fgsm(cls, *, norm: str = "linf", radius: ArrayLike, box: Box | None = None) -> "Attack":
        """One step of the whole radius from the sample itself."""
        return cls(norm=norm, radius=radius, steps=1, random_start=False, box=box or Box())

    @classmethod
    def parse(cls, text: str, **settings: Any) -> "Attack":
        """An attack written as "linf:8/255" or "l2:0.5".

        Raises
        ------
        ValueError
            The text is no norm and radius.
        """
        found = re.fullmatch(r"(\w+):([0-9.eE+-]+)(?:/([0-9.eE+-]+))?", text)
        try:
            assert found is not None
            radius = float(found[2]) / float(found[3] or 1)
        except (AssertionError, ValueError, ZeroDivisionError):
            raise ValueError(
                f"an attack must be written as NORM:RADIUS. Got {text!r}. Write for example linf:8/255 or "
                "l2:0.5."
            ) from None
        return cls(norm=found[1], radius=radius, **settings)

    def __str__(self) -> str:
        return f"{self.norm}:{np.array2string(np.asarray(self.radius), precision=4, threshold=3)}"

    @property
    def size(self) -> NDArray[np.float64]:
        """How far a step goes."""
        if self.step_size is not None:
            return np.asarray(self.step_size, np.float64)
        return np.asarray(self.radius, np.float64) * (1.0 if self.steps == 1 else STEP_SHARE / self.steps)

    def radii(self, n_columns: int) -> NDArray[np.float64]:
        """The radius in each column, 0 where none may move: of linf, or of a cube as long as an l2 ball."""
        share = 1.0 if self.norm == "linf" else n_columns**-0.5
        radii = share * np.broadcast_to(np.asarray(self.radius, np.float64), n_columns)
        return radii if self.box.movable is None else np.where(self.box.movable, radii, 0.0)

    def points(
        self,
        surface: Surface,
        samples: NDArray,
        objective: Objective,
        random: np.random.Generator,
        size: NDArray | None = None,
    ) -> NDArray:
        """Where one run ends, (n, p): inside ball and box exactly, in the dtype of the samples.

        `size` takes the place of the attack's own.
        """
        ball = Ball(samples, self.norm, self.radius, self.box)
        points = ball.random_points(random) if self.random_start else samples
        for _ in range(self.steps):
            points = self.step(surface, ball, points, surface.at(ball.rounded(points)), objective, size)
        return ball.rounded(points)

    def step(
        self,
        surface: Surface,
        ball: Ball,
        points: NDArray,
        seen: Seen,
        objective: Objective,
        size: NDArray | None = None,
    ) -> NDArray:
        """Points one step on, by what was seen where they are."""
        gradients = surface.gradients(seen, objective.directions(seen.outputs))
        return ball.step(points, gradients, self.size if size is None else size)
