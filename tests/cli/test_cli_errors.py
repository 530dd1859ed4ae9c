"""Errors of the user: what must hold, what was got, what to do; exit code 2, no traceback, nothing left."""

import re

import numpy as np
import pytest

import fewfire.runs.options as options_module
import fewfire.runs.prepare as prepare_module
from command import fewfire, fewfire_process, train_digits
from fewfire import Trainer, TwoLayerNetwork

USER_ERROR, TRAINING_FAILED = 2, 1

BAD_OPTIONS = [
    (("--width", 0), r"--width must be >= 1\. Got 0\. Leave it out"),
    (("--width", -4), r"--width must be >= 1\. Got -4\."),
    (("--epochs", 0), r"--epochs must be >= 1\. Got 0\."),
    (("--batch-size", -1), r"--batch-size must be >= 1\. Got -1\."),
    (("--threads", 0), r"--threads must be >= 1\. Got 0\."),
    (("--seed", -1), r"--seed must be >= 0\. Got -1\."),
    (("--checkpoint-every", -1), r"--checkpoint-every must be >= 0\. Got -1\. Leave it out"),
    (("--compare-dense", -1), r"--compare-dense must be >= 0\. Got -1\."),
    (("--index", "tree"), r"--index must be one of exhaustive, .*, auto\. Got 'tree'\. Choose one"),
    (
        ("--index", "drfit"),
        r"--index must be one of .*, auto\. Got 'drfit'\. Did you mean drift\? Choose one",
    ),
    (
        ("--loss", "hinge"),
        r"--loss must be one of squared, softmax, logistic, auto\. Got 'hinge'\. Choose one",
    ),
    (("--init", "zeros"), r"init must be one of gaussian, structured\. Got 'zeros'\. Choose one"),
    (
        ("--learning-rate", "fast"),
        r".*a finite number, 'auto' or 'measured'\. Got 'fast'\. Write for example 0\.5\.",
    ),
    (
        ("--learning-rate", "nan"),
        r"--learning-rate must be a finite number, 'auto' or 'measured'\. Got 'nan'\.",
    ),
    (
        ("--learning-rate", "-0.5"),
        r"learning_rate must be a finite number > 0, 'auto' or 'measured'\. Got -0\.5\. Use",
    ),
    (
        ("--schedule", "linear"),
        r"the schedule must be one of constant, cosine, step\. Got 'linear'\. Choose one",
    ),
    (
        ("--decay-every", 2),
        r"a decay every few epochs, or its gamma, belongs to .*Got the schedule 'constant'",
    ),
    (
        ("--schedule", "cosine", "--decay-gamma", 0.5),
        r"a decay every .* Got the schedule 'cosine'\. Leave them",
    ),
    (
        ("--schedule", "step", "--decay-every", 0),
        r"--decay-every must be >= 1\. Got 0\. Leave it out for the default\.",
    ),
    (("--momentum", 1), r"momentum must be at least 0 and less than 1\. Got 1\.0"),
    (("--nesterov",), r"nesterov needs momentum\. Got momentum=0"),
    (("--weight-decay", -1), r"weight_decay must be a finite number >= 0\. Got -1\.0"),
    (("--weight-decay", 1, "--learning-rate", 2), r"learning_rate \* weight_decay must be less than 1"),
    (
        ("--schedule", "step", "--decay-gamma", 2),
        r"the gamma of a decay must be in \(0, 1\]\. Got 2\.0\. Use 0\.1",
    ),
    (("--threshold", "low"), r"--threshold must be a finite number, 'auto' or 'paper'\. Got 'low'\."),
    (("--threshold", "-1"), r"threshold must be a finite number >= 0\. Got -1\.0\. Use threshold=0"),
    (("--fire-rate", 0.7), r"the fire rate must be in \(0, 0\.5\]\. Got 0\.7\. Use 0\.5"),
    (("--fire-rate", "few"), r"--fire-rate must be a number, or several as a,b\. Got 'few'\. Write for"),
    (
        ("--fire-rate", "0.1,0.2"),
        r"fire rates must be one for all layers, or one for each\. Got 2 for 1",
    ),
    (("--fire-rate", "nan"), r"the fire rate must be in \(0, 0\.5\]\. Got nan\."),
    (
        ("--fire-rate", 0.1, "--threshold", 1),
        r"give a threshold or a fire rate, not both\. Got threshold=1\.0 and fire_rate=0\.1\. Leave one out",
    ),
    (("--test-fraction", 1), r"test_fraction must lie strictly between 0 and 1\. Got 1\.0\. Use 0\.2"),
    (("--memory-limit", "lots"), r"an amount of memory must be a number and a unit: .*Got 'lots'\. Write"),
    (("--memory-limit", "1XB"), r"an amount of memory must be .*Got '1XB'\. Write for example 8GB"),
    (
        ("--memory-limit", "1MB"),
        r"data and network, before any index, must fit in --memory-limit of [\d,]+ bytes\. Got a need of "
        r"[\d,]+ bytes\. Raise it, or lower --width",
    ),
    (("--width", 10**13), r"a run must fit in memory\. Got: .*\. Lower --width or --batch-size"),
    (("--width", 10**23), r"a run must fit in memory\. Got: .*\. Lower --width or --batch-size"),
    (
        ("--width", 10**13, "--memory-limit", "8GB"),
        r"data and network.* --memory-limit of 8,000,000,000 bytes\. Got a need of",
    ),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS)
