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

HERE = pathlib.Path(__file__).resolve().parent

# Each network: arguments of learn.py. They differ so that they err differently.
NETWORKS = [
    ["--seed", "2", "--steps", "9500"],
    ["--seed", "3", "--steps", "9500"],
    ["--seed", "4", "--steps", "9500"],
]


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("data")
    ap.add_argument("--jobs", type=int, default=2, help="networks trained at a time, one core each")
    ap.add_argument("--keep", default=None, help="folder for the trained networks; those found there are not trained again")
    ap.add_argument("--learn", default="0-1307", help="people to learn on")
    ap.add_argument("--choose", default="1308-1607", help="people to choose fusion and thresholds on")
    a = ap.parse_args()
    keep = pathlib.Path(a.keep or tempfile.mkdtemp(prefix="biopass-"))
    keep.mkdir(parents=True, exist_ok=True)
    env = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MALLOC_MMAP_THRESHOLD_="4000000000",
               MALLOC_TRIM_THRESHOLD_="8000000000", MALLOC_TOP_PAD_="500000000")
    paths = [str(keep / ("net%d.pt" % i)) for i in range(len(NETWORKS))]
    todo, running = [(p, n) for p, n in zip(paths, NETWORKS) if not os.path.exists(p)], []
    while todo or running:
        while todo and len(running) < a.jobs:
            p, n = todo.pop(0)
            with open(p + ".log", "w") as log:
                running.append(subprocess.Popen([sys.executable, str(HERE / "learn.py"), a.data, p, "--people", a.learn, "--val", a.choose] + n,
                                                env=env, stdout=log))
        if running.pop(0).wait() != 0:
            sys.exit("a network failed; see the logs in %s" % keep)
    os.environ.update(env)
    from export import export
    lo, hi = map(int, a.choose.split("-"))
    export(paths, a.data, str(HERE.parent / "weights.bin"), str(HERE.parent / "testdata" / "parity.json"), lo, hi)


if __name__ == "__main__":
    main()
