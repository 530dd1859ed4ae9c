"""The parts of a drift study: the recorder, the sentence at its end, and the pictures of any records."""

import dataclasses
import struct

import numpy as np
import pytest

from fewfire import Inputs, TwoLayerNetwork
from fewfire.core.work import Work
from fewfire.diagnose.drift import PARTS, DriftRecorder, StepRecord, steps_table, what_limits
from fewfire.indexes import ExhaustiveIndex
from problems import clustered_problem
from trainers import descent_trainer

RECORD = StepRecord(
    epoch=1, step=1, steps=1, learning_rate=0.5, drift_median=0.01, drift_90=0.2, drift_99=0.5, drift_max=2.0,
    near_rate=0.1, dot_rate=0.03, fire_rate=0.02, measured=100, refreshed=3, work_share=0.04,
    seconds_filters=0.002, seconds_dots=0.006, seconds_moves=0.005, seconds_drift=0.001,
    seconds_refresh=0.004, seconds_forward=0.003, seconds_rest=0.007,
)  # fmt: skip


def records(count, **changes):
    return [dataclasses.replace(RECORD, **{"step": step, **changes}) for step in range(1, count + 1)]


def trainer_of(index="drift"):
    random = np.random.default_rng(0)
    samples = random.standard_normal((100, 8))
    samples /= np.linalg.norm(samples, axis=1, keepdims=True)
    network = TwoLayerNetwork.initialize(300, 8, 2)
    targets = np.eye(2)[random.integers(0, 2, 100)]
    return descent_trainer(
        network, Inputs.of(samples), targets, index=index, batch_size=25, learning_rate=5.0
    )


def test_a_recorder_sees_what_the_index_and_the_trainer_say():
    trainer = trainer_of()
    recorder = DriftRecorder(trainer, every=1)
    trainer.build(recorder.built)
    work, seconds = trainer.index.work.copy(), dict(trainer.stepper.seconds)
    in_index = dict(trainer.index.seconds)
    seen = []

    def stepped(done, steps):
        recorder.stepped(done, steps)
        seen.append(np.sort(trainer.index.drifts)[[150, 270, 297, 299]].tolist())

    trainer.epoch(stepped)
    found = recorder.records
    quantiles = [[r.drift_median, r.drift_90, r.drift_99, r.drift_max] for r in found]
    assert quantiles == seen
    spent = trainer.index.work - work
    assert sum(r.measured for r in found) == spent.measured > 0
    asked = [2, 1, 1, 1]  # batches: the first step finds who fires in the second as well
    for name, share in [
        ("dot_rate", spent.dots / spent.asked),
        ("near_rate", spent.near / spent.asked),
        ("work_share", spent.share_of_dense(8)),
    ]:
        assert np.average([getattr(r, name) for r in found], weights=asked) == pytest.approx(share)
    recorded = {part: sum(getattr(r, f"seconds_{part}") for r in found) for part in PARTS}
    for part, before in in_index.items():
        assert recorded[part] == pytest.approx(trainer.index.seconds[part] - before)
    assert sum(recorded.values()) == pytest.approx(
        sum(trainer.stepper.seconds.values()) - sum(seconds.values())
    )


def test_only_the_drift_index_can_be_studied():
    with pytest.raises(ValueError, match=r"a drift study needs the drift index\. Got the exhaustive index"):
        DriftRecorder(trainer_of(ExhaustiveIndex()), every=1)


def test_the_table_has_a_line_a_record():
    lines = steps_table(records(2)).splitlines()
    assert lines[0].startswith("epoch,step,steps,learning_rate,drift_median")
    assert lines[1:] == [f"1,{step},1,0.5,0.01,0.2,0.5,2.0,0.1,0.03,0.02,100,3,0.04,"
                         "0.002,0.006,0.005,0.001,0.004,0.003,0.007"
                         for step in (1, 2)]  # fmt: skip
    assert len(steps_table([]).splitlines()) == 1


SPENT = Work(asked=10**6, checked=10**6, near=10**5, dots=40_000, fired=30_000, measured=500, refreshed=2)
SECONDS = dict.fromkeys(("build", *PARTS), 1.0)


