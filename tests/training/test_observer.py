"""Several observers of one training: each hears of everything."""

from types import SimpleNamespace

from fewfire.training.observer import Observer, Observers


class Heard(Observer):
    def __init__(self, stops=False):
        self.calls, self.stops = [], stops

    def built(self, share):
        self.calls.append(("built", share))

    def started(self, trainer):
        self.calls.append(("started", trainer))

    def stepped(self, done, steps):
        self.calls.append(("stepped", done, steps))

    def epoch_done(self, record, trainer):
        self.calls.append(("epoch_done", record, trainer))
        return self.stops


def test_each_hears_of_everything_and_any_may_stop():
    first, second = Heard(stops=True), Heard()
    both, trainer, record = Observers(first, second), SimpleNamespace(), SimpleNamespace()
    both.built(0.5)
    both.started(trainer)
    both.stepped(1, 2)
    assert both.epoch_done(record, trainer)
    assert not Observers(second).epoch_done(record, trainer)
    assert first.calls == [
        ("built", 0.5),
        ("started", trainer),
        ("stepped", 1, 2),
        ("epoch_done", record, trainer),
    ]
    assert second.calls[:-1] == first.calls
