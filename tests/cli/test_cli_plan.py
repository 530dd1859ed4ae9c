"""`fewfire plan`: rates before training, as lines and as figures; what cannot be answered is one line."""

import pytest

from command import fewfire

SMALL = ("--width", "256", "--batch-size", "64", "--threshold", "1", "--samples", "600", "--threads", "2")
WIDTHS = ("--widths", "128,256,512", "--predict", "2048")


def plan(command, *options):
    return fewfire("plan", command, "digits", *options)


@pytest.fixture(scope="module")
def rate():
    return plan("rate", *SMALL, "--seeds", "2", "--json")


def test_the_rate_to_start_at_is_the_smaller_of_two(rate):
    figures = rate.figures
    assert figures["start"] == min(figures["best"], figures["largest"] / 4)
    assert figures["low"] <= figures["largest"] <= figures["high"]
    assert len(figures["by_seed"]) == 2
    assert figures["runs"] == len(figures["trials"]) <= 25
    assert figures["success"] == "accuracy 0.5"


def test_what_people_read_goes_elsewhere_and_the_answer_is_the_same(rate):
    told = plan("rate", *SMALL, "--seeds", "2")
    assert (told.code, told.err) == (0, "")
    assert f"start at {rate.figures['start']:.3g}: the smaller" in told.out
    assert "largest rate" in rate.err
    assert plan("rate", *SMALL, "--seeds", "1", "--quiet").out == ""


def test_with_the_softmax_loss_success_is_told_by_the_loss_and_by_accuracy_there_is_no_limit():
    by_loss = plan("rate", *SMALL, "--loss", "softmax", "--seeds", "1", "--json").figures
    assert by_loss["success"] == "0.7 of the first loss"
    by_accuracy = plan("rate", *SMALL, "--loss", "softmax", "--success", "accuracy:0.5", "--json")
    assert by_accuracy.figures["largest"] is None
    assert by_accuracy.figures["start"] == by_accuracy.figures["best"]
    assert "does not tell a rate that is too large here" in by_accuracy.err


def test_a_law_foretells_a_width_and_says_what_it_is_worth():
    ended = plan("law", *SMALL[2:], *WIDTHS, "--seeds", "2", "--json")
    figures = ended.figures
    assert [one["width"] for one in figures["measured"]] == [128, 256, 512]
    assert figures["low"] <= figures["rate"] <= figures["high"]
    assert figures["form"] in figures["left_out_errors"]
    assert "it misses a shape that is left out by" in ended.err


def test_a_law_over_depths_foretells_a_deeper_network():
    shapes = ("--widths", "128,256,512", "--depths", "1,2", "--predict", "512", "--predict-depth", "3")
    ended = plan("law", *SMALL[2:], *shapes, "--seeds", "1", "--json")
    figures = ended.figures
    assert [one["depth"] for one in figures["measured"]] == [1, 1, 1, 2, 2, 2]
    assert {"depth x width", "width and depth"} <= figures["left_out_errors"].keys()
    assert figures["predicted_depth"] == 3
    assert "width     512, depth 3: largest rate" in ended.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("rate", *SMALL, "--success", "luck"), 2, "--success must be accuracy:SHARE or loss:SHARE"),
        (("rate", *SMALL, "--success", "accuracy:2"), 2, "--success must be accuracy:SHARE or loss:SHARE"),
        (("rate", *SMALL, "--samples", "0"), 2, "--samples must be >= 1. Got 0"),
        (("rate", *SMALL, "--seeds", "0"), 2, "seeds must be a whole number >= 1. Got 0"),
        (("rate", *SMALL, "--success", "accuracy:0.999", "--epochs", "1"), 1, "should start at some rate"),
        (("law", *SMALL[2:], "--widths", "1,b"), 2, "--widths must be whole numbers >= 1, a,b,c."),
        (("law", *SMALL[2:], "--depths", "0,1"), 2, "--depths must be whole numbers >= 1, a,b,c."),
        (("law", *SMALL[2:], "--widths", "128,256"), 2, "a law must have three shapes at least. Got 2"),
        (("law", *SMALL[2:], "--widths", "128,192,256", "--predict", "9000"), 2, "Got a width of 9,000"),
    ],
)
def test_what_cannot_be_answered_is_one_line(words, code, message):
    ended = plan(*words, "--quiet")
    assert ended.code == code
    assert message in ended.message
    assert len(ended.err.splitlines()) == 1


@pytest.fixture
def few(tmp_path):
    path = tmp_path / "candidates.toml"
    path.write_text("[grid]\nwidth = [16, 512]\nthreshold = [0.5]\n[[candidate]]\nwidth = 64\n")
    return path


def test_candidates_are_ranked_in_one_table_and_its_first_row_is_the_best(few):
    ended = plan("rank", "--candidates", few, "--rounds", "2", "--samples", "600", "--json")
    figures = ended.figures
    assert figures["best"] == figures["table"][0]["name"]
    assert {row["name"] for row in figures["table"]} == {
        "width 16, threshold 0.5", "width 512, threshold 0.5", "width 64",
    }  # fmt: skip
    assert [row["name"] for row in figures["table"] if row["tie"]] == figures["ties"]
    assert 0 < figures["epochs_spent"] <= figures["epochs_of_all"]
    assert "halving" in ended.err.splitlines()[0]
    told = plan("rank", "--candidates", few, "--rounds", "2", "--samples", "600")
    lines = told.out.splitlines()[1:4]
    assert [line[:40].strip() for line in lines] == [row["name"] for row in figures["table"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("width = [3]", "must hold a table [grid] of lists, or tables [[candidate]]"),
        ("[grid]\nwidth = 3", "must hold a table [grid] of lists, or tables [[candidate]]"),
        ("[grid", "must be TOML"),
        ("[grid]\nwidht = [3]", "a setting of a candidate must be one of"),
        ("[grid]\nloss = ['softmax']\nwidth = [64]", "edge_dynamics must have the squared loss. Got softmax"),
    ],
)
def test_candidates_that_cannot_be_ranked_are_one_line(tmp_path, text, message):
    path = tmp_path / "candidates.toml"
    path.write_text(text)
    ended = plan("rank", "--candidates", path, "--score", "edge_dynamics", "--quiet")
    assert ended.code == 2
    assert message in ended.message
    assert len(ended.err.splitlines()) == 1
    assert "must name a file" in plan("rank", "--candidates", tmp_path / "none.toml").message


def test_real_values_are_not_ranked(tmp_path):
    path = tmp_path / "real.csv"
    path.write_text("a,target\n" + "".join(f"{i},{i * 0.37 + 0.1}\n" for i in range(40)))
    ended = fewfire("plan", "rank", path, "--task", "regression")
    assert ended.code == 2
    assert "candidates must have labels that are classes" in ended.message
