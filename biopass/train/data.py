"""Reading typing recorded as JSON lines, and cutting training sequences out of whole sentences.

A file has one JSON object a line: `u` the person, `s` the sentence, `w` the window in it (0 is the one the protocol
uses), `k` the events [JavaScript keyCode, press in ms, release in ms] in order of press. Sentence files have no `w`.
"""
import collections
import gzip
import json

import numpy as np

# Key classes: 0 is padding and "no key before", 1..26 letters, then the keys named here, 34 digits, 35 anything else.
NKEYS = 36
_CLASS = {32: 27, 8: 28, 16: 29, 20: 30, 190: 31, 188: 32, 222: 33}
_CLASS.update({65 + i: 1 + i for i in range(26)})
_CLASS.update({c: 34 for c in list(range(48, 58)) + list(range(96, 106))})
MAXKEYS = 48  # keys of a sequence that are looked at; longer ones are cut
CLASSES = np.full(256, 35, np.int64)
for _c, _v in _CLASS.items():
    CLASSES[_c] = _v


def lines(path):
    """Yields the JSON objects of a plain or gzipped file."""
    with (gzip.open if str(path).endswith(".gz") else open)(path, "rt") as f:
        for line in f:
            if line.strip():
                yield json.loads(line)


def events(k):
    """[(code, press, release)] to (classes, press, release)."""
    a = np.asarray(k, dtype=np.float64).reshape(-1, 3)
    code = a[:, 0].astype(np.int64)
    return np.where((code >= 0) & (code < 256), CLASSES[np.clip(code, 0, 255)], 35), a[:, 1], a[:, 2]


def number(u):
    return int(u.lstrip("dp") or 0)


def sentences(path, lo, hi, least=22):
    """{person: [(classes, press, release)]} for people d<lo> to d<hi>, sentences of at least `least` events."""
    out = collections.OrderedDict()
    for r in lines(path):
        if lo <= number(r["u"]) <= hi and len(r["k"]) >= least:
            out.setdefault(r["u"], []).append(events(r["k"]))
    return out


def protocol(path, lo, hi):
    """{person: [(classes, press, release)]}: the protocol's windows in order; the first 5 enrol, the others probe."""
    out = collections.OrderedDict()
    for r in lines(path):
        if r.get("w", 0) == 0 and lo <= number(r["u"]) <= hi:
            out.setdefault(r["u"], []).append(events(r["k"]))
    return out


class Crops:
    """Random sequences of a person's sentences, starting at a word, as padded arrays."""

    def __init__(self, people, rng, least=10):
        self.rng = rng
        self.people = []
        for seqs in people.values():
            if len(seqs) < least:
                continue
            self.people.append([(k, p, r, [0] + [i + 1 for i in range(len(k) - 18) if k[i] == 27]) for k, p, r in seqs])

    def crop(self, person, j, lo, hi):
        k, p, r, starts = self.people[person][j]
        a = starts[self.rng.integers(len(starts))]
        n = int(self.rng.integers(lo, hi))
        a = max(0, min(a, len(k) - n))
        return k[a:a + n], p[a:a + n], r[a:a + n]


def pad(items, width=None):
    """[(classes, press, release)] to arrays K, P, R of one width; K is 0 beyond the end."""
    width = width or min(MAXKEYS, max(len(k) for k, _, _ in items))
    K = np.zeros((len(items), width), np.int64)
    P = np.zeros((len(items), width))
    R = np.zeros((len(items), width))
    for i, (k, p, r) in enumerate(items):
        n = min(width, len(k))
        K[i, :n], P[i, :n], R[i, :n] = k[:n], p[:n], r[:n]
    return K, P, R
