"""Histories of training runs that never ran."""

import dataclasses

from fewfire.training import AdversarialRecord, EpochRecord

RECORD = EpochRecord(
    epoch=1, steps=3, learning_rate=0.5, loss=0.5, accuracy=0.25, fire_rate=0.02, near_rate=0.1,
    dot_rate=0.03, work_share=0.04, seconds=1.0, seconds_find=0.25, seconds_forward=0.25, seconds_move=0.5,
    refreshes=0, index_bytes=1000,
)  # fmt: skip


def records(count: int, **changes: object) -> list[EpochRecord]:
    """Epochs whose loss falls, with these figures changed in all of them."""
    return [
        dataclasses.replace(RECORD, **{"loss": 1 / epoch, "epoch": epoch, **changes})
        for epoch in range(1, count + 1)
    ]


def attacked(count: int, **changes: object) -> list[AdversarialRecord]:
    """The same of training against attacks."""
    own = {"seconds_attack": 0.5, "attack_work_share": 0.1}
    return [AdversarialRecord(**{**record.as_dict(), **own, **changes}) for record in records(count)]
