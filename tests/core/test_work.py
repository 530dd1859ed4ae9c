"""Counts of work, and what they come to beside a dense step."""

from fewfire.core.work import Work


def test_the_share_of_a_dense_step():
    work = Work()
    assert work.share_of_dense(8) == 0  # nothing was asked
    work.asked, work.dots, work.fired = 100, 30, 20
    assert work.share_of_dense(8) == (30 * 8 + 20 * 8) / (2 * 100 * 8)