@pytest.mark.parametrize(
    ("longest", "cause"),
    [
        ("build", "building the table, once"),
        ("filters", "the filters: each pair is looked up in the table, 10.00% pass and need the sketch"),
        ("dots", "dots: 4.00% of pairs need one, 3.00% fire. Sharper filters could spare 25% of the dots"),
        ("moves", "moving the weights: 3.00% of pairs fire"),
        ("drift", "keeping the drift, measured for 50 neurons per step"),
        ("refresh", "refreshes: 2 blocks of 64 neurons in 10 steps"),
        ("forward", "outputs and loss: 3.00% of pairs fire"),
        ("rest", "gathering batches"),
    ],
)
def test_the_sentence_names_the_longest_part_and_its_figures(longest, cause):
    sentence = what_limits(SPENT, SECONDS | {longest: 7.0}, 10)
    assert sentence.startswith("The largest part of the time (50%) goes to ")
    assert cause in sentence
    assert sentence.endswith(".")


def test_neurons_without_a_table_are_named():
    sentence = what_limits(SPENT, SECONDS | {"filters": 7.0}, 10, tabled_share=0.5)
    assert "50.00% of neurons without a table. A higher memory limit gives them one." in sentence


def test_neurons_that_are_retired_are_no_neurons_without_a_table():
    spent = dataclasses.replace(SPENT, checked=5 * 10**5)
    assert "without a table" not in what_limits(spent, SECONDS | {"filters": 7.0}, 10)


def test_a_study_of_neurons_that_are_all_silent_says_that_none_moves():
    problem = clustered_problem(threshold=50.0)
    trainer = descent_trainer(problem.network, problem.inputs, problem.targets, learning_rate=1.0)
    recorder = DriftRecorder(trainer, 1)
    trainer.build(recorder.built)
    trainer.epoch(recorder.stepped)
    assert recorder.records[-1].drift_max == 0


def test_without_steps_nothing_is_said():
    assert what_limits(Work(), SECONDS, 0).startswith("No step was taken")


# Pictures


@pytest.mark.parametrize(
    ("found", "title"),
    [
        (records(1), "one step"),
        (records(50), "width 65,536"),
        (records(3, near_rate=0.0, dot_rate=0.0, fire_rate=0.0, refreshed=0), "nothing fires"),
        (records(3, near_rate=1.0, dot_rate=1e-5, fire_rate=1e-6), "five decades"),
        (records(3, drift_max=np.inf, drift_99=np.inf), "overflow"),
        (records(3, drift_max=np.nan), "nan"),
        (records(2), r"a path with $dollars and {\braces$"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_any_records_make_pictures(tmp_path, found, title):
    pytest.importorskip("matplotlib")
    from fewfire.report.pictures.drift import PICTURES, draw_steps

    draw_steps(found, tmp_path, title)
    assert len(list(tmp_path.iterdir())) == 2 * len(PICTURES)
    for name, (heading, _) in PICTURES.items():
        content = (tmp_path / f"{name}.png").read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert struct.unpack(">II", content[16:24]) == (960, 540)
        drawing = (tmp_path / f"{name}.svg").read_text()
        assert heading in drawing
        assert ">step<" in drawing


def test_times_are_means_over_spans_of_steps():
    from fewfire.report.pictures.drift import SPANS, _per_step

    found = [dataclasses.replace(record, seconds_dots=0.001 * record.step) for record in records(5 * SPANS)]
    edges, (dots,) = _per_step(found, ["seconds_dots"], SPANS)
    assert edges == list(range(0, 5 * SPANS + 1, 5))
    assert dots[1:] == pytest.approx([0.001 * (step - 2) for step in edges[1:]])
    longer = [dataclasses.replace(record, steps=7, step=7 * record.step) for record in records(3)]
    edges, (dots,) = _per_step(longer, ["seconds_dots"], SPANS)
    assert edges == [0, 7, 14, 21]
    assert dots == pytest.approx([0.006 / 7] * 4)
