"""Trains the scorer: python3 biopass/train/train.py DATA_DIR [--jobs N]

DATA_DIR holds dev_sentences.jsonl.gz (to learn on) and dev.jsonl.gz (the protocol's windows, to choose thresholds on).
Writes biopass/weights.bin and biopass/testdata/parity.json. Seeds and numbers of steps are fixed; see README.md.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent

# Each run: its name, the run it starts from ("first.20": as that was after 20% of its steps), arguments of learn.py.
RUNS = [
    ("first", None, ["--seed", "2", "--steps", "9500", "--stop", "0.4", "--persona", "0", "--tempo", "0.06"]),
    ("one", "first", ["--seed", "12", "--steps", "7000", "--lr", "0.0025", "--tempo", "0.05"]),
    ("two", "one", ["--seed", "31", "--steps", "3000", "--lr", "0.002", "--tempo", "0.05", "--persona", "1.4", "--batch", "96"]),
]
# The networks of the model file. More than one are fused; each costs its time again.
SHIPPED = ["two"]


def train(a, keep, env):
    """Runs what is not there yet, at most `jobs` at a time, each after the one it starts from."""
    def path(name):
        name, _, share = name.partition(".")
        return str(keep / (name + ".pt")) + ("." + share if share else "")
    todo = [r for r in RUNS if not os.path.exists(path(r[0]))]
    running = {}
    while todo or running:
        for r in list(todo):
            name, start, args = r
            if len(running) < a.jobs and (start is None or os.path.exists(path(start))):
                todo.remove(r)
                cmd = [sys.executable, str(HERE / "learn.py"), a.data, path(name), "--people", a.learn, "--val", a.choose] + args
                if a.try_out:
                    cmd += ["--steps", "24", "--stop", "1"]  # the last word counts
                with open(path(name) + ".log", "w") as log:
                    running[name] = subprocess.Popen(cmd + (["--warm", path(start)] if start else []), env=env, stdout=log)
        time.sleep(1)
        for name, p in list(running.items()):
            if p.poll() is not None:
                del running[name]
                if p.returncode != 0:
                    sys.exit("learning %s failed" % name)
    return [path(n) for n in SHIPPED]


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("data")
    ap.add_argument("--jobs", type=int, default=2, help="networks trained at a time, one core each")
    ap.add_argument("--keep", default=None, help="folder for the trained networks; those found there are not trained again")
    ap.add_argument("--learn", default="0-1307", help="people to learn on")
    ap.add_argument("--choose", default="1308-1607", help="people to choose fusion and thresholds on")
    ap.add_argument("--out", default=None, help="folder for weights.bin and parity.json; default: those that are shipped")
    ap.add_argument("--try-out", action="store_true", help="a few steps only: to see that all of it runs; the weights are worth nothing, and --out is needed")
    a = ap.parse_args()
    if a.try_out and not a.out:
        ap.error("--try-out needs --out: weights of a few steps must not take the place of the shipped ones")
    keep = pathlib.Path(a.keep or tempfile.mkdtemp(prefix="biopass-"))
    keep.mkdir(parents=True, exist_ok=True)
    env = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MALLOC_MMAP_THRESHOLD_="4000000000",
               MALLOC_TRIM_THRESHOLD_="8000000000", MALLOC_TOP_PAD_="500000000")
    paths = train(a, keep, env)
    os.environ.update(env)
    from export import export
    lo, hi = map(int, a.choose.split("-"))
    weights, parity = HERE.parent / "weights.bin", HERE.parent / "testdata" / "parity.json"
    if a.out:
        out = pathlib.Path(a.out)
        out.mkdir(parents=True, exist_ok=True)
        weights, parity = out / "weights.bin", out / "parity.json"
    export(paths, a.data, str(weights), str(parity), lo, hi)


if __name__ == "__main__":
    main()
