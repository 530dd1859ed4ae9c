"""Attacks as the command writes them: the radius is a share of the range of the data."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.adversarial import Attack, Box
from fewfire.errors import DataError
from fewfire.prepare.member import Member
from fewfire.prepare.model import Model
from fewfire.prepare.scaling import InputScaling


def attack_on(text: str, inputs: NDArray, scaling: InputScaling, **settings: Any) -> Attack:
    """The attack that a text such as "linf:8/255" stands for, on inputs such as these.

    The box is the range of the data: of all values together (0 .. 255 where they are bytes), and of each
    column by itself where the scaling standardizes columns. The radius is a share of that range.

    Raises
    ------
    ValueError
        The text is no norm and radius, or columns of a table are to be attacked in the l2 norm.
    """
    attack = Attack.parse(text, **settings)
    tabular = of_a_table(scaling)
    box = Box.of(inputs, by_column=tabular)
    if attack.norm == "l2" and tabular:
        raise ValueError(
            f"an attack on a table must be written as linf:SHARE. Got {text!r}. Its columns have ranges of "
            "their own, and one length has no meaning for all of them."
        )
    return replace(attack, radius=np.asarray(attack.radius) * box.range, box=box)


def attackable(model: Model) -> Member:
    """The one network of a model, if attacks may move its inputs.

    Raises
    ------
    DataError
        The model predicts no single class, or by several networks or hidden layers, or rows are coded on
        their way into it.
    """
    if not model.names_a_class or model.network.n_outputs < 2:
        raise DataError(
            "an attack must have a class to turn into another, and an output for each. Got a model without. "
            "Train on classes with --optimizer sgd --loss softmax."
        )
    member, *others = model.members
    if others:
        raise DataError(
            f"an attack must be on one network. Got a model of {len(model.members)}. Train with --optimizer "
            "sgd."
        )
    if len(member.network.layers) > 1:
        raise DataError(
            f"an attack must be on a network of one hidden layer. Got one of {len(member.network.layers)}. "
            "Train with one width."
        )
    if not member.preparation.is_plain:
        raise DataError(
            "an attack must be on columns of numbers that go into the network as they are. Got a model of "
            "categories, gaps or coded columns. Train with --optimizer sgd on numbers without gaps."
        )
    return member


def of_a_table(scaling: InputScaling) -> bool:
    """Whether columns are quantities of their own, and no pixels."""
    return bool((scaling.scale != 1).any())
