"""The protocol's figures, in per cent."""
import numpy as np


def eer(g, i):
    s = np.concatenate([g, i])
    y = np.concatenate([np.ones(len(g)), np.zeros(len(i))])
    y = y[np.argsort(s, kind="mergesort")]
    frr = np.cumsum(y) / len(g)
    far = 1 - np.cumsum(1 - y) / len(i)
    j = np.argmin(np.abs(frr - far))
    return 50 * (frr[j] + far[j])


def user_eer(g, i):
    ts = np.unique(np.concatenate([g, i]))
    ts = np.append(ts, ts[-1] + 1)
    frr = (g[None] < ts[:, None]).mean(1)
    far = (i[None] >= ts[:, None]).mean(1)
    d = frr - far
    j = int(np.argmax(d >= 0))
    if j == 0:
        return 50 * (frr[0] + far[0])
    a, b = d[j - 1], d[j]
    w = -a / (b - a) if b != a else 0.5
    return 100 * (frr[j - 1] + w * (frr[j] - frr[j - 1]))


def frr_at(g, i, far=0.01):
    return 100 * np.mean(g <= np.quantile(i, 1 - far))


def table(SG, SI):
    """SG: for each person the genuine scores in order. SI: (U, U, 3), probes of person j against profile i."""
    mask = ~np.eye(len(SG), dtype=bool)
    g, i = np.concatenate(SG), SI[mask].ravel()
    g2 = np.concatenate([[s[j:j + 2].mean() for j in range(0, len(s) - 1, 2)] for s in SG])
    i2 = SI[mask][:, :2].mean(-1)
    g3 = np.concatenate([[s[j:j + 3].max() for j in range(0, len(s) - 2, 3)] for s in SG])
    i3 = SI[mask].max(-1)
    return dict(eer=eer(g, i), user=np.mean([user_eer(SG[u], SI[u][mask[u]].ravel()) for u in range(len(SG))]),
                frr1=frr_at(g, i), far5=100 * np.mean(i >= np.quantile(g, 0.05)),
                eer2=eer(g2, i2), frr1_2=frr_at(g2, i2), eer3=eer(g3, i3))


def show(name, t):
    print("%-22s" % name, " ".join("%s %.2f" % kv for kv in t.items()), flush=True)
