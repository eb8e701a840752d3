"""Trains one network for a number of steps and saves its averaged weights."""
import argparse
import copy
import time

import numpy as np
import torch
import torch.nn.functional as F

import data
import forge
import measure
from features import Population
from net import Net, ratio

WIDTH = 32  # keys of a training sequence at most; a few more than four words take
torch.set_num_threads(1)
torch.set_flush_denormal(True)


def tensors(pop, items):
    K, P, R = data.pad(items)
    return embed_arrays(pop, K, P, R)


def embed_arrays(pop, K, P, R):
    X, G, M = pop.features(K, P, R)
    return torch.from_numpy(K), torch.from_numpy(X), torch.from_numpy(G), torch.from_numpy(M)


def persona(K, P, R, rng, each, amount):
    """Makes people who never were: some of the people, all of their `each` sequences alike, get another tempo and other
    habits on single keys. The network meets more typists than were recorded."""
    n = len(K) // each
    on = (rng.random(n) < 0.6) * amount

    def habit(sd, shape=()):
        return (on.reshape((n,) + (1,) * len(shape)) * sd * rng.standard_normal((n,) + shape)).repeat(each, 0)
    rows = np.arange(len(K))[:, None]
    prev = np.concatenate([K[:, :1], K[:, :-1]], 1)
    dd = np.diff(P, axis=1, prepend=P[:, :1])
    hold = R - P
    hold = hold * np.exp(habit(0.12)[:, None] + habit(0.06, (data.NKEYS,))[rows, K])
    dd = dd * np.exp(habit(0.15)[:, None] + habit(0.06, (data.NKEYS,))[rows, K] + habit(0.06, (data.NKEYS,))[rows, prev])
    P = np.cumsum(dd, 1)
    return K, P, P + hold


def shake(K, P, R, rng, tempo):
    """Tempo, clock and jitter as they vary between sessions and browsers; each on some of the sequences."""
    N = len(K)
    dd = np.diff(P, axis=1, prepend=P[:, :1])
    hold = R - P
    on = (rng.random(N) < 0.5)[:, None]
    dd = dd * np.exp(np.where(on, tempo * rng.standard_normal((N, 1)), 0))
    hold = hold * np.exp(np.where(on, 0.5 * tempo * rng.standard_normal((N, 1)), 0))
    P = np.cumsum(dd, 1)
    R = P + hold
    on = rng.random(N) < 0.15
    if on.any():
        s = (on * rng.choice([2.0, 5.0], N))[:, None]
        P = P + s * rng.standard_normal(P.shape)
        R = R + s * rng.standard_normal(R.shape)
    on = np.where(rng.random(N) < 0.1, rng.choice([8.0, 16.0], N), 1.0)[:, None]
    return K, np.round(P / on) * on, np.round(R / on) * on


