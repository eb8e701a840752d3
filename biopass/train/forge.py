"""Typing that no hand made: bots and forgeries, as counter-examples for training. evaluate/ has its own, in Go."""
import math

import numpy as np

from data import NKEYS


class Medians:
    """The population's typical timings as plain lists, which are quicker one value at a time than arrays."""

    def __init__(self, pop):
        self.hold, self.hold_sd = pop.mean[0].tolist(), pop.std[0].tolist()
        self.dd, self.dd_sd = pop.mean[1].tolist(), pop.std[1].tolist()

    def fill(self, prev, cur, noise, tempo):
        """Hold and DD in ms as everybody types them, with two standard normal draws `noise`, scaled to a tempo."""
        i = prev * NKEYS + cur
        return (math.exp(self.hold[i] + self.hold_sd[i] * noise[0]) * tempo[0],
                math.exp(self.dd[i] + self.dd_sd[i] * noise[1]) * tempo[1])


def forged(med, sources, keys, rng):
    """Types `keys` from recorded sequences of the victim: the pair's own timing where one was recorded, else the key's
    hold, else the population at the victim's tempo."""
    pairs, holds, hr, dr = {}, {}, [], []
    for k, p, r in sources:
        prev = 0
        k = k.tolist()
        for j in range(len(k)):
            h = max(float(r[j] - p[j]), 5.0)
            holds.setdefault(k[j], []).append(h)
            hr.append(math.log(h) - med.hold[k[j]])
            if j:
                d = max(float(p[j] - p[j - 1]), 1.0)
                pairs.setdefault((prev, k[j]), []).append((h, d))
                dr.append(math.log(d) - med.dd[prev * NKEYS + k[j]])
            prev = k[j]
    tempo = math.exp(sorted(hr)[len(hr) // 2]), math.exp(sorted(dr)[len(dr) // 2])
    noise = rng.choice([0, 0.3, 0.6, 1.0])
    jitter = rng.choice([0, 0, 2, 6])
    first = rng.random() < 0.3  # one value a key and pair, or one drawn at random
    p, r = np.zeros(len(keys)), np.zeros(len(keys))
    t, prev = 0.0, 0
    draws = (noise * rng.standard_normal((len(keys), 2))).tolist()
    shift = (jitter * rng.standard_normal((len(keys), 2))).tolist()
    for j, c in enumerate(keys.tolist()):
        h, d = med.fill(prev, c, draws[j], tempo)
        if (prev, c) in pairs:
            o = pairs[prev, c]
            h, d = o[0 if first else int(rng.random() * len(o))]
        elif c in holds:
            o = holds[c]
            h = o[0 if first else int(rng.random() * len(o))]
        h, d = h + shift[j][0], d + shift[j][1]
        t += max(d, 5) if j else 0
        p[j], r[j] = round(t), round(t + max(h, 5))
        prev = c
    return keys, p, r


def bot(med, keys, rng):
    """Constant steps, or the population's medians with noise."""
    n = len(keys)
    if rng.random() < 0.3:
        step, hold, sd = rng.uniform(40, 300), rng.uniform(20, 150), rng.choice([0, 2, 10, 25])
        p = np.cumsum(np.maximum(step + sd * rng.standard_normal(n), 5))
        return keys, np.round(p - p[0]), np.round(p - p[0] + np.maximum(hold + sd * rng.standard_normal(n), 5))
    tempo = np.exp(rng.normal(0, 0.25, 2))
    noise = rng.choice([0, 0.3, 0.7, 1.0, 1.3])
    p, r, t, prev = np.zeros(n), np.zeros(n), 0.0, 0
    draws = (noise * rng.standard_normal((n, 2))).tolist()
    for j, c in enumerate(keys.tolist()):
        h, d = med.fill(prev, c, draws[j], tempo)
        t += d if j else 0
        p[j], r[j], prev = round(t), round(t + h), c
    return keys, p, r
