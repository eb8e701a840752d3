"""Events to numbers, the same way as features.go does it.

Four latencies a key: hold, press to press (DD), release to press (UD), release to release (UU), each on a scale where
typists are roughly normal, then as deviations from how everybody types that key after that other key.
"""
import numpy as np

from data import NKEYS

CHANNELS = 10  # per key
GLOBALS = 9    # per sequence


def latencies(K, P, R):
    """Padded arrays to prev, first, [h, dd, ud, uu] and valid; all (N, L)."""
    valid = K > 0
    prev = np.zeros_like(K)
    prev[:, 1:] = K[:, :-1]
    first = np.zeros(K.shape, bool)
    first[:, 0] = True
    P0 = np.concatenate([P[:, :1], P[:, :-1]], 1)
    R0 = np.concatenate([R[:, :1], R[:, :-1]], 1)
    h = np.log(np.clip(R - P, 10, 1000))
    dd = np.log(np.clip(P - P0, 8, 2500))
    ud = np.arcsinh(np.clip(P - R0, -400, 2500) / 60)
    uu = np.arcsinh(np.clip(R - R0, -400, 2500) / 60)
    return prev, first, (h, dd, ud, uu), valid


class Population:
    """Mean and spread of each latency over everybody: hold by key, the others by pair of keys, rare pairs backed off
    to what their two keys say apart."""

    def __init__(self, mean=None, std=None):
        self.mean, self.std = mean, std  # (4, NKEYS*NKEYS), index prev*NKEYS+cur

    @classmethod
    def learn(cls, K, P, R, k0=15):
        prev, first, lat, valid = latencies(K, P, R)
        mean = np.zeros((4, NKEYS * NKEYS))
        std = np.ones((4, NKEYS * NKEYS))
        for j, x in enumerate(lat):
            ok = valid if j == 0 else valid & ~first
            x, cur, prv = x[ok], K[ok], prev[ok]

            def backed(ids, n, base, x=x):
                cnt = np.bincount(ids, minlength=n)
                return (np.bincount(ids, x, minlength=n) + k0 * base) / (cnt + k0), cnt

            g = x.mean()
            right, _ = backed(cur, NKEYS, g)
            if j == 0:
                base = np.tile(right, NKEYS)
                ids = cur
                m = right
            else:
                left, _ = backed(prv, NKEYS, g)
                base = (left[:, None] + right[None, :] - g).ravel()
                ids = prv * NKEYS + cur
                m, _ = backed(ids, NKEYS * NKEYS, base)
            res = (x - m[ids]) ** 2
            cnt = np.bincount(ids, minlength=len(m))
            s = np.sqrt((np.bincount(ids, res, minlength=len(m)) + k0 * res.mean()) / (cnt + k0))
            mean[j], std[j] = (np.tile(m, NKEYS), np.tile(s, NKEYS)) if j == 0 else (m, s)
        return cls(mean, std)

    def features(self, K, P, R):
        """X (N, L, CHANNELS), G (N, GLOBALS), both float32, and the mask (N, L)."""
        prev, first, lat, valid = latencies(K, P, R)
        ids = prev * NKEYS + K
        N, L = K.shape
        X = np.zeros((N, L, CHANNELS))
        for j, x in enumerate(lat):
            z = np.clip((x - self.mean[j][ids]) / self.std[j][ids], -4, 4)
            X[:, :, j] = z if j == 0 else np.where(first, 0, z)
        h, dd, ud, uu = lat
        X[:, :, 4] = (h - 4.5) / 0.4
        X[:, :, 5] = np.where(first, 0, (dd - 5.2) / 0.6)
        X[:, :, 6] = np.where(first, 0, ud < 0)
        X[:, :, 7] = np.where(first, 0, uu < 0)
        X[:, :, 8] = first
        X[:, :, 9] = np.where(first, 0, np.clip(ud / 2, -2, 2))
        X *= valid[:, :, None]
        n = valid.sum(1)
        G = np.zeros((N, GLOBALS))
        for j in range(4):
            ok = valid if j == 0 else valid & ~first
            c = np.maximum(ok.sum(1), 1)
            m = (X[:, :, j] * ok).sum(1) / c
            G[:, j] = m
            G[:, 4 + j] = np.sqrt(((X[:, :, j] - m[:, None]) ** 2 * ok).sum(1) / c)
        G[:, 8] = n / 25 - 1
        return X.astype(np.float32), G.astype(np.float32), valid