def scores(pop, net, people):
    """Scores of the protocol: SG, SI (see measure.table)."""
    net.eval()
    items = [s for L in people.values() for s in L]
    out = []
    with torch.no_grad():
        for i in range(0, len(items), 512):
            out.append(net(*tensors(pop, items[i:i + 512])))
    A, B, _ = [torch.cat(c) for c in zip(*out)]
    net.train()
    EA, EB, PA, PB, o = [], [], [], [], 0
    for L in people.values():
        EA.append(A[o:o + 5].sum(0)), EB.append(B[o:o + 5].sum(0))
        PA.append(A[o + 5:o + len(L)]), PB.append(B[o + 5:o + len(L)])
        o += len(L)
    EA, EB = torch.stack(EA), torch.stack(EB)
    SG = [ratio(EA[i], EB[i], PA[i], PB[i]).numpy().astype(float) for i in range(len(PA))]
    SI = np.zeros((len(PA), len(PA), 3))
    for i in range(len(PA)):
        SI[:, i] = ratio(EA[:, None], EB[:, None], PA[i][None, :3], PB[i][None, :3]).numpy()
    return SG, SI


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("data")
    ap.add_argument("out")
    ap.add_argument("--stop", type=float, default=1.0, help="share of the steps after which to stop, the rate still high")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=10000)
    ap.add_argument("--hidden", type=int, default=64)
    ap.add_argument("--traits", type=int, default=64)
    ap.add_argument("--batch", type=int, default=72)
    ap.add_argument("--tempo", type=float, default=0.06)
    ap.add_argument("--persona", type=float, default=1.0)
    ap.add_argument("--drop", type=float, default=0.12)
    ap.add_argument("--wd", type=float, default=0.03)
    ap.add_argument("--lr", type=float, default=3e-3)
    ap.add_argument("--dilations", default="1,2")
    ap.add_argument("--people", default="0-1307", help="learn on")
    ap.add_argument("--val", default="1308-1607", help="show the figures of")
    ap.add_argument("--warm", default=None, help="start from this network")
    a = ap.parse_args()
    torch.manual_seed(a.seed)
    rng = np.random.default_rng(a.seed)
    sent = data.sentences(a.data + "/dev_sentences.jsonl.gz", *map(int, a.people.split("-")))
    val = data.protocol(a.data + "/dev.jsonl.gz", *map(int, a.val.split("-")))
    width = max(len(k) for L in sent.values() for k, _, _ in L)
    pop = Population.learn(*data.pad([s for L in sent.values() for s in L], width))
    med = forge.Medians(pop)
    crops = data.Crops(sent, rng)
    net = Net(a.hidden, a.traits, dilations=[int(d) for d in a.dilations.split(",")], drop=a.drop)
    if a.warm:
        net.load_state_dict(torch.load(a.warm)["state"])
    ema = copy.deepcopy(net)
    print(len(crops.people), "people", sum(p.numel() for p in net.parameters()), "parameters", vars(a), flush=True)
    opt = torch.optim.AdamW(net.parameters(), lr=a.lr, weight_decay=a.wd)
    S, Q, NF = 5, 2, 24
    t0, step, mean, nxt = time.time(), 0, np.zeros(4), 0.1
    Y0 = torch.arange(a.batch).repeat_interleave(Q)
    Y = F.one_hot(Y0, a.batch).float()
    W = Y * 8 + (1 - Y)
    while True:
        fr = step / a.steps
        if fr >= a.stop:
            break
        for g in opt.param_groups:
            g["lr"] = a.lr * min(1, step / 100 + 0.02) * (0.5 * (1 + np.cos(np.pi * fr)) + 0.005)
        ids = rng.choice(len(crops.people), a.batch, replace=False)
        items = []
        for u in ids:
            for j in rng.choice(len(crops.people[u]), S + Q, replace=False):
                items.append(crops.crop(u, j, 18, WIDTH))
        real = data.pad(items, WIDTH)
        fake = []
        for j in range(NF):
            keys = items[rng.integers(len(items))][0]
            if j % 4 == 0:
                fake.append(forge.bot(med, keys, rng))
            else:
                u = rng.integers(a.batch)
                m = int(rng.choice([1, 1, 1, 2, 5]))
                fake.append(forge.forged(med, [items[u * (S + Q) + v] for v in rng.choice(S + Q, m, replace=False)], keys, rng))
        K, P, R = shake(*persona(*real, rng, S + Q, a.persona), rng, a.tempo)
        f = data.pad(fake, WIDTH)
        A, B, live = net(*embed_arrays(pop, np.concatenate([K, f[0]]), np.concatenate([P, f[1]]), np.concatenate([R, f[2]])))
        n = a.batch * (S + Q)
        ly = torch.cat([torch.ones(n), torch.zeros(NF)])
        l3 = F.binary_cross_entropy_with_logits(live, ly, weight=torch.where(ly > 0, 0.5 / n, 0.5 / NF), reduction="sum")
        A, B = A[:n].view(a.batch, S + Q, -1), B[:n].view(a.batch, S + Q, -1)
        EA, EB = A[:, :S].sum(1), B[:, :S].sum(1)
        PA, PB = A[:, S:].reshape(a.batch * Q, 1, -1), B[:, S:].reshape(a.batch * Q, 1, -1)
        lg = torch.exp(net.scale) * ratio(EA[None], EB[None], PA, PB)
        l1 = F.cross_entropy(lg, Y0)
        l2 = (F.binary_cross_entropy_with_logits(lg + net.bias, Y, reduction="none") * W).sum() / W.sum()
        loss = l1 + 4 * l2 + 0.3 * l3
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        opt.step()
        step += 1
        d = min(0.998, step / (step + 20))
        with torch.no_grad():
            for x, y in zip(ema.parameters(), net.parameters()):
                x.lerp_(y, 1 - d)
        acc = float((lg.argmax(1) == Y0).float().mean())
        mean = 0.98 * mean + 0.02 * np.array([float(l1), float(l2), float(l3), acc])
        if step % 200 == 0:
            print(step, "%.0fs" % (time.time() - t0), "ce %.3f bce %.4f live %.3f acc %.3f" % tuple(mean),
                  "scale %.2f bias %.2f" % (float(net.scale), float(net.bias)), flush=True)
        if fr > nxt:
            measure.show("step %d" % step, measure.table(*scores(pop, ema, val)))
            save("%s.%d" % (a.out, round(100 * nxt)), pop, ema)
            nxt += 0.1
    measure.show("end", measure.table(*scores(pop, ema, val)))
    save(a.out, pop, ema)


def save(out, pop, net):
    torch.save(dict(cfg=net.cfg, state=net.state_dict(), mean=pop.mean, std=pop.std), out)


if __name__ == "__main__":
    main()