def test_a_bad_option_is_explained(tmp_path, options, message):
    ended = train_digits(tmp_path / "run", *options)
    assert ended.code == USER_ERROR
    assert re.match(f"fewfire: {message}", ended.message), ended.message
    assert "Traceback" not in ended.err
    assert ended.out == ""
    assert not (tmp_path / "run").exists()


BAD_DATA = [
    ("absent.csv", None, r"A source must exist\. Got .*absent\.csv', which does not\. Give 'digits'"),
    ("pixels.png", b"x", r"The name of a file must end in a known suffix\. Got 'pixels\.png'\. Give"),
    ("empty.csv", b"", r"A table must have at least one row\. Got none in .*empty\.csv\. Add rows"),
    ("ragged.csv", b"1,2,a\n1,b\n", r"Every row .* as many cells as its first, 3\. Got 2 in line 2 of"),
    ("inf.csv", b"1,inf,a\n1,2,b\n1,2,a\n", r"A column of numbers .* Got inf in line 1, column 2 of"),
    ("torn.npz", b"PK\x03\x04", r"An NPZ file must be a NumPy archive .*Got .*torn\.npz: .*Write it"),
    ("one.csv", b"1,2,a\n1,3,a\n", r"Training labels must hold at least two classes\. Got only 'a' in"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD_DATA)
def test_bad_data_are_explained(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    ended = fewfire("train", tmp_path / name, "--out", tmp_path / "run")
    assert ended.code == USER_ERROR
    assert re.match(f"fewfire: {message}", ended.message), ended.message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("words", ["predict {} digits", "report {}", "resume {}"])
def test_a_run_folder_that_is_not_there_is_named_without_the_number_of_an_error(tmp_path, words):
    ended = fewfire(*words.format(tmp_path / "absent").split())
    assert ended.code == USER_ERROR
    found = r"Got (\S+/absent): \1/(model\.safetensors|settings\.json): No such file or directory\. Give the "
    assert re.search(found, ended.err), ended.err


@pytest.mark.parametrize("name", ["FEWFIRE_NUM_THREADS", "FEWFIRE_SIMD"])
def test_a_bad_setting_in_the_environment_is_one_line(monkeypatch, name):
    monkeypatch.setenv(name, "many")
    ended = fewfire_process("info")
    assert (ended.code, ended.out) == (USER_ERROR, "")
    assert re.fullmatch(rf"fewfire: {name} must be .*\. Got 'many'\. .*\.\n", ended.err), ended.err


def test_another_run_is_not_overwritten(digits_run):
    run, _ = digits_run
    before = {path: path.read_bytes() for path in run.path.iterdir()}
    ended = train_digits(run.path, "--seed", 5)
    assert ended.code == USER_ERROR
    assert re.match(
        r"fewfire: the run folder must not hold another run\. Got .*, which has a settings\.json\. "
        r"Give another --out, or remove that folder\.",
        ended.message,
    )
    assert {path: path.read_bytes() for path in run.path.iterdir()} == before


def test_a_place_that_cannot_be_written_to_is_found_before_training(tmp_path):
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "run", "/proc/self"):
        ended = train_digits(folder)
        assert ended.code == USER_ERROR
        assert re.match(
            r"fewfire: the run folder must be a place that can be written to\. Got .*\. Give another --out\.",
            ended.message,
        ), ended.message
        assert "epoch" not in ended.err
    assert (tmp_path / "file").read_text() == "mine"


def test_a_disk_that_is_full_at_the_beginning_gives_a_message(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    ended = train_digits(tmp_path / "run")
    assert ended.code == USER_ERROR
    assert re.match(
        r"fewfire: files must be readable and writable\. Got: .*No space left.*\. Check path and disk\.",
        ended.message,
    )
    assert not (tmp_path / "run").exists()


def test_comparing_needs_torch_and_says_so_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(options_module, "find_spec", lambda name: None)
    ended = train_digits(tmp_path / "run", "--compare-dense", 5)
    assert ended.code == USER_ERROR
    assert re.match(
        r"fewfire: --compare-dense needs PyTorch\. Got none installed\. Run pip install 'fewfire\[torch\]'",
        ended.message,
    )
    assert not (tmp_path / "run").exists()


def test_without_matplotlib_a_run_lacks_its_picture_only(tmp_path, monkeypatch):
    monkeypatch.setattr("fewfire.report.pictures.find_spec", lambda name: None)
    assert train_digits(tmp_path / "run").code == 0
    assert not (tmp_path / "run" / "history.png").exists()
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_errors_of_a_process_have_one_line_and_no_traceback(tmp_path):
    ended = fewfire_process("train", "digits", "--loss", "hinge", "--out", tmp_path / "run")
    assert ended.code == USER_ERROR
    assert ended.out == ""
    assert ended.err.startswith("fewfire: --loss must be")
    assert ended.err.count("\n") == 1


# Training that leaves the finite numbers


def test_a_learning_rate_that_is_too_large_names_itself_and_saves_the_start(tmp_path):
    folder = tmp_path / "run"
    ended = train_digits(folder, "--learning-rate", 1e30)
    assert ended.code == TRAINING_FAILED
    assert ended.out == ""
    assert re.match(
        r"fewfire: the loss must stay finite\. Got inf at learning_rate=1e\+30\. Use a smaller one, "
        rf"or 'auto'\. This was step 2 of epoch 1; .*end of epoch 0\. Saved in {re.escape(str(folder))}$",
        ended.message,
    ), ended.message
    start = TwoLayerNetwork.initialize(256, 65, 10, init="structured", seed=0)
    saved = TwoLayerNetwork.load(folder / "model.safetensors").weights
    assert np.array_equal(np.sort(saved, axis=0), np.sort(start.weights, axis=0))  # arranged, not moved
    assert (folder / "history.jsonl").read_text() == ""


def test_training_that_fails_later_saves_the_last_good_epoch(tmp_path):
    too_large = ("--train-output-weights", "--learning-rate", 500)
    ended = train_digits(tmp_path / "failed", *too_large, "--epochs", 50)
    assert ended.code == TRAINING_FAILED
    good = int(re.search(r"the weights are those of the end of epoch (\d+)\.", ended.message)[1])
    assert good >= 1
    assert len((tmp_path / "failed" / "history.jsonl").read_text().splitlines()) == good
    assert not (tmp_path / "failed" / "result.json").exists()
    assert (tmp_path / "failed" / "history.png").exists()

    assert train_digits(tmp_path / "whole", *too_large, "--epochs", good).code == 0
    saved, whole = (tmp_path / name / "model.safetensors" for name in ("failed", "whole"))
    assert saved.read_bytes() == whole.read_bytes()
    assert fewfire("predict", tmp_path / "failed", "digits").code == 0


# The memory limit


@pytest.fixture
def limit_for_the_index(monkeypatch):
    """Makes --memory-limit the limit of the index: nothing else counts."""
    monkeypatch.setattr(prepare_module, "_left_to_the_index", lambda options, *_: options.memory_limit)


@pytest.mark.usefixtures("limit_for_the_index")
def test_a_limit_below_the_whole_table_is_kept_and_changes_no_weight(digits_run, tmp_path):
    run, ended = digits_run
    whole = ended.figures["index_bytes"]
    for share, tabled in ((0.9, 1), (0.7, 0.75), (0.6, 0.5)):
        limited = train_digits(tmp_path / str(share), "--memory-limit", f"{int(share * whole)}B")
        assert limited.code == 0, limited.err
        assert 0 < limited.figures["index_bytes"] <= share * whole
        assert (limited.figures["table_bits"], limited.figures["tabled_share"]) == (4, tabled)
        assert f"table             4 bits a pair for {tabled:.1%} of the neurons" in limited.err
        model = tmp_path / str(share) / "model.safetensors"
        assert model.read_bytes() == (run.path / "model.safetensors").read_bytes()


@pytest.mark.usefixtures("limit_for_the_index")
def test_a_limit_too_low_for_any_index_names_what_is_needed_and_leaves_nothing(tmp_path):
    ended = train_digits(tmp_path / "run", "--memory-limit", "50KB")
    assert ended.code == USER_ERROR
    found = re.match(
        r"fewfire: --memory-limit must leave the index enough beside data and network: the drift index "
        r".*must fit in the memory limit of 50,000 bytes\. Got a need of ([\d,]+) bytes\..*"
        r"Raise the limit, or use the exhaustive",
        ended.message,
    )
    assert found, ended.message
    assert not (tmp_path / "run").exists()

    enough = found[1].replace(",", "")
    assert train_digits(tmp_path / "run", "--memory-limit", enough).code == 0


@pytest.mark.parametrize("momentum", [0, 0.9])
def test_the_whole_process_keeps_within_its_limit(digits_file, tmp_path, momentum):
    """Half fire, on large batches: more memory for fire sets than for anything else."""
    options = ("train", digits_file, "--width", 16384, "--fire-rate", 0.5, "--epochs", 1,
               "--batch-size", 1500, "--momentum", momentum)  # fmt: skip
    ended = fewfire_process(*options, "--threads", 2, "--memory-limit", "1MB", "--out", tmp_path / "a")
    assert ended.code == USER_ERROR
    needed = ended.needed_bytes / 1e6

    for beside, bits, all_tabled in [(40, 8, True), (22, 4, True), (12, 4, False)]:  # bytes take 24 MB
        limit, folder = int(1e6 * (needed + beside)), tmp_path / str(beside)
        ended = fewfire_process(
            *options, "--threads", 2, "--memory-limit", f"{limit}B", "--json", "--out", folder
        )
        assert ended.code == 0, ended.err
        figures = ended.figures
        assert figures["peak_memory_bytes"] <= limit
        assert figures["index_bytes"] > 0
        assert (figures["table_bits"], figures["tabled_share"] == 1) == (bits, all_tabled)


def test_gauss_newton_steps_are_charged_for_their_copies(tmp_path):
    """A step keeps the weights it began with; a ridge keeps the initial weights and their difference."""
    width, needed = 2**22, {}
    a_copy = 4 * 80 * width / 1e9  # of 65 features, padded
    kinds = {"sgd": (), "gauss-newton": ("--optimizer", "gauss-newton")}
    kinds["ridge"] = (*kinds["gauss-newton"], "--ridge", 0.1)
    for name, options in kinds.items():
        alike = ("--width", width, "--threshold", 9, "--batch-size", 1438, "--memory-limit", "1MB",
                 "--init", "gaussian")  # fmt: skip
        ended = train_digits(tmp_path / "run", *alike, *options)
        needed[name] = ended.needed_bytes / 1e9
    assert needed["gauss-newton"] - needed["sgd"] == pytest.approx(a_copy, abs=0.1)
    assert needed["ridge"] - needed["gauss-newton"] == pytest.approx(2 * a_copy, abs=0.1)


def test_memory_that_runs_out_leaves_no_empty_folder(tmp_path, monkeypatch):
    def exhausted(*_):
        raise MemoryError("Unable to allocate 9 GiB")

    monkeypatch.setattr(Trainer, "build", exhausted)
    ended = train_digits(tmp_path / "run")
    assert ended.code == USER_ERROR
    assert ended.message.startswith("fewfire: a run must fit in memory. Got: Unable to allocate 9 GiB. Lower")
    assert not (tmp_path / "run").exists()
