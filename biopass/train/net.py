"""The learned half of the scorer: each key gives evidence about the typist, with its own precision.

A small convolution over the keys gives, for each of D traits, a value and how sure it is of it. A print is the sum of
those; a score is the log likelihood ratio of "one typist" against "two" in a Gaussian model of the traits, so that short
sequences, unsure keys and few prints count for what they are worth.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F

from data import NKEYS
from features import CHANNELS, GLOBALS


class Net(nn.Module):
    def __init__(self, hidden=64, traits=64, keydim=12, dilations=(1, 2), drop=0.12):
        super().__init__()
        self.cfg = dict(hidden=hidden, traits=traits, keydim=keydim, dilations=tuple(dilations))
        self.drop = drop
        self.emb = nn.Embedding(NKEYS, keydim, padding_idx=0)
        self.inp = nn.Conv1d(keydim + CHANNELS, hidden, 3, padding=1)
        self.glob = nn.Linear(GLOBALS, hidden, bias=False)
        self.gate = nn.Linear(2 * keydim, hidden)
        self.conv = nn.ModuleList([nn.Conv1d(hidden, hidden, 3, padding=d, dilation=d) for d in dilations])
        self.norm = nn.ModuleList([nn.LayerNorm(hidden) for _ in dilations])
        self.onorm = nn.LayerNorm(hidden)
        self.value = nn.Linear(hidden, traits)
        self.prec = nn.Linear(hidden, traits)
        self.cap = nn.Parameter(torch.full((traits,), 1.0))
        self.live = nn.Sequential(nn.Linear(2 * hidden, 32), nn.ReLU(), nn.Linear(32, 1))
        self.scale = nn.Parameter(torch.tensor(0.0))
        self.bias = nn.Parameter(torch.tensor(-2.0))
        nn.init.constant_(self.prec.bias, -3.0)

    def thin(self, h, along):
        """Dropout of whole channels of a sequence."""
        if not self.training:
            return h
        shape = [h.shape[0], h.shape[1], h.shape[2]]
        shape[along] = 1
        return h * ((torch.rand(shape) > self.drop) / (1 - self.drop))

    def keys(self, K, X, G, mask):
        m = mask[:, None].to(X.dtype)
        e = self.emb(K)
        before = F.pad(e, (0, 0, 1, 0))[:, :-1]
        x = torch.cat([e, X], -1).transpose(1, 2) * m
        h = F.relu(self.inp(x) + self.glob(G)[:, :, None])
        h = h * (1 + torch.tanh(self.gate(torch.cat([before, e], -1)))).transpose(1, 2) * m
        for conv, norm in zip(self.conv, self.norm):
            y = norm(h.transpose(1, 2)).transpose(1, 2) * m
            h = (h + self.thin(F.relu(conv(y)), 2)) * m
        return self.onorm(h.transpose(1, 2)) * m.transpose(1, 2)

    def forward(self, K, X, G, mask):
        """The print: precision (N, D), evidence (N, D); and the liveness logit (N)."""
        h = self.keys(K, X, G, mask)
        m = mask[..., None].to(X.dtype)
        n = m.sum(1).clamp(min=1)
        mu = h.sum(1) / n
        sd = (((h - mu[:, None]) ** 2 * m).sum(1) / n + 1e-5).sqrt()
        live = self.live(torch.cat([mu, sd], -1))[:, 0]
        if self.training:
            m = m * (torch.rand_like(m) > 0.1)
            h = self.thin(h, 1)
        a = F.softplus(self.prec(h)) * m
        A = a.sum(1)
        B = (a * self.value(h)).sum(1)
        shrink = 1 / (1 + A * torch.exp(-self.cap))  # keys of one sequence share that minute's mood
        return A * shrink, B * shrink, live


def evidence(A, B):
    """log p(B | A) of the traits integrated out, up to what cancels in the ratio."""
    return 0.5 * (B * B / (1 + A) - torch.log1p(A)).sum(-1)


def ratio(EA, EB, PA, PB):
    """Log likelihood ratio; the arguments broadcast."""
    return evidence(EA + PA, EB + PB) - evidence(EA, EB) - evidence(PA, PB)
