"""Runs that die again and again, in forked processes: `python deaths.py HOW FOLDER DATA OPTIONS...`.

"random": runs are killed at random moments and resumed until they end, run after run, until enough have died.
"calls": for each call that writes, moves or removes a file, a run that dies in it, and is then resumed.

Prints a JSON object: how many died, what was undisturbed, and which runs ended otherwise.
"""

import io
import json
import os
import random
import signal
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import fewfire.report.pictures
import fewfire.system.files
from fewfire.cli.main import run

fewfire.report.pictures.find_spec = lambda name: None  # no matplotlib: a picture takes longer than such a run
os.fsync = lambda handle: None  # a kill loses nothing that was written, and the disk takes most of such a run
ENOUGH = 12
CALLS = ("fsync", "replace", "unlink")


def command(folder, data, options):
    """Begin the run, or go on with it."""
    if (folder / "settings.json").exists():
        return ["resume", str(folder)]
    return ["train", data, "--out", str(folder), "--threads", "1", *options]


def call(arguments):
    """Run the command in this process; its exit code."""
    sys.argv, said = ["fewfire", *arguments], io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            run()
    except SystemExit as ended:
        if ended.code:
            os.write(2, f"{arguments}: {said.getvalue()}\n".encode())
        return ended.code or 0


def fork(arguments, die_in_call=None):
    """Run the command in a process of its own; its id."""
    child = os.fork()
    if child == 0:
        try:
            if die_in_call is not None:
                count_calls(die_in_call)
            os._exit(call(arguments))
        finally:
            os._exit(70)
    return child


def ended(child):
    """The exit code of a process; negative: the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def count_calls(last):
    """Die in the middle of this call, counted from 1, of those that write, move or remove a file."""
    left = [last]

    def dies_now():
        left[0] -= 1
        return left[0] == 0

    def dying(function):
        def call(*arguments, **named):
            if dies_now():
                try:
                    if last % 2:  # the call is done before
                        function(*arguments, **named)
                finally:
                    os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return call

    for name in CALLS:
        setattr(os, name, dying(getattr(os, name)))

    class File(io.FileIO):
        def write(self, part):
            if dies_now():
                super().write(memoryview(part).cast("B")[: memoryview(part).nbytes // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return super().write(part)

    fewfire.system.files.open = lambda path, mode: File(path, mode)


def outcome(folder):
    """What must not depend on deaths: weights to the last bit, figures but for times, and which files."""
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return (
        (folder / "model.safetensors").read_bytes(),
        [(record["epoch"], record["loss"], record["accuracy"]) for record in history],
        sorted(path.name for path in folder.iterdir()),
    )


def at_random(folder, data, options, undisturbed, seconds):
    """Kill runs until enough have died; lives are short at first, and longer where nothing came of them."""
    dice, died, others, number = random.Random(0), 0, [], 0
    while died < ENOUGH:
        place, life = folder / str(number), seconds / 3
        number += 1
        while True:
            child = fork(command(place, data, options))
            time.sleep(dice.uniform(0, life))
            os.kill(child, signal.SIGKILL)
            code = ended(child)
            if code == 0:
                break
            if code != -signal.SIGKILL:
                sys.exit(f"{place} ended with {code}")
            died += 1
            life *= 1.05
        if outcome(place) != undisturbed:
            others.append(place.name)
    return died, others


def in_each_call(folder, data, options, undisturbed):
    died, others = 0, []
    while True:
        place = folder / str(died)
        code = ended(fork(command(place, data, options), died + 1))
        if code == 0:
            return died, others
        died += 1
        if ended(fork(command(place, data, options))) != 0 or outcome(place) != undisturbed:
            others.append(place.name)


def main(how, folder, data, *options):
    folder = Path(folder)
    for name in ("first", "undisturbed"):  # the first imports what is missing
        begin = time.perf_counter()
        call(command(folder / name, data, options))
        seconds = time.perf_counter() - begin
    undisturbed = outcome(folder / "undisturbed")
    if how == "random":
        died, others = at_random(folder, data, options, undisturbed, seconds)
    else:
        died, others = in_each_call(folder, data, options, undisturbed)
    print(json.dumps({"died": died, "others": others, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
